package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"connecthub/models/store"

	"github.com/google/uuid"
)

// JobsLease names the lease of the replica that runs the jobs which one replica runs for all.
const JobsLease = "jobs"

// How long the lease lasts, and from when on it is renewed: a replica that dies is replaced within
// the one, and the database is asked only after the other.
const (
	leaseLength = 15 * time.Second
	leaseRenew  = 5 * time.Second
)

// leader holds or wants the lease. Two replicas whose clocks differ may both believe for a moment
// that they hold it: every job is a conditional change of rows, so that two do no more than one.
type leader struct {
	store   *store.Store
	now     func() time.Time
	replica string

	mu    sync.Mutex
	until time.Time // the lease is ours; zero: not
}

func newLeader(s *store.Store, now func() time.Time) *leader {
	return &leader{store: s, now: now, replica: uuid.NewString()}
}

// lease says whether this replica may run a job now. SQLite has one hub, which alone sees to.
func (l *leader) lease(ctx context.Context, _ string) (bool, error) {
	if l.store.Dialect() == store.SQLite {
		return true, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now().UTC()
	if l.until.Sub(now) > leaseLength-leaseRenew {
		return true, nil
	}
	until := now.Add(leaseLength)
	err := l.store.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Hub().TakeLease(JobsLease, l.replica, now, until)
		return err
	})
	switch {
	case errors.Is(err, store.ErrUnchanged):
		l.until = time.Time{}
		return false, nil
	case err != nil:
		return now.Before(l.until), err
	}
	l.until = until
	return true, nil
}

// resign lets another replica begin at once.
func (l *leader) resign(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until.IsZero() {
		return nil
	}
	l.until = time.Time{}
	return l.store.Update(ctx, func(tx *store.Tx) error {
		return tx.Hub().EndLease(JobsLease, l.replica, l.now().UTC())
	})
}
