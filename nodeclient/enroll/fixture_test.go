package enroll_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/enroll"
)

const (
	publisher  models.FQDN = "cc-pub.example.com"
	subscriber models.FQDN = "cc-sub.example.com"
	password               = "a good password"
)

// The tickets of every test hub: all hubs of these tests have one key.
var (
	oneTicket  = ticketOf(wire.TypeTicket)
	joinTicket = ticketOf(wire.TypeJoin)
)

func hubKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
}

func ticketOf(typ string) string {
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"secret": "x"})
	token.Header["typ"] = typ
	text, err := token.SignedString(hubKey())
	if err != nil {
		panic(err)
	}
	return text
}

// testHub is the hub's side as a node sees it: real TLS, real signatures, and no rules.
type testHub struct {
	t      *testing.T
	server *httptest.Server
	key    ed25519.PrivateKey

	mu        sync.Mutex
	claims    []wire.Claim
	nodeKey   wire.JWK
	state     models.RegistrationState
	tickets   []models.FQDN
	languages []string
	seenJTI   map[string]bool
	// answer replaces the hub's own answer at a path.
	answer map[string]http.HandlerFunc
	calls  atomic.Int64
}

func newTestHub(t *testing.T) *testHub {
	t.Helper()
	h := &testHub{t: t, key: hubKey(), state: models.RegistrationClaimed, answer: map[string]http.HandlerFunc{},
		seenJTI: map[string]bool{}}
	h.server = httptest.NewUnstartedServer(http.HandlerFunc(h.serve))
	h.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	h.server.StartTLS()
	t.Cleanup(h.server.Close)
	return h
}

func (h *testHub) jwk() wire.JWK { return wire.KeyOf(h.key.Public().(ed25519.PublicKey)) }

func (h *testHub) caPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.server.Certificate().Raw})
}

// pin is the pin of the hub's own key.
func (h *testHub) pin() string {
	sum := sha256.Sum256(h.server.Certificate().RawSubjectPublicKeyInfo)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (h *testHub) at(path string, f http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer[path] = f
}

func (h *testHub) complete() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = models.RegistrationCompleted
}

func (h *testHub) identity(role models.NodeRole) wire.Identity {
	return wire.Identity{HubID: "hub-1", Organization: "Example", ClusterID: "cluster-1",
		DisplayName: "Tokyo", NodeID: models.NodeID("node-" + string(role)), Role: role, HubKey: h.jwk()}
}

func (h *testHub) sign(typ string, v any) string {
	h.t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		h.t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	if err := json.Unmarshal(raw, &claims); err != nil {
		h.t.Fatal(err)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["typ"] = typ
	text, err := token.SignedString(h.key)
	if err != nil {
		h.t.Fatal(err)
	}
	return text
}

// claim checks what a node signed: by the key in its header, over the ticket.
func (h *testHub) claim(w http.ResponseWriter, ticket, text string) bool {
	var key wire.JWK
	claims := jwt.MapClaims{}
	_, err := jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"})).ParseWithClaims(text, claims,
		func(token *jwt.Token) (any, error) {
			if token.Header["typ"] != wire.TypeClaim {
				return nil, fmt.Errorf("typ %v", token.Header["typ"])
			}
			raw, _ := json.Marshal(token.Header["jwk"])
			_ = json.Unmarshal(raw, &key)
			return key.Public()
		})
	raw, _ := json.Marshal(claims)
	var c wire.Claim
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	sum := sha256.Sum256([]byte(ticket))
	if err != nil || dec.Decode(&c) != nil || c.TicketHash != hex.EncodeToString(sum[:]) {
		refuse(w, wire.Problem{Status: 422, Code: "invalid_claim", Detail: fmt.Sprint(err)})
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.claims, h.nodeKey = append(h.claims, c), key
	return true
}

// asserted checks an assertion: by the claimed key, for this audience, used once.
func (h *testHub) asserted(text, subject string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var c jwt.RegisteredClaims
	_, err := jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithAudience(wire.Audience),
		jwt.WithExpirationRequired(), jwt.WithSubject(subject), jwt.WithIssuer(subject)).
		ParseWithClaims(text, &c, func(*jwt.Token) (any, error) { return h.nodeKey.Public() })
	if err == nil && (c.ID == "" || h.seenJTI[c.ID]) {
		err = fmt.Errorf("assertion %q was used before", c.ID)
	}
	h.seenJTI[c.ID] = true
	return err
}

