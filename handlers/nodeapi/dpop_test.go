package nodeapi_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/wire"
)

// asked is one request with all that identity puts into its headers, to be spoiled.
type asked struct {
	w      *world
	n      *node
	r      *http.Request
	claims wire.ProofClaims
	header map[string]any
	key    ed25519.PrivateKey
}

// ask prepares a poll with a good proof over the present nonce.
func (n *node) ask() *asked {
	n.w.t.Helper()
	body, err := json.Marshal(n.request())
	must(n.w.t, err)
	r := httptest.NewRequestWithContext(n.w.t.Context(), http.MethodPost, wire.PathPoll,
		bytes.NewReader(body))
	r.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	r.Header.Set(echo.HeaderAuthorization, "DPoP "+n.token)
	n.w.nonce = n.w.fleet.Nonce()[0]
	return &asked{w: n.w, n: n, r: r, claims: n.w.claims(r, n.token), key: n.key,
		header: map[string]any{"typ": wire.TypeProof, "jwk": n.jwk()}}
}

// signed puts the proof in, as another library would write it.
func (a *asked) signed() *asked {
	a.w.t.Helper()
	raw, err := json.Marshal(a.claims)
	must(a.w.t, err)
	var claims jwt.MapClaims
	must(a.w.t, json.Unmarshal(raw, &claims))
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	for name, value := range a.header {
		token.Header[name] = value
	}
	text, err := token.SignedString(a.key)
	must(a.w.t, err)
	a.r.Header.Set(wire.HeaderProof, text)
	return a
}

func (a *asked) of(w *world) (models.Code, http.Header) {
	a.w.t.Helper()
	answer := httptest.NewRecorder()
	w.echo.ServeHTTP(answer, a.r)
	if answer.Code < 300 {
		return "", answer.Header()
	}
	var p wire.Problem
	must(a.w.t, json.Unmarshal(answer.Body.Bytes(), &p))
	return models.Code(p.Code), answer.Header()
}

func TestARequestCountsOnlyWithAProofOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.pub.login()
	w.sub.login()
	if code, header := w.pub.ask().signed().of(w.world); code != "" ||
		header.Get(wire.HeaderNonce) != w.fleet.Nonce()[0] {
		t.Fatalf("a good proof: %q %v", code, header)
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"dpop+jwt","jwk":` +
		marshal(t, w.pub.jwk()) + `}`))
	refused := map[string]struct {
		code  models.Code
		spoil func(a *asked)
	}{
		"no proof":      {"invalid_dpop_proof", func(a *asked) { a.r.Header.Del("DPoP") }},
		"bearer":        {"invalid_token", func(a *asked) { a.r.Header.Set("Authorization", "Bearer "+w.pub.token) }},
		"no token":      {"invalid_token", func(a *asked) { a.r.Header.Del("Authorization") }},
		"two proofs":    {"invalid_dpop_proof", func(a *asked) { a.signed().r.Header.Add("DPoP", "x.y.z") }},
		"another key":   {"invalid_dpop_proof", func(a *asked) { a.key = w.sub.key; a.header["jwk"] = w.sub.jwk(); a.signed() }},
		"a forged key":  {"invalid_dpop_proof", func(a *asked) { a.key = w.sub.key; a.signed() }},
		"other token":   {"invalid_dpop_proof", func(a *asked) { a.r.Header.Set("Authorization", "DPoP "+w.sub.token); a.signed() }},
		"other method":  {"invalid_dpop_proof", func(a *asked) { a.claims.Method = http.MethodGet; a.signed() }},
		"other path":    {"invalid_dpop_proof", func(a *asked) { a.claims.URI += "/"; a.signed() }},
		"other hub":     {"invalid_dpop_proof", func(a *asked) { a.claims.URI = "https://hub.example.net" + wire.PathPoll; a.signed() }},
		"plain HTTP":    {"invalid_dpop_proof", func(a *asked) { a.claims.URI = "http://" + a.r.Host + wire.PathPoll; a.signed() }},
		"other hash":    {"invalid_dpop_proof", func(a *asked) { a.claims.TokenHash = strings.Repeat("A", 43); a.signed() }},
		"no id":         {"invalid_dpop_proof", func(a *asked) { a.claims.ID = ""; a.signed() }},
		"a long id":     {"invalid_dpop_proof", func(a *asked) { a.claims.ID = strings.Repeat("i", 129); a.signed() }},
		"no nonce":      {"use_dpop_nonce", func(a *asked) { a.claims.Nonce = ""; a.signed() }},
		"a made nonce":  {"use_dpop_nonce", func(a *asked) { a.claims.Nonce = rand.Text(); a.signed() }},
		"other type":    {"invalid_dpop_proof", func(a *asked) { a.header["typ"] = wire.TypeAssertion; a.signed() }},
		"private key":   {"invalid_dpop_proof", func(a *asked) { a.header["jwk"] = private(w.pub.jwk()); a.signed() }},
		"an extension":  {"invalid_dpop_proof", func(a *asked) { a.header["crit"] = []string{"exp"}; a.signed() }},
		"algorithm":     {"invalid_dpop_proof", func(a *asked) { a.header["alg"] = "none"; a.signed() }},
		"no signature":  {"invalid_dpop_proof", func(a *asked) { a.signed(); a.replace(2, "") }},
		"none":          {"invalid_dpop_proof", func(a *asked) { a.signed(); a.replace(0, none) }},
		"other claims":  {"invalid_dpop_proof", func(a *asked) { a.signed(); a.replace(1, other(t, a.claims)) }},
		"not a JWS":     {"invalid_dpop_proof", func(a *asked) { a.r.Header.Set("DPoP", "proof") }},
		"a huge header": {"invalid_dpop_proof", func(a *asked) { a.header["x"] = strings.Repeat("x", 3000); a.signed() }},
	}
	for name, c := range refused {
		a := w.pub.ask()
		c.spoil(a)
		code, header := a.of(w.world)
		if code != c.code {
			t.Errorf("%s: refused with %q", name, code)
		}
		if !strings.Contains(header.Get("WWW-Authenticate"), `DPoP algs="EdDSA", error="`+string(c.code)) ||
			header.Get(wire.HeaderNonce) == "" {
			t.Errorf("%s: the headers are %v", name, header)
		}
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	must(t, err)
	return string(raw)
}

