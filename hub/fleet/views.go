package fleet

import (
	"time"

	"connecthub/models"
)

// Actor is who does something, and from where.
type Actor = models.Actor

// RegistrationView is a registration as a console session may see it.
type RegistrationView struct {
	ID             models.RegistrationID
	Kind           models.RegistrationKind
	DisplayName    string
	FQDN           models.FQDN
	State          models.RegistrationState
	CreatedAt      time.Time
	ExpiresAt      time.Time
	ReturnBy       *time.Time // only while claimed
	RequestedBy    string
	Mine           bool   // this session began it
	OpenURL        string // only while pending and mine
	ComparisonCode string // empty where it has to be typed
	ClusterID      models.ClusterID
	EndedWhy       models.EndedWhy
	Headless       bool
	CodeRequired   bool
}

// ClusterState is the word on a cluster's card.
type ClusterState string

// The states of a card.
const (
	ClusterOperational ClusterState = "operational"
	ClusterImpaired    ClusterState = "impaired"
	ClusterOutage      ClusterState = "outage"
	ClusterUpgrading   ClusterState = "upgrading"
	ClusterWaiting     ClusterState = "waiting" // no node has polled yet
)

// WindowView is one occurrence of a schedule, half-open, in UTC.
type WindowView struct{ Start, End time.Time }

// NextUpgrade is when the next windows open, from the function that opens them (R11).
type NextUpgrade struct {
	Regular   WindowView
	Emergency WindowView
	Open      []models.Kind
	Skipped   *time.Time
	Extra     *WindowView
}

// Progress counts the members that run the target.
type Progress struct{ Done, Total int }

// ClusterSummary is a card.
type ClusterSummary struct {
	ID             models.ClusterID
	DisplayName    string
	FQDN           models.FQDN
	State          ClusterState
	NodeCount      int
	Versions       []models.Version
	Zone           string
	UpgradePending bool
	NextUpgrade    NextUpgrade
	Progress       *Progress
}

// Schedules are both schedules of a cluster as a person writes them.
type Schedules struct {
	Zone      string            `json:"zone"`
	Regular   RegularSchedule   `json:"regular"`
	Emergency EmergencySchedule `json:"emergency"`
}

// RegularSchedule is the schedule of regular releases (R9).
type RegularSchedule struct {
	Time          string   `json:"time"` // HH:MM
	Days          []string `json:"days"` // lower-case English names; seven = daily
	LengthMinutes int      `json:"length_minutes"`
}

// EmergencySchedule is the daily schedule of emergency releases (R9).
type EmergencySchedule struct {
	Time          string `json:"time"`
	LengthMinutes int    `json:"length_minutes"`
}

// SchedulePreview is what saving would give.
type SchedulePreview struct {
	Current   NextUpgrade
	Resulting NextUpgrade
	Upcoming  []WindowView // the next five regular windows
}

// ClusterView is a cluster's page.
type ClusterView struct {
	ID              models.ClusterID
	DisplayName     string
	FQDN            models.FQDN
	State           ClusterState
	RegisteredAt    time.Time
	ScheduleVersion int
	Schedules       Schedules
	NextUpgrade     NextUpgrade
	UpgradePending  bool
	MayPostpone     bool
	PendingRelease  *PendingRelease
	Rollout         *RolloutView
	LocalWork       *PermitView // the open permit, if it is for work by hand (R33)
	Nodes           []NodeView
}

// PendingRelease is the release that the cluster waits for.
type PendingRelease struct {
	Version models.Version
	Kind    models.Kind
}

// RolloutView is a rollout as the cluster's page shows it.
type RolloutView struct {
	ID        models.RolloutID
	Version   models.Version
	Kind      models.Kind
	State     models.RolloutState
	Done      int
	Total     int
	StartedAt time.Time
	Permit    *PermitView // the open one, if it is an upgrade's
}

// PermitView is a permit as admins see it.
type PermitView struct {
	ID          models.PermitID
	NodeID      models.NodeID
	NodeName    models.FQDN
	State       models.PermitState
	Outcome     models.Outcome
	OfferedAt   time.Time
	ConfirmedAt *time.Time
	EndedAt     *time.Time
}

// NodeView is a member as the cluster's page shows it.
type NodeView struct {
	ID               models.NodeID
	Name             models.FQDN
	Role             models.NodeRole
	Member           models.MemberState
	Version          models.Version
	ClientVersion    string
	Health           models.Health
	HealthDetail     string
	Step             models.Step
	StepPercent      int
	Online           bool
	LastSeenAt       *time.Time
	ClockSkewSeconds int64
	Decision         *DecisionView // nil until there is one
	Maintenance      *MaintenanceView
	Facts            []models.Fact
}

// DecisionView is why a node does or does not upgrade now (R24); models.ReasonSentence says it.
type DecisionView struct {
	Verb     models.Verb
	Reason   models.Reason
	Subject  string
	Earliest *time.Time
}

// MaintenanceView is a node's maintenance mode.
type MaintenanceView struct {
	Until  time.Time
	Reason string
}

// HistoryView is one thing that happened to a cluster. The edge makes its sentence: of a permit
// from Action (its state or outcome) and Subject (its version), of a decision with
// models.ReasonSentence, of a change from Action.
type HistoryView struct {
	At       time.Time
	Kind     string // "permit", "decision", "change"
	NodeName models.FQDN
	Actor    string
	Action   string
	Subject  string
	Before   string // JSON, of a change
	After    string
}

// Event tells a console that something changed; it reads it afresh.
type Event struct {
	Cluster      models.ClusterID      `json:"cluster_id,omitempty"`
	Registration models.RegistrationID `json:"registration_id,omitempty"`
}

// NodeIdentity is who a valid access token belongs to.
type NodeIdentity struct {
	Node         models.NodeID
	Cluster      models.ClusterID
	Organization models.OrganizationID
	KeyThumb     string
}

// TypedName is what an admin typed to confirm that an action is meant.
type TypedName string
