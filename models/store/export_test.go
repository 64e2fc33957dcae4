package store

import (
	"context"
	"database/sql"
	"time"

	"gorm.io/gorm"

	"connecthub/models"
)

// Unscoped answers the guarded gorm handle as a careless method would use it.
func (s *Store) Unscoped() *gorm.DB { return s.write }

// Scoped answers the handle of one tenant inside a transaction.
func (s *Scope) Scoped() *gorm.DB { return s.db }

// Pools answers the pools, the writing one first.
func (s *Store) Pools() []*sql.DB { return s.pools }

// TenantTable and SQLiteIndex are what the schema is compared with.
var (
	TenantTable = tenantTable
	SQLiteIndex = sqliteIndex
)

// ReadBack opens a connection with other settings and answers what Open would say of it.
func ReadBack(ctx context.Context, dsn string) error {
	conn, err := sqliteConnector{dsn: dsn}.Connect(ctx)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Pragmas reads the settings of a pool's connection.
func Pragmas(ctx context.Context, conn *sql.Conn) error {
	return conn.Raw(func(c any) error {
		return checkPragmas(ctx, c.(*sqliteConn).SQLiteConn)
	})
}

// SealedColumns names each column of sealed texts as table.column.
func SealedColumns() []string {
	var all []string
	for _, c := range sealedColumns() {
		all = append(all, c.table+"."+c.column)
	}
	return all
}

// Clock answers the store's clock.
func (s *Store) Clock() time.Time { return s.now() }

// MigrateTo brings an empty database to an older form.
func (s *Store) MigrateTo(ctx context.Context, version int64) error {
	p, err := s.provider()
	if err != nil {
		return err
	}
	_, err = p.UpTo(ctx, version)
	return err
}

// plainRecord is a record in a table without a chain.
type plainRecord struct{ models.AuditRecord }

// TableName names its table.
func (plainRecord) TableName() string { return "audit_plain" }

// AppendPlain stores a record as before there was a chain, in a table of its own.
func (s *Scope) AppendPlain(r models.AuditRecord) error {
	r.ID, r.OrganizationID = NewID[models.AuditID](s.tx), s.organization
	return create(s.handle, &plainRecord{r})
}
