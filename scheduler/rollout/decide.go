package rollout

import (
	"math"
	"time"

	"connecthub/models"
	"connecthub/scheduler/window"
)

// MaxSkew is how far a node's clock may be off before it holds (R35).
const MaxSkew = 5 * time.Minute

// Decide answers the asking node's poll: may it upgrade now, and if not, why (R14 to R24). It is
// the true answer, for the admins; what the node may see of it is Public.
func Decide(s Snapshot, now time.Time) Decision {
	v := newView(s, now)
	v.settle()
	return v.choose()
}

// choose decides for the asking node once everything is settled.
func (v *view) choose() Decision {
	a := v.asking
	if a == nil || !v.s.Cluster.Living() {
		return v.hold(models.ReasonClusterNotRegistered, "", v.now)
	}
	if v.permit != nil && v.permit.NodeID == a.ID {
		if v.permit.Kind == models.PermitLocal {
			return v.decide(models.VerbUpgrade, models.ReasonLocalWork, string(a.Name), v.now)
		}
		return v.decide(models.VerbUpgrade, models.ReasonUpgrade, v.permitVersion(), v.now)
	}
	if a.Member != models.MemberActive {
		if a.Member == models.MemberExcluded && a.Health == models.Healthy && !a.Step.Disruptive() {
			v.add(SetMember{Node: a.ID, State: models.MemberActive}) // R20: it polls healthy again
		}
		reason, subject := membership(a)
		return v.hold(reason, subject, v.now)
	}
	r := v.target()
	switch {
	case r == nil:
		return v.idle()
	case a.Version == r.Version:
		return v.decide(models.VerbNone, models.ReasonUpToDate, "", v.nextEither())
	}
	if d, held := v.held(r); held {
		return d
	}
	return v.offer(r)
}

// permitVersion is what the open permit's node goes to; work by hand has no version.
func (v *view) permitVersion() string {
	if r := v.s.release(v.permit.ReleaseID); r != nil {
		return string(r.Version)
	}
	if v.rollout != nil && v.rollout.ID == v.permit.RolloutID {
		return string(v.rollout.Version)
	}
	return ""
}

// idle is the answer while no release is pending for the cluster.
func (v *view) idle() Decision {
	a := v.asking
	if v.described(a) {
		return v.decide(models.VerbNone, models.ReasonUpToDate, "", v.nextEither())
	}
	for i := range v.s.Releases {
		if v.s.Releases[i].Kind != v.hidden {
			return v.hold(models.ReasonUnmanagedVersion, string(a.Version), v.nextEither())
		}
	}
	return v.decide(models.VerbNone, models.ReasonNoRelease, "", v.nextEither())
}

func (v *view) nextEither() time.Time { return v.s.Plan.NextEither(v.now).Start }

// membership is why a member that is not active holds.
func membership(n *models.Node) (models.Reason, string) {
	switch n.Member {
	case models.MemberWaiting:
		return models.ReasonNotAdmitted, ""
	case models.MemberExcluded:
		return models.ReasonExcluded, ""
	case models.MemberRemoved:
		return models.ReasonClusterNotRegistered, ""
	case models.MemberExpected, models.MemberQuarantined, models.MemberActive:
		return models.ReasonMemberMissing, string(n.Name)
	default:
		return models.ReasonMemberMissing, string(n.Name)
	}
}

// held runs every guard between the asking node and release r, for an offer and for a confirm
// alike (R20). The first that holds names the reason: what lasts comes before what passes.
func (v *view) held(r *models.Release) (Decision, bool) {
	if d, held := v.heldByRollout(r); held {
		return d, true
	}
	if d, held := v.heldByVersions(r); held {
		return d, true
	}
	if d, held := v.heldByNode(r); held {
		return d, true
	}
	if d, held := v.heldByWindow(r); held {
		return d, true
	}
	if d, held := v.heldByPermit(r); held {
		return d, true
	}
	if d, held := v.heldByOrchestration(r); held {
		return d, true
	}
	if d, held := v.heldByPeers(r); held {
		return d, true
	}
	return v.heldByOrder(r)
}

// heldByRollout: the vendor or a halt has stopped the release (R19), the hub was restored (R34), or
// the organization is disabled. Work by hand (R33) goes on in a disabled organization.
func (v *view) heldByRollout(r *models.Release) (Decision, bool) {
	switch {
	case v.awaits():
		return v.hold(models.ReasonRestoredHub, "", v.soon(r.Kind)), true
	case v.s.Cluster.Suspended:
		return v.hold(models.ReasonOrganizationDisabled, "", v.soon(r.Kind)), true
	case r.State == models.ReleasePaused:
		return v.hold(models.ReasonReleasePaused, string(r.Version), v.soon(r.Kind)), true
	case r.State != models.ReleasePublished:
		return v.hold(models.ReasonReleaseRecalled, string(r.Version), v.soon(r.Kind)), true
	case v.rollout == nil || v.rollout.State == models.RolloutActive || !v.s.holds(r19):
		return Decision{}, false
	}
	at := v.soon(r.Kind)
	if v.rollout.State == models.RolloutHaltedFailed {
		at = v.s.Plan.NextOpen(windowKind(r.Kind), v.now).Start // a retry waits for it
	}
	return v.hold(haltReason(v.rollout.State), v.s.nameOf(v.rollout.BlockedBy), at), true
}

