package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-sqlite3"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// sqliteTime is fixed in width and in zone, so that comparing text compares instants.
const sqliteTime = "2006-01-02 15:04:05.000000+00:00"

const sqliteReaders = 4

// openSQLite makes two pools: one connection that writes, each transaction of which takes the
// write lock at its begin, and some that can only read. Writers of one process queue in the pool,
// in order and under their deadlines, rather than in SQLite's busy handler.
func (s *Store) openSQLite(o Options) error {
	path := strings.TrimPrefix(o.DSN, "sqlite:")
	if path == "" || strings.Contains(path, ":memory:") || strings.HasPrefix(path, "file:") {
		return fmt.Errorf("cannot use %q: name a file", o.DSN)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	// SQLite gives the file's mode to its journal as well.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	readers := o.MaxConns
	if readers <= 0 {
		readers = sqliteReaders
	}
	if s.write, err = s.sqlitePool(path, "_txlock=immediate", 1); err != nil {
		return err
	}
	s.read, err = s.sqlitePool(path, "_query_only=1", readers)
	return err
}

func (s *Store) sqlitePool(path, more string, conns int) (*gorm.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000&_foreign_keys=1&" + more
	pool := sql.OpenDB(sqliteConnector{dsn: dsn})
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	s.pools = append(s.pools, pool)
	return s.gormOn(sqliteDialector{gormsqlite.Dialector{Conn: pool}})
}

// sqliteConnector opens connections and reads their settings back.
type sqliteConnector struct{ dsn string }

func (c sqliteConnector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

func (c sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	opened, err := (&sqlite3.SQLiteDriver{}).Open(c.dsn)
	if err != nil {
		return nil, err
	}
	conn, ok := opened.(*sqlite3.SQLiteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("unexpected connection %T", opened), opened.Close())
	}
	if err := checkPragmas(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &sqliteConn{SQLiteConn: conn}, nil
}

// checkPragmas refuses a connection on which an acknowledged commit could be lost, or a broken
// reference kept.
func checkPragmas(ctx context.Context, conn *sqlite3.SQLiteConn) error {
	for _, p := range [...]struct{ name, want string }{
		{"journal_mode", "wal"},
		{"synchronous", "2"},
		{"busy_timeout", "5000"},
		{"foreign_keys", "1"},
	} {
		got, err := pragma(ctx, conn, p.name)
		if err != nil {
			return fmt.Errorf("cannot read pragma %s: %w", p.name, err)
		}
		if got != p.want {
			return fmt.Errorf("pragma %s is %s, not %s: commits would not be safe on this file system",
				p.name, got, p.want)
		}
	}
	return nil
}

func pragma(ctx context.Context, conn *sqlite3.SQLiteConn, name string) (string, error) {
	rows, err := conn.QueryContext(ctx, "PRAGMA "+name, nil)
	if err != nil {
		return "", err
	}
	value := make([]driver.Value, 1)
	err = rows.Next(value)
	if err = errors.Join(err, rows.Close()); err != nil {
		return "", err
	}
	return fmt.Sprint(value[0]), nil
}

// sqliteConn gives every argument one form, whatever statement it is part of.
type sqliteConn struct{ *sqlite3.SQLiteConn }

// CheckNamedValue writes times in the one fixed form. It refuses text that PostgreSQL would
// refuse, so that both databases hold the same.
func (c *sqliteConn) CheckNamedValue(v *driver.NamedValue) error {
	value, err := driver.DefaultParameterConverter.ConvertValue(v.Value)
	if err != nil {
		return err
	}
	switch x := value.(type) {
	case time.Time:
		value = x.UTC().Format(sqliteTime)
	case string:
		if !utf8.ValidString(x) || strings.ContainsRune(x, 0) {
			return ErrText
		}
	}
	v.Value = value
	return nil
}

// sqliteDialector names the index that a duplicate ran into.
type sqliteDialector struct{ gormsqlite.Dialector }

// Translate hides gorm's, which forgets the index.
func (sqliteDialector) Translate(err error) error {
	var failure sqlite3.Error
	if !errors.As(err, &failure) {
		return err
	}
	switch failure.ExtendedCode {
	case sqlite3.ErrConstraintUnique, sqlite3.ErrConstraintPrimaryKey:
		_, columns, _ := strings.Cut(failure.Error(), "constraint failed: ")
		return &DuplicateError{Index: sqliteIndex(columns), cause: err}
	case sqlite3.ErrConstraintForeignKey:
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	default:
		return err
	}
}

// sqliteIndex turns the columns of SQLite's message into the index's name. A test compares it with
// the indexes of the schema.
func sqliteIndex(columns string) Index {
	switch columns {
	case "organizations.name_key":
		return OrganizationName
	case "organizations.vendor":
		return OneVendor
	case "users.email":
		return UserEmail
	case "clusters.organization_id, clusters.name_key":
		return LivingClusterName
	case "clusters.organization_id, clusters.fqdn":
		return LivingClusterFQDN
	case "nodes.cluster_id, nodes.name":
		return MemberName
	case "nodes.key_thumb":
		return NodeKey
	case "registrations.secret_hash":
		return RegistrationSecret
	case "registrations.return_code_hash":
		return RegistrationReturnCode
	case "registrations.organization_id, registrations.fqdn":
		return OnePendingRegistration
	case "headless_requests.code_hash":
		return HeadlessCode
	case "headless_requests.secret_hash":
		return HeadlessSecret
	case "releases.channel, releases.version":
		return ReleaseVersion
	case "rollouts.cluster_id":
		return OneOpenRollout
	case "permits.cluster_id":
		return OneOpenPermit
	case "permits.cluster_id, permits.fence_incarnation, permits.fence_counter":
		return PermitFence
	case "audit_records.organization_id, audit_records.sequence":
		return AuditSequence
	}
	switch columns {
	case "organizations.domain":
		return OrganizationDomain
	case "sessions.id":
		return SessionID
	case "passkeys.credential_id":
		return PasskeyCredential
	case "invitations.token_hash":
		return InvitationToken
	case "invitations.organization_id, invitations.email":
		return OneOpenInvitation
	case "api_tokens.secret_hash":
		return APITokenSecret
	case "oidc_subjects.organization_id, oidc_subjects.user_id, oidc_subjects.issuer":
		return OIDCSubjectOfUser
	case "oidc_subjects.organization_id, oidc_subjects.issuer, oidc_subjects.subject":
		return OIDCSubjectTaken
	case "software_files.repository, software_files.path":
		return SoftwarePath
	case "download_credentials.secret_hash":
		return DownloadSecret
	case "eulas.version":
		return EULAVersion
	case "eula_acceptances.user_id, eula_acceptances.version":
		return EULAAccepted
	}
	if table, ok := strings.CutSuffix(columns, ".id"); ok {
		return Index(table + "_pkey")
	}
	if table, ok := strings.CutSuffix(columns, ".id_hash"); ok {
		return Index(table + "_pkey")
	}
	return Index(columns)
}

func sqliteRetryable(err error) bool {
	var failure sqlite3.Error
	return errors.As(err, &failure) &&
		(failure.Code == sqlite3.ErrBusy || failure.Code == sqlite3.ErrLocked)
}