func private(k wire.JWK) map[string]string {
	return map[string]string{"kty": k.Kty, "crv": k.Crv, "x": k.X, "d": strings.Repeat("A", 43)}
}

func other(t *testing.T, c wire.ProofClaims) string {
	t.Helper()
	c.ID = rand.Text()
	return base64.RawURLEncoding.EncodeToString([]byte(marshal(t, c)))
}

func (a *asked) replace(part int, text string) {
	parts := strings.Split(a.r.Header.Get(wire.HeaderProof), ".")
	parts[part] = text
	a.r.Header.Set(wire.HeaderProof, strings.Join(parts, "."))
}

// TestAProofCountsOnce replays one within its time, after it, on another replica, and on this one
// after a new start.
func TestAProofCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.pub.login()
	again := func(a *asked) *asked {
		fresh := w.pub.ask()
		fresh.r.Header = a.r.Header.Clone()
		return fresh
	}
	first := w.pub.ask().signed()
	unused := w.pub.ask().signed()
	if code, _ := again(first).of(w.replica()); code != wire.CodeUseNonce {
		t.Errorf("another replica, before its own: %q", code)
	}
	if code, _ := again(first).of(w.world); code != "" {
		t.Fatalf("the first time: %q", code)
	}
	for range 3 {
		if code, _ := again(first).of(w.world); code != wire.CodeProofReplayed {
			t.Errorf("again: %q", code)
		}
	}
	if code, _ := again(first).of(w.replica()); code != wire.CodeUseNonce {
		t.Errorf("after a new start: %q", code)
	}
	w.clock.Advance(fleet.NonceFor + time.Second)
	if code, _ := again(first).of(w.world); code != wire.CodeProofReplayed {
		t.Errorf("with the nonce before: %q", code)
	}
	if code, _ := again(unused).of(w.world); code != "" {
		t.Errorf("the nonce before the present one: %q", code)
	}
	w.clock.Advance(fleet.NonceFor)
	late := again(first)
	w.pub.login()
	late.r.Header.Set("Authorization", "DPoP "+w.pub.token)
	if code, _ := late.of(w.world); code == "" {
		t.Error("an old proof counts for a new token")
	}
}

// TestR35AWrongClockDoesNotKeepANodeFromSayingSo signs with clocks that are years off.
func TestR35AWrongClockDoesNotKeepANodeFromSayingSo(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	for _, skew := range []time.Duration{-50 * 365 * 24 * time.Hour, -25 * time.Hour, 0,
		25 * time.Hour, 50 * 365 * 24 * time.Hour} {
		w.pub.skew = skew
		if _, refused, _ := w.pub.tryPoll(); refused != "" {
			t.Errorf("%s: %q", skew, refused)
		}
	}
	old := wire.TokenRequest{Assertion: w.pub.assertion(string(w.pub.id))}
	w.clock.Advance(2 * fleet.NonceFor)
	if refused, _ := w.post(wire.PathToken, "", old, nil); refused != wire.CodeUseNonce {
		t.Errorf("an assertion over an old nonce: %q", refused)
	}
}
