package models

import (
	"slices"
	"strings"
	"time"
)

// How long what lets somebody download lives.
const (
	// SignInMonths is how many calendar months a download key lives without its person signing in.
	SignInMonths = 6
	// TokenOverlap is how long an identity token stays good at most after its rotation.
	TokenOverlap = time.Hour
	// DownloadTokenDays is how long an identity token lives unless its person says otherwise.
	DownloadTokenDays = 180
)

// SoftwareFile is one file that the vendor offers for download. It is no release of the hub's: what
// upgrades Cloud Connect itself is served under a permit only (R14).
type SoftwareFile struct {
	ID          SoftwareID `gorm:"primaryKey"`
	Repository  string
	Path        string // parted by slashes, without one at its beginning
	Size        int64
	SHA256      string `gorm:"column:sha256"` // lower-case hex, and the name of the stored bytes
	SHA1        string `gorm:"column:sha1"`
	MD5         string `gorm:"column:md5"`
	Product     string
	Version     string
	Restricted  bool // export-restricted
	Notes       string
	PublishedAt time.Time
	WithdrawnAt *time.Time
}

// EntitlementKind is what entitles: a service contract or a subscription.
type EntitlementKind string

// The kinds of entitlement.
const (
	EntitlementSWSS EntitlementKind = "swss"
	EntitlementFlex EntitlementKind = "flex"
)

// Valid says whether k is one of the kinds.
func (k EntitlementKind) Valid() bool { return k == EntitlementSWSS || k == EntitlementFlex }

// AllProducts in an entitlement covers every product.
const AllProducts = "*"

// Entitlement is a contract or subscription record of an organization, or of one person of it. The
// vendor's side makes and ends it.
type Entitlement struct {
	ID             EntitlementID `gorm:"primaryKey"`
	OrganizationID OrganizationID
	UserID         UserID // empty: everybody in the organization
	Kind           EntitlementKind
	Reference      string // what the vendor calls the contract
	Products       string // parted by spaces; AllProducts
	ExportCleared  bool   // may have export-restricted software
	ValidFrom      time.Time
	ValidUntil     time.Time // the first instant at which it is not valid
	CreatedAt      time.Time
	EndedAt        *time.Time
}

// ProductList is Products, one by one.
func (e Entitlement) ProductList() []string { return strings.Fields(e.Products) }

// ValidAt says whether the entitlement counts at an instant for a person of its organization.
func (e Entitlement) ValidAt(u UserID, now time.Time) bool {
	return e.EndedAt == nil && (e.UserID == "" || e.UserID == u) &&
		!now.Before(e.ValidFrom) && now.Before(e.ValidUntil)
}

// Covers says whether the product is among the entitlement's.
func (e Entitlement) Covers(product string) bool {
	return slices.ContainsFunc(e.ProductList(), func(p string) bool {
		return p == AllProducts || strings.EqualFold(p, product)
	})
}

// EULA is a version of the End User License Agreement. The newest one is asked for.
type EULA struct {
	Version     string `gorm:"primaryKey"`
	Text        string
	PublishedAt time.Time
}

// TableName names its table.
func (EULA) TableName() string { return "eulas" }

// EULAAcceptance says that one person accepted one version.
type EULAAcceptance struct {
	UserID         UserID `gorm:"primaryKey"`
	Version        string `gorm:"primaryKey"`
	OrganizationID OrganizationID
	AcceptedAt     time.Time
}

// TableName names its table.
func (EULAAcceptance) TableName() string { return "eula_acceptances" }

// DownloadKind is the sort of a download credential.
type DownloadKind string

// The kinds of download credential.
const (
	DownloadKey   DownloadKind = "key"
	IdentityToken DownloadKind = "identity_token"
)

// Valid says whether k is one of the kinds.
func (k DownloadKind) Valid() bool { return k == DownloadKey || k == IdentityToken }

// DownloadCredential lets a program download software as a person: a key without an end of its own,
// or an identity token with one. Whether it counts is asked at each download.
type DownloadCredential struct {
	ID             DownloadCredentialID `gorm:"primaryKey"`
	OrganizationID OrganizationID
	UserID         UserID
	Kind           DownloadKind
	Name           string
	Prefix         string // the beginning of the secret, to recognise it by
	LastFour       string // its end
	SecretHash     string
	Days           int // for how long a token was made, and its successors; 0 for a key
	CreatedAt      time.Time
	ExpiresAt      *time.Time // nil for a key
	LastUsedAt     *time.Time
	RevokedAt      *time.Time
	SuccessorID    DownloadCredentialID // the token that a rotation made of it
}

// LapsesAt is when a credential stops to count because its person has not signed in: six calendar
// months after the last sign-in. Where that month has no such day, it is the month's last one.
func LapsesAt(signedIn time.Time) time.Time {
	signedIn = signedIn.UTC()
	first := time.Date(signedIn.Year(), signedIn.Month()+SignInMonths, 1, signedIn.Hour(),
		signedIn.Minute(), signedIn.Second(), signedIn.Nanosecond(), time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(signedIn.Day(), last)-1)
}

// Change is the change of which the audit tells; it names no secret.
func (c DownloadCredential) Change(action string) Change {
	after := map[string]string{"prefix": c.Prefix}
	if c.ExpiresAt != nil {
		after["expires_at"] = c.ExpiresAt.Format(time.RFC3339)
	}
	return Change{Organization: c.OrganizationID, Action: action,
		TargetKind: "download_credential", TargetID: string(c.ID), TargetName: c.Name, After: after}
}
