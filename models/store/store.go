package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Dialect is one of the two databases.
type Dialect string

// The dialects.
const (
	SQLite     Dialect = "sqlite"
	PostgreSQL Dialect = "postgres"
)

// Options says which database, and whose clock.
type Options struct {
	// DSN is "sqlite:PATH", a plain path, or "postgres://…".
	DSN string
	// Now is the hub's clock; new identifiers sort by it.
	Now func() time.Time
	// Log hears of retries and of a lost listener; nil is silence.
	Log *slog.Logger
	// MaxConns bounds the pool: readers on SQLite (default 4; there is always exactly one
	// writer), all connections on PostgreSQL (default 10).
	MaxConns int
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	dialect  Dialect
	dsn      string
	now      func() time.Time
	log      *slog.Logger
	write    *gorm.DB
	read     *gorm.DB
	pools    []*sql.DB // the writing pool first
	lastID   atomic.Int64
	exchange exchange
	retries  atomic.Uint64
	turns    turns
}

// Open connects and checks. It refuses a connection whose settings do not read back as those that
// make a commit survive a power cut; each later connection of the pool is checked as well. It does
// not migrate.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Now == nil {
		return nil, errors.New("cannot open the store: no clock is given")
	}
	s := &Store{now: o.Now, log: o.Log, dsn: o.DSN}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if isPostgres(o.DSN) {
		s.dialect = PostgreSQL
		err = s.openPostgres(o)
	} else {
		s.dialect = SQLite
		err = s.openSQLite(o)
	}
	if err == nil {
		err = s.openAll(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the store: %w", err), s.Close())
	}
	return s, nil
}

func isPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// openAll opens every connection that the pools may hold on SQLite, and one on PostgreSQL: opening
// is what reads the settings back.
func (s *Store) openAll(ctx context.Context) error {
	for _, pool := range s.pools {
		want := 1
		if s.dialect == SQLite {
			want = pool.Stats().MaxOpenConnections
		}
		conns := make([]*sql.Conn, 0, want)
		var failed error
		for range want {
			conn, err := pool.Conn(ctx)
			if err != nil {
				failed = err
				break
			}
			conns = append(conns, conn)
		}
		for _, conn := range conns {
			failed = errors.Join(failed, conn.Close())
		}
		if failed != nil {
			return failed
		}
	}
	return nil
}

// Close ends every connection. What listens must have been told to end before.
func (s *Store) Close() error {
	var failed error
	for i := len(s.pools) - 1; i >= 0; i-- {
		failed = errors.Join(failed, s.pools[i].Close())
	}
	return failed
}

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.pools[0].QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("cannot reach the database: %w", err)
	}
	return nil
}

// Dialect says which of the two databases this is.
func (s *Store) Dialect() Dialect { return s.dialect }

// Retries counts transactions that PostgreSQL asked to begin again since Open.
func (s *Store) Retries() uint64 { return s.retries.Load() }

// gormOn wraps a pool; statements on it pass the guard of tenant tables.
func (s *Store) gormOn(dialector gorm.Dialector) (*gorm.DB, error) {
	db, err := gorm.Open(dialector, &gorm.Config{
		NowFunc:                func() time.Time { return s.now().UTC() },
		TranslateError:         true,
		SkipDefaultTransaction: true,
		Logger:                 logger.Discard,
		DisableAutomaticPing:   true,
	})
	if err != nil {
		return nil, err
	}
	if err := guard(db); err != nil {
		return nil, err
	}
	return db, nil
}
