package app_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/mattn/go-sqlite3"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
	"connecthub/server/config"
)

// auditLength is how many records the log has that is tampered with.
const auditLength = 2000

// auditScene is the database of a hub that has stopped, and whoever can write it.
type auditScene struct {
	t      *testing.T
	config config.Config
	raw    *sql.DB
	pg     bool
	tenant models.OrganizationID
	vendor models.OrganizationID
	kept   string // file of checkpoints that was kept elsewhere
	before int64  // where the log stood then
	signed int64  // where it stood when it was signed last
}

func (s *auditScene) command(words ...string) (int, string, string) {
	if s.pg {
		words = append(words, "--dsn-file", s.config.DSNFile)
	}
	return run(s.t, s.config.Data, words...)
}

func (s *auditScene) dsn() string {
	if !s.pg {
		return "sqlite:" + s.config.Database()
	}
	return strings.TrimSpace(fileText(s.t, s.config.DSNFile))
}

func newAuditScene(t *testing.T, pg bool) *auditScene {
	t.Helper()
	s := &auditScene{t: t, pg: pg, config: settings(t, filepath.Join(t.TempDir(), "data"))}
	driver, dsn := "sqlite3", "file:"+s.config.Database()+"?_busy_timeout=5000"
	if pg {
		driver, dsn = "pgx", storetest.PostgresDSN(t)
		s.config.DSNFile = filepath.Join(t.TempDir(), "dsn")
		if err := os.WriteFile(s.config.DSNFile, []byte(dsn), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := start(t, s.config).stop(); err != nil { // the hub makes its key
		t.Fatal(err)
	}
	s.fill()
	var err error
	if s.raw, err = sql.Open(driver, dsn); err != nil {
		t.Fatal(err)
	}
	s.raw.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = s.raw.Close() })
	s.openWalls()
	return s
}

