// Package storetest opens real databases for tests and holds the suite that both must pass. It
// knows no rule beyond what the store promises.
package storetest

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"connecthub/models/store"
)

// Start is the instant at which a test's clock stands first: with microseconds that matter.
func Start() time.Time { return time.Date(2026, 11, 22, 3, 0, 0, 123456000, time.UTC) }

// Clock is a clock that only its test moves.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock stands at Start.
func NewClock() *Clock { return &Clock{now: Start()} }

// Now answers where the clock stands.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward and answers where it stands then.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// SQLite opens a migrated database in a folder of its own; it is closed when the test ends.
func SQLite(t testing.TB) *store.Store {
	t.Helper()
	return Open(t, "sqlite:"+filepath.Join(t.TempDir(), "hub.db"))
}

// Open opens and migrates the database of a DSN with a clock that stands at Start.
func Open(t testing.TB, dsn string) *store.Store {
	t.Helper()
	return OpenWith(t, store.Options{DSN: dsn, Now: NewClock().Now})
}

// OpenWith opens and migrates with the options given; the store is closed when the test ends.
func OpenWith(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := store.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("cannot close the store: %v", err)
		}
	})
	if _, _, err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}
