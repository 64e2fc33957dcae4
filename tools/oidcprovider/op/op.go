// Package op is a small, real OpenID Connect provider for tests and demonstrations: discovery, keys,
// a page to sign in on, tokens for codes with PKCE, and user info. It can be told to misbehave in
// every way that a client must notice. It is no part of the product.
package op

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Client is an application that signs people in here.
type Client struct {
	ID, Secret   string
	RedirectURIs []string
}

// User is a person with an account here.
type User struct {
	Email, Password, Name, Subject string
}

// Config is what a provider is.
type Config struct {
	Issuer  string // its address, without a slash at its end
	Clients []Client
	Users   []User
	Now     func() time.Time
	Key     *rsa.PrivateKey // its first key; nil: a fresh one
	// Control lets anybody change its behaviour by POST /control.
	Control bool
	// NamesIssuer lets it name itself in its answers (RFC 9207).
	NamesIssuer bool
}

// Provider is an http.Handler.
type Provider struct {
	c   Config
	mux *http.ServeMux

	mu       sync.Mutex
	key      *rsa.PrivateKey
	keyID    string
	odd      []Misbehaviour
	codes    map[string]*grant
	tokens   map[string]string // access token → subject
	sessions map[string]session
	calls    map[string]int

	endpoints string // where its token endpoint and its keys are
}

// session is a browser that is signed in here.
type session struct {
	subject string
	at      time.Time
}

// grant is a code and all that it depends on.
type grant struct {
	client, redirect, nonce, challenge string
	subject                            string
	authTime, expires                  time.Time
}

// New makes a provider.
func New(c Config) (*Provider, error) {
	p := &Provider{c: c, mux: http.NewServeMux(), codes: map[string]*grant{},
		tokens: map[string]string{}, sessions: map[string]session{}, calls: map[string]int{}}
	p.endpoints = c.Issuer
	p.key, p.keyID = c.Key, random()[:8]
	if p.key == nil {
		if err := p.Rotate(); err != nil {
			return nil, err
		}
	}
	p.mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	p.mux.HandleFunc("GET /keys", p.keys)
	p.mux.HandleFunc("GET /authorize", p.authorize)
	p.mux.HandleFunc("POST /authorize", p.signIn)
	p.mux.HandleFunc("POST /token", p.token)
	p.mux.HandleFunc("GET /userinfo", p.userInfo)
	if c.Control {
		p.mux.HandleFunc("POST /control", p.control)
	}
	return p, nil
}

// ServeHTTP answers as the provider, or as it misbehaves.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.calls[r.URL.Path]++
	p.mu.Unlock()
	if r.URL.Path != "/control" && p.is(Down) {
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	p.mux.ServeHTTP(w, r)
}

// Rotate makes a new key; the old one is gone.
func (p *Provider) Rotate() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("cannot make a key: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key, p.keyID = key, random()[:8]
	return nil
}

// AddClient makes another application known.
func (p *Provider) AddClient(c Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.c.Clients = append(p.c.Clients, c)
}

// EndpointsAt says in its discovery document that its token endpoint and its keys are elsewhere.
func (p *Provider) EndpointsAt(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endpoints = address
}

// SetUsers replaces the accounts.
func (p *Provider) SetUsers(all ...User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.c.Users = slices.Clone(all)
}

// Calls answers how often a path was asked for.
func (p *Provider) Calls(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[path]
}

func (p *Provider) client(id string) (Client, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.c.Clients {
		if c.ID == id {
			return c, true
		}
	}
	return Client{}, false
}

func (p *Provider) user(match func(User) bool) (User, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.c.Users {
		if match(u) {
			return u, true
		}
	}
	return User{}, false
}

func (p *Provider) discovery(w http.ResponseWriter, r *http.Request) {
	p.stall(r, SlowDiscovery)
	issuer, methods := p.c.Issuer, []string{"S256"}
	p.mu.Lock()
	host := p.endpoints
	p.mu.Unlock()
	if p.is(DiscoveryOfAnother) {
		issuer = "https://other.example"
	}
	if p.is(ForeignEndpoints) {
		host = "https://169.254.169.254"
	}
	if p.is(PlainEndpoints) {
		host = "http://" + strings.SplitN(host, "://", 2)[1] + ".example"
	}
	if p.is(NoS256) {
		methods = []string{"plain"}
	}
	algorithms := []string{"RS256"}
	if p.is(WeakAlgorithms) {
		algorithms = []string{"none", "HS256"}
	}
	document := map[string]any{
		"issuer": issuer, "authorization_endpoint": p.c.Issuer + "/authorize",
		"token_endpoint": host + "/token", "jwks_uri": host + "/keys",
		"userinfo_endpoint":                              p.c.Issuer + "/userinfo",
		"response_types_supported":                       []string{"code"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          algorithms,
		"code_challenge_methods_supported":               methods,
		"token_endpoint_auth_methods_supported":          []string{"client_secret_basic"},
		"authorization_response_iss_parameter_supported": p.c.NamesIssuer,
	}
	if p.is(HugeDiscovery) {
		document["padding"] = strings.Repeat("x", 8<<20)
	}
	answer(w, http.StatusOK, document)
}

func (p *Provider) keys(w http.ResponseWriter, r *http.Request) {
	p.stall(r, SlowKeys)
	p.mu.Lock()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: p.keyID,
		Algorithm: "RS256", Use: "sig"}}}
	p.mu.Unlock()
	if p.is(HugeKeys) {
		for range 40_000 {
			set.Keys = append(set.Keys, set.Keys[0])
		}
	}
	answer(w, http.StatusOK, set)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever asked is gone
}

func random() string {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(secret)
}