// heldByVersions: not every member can come to the release, so that not even the first starts: a
// cluster is not left half-way by what was known before (R23, R28, R32).
func (v *view) heldByVersions(r *models.Release) (Decision, bool) {
	for i := range v.s.Members {
		n := &v.s.Members[i]
		if n.Member == models.MemberActive && n.Version != r.Version && n.Denies(r.Version) {
			subject := v.versionOf(n, r.Version)
			return v.hold(models.ReasonDeniedVersion, subject, v.soon(r.Kind)), true
		}
	}
	if v.s.holds(r23) {
		if n := v.passed(r.Version); n != nil {
			return v.hold(models.ReasonSuperseded, string(n.Version), v.soon(r.Kind)), true
		}
		if d, held := v.heldByRequirement(r); held {
			return d, true
		}
	}
	for i := range v.s.Members {
		n := &v.s.Members[i]
		if missing(n) && !v.waived(n) {
			return v.hold(models.ReasonMemberMissing, string(n.Name), v.soon(r.Kind)), true
		}
	}
	return Decision{}, false
}

func (v *view) heldByRequirement(r *models.Release) (Decision, bool) {
	for i := range v.s.Members {
		n := &v.s.Members[i]
		if n.Member != models.MemberActive || n.Version == r.Version {
			continue
		}
		if !v.described(n) {
			subject := v.versionOf(n, n.Version)
			return v.hold(models.ReasonUnmanagedVersion, subject, v.soon(r.Kind)), true
		}
		if u, ok := unmet(n, &r.Requirements); ok {
			return v.hold(models.ReasonRequirementUnmet, u.String(), v.soon(r.Kind)), true
		}
	}
	return Decision{}, false
}

// versionOf names a version, and the member if it is not the asking one.
func (v *view) versionOf(n *models.Node, version models.Version) string {
	if n == v.asking {
		return string(version)
	}
	return string(version) + " (" + string(n.Name) + ")"
}

// heldByNode: the node's own clock (R35) or maintenance (R22).
func (v *view) heldByNode(r *models.Release) (Decision, bool) {
	a := v.asking
	if limit := int64(MaxSkew / time.Second); a.SkewSeconds > limit || a.SkewSeconds < -limit {
		return v.hold(models.ReasonClockSkew, "", v.soon(r.Kind)), true
	}
	if a.InMaintenance(v.now) && v.s.holds(r22) {
		at := later(*a.MaintenanceUntil, v.soon(r.Kind))
		return v.hold(models.ReasonMaintenanceMode, "", at), true
	}
	return Decision{}, false
}

// heldByWindow: no window of the release's kind is open (R15), too little is left of it (R18), or
// a retry waits for the next one (R19).
func (v *view) heldByWindow(r *models.Release) (Decision, bool) {
	plan, kind := &v.s.Plan, windowKind(r.Kind)
	w, open := plan.Open(kind, v.now)
	if !open {
		if !v.s.holds(r15) {
			return Decision{}, false
		}
		next := plan.NextOpen(kind, v.now).Start
		if kind == window.Regular && plan.Postponed.Add(plan.Regular.Length).After(v.now) &&
			plan.Postponed.Before(next) {
			return v.hold(models.ReasonPostponed, string(r.Version), next), true
		}
		return v.hold(models.ReasonWindowClosed, string(r.Version), next), true
	}
	if v.now.After(window.StartBy(w)) && v.s.holds(r18) {
		next := plan.NextOpen(kind, v.now).Start
		return v.hold(models.ReasonStartByPassed, string(r.Version), next), true
	}
	if v.rollout != nil && v.rollout.RetryAfter != nil && v.now.Before(*v.rollout.RetryAfter) &&
		v.s.holds(r19) {
		subject := v.s.nameOf(v.rollout.BlockedBy)
		return v.hold(models.ReasonHaltedFailed, subject, *v.rollout.RetryAfter), true
	}
	return Decision{}, false
}

// heldByPermit: another node of the cluster has the open permit (R16).
func (v *view) heldByPermit(r *models.Release) (Decision, bool) {
	p := v.permit
	if p == nil || p.NodeID == v.asking.ID || !v.s.holds(r16) {
		return Decision{}, false
	}
	return v.hold(v.holderReason(), v.s.nameOf(p.NodeID), v.soon(r.Kind)), true
}

// offer gives the asking node the permit (R15, R16, R18).
func (v *view) offer(r *models.Release) Decision {
	w, _ := v.s.Plan.Open(windowKind(r.Kind), v.now)
	if v.rollout == nil {
		v.openRollout(r)
	}
	if v.despite == v.asking.ID {
		v.useDespite() // it serves no purpose any more: X itself goes
	}
	v.add(OfferPermit{Node: v.asking.ID, Release: r.ID, Kind: models.PermitUpgrade,
		Fence: nextFence(&v.s), StartBy: window.StartBy(w)})
	return v.decide(models.VerbUpgrade, models.ReasonUpgrade, string(r.Version), v.now)
}

// nextFence is higher than every fence that was given out (R21), also by a hub that is lost (R34).
func nextFence(s *Snapshot) models.Fence {
	f := s.Cluster.Fence()
	switch {
	case f.Incarnation < s.Incarnation:
		return models.Fence{Incarnation: s.Incarnation, Counter: 1}
	case f.Counter == math.MaxInt64:
		return models.Fence{Incarnation: f.Incarnation + 1, Counter: 1}
	}
	return models.Fence{Incarnation: f.Incarnation, Counter: f.Counter + 1}
}
