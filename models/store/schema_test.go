package store_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"
	"testing"

	gormpostgres "gorm.io/driver/postgres"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/migrations"
	"connecthub/models/store/storetest"
)

// rows lists every noun that has a table; a noun that is missing here fails as a table too many.
func rows() []any {
	return []any{&models.HubState{}, &models.Organization{}, &models.User{}, &models.Session{},
		&models.Cluster{}, &models.Node{}, &models.Registration{}, &models.Release{},
		&models.Rollout{}, &models.Permit{}, &models.HeadlessRequest{}, &models.AuditRecord{},
		&models.AuditHead{}, &models.AuditCheckpoint{}, &models.OIDCProvider{},
		&models.OIDCLogin{}, &models.OIDCSubject{},
		&models.Passkey{}, &models.RecoveryCode{}, &models.SignInChallenge{},
		&models.Invitation{}, &models.APIToken{}, &models.SoftwareFile{}, &models.Entitlement{},
		&models.EULA{}, &models.EULAAcceptance{}, &models.DownloadCredential{}, &models.CloudView{}}
}

// columns answers table → column → type.
func columns(t *testing.T, s *store.Store) map[string]map[string]string {
	t.Helper()
	query := `SELECT m.name, p.name, lower(p.type) FROM sqlite_master m, pragma_table_info(m.name) p
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`
	if s.Dialect() == store.PostgreSQL {
		query = `SELECT table_name, column_name, data_type FROM information_schema.columns
			WHERE table_schema = 'public'`
	}
	return scanColumns(t, s, query)
}

func scanColumns(t *testing.T, s *store.Store, query string) map[string]map[string]string {
	t.Helper()
	found, err := s.Pools()[0].QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = found.Close() }()
	tables := make(map[string]map[string]string)
	for found.Next() {
		var table, column, kind string
		if err := found.Scan(&table, &column, &kind); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(table, "goose_") {
			continue
		}
		if tables[table] == nil {
			tables[table] = make(map[string]string)
		}
		tables[table][column] = kind
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return tables
}

func TestTheMigratedSchemaHoldsExactlyTheNouns(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			migrated := columns(t, d.open(t))
			auto := autoMigrated(t, d.empty(t))
			delete(migrated, "spent_assertions") // the store's own
			delete(migrated, "leases")
			delete(migrated, "rotated_keys")
			delete(migrated, "replicas")
			delete(migrated, "revocations")
			delete(migrated, "revocation_count")
			delete(migrated, "attempts")
			delete(migrated, "seal_marks")
			for table, want := range auto {
				for column, kind := range want {
					if got := migrated[table][column]; got != kind {
						t.Errorf("%s.%s is %q in the migrations, %q in the nouns", table, column, got, kind)
					}
				}
				if len(migrated[table]) != len(want) {
					t.Errorf("%s has %d columns in the migrations, %d in the nouns", table,
						len(migrated[table]), len(want))
				}
				delete(migrated, table)
			}
			if len(migrated) > 0 {
				t.Errorf("tables without a noun: %v", migrated)
			}
		})
	}
}

// autoMigrated lets gorm make its own schema, and reads it.
func autoMigrated(t *testing.T, dsn string) map[string]map[string]string {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{DSN: dsn, Now: storetest.Start})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	var dialector gorm.Dialector = gormsqlite.Dialector{Conn: s.Pools()[0]}
	if s.Dialect() == store.PostgreSQL {
		dialector = gormpostgres.New(gormpostgres.Config{Conn: s.Pools()[0]})
	}
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(rows()...); err != nil {
		t.Fatal(err)
	}
	return columns(t, s)
}

func TestR29ATenantTableIsNeverReachedWithoutItsTenant(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.open(t)
			guarded := 0
			for table, of := range columns(t, s) {
				_, tenants := of["organization_id"]
				if tenants != store.TenantTable(table) {
					t.Errorf("%s: the guard takes it for a tenant's: %v", table, !tenants)
				}
				if !tenants {
					continue
				}
				guarded++
				careless(t, s, table)
			}
			if guarded < 8 {
				t.Errorf("only %d tenant tables were found", guarded)
			}
			for _, row := range rows() {
				carelessRow(t, s, row)
			}
		})
	}
}

// careless tries what a method that forgot its tenant would do.
func careless(t *testing.T, s *store.Store, table string) {
	t.Helper()
	db := s.Unscoped()
	one := clause.Eq{Column: "organization_id", Value: "x"}
	var list []map[string]any
	var count int64
	for what, err := range map[string]error{
		"find":   db.Table(table).Clauses(one).Find(&list).Error,
		"count":  db.Table(table).Clauses(one).Count(&count).Error,
		"update": db.Table(table).Clauses(one).Updates(map[string]any{"organization_id": "y"}).Error,
		"delete": db.Table(table).Clauses(one).Delete(nil).Error,
		"create": db.Table(table).Create(map[string]any{"organization_id": "y"}).Error,
		"exec":   db.Exec("DELETE FROM " + table).Error,
		"raw":    db.Raw("SELECT * FROM " + table).Scan(&list).Error,
		"from":   db.Table("(SELECT * FROM " + table + ") AS organizations").Find(&list).Error,
		"joins":  db.Table("organizations").Joins("JOIN " + table + " ON true").Find(&list).Error,
	} {
		if !errors.Is(err, store.ErrUnscoped) {
			t.Errorf("%s of %s without its tenant: %v", what, table, err)
		}
	}
	if _, err := db.Table(table).Clauses(one).Rows(); !errors.Is(err, store.ErrUnscoped) {
		t.Errorf("rows of %s without its tenant: %v", table, err)
	}
}

