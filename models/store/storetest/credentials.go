package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

func domains(t *testing.T, s *store.Store) {
	a, b := Seed(t, s, "1"), Seed(t, s, "2")
	give := func(w World, domain string) error {
		return hub(s, func(h *store.Hub) error { return h.SetDomain(w.Organization.ID, domain) })
	}
	must(t, give(a, "acme.example"))
	wantDuplicate(t, give(b, "acme.example"), store.OrganizationDomain)
	must(t, hub(s, func(h *store.Hub) error {
		found, err := h.OrganizationByDomain("acme.example")
		want(t, "whose domain", found.ID, a.Organization.ID)
		return err
	}))
	must(t, give(a, ""))
	must(t, give(b, ""))
	wantErr(t, hub(s, func(h *store.Hub) error {
		_, err := h.OrganizationByDomain("")
		return err
	}), store.ErrNotFound)
	must(t, hub(s, func(h *store.Hub) error { return h.DisableOrganization(a.Organization.ID, a.Now) }))
	wantErr(t, hub(s, func(h *store.Hub) error {
		return h.DisableOrganization(a.Organization.ID, a.Now)
	}), store.ErrUnchanged)
	must(t, a.in(s, func(in *store.Scope) error {
		o, err := in.LockOwn()
		want(t, "disabled", o.DisabledAt != nil, true)
		o.Language, o.RequireSecondFactor, o.Name = "ja", true, "Another"
		return errors.Join(err, in.SaveSettings(o))
	}))
	must(t, a.in(s, func(in *store.Scope) error {
		suspended := in.SuspendClusters(true)
		rows, err := in.LoadCluster(a.Cluster.ID)
		want(t, "suspended", rows.Cluster.Suspended, true)
		return errors.Join(suspended, err)
	}))
	must(t, b.in(s, func(in *store.Scope) error {
		rows, err := in.LoadCluster(b.Cluster.ID)
		want(t, "another's is", rows.Cluster.Suspended, false)
		return err
	}))
	must(t, hub(s, func(h *store.Hub) error { return h.EnableOrganization(a.Organization.ID) }))
	wantErr(t, hub(s, func(h *store.Hub) error { return h.EnableOrganization(a.Organization.ID) }),
		store.ErrUnchanged)
	must(t, a.in(s, func(in *store.Scope) error {
		o, err := in.Own()
		want(t, "name, language, disabled", fmt.Sprint(o.Name, o.Language, o.RequireSecondFactor, o.DisabledAt),
			"Acme1ja"+"true <nil>")
		return err
	}))
}

func roles(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	change := func(was, next models.Role) error {
		return w.in(s, func(in *store.Scope) error { return in.SetRole(w.User.ID, was, next) })
	}
	admins := func() (n int) {
		must(t, w.in(s, func(in *store.Scope) error {
			all, err := in.FullAdmins()
			n = len(all)
			return err
		}))
		return n
	}
	want(t, "full admins", admins(), 1)
	wantErr(t, change(models.ReadOnlyAdmin, models.FullAdmin), store.ErrUnchanged)
	must(t, change(models.FullAdmin, models.ReadOnlyAdmin))
	want(t, "full admins", admins(), 0)
	must(t, change(models.ReadOnlyAdmin, models.FullAdmin))
	must(t, w.in(s, func(in *store.Scope) error { return in.DisableUser(w.User.ID, w.Now) }))
	want(t, "full admins", admins(), 0)
	must(t, w.in(s, func(in *store.Scope) error { return in.SignedIn(w.User.ID, w.Now) }))
}

func sessionList(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	later := w.Now.Add(time.Minute)
	must(t, w.in(s, func(in *store.Scope) error {
		second := w.session("b", later)
		second.CreatedAt = later
		return errors.Join(in.CreateSession(w.session("a", w.Now)), in.CreateSession(second),
			in.ConfirmSession("a", later))
	}))
	var ids []models.SessionID
	must(t, w.in(s, func(in *store.Scope) error {
		all, err := in.Sessions(w.User.ID)
		for _, one := range all {
			ids = append(ids, one.ID)
		}
		want(t, "newest first", all[0].IDHash, "b")
		want(t, "confirmed", all[1].ConfirmedAt.Equal(later), true)
		return err
	}))
	must(t, w.in(s, func(in *store.Scope) error { return in.EndSession(w.User.ID, ids[0]) }))
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.EndSession(w.User.ID, ids[0]) }),
		store.ErrUnchanged)
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.EndSession("nobody", ids[1]) }),
		store.ErrUnchanged)
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.ConfirmSession("b", later) }),
		store.ErrUnchanged)
}

