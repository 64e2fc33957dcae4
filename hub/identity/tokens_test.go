package identity_test

import (
	"strings"
	"testing"
	"time"

	"connecthub/hub/identity"
	"connecthub/models"
	"connecthub/models/store"
)

func (s *scene) token(a models.Actor, days int, scopes ...models.Scope) (models.APIToken, string) {
	s.t.Helper()
	made, secret, err := s.identity.CreateToken(s.t.Context(), a, identity.NewToken{Name: "Nightly",
		Scopes: scopes, Days: days})
	if err != nil {
		s.t.Fatal(err)
	}
	return made, secret
}

func (s *scene) enter(secret string) (identity.Entry, error) {
	return s.identity.EnterWithToken(s.t.Context(), secret, browser)
}

func TestATokenIsShownOnceAndStoredAsItsHash(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	made, secret := s.token(admin, 30, models.ScopeAuditRead, models.ScopeClustersRead)
	if !strings.HasPrefix(secret, made.Prefix+"_") || !strings.HasPrefix(made.Prefix, "chp_") ||
		len(made.Prefix) != 14 || len(secret) != 74 {
		t.Errorf("%s of %s", made.Prefix, secret)
	}
	if made.Scopes != "clusters:read audit:read" {
		t.Errorf("scopes %q", made.Scopes)
	}
	entry, err := s.enter(secret)
	if err != nil || entry.Confirmed || entry.Actor.SessionHash != "" ||
		entry.Actor.Role != models.FullAdmin || entry.Current.Token == nil {
		t.Fatalf("%+v %v", entry, err)
	}
	if want := email + " (" + made.Prefix + ")"; entry.Actor.Name != want {
		t.Errorf("the record would name %q", entry.Actor.Name)
	}
	err = s.store.View(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Hub().APITokenByHash(secret); err == nil {
			t.Error("the secret itself is stored")
		}
		records, err := tx.In(admin.Organization).Audit(store.AuditQuery{})
		for _, r := range records {
			if strings.Contains(r.After+r.Before, secret[15:]) {
				t.Errorf("a record holds the secret: %+v", r)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestATokenEndsWithItsTimeItsPersonAndItsRevocation(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	other, user := s.otherAdmin()
	_, short := s.token(admin, 1, models.ScopeClustersRead)
	revoked, second := s.token(admin, 365, models.ScopeClustersRead)
	_, theirs := s.token(other, 365, models.ScopeClustersRead)
	s.refused(s.identity.RevokeToken(t.Context(), other, revoked.ID), "not_found")
	for _, secret := range []string{short, second, theirs} {
		if _, err := s.enter(secret); err != nil {
			t.Error(err)
		}
	}
	if err := s.identity.RevokeToken(t.Context(), admin, revoked.ID); err != nil {
		t.Fatal(err)
	}
	_, err := s.enter(second)
	s.refused(err, "invalid_api_token")
	if all, err := s.identity.Tokens(t.Context(), admin); err != nil || len(all) != 1 {
		t.Errorf("%+v %v", all, err)
	}
	if _, err := s.identity.DisableUser(t.Context(), admin, user.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.enter(theirs)
	s.refused(err, "invalid_api_token")
	if _, err := s.identity.EnableUser(t.Context(), admin, user.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.enter(theirs)
	s.refused(err, "invalid_api_token") // it does not come back with its person
	s.clock.pass(24*time.Hour - time.Millisecond)
	if _, err := s.enter(short); err != nil {
		t.Error(err)
	}
	s.clock.pass(time.Millisecond)
	_, err = s.enter(short)
	s.refused(err, "invalid_api_token")
}

func TestTheUseOfATokenIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	_, secret := s.token(admin, 1, models.ScopeClustersRead)
	used := func() time.Time {
		if _, err := s.enter(secret); err != nil {
			t.Fatal(err)
		}
		all, err := s.identity.Tokens(t.Context(), admin)
		if err != nil || len(all) != 1 || all[0].LastUsedAt == nil {
			t.Fatalf("%+v %v", all, err)
		}
		return *all[0].LastUsedAt
	}
	first := used()
	s.clock.pass(59 * time.Second)
	if !used().Equal(first) {
		t.Error("noted again within a minute")
	}
	s.clock.pass(time.Second)
	if !used().Equal(first.Add(time.Minute)) {
		t.Error("not noted after a minute")
	}
}

func TestWhatIsNoTokenIsRefusedWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	_, secret := s.token(s.actor(s.mustSignIn()), 1, models.ScopeClustersRead)
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	for n := range secret {
		changed := []byte(secret)
		changed[n] ^= 1
		_, err := s.enter(string(changed))
		s.refused(err, "invalid_api_token")
	}
	for _, text := range []string{"", "chp_", secret[:73], secret + "a", strings.Repeat("a", 1<<20)} {
		_, err := s.enter(text)
		s.refused(err, "invalid_api_token")
	}
}

func TestWhatATokenMayNotBe(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	for code, n := range map[models.Code]identity.NewToken{
		"invalid_name":     {Name: " ", Scopes: models.Scopes(), Days: 1},
		"invalid_validity": {Name: "T", Scopes: models.Scopes(), Days: 366},
		"invalid_scope":    {Name: "T", Scopes: []models.Scope{"clusters:read", "world:rule"}, Days: 1},
	} {
		_, _, err := s.identity.CreateToken(t.Context(), admin, n)
		s.refused(err, code)
	}
	_, _, err := s.identity.CreateToken(t.Context(), admin, identity.NewToken{Name: "T", Days: 1})
	s.refused(err, "invalid_scope")
	for range 50 {
		s.token(admin, 1, models.ScopeClustersRead)
	}
	_, _, err = s.identity.CreateToken(t.Context(), admin, identity.NewToken{Name: "T", Days: 1,
		Scopes: models.Scopes()})
	s.refused(err, "too_many_tokens")
}
