package op

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// token redeems a code: once, for the client that asked, from the address that was agreed, with the
// verifier of the challenge. A verifier without a challenge is refused too (RFC 9700).
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	if p.is(TokenElsewhere) {
		http.Redirect(w, r, "http://127.0.0.1:9/token", http.StatusTemporaryRedirect)
		return
	}
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request")
		return
	}
	p.stall(r, SlowToken) // with the body read: only then is it noticed that the caller has left
	c, ok := p.authenticated(r)
	if !ok {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	p.mu.Lock()
	g := p.codes[r.PostForm.Get("code")]
	delete(p.codes, r.PostForm.Get("code"))
	p.mu.Unlock()
	verifier := r.PostForm.Get("code_verifier")
	sum := sha256.Sum256([]byte(verifier))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	if verifier == "" {
		challenge = ""
	}
	if r.PostForm.Get("grant_type") != "authorization_code" || g == nil || g.client != c.ID ||
		g.redirect != r.PostForm.Get("redirect_uri") || !p.c.Now().Before(g.expires) ||
		subtle.ConstantTimeCompare([]byte(challenge), []byte(g.challenge)) != 1 {
		refuse(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	access := random()
	p.mu.Lock()
	p.tokens[access] = g.subject
	p.mu.Unlock()
	id, err := p.idToken(c, *g, access)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answered := map[string]any{"access_token": access, "token_type": "Bearer",
		"expires_in": 300, "id_token": id}
	if p.is(NoIDToken) {
		delete(answered, "id_token")
	}
	if p.is(HugeToken) {
		answered["padding"] = strings.Repeat("x", 8<<20)
	}
	answer(w, http.StatusOK, answered)
}

func refuse(w http.ResponseWriter, status int, code string) {
	answer(w, status, map[string]string{"error": code})
}

func (p *Provider) authenticated(r *http.Request) (Client, bool) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		return Client{}, false
	}
	id, err1 := url.QueryUnescape(id)
	secret, err2 := url.QueryUnescape(secret)
	c, known := p.client(id)
	return c, err1 == nil && err2 == nil && known &&
		subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) == 1
}

// idToken says who signed in, or something else.
func (p *Provider) idToken(c Client, g grant, access string) (string, error) {
	now := p.c.Now()
	sum := sha256.Sum256([]byte(access))
	claims := map[string]any{"iss": p.c.Issuer, "sub": g.subject, "aud": c.ID,
		"exp": now.Add(5 * time.Minute).Unix(), "iat": now.Unix(), "nonce": g.nonce,
		"auth_time": g.authTime.Unix(),
		"at_hash":   base64.RawURLEncoding.EncodeToString(sum[:16])}
	u, _ := p.user(func(u User) bool { return u.Subject == g.subject })
	claims["email"], claims["email_verified"], claims["name"] = u.Email, true, u.Name
	p.spoil(claims, now)
	return p.sign(c, claims)
}

// spoil changes the claims as the provider misbehaves.
func (p *Provider) spoil(claims map[string]any, now time.Time) {
	late := now.Add(time.Hour).Unix()
	changes := map[Misbehaviour]map[string]any{
		WrongNonce:      {"nonce": random()},
		NoNonce:         {"nonce": nil},
		WrongAudience:   {"aud": "another-client"},
		MoreAudiences:   {"aud": []any{claims["aud"], "another-client"}},
		WrongParty:      {"azp": "another-client"},
		WrongIssuer:     {"iss": "https://other.example"},
		Expired:         {"exp": now.Add(-time.Minute).Unix()},
		FutureIssued:    {"iat": late},
		OldIssued:       {"iat": now.Add(-time.Hour).Unix()},
		NotYet:          {"nbf": late},
		UnverifiedEmail: {"email_verified": false},
		SilentEmail:     {"email_verified": nil},
		NoEmail:         {"email": nil, "email_verified": nil},
		EmailInUserInfo: {"email": nil, "email_verified": nil},
		NoSubject:       {"sub": ""},
		WrongTokenHash:  {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
		StaleAuthTime:   {"auth_time": now.Add(-2 * time.Hour).Unix()},
		NoAuthTime:      {"auth_time": nil},
		FutureAuthTime:  {"auth_time": late},
	}
	changes[UserInfoOfAnother] = changes[EmailInUserInfo]
	for m, change := range changes {
		if p.is(m) {
			maps.Copy(claims, change)
		}
	}
	for name, value := range claims {
		if value == nil {
			delete(claims, name)
		}
	}
}

// sign signs the claims, or does what only looks like it.
func (p *Provider) sign(c Client, claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	key, id := p.key, p.keyID
	p.mu.Unlock()
	with := jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: id}}
	switch {
	case p.is(Unsigned):
		return part(`{"alg":"none","typ":"JWT"}`) + "." + part(string(payload)) + ".", nil
	case p.is(SharedSecret):
		public, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return "", err
		}
		with = jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{KeyID: id,
			Key: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})}}
	case p.is(ClientSecret):
		secret := append([]byte(c.Secret), make([]byte, 32)...)
		with = jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{KeyID: id, Key: secret}}
	case p.is(WrongKey):
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return "", err
		}
		with.Key = jose.JSONWebKey{Key: other, KeyID: id}
	}
	signer, err := jose.NewSigner(with, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	text, err := signed.CompactSerialize()
	if err != nil || !p.is(OtherPayload) {
		return text, err
	}
	claims["email"] = "admin@" + strings.SplitN(claims["email"].(string), "@", 2)[1]
	changed, err := json.Marshal(claims)
	parts := strings.Split(text, ".")
	return parts[0] + "." + part(string(changed)) + "." + parts[2], err
}

func part(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// userInfo says who the access token is about.
func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	p.mu.Lock()
	subject, ok := p.tokens[bearer]
	p.mu.Unlock()
	u, known := p.user(func(u User) bool { return u.Subject == subject })
	if !ok || !known {
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	said := map[string]any{"sub": u.Subject, "email": u.Email, "email_verified": true,
		"name": u.Name}
	if p.is(UserInfoOfAnother) {
		said["sub"] = "another"
	}
	if p.is(NoEmail) {
		delete(said, "email")
	}
	answer(w, http.StatusOK, said)
}
