package oidc_test

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/hub/oidc"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/tools/oidcprovider/op"
)

func TestAPersonSignsInThroughTheProviderOfTheDomain(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := newSceneOn(t, d)
			b := s.browser("Taro@ACME.example ")
			back := b.begin()
			b.email = taro
			done := b.finish(b.visit(back))
			if done.Location != "/clusters?tab=1" || done.Token == "" {
				t.Fatalf("%+v", done)
			}
			a, err := s.identity.Authenticate(t.Context(), done.Token, caller)
			if err != nil || a.UserID != s.users[taro].ID || a.Organization != s.acme.ID {
				t.Fatalf("%+v %v", a, err)
			}
			current, err := s.identity.Current(t.Context(), a)
			if err != nil || current.Method != models.MethodOIDC ||
				!current.ConfirmedUntil.After(s.clock.Now()) {
				t.Errorf("%+v %v", current, err)
			}
			if len(s.records("signed_in")) != 1 || len(s.records("oidc_subject_bound")) != 1 {
				t.Error("not recorded")
			}
			s.browser(taro).signedIn()
			if len(s.records("oidc_subject_bound")) != 1 {
				t.Error("bound twice")
			}
		})
	}
}

func TestTheFirstSignInThroughTheProviderAcceptsAnInvitation(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := newSceneOn(t, d)
			s.invite(s.acme, newcomer)
			a := s.browser(newcomer).signedIn()
			if a.Role != models.ReadOnlyAdmin || a.Organization != s.acme.ID || a.Email != newcomer {
				t.Errorf("%+v", a)
			}
			s.update(func(tx *store.Tx) error {
				open, err := tx.In(s.acme.ID).OpenInvitation(newcomer, s.clock.Now())
				if open != nil {
					t.Error("the invitation is still open")
				}
				return err
			})
			s.browser(newcomer).signedIn()
		})
	}
}

func TestWhereABrowserIsSentDoesNotTellWhoExists(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ask := func(email string) (begun oidc.Begun) {
		t.Helper()
		begun, err := s.oidc.Begin(t.Context(), caller, oidc.Beginning{Email: email})
		if err != nil {
			t.Fatal(err)
		}
		return begun
	}
	parts := func(begun oidc.Begun) []string {
		u, err := url.Parse(begun.Location)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for name, values := range u.Query() {
			if !slices.Contains([]string{"state", "nonce", "code_challenge", "login_hint"}, name) {
				all = append(all, name+"="+strings.Join(values, " "))
			}
		}
		slices.Sort(all)
		return append(all, u.Host+u.Path)
	}
	known, unknown := parts(ask(taro)), parts(ask("nobody@acme.example"))
	if !slices.Equal(known, unknown) {
		t.Errorf("%q\n%q", known, unknown)
	}
	s.user(s.organization("Other", ""), "a@other.example")
	for _, email := range []string{"a@other.example", "b@other.example", "x@nowhere.example"} {
		_, err := s.oidc.Begin(t.Context(), caller, oidc.Beginning{Email: email})
		s.refused(err, "oidc_not_configured")
	}
	for _, email := range []string{"", "taro", "@acme.example@", "taro@"} {
		_, err := s.oidc.Begin(t.Context(), caller, oidc.Beginning{Email: email})
		s.refused(err, "invalid_email")
	}
}

func TestEveryRequestBearsPKCEStateAndNonceOfItsOwn(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b, seen := s.browser(taro), map[string]bool{}
	for range 20 {
		u, err := url.Parse(b.begin())
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" ||
			q.Get("redirect_uri") != s.oidc.RedirectURL(s.acme.ID) || q.Has("prompt") {
			t.Fatalf("%s", u)
		}
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			if len(q.Get(name)) != 43 || seen[q.Get(name)] {
				t.Errorf("%s is %q", name, q.Get(name))
			}
			seen[q.Get(name)] = true
		}
	}
}

func TestTwoJourneysOfOneBrowserDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b := s.browser(taro)
	first := b.begin()
	cookie := b.cookie
	second := b.begin()
	if b.cookie != cookie {
		t.Error("the second beginning takes the first one's cookie away")
	}
	for _, location := range []string{second, first} {
		if done := b.finish(b.visit(location)); done.Token == "" {
			t.Errorf("%+v", done)
		}
	}
	b.cookie = "set by somebody else"
	b.begin()
	if b.cookie == "set by somebody else" {
		t.Error("a cookie that is none of the hub's is kept")
	}
}

func TestWhoIsSignedInAtTheProviderAlreadyBeginsUnconfirmed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b := s.browser(taro)
	b.signedIn()
	s.clock.Advance(time.Hour)
	a := b.signedIn()
	if s.confirmedUntil(a).After(s.clock.Now()) {
		t.Error("confirmed by a sign-in of an hour ago")
	}
}

func TestSigningInAgainThroughTheProviderConfirmsTheSession(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := newSceneOn(t, d)
			b, a := s.tired()
			if s.confirmedUntil(a).After(s.clock.Now()) {
				t.Fatal("still confirmed")
			}
			location := b.stepUp(a)
			if u, err := url.Parse(location); err != nil || u.Query().Get("prompt") != "login" ||
				u.Query().Get("max_age") != "0" {
				t.Errorf("%s %v", location, err)
			}
			done := b.finish(b.visit(location))
			if done.Location != "/confirmed" || done.Token != "" {
				t.Errorf("%+v", done)
			}
			if until := s.confirmedUntil(a); !until.Equal(s.clock.Now().Add(models.ConfirmationTTL)) {
				t.Errorf("confirmed until %s", until)
			}
		})
	}
}

func TestTheAddressMayComeWithTheUserInfo(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.provider.Misbehave(op.EmailInUserInfo)
	s.browser(taro).signedIn()
}

func TestAProviderMayChangeItsKeys(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.browser(taro).signedIn()
	asked := s.provider.Calls("/keys")
	s.browser(taro).signedIn()
	if s.provider.Calls("/keys") != asked {
		t.Error("the keys are asked for each time")
	}
	if err := s.provider.Rotate(); err != nil {
		t.Fatal(err)
	}
	s.browser(taro).signedIn()
}

func TestWhatAProviderSaysOfItselfIsBelievedForAnHour(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const document = "/.well-known/openid-configuration"
	s.browser(taro).signedIn()
	asked := s.provider.Calls(document)
	s.clock.Advance(59 * time.Minute)
	s.browser(taro).begin()
	if n := s.provider.Calls(document); n != asked {
		t.Errorf("asked %d times before the hour was over", n-asked)
	}
	s.clock.Advance(time.Minute)
	s.browser(taro).begin()
	if n := s.provider.Calls(document); n != asked+1 {
		t.Errorf("asked %d times after an hour", n-asked)
	}
	s.provider.Misbehave(op.Down)
	s.clock.Advance(23 * time.Hour)
	s.browser(taro).begin()
	s.clock.Advance(time.Hour)
	_, err := s.oidc.Begin(t.Context(), caller, oidc.Beginning{Email: taro})
	s.refused(err, "oidc_unavailable")
	asked = s.provider.Calls(document)
	_, err = s.oidc.Begin(t.Context(), caller, oidc.Beginning{Email: taro})
	s.refused(err, "oidc_unavailable")
	if n := s.provider.Calls(document); n != asked {
		t.Error("a provider that is down is asked without a rest")
	}
	s.provider.Misbehave()
	s.clock.Advance(time.Minute)
	s.browser(taro).signedIn()
}

