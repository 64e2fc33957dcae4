// Package rollout answers who and whether: it decides which node of a cluster may upgrade now, why
// another may not, and what is to be written down (rules R14 to R24). It knows no clock, no
// database and no network: what it decides about is handed to it, and it changes none of it.
package rollout

import (
	"time"

	"connecthub/models"
	"connecthub/scheduler/window"
)

// Snapshot is all that a decision about one cluster depends on. What the asking node has said in
// its poll stands in its row already (SeenAt included); a decision that has effects must be taken
// from rows that were read in the transaction that writes them (R16).
type Snapshot struct {
	Incarnation uint64 // of the hub; it rises when the hub is restored from a backup (R34)
	Cluster     models.Cluster
	Plan        window.Plan
	Members     []models.Node    // all that are not removed, in any order
	Releases    []models.Release // of the channel, without drafts, with recalled ones, in any order
	Rollout     *models.Rollout  // the one that has not ended, if there is one
	Permit      *models.Permit   // the open one, if there is one
	Asking      models.NodeID    // whose poll or confirm this is; empty in the background

	off rule // rules taken out, by tests only
}

// rule is one rule that a test can take out, to see that it would be missed.
type rule uint16

const (
	r14 rule = 1 << iota
	r15
	r16
	r17
	r18
	r19
	r20
	r21
	r22
	r23
)

// holds says whether the rule is in force: always, but for a test and for the mutant build.
func (s *Snapshot) holds(r rule) bool { return (s.off|takenOut)&r == 0 }

// Decision is what a node is told, why, and when it can change at the earliest (R24). Verb upgrade
// says that the node holds the open permit, or will once the effects are written.
type Decision struct {
	Verb     models.Verb
	Reason   models.Reason
	Subject  string // what the reason's sentence names
	Earliest time.Time
	Effects  []Effect // what to write, in this order; none on the usual path
}

// member is the row of a node, or nil.
func (s *Snapshot) member(id models.NodeID) *models.Node {
	if id == "" {
		return nil
	}
	for i := range s.Members {
		if s.Members[i].ID == id {
			return &s.Members[i]
		}
	}
	return nil
}

// release is the row of a release, or nil.
func (s *Snapshot) release(id models.ReleaseID) *models.Release {
	for i := range s.Releases {
		if s.Releases[i].ID == id {
			return &s.Releases[i]
		}
	}
	return nil
}

// nameOf is how a member is called in a sentence; its id stands in for one that is gone.
func (s *Snapshot) nameOf(id models.NodeID) string {
	if n := s.member(id); n != nil {
		return string(n.Name)
	}
	return string(id)
}

// counts says whether a member is part of a rollout: waiting and excluded ones are not (R32).
func counts(n *models.Node) bool {
	switch n.Member {
	case models.MemberActive, models.MemberExpected, models.MemberQuarantined:
		return true
	case models.MemberWaiting, models.MemberExcluded, models.MemberRemoved:
		return false
	default:
		return true // what is not understood holds
	}
}

// missing says whether a member belongs to the cluster and yet cannot take part (R32).
func missing(n *models.Node) bool { return counts(n) && n.Member != models.MemberActive }

// windowKind is the same word in the other package.
func windowKind(k models.Kind) window.Kind { return window.Kind(k) }

// view is one decision being taken: the snapshot, and what its effects have made of it so far.
// The snapshot itself is never written to.
type view struct {
	s       Snapshot // a copy: a pointer to it would have to live on the heap
	now     time.Time
	asking  *models.Node
	permit  *models.Permit
	rollout *models.Rollout
	despite models.NodeID
	hidden  models.Kind // releases of this kind do not exist here (R14); empty: all do
	effects []Effect
}

func newView(s Snapshot, now time.Time) view {
	return view{s: s, now: now, asking: s.member(s.Asking), permit: s.Permit, rollout: s.Rollout,
		despite: s.Cluster.DespiteNode}
}

func (v *view) add(e Effect) { v.effects = append(v.effects, e) }

func (v *view) decide(verb models.Verb, r models.Reason, subject string, at time.Time) Decision {
	return Decision{Verb: verb, Reason: r, Subject: subject, Earliest: at, Effects: v.effects}
}

func (v *view) hold(r models.Reason, subject string, at time.Time) Decision {
	return v.decide(models.VerbHold, r, subject, at)
}

// soon is when a start of this kind is possible at the earliest, if nothing but the window is in
// its way: now, or the next window.
func (v *view) soon(kind models.Kind) time.Time {
	if w, open := v.s.Plan.Open(windowKind(kind), v.now); open && !v.now.After(window.StartBy(w)) {
		return v.now
	}
	return v.s.Plan.NextOpen(windowKind(kind), v.now).Start
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