func (w World) passkey(credential string) *models.Passkey {
	return &models.Passkey{UserID: w.User.ID, Name: "Key", CredentialID: credential,
		PublicKey: []byte{0, 1}, Transports: "usb", BackupEligible: true, SignCount: 3,
		CreatedAt: w.Now}
}

func passkeys(t *testing.T, s *store.Store) {
	a, b := Seed(t, s, "1"), Seed(t, s, "2")
	key := a.passkey("c")
	must(t, a.in(s, func(in *store.Scope) error { return in.CreatePasskey(key) }))
	wantDuplicate(t, b.in(s, func(in *store.Scope) error { return in.CreatePasskey(b.passkey("c")) }),
		store.PasskeyCredential)
	use := func(int) error {
		return a.in(s, func(in *store.Scope) error { return in.UsePasskey(key.ID, 3, 4, a.Now) })
	}
	want(t, "used", race(t, 16, use, store.ErrUnchanged), 1)
	must(t, a.in(s, func(in *store.Scope) error {
		all, err := in.Passkeys(a.User.ID)
		want(t, "passkeys", len(all), 1)
		want(t, "as it went", fmt.Sprintf("%v %s %v %d", all[0].PublicKey, all[0].Transports,
			all[0].BackupEligible, all[0].SignCount), "[0 1] usb true 4")
		everybody, err1 := in.AllPasskeys()
		want(t, "of everybody", len(everybody), 1)
		return errors.Join(err, err1)
	}))
	wantErr(t, a.in(s, func(in *store.Scope) error { return in.DeletePasskey("nobody", key.ID) }),
		store.ErrUnchanged)
	must(t, a.in(s, func(in *store.Scope) error { return in.DeletePasskey(a.User.ID, key.ID) }))
	must(t, a.in(s, func(in *store.Scope) error {
		n, err := in.DeletePasskeysOfUser(a.User.ID)
		want(t, "left", n, 0)
		return err
	}))
}

func (w World) codes(names ...string) (codes []models.RecoveryCode) {
	for _, name := range names {
		codes = append(codes, models.RecoveryCode{IDHash: name, UserID: w.User.ID, CreatedAt: w.Now})
	}
	return codes
}

func recoveryCodes(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	replace := func(names ...string) {
		must(t, w.in(s, func(in *store.Scope) error {
			return in.ReplaceRecoveryCodes(w.User.ID, w.codes(names...))
		}))
	}
	left := func() (n int) {
		must(t, w.in(s, func(in *store.Scope) (err error) {
			n, err = in.RecoveryCodesLeft(w.User.ID)
			return err
		}))
		return n
	}
	use := func(int) error {
		return w.in(s, func(in *store.Scope) error { return in.UseRecoveryCode(w.User.ID, "a", w.Now) })
	}
	replace("a", "b")
	want(t, "used", race(t, 64, use, store.ErrUnchanged), 1)
	want(t, "left", left(), 1)
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.UseRecoveryCode("nobody", "b", w.Now) }),
		store.ErrUnchanged)
	replace("c")
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.UseRecoveryCode(w.User.ID, "b", w.Now) }),
		store.ErrUnchanged)
	replace()
	want(t, "left", left(), 0)
	replace("d", "e")
	must(t, hub(s, func(h *store.Hub) error {
		n, err := h.VoidRecoveryCodes()
		want(t, "voided", n, 2)
		return err
	}))
	want(t, "left after a restore", left(), 0)
}

func (w World) challenge(hash string) *models.SignInChallenge {
	return &models.SignInChallenge{IDHash: hash, UserID: w.User.ID, Purpose: models.ChallengeSignIn,
		BrowserHash: "browser", Data: []byte("{}"), CreatedAt: w.Now,
		ExpiresAt: w.Now.Add(models.ChallengeTTL)}
}