func TestOneAddressCannotBeginWithoutEnd(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	var err error
	for n := 0; err == nil && n < 100; n++ {
		_, err = s.oidc.Begin(t.Context(), caller, oidc.Beginning{Email: taro})
	}
	s.refused(err, "too_many_attempts")
	other := caller
	other.Address = "192.0.2.8"
	if _, err := s.oidc.Begin(t.Context(), other, oidc.Beginning{Email: taro}); err != nil {
		t.Errorf("another address: %v", err)
	}
	s.clock.Advance(time.Minute)
	if _, err := s.oidc.Begin(t.Context(), caller, oidc.Beginning{Email: taro}); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

// Only hosts that the operator named are connected to, and an endpoint at another may be named.
func TestAPersonCanBeBoundAnewByTheOperator(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.browser(taro).signedIn()
	s.provider.SetUsers(account(taro, "s-made-again"))
	if done := s.browser(taro).signIn(); problem(t, done) != "oidc_other_subject" {
		t.Fatalf("%+v", done)
	}
	if n, err := s.oidc.Forget(t.Context(), caller, taro); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	s.browser(taro).signedIn()
	_, err := s.oidc.Forget(t.Context(), caller, "nobody@acme.example")
	s.refused(err, "not_found")
}

func TestNothingAtRestLetsAnybodyIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSceneOn(t, database{"sqlite", func(testing.TB) string {
		return "sqlite:" + filepath.Join(dir, "hub.db")
	}})
	b := s.browser(taro)
	u, err := url.Parse(b.begin())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	secrets := map[string]string{"the state": q.Get("state"), "the nonce": q.Get("nonce"),
		"the cookie": b.cookie, "the client secret": "client secret"}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := false
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found = found || strings.Contains(string(text), s.issuer)
		for what, secret := range secrets {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s is in %s", what, filepath.Base(file))
			}
		}
	}
	if !found {
		t.Error("not even the issuer was found: this test looks in the wrong place")
	}
}

func TestJourneysThatCannotEndAreForgotten(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b := s.browser(taro)
	back := b.visit(b.begin())
	if err := s.oidc.PurgeLogins(t.Context()); err != nil {
		t.Fatal(err)
	}
	if done := b.finish(back); done.Token == "" {
		t.Errorf("one that could end was forgotten: %+v", done)
	}
	b.begin()
	s.clock.Advance(models.OIDCLoginTTL + 2*time.Minute)
	if err := s.oidc.PurgeLogins(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.update(func(tx *store.Tx) error {
		n, err := tx.Hub().PurgeOIDCLogins(s.clock.Now())
		if n != 0 {
			t.Errorf("%d are kept", n)
		}
		return err
	})
}

func TestRefusingPasswordsEndsTheSessionsThatBeganWithOne(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := newSceneOn(t, d)
			through := s.browser(taro).signedIn()
			other := s.user(s.organization("Other", "other.example"), "a@other.example")
			for _, u := range []models.User{s.users[hanako], other} {
				s.update(func(tx *store.Tx) error {
					return tx.In(u.OrganizationID).CreateSession(&models.Session{
						IDHash: "of " + u.Email, UserID: u.ID, Method: models.MethodPassword,
						CreatedAt: s.clock.Now(), LastUsedAt: s.clock.Now(),
						ConfirmedAt: s.clock.Now(), ExpiresAt: s.clock.Now().Add(time.Hour)})
				})
			}
			if err := s.oidc.Require(t.Context(), caller, s.acme.ID, true); err != nil {
				t.Fatal(err)
			}
			s.refused(s.identity.Alive(t.Context(), "of "+hanako), "signed_out")
			if err := s.identity.Alive(t.Context(), "of a@other.example"); err != nil {
				t.Errorf("a session of another organization: %v", err)
			}
			if err := s.identity.Alive(t.Context(), through.SessionHash); err != nil {
				t.Errorf("a session through the provider: %v", err)
			}
			if p, err := s.oidc.Provider(t.Context(), s.acme.ID); err != nil || !p.Required {
				t.Errorf("%+v %v", p, err)
			}
			if err := s.oidc.Require(t.Context(), caller, s.acme.ID, false); err != nil {
				t.Fatal(err)
			}
			if err := s.oidc.Require(t.Context(), caller, other.OrganizationID, true); err == nil {
				t.Error("passwords are refused where there is no provider")
			}
		})
	}
}
