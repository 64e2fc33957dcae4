package fleet

import (
	"context"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/scheduler/rollout"
)

// MaxMaintenance is the longest that maintenance mode may be asked for at a time (R22).
const MaxMaintenance = 7 * 24 * time.Hour

const maxReason = 500 // characters

// act runs one change of a full admin on a cluster, and what follows from it at once, in one
// transaction; it answers with the cluster's page.
func (f *Fleet) act(ctx context.Context, a Actor, id models.ClusterID,
	do func(w *work, s *store.Scope) error,
) (ClusterView, error) {
	if !a.FullAdmin() {
		return ClusterView{}, models.Forbidden()
	}
	err := f.change(ctx, a, a.Organization, id, func(w *work, s *store.Scope) error {
		w.settle(f.incarnation())
		if err := do(w, s); err != nil {
			return err
		}
		w.settle(f.incarnation())
		return nil
	})
	if err != nil {
		f.forgetUnknown(id)
		return ClusterView{}, err
	}
	return f.Cluster(ctx, a, id)
}

// settle does what time alone has decided, in the hub's name.
func (w *work) settle(incarnation uint64) {
	w.byHub(func() { w.apply(rollout.Sweep(w.snapshot(incarnation, ""), w.now)) })
}

// forgetUnknown takes out an entry that was made for a cluster that there is not.
func (f *Fleet) forgetUnknown(id models.ClusterID) {
	c := f.find(id)
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known {
		f.forget(id)
	}
}

// typed refuses a name that was not typed as it is.
func typed(t TypedName, name string) error {
	if strings.TrimSpace(string(t)) == strings.TrimSpace(name) {
		return nil
	}
	r := models.Invalid("typed_name_differs", "typed_name")
	r.Subject = name
	return r
}

func (w *work) node(id models.NodeID) (*models.Node, error) {
	if n := w.member(id); n != nil {
		return n, nil
	}
	return nil, models.NotFound()
}

// UpgradeNow opens one extra window for the pending release (R15).
func (f *Fleet) UpgradeNow(ctx context.Context, a Actor, id models.ClusterID, t TypedName,
) (ClusterView, error) {
	return f.act(ctx, a, id, func(w *work, _ *store.Scope) error {
		if err := typed(t, w.cluster.DisplayName); err != nil {
			return err
		}
		effects, err := rollout.UpgradeNow(w.snapshot(f.incarnation(), ""), w.now)
		if err != nil {
			return err
		}
		w.apply(effects)
		w.recordCluster(ActionUpgradeNow, nil, WindowView(w.plan.Extra))
		return nil
	})
}

// Retry lets a rollout that a failure has halted go on in the next window (R19).
func (f *Fleet) Retry(ctx context.Context, a Actor, id models.ClusterID) (ClusterView, error) {
	return f.act(ctx, a, id, func(w *work, _ *store.Scope) error {
		effects, err := rollout.Retry(w.snapshot(f.incarnation(), ""), w.now)
		if err != nil {
			return err
		}
		w.apply(effects)
		w.recordCluster(ActionRetried, nil, nil)
		return nil
	})
}

// OverridePermit ends the confirmed permit of a node that is lost (R20).
func (f *Fleet) OverridePermit(ctx context.Context, a Actor, id models.ClusterID,
	permit models.PermitID, t TypedName,
) (ClusterView, error) {
	return f.act(ctx, a, id, func(w *work, _ *store.Scope) error {
		effects, err := rollout.Override(w.snapshot(f.incarnation(), ""), permit, w.now)
		if err != nil {
			return err
		}
		holder := w.permit
		name := string(w.nodeName(holder.NodeID))
		if err := typed(t, name); err != nil {
			return err
		}
		w.apply(effects)
		w.record(ActionOverridden, "permit", string(permit), name, holder.State, models.Overridden)
		return nil
	})
}

