package rollout

import (
	"time"

	"connecthub/models"
	"connecthub/scheduler/window"
)

// OfferSilence is how long the holder of an offered permit may be silent before it is withdrawn
// (R20).
const OfferSilence = 5 * time.Minute

// LostAfter is how long the holder of a confirmed permit may be silent before the rollout halts
// and an admin may override the permit (R20).
const LostAfter = 15 * time.Minute

// settle does what time and the rows alone have decided, before anybody asks: it is the same in
// the background and in a poll, so that a decision never waits for the background.
func (v *view) settle() {
	if v.s.Cluster.AwaitPolls && v.allPolled() {
		v.add(EndAwait{})
	}
	if v.permit != nil {
		v.settlePermit()
	}
	if v.permit == nil && v.rollout != nil {
		v.settleRollout()
	}
}

// allPolled says whether every member that has ever joined has polled since the restore. An
// excluded one too: it may have been admitted again, and may hold a permit, since the backup (R34).
func (v *view) allPolled() bool {
	for i := range v.s.Members {
		n := &v.s.Members[i]
		if n.Member != models.MemberExpected && !n.PolledSince {
			return false
		}
	}
	return true
}

// awaits says whether the cluster still waits for its members after a restore (R34).
func (v *view) awaits() bool { return v.s.Cluster.AwaitPolls && !v.allPolled() }

// settlePermit withdraws an offered permit that must not be confirmed any more. A confirmed one is
// left alone, whatever the time; its silent holder halts the rollout (R20).
func (v *view) settlePermit() {
	p := v.permit
	if p.State == models.PermitConfirmed && v.s.holds(r20) {
		if v.rollout != nil && v.rollout.State == models.RolloutActive &&
			p.RolloutID == v.rollout.ID && v.silent(p, LostAfter) {
			v.setRollout(SetRolloutState{State: models.RolloutHaltedLost, BlockedBy: p.NodeID})
		}
		return
	}
	if reason, subject, lapsed := v.lapsed(p); lapsed {
		v.add(EndPermit{Outcome: models.Withdrawn, Reason: reason, Subject: subject})
		v.permit = nil
	}
}

// silent says whether the holder has not been heard for that long.
func (v *view) silent(p *models.Permit, limit time.Duration) bool {
	return v.now.Sub(lastHeard(&v.s, p)) >= limit
}

// lastHeard is when the holder was heard last: its offer and its confirm were answers to it.
func lastHeard(s *Snapshot, p *models.Permit) time.Time {
	heard := p.OfferedAt
	if p.ConfirmedAt != nil {
		heard = later(heard, *p.ConfirmedAt)
	}
	if n := s.member(p.NodeID); n != nil && n.SeenAt != nil {
		heard = later(heard, *n.SeenAt)
	}
	return heard
}

// lapsed says whether an offered permit must be withdrawn, and why (R13, R18, R19, R20, R22, R34).
func (v *view) lapsed(p *models.Permit) (models.Reason, string, bool) {
	holder := v.s.member(p.NodeID)
	switch {
	case holder == nil || !v.s.Cluster.Living():
		return models.ReasonClusterNotRegistered, "", true
	case holder.Member != models.MemberActive:
		reason, subject := membership(holder)
		return reason, subject, true
	case v.awaits() || p.FenceIncarnation < v.s.Incarnation:
		return models.ReasonRestoredHub, "", true
	case v.s.Cluster.Suspended && p.Kind != models.PermitLocal:
		return models.ReasonOrganizationDisabled, "", true
	case v.silent(p, OfferSilence):
		return models.ReasonPeerSilent, string(holder.Name), true
	case holder.InMaintenance(v.now) && v.s.holds(r22):
		return models.ReasonMaintenanceMode, "", true
	case p.Kind == models.PermitLocal && v.now.After(p.StartBy) && v.s.holds(r18):
		return models.ReasonStartByPassed, string(holder.Name), true
	case p.Kind == models.PermitLocal:
		return "", "", false
	}
	return v.lapsedRelease(p, holder)
}

