package models

import (
	"slices"
	"strings"
	"time"
)

// How long what is given to people lives.
const (
	InvitationTTL   = 7 * 24 * time.Hour
	ChallengeTTL    = 5 * time.Minute
	ConfirmationTTL = 5 * time.Minute
	MaxTokenDays    = 365
)

// Passkey is a WebAuthn credential, the second factor of a person. Its secret never leaves the
// person's authenticator.
type Passkey struct {
	ID             PasskeyID `gorm:"primaryKey"`
	OrganizationID OrganizationID
	UserID         UserID
	Name           string
	CredentialID   string // base64url, unique in the hub
	PublicKey      []byte // COSE
	Transports     string // parted by commas
	BackupEligible bool
	SignCount      int64 // only grows, where the authenticator counts at all
	CreatedAt      time.Time
	LastUsedAt     *time.Time
}

// RecoveryCode stands in for a passkey, once.
type RecoveryCode struct {
	IDHash         string `gorm:"primaryKey"` // SHA-256 of person and code
	OrganizationID OrganizationID
	UserID         UserID
	CreatedAt      time.Time
	UsedAt         *time.Time
}

// ChallengePurpose says what a challenge is for; an answer to one is none to another.
type ChallengePurpose string

// The purposes.
const (
	ChallengeSignIn  ChallengePurpose = "sign_in"
	ChallengeStepUp  ChallengePurpose = "step_up"
	ChallengePasskey ChallengePurpose = "passkey"
)

// SignInChallenge is what one browser was asked to answer: once, within minutes.
type SignInChallenge struct {
	IDHash         string `gorm:"primaryKey"` // SHA-256 of the id that the browser got
	OrganizationID OrganizationID
	UserID         UserID
	Purpose        ChallengePurpose
	BrowserHash    string // SHA-256 of the cookie of the browser, or of its session
	Data           []byte // what the check needs, in JSON; no secret
	Tries          int
	CreatedAt      time.Time
	ExpiresAt      time.Time
	UsedAt         *time.Time
}

// Invitation lets one person in, once. Its token is known to whoever has the link.
type Invitation struct {
	ID             InvitationID `gorm:"primaryKey"`
	OrganizationID OrganizationID
	TokenHash      string
	Email          string
	Role           Role
	UserID         UserID // who was let in by it; empty while it waits
	InvitedBy      string
	CreatedAt      time.Time
	ExpiresAt      time.Time
	EndedAt        *time.Time // accepted, withdrawn or replaced
}

// APIToken is a person's credential for programs: less than the person may, and for a time.
type APIToken struct {
	ID             APITokenID `gorm:"primaryKey"`
	OrganizationID OrganizationID
	UserID         UserID
	Name           string
	Prefix         string // the beginning of the secret, to recognise it by
	SecretHash     string
	Scopes         string // parted by spaces
	CreatedAt      time.Time
	ExpiresAt      time.Time
	LastUsedAt     *time.Time
	RevokedAt      *time.Time
}

// TableName names its table.
func (APIToken) TableName() string { return "api_tokens" }

// Has says whether the token was made for the scope.
func (t APIToken) Has(s Scope) bool {
	return s != "" && slices.Contains(strings.Fields(t.Scopes), string(s))
}

// Scopes are all scopes there are.
func Scopes() []Scope {
	return []Scope{ScopeClustersRead, ScopeClustersWrite, ScopePeopleRead, ScopeAuditRead,
		ScopeReleasesRead, ScopeReleasesWrite}
}

// Allowed says whether a person of the organization may have the role: release engineers belong to
// the vendor, admins to tenants (R29).
func (o Organization) Allowed(r Role) bool {
	return r.Valid() && (r == ReleaseEngineer) == o.Vendor
}
