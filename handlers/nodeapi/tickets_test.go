package nodeapi_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/hub/fleet"
	"connecthub/hub/keys"
	"connecthub/hub/seal"
	"connecthub/models"
	"connecthub/models/wire"
)

// racers are connections of their own to a hub that listens.
type racers struct {
	t       *testing.T
	base    string
	clients []*http.Client
}

func newRacers(t *testing.T, w *world, n int) *racers {
	t.Helper()
	server := httptest.NewServer(w.echo)
	t.Cleanup(server.Close)
	r := &racers{t: t, base: server.URL}
	for range n {
		transport := &http.Transport{MaxIdleConnsPerHost: 1}
		t.Cleanup(transport.CloseIdleConnections)
		r.clients = append(r.clients, &http.Client{Transport: transport, Timeout: time.Minute})
	}
	return r
}

// post lets every racer send its body at the same moment, and answers the statuses.
func (r *racers) post(path string, bodies []any) map[int]int {
	r.t.Helper()
	start, statuses := make(chan struct{}), make([]int, len(bodies))
	var wait sync.WaitGroup
	for i, body := range bodies {
		raw, err := json.Marshal(body)
		must(r.t, err)
		wait.Go(func() {
			<-start
			res, err := r.clients[i].Post(r.base+path, "application/json", bytes.NewReader(raw))
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			statuses[i] = res.StatusCode
		})
	}
	close(start)
	wait.Wait()
	count := map[int]int{}
	for _, s := range statuses {
		count[s]++
	}
	return count
}

// TestR3EachTicketCountsOnceAndOnlyAsItWasMade races each ticket and its return code over
// connections of their own, on both databases, and sends every kind of mutated ticket to each address
// that takes one.
func TestR3EachTicketCountsOnceAndOnlyAsItWasMade(t *testing.T) {
	tickets, twice, lost, broken, completedTwice, kinds, tried, accepted := 4, 0, 0, 0, 0, 0, 0, 0
	if long() {
		tickets = 500
	}
	onBoth(t, func(t *testing.T, w *world) {
		field := newRacers(t, w, callers)
		for i := range tickets {
			name := models.FQDN(fmt.Sprintf("race-%d.example.com", i))
			pub := w.newNode(name, "1.0.0")
			ticket := w.begin("Race "+string(name), name)
			bodies := make([]any, callers)
			for j := range bodies {
				bodies[j] = wire.ClaimRequest{Ticket: ticket, Claim: pub.claim(ticket, models.Publisher)}
			}
			count := field.post(wire.PathClaim, bodies)
			switch {
			case count[http.StatusOK] > 1:
				twice++
			case count[http.StatusOK] == 0:
				lost++
			}
			broken += callers - count[http.StatusOK] - count[http.StatusGone]
			w.clock.Advance(time.Hour)
			must(t, w.fleet.ExpireRegistrations(t.Context()))
		}
		completedTwice += w.raceReturns(t)
		k, n, a := w.mutations(t)
		kinds, tried, accepted = k, tried+n, accepted+a
	})
	fmt.Printf("proof 3.2 dialects=2 tickets=%d racers=%d redeemed_twice=%d lost=%d completed_twice=%d "+
		"mutated_kinds=%d tried=%d accepted=%d\n", 2*tickets, callers, twice, lost, completedTwice,
		kinds, tried, accepted)
	if twice+lost+broken+completedTwice+accepted != 0 || kinds < 12 {
		t.Errorf("twice %d, lost %d, other answers %d, completed twice %d, accepted %d of %d kinds", twice,
			lost, broken, completedTwice, accepted, kinds)
	}
}

// raceReturns lets many callers of the right session bring one return code back; it answers by how
// many too many came through.
func (w *world) raceReturns(t *testing.T) int {
	t.Helper()
	pub := w.newNode("return.example.com", "1.0.0")
	code, refused := pub.allow(w.begin("Returned", pub.name))
	if refused != "" {
		t.Fatal(refused)
	}
	var wait sync.WaitGroup
	start, won := make(chan struct{}), make([]bool, callers)
	for i := range won {
		wait.Go(func() {
			<-start
			_, err := w.fleet.CompleteRegistration(t.Context(), w.admin, fleet.Return{Code: code})
			won[i] = err == nil
		})
	}
	close(start)
	wait.Wait()
	n := -1
	for _, ok := range won {
		if ok {
			n++
		}
	}
	return n
}

// mutation is one way in which a ticket is not what the hub has made.
type mutation struct {
	kind string
	make func(m *mutant) string
}

// mutant is what a mutation is made from: a good ticket, and what the worst attacker could have.
type mutant struct {
	w      *world
	ticket string
	claims jwt.MapClaims
	other  string // the ticket of another registration
}

// with is the ticket with one claim changed and signed by the hub itself, as no attacker can.
func (m *mutant) with(name string, value any) string {
	claims := jwt.MapClaims{}
	for k, v := range m.claims {
		claims[k] = v
	}
	claims[name] = value
	if value == nil {
		delete(claims, name)
	}
	return m.signed(wire.TypeTicket, claims, m.w.keys)
}

func (m *mutant) signed(typ string, claims jwt.Claims, by *keys.Hub) string {
	text, err := by.Sign(typ, claims)
	must(m.w.t, err)
	return text
}

