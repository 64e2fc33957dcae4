package models

import "time"

// Role says what a user may do.
type Role string

// The roles. A release engineer belongs to the vendor's organization (R29).
const (
	FullAdmin       Role = "full_admin"
	ReadOnlyAdmin   Role = "read_only_admin"
	ReleaseEngineer Role = "release_engineer"
)

// Valid says whether r is one of the roles.
func (r Role) Valid() bool { return r == FullAdmin || r == ReadOnlyAdmin || r == ReleaseEngineer }

// Scope says what a personal API token may be used for. What asks to sign in again is in none.
type Scope string

// The scopes.
const (
	ScopeClustersRead  Scope = "clusters:read"
	ScopeClustersWrite Scope = "clusters:write"
	ScopePeopleRead    Scope = "people:read"
	ScopeAuditRead     Scope = "audit:read"
	ScopeReleasesRead  Scope = "releases:read"
	ScopeReleasesWrite Scope = "releases:write"
)

// Organization is a tenant, or the one built-in vendor organization that owns the releases (R29).
type Organization struct {
	ID        OrganizationID `gorm:"primaryKey"`
	Name      string
	NameKey   string // FoldName(Name), unique
	Zone      string // IANA name: the zone of default schedules
	Language  string // "en" or "ja"
	Vendor    bool
	CreatedAt time.Time
	// Domain was verified by the hub's operator; empty for none. It belongs to one organization.
	Domain string
	// RequireComparisonCode lets a registration be completed only with the code typed (R3).
	RequireComparisonCode bool
	// RequireSecondFactor leaves those without a passkey only what they need to add one.
	RequireSecondFactor bool
	// DisabledAt: since then nobody of it signs in, and no session or token of it is taken.
	DisabledAt *time.Time
}

// User is a person of exactly one organization.
type User struct {
	ID             UserID `gorm:"primaryKey"`
	OrganizationID OrganizationID
	Email          string // lower case, unique in the hub
	Name           string
	Role           Role
	PasswordHash   string // argon2id, PHC form; empty for who signs in through a provider alone
	CreatedAt      time.Time
	DisabledAt     *time.Time
	LastSignedInAt *time.Time
	// PasswordChangedAt is nil while the first password is in use.
	PasswordChangedAt *time.Time
}

// SignInMethod says how somebody signed in.
type SignInMethod string

// The methods.
const (
	MethodPassword SignInMethod = "password"
	MethodOIDC     SignInMethod = "oidc"
)

// Session is one signed-in browser. It ends when it idles, at its absolute limit, or on sign-out.
type Session struct {
	IDHash         string `gorm:"primaryKey"` // SHA-256 of the cookie's value
	UserID         UserID
	OrganizationID OrganizationID
	CreatedAt      time.Time
	LastUsedAt     time.Time
	ExpiresAt      time.Time
	ID             SessionID // to list and end it by; never a credential
	ConfirmedAt    time.Time // when its person last proved to be there, by signing in (again)
	Method         SignInMethod
	Address        string // from where it was begun
	UserAgent      string
}

// HubState is the hub's one row about itself.
type HubState struct {
	ID          int    `gorm:"primaryKey"` // always 1
	Incarnation uint64 // raised by a restore (R34)
	HubID       string
	CreatedAt   time.Time
}
