package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	gormpostgres "gorm.io/driver/postgres"
)

const (
	postgresConns = 10
	postgresIdle  = 5 * time.Minute
)

func (s *Store) openPostgres(o Options) error {
	config, err := postgresConfig(o.DSN)
	if err != nil {
		return err
	}
	pool := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(preparePostgres))
	conns := o.MaxConns
	if conns <= 0 {
		conns = postgresConns
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	pool.SetConnMaxIdleTime(postgresIdle)
	s.pools = append(s.pools, pool)
	s.write, err = s.gormOn(postgresDialector{gormpostgres.Dialector{
		Config: &gormpostgres.Config{Conn: pool}}})
	s.read = s.write
	return err
}

// postgresConfig reads the DSN and sets what a commit's promise needs, whatever the server's
// defaults are. The password never stands in an error.
func postgresConfig(dsn string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the PostgreSQL address is not valid")
	}
	config.RuntimeParams["synchronous_commit"] = "on"
	config.RuntimeParams["timezone"] = "UTC"
	config.RuntimeParams["application_name"] = "connecthub"
	config.RuntimeParams["lock_timeout"] = "10s"
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "60s"
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	return config, nil
}

// preparePostgres reads the settings back and makes every time UTC.
func preparePostgres(ctx context.Context, conn *pgx.Conn) error {
	var version int
	var encoding, commit, zone string
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int,
		current_setting('server_encoding'), current_setting('synchronous_commit'),
		current_setting('timezone')`).Scan(&version, &encoding, &commit, &zone)
	if err != nil {
		return fmt.Errorf("cannot read the settings back: %w", err)
	}
	switch {
	case version < 140000:
		return fmt.Errorf("PostgreSQL %d is too old: 14 or later is needed", version/10000)
	case encoding != "UTF8":
		return fmt.Errorf("the database's encoding is %s, not UTF8", encoding)
	case commit != "on":
		return fmt.Errorf("synchronous_commit is %s, not on: commits would not be safe", commit)
	case zone != "UTC":
		return fmt.Errorf("the session's time zone is %s, not UTC", zone)
	}
	conn.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID,
		Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
	return nil
}

// postgresDialector names the index that a duplicate ran into.
type postgresDialector struct{ gormpostgres.Dialector }

// Translate hides gorm's, which has no type for the index.
func (postgresDialector) Translate(err error) error {
	var failure *pgconn.PgError
	if !errors.As(err, &failure) {
		return err
	}
	switch failure.Code {
	case "23505": // unique_violation
		return &DuplicateError{Index: Index(failure.ConstraintName), cause: err}
	case "23503": // foreign_key_violation
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case "22021", "22P05": // character_not_in_repertoire, untranslatable_character
		return fmt.Errorf("%w: %w", ErrText, err)
	default:
		return err
	}
}

func postgresRetryable(err error) bool {
	var failure *pgconn.PgError
	if !errors.As(err, &failure) {
		return false
	}
	return failure.Code == "40001" || failure.Code == "40P01" // serialization, deadlock
}