// UpgradeDespite lets the next permit pass although this node is silent or unhealthy (R17).
func (f *Fleet) UpgradeDespite(ctx context.Context, a Actor, id models.ClusterID,
	node models.NodeID, t TypedName,
) (ClusterView, error) {
	return f.act(ctx, a, id, func(w *work, _ *store.Scope) error {
		n, err := w.node(node)
		if err != nil {
			return err
		}
		if err := typed(t, string(n.Name)); err != nil {
			return err
		}
		serves := n.Member == models.MemberActive && n.Polling(w.now) &&
			n.Health == models.Healthy && !n.InMaintenance(w.now)
		if serves || n.Member == models.MemberWaiting || n.Member == models.MemberExcluded {
			return models.Conflict("not_blocking", string(n.Name))
		}
		w.cluster.DespiteNode = n.ID
		w.touchCluster()
		w.recordNode(ActionDespite, n, nil, nil)
		return nil
	})
}

// EnterMaintenance begins maintenance mode or renews it (R22).
func (f *Fleet) EnterMaintenance(ctx context.Context, a Actor, id models.ClusterID,
	node models.NodeID, d time.Duration, reason string,
) (ClusterView, error) {
	if d < time.Minute || d > MaxMaintenance {
		return ClusterView{}, models.Invalid("invalid_duration", "minutes")
	}
	reason = strings.TrimSpace(reason)
	if reason == "" || len([]rune(reason)) > maxReason || strings.ContainsRune(reason, 0) {
		return ClusterView{}, models.Invalid("reason_required", "reason")
	}
	return f.act(ctx, a, id, func(w *work, _ *store.Scope) error {
		n, err := w.node(node)
		if err != nil {
			return err
		}
		if !n.InMaintenance(w.now) {
			effects, err := rollout.Maintain(w.snapshot(f.incarnation(), ""), n.ID)
			if err != nil {
				return err
			}
			w.apply(effects)
		}
		before := n.MaintenanceUntil
		n.MaintenanceUntil, n.MaintenanceReason = timePtr(w.now.Add(d)), reason
		w.touchNode(n.ID)
		w.recordNode(ActionMaintenanceEntered, n, before,
			MaintenanceView{*n.MaintenanceUntil, reason})
		return nil
	})
}

// LeaveMaintenance ends maintenance mode.
func (f *Fleet) LeaveMaintenance(ctx context.Context, a Actor, id models.ClusterID,
	node models.NodeID,
) (ClusterView, error) {
	return f.act(ctx, a, id, func(w *work, _ *store.Scope) error {
		n, err := w.node(node)
		if err != nil {
			return err
		}
		if !n.InMaintenance(w.now) {
			return models.Conflict("not_in_maintenance", string(n.Name))
		}
		before := n.MaintenanceUntil
		n.MaintenanceUntil, n.MaintenanceReason = nil, ""
		w.touchNode(n.ID)
		w.recordNode(ActionMaintenanceLeft, n, before, nil)
		return nil
	})
}

// AdmitNode makes a member of a node that joined after registration (R32).
func (f *Fleet) AdmitNode(ctx context.Context, a Actor, id models.ClusterID, node models.NodeID,
) (ClusterView, error) {
	return f.act(ctx, a, id, func(w *work, _ *store.Scope) error {
		n, err := w.node(node)
		if err != nil {
			return err
		}
		if n.Member != models.MemberWaiting {
			return models.Conflict("not_waiting", string(n.Name))
		}
		n.Member = models.MemberActive
		w.touchNode(n.ID)
		w.recordNode(ActionNodeAdmitted, n, models.MemberWaiting, n.Member)
		return nil
	})
}

