package rollout

import (
	"time"

	"connecthub/models"
)

// Journal is what a poll says of the node's past: the highest fence it has seen, and its open
// journal entry, if it has one (R34).
type Journal struct {
	Highest   models.Fence
	Permit    models.PermitID // empty: no open entry
	Fence     models.Fence
	Version   models.Version
	Confirmed bool
	Boot      string
}

// maxCounter is the highest part of a fence that is believed: above it nothing could follow.
const maxCounter = 1 << 62

// Adopt makes good what the hub has forgotten, before anything is decided about the poll (R34): a
// higher fence than it knows raises its own, and a confirmed permit that it does not know is
// opened again, so that no other node starts. What the hub knows to have ended is not opened,
// except while it waits for its members after a restore: then the node knows better.
func Adopt(s Snapshot, j Journal, now time.Time) []Effect {
	v := newView(s, now)
	asking := s.member(s.Asking)
	if asking == nil || !believable(j.Highest) || !believable(j.Fence) {
		return nil
	}
	known := s.Cluster.Fence()
	if j.Permit != "" && j.Confirmed {
		v.adoptEntry(j, known)
	}
	if known.Less(j.Highest) {
		v.add(RaiseFence{Fence: j.Highest})
	}
	return v.effects
}

func believable(f models.Fence) bool { return f.Incarnation < maxCounter && f.Counter < maxCounter }

// adoptEntry opens or confirms the permit of a confirmed journal entry, where the hub lacks it.
func (v *view) adoptEntry(j Journal, known models.Fence) {
	p := v.permit
	switch {
	case p != nil && p.ID == j.Permit && p.Fence() == j.Fence && p.NodeID == v.s.Asking:
		if p.State == models.PermitOffered {
			v.add(ConfirmPermit{Boot: j.Boot})
		}
		return
	case !known.Less(j.Fence) && !v.s.Cluster.AwaitPolls:
		return // it has ended, and the node will be told
	case p != nil && p.State == models.PermitConfirmed:
		return // R16: the other one is open; this node's state holds the cluster by R17
	case p != nil:
		v.add(EndPermit{Outcome: models.Withdrawn, Reason: models.ReasonRestoredHub})
		v.permit = nil
	}
	adopted := AdoptPermit{Permit: j.Permit, Node: v.s.Asking, Version: j.Version, Fence: j.Fence,
		Boot: j.Boot}
	for i := range v.s.Releases {
		if r := &v.s.Releases[i]; r.Version == j.Version && j.Version != "" {
			adopted.Release = r.ID
			if v.rollout == nil {
				v.openRollout(r)
			}
		}
	}
	v.add(adopted)
}
