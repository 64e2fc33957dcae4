package models

// Identifiers are opaque: nobody takes one apart. New ones are random and sort by time of birth
// (UUID version 7); they are made where a clock is allowed.
type (
	// OrganizationID names a tenant.
	OrganizationID string
	// UserID names a person.
	UserID string
	// ClusterID names a registered cluster, for its whole life.
	ClusterID string
	// NodeID names a member of a cluster; a replaced node keeps it.
	NodeID string
	// RegistrationID names one 15-minute authorization.
	RegistrationID string
	// ReleaseID names a release.
	ReleaseID string
	// RolloutID names one release going through one cluster.
	RolloutID string
	// PermitID names one permit.
	PermitID string
	// SessionID names a session in lists.
	SessionID string
	// PasskeyID names a passkey in lists.
	PasskeyID string
	// InvitationID names an invitation.
	InvitationID string
	// APITokenID names a personal API token.
	APITokenID string
	// AuditID names one audit record.
	AuditID string
	// SoftwareID names one file of the software repository.
	SoftwareID string
	// EntitlementID names a contract or subscription record.
	EntitlementID string
	// DownloadCredentialID names a download key or an identity token in lists.
	DownloadCredentialID string
)
