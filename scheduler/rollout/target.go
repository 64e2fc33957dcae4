package rollout

import (
	"time"

	"connecthub/models"
	"connecthub/scheduler/window"
)

// Pending is the release that the cluster waits for, and whether there is one: that of its rollout,
// or else the one that its next rollout would be of. A paused release is still waited for (R12).
func Pending(s Snapshot, now time.Time) (models.Release, bool) {
	v := newView(s, now)
	v.settle()
	r := v.target()
	if r == nil || r.State == models.ReleaseRecalled {
		return models.Release{}, false
	}
	return *r, true
}

// target is the release that the cluster aims at, or nil. A rollout keeps its own until it ends
// (R19); without one it is the best release that suits the cluster.
func (v *view) target() *models.Release {
	if v.rollout != nil {
		return v.s.release(v.rollout.ReleaseID)
	}
	low, high := v.versions()
	if high == "" {
		return nil
	}
	var regular, emergency *models.Release
	for i := range v.s.Releases {
		r := &v.s.Releases[i]
		if r.Kind == v.hidden || !v.suits(r, low, high) {
			continue
		}
		best := &regular
		if r.Kind == models.Emergency {
			best = &emergency
		}
		if *best == nil || v.preferred(r, *best) {
			*best = r
		}
	}
	switch {
	case emergency == nil:
		return regular
	case regular == nil:
		return emergency
	}
	return v.between(regular, emergency)
}

// versions are the lowest and the highest that run in the cluster; both empty where nothing is
// known to run.
func (v *view) versions() (low, high models.Version) {
	for i := range v.s.Members {
		n := &v.s.Members[i]
		if n.Version == "" || !counts(n) || n.Version == low || n.Version == high {
			continue
		}
		if low == "" {
			low, high = n.Version, n.Version
			continue
		}
		if n.Version.Less(low) {
			low = n.Version
		}
		if high.Less(n.Version) {
			high = n.Version
		}
	}
	return low, high
}

// suits says whether a release may come next: it is above what some member runs and below what
// none does (R23).
func (v *view) suits(r *models.Release, low, high models.Version) bool {
	if r.State != models.ReleasePublished && r.State != models.ReleasePaused {
		return false
	}
	if r.Version == low {
		return false
	}
	if !v.s.holds(r23) {
		return true
	}
	if r.Version == high {
		return true // low is below it
	}
	return high.Less(r.Version)
}

// preferred says whether r goes before other of the same kind: published before paused, what the
// members can reach before what they need an intermediate release for, then the higher version.
func (v *view) preferred(r, other *models.Release) bool {
	if a, b := r.State == models.ReleasePublished, other.State == models.ReleasePublished; a != b {
		return a
	}
	if a, b := v.reachable(r), v.reachable(other); a != b {
		return a
	}
	return other.Version.Less(r.Version)
}

// between chooses where both kinds have a release: the emergency one when it is the higher, since
// it would replace the other at once (R19), else the one whose window is open or opens first.
func (v *view) between(regular, emergency *models.Release) *models.Release {
	if emergency.State != regular.State || !v.reachable(emergency) || !v.reachable(regular) {
		if v.preferred(emergency, regular) {
			return emergency
		}
		return regular
	}
	if regular.Version.Less(emergency.Version) {
		return emergency
	}
	plan := &v.s.Plan
	if _, open := plan.Open(window.Regular, v.now); open {
		return regular
	}
	if _, open := plan.Open(window.Emergency, v.now); open {
		return emergency
	}
	soonest := plan.NextOpen(window.Regular, v.now).Start
	if plan.NextOpen(window.Emergency, v.now).Start.Before(soonest) {
		return emergency
	}
	return regular
}

// reachable says whether every member is on a version that the release may follow (R23).
func (v *view) reachable(r *models.Release) bool {
	if r.Requirements.MinVersion == "" && r.Requirements.Via == "" {
		return true
	}
	for i := range v.s.Members {
		n := &v.s.Members[i]
		if !counts(n) || n.Version == "" || n.Version == r.Version {
			continue
		}
		if n.Version.Less(r.Requirements.MinVersion) || n.Version.Less(r.Requirements.Via) {
			return false
		}
	}
	return true
}

// described says whether a version is one that the vendor released, or that an admin adopted (R23).
func (v *view) described(n *models.Node) bool {
	if n.Version == "" || n.Version == n.AdoptedOdd {
		return true
	}
	for i := range v.s.Releases {
		if v.s.Releases[i].Version == n.Version {
			return true
		}
	}
	return false
}

// reached says whether every member that counts runs the version.
func (v *view) reached(version models.Version) bool {
	any := false
	for i := range v.s.Members {
		n := &v.s.Members[i]
		if !counts(n) {
			continue
		}
		if n.Version != version {
			return false
		}
		any = true
	}
	return any
}

// passed is a member that runs more than the version, or nil (R23).
func (v *view) passed(version models.Version) *models.Node {
	for i := range v.s.Members {
		n := &v.s.Members[i]
		if counts(n) && n.Version != version && version.Less(n.Version) {
			return n
		}
	}
	return nil
}
