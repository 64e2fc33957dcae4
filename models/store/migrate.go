package store

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"connecthub/models/store/migrations"
)

func (s *Store) provider() (*goose.Provider, error) {
	files, err := fs.Sub(migrations.Files, string(s.dialect))
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(s.log)}
	dialect := goose.DialectSQLite3
	if s.dialect == PostgreSQL {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(dialect, s.pools[0], files, options...)
}

// Migrate brings the schema up to this program, each file in a transaction, and answers from which
// version to which. It refuses a database that a newer program has migrated.
func (s *Store) Migrate(ctx context.Context) (from, to int, err error) {
	p, err := s.provider()
	if err != nil {
		return 0, 0, fmt.Errorf("cannot read the migrations: %w", err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("cannot read the schema's version: %w", err)
	}
	if current > target {
		return int(current), int(current), fmt.Errorf("%w: %d, not %d", ErrSchemaNew, current, target)
	}
	if _, err := p.Up(ctx); err != nil {
		return int(current), int(current), fmt.Errorf("cannot migrate: %w", err)
	}
	if err := s.chainOld(ctx); err != nil {
		return int(current), int(target), err
	}
	return int(current), int(target), nil
}

// CheckSchema refuses a database whose schema is not exactly this program's.
func (s *Store) CheckSchema(ctx context.Context) error {
	p, err := s.provider()
	if err != nil {
		return fmt.Errorf("cannot read the migrations: %w", err)
	}
	current, target, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("cannot read the schema's version: %w", err)
	case current < target:
		return fmt.Errorf("%w (%d, not %d)", ErrSchemaOld, current, target)
	case current > target:
		return fmt.Errorf("%w (%d, not %d)", ErrSchemaNew, current, target)
	}
	waits, err := s.waitsForChain(ctx)
	if err != nil {
		return fmt.Errorf("cannot read the heads of the audit chains: %w", err)
	}
	if waits {
		return fmt.Errorf("%w (the audit records are not chained yet)", ErrSchemaOld)
	}
	return nil
}