// fill writes the log as the hub does, and lets it be signed on the way.
func (s *auditScene) fill() {
	s.t.Helper()
	db, err := store.Open(s.t.Context(), store.Options{DSN: s.dsn(), Now: time.Now})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			s.t.Error(err)
		}
	}()
	err = db.View(s.t.Context(), func(tx *store.Tx) error {
		all, err := tx.Hub().Organizations()
		for _, o := range all {
			if o.Vendor {
				s.vendor = o.ID
			} else {
				s.tenant = o.ID
			}
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, upTo := range []int64{700, 1400, 1900, auditLength} {
		at := s.append(db, upTo)
		if upTo == auditLength {
			continue
		}
		code, out, errOut := s.command("audit", "checkpoint")
		if code != 0 || !strings.Contains(out, fmt.Sprintf(`"sequence":%d`, at)) {
			s.t.Fatalf("%d %s %s", code, out, errOut)
		}
		s.signed = at
		if upTo == 1400 {
			s.kept, s.before = filepath.Join(s.t.TempDir(), "kept"), at
			if err := os.WriteFile(s.kept, []byte(out), 0o600); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

func (s *auditScene) append(db *store.Store, upTo int64) (at int64) {
	s.t.Helper()
	for at < upTo {
		err := db.Update(context.Background(), func(tx *store.Tx) error {
			in := tx.In(s.tenant)
			head, err := in.AuditHead()
			if err != nil {
				return err
			}
			for at = head.Sequence; at < min(head.Sequence+100, upTo); at++ {
				actor := models.Actor{Kind: models.ActorUser, UserID: "u", Name: "Ada",
					Email: "ada@example.com", Role: models.FullAdmin, Organization: s.tenant,
					Address: "203.0.113.7", UserAgent: "Mozilla", TrackingID: fmt.Sprint(at)}
				r := actor.Audit("", time.Now(), models.Change{Organization: s.tenant,
					Action: "schedules_saved", TargetKind: "cluster", TargetID: fmt.Sprint(at % 9),
					TargetName: "東京", Cluster: "c", Before: at, After: at + 1})
				if err := in.AppendAudit(&r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return at
}

func (s *auditScene) exec(statement string) {
	s.t.Helper()
	statement = strings.NewReplacer("{o}", "'"+string(s.tenant)+"'", "{vendor}",
		"'"+string(s.vendor)+"'").Replace(statement)
	if _, err := s.raw.ExecContext(s.t.Context(), statement); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

func auditTables() []string { return []string{"audit_records", "audit_heads", "audit_checkpoints"} }

// openWalls is what an intruder does first: away with the triggers. It keeps a copy of the tables.
func (s *auditScene) openWalls() {
	s.t.Helper()
	if s.pg {
		s.exec("SET session_replication_role = replica")
	} else {
		s.exec("PRAGMA foreign_keys = off")
		rows, err := s.raw.QueryContext(s.t.Context(),
			"SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit_%'")
		if err != nil {
			s.t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		var names []string
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				s.t.Fatal(err)
			}
			names = append(names, name)
		}
		if err := rows.Err(); err != nil || len(names) < 7 {
			s.t.Fatal(names, err)
		}
		for _, name := range names {
			s.exec("DROP TRIGGER " + name)
		}
	}
	for _, table := range auditTables() {
		s.exec("CREATE TABLE kept_" + table + " AS SELECT * FROM " + table)
	}
}

func (s *auditScene) restore() {
	s.t.Helper()
	for _, table := range auditTables() {
		s.exec("DELETE FROM " + table)
		s.exec("INSERT INTO " + table + " SELECT * FROM kept_" + table)
	}
}

// rehash makes the log after a place follow from what it says, as somebody who knows the form would.
func (s *auditScene) rehash(from int64) {
	s.t.Helper()
	db, err := store.Open(s.t.Context(), store.Options{DSN: s.dsn(), Now: time.Now})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var all []models.AuditRecord
	err = db.View(s.t.Context(), func(tx *store.Tx) error {
		var err error
		all, err = tx.In(s.tenant).AuditChain(from-2, 0)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	head := models.AuditHead{Sequence: all[0].Sequence, Hash: all[0].Hash}
	for _, r := range all[1:] {
		r.Chain(head)
		head.Sequence, head.Hash = r.Sequence, r.Hash
		s.exec(fmt.Sprintf("UPDATE audit_records SET previous = '%s', hash = '%s', sequence = %d "+
			"WHERE id = '%s'", r.Previous, r.Hash, r.Sequence, r.ID))
	}
	s.exec(fmt.Sprintf("UPDATE audit_heads SET sequence = %d, hash = '%s' WHERE organization_id = {o}",
		head.Sequence, head.Hash))
}

// sqlTampering is what somebody with the database in hand writes into it, and where that must be
// found. It may need the kept checkpoints.
type sqlTampering struct {
	name       string
	statements []string
	rehash     int64 // from that record on
	at         int64
	ranged     bool
	kept       bool
}

func (s *auditScene) tamperings() []sqlTampering {
	where := func(k int64) string {
		return fmt.Sprintf(" WHERE organization_id = {o} AND sequence = %d", k)
	}
	forget := "DELETE FROM audit_checkpoints WHERE organization_id = {o}"
	uncount := "UPDATE audit_heads SET checkpoints = 0 WHERE organization_id = {o}"
	cutHead := "UPDATE audit_heads SET sequence = %d, hash = (SELECT hash FROM audit_records " +
		"WHERE organization_id = {o} AND sequence = %d) WHERE organization_id = {o}"
	later := "at = '2031-01-01 00:00:00.000000+00:00'"
	all := []sqlTampering{
		{name: "delete", statements: []string{"DELETE FROM audit_records" + where(1000)}, at: 1000},
		{name: "delete the first", statements: []string{"DELETE FROM audit_records" + where(1)}, at: 1},
		{name: "delete and close the gap", statements: []string{"DELETE FROM audit_records" + where(5),
			"UPDATE audit_records SET sequence = -sequence WHERE organization_id = {o} AND sequence > 5",
			"UPDATE audit_records SET sequence = -sequence - 1 WHERE sequence < 0"}, at: 5},
		{name: "delete and hash anew", statements: []string{"DELETE FROM audit_records" + where(1100)},
			rehash: 1100, at: 1100, ranged: true},
		{name: "swap", statements: []string{"UPDATE audit_records SET sequence = -7" + where(7),
			"UPDATE audit_records SET sequence = 7" + where(1700),
			"UPDATE audit_records SET sequence = 1700" + where(-7)}, at: 7},
		{name: "insert", statements: []string{"UPDATE audit_records SET sequence = -sequence " +
			"WHERE organization_id = {o} AND sequence > 900",
			"UPDATE audit_records SET sequence = -sequence + 1 WHERE sequence < 0",
			"INSERT INTO audit_records (id, organization_id, sequence, encoding, previous, hash, at, " +
				"actor_kind, actor_id, actor_name, actor_email, actor_role, actor_organization, address, " +
				"user_agent, action, target_kind, target_id, target_name, cluster_id, before, after, " +
				"tracking_id) SELECT 'forged', organization_id, 901, encoding, previous, hash, at, " +
				"actor_kind, actor_id, actor_name, actor_email, actor_role, actor_organization, address, " +
				"user_agent, action, target_kind, target_id, target_name, cluster_id, before, after, " +
				"tracking_id FROM audit_records WHERE organization_id = {o} AND sequence = 3"}, at: 901},
		{name: "cut off", statements: []string{"DELETE FROM audit_records WHERE " +
			"organization_id = {o} AND sequence > 1950"}, at: 1951},
		{name: "cut off with the end", statements: []string{"DELETE FROM audit_records WHERE " +
			"organization_id = {o} AND sequence > 1500", fmt.Sprintf(cutHead, 1500, 1500)}, at: 1501},
		{name: "cut off with the end and the checkpoints", statements: []string{
			"DELETE FROM audit_records WHERE organization_id = {o} AND sequence > 1200",
			fmt.Sprintf(cutHead, 1200, 1200), forget, uncount}, at: 1201, kept: true},
		{name: "empty", statements: []string{"DELETE FROM audit_records WHERE organization_id = {o}",
			"DELETE FROM audit_heads WHERE organization_id = {o}", forget}, at: 1, kept: true},
		{name: "replace the log", statements: []string{"UPDATE audit_records SET actor_name = 'Eve' " +
			"WHERE organization_id = {o} AND sequence > 1", forget, uncount}, rehash: 2, at: 2,
			ranged: true, kept: true},
		{name: "move to another organization", statements: []string{"UPDATE audit_records SET " +
			"organization_id = {vendor}, sequence = 99" + where(600)}, at: 600},
		{name: "change a checkpoint", statements: []string{"UPDATE audit_checkpoints SET hash = 'x' " +
			"WHERE organization_id = {o} AND number = 2"}, at: s.before},
		{name: "remove a checkpoint", statements: []string{"DELETE FROM audit_checkpoints " +
			"WHERE organization_id = {o} AND number = 1"}, at: s.before},
		{name: "pretend age", statements: []string{"UPDATE audit_heads SET pruned_sequence = 10, " +
			"pruned_hash = (SELECT hash FROM audit_records" + where(10) + "), prune_statement = (SELECT " +
			"statement FROM audit_checkpoints WHERE organization_id = {o} AND number = 1) " +
			"WHERE organization_id = {o}", "DELETE FROM audit_records WHERE organization_id = {o} " +
			"AND sequence <= 10"}, at: 10},
		{name: "a record without a place", statements: []string{"UPDATE audit_records SET sequence = 0" +
			where(50)}, at: 0},
		{name: "a changed time", statements: []string{"UPDATE audit_records SET " + later + where(77)}, at: 77},
		{name: "hash anew after a change", statements: []string{"UPDATE audit_records SET after = '3'" +
			where(1650)}, rehash: 1650, at: 1650, ranged: true},
	}
	for i, column := range []string{"id", "actor_kind", "actor_id", "actor_name", "actor_email",
		"actor_role", "actor_organization", "address", "user_agent", "action", "target_kind",
		"target_id", "target_name", "cluster_id", "before", "after", "tracking_id", "hash", "previous"} {
		k := int64(1 + i*103)
		all = append(all, sqlTampering{name: "change " + column, at: k, statements: []string{
			"UPDATE audit_records SET " + column + " = " + column + " || 'x'" + where(k)}})
	}
	return all
}

// found runs the command and says how it missed; "" where it named the place.
func (s *auditScene) found(how sqlTampering) string {
	words := []string{"audit", "verify"}
	if how.kept {
		words = append(words, "--checkpoint", s.kept)
	}
	code, out, errOut := s.command(words...)
	if code != 1 || !strings.Contains(errOut, "not as it was written") {
		return fmt.Sprintf("exit code %d: %s%s", code, out, errOut)
	}
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "BAD ") || !strings.Contains(line, string(s.tenant)) {
			continue
		}
		var from, to int64
		_, place, _ := strings.Cut(line, ": record")
		if how.ranged {
			if n, _ := fmt.Sscanf(place, "s %d to %d", &from, &to); n == 2 && from <= how.at && how.at <= to {
				return ""
			}
		} else if n, _ := fmt.Sscanf(place, " %d", &to); n == 1 && to == how.at {
			return ""
		}
	}
	return fmt.Sprintf("record %d is not named: %s", how.at, out)
}

func TestR30AuditVerifyNamesTheFirstBadRecordOfARealDatabase(t *testing.T) {
	t.Parallel()
	var databases, tried, found atomic.Int64
	t.Run("databases", func(t *testing.T) {
		for _, pg := range []bool{false, true} {
			t.Run(map[bool]string{false: "sqlite", true: "postgres"}[pg], func(t *testing.T) {
				t.Parallel()
				s := newAuditScene(t, pg)
				s.intact()
				for i, how := range s.tamperings() {
					if pg && i%2 == 1 {
						continue
					}
					tried.Add(1)
					if missed := s.missed(how); missed != "" {
						t.Errorf("%s: %s", how.name, missed)
						continue
					}
					found.Add(1)
				}
				s.intact()
				databases.Add(1)
			})
		}
	})
	if !t.Failed() && databases.Load() == 2 {
		fmt.Printf("proof 3.8-audit-command databases=%d records=%d tampered=%d found=%d "+
			"false_alarms=0\n", databases.Load(), auditLength, tried.Load(), found.Load())
	}
}

// intact fails at a false alarm.
func (s *auditScene) intact() {
	s.t.Helper()
	code, out, errOut := s.command("audit", "verify", "--checkpoint", s.kept)
	want := fmt.Sprintf("records 1 to %d, signed up to %d", auditLength, s.signed)
	if code != 0 || strings.Count(out, "ok  ") != 2 || !strings.Contains(out, want) {
		s.t.Fatalf("a false alarm: %d %s%s", code, out, errOut)
	}
}

// missed tampers, asks the command and makes it good again.
func (s *auditScene) missed(how sqlTampering) string {
	s.t.Helper()
	defer s.restore()
	for _, statement := range how.statements {
		s.exec(statement)
	}
	if how.rehash != 0 {
		s.rehash(how.rehash)
	}
	return s.found(how)
}
