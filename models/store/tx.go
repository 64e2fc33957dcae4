package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"gorm.io/gorm"

	"connecthub/models"
)

const (
	txDeadline  = 30 * time.Second
	txTries     = 40
	txRestUpTo  = 50 * time.Millisecond
	txFirstRest = 2 * time.Millisecond
)

// Tx is one transaction. It is used by one goroutine and is void once its function has returned.
type Tx struct {
	store    *Store
	db       *gorm.DB
	failed   error
	messages []message
	audits   map[models.OrganizationID][]models.AuditRecord // see AppendAudit
}

// Scope is one tenant's part of a transaction: it sees and changes no other tenant's rows.
type Scope struct {
	handle
	organization models.OrganizationID
}

// Hub is the part of a transaction that is the hub's own work across tenants: finding who calls,
// sweeps, releases, the roster.
type Hub struct{ handle }

// Update runs fn in one write transaction and commits when fn returns nil.
//
// Two such transactions have the effect of one after the other: on SQLite the write lock is taken
// at begin, and PostgreSQL runs them SERIALIZABLE. PostgreSQL may ask for a transaction to begin
// again; then fn runs again, so fn must have no effect outside its transaction but to overwrite
// variables. A statement that failed (other than ErrNotFound from a read, and ErrUnchanged) dooms
// the transaction on both databases: nothing is committed even if fn returns nil.
func (s *Store) Update(ctx context.Context, fn func(tx *Tx) error) error {
	ctx, cancel := within(ctx)
	defer cancel()
	rest := txFirstRest
	var chains []models.OrganizationID
	for try := 1; ; try++ {
		leave, err := s.turns.take(ctx, chains)
		if err != nil {
			return err
		}
		chains, err = s.attempt(ctx, true, fn)
		leave()
		if err == nil || try == txTries || !s.retryable(err) {
			return err
		}
		s.retries.Add(1)
		if pause(ctx, rand.N(rest)) != nil { //nolint:gosec // a rest is no secret
			return err
		}
		rest = min(2*rest, txRestUpTo)
	}
}

// View runs fn on one unchanging snapshot. Writing in it is refused by the database.
func (s *Store) View(ctx context.Context, fn func(tx *Tx) error) error {
	ctx, cancel := within(ctx)
	defer cancel()
	_, err := s.attempt(ctx, false, fn)
	return err
}

func within(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, txDeadline)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (s *Store) retryable(err error) bool {
	if s.dialect == PostgreSQL {
		return postgresRetryable(err)
	}
	return sqliteRetryable(err)
}

// attempt answers also which chains of audit records the transaction prolonged, or would have.
func (s *Store) attempt(ctx context.Context, writing bool, fn func(tx *Tx) error) (
	chains []models.OrganizationID, err error) {
	db := s.read
	options := &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	if writing {
		db = s.write
		options = &sql.TxOptions{Isolation: sql.LevelSerializable}
	}
	if s.dialect == SQLite {
		options = nil
	}
	begun := db.WithContext(ctx).Begin(options)
	if begun.Error != nil {
		return nil, fmt.Errorf("cannot begin a transaction: %w", begun.Error)
	}
	tx := &Tx{store: s, db: begun.Session(&gorm.Session{})}
	done := false
	defer func() {
		chains = tx.chained()
		if !done {
			// a panic, a refusal: the connection must not keep the lock
			begun.Rollback()
		}
	}()
	err = fn(tx)
	if err == nil && tx.failed == nil {
		err = tx.chainAudits()
	}
	if err != nil {
		if tx.failed != nil && s.retryable(tx.failed) {
			// whatever fn made of it: the transaction has to begin again
			return nil, tx.failed
		}
		return nil, err
	}
	if tx.failed != nil {
		return nil, tx.failed
	}
	if err := begun.Commit().Error; err != nil {
		return nil, fmt.Errorf("cannot commit: %w", err)
	}
	done = true
	s.exchange.deliver(tx.messages)
	return nil, nil
}

// In is the only way to a tenant's rows.
func (t *Tx) In(organization models.OrganizationID) *Scope {
	return &Scope{organization: organization,
		handle: handle{tx: t, db: t.passing(pass{organization: organization})}}
}

// Organization says whose rows the scope holds.
func (s *Scope) Organization() models.OrganizationID { return s.organization }

// Hub is the narrow way across tenants.
func (t *Tx) Hub() *Hub {
	return &Hub{handle{tx: t, db: t.passing(pass{hub: true})}}
}

func (t *Tx) raw() handle { return handle{tx: t, db: t.passing(pass{raw: true})} }

func (t *Tx) passing(p pass) *gorm.DB {
	return t.db.Set(markKey, p).Session(&gorm.Session{})
}

// fail remembers what dooms the transaction.
func (t *Tx) fail(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gorm.ErrRecordNotFound):
		return ErrNotFound
	}
	if t.failed == nil {
		t.failed = err
	}
	return err
}
