package models

import "time"

// RegistrationTTL is how long a registration may be claimed, on the hub's clock (R2).
const RegistrationTTL = 15 * time.Minute

// ReturnTTL is how long the return leg may take after the claim (R2).
const ReturnTTL = 2 * time.Minute

// RegistrationKind says what comes of a registration.
type RegistrationKind string

// The kinds: a new cluster, or a new key for one member (R32).
const (
	RegisterCluster     RegistrationKind = "cluster"
	RegisterReplacement RegistrationKind = "replacement"
)

// RegistrationState is where a registration stands; all but pending and claimed are absorbing.
type RegistrationState string

// The states of a registration.
const (
	RegistrationPending    RegistrationState = "pending"
	RegistrationClaimed    RegistrationState = "claimed"
	RegistrationCompleted  RegistrationState = "completed"
	RegistrationExpired    RegistrationState = "expired"
	RegistrationDenied     RegistrationState = "denied"
	RegistrationSuperseded RegistrationState = "superseded" // R4
	RegistrationCancelled  RegistrationState = "cancelled"
	RegistrationBurned     RegistrationState = "burned" // it was used in a way that R3 forbids
)

// Final says whether nothing leads out of the state.
func (s RegistrationState) Final() bool {
	return s != RegistrationPending && s != RegistrationClaimed
}

// EndedWhy says more of the end of a registration than its state.
type EndedWhy string

// The reasons.
const (
	EndedNotClaimed    EndedWhy = "not_claimed"        // 15 minutes passed (R2)
	EndedReturnMissing EndedWhy = "return_missing"     // claimed, and the return leg never came (R2)
	EndedOtherSession  EndedWhy = "other_session"      // the return leg came in another session (R3)
	EndedWrongCode     EndedWhy = "comparison_code"    // the comparison code was typed wrongly too often
	EndedMemberGone    EndedWhy = "member_gone"        // the member to be replaced is no member any more
	EndedByNode        EndedWhy = "refused_at_node"    // its administrator did not accept (headless)
	EndedByConsole     EndedWhy = "refused_in_console" // a full admin denied the code (headless)
)

// MaxComparisonAttempts is how often the comparison code may be typed wrongly.
const MaxComparisonAttempts = 5

// Registration is the 15-minute authorization of a cluster, or of one member (R1–R5).
type Registration struct {
	ID             RegistrationID `gorm:"primaryKey"`
	OrganizationID OrganizationID
	Kind           RegistrationKind
	DisplayName    string
	FQDN           FQDN
	State          RegistrationState
	SecretHash     string // SHA-256 of the one-time secret in the ticket
	UserID         UserID
	RequestedBy    string // who asked, as the publisher's page shows it
	SessionHash    string // the console session that began it (R3)
	CreatedAt      time.Time
	ExpiresAt      time.Time
	ClaimedAt      *time.Time
	ReturnBy       *time.Time
	ReturnCodeHash string
	Claim          []byte // the claim as stored JSON, while claimed
	KeyThumb       string // of the node that opened the page; the comparison code covers it (R3)
	ComparisonCode string
	ClusterID      ClusterID // of the replaced member, or of the cluster that came of it
	NodeID         NodeID    // of the replaced member
	EndedAt        *time.Time
	DismissedAt    *time.Time
	EndedWhy       EndedWhy
	Headless       bool // begun at the node's shell; its acceptance there takes the return leg's place
	// CodeRequired: the comparison code must be typed to complete it, as the organization demanded
	// when it was begun.
	CodeRequired       bool
	ComparisonAttempts int // how often it was typed wrongly
}

// Claimable says whether a claim at now is in time: 14:59.999 is, 15:00.000 is not (R2).
func (r Registration) Claimable(now time.Time) bool {
	return r.State == RegistrationPending && now.Before(r.ExpiresAt)
}

// Completable says whether the return leg at now is in time (R2).
func (r Registration) Completable(now time.Time) bool {
	return r.State == RegistrationClaimed && r.ReturnBy != nil && now.Before(*r.ReturnBy)
}
