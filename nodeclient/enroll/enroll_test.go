package enroll_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/enroll"
)

func TestAPublisherRegistersAndPolls(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	dir, _, _ := newPublisher(t, h)
	e := open(t, dir)
	if _, err := e.Inspect(t.Context(), oneTicket, "ja", enroll.By{}); err != nil {
		t.Fatal(err)
	}
	register(t, h, e)
	if got := h.claims[0]; got.FQDN != publisher || got.Role != "publisher" ||
		len(got.Members) != 1 || got.Members[0] != publisher || got.Version != "1.0.0" {
		t.Errorf("claim %+v", got)
	}
	if h.languages[0] != "ja" {
		t.Errorf("the hub was asked in %q", h.languages[0])
	}
	for range 3 {
		if _, err := e.Poll(t.Context(), wire.PollRequest{Protocol: wire.Protocol}); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.seenJTI) > 3 {
		t.Errorf("%d assertions for three polls and one status: the token is not kept", len(h.seenJTI))
	}
	if again := open(t, dir); again.Identity() == nil || again.Identity().NodeID != "node-publisher" {
		t.Error("the identity did not survive a restart")
	}
	if err := filesAreTheOwners(dir); err != nil {
		t.Error(err)
	}
}

// filesAreTheOwners refuses a file or folder that others may look into.
func filesAreTheOwners(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			err = errors.New(path + " may be read by others")
		}
		return err
	})
}

func TestR5ARegisteredNodeRefusesASecondRegistration(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	dir, _, _ := newPublisher(t, h)
	e := open(t, dir)
	register(t, h, e)
	before := h.calls.Load()
	if _, err := e.Inspect(t.Context(), oneTicket, "en", enroll.By{}); !errors.Is(err, enroll.ErrRegistered) {
		t.Errorf("inspect: %v", err)
	}
	if _, err := e.Allow(t.Context(), oneTicket, "en", enroll.By{}, wire.InspectResponse{}); !errors.Is(err, enroll.ErrRegistered) {
		t.Errorf("allow: %v", err)
	}
	if h.calls.Load() != before {
		t.Error("the hub was asked")
	}
}

func TestR6ANodeInMidUpgradeRefusesARegistration(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	dir, _, _ := newPublisher(t, h)
	e, err := enroll.Open(enroll.Options{Dir: dir, Version: func() models.Version { return "1" },
		Busy: func() bool { return true }, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Allow(t.Context(), oneTicket, "en", enroll.By{}, wire.InspectResponse{}); !errors.Is(err, enroll.ErrBusy) {
		t.Errorf("allow: %v", err)
	}
}

func TestAResetForgetsAClaimThatWaitsForItsReturn(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	dir, _, _ := newPublisher(t, h)
	e := open(t, dir)
	if _, err := e.Allow(t.Context(), oneTicket, "en", enroll.By{}, wire.InspectResponse{}); err != nil {
		t.Fatal(err)
	}
	if err := e.Forget("reset on this node"); err != nil {
		t.Fatal(err)
	}
	if e.Claimed() || open(t, dir).Claimed() {
		t.Error("the claim may still be completed")
	}
}

func TestTheNodesOwnRefusalsAreSentencesInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, own := range []*enroll.Own{enroll.ErrRegistered, enroll.ErrBusy, enroll.ErrNotInCluster} {
		english, japanese := own.Sentence("en"), own.Sentence("ja")
		if !strings.HasSuffix(english, ".") || !unicode.IsUpper([]rune(english)[0]) ||
			!strings.HasSuffix(japanese, "。") || strings.HasSuffix(own.Error(), ".") {
			t.Errorf("%q, %q, %q", english, japanese, own.Error())
		}
	}
}

func TestANodeInNoClusterCannotBeRegistered(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	e := open(t, setUp(t, h, publisher))
	if _, err := e.Allow(t.Context(), oneTicket, "en", enroll.By{}, wire.InspectResponse{}); !errors.Is(err, enroll.ErrNotInCluster) {
		t.Errorf("allow: %v", err)
	}
}

func TestR2AClaimWhoseReturnNeverComesIsForgotten(t *testing.T) {
	t.Parallel()
	for _, state := range []models.RegistrationState{models.RegistrationExpired,
		models.RegistrationSuperseded, models.RegistrationCancelled} {
		h := newTestHub(t)
		dir, _, _ := newPublisher(t, h)
		e := open(t, dir)
		if _, err := e.Allow(t.Context(), oneTicket, "en", enroll.By{}, wire.InspectResponse{}); err != nil {
			t.Fatal(err)
		}
		h.mu.Lock()
		h.state = state
		h.mu.Unlock()
		// A restart in between changes nothing.
		e = open(t, dir)
		if err := e.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e.Identity() != nil {
			t.Errorf("%s: the node has an identity", state)
		}
		if _, err := os.Stat(filepath.Join(dir, "pending.json")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the claim is kept: %v", state, err)
		}
	}
}

// The hub may have completed the registration while the node could not reach it.
func TestR2AClaimIsKeptWhileTheHubCannotBeReached(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	dir, _, _ := newPublisher(t, h)
	if _, err := open(t, dir).Allow(t.Context(), oneTicket, "en", enroll.By{}, wire.InspectResponse{}); err != nil {
		t.Fatal(err)
	}
	h.complete()
	away, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	h.at(wire.PathStatus, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway) // a proxy's own page: no word of the hub
	})
	later := func() time.Time { return time.Now().Add(10 * time.Minute) }
	if err := openAt(t, dir, later).Await(away); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the node gave up: %v", err)
	}
	h.at(wire.PathStatus, nil)
	e := openAt(t, dir, later)
	if err := e.Await(t.Context()); err != nil || e.Identity() == nil {
		t.Fatalf("the completed registration was lost: %v", err)
	}
}

