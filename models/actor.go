package models

import (
	"encoding/json"
	"time"
)

// The kinds of actor.
const (
	ActorUser    = "user"
	ActorNode    = "node"
	ActorHub     = "hub"
	ActorCommand = "command"
)

// Actor is who does something, and from where: what an audit record says of it (R30).
type Actor struct {
	Kind         string // one of the Actor words
	UserID       UserID
	Name         string
	Email        string // of a user
	Organization OrganizationID
	Role         Role
	SessionHash  string // of the console session, where there is one
	Address      string
	UserAgent    string
	TrackingID   string
	Language     string
}

// FullAdmin says whether the actor may change what belongs to its organization.
func (a Actor) FullAdmin() bool { return a.Kind == ActorUser && a.Role == FullAdmin }

// Change is what happened to what: the part of an audit record that is not its actor.
type Change struct {
	Organization OrganizationID
	Action       string // a stable word such as "cluster_registered"
	TargetKind   string
	TargetID     string
	TargetName   string
	Cluster      ClusterID
	Before       any
	After        any
}

// Audit is the one way to an audit record (R30). Values that cannot be written as JSON are left out,
// and what may be a secret is redacted.
func (a Actor) Audit(id AuditID, now time.Time, c Change) AuditRecord {
	return AuditRecord{
		ID: id, OrganizationID: c.Organization, At: now,
		ActorKind: a.Kind, ActorID: string(a.UserID), ActorName: a.Name, ActorEmail: a.Email,
		ActorRole: a.Role, ActorOrganization: a.Organization,
		Address: a.Address, UserAgent: a.UserAgent, TrackingID: a.TrackingID,
		Action: c.Action, TargetKind: c.TargetKind, TargetID: c.TargetID,
		TargetName: c.TargetName, ClusterID: c.Cluster,
		Before: auditText(c.Before), After: auditText(c.After),
	}
}

func auditText(v any) string {
	if v == nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(redact(text))
}