// lapsedRelease is the part of lapsed that work by hand knows nothing of (R33).
func (v *view) lapsedRelease(p *models.Permit, holder *models.Node) (models.Reason, string, bool) {
	r := v.s.release(p.ReleaseID)
	switch {
	case r == nil:
		return models.ReasonReleaseRecalled, "", true
	case r.State == models.ReleasePaused:
		return models.ReasonReleasePaused, string(r.Version), true
	case r.State != models.ReleasePublished:
		return models.ReasonReleaseRecalled, string(r.Version), true
	case v.rollout == nil || v.rollout.ID != p.RolloutID || v.rollout.State.Ended():
		return models.ReasonStalePermit, "", true
	case v.rollout.State != models.RolloutActive && v.s.holds(r19):
		return haltReason(v.rollout.State), v.s.nameOf(v.rollout.BlockedBy), true
	case holder.Version == r.Version:
		return models.ReasonUpToDate, string(r.Version), true
	case holder.Denies(r.Version):
		return models.ReasonDeniedVersion, string(r.Version), true
	}
	if n := v.passed(r.Version); n != nil && v.s.holds(r23) {
		return models.ReasonSuperseded, string(n.Version), true
	}
	if next := v.successor(); next != nil {
		return models.ReasonSuperseded, string(next.Version), true
	}
	if v.now.After(p.StartBy) && v.s.holds(r18) {
		return models.ReasonStartByPassed, string(r.Version), true
	}
	return v.lapsedWindow(p, r)
}

// lapsedWindow says whether the window that the permit was offered in has ended, or is not one any
// more because the schedule changed (R13).
func (v *view) lapsedWindow(p *models.Permit, r *models.Release) (models.Reason, string, bool) {
	if !v.s.holds(r15) {
		return "", "", false
	}
	w, open := v.s.Plan.Open(windowKind(r.Kind), v.now)
	switch {
	case !open && !v.now.After(p.StartBy):
		return models.ReasonScheduleChanged, string(r.Version), true
	case !open:
		return models.ReasonWindowClosed, string(r.Version), true
	case p.StartBy.After(window.StartBy(w)):
		return models.ReasonScheduleChanged, string(r.Version), true
	case w.Start.Equal(v.s.Plan.Extra.Start) && w.End.Equal(v.s.Plan.Extra.End):
		return "", "", false // an Upgrade now in an open window withdraws nothing
	case p.OfferedAt.Before(w.Start):
		return models.ReasonScheduleChanged, string(r.Version), true
	}
	return "", "", false
}

// settleRollout ends a rollout that nothing is left to do for, while no permit is open (R19).
func (v *view) settleRollout() {
	r := v.s.release(v.rollout.ReleaseID)
	switch {
	case r == nil || r.State == models.ReleaseRecalled:
		v.endRollout(models.RolloutCancelled)
	case v.s.holds(r23) && v.passed(r.Version) != nil:
		v.endRollout(models.RolloutCancelled)
	case v.reached(r.Version):
		v.endRollout(models.RolloutCompleted)
	default:
		if next := v.successor(); next != nil {
			v.endRollout(models.RolloutSuperseded)
			v.openRollout(next)
		}
	}
}

// successor is the release that replaces the rollout's: a higher emergency one, or where the
// rollout is halted by a failure any higher one (R19). It is reachable, and published.
func (v *view) successor() *models.Release {
	if v.rollout == nil || !v.s.holds(r19) {
		return nil
	}
	var best *models.Release
	for i := range v.s.Releases {
		r := &v.s.Releases[i]
		if r.State != models.ReleasePublished || r.Kind == v.hidden {
			continue
		}
		if r.Kind != models.Emergency && v.rollout.State != models.RolloutHaltedFailed {
			continue
		}
		if !v.rollout.Version.Less(r.Version) || v.passed(r.Version) != nil || !v.reachable(r) {
			continue
		}
		if best == nil || best.Version.Less(r.Version) {
			best = r
		}
	}
	return best
}

// endRollout ends the rollout, and with it a waiver that was given for it (R17).
func (v *view) endRollout(state models.RolloutState) {
	v.setRollout(SetRolloutState{State: state})
	v.rollout = nil
	v.useDespite()
}

// useDespite uses up the waiver, if there is one (R17).
func (v *view) useDespite() {
	if v.despite != "" {
		v.add(UseDespite{})
		v.despite = ""
	}
}

// setRollout changes a copy: the row belongs to the caller.
func (v *view) setRollout(e SetRolloutState) {
	changed := *v.rollout
	changed.State, changed.BlockedBy, changed.RetryAfter = e.State, e.BlockedBy, nil
	if !e.RetryAfter.IsZero() {
		changed.RetryAfter = &e.RetryAfter
	}
	v.rollout = &changed
	v.add(e)
}

// openRollout begins the rollout of r; its id is not known yet.
func (v *view) openRollout(r *models.Release) {
	v.rollout = &models.Rollout{ReleaseID: r.ID, Version: r.Version, Kind: r.Kind,
		State: models.RolloutActive, StartedAt: v.now}
	v.add(OpenRollout{Release: r.ID, Version: r.Version, Kind: r.Kind})
}

// haltReason is why nobody starts in a rollout that is halted.
func haltReason(s models.RolloutState) models.Reason {
	if s == models.RolloutHaltedLost {
		return models.ReasonHaltedLost
	}
	return models.ReasonHaltedFailed
}
