package models

import (
	"strings"
	"time"
)

// OIDCProvider is the OpenID Connect provider of an organization. The hub's operator sets it, never
// a tenant, because the hub connects to what stands here.
type OIDCProvider struct {
	OrganizationID OrganizationID `gorm:"primaryKey"`
	Issuer         string
	ClientID       string
	SealedSecret   string // the client secret, sealed
	Hosts          string // hosts besides the issuer's that its endpoints may be at, parted by spaces
	Required       bool   // passwords are refused in this organization
	SetAt          time.Time
}

// TableName names its table.
func (OIDCProvider) TableName() string { return "oidc_providers" }

// HostList is Hosts, one by one.
func (p OIDCProvider) HostList() []string { return strings.Fields(p.Hosts) }

// OIDCLoginTTL is how long a person may take at the provider.
const OIDCLoginTTL = 10 * time.Minute

// OIDCPurpose says what a journey to the provider is for.
type OIDCPurpose string

// The purposes.
const (
	OIDCSignIn OIDCPurpose = "sign_in"
	OIDCStepUp OIDCPurpose = "step_up"
)

// Valid says whether p is one of the purposes.
func (p OIDCPurpose) Valid() bool { return p == OIDCSignIn || p == OIDCStepUp }

// OIDCLogin is one journey of a browser to the provider and back. It counts once, in its time, in
// the browser that began it. Nothing in it is a secret: what the browser must know is hashed.
type OIDCLogin struct {
	StateHash      string `gorm:"primaryKey"`
	OrganizationID OrganizationID
	BrowserHash    string
	NonceHash      string
	Issuer         string
	ClientID       string
	Purpose        OIDCPurpose
	UserID         UserID // whose session is confirmed; empty for a sign-in
	SessionHash    string // the session that is confirmed; empty for a sign-in
	ReturnTo       string // a path of the console
	BeganAt        time.Time
	ExpiresAt      time.Time
	UsedAt         *time.Time
}

// TableName names its table.
func (OIDCLogin) TableName() string { return "oidc_logins" }

// OIDCSubject binds what a provider calls a person to the person. The first sign-in makes it; an
// e-mail address that the provider gives to somebody else later does not reach the account.
type OIDCSubject struct {
	OrganizationID OrganizationID `gorm:"primaryKey"`
	Issuer         string         `gorm:"primaryKey"`
	Subject        string         `gorm:"primaryKey"`
	UserID         UserID
	BoundAt        time.Time
}

// TableName names its table.
func (OIDCSubject) TableName() string { return "oidc_subjects" }
