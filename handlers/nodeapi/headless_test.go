package nodeapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/wire"
)

// shell is a node's shell that registers by a code.
type shell struct {
	*node
	secret string
	wire.HeadlessResponse
}

func (w *world) shell(name models.FQDN) *shell {
	w.t.Helper()
	s := &shell{node: w.newNode(name, "1.0.0"), secret: randomText()}
	refused, _ := w.post(wire.PathHeadless, "",
		wire.HeadlessRequest{Claim: s.claim(s.secret, models.Publisher, "cc-sub.example.com")},
		&s.HeadlessResponse)
	if refused != "" {
		w.t.Fatalf("no code: %s", refused)
	}
	return s
}

func (s *shell) ask() wire.HeadlessPollResponse {
	s.w.t.Helper()
	var answer wire.HeadlessPollResponse
	refused, _ := s.w.post(wire.PathHeadlessPoll, "", wire.HeadlessPollRequest{Secret: s.secret}, &answer)
	if refused != "" {
		s.w.t.Fatalf("the poll was refused: %s", refused)
	}
	return answer
}

func (s *shell) answers(id models.RegistrationID, accept bool) models.Code {
	s.w.t.Helper()
	refused, _ := s.w.post(wire.PathHeadlessAnswer, "", wire.HeadlessAnswer{Secret: s.secret,
		RegistrationID: id, Accept: accept, Assertion: s.assertion(string(id))}, nil)
	return refused
}

func TestANodeIsRegisteredFromItsShell(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.shell("cc-pub.example.com")
	if len(s.UserCode) != 9 || s.ConsoleURL != "https://hub.example.com/services/contact-center/cloud-connect" ||
		s.IntervalSeconds != 5 || s.ExpiresAt.Sub(s.Now) != models.RegistrationTTL {
		t.Errorf("the shell prints %+v", s.HeadlessResponse)
	}
	if a := s.ask(); a.State != models.HeadlessPending || a.Offer != nil {
		t.Errorf("before the approval: %+v", a)
	}
	typed := strings.ToLower(strings.ReplaceAll(s.UserCode, "-", " "))
	seen, err := w.fleet.InspectHeadless(t.Context(), w.admin, typed)
	must(t, err)
	if seen.FQDN != s.name || seen.Fingerprint != s.KeyFingerprint || seen.Version != "1.0.0" {
		t.Errorf("the console shows %+v", seen)
	}
	v, err := w.fleet.ApproveHeadless(t.Context(), w.admin, typed, "Tokyo")
	must(t, err)
	if v.State != models.RegistrationClaimed || !v.Headless || v.ReturnBy == nil {
		t.Errorf("the card is %+v", v)
	}
	if found, _ := w.fleet.Clusters(t.Context(), w.admin, ""); len(found) != 0 {
		t.Fatal("it is registered before its administrator has accepted")
	}
	w.clock.Advance(5 * time.Second)
	offer := s.ask().Offer
	if offer == nil || offer.Organization != "Acme" || offer.RequestedBy != "Ada" ||
		offer.DisplayName != "Tokyo" || offer.RegistrationID != v.ID {
		t.Fatalf("offered %+v", offer)
	}
	if refused := s.answers(v.ID, true); refused != "" {
		t.Fatal(refused)
	}
	identity := s.identity(v.ID)
	if identity.DisplayName != "Tokyo" || identity.Role != models.Publisher {
		t.Errorf("the identity is %+v", identity)
	}
	s.id, s.cluster = identity.NodeID, identity.ClusterID
	s.poll()
	if refused := s.answers(v.ID, true); refused != "registration_used" {
		t.Errorf("accepted again: %q", refused)
	}
	got := w.records(w.admin.Organization)
	for _, action := range []fleet.Action{fleet.ActionRegistrationBegun,
		fleet.ActionRegistrationClaimed, fleet.ActionClusterRegistered} {
		if !has(got, action) {
			t.Errorf("recorded %v, without %s", got, action)
		}
	}
}