func TestARefusalOfTheHubIsASentence(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	dir, _, _ := newPublisher(t, h)
	h.at(wire.PathClaim, func(w http.ResponseWriter, r *http.Request) {
		refusal := models.Refusal{Code: "registration_expired"}
		refuse(w, wire.Problem{Status: 410, Code: "registration_expired",
			Detail: refusal.Sentence(r.Header.Get("Accept-Language"))})
	})
	_, err := open(t, dir).Allow(t.Context(), oneTicket, "ja", enroll.By{}, wire.InspectResponse{})
	var r *enroll.Refusal
	if !errors.As(err, &r) || r.Problem.Code != "registration_expired" {
		t.Fatalf("allow: %v", err)
	}
	if want := (&models.Refusal{Code: "registration_expired"}).Sentence("ja"); r.Sentence("ja") != want {
		t.Errorf("sentence %q", r.Sentence("ja"))
	}
}

// statement is what a hub signs, from good to forged.
func TestR6OnlyASignedStatementAboutThisKeyUnseatsANode(t *testing.T) {
	t.Parallel()
	_, foreign, _ := ed25519.GenerateKey(rand.Reader)
	good := func(thumb string) wire.StatementClaims {
		return wire.StatementClaims{Node: "node-publisher", Cluster: "cluster-1",
			Says: "deregistered", KeyThumb: thumb}
	}
	cases := map[string]struct {
		statement func(h *testHub, thumb string) string
		unseats   bool
	}{
		"good": {func(h *testHub, thumb string) string {
			return h.sign(wire.TypeStatement, good(thumb))
		}, true},
		"removed": {func(h *testHub, thumb string) string {
			c := good(thumb)
			c.Says = "removed"
			return h.sign(wire.TypeStatement, c)
		}, true},
		"none": {func(*testHub, string) string { return "" }, false},
		"of an older key": {func(h *testHub, _ string) string {
			return h.sign(wire.TypeStatement, good("another"))
		}, false},
		"about another node": {func(h *testHub, thumb string) string {
			c := good(thumb)
			c.Node = "node-other"
			return h.sign(wire.TypeStatement, c)
		}, false},
		"of another type": {func(h *testHub, thumb string) string {
			return h.sign(wire.TypePermit, good(thumb))
		}, false},
		"an unknown word": {func(h *testHub, thumb string) string {
			c := good(thumb)
			c.Says = "paused"
			return h.sign(wire.TypeStatement, c)
		}, false},
		"by a foreign key": {func(h *testHub, thumb string) string {
			other := &testHub{t: h.t, key: foreign}
			return other.sign(wire.TypeStatement, good(thumb))
		}, false},
		"unsigned": {func(h *testHub, thumb string) string {
			token := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"node": "node-publisher",
				"jkt": thumb, "says": "deregistered"})
			token.Header["typ"] = wire.TypeStatement
			text, _ := token.SignedString(jwt.UnsafeAllowNoneSignatureType)
			return text
		}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newTestHub(t)
			dir, _, _ := newPublisher(t, h)
			e := open(t, dir)
			register(t, h, e)
			gone := func(w http.ResponseWriter, _ *http.Request) {
				refuse(w, wire.Problem{Status: 401, Code: "not_registered",
					Statement: c.statement(h, h.nodeKey.Thumbprint())})
			}
			h.at(wire.PathPoll, gone)
			h.at(wire.PathToken, gone)
			_, err := e.Poll(t.Context(), wire.PollRequest{})
			if err == nil || errors.Is(err, enroll.ErrStatement) != c.unseats {
				t.Errorf("poll: %v", err)
			}
			if e.Identity() == nil {
				t.Error("the identity went before the agent had ended its upgrade")
			}
		})
	}
}

