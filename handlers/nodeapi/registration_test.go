package nodeapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
	"connecthub/models/wire"
)

// tenant is a second organization with a full admin.
func (w *world) tenant(name string) models.Actor {
	w.t.Helper()
	org := models.Organization{Name: name, NameKey: strings.ToLower(name), Zone: "UTC", Language: "en",
		CreatedAt: w.clock.Now()}
	admin := models.User{Email: "admin@" + strings.ToLower(name) + ".example", Name: "Mal",
		Role: models.FullAdmin, CreatedAt: w.clock.Now()}
	must(w.t, w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		if err := tx.Hub().CreateOrganization(&org); err != nil {
			return err
		}
		return tx.In(org.ID).CreateUser(&admin)
	}))
	return models.Actor{Kind: models.ActorUser, UserID: admin.ID, Name: admin.Name,
		Organization: org.ID, Role: models.FullAdmin, SessionHash: "session of " + name}
}

// records are the actions in an organization's audit, oldest first.
func (w *world) records(org models.OrganizationID) []string {
	w.t.Helper()
	var actions []string
	must(w.t, w.store.View(w.t.Context(), func(tx *store.Tx) error {
		records, err := tx.In(org).Audit(store.AuditQuery{})
		actions = nil
		for i := len(records) - 1; i >= 0; i-- {
			actions = append(actions, records[i].Action)
		}
		return err
	}))
	return actions
}

func has(actions []string, action fleet.Action) bool {
	for _, a := range actions {
		if a == string(action) {
			return true
		}
	}
	return false
}

func (w *world) stored(id models.RegistrationID) (r models.Registration) {
	w.t.Helper()
	must(w.t, w.store.View(w.t.Context(), func(tx *store.Tx) (err error) {
		r, err = tx.Hub().RegistrationByID(id)
		return err
	}))
	return r
}

// TestR3WhoeverIsLuredOntoTheirOwnNodesPageRegistersNothing is the phishing case: a second tenant
// begins a registration for a victim's FQDN, and the victim's administrator allows it.
func TestR3WhoeverIsLuredOntoTheirOwnNodesPageRegistersNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mallory := w.tenant("Mallory")
	begin := func() (fleet.RegistrationView, string) {
		v, err := w.fleet.CreateRegistration(t.Context(), mallory, "Caught", "cc-pub.example.com")
		must(t, err)
		code, refused := w.newNode("cc-pub.example.com", "1.0.0").allow(ticketOf(v.OpenURL))
		if refused != "" {
			t.Fatal(refused)
		}
		return v, code
	}
	first, code := begin()
	_, err := w.fleet.CompleteRegistration(t.Context(), w.admin, fleet.Return{Code: code})
	refusedWith(t, err, "invalid_return_code") // as a code that never was: R29
	if r := w.stored(first.ID); r.State != models.RegistrationBurned ||
		r.EndedWhy != models.EndedOtherSession {
		t.Errorf("it is %s, %s", r.State, r.EndedWhy)
	}
	_, err = w.fleet.CompleteRegistration(t.Context(), mallory, fleet.Return{Code: code})
	refusedWith(t, err, "registration_burned")
	second, _ := begin() // and one whose return never comes
	w.clock.Advance(models.ReturnTTL)
	must(t, w.fleet.ExpireRegistrations(t.Context()))
	if r := w.stored(second.ID); r.State != models.RegistrationExpired ||
		r.EndedWhy != models.EndedReturnMissing {
		t.Errorf("it is %s, %s", r.State, r.EndedWhy)
	}
	for _, a := range []models.Actor{mallory, w.admin} {
		if found, err := w.fleet.Clusters(t.Context(), a, ""); err != nil || len(found) != 0 {
			t.Errorf("%s has %d clusters, %v", a.Name, len(found), err)
		}
	}
	theirs, ours := w.records(mallory.Organization), w.records(w.admin.Organization)
	for _, action := range []fleet.Action{fleet.ActionRegistrationOpened,
		fleet.ActionRegistrationClaimed, fleet.ActionRegistrationBurned,
		fleet.ActionRegistrationExpired} {
		if !has(theirs, action) {
			t.Errorf("the attacker's organization has no %s: %v", action, theirs)
		}
	}
	if !has(ours, fleet.ActionRegistrationForeign) {
		t.Errorf("the victim's organization has %v", ours)
	}
}

