package identity_test

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connecthub/hub/identity"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
)

// clock is a clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type scene struct {
	t        *testing.T
	clock    *clock
	store    *store.Store
	identity *identity.Identity
	password string
}

const (
	email  = "admin@example.com"
	origin = "http://localhost:8080" // of the console
)

var hubItself = models.Actor{Kind: models.ActorHub, Name: "hub"}
var browser = models.Actor{Address: "203.0.113.7", TrackingID: "t"}

// newScene is a hub after its first start.
func newScene(t *testing.T) *scene {
	t.Helper()
	return newSceneOf(t, identity.Hurry)
}

func newSceneOf(t *testing.T, adjust func(*identity.Identity)) *scene {
	t.Helper()
	return newSceneOn(t, "sqlite:"+filepath.Join(t.TempDir(), "hub.db"), adjust)
}

// newSceneOn is a hub after its first start on a database of either kind.
func newSceneOn(t *testing.T, dsn string, adjust func(*identity.Identity)) *scene {
	t.Helper()
	c := &clock{now: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	s := storetest.OpenWith(t, store.Options{Now: c.Now, DSN: dsn})
	sc := &scene{t: t, clock: c, store: s, identity: identity.New(identity.Options{Store: s,
		Now: c.Now, Log: slog.New(slog.DiscardHandler), PublicURL: origin})}
	adjust(sc.identity)
	var err error
	for range 2 {
		if err := sc.identity.EnsureVendor(t.Context(), hubItself); err != nil {
			t.Fatal(err)
		}
	}
	sc.password, err = sc.identity.EnsureFirst(t.Context(), hubItself, first())
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

func first() identity.First {
	return identity.First{Organization: "Example", Zone: "Asia/Tokyo", Language: "ja",
		Email: email}
}

func (s *scene) signIn(email, password string) (identity.SignedIn, error) {
	return s.identity.SignIn(s.t.Context(), browser, email, password)
}

func (s *scene) mustSignIn() identity.SignedIn {
	s.t.Helper()
	in, err := s.signIn(email, s.password)
	if err != nil {
		s.t.Fatal(err)
	}
	return in
}

func (s *scene) refused(err error, code models.Code) {
	s.t.Helper()
	var r *models.Refusal
	if !errors.As(err, &r) || r.Code != code {
		s.t.Errorf("not refused with %s: %v", code, err)
	}
}

func (s *scene) actions(org models.OrganizationID) (actions []string) {
	s.t.Helper()
	err := s.store.View(s.t.Context(), func(tx *store.Tx) error {
		records, err := tx.In(org).Audit(store.AuditQuery{})
		for _, r := range records {
			actions = append(actions, r.ActorKind+" "+r.Action+" "+r.TargetName)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return actions
}

func TestTheFirstStartMakesOneTenantOneAdminAndTheVendorOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	if len(s.password) < 20 {
		t.Errorf("password %q", s.password)
	}
	again, err := s.identity.EnsureFirst(t.Context(), hubItself, first())
	if err != nil || again != "" {
		t.Errorf("a second start made %q, %v", again, err)
	}
	all, err := s.identity.Organizations(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("%v %v", all, err)
	}
	in := s.mustSignIn()
	if c := in.Current; c.User.Role != models.FullAdmin || c.Organization.Zone != "Asia/Tokyo" ||
		c.Organization.Language != "ja" || c.Organization.Vendor {
		t.Errorf("%+v", c)
	}
	vendor, err := s.identity.Vendor(t.Context())
	if err != nil || !vendor.Vendor {
		t.Errorf("vendor %+v, %v", vendor, err)
	}
}

func TestTheStoreHoldsNeitherPasswordNorToken(t *testing.T) {
	t.Parallel()
	s := newSceneOf(t, func(*identity.Identity) {})
	in := s.mustSignIn()
	err := s.store.View(t.Context(), func(tx *store.Tx) error {
		u, err := tx.Hub().UserByEmail(email)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(u.PasswordHash, "$argon2id$v=19$m=19456,t=2,p=1$") ||
			strings.Contains(u.PasswordHash, s.password) {
			t.Errorf("hash %s", u.PasswordHash)
		}
		if _, err := tx.Hub().SessionByHash(in.Token); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the token itself is stored: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhateverIsWrongWithASignInTheAnswerIsTheSame(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for _, c := range [][2]string{{email, "wrong"}, {"nobody@example.com", s.password},
		{"", ""}, {email, ""}, {"not an address", s.password}, {"a\x00@example.com", "x"},
		{email, strings.Repeat("x", 1<<20)}} {
		_, err := s.signIn(c[0], c[1])
		s.refused(err, "wrong_credentials")
	}
	if _, err := s.signIn("  ADMIN@example.COM ", s.password); err != nil {
		t.Errorf("the address in capitals: %v", err)
	}
}

func TestWrongPasswordsAreLimitedAndRightOnesAreNot(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for range 12 {
		s.mustSignIn()
	}
	for range 10 {
		_, err := s.signIn(email, "wrong")
		s.refused(err, "wrong_credentials")
	}
	_, err := s.signIn(email, s.password)
	s.refused(err, "too_many_attempts")
	var r *models.Refusal
	if errors.As(err, &r); r.RetryAfter <= 0 || r.RetryAfter > 6*time.Second {
		t.Errorf("retry after %s", r.RetryAfter)
	}
	s.clock.pass(6 * time.Second)
	s.mustSignIn()
}

func TestASessionEndsWhenItIdlesThirtyMinutesAndAfterTwelveHours(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	alive := func(token string) error {
		_, err := s.identity.Authenticate(t.Context(), token, browser)
		return err
	}
	in := s.mustSignIn()
	s.clock.pass(identity.SessionIdle - time.Millisecond)
	if err := alive(in.Token); err != nil {
		t.Errorf("just before it idled out: %v", err)
	}
	s.clock.pass(identity.SessionIdle)
	s.refused(alive(in.Token), "signed_out")

	in = s.mustSignIn()
	for range 47 {
		s.clock.pass(15 * time.Minute)
		if err := alive(in.Token); err != nil {
			t.Fatalf("in use: %v", err)
		}
	}
	s.clock.pass(15*time.Minute - time.Millisecond)
	if err := alive(in.Token); err != nil {
		t.Errorf("just before twelve hours: %v", err)
	}
	s.clock.pass(time.Millisecond)
	s.refused(alive(in.Token), "signed_out")
	if err := s.identity.PurgeSessions(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLookingWhetherASessionLivesIsNoUseOfIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	in := s.mustSignIn()
	actor, err := s.identity.Authenticate(t.Context(), in.Token, browser)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s.clock.pass(14 * time.Minute)
		if err := s.identity.Alive(t.Context(), actor.SessionHash); err != nil {
			t.Fatal(err)
		}
	}
	s.clock.pass(2 * time.Minute)
	s.refused(s.identity.Alive(t.Context(), actor.SessionHash), "signed_out")
}

func TestSignOutEndsThatSessionOnly(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	one, two := s.mustSignIn(), s.mustSignIn()
	actor, err := s.identity.Authenticate(t.Context(), one.Token, browser)
	if err != nil {
		t.Fatal(err)
	}
	if actor.Kind != models.ActorUser || actor.Name != email || actor.Role != models.FullAdmin ||
		actor.Address != browser.Address || actor.TrackingID != "t" {
		t.Errorf("%+v", actor)
	}
	if err := s.identity.SignOut(t.Context(), actor); err != nil {
		t.Fatal(err)
	}
	_, err = s.identity.Authenticate(t.Context(), one.Token, browser)
	s.refused(err, "signed_out")
	if _, err := s.identity.Authenticate(t.Context(), two.Token, browser); err != nil {
		t.Errorf("the other session: %v", err)
	}
}

func TestANewPasswordEndsEverySessionAndTheOldPassword(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	in := s.mustSignIn()
	generated, _, err := s.identity.ResetPassword(t.Context(), hubItself, email, "")
	if err != nil || generated == s.password || generated == "" {
		t.Fatalf("%q %v", generated, err)
	}
	_, err = s.identity.Authenticate(t.Context(), in.Token, browser)
	s.refused(err, "signed_out")
	_, err = s.signIn(email, s.password)
	s.refused(err, "wrong_credentials")
	s.password = generated
	s.mustSignIn()
	_, _, err = s.identity.ResetPassword(t.Context(), hubItself, email, "short")
	s.refused(err, "weak_password")
	_, _, err = s.identity.ResetPassword(t.Context(), hubItself, "nobody@example.com", "")
	s.refused(err, "not_found")
}

func TestR29ReleaseEngineersBelongToTheVendorAndAdminsToTenants(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	vendor, err := s.identity.Vendor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := s.identity.Organization(t.Context(), "eXample")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		org  models.Organization
		role models.Role
		ok   bool
	}{
		{vendor, models.ReleaseEngineer, true}, {vendor, models.FullAdmin, false},
		{tenant, models.FullAdmin, true}, {tenant, models.ReadOnlyAdmin, true},
		{tenant, models.ReleaseEngineer, false}, {tenant, "king", false},
	} {
		_, _, err := s.identity.CreateUser(t.Context(), hubItself, identity.NewUser{
			Organization: c.org, Email: string(c.role) + "@" + strings.ToLower(c.org.Name) + ".example",
			Role: c.role})
		if c.ok && err != nil {
			t.Errorf("%s in %s: %v", c.role, c.org.Name, err)
		}
		if !c.ok {
			s.refused(err, "invalid_role")
		}
	}
}

func TestWhatANewUserOrOrganizationMayNotBe(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	tenant, err := s.identity.Organization(t.Context(), "Example")
	if err != nil {
		t.Fatal(err)
	}
	user := func(email, name, password string) error {
		_, _, err := s.identity.CreateUser(t.Context(), hubItself, identity.NewUser{
			Organization: tenant, Email: email, Name: name, Role: models.FullAdmin, Password: password})
		return err
	}
	s.refused(user("nobody", "", ""), "invalid_email")
	s.refused(user("A <a@example.com>", "", ""), "invalid_email")
	s.refused(user(strings.ToUpper(email), "", ""), "email_taken")
	s.refused(user("b@example.com", "b\x00", ""), "invalid_name")
	s.refused(user("b@example.com", "", "elevenchars"), "weak_password")
	s.refused(user("b@example.com", "", strings.Repeat("x", 257)), "weak_password")
	organization := func(name, zone, language string) error {
		_, err := s.identity.CreateOrganization(t.Context(), hubItself, name, zone, language)
		return err
	}
	s.refused(organization(" example ", "UTC", "en"), "organization_taken")
	s.refused(organization("", "UTC", "en"), "invalid_name")
	s.refused(organization("Other", "Local", "en"), "invalid_zone")
	s.refused(organization("Other", "UTC", "fr"), "invalid_language")
	if err := organization("Other", "UTC", "en"); err != nil {
		t.Error(err)
	}
}

func TestR30EachChangeIsOneAuditRecord(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	tenant := s.mustSignIn().Current.Organization
	if _, _, err := s.identity.ResetPassword(t.Context(), hubItself, email, ""); err != nil {
		t.Fatal(err)
	}
	want := []string{"hub password_reset " + email, "user signed_in " + email,
		"hub user_created " + email, "hub organization_created Example"}
	if got := s.actions(tenant.ID); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("records %q", got)
	}
}
