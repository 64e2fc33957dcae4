package store

import "time"

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