func TestR3AReturnInAnotherSessionOfTheOrganizationBurnsTheRegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pub := w.newNode("cc-pub.example.com", "1.0.0")
	code, _ := pub.allow(w.begin("Tokyo", pub.name))
	other := w.admin
	other.SessionHash = "session-2"
	_, err := w.fleet.CompleteRegistration(t.Context(), other, fleet.Return{Code: code})
	refusedWith(t, err, "other_session")
	_, err = w.fleet.CompleteRegistration(t.Context(), w.admin, fleet.Return{Code: code})
	refusedWith(t, err, "registration_burned")
	if has(w.records(w.admin.Organization), fleet.ActionRegistrationForeign) {
		t.Error("its own registration is called foreign")
	}
}

// demandCode is the organization's option.
func (w *world) demandCode() {
	w.t.Helper()
	must(w.t, w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		s := tx.In(w.admin.Organization)
		o, err := s.Own()
		if err != nil {
			return err
		}
		o.RequireComparisonCode = true
		return s.SaveSettings(o)
	}))
}

func TestR3TheComparisonCodeIsTypedWhereTheOrganizationDemandsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.demandCode()
	pub := w.newNode("cc-pub.example.com", "1.0.0")
	begin := func() (string, string) {
		ticket := w.begin("Tokyo", pub.name)
		var shown wire.InspectResponse
		w.post(wire.PathInspect, "", wire.InspectRequest{Ticket: ticket, Key: pub.jwk()}, &shown)
		if !shown.CodeRequired {
			t.Error("the publisher's page does not say so")
		}
		code, refused := pub.allow(ticket)
		if refused != "" {
			t.Fatal(refused)
		}
		return code, shown.ComparisonCode
	}
	complete := func(code, typed string) error {
		_, err := w.fleet.CompleteRegistration(t.Context(), w.admin,
			fleet.Return{Code: code, ComparisonCode: typed})
		return err
	}
	code, shown := begin()
	views, err := w.fleet.Registrations(t.Context(), w.admin)
	must(t, err)
	if !views[0].CodeRequired || views[0].ComparisonCode != "" {
		t.Errorf("the console shows %+v", views[0])
	}
	refusedWith(t, complete(code, ""), "comparison_code_required")
	for range models.MaxComparisonAttempts - 1 {
		refusedWith(t, complete(code, "AAAA-AAAA"), "comparison_code_differs")
	}
	refusedWith(t, complete(code, "AAAA-AAAA"), "registration_burned")
	refusedWith(t, complete(code, shown), "registration_burned")
	code, shown = begin()
	refusedWith(t, complete(code, "AAAA-AAAA"), "comparison_code_differs")
	must(t, complete(code, strings.ToLower(strings.ReplaceAll(shown, "-", " "))))
}

func TestAnOldProductOrAgentIsNotRegistered(t *testing.T) {
	t.Parallel()
	w := newWorld(t).unlike(func(o *fleet.Options) { o.MinVersion, o.MinClient = "14.0.2", "1.2" })
	ticket := w.begin("Tokyo", "cc-pub.example.com")
	claim := func(version models.Version, client string) models.Code {
		n := w.newNode("cc-pub.example.com", version)
		n.state.ClientVersion = client
		refused, _ := w.post(wire.PathClaim, "", wire.ClaimRequest{Ticket: ticket,
			Claim: n.claim(ticket, models.Publisher)}, nil)
		return refused
	}
	for _, c := range []struct {
		version models.Version
		client  string
		want    models.Code
	}{{"14.0.1", "1.2.0", "node_too_old"}, {"", "1.2.0", "node_too_old"},
		{"14.0.2", "1.1.9", "client_too_old"}, {"14.0.2", "v1.1.9-3-gabc", "client_too_old"},
		{"14.0.2", "abc1234", "client_too_old"}, {"14.0.2", "v1.2.0-3-gabc", ""}} {
		if got := claim(c.version, c.client); got != c.want {
			t.Errorf("%q with agent %q: %q, want %q", c.version, c.client, got, c.want)
		}
	}
}

func TestR32AMachineOfAnotherRoleDoesNotTakeAMembersPlace(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	for member, wrong := range map[*node]models.Code{w.sub: "role_subscriber", w.pub: "role_publisher"} {
		v, err := w.fleet.ReplaceNode(t.Context(), w.admin, w.id, member.id)
		must(t, err)
		fresh := w.newNode(member.name, "1.0.0")
		other, own := models.Publisher, models.Subscriber
		if wrong == "role_publisher" {
			other, own = own, other
		}
		if _, refused := fresh.allowAs(other, ticketOf(v.OpenURL)); refused != wrong {
			t.Errorf("%s as %s: %q", member.name, other, refused)
		}
		if _, refused := fresh.allowAs(own, ticketOf(v.OpenURL)); refused != "" {
			t.Errorf("%s as %s: %q", member.name, own, refused)
		}
	}
}

