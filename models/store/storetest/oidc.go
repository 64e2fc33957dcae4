package storetest

import (
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// oidcProvider is a provider as an operator sets it.
func oidcProvider(w World) models.OIDCProvider {
	return models.OIDCProvider{Issuer: "https://login.acme.example", ClientID: "hub",
		SealedSecret: "sealed", Hosts: "keys.acme.example", SetAt: w.Now}
}

// oidcLogin is the beginning of a journey to the provider.
func oidcLogin(w World, hash string) *models.OIDCLogin {
	return &models.OIDCLogin{StateHash: hash, BrowserHash: hash, NonceHash: "nonce",
		Issuer: "https://login.acme.example", ClientID: "hub", Purpose: models.OIDCSignIn,
		BeganAt: w.Now, ExpiresAt: w.Now.Add(models.OIDCLoginTTL)}
}

func oidcProviders(t *testing.T, s *store.Store) {
	mine, other := Seed(t, s, "1"), Seed(t, s, "2")
	first := oidcProvider(mine)
	must(t, mine.in(s, func(in *store.Scope) error { return in.SetOIDCProvider(first) }))
	next := first
	next.Required, next.Hosts = true, "a.example b.example"
	must(t, mine.in(s, func(in *store.Scope) error { return in.SetOIDCProvider(next) }))
	must(t, mine.in(s, func(in *store.Scope) error {
		p, err := in.OIDCProvider()
		next.OrganizationID = mine.Organization.ID
		want(t, "the provider", *p, next)
		want(t, "its hosts", len(p.HostList()), 2)
		return err
	}))
	must(t, other.in(s, func(in *store.Scope) error {
		p, err := in.OIDCProvider()
		want(t, "another's has none", p == nil, true)
		return err
	}))
	wantErr(t, other.in(s, (*store.Scope).RemoveOIDCProvider), store.ErrUnchanged)
	must(t, mine.in(s, (*store.Scope).RemoveOIDCProvider))
	wantErr(t, mine.in(s, (*store.Scope).RemoveOIDCProvider), store.ErrUnchanged)
}

func oidcStates(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	for _, hash := range []string{"a", "b", "c"} {
		must(t, w.in(s, func(in *store.Scope) error { return in.CreateOIDCLogin(oidcLogin(w, hash)) }))
	}
	use := func(state, browser string, after time.Duration) error {
		return w.in(s, func(in *store.Scope) error {
			return in.UseOIDCLogin(state, browser, w.Now.Add(after))
		})
	}
	wantErr(t, use("a", "b", 0), store.ErrUnchanged)
	wantErr(t, use("a", "", 0), store.ErrUnchanged)
	wantErr(t, use("", "a", 0), store.ErrUnchanged)
	wantErr(t, use("a", "a", models.OIDCLoginTTL), store.ErrUnchanged)
	won := race(t, 16, func(int) error { return use("a", "a", time.Minute) }, store.ErrUnchanged)
	want(t, "used", won, 1)
	must(t, use("b", "b", models.OIDCLoginTTL-time.Millisecond))
	must(t, hub(s, func(h *store.Hub) error {
		l, err := h.OIDCLoginByState("b")
		want(t, "whose", l.OrganizationID, w.Organization.ID)
		return err
	}))
	must(t, hub(s, func(h *store.Hub) error {
		n, err := h.PurgeOIDCLogins(w.Now.Add(models.OIDCLoginTTL))
		want(t, "forgotten", n, 3)
		return err
	}))
	wantErr(t, hub(s, func(h *store.Hub) error {
		_, err := h.OIDCLoginByState("c")
		return err
	}), store.ErrNotFound)
}

func oidcSubjects(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	second := models.User{Email: "second@acme.example", Name: "Second", Role: models.FullAdmin,
		CreatedAt: w.Now}
	must(t, w.in(s, func(in *store.Scope) error { return in.CreateUser(&second) }))
	bind := func(u models.UserID, issuer, subject string) error {
		return w.in(s, func(in *store.Scope) error {
			return in.BindOIDCSubject(&models.OIDCSubject{Issuer: issuer, Subject: subject,
				UserID: u, BoundAt: w.Now})
		})
	}
	must(t, bind(w.User.ID, "i", "one"))
	wantDuplicate(t, bind(second.ID, "i", "one"), store.OIDCSubjectTaken)
	wantDuplicate(t, bind(w.User.ID, "i", "two"), store.OIDCSubjectOfUser)
	must(t, bind(w.User.ID, "j", "one"))
	must(t, bind(second.ID, "i", "two"))
	must(t, w.in(s, func(in *store.Scope) error {
		b, err := in.OIDCSubject("i", "two")
		want(t, "who", b.UserID, second.ID)
		if err != nil {
			return err
		}
		b, err = in.OIDCSubjectOfUser(w.User.ID, "j")
		want(t, "what", b.Subject, "one")
		return err
	}))
	must(t, w.in(s, func(in *store.Scope) error {
		n, err := in.ForgetOIDCSubjects(w.User.ID)
		want(t, "forgotten", n, 2)
		if err != nil {
			return err
		}
		b, err := in.OIDCSubject("i", "one")
		want(t, "nobody", b == nil, true)
		return err
	}))
}
