package rollout

import (
	"time"

	"connecthub/models"
)

// Local decides whether the asking node may stop its services for work by hand now: under the same
// index, the same fence and the same care for its peers as an upgrade, but in no window (R33).
// Release is what it wants to go to, of those that the vendor signed; empty where it goes nowhere
// or back. Verb upgrade means: the node holds a local permit, or will once the effects are written.
// Its offer lapses at StartBy.
func Local(s Snapshot, release models.ReleaseID, now time.Time) Decision {
	v := newView(s, now)
	v.settle()
	a := v.asking
	switch {
	case a == nil || !s.Cluster.Living():
		return v.hold(models.ReasonClusterNotRegistered, "", now)
	case a.Member != models.MemberActive:
		reason, subject := membership(a)
		return v.hold(reason, subject, now)
	case v.permit != nil && v.permit.NodeID == a.ID && v.permit.Kind == models.PermitLocal &&
		v.permit.ReleaseID == release:
		return v.decide(models.VerbUpgrade, models.ReasonLocalWork, string(a.Name), now)
	case v.permit != nil:
		return v.hold(v.holderReason(), s.nameOf(v.permit.NodeID), now)
	}
	r := s.release(release)
	switch {
	case r == nil && release != "":
		return v.hold(models.ReasonNoRelease, "", now)
	case r != nil && !a.Version.Less(r.Version):
		return v.hold(models.ReasonUpToDate, "", now) // back goes without a release (R23)
	}
	if d, held := v.localHeld(r); held {
		return d
	}
	v.add(OfferPermit{Node: a.ID, Release: release, Kind: models.PermitLocal,
		Fence: nextFence(&v.s), StartBy: now.Add(OfferSilence)})
	return v.decide(models.VerbUpgrade, models.ReasonLocalWork, string(a.Name), now)
}

// localHeld is what holds work by hand: a restored hub, the node's own maintenance, orchestration,
// and the peers; on the way to a release everything that holds an upgrade but the window.
func (v *view) localHeld(r *models.Release) (Decision, bool) {
	if r != nil {
		if d, held := v.heldByRollout(r); held {
			return d, true
		}
		if d, held := v.heldByVersions(r); held {
			return d, true
		}
		if d, held := v.heldByNode(r); held {
			return d, true
		}
	}
	switch {
	case v.awaits():
		return v.hold(models.ReasonRestoredHub, "", v.now), true
	case v.asking.InMaintenance(v.now) && v.s.holds(r22):
		return v.hold(models.ReasonMaintenanceMode, "", *v.asking.MaintenanceUntil), true
	}
	for i := range v.s.Members {
		if n := &v.s.Members[i]; missing(n) && !v.waived(n) {
			return v.hold(models.ReasonMemberMissing, string(n.Name), v.now), true
		}
	}
	if d, held := v.heldByOrchestration(nil); held {
		return d, true
	}
	if d, held := v.heldByPeers(nil); held || r == nil {
		return d, held
	}
	return v.heldByOrder(r)
}

// heldByOrchestration: some member of the cluster works on the deployment, or fetches software for
// it; the control node and its standby stay up meanwhile.
func (v *view) heldByOrchestration(r *models.Release) (Decision, bool) {
	for i := range v.s.Members {
		n := &v.s.Members[i]
		if n.Orchestrating && counts(n) && (n == v.asking || !v.waived(n)) {
			return v.hold(models.ReasonOrchestrating, string(n.Name), v.soonOf(r)), true
		}
	}
	return Decision{}, false
}

// holderReason is why another permit of the cluster keeps this node from one.
func (v *view) holderReason() models.Reason {
	n := v.s.member(v.permit.NodeID)
	switch {
	case v.permit.Kind == models.PermitLocal:
		return models.ReasonLocalWork
	case n != nil && n.Step == models.StepSoaking:
		return models.ReasonSoaking
	}
	return models.ReasonOtherNodeUpgrading
}