func TestR32AReplacementEndsWithItsMemberAndItsCluster(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	sub, err := w.fleet.ReplaceNode(t.Context(), w.admin, w.id, w.sub.id)
	must(t, err)
	pub, err := w.fleet.ReplaceNode(t.Context(), w.admin, w.id, w.pub.id)
	must(t, err)
	_, err = w.fleet.RemoveNode(t.Context(), w.admin, w.id, w.sub.id, fleet.TypedName(subName))
	must(t, err)
	must(t, w.fleet.Deregister(t.Context(), w.admin, w.id, "Tokyo"))
	for _, v := range []fleet.RegistrationView{sub, pub} {
		if r := w.stored(v.ID); r.State != models.RegistrationCancelled ||
			r.EndedWhy != models.EndedMemberGone {
			t.Errorf("the replacement of %s is %s, %s", r.FQDN, r.State, r.EndedWhy)
		}
	}
	if n := w.actions(fleet.ActionRegistrationCancelled); n != 2 {
		t.Errorf("%d records", n)
	}
}

func TestR30SupersedingAndOpeningARegistrationAreRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pub := w.newNode("cc-pub.example.com", "1.0.0")
	ticket := w.begin("Tokyo", pub.name)
	for range 3 {
		w.post(wire.PathInspect, "", wire.InspectRequest{Ticket: ticket, Key: pub.jwk()}, nil)
	}
	w.begin("Tokyo", pub.name)
	got := w.records(w.admin.Organization)
	want := []fleet.Action{fleet.ActionRegistrationBegun, fleet.ActionRegistrationOpened,
		fleet.ActionRegistrationSuperseded, fleet.ActionRegistrationBegun}
	if len(got) < len(want) {
		t.Fatalf("recorded %v", got)
	}
	for i, action := range want {
		if got[len(got)-len(want)+i] != string(action) {
			t.Fatalf("recorded %v", got)
		}
	}
}

// deeds is everything that can be done to one registration.
func (w *world) deeds(id models.RegistrationID, ticket string) map[string]func() {
	ctx := w.t.Context()
	pub, twin := w.newNode("cc-pub.example.com", "1.0.0"), w.newNode("cc-pub.example.com", "1.0.0")
	var mu sync.Mutex
	var code string
	claim := func(n *node) func() {
		request := wire.ClaimRequest{Ticket: ticket, Claim: n.claim(ticket, models.Publisher)}
		return func() {
			answer, err := w.fleet.Claim(ctx, models.Actor{}, request)
			if err == nil {
				mu.Lock()
				_, code, _ = strings.Cut(answer.ReturnURL, "#code=")
				mu.Unlock()
			}
		}
	}
	complete := func(a models.Actor) func() {
		return func() {
			mu.Lock()
			back := fleet.Return{Code: code}
			mu.Unlock()
			_, _ = w.fleet.CompleteRegistration(ctx, a, back)
		}
	}
	elsewhere := w.admin
	elsewhere.SessionHash = "session-2"
	return map[string]func(){
		"inspect": func() {
			_, _ = w.fleet.Inspect(ctx, models.Actor{}, wire.InspectRequest{Ticket: ticket, Key: pub.jwk()})
		},
		"claim":              claim(pub),
		"claim by another":   claim(twin),
		"deny":               func() { _ = w.fleet.Deny(ctx, models.Actor{}, wire.DenyRequest{Ticket: ticket}) },
		"complete":           complete(w.admin),
		"complete elsewhere": complete(elsewhere),
		"dismiss":            func() { _ = w.fleet.DismissRegistration(ctx, w.admin, id) },
		"sweep":              func() { _ = w.fleet.ExpireRegistrations(ctx) },
		"register again": func() {
			_, _ = w.fleet.CreateRegistration(ctx, w.admin, "Again", "cc-pub.example.com")
		},
	}
}

func names(deeds map[string]func()) []string {
	var list []string
	for name := range deeds {
		list = append(list, name)
	}
	return list
}