func challenges(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	must(t, w.in(s, func(in *store.Scope) error {
		return errors.Join(in.CreateChallenge(w.challenge("a")), in.CreateChallenge(w.challenge("b")))
	}))
	try := func(was int, at time.Time) error {
		return w.in(s, func(in *store.Scope) error { return in.TryChallenge("a", was, at) })
	}
	use := func(hash string, at time.Time) error {
		return w.in(s, func(in *store.Scope) error { return in.UseChallenge(hash, at) })
	}
	must(t, try(0, w.Now))
	wantErr(t, try(0, w.Now), store.ErrUnchanged)
	wantErr(t, use("b", w.Now.Add(models.ChallengeTTL)), store.ErrUnchanged)
	want(t, "used", race(t, 64, func(int) error { return use("a", w.Now) }, store.ErrUnchanged), 1)
	wantErr(t, try(1, w.Now), store.ErrUnchanged)
	must(t, hub(s, func(h *store.Hub) error {
		c, err := h.ChallengeByHash("a")
		want(t, "of whom", c.UserID, w.User.ID)
		return err
	}))
	must(t, hub(s, func(h *store.Hub) error {
		n, err := h.PurgeChallenges(w.Now)
		want(t, "young ones", n, 0)
		if err != nil {
			return err
		}
		n, err = h.PurgeChallenges(w.Now.Add(models.ChallengeTTL))
		want(t, "old ones", n, 2)
		return err
	}))
	must(t, w.in(s, func(in *store.Scope) error { return in.CreateChallenge(w.challenge("c")) }))
	must(t, w.in(s, func(in *store.Scope) error {
		n, err := in.DeleteChallengesOfUser(w.User.ID)
		want(t, "of the user", n, 1)
		return err
	}))
}

func (w World) invitation(token, email string) *models.Invitation {
	return &models.Invitation{TokenHash: token, Email: email, Role: models.FullAdmin,
		InvitedBy: w.User.Email, CreatedAt: w.Now, ExpiresAt: w.Now.Add(models.InvitationTTL)}
}

func invitations(t *testing.T, s *store.Store) {
	w, other := Seed(t, s, "1"), Seed(t, s, "2")
	first, second := w.invitation("a", "a@example.com"), w.invitation("b", "a@example.com")
	must(t, w.in(s, func(in *store.Scope) error { return in.CreateInvitation(first) }))
	wantDuplicate(t, w.in(s, func(in *store.Scope) error { return in.CreateInvitation(second) }),
		store.OneOpenInvitation)
	must(t, other.in(s, func(in *store.Scope) error {
		return in.CreateInvitation(other.invitation("c", "a@example.com"))
	}))
	must(t, w.in(s, func(in *store.Scope) error {
		ended, err := in.EndInvitationsOf("a@example.com", w.Now)
		want(t, "replaced", ended, 1)
		return errors.Join(err, in.CreateInvitation(second))
	}))
	accept := func(at time.Time) error {
		return w.in(s, func(in *store.Scope) error {
			return in.AcceptInvitation(second.ID, w.User.ID, at)
		})
	}
	open := func(at time.Time) (n int) {
		must(t, w.in(s, func(in *store.Scope) error {
			all, err := in.Invitations(at)
			one, err1 := in.OpenInvitation("a@example.com", at)
			want(t, "found", one != nil, len(all) == 1)
			n = len(all)
			return errors.Join(err, err1)
		}))
		return n
	}
	end := w.Now.Add(models.InvitationTTL)
	want(t, "open", open(w.Now), 1)
	want(t, "open at its end", open(end), 0)
	wantErr(t, accept(end), store.ErrUnchanged)
	want(t, "accepted", race(t, 64, func(int) error { return accept(w.Now) }, store.ErrUnchanged), 1)
	want(t, "open", open(w.Now), 0)
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.EndInvitation(second.ID, w.Now) }),
		store.ErrUnchanged)
	must(t, w.in(s, func(in *store.Scope) error {
		n, err := in.InvitationsSince(w.Now.Add(-time.Second))
		want(t, "made lately", n, 2)
		found, err1 := in.InvitationByID(second.ID)
		want(t, "for whom", found.UserID, w.User.ID)
		return errors.Join(err, err1)
	}))
	must(t, hub(s, func(h *store.Hub) error {
		found, err := h.InvitationByToken("c")
		want(t, "whose", found.OrganizationID, other.Organization.ID)
		return err
	}))
}

func (w World) apiToken(hash string) *models.APIToken {
	return &models.APIToken{UserID: w.User.ID, Name: "Token", Prefix: "chp_a", SecretHash: hash,
		Scopes: "clusters:read", CreatedAt: w.Now, ExpiresAt: w.Now.Add(time.Hour)}
}

