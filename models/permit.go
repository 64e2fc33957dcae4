package models

import "time"

// RolloutState is where one release stands in one cluster (R19, R20).
type RolloutState string

// The states of a rollout.
const (
	RolloutActive       RolloutState = "active"
	RolloutCompleted    RolloutState = "completed"
	RolloutHaltedFailed RolloutState = "halted_failed"
	RolloutHaltedLost   RolloutState = "halted_lost"
	RolloutSuperseded   RolloutState = "superseded"
	RolloutCancelled    RolloutState = "cancelled" // release recalled, cluster deregistered
)

// Ended says whether no permit of this rollout is ever given again.
func (s RolloutState) Ended() bool {
	return s == RolloutCompleted || s == RolloutSuperseded || s == RolloutCancelled
}

// Rollout is one release going through one cluster; a cluster has at most one that has not ended.
type Rollout struct {
	ID             RolloutID `gorm:"primaryKey"`
	OrganizationID OrganizationID
	ClusterID      ClusterID
	ReleaseID      ReleaseID
	Version        Version
	Kind           Kind
	State          RolloutState
	BlockedBy      NodeID // who failed or fell silent while it is halted, else empty
	// RetryAfter: after a retry of a halted rollout nobody starts before the next window (R19).
	RetryAfter *time.Time
	StartedAt  time.Time
	EndedAt    *time.Time
}

// PermitState is the life of a permit: offered, confirmed, ended (R20).
type PermitState string

// The states of a permit.
const (
	PermitOffered   PermitState = "offered"
	PermitConfirmed PermitState = "confirmed"
	PermitEnded     PermitState = "ended"
)

// Outcome is how a permit ended.
type Outcome string

// The outcomes.
const (
	Succeeded  Outcome = "succeeded"
	Failed     Outcome = "failed"      // the node could not go forward and nothing was disturbed or the old version serves
	RolledBack Outcome = "rolled_back" // R28
	Withdrawn  Outcome = "withdrawn"   // by the hub, while only offered
	Abandoned  Outcome = "abandoned"   // by the node, which stopped nothing
	Overridden Outcome = "overridden"  // by an admin (R20)
)

// Reportable says whether a node may report this outcome itself.
func (o Outcome) Reportable() bool {
	switch o {
	case Succeeded, Failed, RolledBack, Abandoned:
		return true
	default:
		return false
	}
}

// PermitKind tells an upgrade of a rollout from work by hand (R33).
type PermitKind string

// The kinds of permit.
const (
	PermitUpgrade PermitKind = "upgrade"
	PermitLocal   PermitKind = "local"
)

// HandWork is what an administrator does to a node by hand (R33).
type HandWork string

// The kinds of work by hand: each stops the services.
const (
	HandStop     HandWork = "stop_services"
	HandRollback HandWork = "rollback"
	HandSwitch   HandWork = "switch_version"
	HandUpgrade  HandWork = "upgrade"
)

// Valid says whether w is one of them.
func (w HandWork) Valid() bool {
	switch w {
	case HandStop, HandRollback, HandSwitch, HandUpgrade:
		return true
	}
	return false
}

// Permit is the fenced right of one node to stop its services; at most one is open in a cluster
// (R16). While it is only offered, time may withdraw it; once confirmed, only the node's own
// report or an admin's override ends it (R20).
type Permit struct {
	ID               PermitID `gorm:"primaryKey"`
	OrganizationID   OrganizationID
	ClusterID        ClusterID
	NodeID           NodeID
	RolloutID        RolloutID
	ReleaseID        ReleaseID
	Kind             PermitKind
	State            PermitState
	Outcome          Outcome
	Detail           string
	FenceIncarnation uint64
	FenceCounter     uint64
	OfferedAt        time.Time
	StartBy          time.Time // R18; of a local one, when its offer lapses
	ConfirmedAt      *time.Time
	ConfirmedBoot    string
	EndedAt          *time.Time
}

// Fence is the permit's fence (R21).
func (p Permit) Fence() Fence {
	return Fence{Incarnation: p.FenceIncarnation, Counter: p.FenceCounter}
}

// Open says whether the permit has not ended.
func (p Permit) Open() bool { return p.State != PermitEnded }
