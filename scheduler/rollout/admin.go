package rollout

import (
	"time"

	"connecthub/models"
	"connecthub/scheduler/window"
)

// Override ends a confirmed permit whose holder is lost, as an admin has typed: the holder is
// excluded until it polls healthy again, and the others may go on (R20). It refuses with
// permit_not_open, permit_not_confirmed, and holder_not_lost before 15 minutes of silence.
func Override(s Snapshot, permit models.PermitID, now time.Time) ([]Effect, error) {
	v := newView(s, now)
	p := s.Permit
	switch {
	case p == nil || p.ID != permit:
		return nil, models.Conflict("permit_not_open", "")
	case p.State != models.PermitConfirmed:
		return nil, models.Conflict("permit_not_confirmed", "")
	case !v.silent(p, LostAfter):
		refusal := models.Conflict("holder_not_lost", s.nameOf(p.NodeID))
		refusal.RetryAfter = LostAfter - now.Sub(lastHeard(&s, p))
		return nil, refusal
	}
	v.override()
	v.add(SetMember{Node: p.NodeID, State: models.MemberExcluded})
	return v.effects, nil
}

// override ends the permit for the admin, and lets its rollout go on.
func (v *view) override() {
	p := v.permit
	ours := v.rollout != nil && p.RolloutID == v.rollout.ID
	v.endPermit(EndPermit{Outcome: models.Overridden, Reason: models.ReasonOverridden,
		Subject: v.s.nameOf(p.NodeID)})
	if ours {
		v.resume()
	}
}

// Retry lets a rollout that a failure has halted go on in the next window, and the nodes try its
// version again (R19, R28); so, too, where nothing is halted and a node that was rolled back by hand
// holds the cluster (R33). It refuses with not_halted, and with halted_lost while a silent node may
// have a service down.
func Retry(s Snapshot, now time.Time) ([]Effect, error) {
	v := newView(s, now)
	blocked := v.blocker()
	switch {
	case s.Rollout != nil && s.Rollout.State == models.RolloutHaltedLost:
		return nil, models.Conflict("halted_lost", s.nameOf(s.Rollout.BlockedBy))
	case s.Rollout != nil && s.Rollout.State == models.RolloutHaltedFailed:
		blocked = s.Rollout.BlockedBy
	case blocked == "":
		return nil, models.Conflict("not_halted", "")
	}
	if v.rollout == nil {
		v.openRollout(v.target())
	}
	version := v.rollout.Version
	next := s.Plan.NextOpen(windowKind(v.rollout.Kind), now).Start
	v.setRollout(SetRolloutState{State: models.RolloutActive, BlockedBy: blocked, RetryAfter: next})
	for i := range s.Members {
		if n := &s.Members[i]; n.Denies(version) {
			v.add(ForgetDenied{Node: n.ID, Version: version})
		}
	}
	return v.effects, nil
}

// blocker is a member that denies the version that the cluster aims at, or empty.
func (v *view) blocker() models.NodeID {
	r := v.target()
	if r == nil || r.State != models.ReleasePublished {
		return ""
	}
	for i := range v.s.Members {
		n := &v.s.Members[i]
		if n.Member == models.MemberActive && n.Version != r.Version && n.Denies(r.Version) {
			return n.ID
		}
	}
	return ""
}

// Maintain is what entering maintenance mode does to the cluster's permit: an offered one of the
// node is withdrawn (R22). It refuses with permit_confirmed while any node of the cluster holds a
// confirmed one.
func Maintain(s Snapshot, node models.NodeID) ([]Effect, error) {
	p := s.Permit
	switch {
	case p == nil:
		return nil, nil
	case p.State == models.PermitConfirmed:
		if !s.holds(r22) {
			return nil, nil
		}
		return nil, models.Conflict("permit_confirmed", s.nameOf(p.NodeID))
	case p.NodeID == node:
		return []Effect{EndPermit{Outcome: models.Withdrawn,
			Reason: models.ReasonMaintenanceMode}}, nil
	}
	return nil, nil
}

// Leave is what it does to the permit and the rollout that a node is removed, or gets a new key on
// a new machine (R32). Removal is refused with permit_confirmed while the node holds a confirmed
// permit and is not lost; a replaced machine will never report, so its permit is overridden.
func Leave(s Snapshot, node models.NodeID, replaced bool, now time.Time) ([]Effect, error) {
	v := newView(s, now)
	p := s.Permit
	if p == nil || p.NodeID != node {
		return nil, nil
	}
	if p.State == models.PermitOffered {
		v.endPermit(EndPermit{Outcome: models.Withdrawn, Reason: models.ReasonMemberMissing,
			Subject: s.nameOf(node)})
		return v.effects, nil
	}
	if !replaced && !v.silent(p, LostAfter) {
		return nil, models.Conflict("permit_confirmed", s.nameOf(node))
	}
	v.override()
	return v.effects, nil
}

// UpgradeNow opens one extra window of the pending release's kind, now (R15); a retry that waits
// for the next window has it with this one. It refuses with nothing_pending, and with
// window_open_already where a node may start now anyway.
func UpgradeNow(s Snapshot, now time.Time) ([]Effect, error) {
	v := newView(s, now)
	v.settle()
	r := v.target()
	if r == nil || r.State == models.ReleaseRecalled {
		return nil, models.Conflict("nothing_pending", "")
	}
	kind := windowKind(r.Kind)
	waits := v.rollout != nil && v.rollout.RetryAfter != nil && now.Before(*v.rollout.RetryAfter)
	if w, open := s.Plan.Open(kind, now); open && !now.After(window.StartBy(w)) && !waits {
		return nil, models.Conflict("window_open_already", "")
	}
	v.add(OpenExtra{Window: s.Plan.UpgradeNow(kind, now).Extra, Kind: r.Kind})
	if waits {
		v.setRollout(SetRolloutState{State: v.rollout.State, BlockedBy: v.rollout.BlockedBy})
	}
	return v.effects, nil
}