func TestAPermitIsAcceptedOnlyAsTheHubSignedIt(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	dir, _, _ := newPublisher(t, h)
	e := open(t, dir)
	register(t, h, e)
	now := time.Now().UTC()
	claims := wire.PermitClaims{Permit: "permit-1", Node: "node-publisher",
		Fence: models.Fence{Counter: 3}, Version: "2.0.0", Digest: strings.Repeat("ab", 32), Size: 10,
		NotBefore: now.Add(-time.Minute).Unix(), NotAfter: now.Add(time.Hour).Unix()}
	shown := wire.Permit{ID: claims.Permit, State: models.PermitOffered, Fence: claims.Fence,
		Version: claims.Version, Digest: claims.Digest, Size: claims.Size}
	cases := map[string]struct {
		change func(p *wire.Permit, c *wire.PermitClaims)
		typ    string
		good   bool
	}{
		"good":           {func(*wire.Permit, *wire.PermitClaims) {}, wire.TypePermit, true},
		"another type":   {func(*wire.Permit, *wire.PermitClaims) {}, wire.TypeStatement, false},
		"another node":   {func(_ *wire.Permit, c *wire.PermitClaims) { c.Node = "node-2" }, wire.TypePermit, false},
		"another digest": {func(p *wire.Permit, _ *wire.PermitClaims) { p.Digest = strings.Repeat("cd", 32) }, wire.TypePermit, false},
		"another fence":  {func(p *wire.Permit, _ *wire.PermitClaims) { p.Fence.Counter++ }, wire.TypePermit, false},
		"another size":   {func(p *wire.Permit, _ *wire.PermitClaims) { p.Size++ }, wire.TypePermit, false},
		"too late":       {func(_ *wire.Permit, c *wire.PermitClaims) { c.NotAfter = now.Add(-time.Minute).Unix() }, wire.TypePermit, false},
		"too early":      {func(_ *wire.Permit, c *wire.PermitClaims) { c.NotBefore = now.Add(time.Hour).Unix() }, wire.TypePermit, false},
		"confirmed, so it has no end": {func(p *wire.Permit, c *wire.PermitClaims) {
			p.State, c.NotAfter = models.PermitConfirmed, now.Add(-time.Minute).Unix()
		}, wire.TypePermit, true},
	}
	for name, c := range cases {
		p, signed := shown, claims
		c.change(&p, &signed)
		p.Signed = h.sign(c.typ, signed)
		h.at(wire.PathPoll, func(w http.ResponseWriter, _ *http.Request) {
			reply(w, wire.PollResponse{Now: now, Permit: &p})
		})
		if _, err := e.Poll(t.Context(), wire.PollRequest{}); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyTheHubOfSetUpIsTrusted(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	cases := map[string]struct {
		pin  string
		ca   []byte
		good bool
	}{
		"its CA":         {"", h.caPEM(), true},
		"its pin":        {h.pin(), nil, true},
		"CA and pin":     {h.pin(), h.caPEM(), true},
		"another pin":    {"sha256:" + strings.Repeat("0", 64), nil, false},
		"CA, not pin":    {"sha256:" + strings.Repeat("0", 64), h.caPEM(), false},
		"another CA":     {"", otherCA(t), false},
		"neither of two": {"", nil, false},
	}
	for name, c := range cases {
		dir := filepath.Join(t.TempDir(), "node")
		if err := enroll.MakeDir(dir); err != nil {
			t.Fatal(err)
		}
		settings := config(t, h, publisher)
		settings.HubPin, settings.Role = c.pin, models.Publisher
		if err := settings.Save(dir); err != nil {
			t.Fatal(err)
		}
		if c.ca != nil {
			if err := os.WriteFile(filepath.Join(dir, "hub-ca.pem"), c.ca, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		e, err := enroll.Open(enroll.Options{Dir: dir, Busy: func() bool { return false }, Now: time.Now})
		if err == nil {
			_, err = e.Inspect(t.Context(), oneTicket, "en", enroll.By{})
		}
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnAnswerOver64KiBIsRefused(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	dir, _, _ := newPublisher(t, h)
	h.at(wire.PathInspect, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(strings.Repeat("x", wire.MaxBody))
	})
	if _, err := open(t, dir).Inspect(t.Context(), oneTicket, "en", enroll.By{}); err == nil ||
		!strings.Contains(err.Error(), "64 KiB") {
		t.Errorf("inspect: %v", err)
	}
}

func TestTheHubNeverRedirects(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	dir, _, _ := newPublisher(t, h)
	h.at(wire.PathInspect, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://127.0.0.1:1/elsewhere", http.StatusTemporaryRedirect)
	})
	if _, err := open(t, dir).Inspect(t.Context(), oneTicket, "en", enroll.By{}); err == nil ||
		!strings.Contains(err.Error(), "redirect") {
		t.Errorf("inspect: %v", err)
	}
}

func TestNonsenseSettingsAreRefused(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	cases := map[string]func(c *enroll.Config){
		"no TLS":           func(c *enroll.Config) { c.Hub = "http://hub.example.com" },
		"a path":           func(c *enroll.Config) { c.Hub = "https://hub.example.com/a" },
		"an address":       func(c *enroll.Config) { c.FQDN = "10.0.0.1" },
		"capitals":         func(c *enroll.Config) { c.FQDN = "CC.example.com" },
		"no port":          func(c *enroll.Config) { c.PageListen = "127.0.0.1" },
		"half a pin":       func(c *enroll.Config) { c.HubPin = "sha256:abcd" },
		"a made-up role":   func(c *enroll.Config) { c.Role = "primary" },
		"nobody":           func(c *enroll.Config) { c.AppUser = "" },
		"no password":      func(c *enroll.Config) { c.AppPasswordHash = "" },
		"an odd dial":      func(c *enroll.Config) { c.Dial = map[string]string{"a.example.com": "b"} },
		"a proxy by https": func(c *enroll.Config) { c.Proxy = "https://proxy" },
	}
	for name, change := range cases {
		c := config(t, h, publisher)
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := config(t, h, publisher).Validate(); err != nil {
		t.Error(err)
	}
}

func TestTheApplicationUserIsKnownByNameAndPassword(t *testing.T) {
	t.Parallel()
	c := config(t, newTestHub(t), publisher)
	cases := []struct {
		user, password string
		good           bool
	}{{"admin", password, true}, {"admin", password + " ", false}, {"Admin", password, false},
		{"", "", false}, {"admin", strings.Repeat("x", 10_000), false}}
	for _, one := range cases {
		if c.CheckPassword(one.user, one.password) != one.good {
			t.Errorf("%q with %d characters: %v", one.user, len(one.password), !one.good)
		}
	}
	if _, err := enroll.HashPassword("short"); err == nil {
		t.Error("a short password was accepted")
	}
	c.AppPasswordHash = "$argon2id$nonsense"
	if c.CheckPassword("admin", password) {
		t.Error("a broken hash lets somebody in")
	}
}

func FuzzNoSettingsFileIsUsedUnlessItIsValid(f *testing.F) {
	f.Add([]byte(`{"hub":"https://hub.example.com","fqdn":"a.example.com"}`))
	f.Add([]byte(`{"hub":1}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := enroll.LoadConfig(dir); err == nil && c.Validate() != nil {
			t.Errorf("accepted %q", raw)
		}
	})
}