// AdoptVersion accepts a version that no release describes (R23).
func (f *Fleet) AdoptVersion(ctx context.Context, a Actor, id models.ClusterID,
	node models.NodeID,
) (ClusterView, error) {
	return f.act(ctx, a, id, func(w *work, _ *store.Scope) error {
		n, err := w.node(node)
		if err != nil {
			return err
		}
		odd := n.Version != "" && n.AdoptedOdd != n.Version
		for i := range w.releases {
			odd = odd && w.releases[i].Version != n.Version
		}
		if !odd {
			return models.Conflict("no_odd_version", string(n.Name))
		}
		before := n.AdoptedOdd
		n.AdoptedOdd = n.Version
		w.touchNode(n.ID)
		w.recordNode(ActionVersionAdopted, n, before, n.Version)
		return nil
	})
}

// RemoveNode takes a node out of its cluster for good (R32).
func (f *Fleet) RemoveNode(ctx context.Context, a Actor, id models.ClusterID, node models.NodeID,
	t TypedName,
) (ClusterView, error) {
	view, err := f.act(ctx, a, id, func(w *work, s *store.Scope) error {
		n, err := w.node(node)
		if err != nil {
			return err
		}
		if n.Role == models.Publisher {
			return models.Conflict("publisher_stays", string(n.Name))
		}
		if err := typed(t, string(n.Name)); err != nil {
			return err
		}
		effects, err := rollout.Leave(w.snapshot(f.incarnation(), ""), n.ID, false, w.now)
		if err != nil {
			return err
		}
		w.apply(effects)
		if w.cluster.DespiteNode == n.ID {
			w.cluster.DespiteNode = ""
			w.touchCluster()
		}
		w.recordNode(ActionNodeRemoved, n, n.Member, models.MemberRemoved)
		if err := f.endReplacements(w, s, n.ID); err != nil {
			return err
		}
		if err := s.SetMember(n.ID, n.Member, models.MemberRemoved); err != nil {
			return err
		}
		w.drop(n.ID)
		return f.revoke(s.Tx(), id)
	})
	if err != nil {
		return view, err
	}
	return view, f.everywhere(ctx)
}

// drop takes a removed node out of what decisions see.
func (w *work) drop(id models.NodeID) {
	kept := make([]models.Node, 0, len(w.members))
	for _, n := range w.members {
		if n.ID != id {
			kept = append(kept, n)
		}
	}
	w.members = kept
}

// Deregister ends the cluster's registration in one transaction: every permit, its rollout, and
// with it every credential of its nodes (R6).
func (f *Fleet) Deregister(ctx context.Context, a Actor, id models.ClusterID, t TypedName) error {
	if !a.FullAdmin() {
		return models.Forbidden()
	}
	err := f.change(ctx, a, a.Organization, id, func(w *work, s *store.Scope) error {
		if err := typed(t, w.cluster.DisplayName); err != nil {
			return err
		}
		if p := w.permit; p != nil {
			outcome := models.Withdrawn
			if p.State == models.PermitConfirmed {
				outcome = models.Overridden
			}
			w.apply([]rollout.Effect{rollout.EndPermit{Outcome: outcome,
				Reason: models.ReasonClusterNotRegistered}})
		}
		if w.rollout != nil {
			w.apply([]rollout.Effect{
				rollout.SetRolloutState{State: models.RolloutCancelled}})
		}
		if err := f.endReplacements(w, s, ""); err != nil {
			return err
		}
		if err := w.showNothing(s); err != nil {
			return err
		}
		w.recordCluster(ActionClusterDeregistered, nil, nil)
		w.gone = true // it leaves the roster
		w.after = func() error { return s.Deregister(id, w.now) }
		return f.revoke(s.Tx(), id)
	})
	if err != nil {
		f.forgetUnknown(id)
		return err
	}
	return f.everywhere(ctx)
}

// endReplacements ends the pending Replace node of a member that is none any more, or of all.
func (f *Fleet) endReplacements(w *work, s *store.Scope, node models.NodeID) error {
	gone, err := s.EndReplacements(w.cluster.ID, node, w.now)
	if err != nil {
		return err
	}
	return f.recordAll(s.Tx(), w.actor, gone, ActionRegistrationCancelled)
}
