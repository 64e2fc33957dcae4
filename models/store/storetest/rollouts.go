package storetest

import (
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

func releases(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	again := models.Release{Version: "2.0.0", Kind: models.Regular, State: models.ReleaseDraft,
		Channel: w.Release.Channel, Digest: w.Release.Digest, CreatedAt: w.Now,
		Requirements: models.Requirements{MinVersion: "1.0", Packages: []string{"docker"}}}
	wantDuplicate(t, hub(s, func(h *store.Hub) error { return h.CreateRelease(&again) }),
		store.ReleaseVersion)
	again.Channel, again.CreatedAt = "early", w.Now.Add(time.Second)
	must(t, hub(s, func(h *store.Hub) error { return h.CreateRelease(&again) }))
	must(t, hub(s, func(h *store.Hub) error {
		got, err := h.ReleaseByVersion("early", "2.0.0")
		want(t, "requirements", got.Requirements.Packages[0], "docker")
		if err != nil {
			return err
		}
		same, err := h.ReleasesByDigest(w.Release.Digest)
		want(t, "of one bundle", len(same), 2)
		if err != nil {
			return err
		}
		all, err := h.Releases("")
		want(t, "the newest", all[0].ID, again.ID)
		return err
	}))
	must(t, hub(s, func(h *store.Hub) error {
		of, err := h.Releases("early")
		want(t, "of the channel", len(of), 1)
		return err
	}))
	wantErr(t, hub(s, func(h *store.Hub) error {
		_, err := h.ReleaseByVersion("early", "9")
		return err
	}), store.ErrNotFound)
}

func releaseStates(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	later := w.Now.Add(time.Hour)
	draft := models.Release{Version: "3.0.0", State: models.ReleaseDraft, Channel: "x", CreatedAt: w.Now}
	must(t, hub(s, func(h *store.Hub) error { return h.CreateRelease(&draft) }))
	move := func(from, to models.ReleaseState, at time.Time) error {
		return hub(s, func(h *store.Hub) error { return h.SetReleaseState(draft.ID, from, to, at) })
	}
	wantErr(t, move(models.ReleasePublished, models.ReleasePaused, w.Now), store.ErrUnchanged)
	must(t, move(models.ReleaseDraft, models.ReleasePublished, w.Now))
	must(t, move(models.ReleasePublished, models.ReleasePaused, later))
	must(t, move(models.ReleasePaused, models.ReleasePublished, later))
	must(t, move(models.ReleasePublished, models.ReleaseRecalled, later))
	must(t, hub(s, func(h *store.Hub) error {
		got, err := h.ReleaseByID(draft.ID)
		want(t, "published first", *got.PublishedAt, w.Now)
		want(t, "recalled", *got.EndedAt, later)
		return err
	}))
}

func rollouts(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	second := w.Rollout
	second.ID, second.StartedAt = "", w.Now.Add(time.Hour)
	wantDuplicate(t, w.in(s, func(in *store.Scope) error { return in.CreateRollout(&second) }),
		store.OneOpenRollout)
	move := func(from, to models.RolloutState) error {
		r := w.Rollout
		r.State, r.BlockedBy = to, w.Publisher.ID
		return w.in(s, func(in *store.Scope) error { return in.SetRolloutState(r, from, w.Now) })
	}
	must(t, move(models.RolloutActive, models.RolloutHaltedFailed))
	wantErr(t, move(models.RolloutActive, models.RolloutCompleted), store.ErrUnchanged)
	must(t, w.in(s, func(in *store.Scope) error {
		open, err := in.OpenRollout(w.Cluster.ID)
		want(t, "who blocks", open.BlockedBy, w.Publisher.ID)
		return err
	}))
	must(t, move(models.RolloutHaltedFailed, models.RolloutSuperseded))
	wantErr(t, move(models.RolloutSuperseded, models.RolloutActive), store.ErrUnchanged)
	second.ID = ""
	must(t, w.in(s, func(in *store.Scope) error { return in.CreateRollout(&second) }))
	must(t, w.in(s, func(in *store.Scope) error {
		all, err := in.Rollouts(w.Cluster.ID, 10)
		want(t, "rollouts", len(all), 2)
		want(t, "the newest", all[0].ID, second.ID)
		want(t, "the ended one", all[1].EndedAt != nil, true)
		return err
	}))
}

func (w World) offer(s *store.Store, counter uint64) (models.Permit, error) {
	p := w.NewPermit(models.Fence{Incarnation: 1, Counter: counter})
	err := w.in(s, func(in *store.Scope) error {
		p.ID = ""
		return in.CreatePermit(&p)
	})
	return p, err
}

func (w World) end(s *store.Store, id models.PermitID, from models.PermitState) error {
	return w.in(s, func(in *store.Scope) error {
		return in.EndPermit(id, from, models.Succeeded, "", w.Now)
	})
}

func onePermit(t *testing.T, s *store.Store) {
	w, other := Seed(t, s, ""), Seed(t, s, "2")
	first, err := w.offer(s, 1)
	must(t, err)
	_, err = w.offer(s, 2)
	wantDuplicate(t, err, store.OneOpenPermit)
	_, err = other.offer(s, 1)
	must(t, err)
	must(t, w.in(s, func(in *store.Scope) error { return in.ConfirmPermit(first.ID, "b", w.Now) }))
	_, err = w.offer(s, 2)
	wantDuplicate(t, err, store.OneOpenPermit)
	must(t, hub(s, func(h *store.Hub) error {
		open, err := h.OpenPermits()
		want(t, "open in the hub", len(open), 2)
		return err
	}))
	must(t, w.end(s, first.ID, models.PermitConfirmed))
	foreign := w.NewPermit(models.Fence{Incarnation: 1, Counter: 3})
	foreign.NodeID = other.Publisher.ID
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.CreatePermit(&foreign) }),
		store.ErrNotFound)
	_, err = w.offer(s, 2)
	must(t, err)
}