func TestANodeThatAsksTooSoonIsSlowedDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.shell("cc-pub.example.com")
	s.ask()
	_, err := w.fleet.ApproveHeadless(t.Context(), w.admin, s.UserCode, "Tokyo")
	must(t, err)
	w.clock.Advance(time.Second)
	if a := s.ask(); !a.SlowDown || a.IntervalSeconds != 10 || a.Offer != nil {
		t.Errorf("too soon: %+v", a)
	}
	w.clock.Advance(6 * time.Second)
	if a := s.ask(); !a.SlowDown || a.IntervalSeconds != 15 {
		t.Errorf("too soon again: %+v", a)
	}
	w.clock.Advance(15 * time.Second)
	if a := s.ask(); a.SlowDown || a.Offer == nil {
		t.Errorf("in time: %+v", a)
	}
}

func TestACodeIsGoodForFifteenMinutesAndOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.shell("cc-pub.example.com")
	w.clock.Advance(models.RegistrationTTL - time.Microsecond)
	v, err := w.fleet.ApproveHeadless(t.Context(), w.admin, s.UserCode, "Tokyo")
	must(t, err)
	_, err = w.fleet.ApproveHeadless(t.Context(), w.admin, s.UserCode, "Osaka")
	refusedWith(t, err, "unknown_user_code")
	w.clock.Advance(time.Microsecond)
	if refused := s.answers(v.ID, true); refused != "return_too_late" {
		t.Errorf("accepted at 15 minutes: %q", refused)
	}
	if a := s.ask(); a.State != models.HeadlessExpired {
		t.Errorf("the shell is told %s", a.State)
	}
	late := w.shell("cc-late.example.com")
	w.clock.Advance(models.RegistrationTTL)
	_, err = w.fleet.InspectHeadless(t.Context(), w.admin, late.UserCode)
	refusedWith(t, err, "unknown_user_code")
	must(t, w.fleet.PurgeOld(t.Context()))
}

func TestCodesCannotBeGuessed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.shell("cc-pub.example.com")
	mallory := w.tenant("Mallory")
	mallory.Address = "192.0.2.7"
	for range 10 {
		_, err := w.fleet.InspectHeadless(t.Context(), mallory, "BBBB-BBBB")
		refusedWith(t, err, "unknown_user_code")
	}
	_, err := w.fleet.InspectHeadless(t.Context(), mallory, s.UserCode)
	refusedWith(t, err, "too_many_attempts")
	elsewhere := mallory
	elsewhere.Address = "198.51.100.7"
	_, err = w.fleet.InspectHeadless(t.Context(), elsewhere, s.UserCode)
	refusedWith(t, err, "too_many_attempts") // the organization's
	neighbour := w.admin
	neighbour.Address = mallory.Address
	_, err = w.fleet.InspectHeadless(t.Context(), neighbour, s.UserCode)
	refusedWith(t, err, "too_many_attempts") // the address's
	w.clock.Advance(models.RegistrationTTL)
	again := w.shell("cc-pub.example.com")
	_, err = w.fleet.InspectHeadless(t.Context(), neighbour, again.UserCode)
	must(t, err)
	for _, nonsense := range []string{"", "BBBB", "AAAA-AAAA", "BBBB-BBBB-B", "ＢＢＢＢ-BBBB"} {
		_, err := w.fleet.InspectHeadless(t.Context(), w.admin, nonsense)
		refusedWith(t, err, "invalid_user_code")
	}
}