// TestR2NothingLeadsOutOfAFinalState does everything to a registration in any order, with time passing
// between, one after the other and all at once: once it has ended it never changes its state again,
// and at most one cluster comes of it.
func TestR2NothingLeadsOutOfAFinalState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		v, err := w.fleet.CreateRegistration(t.Context(), w.admin, fmt.Sprintf("Round %d", round),
			"cc-pub.example.com")
		if err != nil {
			rt.Fatal(err)
		}
		deeds := w.deeds(v.ID, ticketOf(v.OpenURL))
		known := []string{"inspect", "claim", "claim by another", "deny", "complete",
			"complete elsewhere", "dismiss", "sweep", "register again"}
		if len(known) != len(names(deeds)) {
			rt.Fatal("the list of deeds is not whole")
		}
		final := models.RegistrationState("")
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			wait := rapid.SampledFrom([]time.Duration{0, time.Second, models.ReturnTTL,
				models.RegistrationTTL}).Draw(rt, "wait")
			w.clock.Advance(wait)
			deed := rapid.SampledFrom(known).Draw(rt, "deed")
			deeds[deed]()
			state := w.stored(v.ID).State
			if final != "" && state != final {
				rt.Fatalf("%s led from %s to %s", deed, final, state)
			}
			if state.Final() {
				final = state
			}
		}
		w.clear(rt.Fatalf)
	})
}

func TestR2AllAtOnceLeadToOneEnd(t *testing.T) {
	t.Parallel()
	for _, open := range []func(testing.TB) *store.Store{storetest.SQLite, storetest.Postgres} {
		w := worldOn(t, open(t), storetest.NewClock())
		for round := range 6 {
			v, err := w.fleet.CreateRegistration(t.Context(), w.admin, fmt.Sprintf("Round %d", round),
				"cc-pub.example.com")
			must(t, err)
			deeds := w.deeds(v.ID, ticketOf(v.OpenURL))
			if round%2 == 1 {
				deeds["claim"]()
			}
			var wait sync.WaitGroup
			for _, do := range deeds {
				for range 3 {
					wait.Go(do)
				}
			}
			wait.Wait()
			w.clock.Advance(models.RegistrationTTL)
			must(t, w.fleet.ExpireRegistrations(t.Context()))
			if r := w.stored(v.ID); !r.State.Final() {
				t.Errorf("it is %s", r.State)
			}
			ends := 0
			for _, action := range w.ends(v.ID) {
				t.Log(action)
				ends++
			}
			if ends > 1 {
				t.Errorf("%d ends are recorded", ends)
			}
			w.clear(t.Fatalf)
		}
	}
}

// ends are the recorded ends of one registration that came to nothing.
func (w *world) ends(id models.RegistrationID) []string {
	w.t.Helper()
	ends := []fleet.Action{fleet.ActionRegistrationDenied, fleet.ActionRegistrationExpired,
		fleet.ActionRegistrationCancelled, fleet.ActionRegistrationSuperseded,
		fleet.ActionRegistrationBurned}
	var found []string
	must(w.t, w.store.View(w.t.Context(), func(tx *store.Tx) error {
		records, err := tx.In(w.admin.Organization).Audit(store.AuditQuery{})
		found = nil
		for _, r := range records {
			if r.TargetID == string(id) && slices.Contains(ends, fleet.Action(r.Action)) {
				found = append(found, r.Action)
			}
		}
		return err
	}))
	return found
}

// clear deregisters what came of a round, of which there must not be two.
func (w *world) clear(fail func(string, ...any)) {
	found, err := w.fleet.Clusters(w.t.Context(), w.admin, "")
	if err != nil || len(found) > 1 {
		fail("%d clusters, %v", len(found), err)
	}
	for _, c := range found {
		err := w.fleet.Deregister(w.t.Context(), w.admin, c.ID, fleet.TypedName(c.DisplayName))
		if err != nil {
			fail("%v", err)
		}
	}
	w.clock.Advance(models.RegistrationTTL)
	if err := w.fleet.ExpireRegistrations(w.t.Context()); err != nil {
		fail("%v", err)
	}
}

func TestADenialThatComesTooLateSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pub := w.newNode("cc-pub.example.com", "1.0.0")
	ticket := w.begin("Tokyo", pub.name)
	pub.allow(ticket)
	answer := w.call(http.MethodPost, wire.PathDeny, "", wire.DenyRequest{Ticket: ticket})
	if answer.Code != http.StatusGone {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}
