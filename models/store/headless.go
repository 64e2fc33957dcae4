package store

import (
	"errors"
	"time"

	"connecthub/models"
)

// CreateHeadless stores a pending request; an empty ID is filled. What the same node asked before is
// worth nothing from then on. It refuses a code that another one has (HeadlessCode).
func (h *Hub) CreateHeadless(r *models.HeadlessRequest, now time.Time) error {
	_, err := set[models.HeadlessRequest](h.handle,
		values{"state": models.HeadlessExpired, "ended_at": now},
		is("key_thumb", r.KeyThumb), is("state", models.HeadlessPending))
	if err != nil {
		return err
	}
	if r.ID == "" {
		r.ID = NewID[models.HeadlessID](h.tx)
	}
	return create(h.handle, r)
}

// HeadlessByCode finds the request that still counts under a code, or answers ErrNotFound.
func (h *Hub) HeadlessByCode(hash string) (models.HeadlessRequest, error) {
	if hash == "" {
		return models.HeadlessRequest{}, ErrNotFound
	}
	return take[models.HeadlessRequest](h.handle, is("code_hash", hash), is("ended_at", nil))
}

// HeadlessBySecret finds a node's own request, or answers ErrNotFound.
func (h *Hub) HeadlessBySecret(hash string) (models.HeadlessRequest, error) {
	if hash == "" {
		return models.HeadlessRequest{}, ErrNotFound
	}
	return take[models.HeadlessRequest](h.handle, is("secret_hash", hash))
}

// CountHeadless answers how many requests wait for an approval.
func (h *Hub) CountHeadless() (int64, error) {
	var n int64
	err := h.db.Model(&models.HeadlessRequest{}).
		Clauses(is("state", models.HeadlessPending)).Count(&n).Error
	return n, h.tx.fail(err)
}

// ApproveHeadless ties a pending request to the registration that was made of it; else ErrUnchanged.
func (h *Hub) ApproveHeadless(id models.HeadlessID, r models.RegistrationID, now time.Time) error {
	return setOne[models.HeadlessRequest](h.handle,
		values{"state": models.HeadlessApproved, "registration_id": r},
		is("id", id), is("state", models.HeadlessPending), after("expires_at", now))
}

// EndHeadless moves a request from a state to one that is final; else ErrUnchanged.
func (h *Hub) EndHeadless(id models.HeadlessID, from, to models.HeadlessState, now time.Time) error {
	return setOne[models.HeadlessRequest](h.handle, values{"state": to, "ended_at": now},
		is("id", id), is("state", from))
}

// SawHeadless notes when a node asked last, and how long it has to wait between two questions.
func (h *Hub) SawHeadless(id models.HeadlessID, interval int, now time.Time) error {
	return setOne[models.HeadlessRequest](h.handle,
		values{"polled_at": now, "interval_seconds": interval}, is("id", id))
}

// ExpireHeadless ends the requests whose time has passed, and forgets those that ended a while ago.
func (h *Hub) ExpireHeadless(now, forget time.Time) error {
	_, err := set[models.HeadlessRequest](h.handle,
		values{"state": models.HeadlessExpired, "ended_at": now},
		oneOf("state", models.HeadlessPending, models.HeadlessApproved), atMost("expires_at", now))
	if err != nil {
		return err
	}
	_, err = remove[models.HeadlessRequest](h.handle, atMost("ended_at", forget))
	return err
}

// VoidHeadless ends every request that has not ended (R34).
func (h *Hub) VoidHeadless(now time.Time) error {
	_, err := set[models.HeadlessRequest](h.handle,
		values{"state": models.HeadlessExpired, "ended_at": now}, is("ended_at", nil))
	return err
}

// attempt counts how often somebody has tried something, until a time.
type attempt struct {
	ID    string `gorm:"primaryKey"`
	Count int
	Until time.Time
}

// TableName names its table.
func (attempt) TableName() string { return "attempts" }

// Attempts answers how often id has been tried, and until when that counts.
func (h *Hub) Attempts(id string, now time.Time) (int, time.Time, error) {
	row, err := take[attempt](h.handle, is("id", id), after("until", now))
	if errors.Is(err, ErrNotFound) {
		return 0, now, nil
	}
	return row.Count, row.Until, err
}

// Attempt counts one more; the first one says until when all of them count.
func (h *Hub) Attempt(id string, now, until time.Time) error {
	row, err := takeAny[attempt](h.handle, is("id", id))
	switch {
	case err != nil:
		return err
	case row == nil:
		return create(h.handle, &attempt{ID: id, Count: 1, Until: until})
	case now.Before(row.Until):
		return setOne[attempt](h.handle, values{"count": row.Count + 1}, is("id", id))
	}
	return setOne[attempt](h.handle, values{"count": 1, "until": until}, is("id", id))
}

// PurgeAttempts forgets those that do not count any more.
func (h *Hub) PurgeAttempts(now time.Time) error {
	_, err := remove[attempt](h.handle, atMost("until", now))
	return err
}
