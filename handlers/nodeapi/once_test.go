package nodeapi_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
	"connecthub/models/wire"
)

const callers = 64

// onBoth runs a test on each database.
func onBoth(t *testing.T, do func(t *testing.T, w *world)) {
	for _, open := range []func(testing.TB) *store.Store{storetest.SQLite, storetest.Postgres} {
		do(t, worldOn(t, open(t), storetest.NewClock()))
	}
}

// TestR2ARegistrationIsRefusedAtFifteenMinutes claims each ticket with many callers at once: the
// last microsecond is in time, the first one after it is not, and never do two of them win.
func TestR2ARegistrationIsRefusedAtFifteenMinutes(t *testing.T) {
	rounds, early, late, twice := 2, 0, 0, 0
	if long() {
		rounds = 50
	}
	onBoth(t, func(t *testing.T, w *world) {
		for i := range rounds {
			name := models.FQDN(fmt.Sprintf("cc-%d.example.com", i))
			switch won := w.race(t, name, models.RegistrationTTL-time.Microsecond); {
			case won == 1:
				early++
			case won > 1:
				twice++
			}
			if w.race(t, "late-"+name, models.RegistrationTTL) == 0 {
				late++
			}
		}
	})
	fmt.Printf("proof 2.3 dialects=2 callers=%d rounds=%d redeemed_twice=%d early_ok=%d "+
		"late_refused=%d\n", callers, rounds, twice, early, late)
	if want := 2 * rounds; twice != 0 || early != want || late != want {
		t.Errorf("of %d: early %d, late refused %d, twice %d", want, early, late, twice)
	}
}

// race lets many callers claim one ticket at a time after its beginning; it answers how many won.
func (w *world) race(t *testing.T, name models.FQDN, after time.Duration) int {
	t.Helper()
	ticket := w.begin("Display "+string(name), name)
	w.clock.Advance(after)
	claims := make([]wire.ClaimRequest, callers)
	pub := w.newNode(name, "1.0.0")
	for i := range claims {
		claims[i] = wire.ClaimRequest{Ticket: ticket, Claim: pub.claim(ticket, models.Publisher)}
	}
	var wait sync.WaitGroup
	start, answers := make(chan struct{}), make([]error, callers)
	for i := range claims {
		wait.Go(func() {
			<-start
			_, answers[i] = w.fleet.Claim(t.Context(), models.Actor{}, claims[i])
		})
	}
	close(start)
	wait.Wait()
	won := 0
	for _, err := range answers {
		if err == nil {
			won++
		}
	}
	must(t, w.fleet.ExpireRegistrations(t.Context()))
	w.clock.Advance(time.Hour)
	must(t, w.fleet.ExpireRegistrations(t.Context()))
	return won
}

func TestR3AReturnCodeCountsOnceAndOnlyInTheSessionThatBegan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pub := w.newNode("cc-pub.example.com", "1.0.0")
	code, _ := pub.allow(w.begin("Tokyo", pub.name))
	_, err := w.fleet.CompleteRegistration(t.Context(), w.admin, fleet.Return{Code: "x" + code[1:]})
	refusedWith(t, err, "invalid_return_code")
	w.clock.Advance(models.ReturnTTL - time.Microsecond)
	_, err = w.fleet.CompleteRegistration(t.Context(), w.admin, fleet.Return{Code: code})
	must(t, err)
	_, err = w.fleet.CompleteRegistration(t.Context(), w.admin, fleet.Return{Code: code})
	refusedWith(t, err, "registration_used")
}

func TestR2TheReturnLegIsRefusedAtTwoMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pub := w.newNode("cc-pub.example.com", "1.0.0")
	code, _ := pub.allow(w.begin("Tokyo", pub.name))
	w.clock.Advance(models.ReturnTTL)
	_, err := w.fleet.CompleteRegistration(t.Context(), w.admin, fleet.Return{Code: code})
	refusedWith(t, err, "return_too_late")
}

func TestR3OnlyTheNamedNodeWithTheShownKeyClaims(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ticket := w.begin("Tokyo", "cc-pub.example.com")
	pub, twin := w.newNode("cc-pub.example.com", "1.0.0"), w.newNode("cc-pub.example.com", "1.0.0")
	var shown wire.InspectResponse
	w.post(wire.PathInspect, "", wire.InspectRequest{Ticket: ticket, Key: pub.jwk()}, &shown)
	if len(shown.ComparisonCode) != 9 || shown.RequestedBy != "Ada" || shown.Organization != "Acme" {
		t.Errorf("the page shows %+v", shown)
	}
	if _, refused := w.newNode("cc-other.example.com", "1.0.0").allow(ticket); refused != "wrong_fqdn" {
		t.Errorf("another name: %q", refused)
	}
	if _, refused := twin.allow(ticket); refused != "invalid_claim" {
		t.Errorf("another key: %q", refused)
	}
	if code, refused := pub.allow(ticket); refused != "" || code == "" {
		t.Errorf("the right node: %q", refused)
	}
}

func TestR4ANewRegistrationMakesTheOldOneWorthless(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pub := w.newNode("cc-pub.example.com", "1.0.0")
	old := w.begin("Tokyo", pub.name)
	fresh := w.begin("Tokyo", pub.name)
	if _, refused := pub.allow(old); refused != "registration_superseded" {
		t.Errorf("the old ticket: %q", refused)
	}
	if _, refused := pub.allow(fresh); refused != "" {
		t.Errorf("the new ticket: %q", refused)
	}
}

func TestR1AndR5ANameAndAFQDNAreThereOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("Tokyo", "cc-pub.example.com")
	for name, try := range map[models.Code][2]string{
		"display_name_taken":    {"tOKYO", "cc-new.example.com"},
		"fqdn_registered":       {"Osaka", "CC-PUB.example.com"},
		"fqdn_is_address":       {"Osaka", "10.0.0.1"},
		"invalid_fqdn":          {"Osaka", "https://cc.example.com"},
		"display_name_required": {" ", "cc-new.example.com"},
	} {
		_, err := w.fleet.CreateRegistration(t.Context(), w.admin, try[0], try[1])
		refusedWith(t, err, name)
	}
}

func TestR7AFQDNFindsNoCluster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("Tokyo", "cc-pub.example.com")
	for search, want := range map[string]int{"": 1, "OKY": 1, "cc-pub": 0, "example.com": 0} {
		found, err := w.fleet.Clusters(t.Context(), w.admin, search)
		must(t, err)
		if len(found) != want {
			t.Errorf("%q finds %d", search, len(found))
		}
	}
}

func refusedWith(t *testing.T, err error, code models.Code) {
	t.Helper()
	refusal := &models.Refusal{Code: code}
	if err == nil || !refusal.Is(err) {
		t.Errorf("refused with %v, not %s", err, code)
	}
}
