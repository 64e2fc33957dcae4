package models

import "time"

// Kind says which schedule a release or a window belongs to.
type Kind string

// The kinds. Control Hub calls an emergency upgrade "urgent".
const (
	Regular   Kind = "regular"
	Emergency Kind = "emergency"
)

// Valid says whether k is one of the kinds.
func (k Kind) Valid() bool { return k == Regular || k == Emergency }

// Cluster is a registered cluster: born when its registration completes, never revived after its
// deregistration. It always has both schedules; there is no field that could switch one off (R8).
type Cluster struct {
	ID             ClusterID `gorm:"primaryKey"`
	OrganizationID OrganizationID
	DisplayName    string
	NameKey        string // FoldName(DisplayName), unique among the living of the organization
	FQDN           FQDN   // of the publisher, unique among the living of the organization (R5)
	Channel        string // "stable" unless the vendor says otherwise
	RegisteredAt   time.Time
	DeregisteredAt *time.Time

	Zone             string
	RegularTime      string // "HH:MM"
	RegularDays      uint8  // bit 0 = Sunday … bit 6 = Saturday
	RegularMinutes   int    // length of the window
	EmergencyTime    string
	EmergencyMinutes int
	ScheduleVersion  int
	// A window counts when it starts at or after the commit of its schedule (R13).
	ScheduleFrom  time.Time
	EmergencyFrom time.Time

	PostponedStart *time.Time // start of the regular window that is skipped
	PostponeSpent  bool       // the one postponement of the pending upgrade is used up (R12)
	PendingSince   *time.Time // since when an upgrade is pending without a break
	FirstChance    *time.Time // the chance it had then; changes may put it off by 8 days (R13)

	ExtraStart *time.Time // "Upgrade now" (R15)
	ExtraEnd   *time.Time
	ExtraKind  Kind

	DespiteNode NodeID // "Upgrade despite X" for one permit (R17)

	FenceIncarnation uint64
	FenceCounter     uint64
	// AwaitPolls holds the cluster after a restore until every member has polled (R34).
	AwaitPolls bool
	// Suspended: its organization is disabled. Nothing is begun in it, and nothing is taken away.
	Suspended bool
}

// Fence is the highest fence that was given out.
func (c Cluster) Fence() Fence {
	return Fence{Incarnation: c.FenceIncarnation, Counter: c.FenceCounter}
}

// Living says whether the cluster is registered.
func (c Cluster) Living() bool { return c.DeregisteredAt == nil }
