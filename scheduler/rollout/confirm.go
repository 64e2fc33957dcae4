package rollout

import (
	"time"

	"connecthub/models"
)

// ConfirmHolds is how long after its confirm a node may stop the first service, on the same boot;
// later it confirms again (R20).
const ConfirmHolds = 60 * time.Second

// Confirm answers the one call that a node makes before it touches a service (R20). Verb upgrade
// means: confirmed. It takes every guard of Decide again, with the peers as they are now, and
// holds with the reason otherwise. Within ConfirmHolds, and on the same boot, a repeated confirm
// repeats its answer and changes nothing; StopWithin says what is left. What bears another permit
// or fence than the open one changes nothing (R21).
func Confirm(s Snapshot, permit models.PermitID, fence models.Fence, boot string,
	now time.Time) Decision {
	v := newView(s, now)
	if v.asking == nil || !bears(&s, permit, fence) || boot == "" {
		return v.hold(models.ReasonStalePermit, "", now)
	}
	if StopWithin(*s.Permit, boot, now) > 0 {
		return v.decide(models.VerbUpgrade, models.ReasonUpgrade, v.permitVersion(), now)
	}
	v.settle()
	if v.permit == nil {
		return v.hold(withdrawal(v.effects), "", now)
	}
	// A confirm that is renewed has stopped nothing yet: what would withdraw an offer refuses it.
	if reason, subject, lapsed := v.lapsed(v.permit); lapsed && v.s.holds(r20) {
		return v.hold(reason, subject, now)
	}
	if d, held := v.confirmHeld(); held {
		return d
	}
	v.add(ConfirmPermit{Boot: boot})
	return v.decide(models.VerbUpgrade, models.ReasonUpgrade, v.permitVersion(), now)
}

// StopWithin is how long the node may still wait with its first stop on this boot; zero: it must
// confirm (again).
func StopWithin(p models.Permit, boot string, now time.Time) time.Duration {
	if p.State != models.PermitConfirmed || p.ConfirmedAt == nil || p.ConfirmedBoot != boot {
		return 0
	}
	return max(0, min(ConfirmHolds, p.ConfirmedAt.Add(ConfirmHolds).Sub(now)))
}

// bears says whether a message is about the open permit, from its holder, with its fence (R21).
func bears(s *Snapshot, permit models.PermitID, fence models.Fence) bool {
	p := s.Permit
	if p == nil {
		return false
	}
	if !s.holds(r21) {
		return true
	}
	return p.ID == permit && p.Fence() == fence && p.NodeID == s.Asking
}

// confirmHeld runs the guards of an offer for the permit that the node has.
func (v *view) confirmHeld() (Decision, bool) {
	if v.asking.Member != models.MemberActive {
		reason, subject := membership(v.asking)
		return v.hold(reason, subject, v.now), true
	}
	r := v.s.release(v.permit.ReleaseID)
	if v.permit.Kind == models.PermitLocal {
		if r == nil && v.permit.ReleaseID != "" {
			return v.hold(models.ReasonStalePermit, "", v.now), true
		}
		return v.localHeld(r)
	}
	if r == nil || v.rollout == nil || v.rollout.ID != v.permit.RolloutID {
		return v.hold(models.ReasonStalePermit, "", v.now), true
	}
	return v.held(r)
}

// withdrawal is why the permit was withdrawn by these effects.
func withdrawal(effects []Effect) models.Reason {
	for _, e := range effects {
		if end, ok := e.(EndPermit); ok {
			return end.Reason
		}
	}
	return models.ReasonStalePermit
}