func apiTokens(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	one, two := w.apiToken("a"), w.apiToken("b")
	must(t, w.in(s, func(in *store.Scope) error {
		return errors.Join(in.CreateAPIToken(one), in.CreateAPIToken(two),
			in.TouchAPIToken(one.ID, w.Now))
	}))
	find := func(hash string) error {
		return hub(s, func(h *store.Hub) error {
			found, err := h.APITokenByHash(hash)
			if err == nil {
				want(t, "its scope", found.Has(models.ScopeClustersRead), true)
				want(t, "no other", found.Has(models.ScopeClustersWrite) || found.Has(""), false)
			}
			return err
		})
	}
	must(t, find("a"))
	revoke := func(user models.UserID) error {
		return w.in(s, func(in *store.Scope) error { return in.RevokeAPIToken(user, one.ID, w.Now) })
	}
	wantErr(t, revoke("nobody"), store.ErrUnchanged)
	must(t, revoke(w.User.ID))
	wantErr(t, revoke(w.User.ID), store.ErrUnchanged)
	wantErr(t, find("a"), store.ErrNotFound)
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.TouchAPIToken(one.ID, w.Now) }),
		store.ErrUnchanged)
	must(t, w.in(s, func(in *store.Scope) error {
		all, err := in.APITokens(w.User.ID)
		want(t, "listed", len(all), 1)
		n, err1 := in.RevokeAPITokensOfUser(w.User.ID, w.Now)
		want(t, "revoked", n, 1)
		return errors.Join(err, err1)
	}))
	wantErr(t, find("b"), store.ErrNotFound)
	must(t, hub(s, func(h *store.Hub) error {
		n, err := h.PurgePeople(w.Now.Add(time.Hour - time.Microsecond))
		want(t, "too young", n, 0)
		if err != nil {
			return err
		}
		n, err = h.PurgePeople(w.Now.Add(time.Hour))
		want(t, "forgotten", n, 2)
		return err
	}))
}

// The victim's credentials have ids that the attacker knows.
const (
	knownPasskey    models.PasskeyID    = "passkey"
	knownInvitation models.InvitationID = "invitation"
	knownToken      models.APITokenID   = "token"
	knownSession    models.SessionID    = "session"
)

func (w World) storeCredentials(in *store.Scope) error {
	p, i, a := w.passkey(knownSecret), w.invitation(knownSecret, knownSecret), w.apiToken(knownSecret)
	p.ID, i.ID, a.ID = knownPasskey, knownInvitation, knownToken
	session := w.session("listed", w.Now)
	session.ID = knownSession
	return errors.Join(in.CreatePasskey(p), in.CreateInvitation(i), in.CreateAPIToken(a),
		in.CreateSession(session), in.CreateChallenge(w.challenge(knownSecret)),
		in.ReplaceRecoveryCodes(w.User.ID, w.codes(knownSecret)))
}

// dumpCredentials is everything that lets the tenant's people in.
func (w World) dumpCredentials(s *store.Store, text *strings.Builder) error {
	return errors.Join(w.in(s, func(in *store.Scope) error {
		own, err := in.Own()
		keys, err1 := in.Passkeys(w.User.ID)
		codes, err2 := in.RecoveryCodesLeft(w.User.ID)
		open, err3 := in.Invitations(w.Now)
		tokens, err4 := in.APITokens(w.User.ID)
		sessions, err5 := in.Sessions(w.User.ID)
		for _, value := range []any{own, keys, codes, open, tokens, sessions} {
			fmt.Fprintf(text, "%s\n", encode(value))
		}
		return errors.Join(err, err1, err2, err3, err4, err5)
	}), hub(s, func(h *store.Hub) error {
		challenge, err := h.ChallengeByHash(knownSecret)
		fmt.Fprintf(text, "%s\n", encode(challenge))
		return err
	}))
}

// credentials is what the attacker has read of them.
func (k knowledge) credentials(now time.Time) []any {
	p, i, a, c := k.passkey("q"), k.invitation("q", "q"), k.apiToken("q"), k.challenge("q")
	p.OrganizationID, i.OrganizationID = k.Organization.ID, k.Organization.ID
	a.OrganizationID, c.OrganizationID = k.Organization.ID, k.Organization.ID
	return []any{knownPasskey, knownInvitation, knownToken, knownSession, p, i, a, c, k.codes("q"),
		k.Organization, k.User.Role, int64(3), true}
}