func (m *mutant) otherHub() *keys.Hub {
	sealKey, err := seal.NewKey()
	must(m.w.t, err)
	sealer, err := seal.New(sealKey)
	must(m.w.t, err)
	other, err := keys.LoadOrCreate(m.w.t.TempDir(), sealer)
	must(m.w.t, err)
	return other
}

// unsigned is the ticket with another algorithm in its header.
func (m *mutant) unsigned(alg, signature string) string {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + alg + `","typ":"` +
		wire.TypeTicket + `"}`))
	return header + "." + strings.Split(m.ticket, ".")[1] + "." + signature
}

// byPublicKey is signed with the hub's public key as the secret of an HMAC.
func (m *mutant) byPublicKey() string {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, m.claims)
	token.Header["typ"] = wire.TypeTicket
	text, err := token.SignedString([]byte(m.w.keys.Verifier()))
	must(m.w.t, err)
	return text
}

func randomText() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}

func mutations() []mutation {
	return []mutation{
		{"audience", func(m *mutant) string { return m.with("aud", "elsewhere") }},
		{"issuer", func(m *mutant) string { return m.with("iss", "another hub") }},
		{"environment", func(m *mutant) string { return m.with("env", "https://staging.example.com") }},
		{"no environment", func(m *mutant) string { return m.with("env", nil) }},
		{"no expiry", func(m *mutant) string { return m.with("exp", nil) }},
		{"FQDN", func(m *mutant) string { return m.with("fqdn", "other.example.com") }},
		{"secret", func(m *mutant) string { return m.with("secret", randomText()) }},
		{"registration", func(m *mutant) string {
			var theirs jwt.MapClaims
			_, _, err := jwt.NewParser().ParseUnverified(m.other, &theirs)
			must(m.w.t, err)
			return m.with("sub", theirs["sub"])
		}},
		{"type", func(m *mutant) string { return m.signed(wire.TypeJoin, m.claims, m.w.keys) }},
		{"other hub's key", func(m *mutant) string {
			return m.signed(wire.TypeTicket, m.claims, m.otherHub())
		}},
		{"own key", func(m *mutant) string {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			must(m.w.t, err)
			token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, m.claims)
			token.Header["typ"] = wire.TypeTicket
			token.Header["jwk"] = wire.KeyOf(key.Public().(ed25519.PublicKey))
			text, err := token.SignedString(key)
			must(m.w.t, err)
			return text
		}},
		{"algorithm none", func(m *mutant) string { return m.unsigned("none", "") }},
		{"algorithm HS256", (*mutant).byPublicKey},
		{"truncated", func(m *mutant) string { return m.ticket[:len(m.ticket)-1] }},
		{"signature of another", func(m *mutant) string {
			return m.ticket[:strings.LastIndex(m.ticket, ".")] +
				m.other[strings.LastIndex(m.other, "."):]
		}},
		{"empty", func(*mutant) string { return "" }},
	}
}

// mutations sends each mutated ticket everywhere, and then those that were good once. It answers how
// many kinds there were, how often it tried, and how often the hub took one.
func (w *world) mutations(t *testing.T) (kinds, tried, accepted int) {
	t.Helper()
	pub := w.newNode("cc-mut.example.com", "1.0.0")
	m := &mutant{w: w, other: w.begin("Other", "cc-other.example.com"), claims: jwt.MapClaims{}}
	m.ticket = w.begin("Mutated", pub.name)
	_, _, err := jwt.NewParser().ParseUnverified(m.ticket, &m.claims)
	must(t, err)
	send := func(kind, ticket string) {
		t.Helper()
		for path, body := range map[string]any{
			wire.PathInspect: wire.InspectRequest{Ticket: ticket, Key: pub.jwk()},
			wire.PathDeny:    wire.DenyRequest{Ticket: ticket},
			wire.PathClaim:   wire.ClaimRequest{Ticket: ticket, Claim: pub.claim(ticket, models.Publisher)},
			wire.PathJoin:    wire.JoinRequest{Ticket: ticket, Claim: pub.claim(ticket, models.Subscriber)},
		} {
			tried++
			answer := w.call(http.MethodPost, path, "", body)
			if answer.Code < 400 || answer.Code >= 500 {
				accepted++
				t.Errorf("%s at %s: %d", kind, path, answer.Code)
			}
		}
	}
	for _, one := range mutations() {
		kinds++
		send(one.kind, one.make(m))
	}
	// A ticket of a hub that was copied, keys and all, counts in the environment it was made for.
	staging := w.unlike(func(o *fleet.Options) { o.Environment = "staging" })
	kinds++
	tried++
	claim := wire.ClaimRequest{Ticket: m.ticket, Claim: pub.claim(m.ticket, models.Publisher)}
	if refused, _ := staging.post(wire.PathClaim, "", claim, nil); refused != "invalid_ticket" {
		accepted++
		t.Errorf("a copied hub answers %q", refused)
	}
	// After all of that the good one still counts, once: the next is a replay.
	if _, refused := pub.allow(m.ticket); refused != "" {
		t.Errorf("the good ticket: %s", refused)
	}
	kinds++
	send("replayed", m.ticket)
	late := w.begin("Late", "cc-late.example.com")
	w.clock.Advance(models.RegistrationTTL)
	pub = w.newNode("cc-late.example.com", "1.0.0")
	kinds++
	send("expired", late)
	return kinds, tried, accepted
}