func carelessRow(t *testing.T, s *store.Store, row any) {
	t.Helper()
	statement := &gorm.Statement{DB: s.Unscoped()}
	if err := statement.Parse(row); err != nil {
		t.Fatal(err)
	}
	if !store.TenantTable(statement.Schema.Table) {
		return
	}
	for what, err := range map[string]error{
		"take":   s.Unscoped().Take(row).Error,
		"create": s.Unscoped().Create(row).Error,
		"save":   s.Unscoped().Save(row).Error,
	} {
		if !errors.Is(err, store.ErrUnscoped) {
			t.Errorf("%s of %s without its tenant: %v", what, statement.Schema.Table, err)
		}
	}
}

func TestR29ConditionsCannotReachAroundTheTenant(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.open(t)
			mine, other := storetest.Seed(t, s, "1"), storetest.Seed(t, s, "2")
			err := s.Update(context.Background(), func(tx *store.Tx) error {
				db := tx.In(mine.Organization.ID).Scoped()
				evil := "0) OR (organization_id <> ''"
				for what, query := range map[string]*gorm.DB{
					"or":     db.Where("id = ?", "x").Or("organization_id <> ''"),
					"inline": db.Where(evil),
					"clause": db.Clauses(clause.Eq{Column: "id", Value: "x"},
						clause.Or(clause.Neq{Column: "organization_id", Value: ""})),
					"eq":    db.Where(&models.Cluster{}),
					"other": db.Where(&models.Cluster{OrganizationID: other.Organization.ID}),
				} {
					var clusters []models.Cluster
					if err := query.Find(&clusters).Error; err != nil {
						continue // not even a statement
					}
					for _, c := range clusters {
						if c.OrganizationID != mine.Organization.ID {
							t.Errorf("%s reached %s", what, c.DisplayName)
						}
					}
				}
				return errors.New("done")
			})
			if err == nil {
				t.Error("committed")
			}
		})
	}
}

func TestADuplicateNamesTheSameIndexInBothSchemas(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
	names := func(tables map[string]map[string]string) []string {
		var all []string
		for index := range tables {
			all = append(all, index)
		}
		sort.Strings(all)
		return all
	}
	unique := scanColumns(t, s, `SELECT i.name, c.name, m.name FROM sqlite_master m,
		pragma_index_list(m.name) i, pragma_index_info(i.name) c
		WHERE m.type = 'table' AND i."unique" AND i.origin = 'c' ORDER BY i.name, c.seqno`)
	ordered, err := s.Pools()[0].QueryContext(t.Context(), `SELECT i.name,
		group_concat(m.name || '.' || c.name, ', ') FROM sqlite_master m,
		pragma_index_list(m.name) i, pragma_index_info(i.name) c
		WHERE m.type = 'table' AND i."unique" AND i.origin = 'c' GROUP BY i.name`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ordered.Close() }()
	for ordered.Next() {
		var name, of string
		if err := ordered.Scan(&name, &of); err != nil {
			t.Fatal(err)
		}
		if got := store.SQLiteIndex(of); got != store.Index(name) {
			t.Errorf("a duplicate of %s names %s, not %s", of, got, name)
		}
	}
	if err := ordered.Err(); err != nil {
		t.Fatal(err)
	}
	if len(unique) < 15 {
		t.Errorf("only %d unique indexes were found: %v", len(unique), names(unique))
	}
	other := scanColumns(t, storetest.Postgres(t), `SELECT indexname, tablename, ''
		FROM pg_indexes i JOIN pg_class c ON c.relname = i.indexname
		JOIN pg_index x ON x.indexrelid = c.oid
		WHERE schemaname = 'public' AND indisunique AND NOT EXISTS (
			SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid)`)
	if !slices.Equal(names(unique), names(other)) {
		t.Errorf("sqlite %v\npostgres %v", names(unique), names(other))
	}
}

func TestACommittedMigrationNeverChanges(t *testing.T) {
	t.Parallel()
	frozen := make(map[string]string)
	text, err := migrations.Files.ReadFile("checksums.txt")
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		frozen[name] = sum
	}
	names := make(map[string][]string)
	for _, dialect := range []string{"sqlite", "postgres"} {
		files, err := fs.ReadDir(migrations.Files, dialect)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			name := path.Join(dialect, f.Name())
			content, err := migrations.Files.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(content)
			if frozen[name] != hex.EncodeToString(sum[:]) {
				t.Errorf("%s differs from its checksum: write a new migration instead", name)
			}
			if bytes.Contains(content, []byte("+goose Down")) ||
				bytes.Contains(content, []byte("NO TRANSACTION")) {
				t.Errorf("%s is not forward only in one transaction", name)
			}
			names[dialect] = append(names[dialect], f.Name())
			delete(frozen, name)
		}
	}
	if len(frozen) > 0 {
		t.Errorf("migrations are gone: %v", frozen)
	}
	if !slices.Equal(names["sqlite"], names["postgres"]) {
		t.Errorf("the dialects have different migrations: %v", names)
	}
}
