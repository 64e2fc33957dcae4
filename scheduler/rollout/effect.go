package rollout

import (
	"time"

	"connecthub/models"
	"connecthub/scheduler/window"
)

// Effect is one thing to write. The effects of a decision are written in their order and in one
// transaction: "the rollout" and "the permit" are the ones that the effects before have left.
type Effect interface{ effect() }

// OpenRollout begins an active rollout of the release. There is none that has not ended.
type OpenRollout struct {
	Release models.ReleaseID
	Version models.Version
	Kind    models.Kind
}

// SetRolloutState changes the state of the rollout, and both other fields with it. A state that is
// Ended sets EndedAt.
type SetRolloutState struct {
	State      models.RolloutState
	BlockedBy  models.NodeID // who failed or fell silent, while it is halted
	RetryAfter time.Time     // zero: none
}

// OfferPermit opens a permit of the rollout (a local one belongs to none), and makes its fence the
// cluster's highest. The new row must be the only open one of the cluster (R16).
type OfferPermit struct {
	Node    models.NodeID
	Release models.ReleaseID // of a local one only where it goes to a release
	Kind    models.PermitKind
	Fence   models.Fence
	StartBy time.Time // of a local one, when its offer lapses
}

// ConfirmPermit makes the offered permit confirmed, or renews the confirmation: ConfirmedAt is now.
type ConfirmPermit struct{ Boot string }

// EndPermit ends the permit. Reason and Subject say why, for the admins; Detail is the node's own
// words.
type EndPermit struct {
	Outcome models.Outcome
	Reason  models.Reason
	Subject string
	Detail  string
}

// AdoptPermit opens a confirmed permit that the hub has forgotten, as its node tells it (R34), and
// makes its fence the cluster's highest if it is higher. A row of that id that has ended is opened
// again. It belongs to the rollout if Release is the rollout's, else to none.
type AdoptPermit struct {
	Permit  models.PermitID
	Node    models.NodeID
	Release models.ReleaseID // empty where no release has the version
	Version models.Version
	Fence   models.Fence
	Boot    string
}

// RaiseFence makes the cluster's highest fence at least this one (R34).
type RaiseFence struct{ Fence models.Fence }

// EndAwait ends the wait after a restore: every member has polled (R34).
type EndAwait struct{}

// SetMember changes a node's place in its cluster.
type SetMember struct {
	Node  models.NodeID
	State models.MemberState
}

// SetPending records since when an upgrade is pending, the chance it had then (R13), and whether
// the one postponement has been made (R12).
type SetPending struct {
	Since         time.Time
	FirstChance   time.Time
	PostponeSpent bool
}

// ClearPending records that none is pending: PendingSince, FirstChance and PostponeSpent are
// empty, and PostponedStart too where ForgetPostponed says that its window has passed (R12).
type ClearPending struct{ ForgetPostponed bool }

// UseDespite uses up "Upgrade despite X": DespiteNode is empty (R17).
type UseDespite struct{}

// ForgetDenied lets a node try a version again that it rolled back from (R28). The node must be
// told too: until it knows, its polls still name the version.
type ForgetDenied struct {
	Node    models.NodeID
	Version models.Version
}

// OpenExtra is an Upgrade now: the extra window of the cluster (R15).
type OpenExtra struct {
	Window window.Window
	Kind   models.Kind
}

func (OpenRollout) effect()     {}
func (SetRolloutState) effect() {}
func (OfferPermit) effect()     {}
func (ConfirmPermit) effect()   {}
func (EndPermit) effect()       {}
func (AdoptPermit) effect()     {}
func (RaiseFence) effect()      {}
func (EndAwait) effect()        {}
func (SetMember) effect()       {}
func (SetPending) effect()      {}
func (ClearPending) effect()    {}
func (UseDespite) effect()      {}
func (ForgetDenied) effect()    {}
func (OpenExtra) effect()       {}
