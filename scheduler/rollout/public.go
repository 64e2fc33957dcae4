package rollout

import (
	"time"

	"connecthub/models"
	"connecthub/scheduler/window"
)

// Public is what the asking node may see of the decision that was taken of s at now (R14). Outside
// every open window it is the same whatever releases there are; while a window of one kind is
// open, releases of the other kind do not exist. Only a node that holds a confirmed permit is
// always told so: it knows its release, and stops nothing that it was not allowed to.
func (d Decision) Public(s Snapshot, now time.Time) Decision {
	d.Effects = nil
	if !s.holds(r14) || d.Reason == models.ReasonClusterNotRegistered {
		return d
	}
	if p := s.Permit; p != nil && p.NodeID == s.Asking && d.Verb == models.VerbUpgrade &&
		(p.State == models.PermitConfirmed || p.Kind == models.PermitLocal) {
		return d
	}
	_, regular := s.Plan.Open(window.Regular, now)
	_, emergency := s.Plan.Open(window.Emergency, now)
	switch {
	case regular && emergency:
		return d
	case !regular && !emergency:
		return closed(&s, now)
	case d.Verb == models.VerbUpgrade:
		return d // offered, so a window of its kind is open
	case regular:
		return seen(s, models.Emergency, now)
	}
	return seen(s, models.Regular, now)
}

// closed is the one answer outside the windows.
func closed(s *Snapshot, now time.Time) Decision {
	return Decision{Verb: models.VerbHold, Reason: models.ReasonWindowClosed,
		Earliest: s.Plan.NextEither(now).Start}
}

// seen decides as if there were no releases of the hidden kind. Where that would start what the
// true decision does not, the node is told that the window is closed: no reason is left to give.
func seen(s Snapshot, hidden models.Kind, now time.Time) Decision {
	v := newView(s, now)
	v.hidden = hidden
	if v.rollout != nil && v.rollout.Kind == hidden {
		v.rollout = nil
	}
	if v.permit != nil {
		if r := s.release(v.permit.ReleaseID); r != nil && r.Kind == hidden {
			v.permit = nil
		}
	}
	v.settle()
	d := v.choose()
	d.Effects = nil
	if d.Verb == models.VerbUpgrade {
		return closed(&s, now)
	}
	return d
}
