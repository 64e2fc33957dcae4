package rollout

import (
	"time"

	"connecthub/models"
	"connecthub/scheduler/window"
)

// Sweep is what time alone does to a cluster, in the background and after every change of its
// releases: it withdraws offers that lapsed, halts on a lost holder, ends and replaces rollouts
// (R13, R18 to R20), and keeps account of the pending upgrade (R12, R13). It has no effect where
// nothing changed.
func Sweep(s Snapshot, now time.Time) []Effect {
	v := newView(s, now)
	if !s.Cluster.Living() {
		return nil
	}
	v.settle()
	v.account()
	return v.effects
}

// account keeps PendingSince, FirstChance and PostponeSpent: from the first pending release until
// none is pending there is one postponement in all (R12).
func (v *view) account() {
	c := &v.s.Cluster
	r := v.target()
	pending := r != nil && r.State != models.ReleaseRecalled ||
		v.permit != nil && v.permit.Kind == models.PermitUpgrade
	passed := c.PostponedStart != nil &&
		!c.PostponedStart.Add(v.s.Plan.Regular.Length).After(v.now)
	postponed := c.PostponedStart != nil
	switch {
	case pending && c.PendingSince == nil && r != nil:
		v.add(SetPending{Since: v.now, FirstChance: v.chance(r.Kind),
			PostponeSpent: postponed && !passed})
	case pending && c.PendingSince != nil && postponed && !c.PostponeSpent:
		e := SetPending{Since: *c.PendingSince, PostponeSpent: true}
		if c.FirstChance != nil {
			e.FirstChance = *c.FirstChance
		}
		v.add(e)
	case !pending && (c.PendingSince != nil || c.FirstChance != nil || c.PostponeSpent || passed):
		v.add(ClearPending{ForgetPostponed: passed})
	}
}

// chance is the start of the window in which the upgrade could start first.
func (v *view) chance(kind models.Kind) time.Time {
	w, open := v.s.Plan.Open(windowKind(kind), v.now)
	if open && !v.now.After(window.StartBy(w)) {
		return w.Start
	}
	return v.s.Plan.NextOpen(windowKind(kind), v.now).Start
}
