package storetest

import (
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

func (w World) register(t testing.TB, s *store.Store, fqdn models.FQDN, secret string) models.Registration {
	t.Helper()
	r := w.NewRegistration(fqdn, secret)
	must(t, w.in(s, func(in *store.Scope) error { return in.CreateRegistration(&r) }))
	return r
}

func (w World) claim(s *store.Store, id models.RegistrationID, secret, key string, at time.Time) error {
	return w.in(s, func(in *store.Scope) error {
		return in.ClaimRegistration(id, store.Claimed{SecretHash: secret, KeyThumb: key, At: at,
			ReturnBy: at.Add(models.ReturnTTL), ReturnCodeHash: "code of " + secret,
			Claim: []byte(`{"key":"` + key + `"}`)})
	})
}

func (w World) registration(t testing.TB, s *store.Store, id models.RegistrationID) models.Registration {
	t.Helper()
	var r models.Registration
	must(t, w.in(s, func(in *store.Scope) (err error) {
		r, err = in.RegistrationByID(id)
		return err
	}))
	return r
}

func claimInTime(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	end := w.Now.Add(models.RegistrationTTL)
	late := w.register(t, s, "late.example.com", "late")
	wantErr(t, w.claim(s, late.ID, "late", "k", end), store.ErrUnchanged)
	wantErr(t, w.claim(s, late.ID, "late", "k", end.Add(time.Microsecond)), store.ErrUnchanged)
	want(t, "nothing changed", w.registration(t, s, late.ID).State, models.RegistrationPending)
	for name, early := range map[string]time.Duration{"a": time.Millisecond, "b": time.Microsecond} {
		r := w.register(t, s, models.FQDN(name+".example.com"), name)
		// a clock in another zone is the same clock
		at := end.Add(-early).In(time.FixedZone("JST", 9*3600))
		must(t, w.claim(s, r.ID, name, "k"+name, at))
		got := w.registration(t, s, r.ID)
		want(t, "state", got.State, models.RegistrationClaimed)
		want(t, "claim", string(got.Claim), `{"key":"k`+name+`"}`)
		want(t, "claimed at", *got.ClaimedAt, at.UTC())
		wantErr(t, w.claim(s, r.ID, name, "k"+name, at), store.ErrUnchanged)
	}
}

func claimRace(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	r := w.register(t, s, "new.example.com", "secret")
	won := race(t, 64, func(int) error {
		return w.claim(s, r.ID, "secret", "k", w.Now.Add(time.Minute))
	}, store.ErrUnchanged)
	want(t, "claims that counted", won, 1)
}

func claimBinding(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	r := w.register(t, s, "new.example.com", "secret")
	must(t, w.in(s, func(in *store.Scope) error {
		return in.BindRegistration(r.ID, "k1", "ABC-123", w.Now)
	}))
	must(t, hub(s, func(h *store.Hub) error {
		found, err := h.RegistrationBySecretHash("secret")
		want(t, "comparison code", found.ComparisonCode, "ABC-123")
		return err
	}))
	wantErr(t, w.claim(s, r.ID, "guess", "k1", w.Now), store.ErrUnchanged)
	wantErr(t, w.claim(s, r.ID, "secret", "k2", w.Now), store.ErrUnchanged)
	wantErr(t, w.claim(s, r.ID, "", "k1", w.Now), store.ErrUnchanged)
	must(t, w.claim(s, r.ID, "secret", "k1", w.Now))
	wantErr(t, w.in(s, func(in *store.Scope) error {
		return in.BindRegistration(r.ID, "k3", "XYZ", w.Now)
	}), store.ErrUnchanged)
	for _, hash := range []string{"", "guess"} {
		wantErr(t, hub(s, func(h *store.Hub) error {
			_, err := h.RegistrationBySecretHash(hash)
			return err
		}), store.ErrNotFound)
	}
}

func completeBinding(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	r := w.register(t, s, "new.example.com", "secret")
	complete := func(session, code string, at time.Time) error {
		return w.in(s, func(in *store.Scope) error {
			return in.CompleteRegistration(r.ID, store.Completed{SessionHash: session,
				ReturnCodeHash: code, At: at, ClusterID: w.Cluster.ID, NodeID: w.Publisher.ID})
		})
	}
	wantErr(t, complete("session", "code of secret", w.Now), store.ErrUnchanged)
	must(t, w.claim(s, r.ID, "secret", "k", w.Now))
	end := w.Now.Add(models.ReturnTTL)
	wantErr(t, complete("other", "code of secret", w.Now), store.ErrUnchanged)
	wantErr(t, complete("session", "other", w.Now), store.ErrUnchanged)
	wantErr(t, complete("session", "", w.Now), store.ErrUnchanged)
	wantErr(t, complete("session", "code of secret", end), store.ErrUnchanged)
	must(t, w.in(s, func(in *store.Scope) error {
		found, err := in.RegistrationByReturnCode("code of secret")
		want(t, "by code", found.ID, r.ID)
		return err
	}))
	won := race(t, 16, func(int) error {
		return complete("session", "code of secret", end.Add(-time.Microsecond))
	}, store.ErrUnchanged)
	want(t, "completions that counted", won, 1)
	got := w.registration(t, s, r.ID)
	want(t, "state", got.State, models.RegistrationCompleted)
	want(t, "cluster", got.ClusterID, w.Cluster.ID)
}

func supersede(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	old := w.register(t, s, "new.example.com", "one")
	again := w.NewRegistration("new.example.com", "two")
	wantDuplicate(t, w.in(s, func(in *store.Scope) error { return in.CreateRegistration(&again) }),
		store.OnePendingRegistration)
	must(t, w.in(s, func(in *store.Scope) error {
		gone, err := in.SupersedeRegistrations("new.example.com", w.Now)
		want(t, "superseded", len(gone), 1)
		if err != nil {
			return err
		}
		return in.CreateRegistration(&again)
	}))
	wantErr(t, w.claim(s, old.ID, "one", "k", w.Now), store.ErrUnchanged)
	must(t, w.claim(s, again.ID, "two", "k", w.Now))
	twin := w.NewRegistration("other.example.com", "two")
	wantDuplicate(t, w.in(s, func(in *store.Scope) error { return in.CreateRegistration(&twin) }),
		store.RegistrationSecret)
}

func expire(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	end := w.Now.Add(models.RegistrationTTL)
	r := w.register(t, s, "a.example.com", "a")
	stranded := w.register(t, s, "b.example.com", "b")
	must(t, w.claim(s, stranded.ID, "b", "k", w.Now))
	sweep := func(at time.Time) int {
		var ended []models.Registration
		must(t, hub(s, func(h *store.Hub) (err error) {
			ended, err = h.ExpireRegistrations(at)
			return err
		}))
		return len(ended)
	}
	want(t, "before the return leg ends", sweep(w.Now.Add(models.ReturnTTL-1000)), 0)
	want(t, "when the return leg ends", sweep(w.Now.Add(models.ReturnTTL)), 1)
	want(t, "stranded", w.registration(t, s, stranded.ID).State, models.RegistrationExpired)
	want(t, "before 15 minutes", sweep(end.Add(-time.Microsecond)), 0)
	want(t, "at 15 minutes", sweep(end), 1)
	want(t, "late", w.registration(t, s, r.ID).State, models.RegistrationExpired)
	want(t, "nothing is left", sweep(end.Add(time.Hour)), 0)
	must(t, w.in(s, func(in *store.Scope) error {
		if _, err := in.SupersedeRegistrations("a.example.com", end); err != nil {
			return err
		}
		cards, err := in.Registrations()
		want(t, "cards", len(cards), 1)
		return err
	}))
}

func cancelAndDismiss(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	r := w.register(t, s, "a.example.com", "a")
	cancel := func(in *store.Scope) error { return in.CancelRegistration(r.ID, w.Now) }
	dismiss := func(in *store.Scope) error { return in.DismissRegistration(r.ID, w.Now) }
	wantErr(t, w.in(s, dismiss), store.ErrUnchanged)
	must(t, w.in(s, cancel))
	wantErr(t, w.in(s, cancel), store.ErrUnchanged)
	wantErr(t, w.claim(s, r.ID, "a", "k", w.Now), store.ErrUnchanged)
	must(t, w.in(s, dismiss))
	wantErr(t, w.in(s, dismiss), store.ErrUnchanged)
	replace := w.NewRegistration("cc-sub.example.com", "b")
	replace.Kind, replace.NodeID = models.RegisterReplacement, w.Subscriber.ID
	must(t, w.in(s, func(in *store.Scope) error { return in.CreateRegistration(&replace) }))
	must(t, w.in(s, func(in *store.Scope) error {
		found, err := in.OpenRegistrationOfNode(w.Subscriber.ID)
		want(t, "replacement", found != nil && found.ID == replace.ID, true)
		if err != nil {
			return err
		}
		none, err := in.OpenRegistrationOfNode(w.Publisher.ID)
		want(t, "no replacement", none == nil, true)
		return err
	}))
}

func deny(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	r := w.register(t, s, "a.example.com", "a")
	deny := func(secret string, at time.Time) error {
		return w.in(s, func(in *store.Scope) error { return in.DenyRegistration(r.ID, secret, at) })
	}
	wantErr(t, deny("guess", w.Now), store.ErrUnchanged)
	wantErr(t, deny("a", w.Now.Add(models.RegistrationTTL)), store.ErrUnchanged)
	must(t, deny("a", w.Now))
	wantErr(t, deny("a", w.Now), store.ErrUnchanged)
	must(t, hub(s, func(h *store.Hub) error {
		found, err := h.RegistrationByID(r.ID)
		want(t, "state", found.State, models.RegistrationDenied)
		return err
	}))
}
