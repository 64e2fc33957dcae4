package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/scheduler/rollout"
)

// hubActor is the hub itself: what time alone does.
func hubActor() Actor { return Actor{Kind: models.ActorHub, Name: "hub"} }

// ExpireRegistrations writes down which registrations have passed their time (R2).
func (f *Fleet) ExpireRegistrations(ctx context.Context) error {
	return f.o.Store.Update(ctx, func(tx *store.Tx) error {
		ended, err := tx.Hub().ExpireRegistrations(f.now())
		if err != nil {
			return fmt.Errorf("cannot expire registrations: %w", err)
		}
		for _, r := range ended {
			if err := f.recordRegistration(tx, hubActor(), r, ActionRegistrationExpired); err != nil {
				return err
			}
		}
		return nil
	})
}

// SweepPermits does what time alone does to each cluster: lapsed offers, lost holders, rollouts that
// have reached their end, the account of pending upgrades (R12, R13, R18 to R20).
func (f *Fleet) SweepPermits(ctx context.Context) error {
	failed := f.watchReleases(ctx)
	for _, c := range f.all() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed = errors.Join(failed, f.sweep(ctx, c))
	}
	return failed
}

// watchReleases notices what another process, such as a command on the same machine, did to the
// releases: on SQLite nobody tells.
func (f *Fleet) watchReleases(ctx context.Context) error {
	var releases []models.Release
	err := f.o.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		releases, err = tx.Hub().Releases("")
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot look at the releases: %w", err)
	}
	now := make(map[models.ReleaseID]models.ReleaseState, len(releases))
	for _, r := range releases {
		now[r.ID] = r.State
	}
	before := f.releases.Swap(&now)
	if before == nil || !maps.Equal(*before, now) {
		f.refresh(ctx)
	}
	return nil
}

func (f *Fleet) sweep(ctx context.Context, c *cluster) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known || len(rollout.Sweep(c.rows.snapshot(f.incarnation(), ""), f.now())) == 0 {
		return nil
	}
	id, org := c.rows.cluster.ID, c.rows.cluster.OrganizationID
	err := f.changeLocked(ctx, c, hubActor(), org, id, func(w *work, _ *store.Scope) error {
		w.apply(rollout.Sweep(w.snapshot(f.incarnation(), ""), w.now))
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot sweep cluster %s: %w", id, err)
	}
	return nil
}

// FlushSeen writes when nodes were seen that had no news.
func (f *Fleet) FlushSeen(ctx context.Context) error {
	var batch []store.Seen
	for _, c := range f.all() {
		batch = c.seen(batch)
	}
	if len(batch) == 0 {
		return nil
	}
	err := f.o.Store.Update(ctx, func(tx *store.Tx) error { return tx.Hub().SaveSeen(batch) })
	if err != nil {
		return fmt.Errorf("cannot store when nodes were seen: %w", err)
	}
	return nil
}

// seen takes out who was seen since the last batch.
func (c *cluster) seen(batch []store.Seen) []store.Seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, dirty := range c.dirty {
		n := &c.rows.members[i]
		if dirty && n.SeenAt != nil {
			batch = append(batch, store.Seen{Node: n.ID, At: *n.SeenAt, Counter: n.Counter,
				IntervalSeconds: n.IntervalSeconds})
		}
		c.dirty[i] = false
	}
	return batch
}

// PurgeOld forgets what cannot count any more.
func (f *Fleet) PurgeOld(ctx context.Context) error {
	now := f.now()
	f.tokens.mu.Lock()
	f.tokens.drop(now)
	f.tokens.mu.Unlock()
	return f.o.Store.Update(ctx, func(tx *store.Tx) error {
		h := tx.Hub()
		if err := h.ExpireHeadless(now, now.Add(-headlessKept)); err != nil {
			return err
		}
		if err := h.PurgeAttempts(now); err != nil {
			return err
		}
		if err := h.PurgeRotatedKeys(now.Add(-oldKeysFor)); err != nil {
			return err
		}
		if f.o.Replicated {
			if err := h.PurgeReplicas(now); err != nil {
				return err
			}
		}
		_, err := h.PurgeAssertions(now)
		return err
	})
}
