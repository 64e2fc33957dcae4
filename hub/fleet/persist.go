package fleet

import (
	"context"
	"errors"
	"fmt"

	"connecthub/models"
	"connecthub/models/store"
)

// persist writes what a work has changed, in the order in which it became so: what ended makes room
// before what begins.
func (w *work) persist(s *store.Scope) error {
	for _, r := range w.rollouts {
		if err := w.persistRollout(s, r); err != nil {
			return fmt.Errorf("cannot store the rollout: %w", err)
		}
	}
	for _, p := range w.permits {
		if err := w.persistPermit(s, p); err != nil {
			return fmt.Errorf("cannot store the permit: %w", err)
		}
	}
	if w.clusterChanged {
		if err := s.SaveCluster(w.cluster); err != nil {
			return fmt.Errorf("cannot store the cluster: %w", err)
		}
	}
	for _, id := range w.nodesChanged {
		if n := w.member(id); n != nil {
			if err := s.SaveNode(*n); err != nil {
				return fmt.Errorf("cannot store the node: %w", err)
			}
		}
	}
	for i := range w.audits {
		if err := s.AppendAudit(&w.audits[i]); err != nil {
			return fmt.Errorf("cannot store the audit record: %w", err)
		}
	}
	if w.after != nil {
		return w.after()
	}
	return nil
}

func (w *work) persistRollout(s *store.Scope, r *models.Rollout) error {
	if w.fresh[string(r.ID)] {
		row := *r
		return s.CreateRollout(&row)
	}
	return s.SetRolloutState(*r, w.loadedRollout.State, w.now)
}

// persistPermit goes through the states one by one, each a conditional update (R16, R20).
func (w *work) persistPermit(s *store.Scope, p *models.Permit) error {
	if w.adopts(p.ID) {
		return w.persistAdopted(s, p)
	}
	if w.fresh[string(p.ID)] {
		row := *p
		return s.CreatePermit(&row)
	}
	from := w.loadedPermit.State
	if p.ConfirmedAt != nil && p.ConfirmedAt.Equal(w.now) {
		confirm := s.ConfirmPermit
		if from == models.PermitConfirmed {
			confirm = s.RenewConfirm
		}
		if err := confirm(p.ID, p.ConfirmedBoot, w.now); err != nil {
			return err
		}
		from = models.PermitConfirmed
	}
	if p.State != models.PermitEnded {
		return nil
	}
	return s.EndPermit(p.ID, from, p.Outcome, p.Detail, w.now)
}

func (w *work) adopts(id models.PermitID) bool {
	for _, a := range w.adopted {
		if a == id {
			return true
		}
	}
	return false
}

func (w *work) persistAdopted(s *store.Scope, p *models.Permit) error {
	_, err := s.PermitByID(p.ID)
	row := *p
	if errors.Is(err, store.ErrNotFound) {
		return s.CreatePermit(&row)
	}
	if err != nil {
		return err
	}
	return s.ReopenPermit(row)
}

// load reads a living cluster under its lock.
func (f *Fleet) load(s *store.Scope, id models.ClusterID) (rows, error) {
	if _, err := s.LockCluster(id); err != nil {
		return rows{}, notFound(err)
	}
	stored, err := s.LoadCluster(id)
	if err != nil {
		return rows{}, notFound(err)
	}
	return rowsOf(stored)
}

func rowsOf(stored store.ClusterRows) (rows, error) {
	plan, err := planOf(stored.Cluster)
	if err != nil {
		return rows{}, fmt.Errorf("cannot read the schedule of cluster %s: %w",
			stored.Cluster.ID, err)
	}
	return rows{cluster: stored.Cluster, plan: plan, members: stored.Nodes,
		releases: stored.Releases, rollout: stored.Rollout, permit: stored.Permit}, nil
}

// notFound makes what is not there, and what is another's, the same refusal (R29).
func notFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return models.NotFound()
	}
	return err
}

// change runs do on the rows of a cluster in one transaction, writes what it has changed, and then
// lets the roster know. Polls of the cluster wait meanwhile; the others do not.
func (f *Fleet) change(ctx context.Context, a Actor, org models.OrganizationID,
	id models.ClusterID, do func(w *work, s *store.Scope) error,
) error {
	c := f.entry(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	return f.changeLocked(ctx, c, a, org, id, do)
}

// changeLocked is change for a caller that holds the cluster's lock.
func (f *Fleet) changeLocked(ctx context.Context, c *cluster, a Actor,
	org models.OrganizationID, id models.ClusterID, do func(w *work, s *store.Scope) error,
) error {
	var w *work
	err := f.o.Store.Update(ctx, func(tx *store.Tx) error {
		s := tx.In(org)
		loaded, err := f.load(s, id)
		if err != nil {
			return err
		}
		c.overlay(&loaded)
		w = &work{rows: loaded, now: f.now(), actor: a, newID: f.newID(tx),
			loadedRollout: loaded.rollout, loadedPermit: loaded.permit}
		if err := do(w, s); err != nil {
			return err
		}
		if err := w.persist(s); err != nil {
			return err
		}
		if !w.changed() {
			return nil
		}
		return f.tell(tx, org, id, "")
	})
	if err != nil {
		return err
	}
	if w.gone {
		c.clear()
		f.end(id)
		return nil
	}
	c.set(w.rows)
	return nil
}

func (f *Fleet) newID(tx *store.Tx) func() string {
	return func() string { return store.NewID[string](tx) }
}