func (h *testHub) serve(w http.ResponseWriter, r *http.Request) {
	h.calls.Add(1)
	h.mu.Lock()
	h.languages = append(h.languages, r.Header.Get("Accept-Language"))
	other := h.answer[r.URL.Path]
	h.mu.Unlock()
	if other != nil {
		other(w, r)
		return
	}
	switch r.URL.Path {
	case wire.PathInspect:
		reply(w, wire.InspectResponse{Organization: "Example", FQDN: publisher})
	case wire.PathClaim:
		var in wire.ClaimRequest
		if read(w, r, &in) && h.claim(w, in.Ticket, in.Claim) {
			reply(w, wire.ClaimResponse{RegistrationID: "reg-1", ReturnURL: "https://hub.example/#code=1"})
		}
	case wire.PathJoin:
		var in wire.JoinRequest
		if read(w, r, &in) && h.claim(w, in.Ticket, in.Claim) {
			reply(w, wire.JoinResponse{Identity: h.identity(models.Subscriber)})
		}
	case wire.PathStatus:
		h.status(w, r)
	case wire.PathToken:
		var in wire.TokenRequest
		if !read(w, r, &in) {
			return
		}
		if err := h.asserted(in.Assertion, "node-publisher"); err != nil {
			refuse(w, wire.Problem{Status: 401, Code: "invalid_assertion", Detail: err.Error()})
			return
		}
		reply(w, wire.TokenResponse{AccessToken: "token-1", TokenType: "DPoP", ExpiresIn: 600})
	case wire.PathTickets:
		var in wire.TicketsRequest
		if !read(w, r, &in) {
			return
		}
		h.mu.Lock()
		h.tickets = append(h.tickets, in.Members...)
		h.mu.Unlock()
		reply(w, wire.TicketsResponse{Tickets: []wire.JoinTicket{{FQDN: in.Members[0], Ticket: joinTicket}}})
	default:
		reply(w, wire.PollResponse{Protocol: wire.Protocol, NextPollMS: 1000})
	}
}

func (h *testHub) status(w http.ResponseWriter, r *http.Request) {
	var in wire.StatusRequest
	if !read(w, r, &in) {
		return
	}
	if err := h.asserted(in.Assertion, "reg-1"); err != nil {
		refuse(w, wire.Problem{Status: 401, Code: "invalid_assertion", Detail: err.Error()})
		return
	}
	h.mu.Lock()
	out := wire.StatusResponse{State: h.state}
	h.mu.Unlock()
	if out.State == models.RegistrationCompleted {
		identity := h.identity(models.Publisher)
		out.Identity = &identity
	}
	reply(w, out)
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		refuse(w, wire.Problem{Status: 400, Code: "malformed_body", Detail: err.Error()})
		return false
	}
	return true
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, p wire.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// loopback is an address of this machine alone that no other test listens on.
func loopback(t *testing.T) string {
	t.Helper()
	b := make([]byte, 3)
	_, _ = rand.Read(b)
	return fmt.Sprintf("127.%d.%d.%d:28446", b[0], b[1], 1+b[2]%250)
}

// setUp makes a node's folder that trusts the hub by its CA.
func setUp(t *testing.T, h *testHub, name models.FQDN) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "node")
	if err := enroll.MakeDir(dir); err != nil {
		t.Fatal(err)
	}
	if err := config(t, h, name).Save(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hub-ca.pem"), h.caPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func config(t *testing.T, h *testHub, name models.FQDN) enroll.Config {
	t.Helper()
	hash, err := enroll.HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	return enroll.Config{Hub: h.server.URL, FQDN: name, PageListen: "127.0.0.1:8445", AppUser: "admin",
		AppPasswordHash: hash}
}

func open(t *testing.T, dir string) *enroll.Enrollment {
	t.Helper()
	return openAt(t, dir, time.Now)
}

func openAt(t *testing.T, dir string, now func() time.Time) *enroll.Enrollment {
	t.Helper()
	e, err := enroll.Open(enroll.Options{Dir: dir, ClientVersion: "1.0",
		Version: func() models.Version { return "1.0.0" }, Busy: func() bool { return false },
		Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// newPublisher is a publisher that is not registered, and its secret file and peer address.
func newPublisher(t *testing.T, h *testHub) (dir, secret, peer string) {
	t.Helper()
	dir, peer = setUp(t, h, publisher), loopback(t)
	secret = filepath.Join(t.TempDir(), "secret.json")
	if err := enroll.InitCluster(dir, peer, secret, time.Now()); err != nil {
		t.Fatal(err)
	}
	return dir, secret, peer
}

// register takes the publisher through claim and completion.
func register(t *testing.T, h *testHub, e *enroll.Enrollment) {
	t.Helper()
	if _, err := e.Allow(t.Context(), oneTicket, "en", enroll.By{}, wire.InspectResponse{}); err != nil {
		t.Fatal(err)
	}
	h.complete()
	if err := e.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e.Identity() == nil {
		t.Fatal("the node has no identity after its registration has completed")
	}
}

// background runs f until the test ends.
func background(t *testing.T, f func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// eventually waits for what another goroutine or process brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within 20 s", what)
		case <-tick.C:
		}
	}
}
