package audit_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/mattn/go-sqlite3"

	"connecthub/hub/audit"
	"connecthub/hub/keys"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// scene is the log of two tenants in a real database.
type scene struct {
	t        testing.TB
	dsn      string
	store    *store.Store
	clock    *storetest.Clock
	key      *keys.Hub
	audit    *audit.Audit
	one, two storetest.World
}

func eachDatabase(t *testing.T, do func(t *testing.T, s *scene)) {
	t.Helper()
	for name, dsn := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return "sqlite:" + t.TempDir() + "/hub.db" },
		"postgres": storetest.PostgresDSN,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			do(t, newScene(t, dsn(t)))
		})
	}
}

func newScene(t testing.TB, dsn string) *scene {
	t.Helper()
	s := &scene{t: t, dsn: dsn, clock: storetest.NewClock(), key: signingKey(t)}
	s.store = storetest.OpenWith(t, store.Options{DSN: dsn, Now: s.clock.Now})
	s.one, s.two = storetest.Seed(t, s.store, "1"), storetest.Seed(t, s.store, "2")
	s.must(s.store.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Hub().InitHubState(s.clock.Now())
		return err
	}))
	var err error
	s.audit, err = audit.New(audit.Options{Store: s.store, Keys: s.key, Now: s.clock.Now,
		Log: slog.New(slog.DiscardHandler)})
	s.must(err)
	return s
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// admin is a full admin of one of the tenants.
func admin(w storetest.World) models.Actor {
	return models.Actor{Kind: models.ActorUser, UserID: w.User.ID, Name: "Ada", Role: models.FullAdmin,
		Email: "ada@acme.example", Organization: w.Organization.ID, Address: "203.0.113.7",
		UserAgent: "Mozilla", TrackingID: "track", Language: "en"}
}

// record appends n records, a millisecond apart.
func (s *scene) record(w storetest.World, n int, a models.Actor, c models.Change) {
	s.t.Helper()
	for left := n; left > 0; left -= 100 {
		s.must(s.store.Update(context.Background(), func(tx *store.Tx) error {
			for range min(left, 100) {
				c.Organization = w.Organization.ID
				r := a.Audit("", s.clock.Advance(time.Millisecond), c)
				if err := tx.In(w.Organization.ID).AppendAudit(&r); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

func saved(i int) models.Change {
	return models.Change{Action: "schedules_saved", TargetKind: "cluster", TargetID: "c",
		TargetName: fmt.Sprintf("Tokyo %d", i), Cluster: "c", Before: i, After: i + 1}
}

// verified answers what the check says of a tenant.
func (s *scene) verified(w storetest.World, kept []audit.Checkpoint) audit.Result {
	s.t.Helper()
	results, err := s.audit.Verify(context.Background(), w.Organization.ID, kept)
	s.must(err)
	if len(results) != 1 {
		s.t.Fatal(results)
	}
	return results[0]
}

func (s *scene) checkpoints(w storetest.World) (all []models.AuditCheckpoint) {
	s.t.Helper()
	s.must(s.store.View(context.Background(), func(tx *store.Tx) error {
		var err error
		all, err = tx.In(w.Organization.ID).AuditCheckpoints()
		return err
	}))
	return all
}

// tamper goes around the second wall and writes.
func (s *scene) tamper(statements ...string) {
	s.t.Helper()
	driver, dsn := "pgx", s.dsn
	if s.store.Dialect() == store.SQLite {
		driver, dsn = "sqlite3", "file:"+strings.TrimPrefix(s.dsn, "sqlite:")+"?_busy_timeout=5000"
		statements = append([]string{"DROP TRIGGER audit_record_never_changes",
			"DROP TRIGGER audit_record_stays"}, statements...)
	} else {
		statements = append([]string{"SET session_replication_role = replica"}, statements...)
	}
	db, err := sql.Open(driver, dsn)
	s.must(err)
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	for _, statement := range statements {
		_, err := db.ExecContext(context.Background(), statement)
		s.must(err)
	}
}
