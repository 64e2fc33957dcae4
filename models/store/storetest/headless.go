package storetest

import (
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

func burn(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	for name, end := range map[string]func(in *store.Scope, id models.RegistrationID) error{
		"burned": func(in *store.Scope, id models.RegistrationID) error {
			return in.BurnRegistration(id, models.EndedOtherSession, w.Now)
		},
		"denied": func(in *store.Scope, id models.RegistrationID) error {
			return in.RefuseRegistration(id, models.EndedByNode, w.Now)
		},
	} {
		r := w.register(t, s, models.FQDN(name+".example.com"), name)
		do := func() error {
			return w.in(s, func(in *store.Scope) error { return end(in, r.ID) })
		}
		wantErr(t, do(), store.ErrUnchanged)
		must(t, w.claim(s, r.ID, name, "k", w.Now))
		won := race(t, 16, func(int) error { return do() }, store.ErrUnchanged)
		want(t, "ends that counted", won, 1)
		got := w.registration(t, s, r.ID)
		want(t, "state", string(got.State), name)
		want(t, "why", got.EndedWhy != "" && got.EndedAt != nil, true)
		wantErr(t, w.in(s, func(in *store.Scope) error {
			return in.CompleteRegistration(r.ID, store.Completed{SessionHash: "session",
				ReturnCodeHash: "code of " + name, At: w.Now, ClusterID: w.Cluster.ID})
		}), store.ErrUnchanged)
		wantErr(t, w.in(s, func(in *store.Scope) error {
			return in.CancelRegistration(r.ID, w.Now)
		}), store.ErrUnchanged)
	}
	must(t, w.in(s, func(in *store.Scope) error {
		cards, err := in.Registrations()
		want(t, "cards", len(cards), 2)
		return err
	}))
}

func comparisons(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	r := w.register(t, s, "a.example.com", "a")
	count := func(was int) error {
		return w.in(s, func(in *store.Scope) error { return in.CountComparison(r.ID, was) })
	}
	wantErr(t, count(0), store.ErrUnchanged)
	must(t, w.claim(s, r.ID, "a", "k", w.Now))
	won := race(t, 16, func(int) error { return count(0) }, store.ErrUnchanged)
	want(t, "counts", won, 1)
	must(t, count(1))
	want(t, "attempts", w.registration(t, s, r.ID).ComparisonAttempts, 2)
}

func replacements(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	begin := func(node models.Node) models.Registration {
		r := w.NewRegistration(node.Name, string(node.Name))
		r.Kind, r.ClusterID, r.NodeID = models.RegisterReplacement, w.Cluster.ID, node.ID
		must(t, w.in(s, func(in *store.Scope) error { return in.CreateRegistration(&r) }))
		return r
	}
	pub, sub := begin(w.Publisher), begin(w.Subscriber)
	other := w.register(t, s, "other.example.com", "other")
	end := func(node models.NodeID) int {
		var gone []models.Registration
		must(t, w.in(s, func(in *store.Scope) (err error) {
			gone, err = in.EndReplacements(w.Cluster.ID, node, w.Now)
			return err
		}))
		return len(gone)
	}
	want(t, "of the subscriber", end(w.Subscriber.ID), 1)
	want(t, "of the publisher", w.registration(t, s, pub.ID).State, models.RegistrationPending)
	want(t, "of the rest", end(""), 1)
	want(t, "of nobody", end(""), 0)
	want(t, "ended", w.registration(t, s, sub.ID).EndedWhy, models.EndedMemberGone)
	want(t, "a cluster's", w.registration(t, s, other.ID).State, models.RegistrationPending)
}

func (w World) headless(key, code string) models.HeadlessRequest {
	return models.HeadlessRequest{CodeHash: code, SecretHash: "secret of " + code, KeyThumb: key,
		FQDN: "new.example.com", Claim: []byte(`{"key":"k"}`), Address: "192.0.2.7",
		State: models.HeadlessPending, IntervalSeconds: 5, CreatedAt: w.Now,
		ExpiresAt: w.Now.Add(models.RegistrationTTL)}
}

func headless(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	r := w.headless("k", "code")
	must(t, hub(s, func(h *store.Hub) error { return h.CreateHeadless(&r, w.Now) }))
	twin := w.headless("k2", "code")
	twin.SecretHash = "another secret"
	wantDuplicate(t, hub(s, func(h *store.Hub) error { return h.CreateHeadless(&twin, w.Now) }),
		store.HeadlessCode)
	find := func() (found models.HeadlessRequest) {
		must(t, hub(s, func(h *store.Hub) (err error) {
			found, err = h.HeadlessBySecret("secret of code")
			return err
		}))
		return found
	}
	want(t, "as it went", string(find().Claim), string(r.Claim))
	approve := func(at time.Time) error {
		return hub(s, func(h *store.Hub) error { return h.ApproveHeadless(r.ID, "reg", at) })
	}
	wantErr(t, approve(r.ExpiresAt), store.ErrUnchanged)
	won := race(t, 16, func(int) error { return approve(r.ExpiresAt.Add(-time.Microsecond)) },
		store.ErrUnchanged)
	want(t, "approvals that counted", won, 1)
	must(t, hub(s, func(h *store.Hub) error { return h.SawHeadless(r.ID, 10, w.Now) }))
	want(t, "interval", find().IntervalSeconds, 10)
	end := func() error {
		return hub(s, func(h *store.Hub) error {
			return h.EndHeadless(r.ID, models.HeadlessApproved, models.HeadlessAccepted, w.Now)
		})
	}
	want(t, "ends that counted", race(t, 16, func(int) error { return end() }, store.ErrUnchanged), 1)
	must(t, hub(s, func(h *store.Hub) error { return h.CreateHeadless(&twin, w.Now) }))
	must(t, hub(s, func(h *store.Hub) error {
		n, err := h.CountHeadless()
		want(t, "waiting", n, 1)
		return err
	}))
	must(t, hub(s, func(h *store.Hub) error {
		return h.ExpireHeadless(r.ExpiresAt, w.Now.Add(time.Second))
	}))
	wantErr(t, hub(s, func(h *store.Hub) error {
		_, err := h.HeadlessBySecret("secret of code")
		return err
	}), store.ErrNotFound)
}

func headlessAgain(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	for i, code := range []string{"one", "two"} {
		r := w.headless("k", code)
		r.SecretHash = code
		must(t, hub(s, func(h *store.Hub) error { return h.CreateHeadless(&r, w.Now) }))
		for j, other := range []string{"one", "two"} {
			err := hub(s, func(h *store.Hub) error {
				_, err := h.HeadlessByCode(other)
				return err
			})
			want(t, "the code "+other, err == nil, i == j)
		}
	}
	must(t, hub(s, func(h *store.Hub) error { return h.VoidHeadless(w.Now) }))
	wantErr(t, hub(s, func(h *store.Hub) error {
		_, err := h.HeadlessByCode("two")
		return err
	}), store.ErrNotFound)
}

func attempts(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	until := w.Now.Add(time.Minute)
	race(t, 16, func(int) error {
		return hub(s, func(h *store.Hub) error { return h.Attempt("a", w.Now, until) })
	})
	count := func(id string, at time.Time) (n int) {
		must(t, hub(s, func(h *store.Hub) (err error) {
			n, _, err = h.Attempts(id, at)
			return err
		}))
		return n
	}
	want(t, "attempts", count("a", until.Add(-time.Microsecond)), 16)
	want(t, "of another", count("b", w.Now), 0)
	want(t, "later", count("a", until), 0)
	must(t, hub(s, func(h *store.Hub) error { return h.Attempt("a", until, until.Add(time.Hour)) }))
	want(t, "afresh", count("a", until), 1)
	must(t, hub(s, func(h *store.Hub) error { return h.PurgeAttempts(until.Add(time.Hour)) }))
	want(t, "purged", count("a", until), 0)
}
