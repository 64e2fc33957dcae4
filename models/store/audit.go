package store

import (
	"time"

	"connecthub/models"
)

// AppendAudit stores one record; an empty ID is filled. There is no way to change or remove one.
func (s *Scope) AppendAudit(r *models.AuditRecord) error {
	if r.ID == "" {
		r.ID = NewID[models.AuditID](s.tx)
	}
	return create(s.handle, r)
}

// AuditQuery bounds a list of audit records.
type AuditQuery struct {
	ClusterID models.ClusterID // empty: of the whole organization
	Before    models.AuditID   // empty: from the newest
	Limit     int              // at most 200, which is the default
}

// Audit lists records in the order in which they were made, newest first.
func (s *Scope) Audit(q AuditQuery) ([]models.AuditRecord, error) {
	var conditions []where
	if q.ClusterID != "" {
		conditions = append(conditions, is("cluster_id", q.ClusterID))
	}
	if q.Before != "" {
		conditions = append(conditions, before("id", q.Before))
	}
	return list[models.AuditRecord](s.handle, by("id").newestFirst(), bounded(q.Limit),
		conditions...)
}

// spentAssertion is one client assertion that a node has used.
type spentAssertion struct {
	ID        string `gorm:"primaryKey"`
	ExpiresAt time.Time
}

// TableName names its table.
func (spentAssertion) TableName() string { return "spent_assertions" }

// SpendAssertion uses an assertion's id up; ErrUnchanged when it was used before. The id must name
// its node too, or one node could spend another's.
func (h *Hub) SpendAssertion(id string, expires time.Time) error {
	if id == "" {
		return ErrUnchanged
	}
	done := h.db.Clauses(doNothing()).Create(&spentAssertion{ID: id, ExpiresAt: expires})
	return exactlyOne(done.RowsAffected, h.tx.fail(done.Error))
}

// PurgeAssertions forgets those that have expired: they are refused for their age.
func (h *Hub) PurgeAssertions(now time.Time) (int64, error) {
	return remove[spentAssertion](h.handle, atMost("expires_at", now))
}
