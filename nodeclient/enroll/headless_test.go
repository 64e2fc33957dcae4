package enroll_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/enroll"
)

// shellHub is the hub's side of a registration at the shell.
type shellHub struct {
	*testHub

	mu       sync.Mutex
	state    models.HeadlessState
	secret   string // as the hub knows it: its hash
	asked    int
	accepted *bool
}

func newShellHub(t *testing.T) *shellHub {
	t.Helper()
	h := &shellHub{testHub: newTestHub(t), state: models.HeadlessPending}
	h.at(wire.PathHeadless, func(w http.ResponseWriter, r *http.Request) {
		var in wire.HeadlessRequest
		if !read(w, r, &in) {
			return
		}
		claim := payload(t, in.Claim)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.secret, _ = claim["ticket_hash"].(string)
		reply(w, wire.HeadlessResponse{UserCode: "BCDF-GHJK", IntervalSeconds: 0})
	})
	h.at(wire.PathHeadlessPoll, h.poll)
	h.at(wire.PathHeadlessAnswer, func(w http.ResponseWriter, r *http.Request) {
		var in wire.HeadlessAnswer
		if !read(w, r, &in) || !h.knows(in.Secret) {
			refuse(w, wire.Problem{Status: 404, Code: "not_found"})
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.accepted = &in.Accept
		w.WriteHeader(http.StatusNoContent)
	})
	return h
}

func (h *shellHub) knows(secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	h.mu.Lock()
	defer h.mu.Unlock()
	return hex.EncodeToString(sum[:]) == h.secret
}

func (h *shellHub) poll(w http.ResponseWriter, r *http.Request) {
	var in wire.HeadlessPollRequest
	if !read(w, r, &in) || !h.knows(in.Secret) {
		refuse(w, wire.Problem{Status: 404, Code: "not_found"})
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	answer := wire.HeadlessPollResponse{State: h.state}
	if h.state == models.HeadlessApproved {
		answer.Offer = &wire.HeadlessOffer{RegistrationID: "reg-1", Organization: "Example",
			RequestedBy: "mika@example.com", DisplayName: "Tokyo", ExpiresAt: time.Now().Add(time.Minute)}
	}
	reply(w, answer)
}

func TestAShellAcceptsOrRefusesWhoApproved(t *testing.T) {
	t.Parallel()
	for _, accept := range []bool{true, false} {
		h := newShellHub(t)
		h.state = models.HeadlessApproved
		dir, _, _ := newPublisher(t, h.testHub)
		e := open(t, dir)
		shell, err := e.BeginHeadless(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if shell.UserCode != "BCDF-GHJK" {
			t.Errorf("the code is %q", shell.UserCode)
		}
		offer, err := shell.Await(t.Context())
		if err != nil || offer.Organization != "Example" {
			t.Fatalf("%+v, %v", offer, err)
		}
		if err := shell.Answer(t.Context(), accept, enroll.By{User: "root"}); err != nil {
			t.Fatal(err)
		}
		if h.accepted == nil || *h.accepted != accept || e.Claimed() != accept {
			t.Errorf("accept %v: told %v, waits %v", accept, h.accepted, e.Claimed())
		}
		events, err := enroll.Trail(dir)
		if err != nil || len(events) != 2 || events[1].User != "root" ||
			(events[1].What == enroll.EventAllowed) != accept || events[1].RequestedBy != "mika@example.com" {
			t.Errorf("recorded %+v, %v", events, err)
		}
		if err := filesAreTheOwners(dir); err != nil {
			t.Error(err)
		}
	}
}

func TestAShellIsToldThatItsCodeWasDeniedOrExpired(t *testing.T) {
	t.Parallel()
	for state, want := range map[models.HeadlessState]error{
		models.HeadlessDenied: enroll.ErrCodeDenied, models.HeadlessExpired: enroll.ErrCodeExpired} {
		h := newShellHub(t)
		h.state = state
		dir, _, _ := newPublisher(t, h.testHub)
		shell, err := open(t, dir).BeginHeadless(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := shell.Await(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s: %v", state, err)
		}
	}
}

// TestARunningAgentTakesOverWhatTheShellHasBegun: only one process may begin with a credential.
func TestARunningAgentTakesOverWhatTheShellHasBegun(t *testing.T) {
	t.Parallel()
	h := newShellHub(t)
	h.state = models.HeadlessApproved
	dir, _, _ := newPublisher(t, h.testHub)
	agent, shell := open(t, dir), open(t, dir)
	s, err := shell.BeginHeadless(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Answer(t.Context(), true, enroll.By{}); err != nil {
		t.Fatal(err)
	}
	if err := agent.Reread(); err != nil || !agent.Claimed() {
		t.Fatalf("the agent waits: %v, %v", agent.Claimed(), err)
	}
	h.testHub.mu.Lock()
	h.nodeKey = keyOf(t, dir)
	h.testHub.mu.Unlock()
	h.complete()
	if err := agent.Await(t.Context()); err != nil || agent.Identity() == nil {
		t.Fatalf("%+v, %v", agent.Identity(), err)
	}
	if identity, err := enroll.ReadIdentity(dir); err != nil || identity == nil {
		t.Errorf("the shell sees %+v, %v", identity, err)
	}
}

func TestR3ALinkOfAnotherEnvironmentIsNotEvenShown(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	dir, _, _ := newPublisher(t, h)
	settings, err := enroll.LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	settings.Environment = "production"
	if err := settings.Save(dir); err != nil {
		t.Fatal(err)
	}
	e, before := open(t, dir), h.calls.Load()
	for _, env := range []string{"staging", ""} {
		ticket := h.sign(wire.TypeTicket, map[string]string{"env": env})
		if _, err := e.Inspect(t.Context(), ticket, "en", enroll.By{}); !errors.Is(err,
			enroll.ErrEnvironment) {
			t.Errorf("%q: %v", env, err)
		}
		_, err := e.Allow(t.Context(), ticket, "en", enroll.By{}, wire.InspectResponse{})
		if !errors.Is(err, enroll.ErrEnvironment) {
			t.Errorf("%q: %v", env, err)
		}
	}
	if h.calls.Load() != before {
		t.Error("the hub was asked")
	}
	good := h.sign(wire.TypeTicket, map[string]string{"env": "production"})
	if _, err := e.Inspect(t.Context(), good, "en", enroll.By{}); err != nil {
		t.Error(err)
	}
}

func TestTheNodeRecordsWhoAllowedWhatAndWhyNothingCameOfIt(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	h.at(wire.PathStatus, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, wire.StatusResponse{State: models.RegistrationBurned, Why: models.EndedOtherSession})
	})
	dir, _, _ := newPublisher(t, h)
	e, by := open(t, dir), enroll.By{User: "administrator", Address: "192.0.2.7"}
	about, err := e.Inspect(t.Context(), oneTicket, "en", by)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // looking again is no news
		if _, err := e.Inspect(t.Context(), oneTicket, "en", by); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.Allow(t.Context(), oneTicket, "en", by, about); err != nil {
		t.Fatal(err)
	}
	if err := e.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{e.Said(), open(t, dir).Said()} { // a restart forgets nothing
		if said != string(models.EndedOtherSession) {
			t.Errorf("said %q", said)
		}
	}
	events, err := enroll.Trail(dir)
	var what []string
	for _, v := range events {
		what = append(what, v.What)
	}
	if err != nil || strings.Join(what, " ") != "shown allowed ended" || events[1].By != by ||
		events[2].Organization != "Example" || events[2].Why != "other_session" {
		t.Errorf("recorded %+v, %v", events, err)
	}
}

func TestTheRecordIsBounded(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	dir, _, _ := newPublisher(t, h)
	e := open(t, dir)
	for i := range 60 {
		about := wire.InspectResponse{Organization: strings.Repeat("x", i+1)}
		if err := e.Deny(t.Context(), oneTicket, "en", enroll.By{}, about); err == nil {
			continue
		}
	}
	events, err := enroll.Trail(dir)
	if err != nil || len(events) != 50 || len(events[49].Organization) != 60 {
		t.Errorf("%d events, %v", len(events), err)
	}
	if _, err := enroll.Trail(filepath.Join(dir, "nowhere")); err != nil {
		t.Error(err)
	}
}

// payload reads what a JWS says, without believing it.
func payload(t *testing.T, text string) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(text, &claims); err != nil {
		t.Error(err)
	}
	return claims
}

// keyOf is the public half of a folder's key.
func keyOf(t *testing.T, dir string) wire.JWK {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "node.key"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return wire.KeyOf(key.(ed25519.PrivateKey).Public().(ed25519.PublicKey))
}
