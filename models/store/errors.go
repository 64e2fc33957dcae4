package store

import (
	"errors"
	"fmt"

	"gorm.io/gorm"
)

var (
	// ErrNotFound is the answer for what does not exist and for what is another tenant's.
	ErrNotFound = errors.New("no such row")
	// ErrUnchanged says that a conditional update found no row in the state it asked for: the
	// ticket is used, the permit has ended, the version has moved on.
	ErrUnchanged = errors.New("no row is in the expected state")
	// ErrUnscoped refuses a statement on a tenant table that names no tenant.
	ErrUnscoped = errors.New("a tenant table is reached without its tenant")
	// ErrText refuses text that is not UTF-8 or holds a zero byte.
	ErrText = errors.New("text is not valid UTF-8 or holds a zero byte")
	// ErrSchemaOld says that the database must be migrated before the hub may use it.
	ErrSchemaOld = errors.New("the database's schema is older than this program: run migrate")
	// ErrSchemaNew says that a newer program has migrated the database.
	ErrSchemaNew = errors.New("the database's schema is newer than this program")
	// ErrDuplicate is what every DuplicateError is.
	ErrDuplicate = errors.New("duplicate")
)

// Index names a unique index that guards a rule.
type Index string

// The guarding indexes, by their names in both schemas.
const (
	OrganizationName       Index = "organizations_name"
	OneVendor              Index = "one_vendor"
	UserEmail              Index = "users_email"
	LivingClusterName      Index = "living_cluster_name"      // R1
	LivingClusterFQDN      Index = "living_cluster_fqdn"      // R5
	MemberName             Index = "member_name"              //
	NodeKey                Index = "node_key"                 //
	RegistrationSecret     Index = "registration_secret"      //
	RegistrationReturnCode Index = "registration_return_code" //
	OnePendingRegistration Index = "one_pending_registration" // R4
	HeadlessCode           Index = "headless_code"            //
	HeadlessSecret         Index = "headless_secret"          //
	ReleaseVersion         Index = "release_version"          //
	OneOpenRollout         Index = "one_open_rollout"         // R19
	OneOpenPermit          Index = "one_open_permit"          // R16
	PermitFence            Index = "permit_fence"             // R21
	OrganizationDomain     Index = "organizations_domain"     //
	SessionID              Index = "sessions_id"              //
	PasskeyCredential      Index = "passkey_credential"       //nolint:gosec // the name of an index
	InvitationToken        Index = "invitation_token"         //
	OneOpenInvitation      Index = "one_open_invitation"      //
	APITokenSecret         Index = "api_token_secret"         //
	OIDCSubjectTaken       Index = "oidc_subjects_pkey"       //
	OIDCSubjectOfUser      Index = "oidc_subject_of_user"     //
	SoftwarePath           Index = "software_path"            //
	DownloadSecret         Index = "download_credential_secret"
	EULAVersion            Index = "eulas_pkey"            //
	EULAAccepted           Index = "eula_acceptances_pkey" //
	AuditSequence          Index = "audit_sequence"        // R30
)

// DuplicateError says which rule a new row would have broken.
type DuplicateError struct {
	Index Index
	cause error
}

func (e *DuplicateError) Error() string { return fmt.Sprintf("duplicate in %s", e.Index) }

// Unwrap makes it ErrDuplicate, and what the driver said.
func (e *DuplicateError) Unwrap() []error {
	return []error{ErrDuplicate, gorm.ErrDuplicatedKey, e.cause}
}

// IsDuplicate says whether err is a duplicate in that index.
func IsDuplicate(err error, index Index) bool {
	var duplicate *DuplicateError
	return errors.As(err, &duplicate) && duplicate.Index == index
}
