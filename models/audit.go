package models

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"
)

// AuditRecord is one change: who, what, when, from where, before, after (R30). The records of an
// organization form a chain: each has the next number and holds the hash of the one before it.
type AuditRecord struct {
	ID                AuditID `gorm:"primaryKey"`
	OrganizationID    OrganizationID
	Sequence          int64  // from 1, without gaps
	Encoding          int    // the form in which the hash covers the record
	Previous          string // hash of the record before it, or AuditGenesis
	Hash              string // Digest
	At                time.Time
	ActorKind         string // "user", "node", "hub", "command"
	ActorID           string
	ActorName         string
	ActorEmail        string
	ActorRole         Role
	ActorOrganization OrganizationID
	Address           string
	UserAgent         string
	Action            string // a stable word such as "cluster_registered"
	TargetKind        string
	TargetID          string
	TargetName        string
	ClusterID         ClusterID // empty when it is about no cluster
	Before            string    // JSON
	After             string    // JSON
	TrackingID        string
}

// AuditHead is where the chain of an organization stands, and where it was cut off by age.
type AuditHead struct {
	OrganizationID OrganizationID `gorm:"primaryKey"`
	Sequence       int64          // of the newest record
	Hash           string         // of the newest record
	PrunedSequence int64          // of the last record that was removed by age
	PrunedHash     string
	PruneStatement string // the hub's signature over the cut
	Checkpoints    int64  // how many were signed
	Unchained      bool   // records from before there was a chain wait for their hashes
}

// AuditCheckpoint is the hub's signature over where a chain stood.
type AuditCheckpoint struct {
	OrganizationID OrganizationID `gorm:"primaryKey"`
	Number         int64          `gorm:"primaryKey;autoIncrement:false"` // from 1, without gaps
	Sequence       int64
	Hash           string
	At             time.Time
	Statement      string
}

// AuditEncoding is the form in which new records are hashed. A form never changes: another field
// makes another form.
const AuditEncoding = 1

// auditTime is the form of an instant within a hash: UTC, in the microseconds that are stored.
const auditTime = "2006-01-02T15:04:05.000000Z"

// AuditGenesis is what the first record of an organization holds as the hash before it.
func AuditGenesis(o OrganizationID) string {
	sum := sha256.Sum256([]byte("connecthub audit genesis\x00" + string(o)))
	return hex.EncodeToString(sum[:])
}

// Chain gives the record its place after head, and its hash. It cuts the instant to what is stored.
func (r *AuditRecord) Chain(head AuditHead) {
	r.At = r.At.UTC().Truncate(time.Microsecond)
	r.Encoding, r.Sequence, r.Previous = AuditEncoding, head.Sequence+1, head.Hash
	if head.Sequence == 0 {
		r.Previous = AuditGenesis(r.OrganizationID)
	}
	r.Hash, _ = r.Digest()
}

// Digest is the hash over every other field, in the form that the record names: each field with its
// length before it, so that no two records have the same bytes. It is false for an unknown form.
func (r *AuditRecord) Digest() (string, bool) {
	if r.Encoding != AuditEncoding {
		return "", false
	}
	bytes := make([]byte, 0, 1024)
	bytes = append(bytes, "connecthub audit 1\x00"...)
	for _, field := range [...]string{
		string(r.OrganizationID), strconv.FormatInt(r.Sequence, 10), r.Previous, string(r.ID),
		r.At.UTC().Format(auditTime), r.ActorKind, r.ActorID, r.ActorName, r.ActorEmail,
		string(r.ActorRole), string(r.ActorOrganization), r.Address, r.UserAgent, r.Action,
		r.TargetKind, r.TargetID, r.TargetName, string(r.ClusterID), r.Before, r.After,
		r.TrackingID,
	} {
		bytes = binary.BigEndian.AppendUint32(bytes, uint32(len(field))) //nolint:gosec // far below
		bytes = append(bytes, field...)
	}
	sum := sha256.Sum256(bytes)
	return hex.EncodeToString(sum[:]), true
}
