package identity_test

import (
	"slices"
	"strings"
	"testing"

	"connecthub/hub/identity"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
)

// download stores a download key or an identity token as the repository does.
func (s *scene) download(a models.Actor, kind models.DownloadKind, name string) models.DownloadCredential {
	s.t.Helper()
	now := storetest.NewClock().Now()
	c := models.DownloadCredential{UserID: a.UserID, Kind: kind, Name: name, Prefix: "chk_abc",
		SecretHash: name + " of " + a.Email, CreatedAt: now}
	if kind == models.IdentityToken {
		ends := now.AddDate(0, 0, 90)
		c.ExpiresAt, c.Days = &ends, 90
	}
	if err := s.store.Update(s.t.Context(), func(tx *store.Tx) error {
		return tx.In(a.Organization).CreateDownloadCredential(&c)
	}); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// downloads counts those of a person that are not revoked.
func (s *scene) downloads(a models.Actor) (left int) {
	s.t.Helper()
	if err := s.store.View(s.t.Context(), func(tx *store.Tx) error {
		all, err := tx.In(a.Organization).DownloadCredentials(a.UserID)
		left = len(all)
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	return left
}

// secrets is a person with two API tokens, a download key and an identity token.
func (s *scene) secrets(a models.Actor) (tokens []string) {
	s.t.Helper()
	for range 2 {
		_, secret := s.token(a, 30, models.ScopeClustersRead)
		tokens = append(tokens, secret)
	}
	s.download(a, models.DownloadKey, "Key")
	s.download(a, models.IdentityToken, "Token")
	return tokens
}

func TestAResetPasswordEndsSessionsTokensAndDownloadKeysOfThatPersonOnly(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *scene) {
		t.Helper()
		in := s.mustSignIn()
		admin := s.actor(in)
		other, _ := s.otherAdmin()
		tokens, others := s.secrets(admin), s.secrets(other)

		_, revoked, err := s.identity.ResetPassword(t.Context(), hubItself, email, "")
		if err != nil || revoked != (identity.Revoked{Sessions: 1, APITokens: 2, DownloadKeys: 2}) {
			t.Fatalf("%+v %v", revoked, err)
		}
		_, err = s.identity.Authenticate(t.Context(), in.Token, browser)
		s.refused(err, "signed_out")
		for _, secret := range tokens {
			_, err := s.enter(secret)
			s.refused(err, "invalid_api_token")
		}
		for _, secret := range others {
			if _, err := s.enter(secret); err != nil {
				t.Errorf("the other person's: %v", err)
			}
		}
		if mine, theirs := s.downloads(admin), s.downloads(other); mine != 0 || theirs != 2 {
			t.Errorf("%d of the person and %d of the other are left", mine, theirs)
		}
		want := []string{"hub password_reset " + email, "hub identity_token_revoked Token",
			"hub download_key_revoked Key", "hub token_revoked Nightly", "hub token_revoked Nightly"}
		got := s.actions(admin.Organization)[:5]
		slices.Sort(got[1:])
		slices.Sort(want[1:])
		if !slices.Equal(got, want) {
			t.Errorf("records %q", got)
		}
	})
}

func TestWhoChangesTheOwnPasswordSaysWhetherTokensAndKeysEnd(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *scene) {
		t.Helper()
		admin := s.actor(s.mustSignIn())
		tokens := s.secrets(admin)
		if err := s.change(admin, s.password, newPassword); err != nil {
			t.Fatal(err)
		}
		if _, err := s.enter(tokens[0]); err != nil || s.downloads(admin) != 2 {
			t.Errorf("not asked for, and ended: %v", err)
		}
		err := s.identity.ChangePassword(t.Context(), admin, identity.PasswordChange{
			Current: newPassword, New: s.password, Revoke: true})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.enter(tokens[1])
		s.refused(err, "invalid_api_token")
		if left := s.downloads(admin); left != 0 {
			t.Errorf("%d are left", left)
		}
		records := strings.Join(s.actions(admin.Organization), "\n")
		for _, want := range []string{"user password_changed " + email, "user token_revoked Nightly",
			"user identity_token_revoked Token", "user download_key_revoked Key"} {
			if !strings.Contains(records, want) {
				t.Errorf("no record %q in %s", want, records)
			}
		}
		s.actor(s.mustSignIn()) // the password of before is the password again
	})
}

func TestARequestThatWasLetInBeforeAResetMakesNoTokenAfterIt(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *scene) {
		t.Helper()
		admin := s.actor(s.mustSignIn())
		if _, _, err := s.identity.ResetPassword(t.Context(), hubItself, email, ""); err != nil {
			t.Fatal(err)
		}
		_, _, err := s.identity.CreateToken(t.Context(), admin, identity.NewToken{Name: "Late",
			Scopes: []models.Scope{models.ScopeClustersRead}, Days: 1})
		s.refused(err, "signed_out")
	})
}