// TestR3ACodeThatIsTypedInAWrongOrganizationBindsNobody: the node's administrator is asked.
func TestR3ACodeThatIsTypedInAWrongOrganizationBindsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.shell("cc-pub.example.com")
	mallory := w.tenant("Mallory")
	v, err := w.fleet.ApproveHeadless(t.Context(), mallory, s.UserCode, "Caught")
	must(t, err)
	_, err = w.fleet.InspectHeadless(t.Context(), w.admin, s.UserCode)
	refusedWith(t, err, "unknown_user_code") // whose it is now is nobody's business
	if offer := s.ask().Offer; offer == nil || offer.Organization != "Mallory" {
		t.Fatalf("offered %+v", offer)
	}
	if refused := s.answers(v.ID, false); refused != "" {
		t.Fatal(refused)
	}
	if r := w.stored(v.ID); r.State != models.RegistrationDenied || r.EndedWhy != models.EndedByNode {
		t.Errorf("it is %s, %s", r.State, r.EndedWhy)
	}
	if refused := s.answers(v.ID, true); refused != "registration_denied" {
		t.Errorf("accepted after all: %q", refused)
	}
	if found, _ := w.fleet.Clusters(t.Context(), mallory, ""); len(found) != 0 {
		t.Error("something was registered")
	}
	if !has(w.records(mallory.Organization), fleet.ActionRegistrationDenied) {
		t.Error("the refusal is not recorded")
	}
	fresh := w.shell("cc-pub.example.com") // the name is free
	_, err = w.fleet.ApproveHeadless(t.Context(), w.admin, fresh.UserCode, "Tokyo")
	must(t, err)
}

func TestAnAdminDeniesACodeBeforeAndAfterTheApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, approved := range []bool{false, true} {
		s := w.shell("cc-pub.example.com")
		if approved {
			_, err := w.fleet.ApproveHeadless(t.Context(), w.admin, s.UserCode, "Tokyo")
			must(t, err)
		}
		must(t, w.fleet.DenyHeadless(t.Context(), w.admin, s.UserCode))
		if a := s.ask(); a.State != models.HeadlessDenied {
			t.Errorf("approved %v: the shell is told %s", approved, a.State)
		}
	}
	if !has(w.records(w.admin.Organization), fleet.ActionHeadlessDenied) {
		t.Error("not recorded")
	}
}

func TestOnlyTheKeyAndTheSecretThatBeganAccept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, other := w.shell("cc-pub.example.com"), w.shell("cc-other.example.com")
	v, err := w.fleet.ApproveHeadless(t.Context(), w.admin, s.UserCode, "Tokyo")
	must(t, err)
	thief := *other
	thief.secret = s.secret // with another key
	if refused := thief.answers(v.ID, true); refused != "invalid_assertion" {
		t.Errorf("another key: %q", refused)
	}
	if refused := other.answers(v.ID, true); refused != "not_found" {
		t.Errorf("another secret: %q", refused)
	}
	forged := *s
	forged.secret = s.UserCode
	if refused := forged.answers(v.ID, true); refused != "not_found" {
		t.Errorf("the code as the secret: %q", refused)
	}
	if refused := s.answers("another", true); refused != "not_found" {
		t.Errorf("another registration: %q", refused)
	}
	if refused := s.answers(v.ID, true); refused != "" {
		t.Errorf("the right one: %q", refused)
	}
}

func TestWhatMayNotBeginAtAShell(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, nodes := w.register("Tokyo", "cc-pub.example.com")
	n := w.newNode("cc-new.example.com", "1.0.0")
	secret := randomText()
	used := w.shell("cc-used.example.com")
	for name, c := range map[string]struct {
		request wire.HeadlessRequest
		want    models.Code
	}{
		"a subscriber": {wire.HeadlessRequest{Claim: n.claim(secret, models.Subscriber)}, "not_publisher"},
		"another environment": {wire.HeadlessRequest{Claim: n.claim(secret, models.Publisher),
			Environment: "staging"}, "other_environment"},
		"a registered node": {wire.HeadlessRequest{Claim: nodes[0].claim(secret, models.Publisher)},
			"node_registered_already"},
		"a secret that is another's": {wire.HeadlessRequest{Claim: n.claim(used.secret,
			models.Publisher)}, "invalid_claim"},
		"no claim": {wire.HeadlessRequest{Claim: "x"}, "invalid_claim"},
	} {
		if refused, _ := w.post(wire.PathHeadless, "", c.request, nil); refused != c.want {
			t.Errorf("%s: %q, want %q", name, refused, c.want)
		}
	}
	for i := range 40 {
		request := wire.HeadlessRequest{Claim: n.claim(randomText(), models.Publisher)}
		answer := w.call(http.MethodPost, wire.PathHeadless, "", request)
		if answer.Code == http.StatusTooManyRequests {
			return
		}
		if i == 39 {
			t.Error("a network may begin without end")
		}
	}
}