func permitRace(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	won := race(t, 64, func(i int) error {
		_, err := w.offer(s, uint64(i)+1)
		return err
	}, store.ErrDuplicate)
	want(t, "open permits", won, 1)
}

func permitLife(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	p, err := w.offer(s, 1)
	must(t, err)
	confirm := func(int) error {
		return w.in(s, func(in *store.Scope) error { return in.ConfirmPermit(p.ID, "boot", w.Now) })
	}
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.RenewConfirm(p.ID, "b", w.Now) }),
		store.ErrUnchanged)
	want(t, "confirms", race(t, 16, confirm, store.ErrUnchanged), 1)
	must(t, w.in(s, func(in *store.Scope) error { return in.RenewConfirm(p.ID, "boot2", w.Now) }))
	wantErr(t, w.end(s, p.ID, models.PermitOffered), store.ErrUnchanged)
	ended := race(t, 16, func(int) error { return w.end(s, p.ID, models.PermitConfirmed) },
		store.ErrUnchanged)
	want(t, "ends", ended, 1)
	wantErr(t, confirm(0), store.ErrUnchanged)
	must(t, w.in(s, func(in *store.Scope) error {
		got, err := in.PermitByID(p.ID)
		want(t, "outcome", got.Outcome, models.Succeeded)
		want(t, "boot", got.ConfirmedBoot, "boot2")
		if err != nil {
			return err
		}
		none, err := in.OpenPermit(w.Cluster.ID)
		want(t, "none is open", none == nil, true)
		if err != nil {
			return err
		}
		of, err := in.PermitsOfNode(w.Publisher.ID, 5)
		want(t, "of the node", len(of), 1)
		return err
	}))
}

func permitFences(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	p, err := w.offer(s, 1)
	must(t, err)
	must(t, w.end(s, p.ID, models.PermitOffered))
	_, err = w.offer(s, 1)
	wantDuplicate(t, err, store.PermitFence)
	_, err = w.offer(s, 2)
	must(t, err)
	must(t, w.in(s, func(in *store.Scope) error {
		all, err := in.Permits(w.Cluster.ID, 10)
		want(t, "permits", len(all), 2)
		return err
	}))
}
