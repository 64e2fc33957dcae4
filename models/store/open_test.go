package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
)

func TestEveryPooledConnectionIsSafeAgainstAPowerCut(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
	for i, pool := range s.Pools() {
		want := pool.Stats().MaxOpenConnections
		if got := pool.Stats().OpenConnections; got != want {
			t.Errorf("pool %d: %d of %d connections were opened and checked", i, got, want)
		}
		for range want {
			conn, err := pool.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if err := store.Pragmas(t.Context(), conn); err != nil {
				t.Error(err)
			}
		}
	}
	if got := s.Pools()[0].Stats().MaxOpenConnections; got != 1 {
		t.Errorf("there are %d writers", got)
	}
}

func TestAConnectionWithWeakerSettingsIsRefused(t *testing.T) {
	t.Parallel()
	right := map[string]string{"_journal_mode": "WAL", "_synchronous": "FULL",
		"_busy_timeout": "5000", "_foreign_keys": "1"}
	dsn := func(name, value string) string {
		text := "file:" + t.TempDir() + "/hub.db?"
		for n, v := range right {
			if n == name {
				v = value
			}
			text += n + "=" + v + "&"
		}
		return text
	}
	if err := store.ReadBack(t.Context(), dsn("", "")); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"_journal_mode": "DELETE",
		"_synchronous": "NORMAL", "_busy_timeout": "1", "_foreign_keys": "0"} {
		err := store.ReadBack(t.Context(), dsn(name, value))
		if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(name, "_")) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

func TestOpenRefusesWhatCannotKeepAPromise(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"", "sqlite:", ":memory:", "file:x.db", "/nowhere/hub.db",
		"postgres://user:s3cret@127.0.0.1:1/db?connect_timeout=1", "postgres://%zz:s3cret@/"} {
		s, err := store.Open(t.Context(), store.Options{DSN: dsn, Now: storetest.Start})
		if err == nil {
			t.Errorf("%q was opened", dsn)
			_ = s.Close()
			continue
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the password stands in %v", err)
		}
	}
	if _, err := store.Open(t.Context(), store.Options{DSN: t.TempDir() + "/x"}); err == nil {
		t.Error("a store without a clock was opened")
	}
}

func TestTheDatabaseFileIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/hub.db"
	s := storetest.Open(t, path)
	storetest.Seed(t, s, "")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", info.Name(), info.Mode().Perm())
		}
	}
}

func TestMigrateGoesUpOnceAndCheckSchemaSaysWhere(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s, err := store.Open(t.Context(), store.Options{DSN: d.empty(t), Now: storetest.Start})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			if err := s.CheckSchema(t.Context()); !errors.Is(err, store.ErrSchemaOld) {
				t.Fatalf("before: %v", err)
			}
			from, to, err := s.Migrate(t.Context())
			if err != nil || from != 0 || to < 1 {
				t.Fatalf("from %d to %d: %v", from, to, err)
			}
			again, same, err := s.Migrate(t.Context())
			if err != nil || again != to || same != to {
				t.Fatalf("again from %d to %d: %v", again, same, err)
			}
			if err := errors.Join(s.CheckSchema(t.Context()), s.Ping(t.Context())); err != nil {
				t.Fatal(err)
			}
			newer := fmt.Sprintf("INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, true)", to+1)
			if _, err := s.Pools()[0].ExecContext(t.Context(), newer); err != nil {
				t.Fatal(err)
			}
			if err := s.CheckSchema(t.Context()); !errors.Is(err, store.ErrSchemaNew) {
				t.Fatalf("newer: %v", err)
			}
			if _, _, err := s.Migrate(t.Context()); !errors.Is(err, store.ErrSchemaNew) {
				t.Fatalf("newer: %v", err)
			}
		})
	}
}

func TestEveryStoredTimeHasOneWidth(t *testing.T) {
	t.Parallel()
	s := storetest.SQLite(t)
	storetest.Seed(t, s, "")
	checked := 0
	for table, of := range columns(t, s) {
		for column, kind := range of {
			if kind != "datetime" {
				continue
			}
			var odd int
			query := fmt.Sprintf(`SELECT count(*) FROM %[1]s WHERE %[2]s IS NOT NULL AND
				(typeof(%[2]s) <> 'text' OR length(%[2]s) <> 32 OR %[2]s NOT LIKE '%%+00:00')`, table, column)
			if err := s.Pools()[1].QueryRowContext(t.Context(), query).Scan(&odd); err != nil {
				t.Fatal(err)
			}
			if odd > 0 {
				t.Errorf("%s.%s holds %d times of another form", table, column, odd)
			}
			checked++
		}
	}
	if checked < 30 {
		t.Errorf("only %d columns were checked", checked)
	}
}

func TestACommitOutlivesTheStore(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			dsn := d.dsn(t)
			w := storetest.Seed(t, storetest.Open(t, dsn), "")
			err := storetest.Open(t, dsn).View(t.Context(), func(tx *store.Tx) error {
				_, err := tx.In(w.Organization.ID).ClusterByID(w.Cluster.ID)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTheRosterIsLoadedQuickly: 10,000 nodes in 5,000 clusters.
func TestTheRosterIsLoadedQuickly(t *testing.T) {
	s := storetest.SQLite(t)
	const clusters = 5000
	w := storetest.Seed(t, s, "")
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		in := tx.In(w.Organization.ID)
		for i := range clusters - 1 {
			name := fmt.Sprintf("c%05d", i)
			c := storetest.NewCluster(name, models.FQDN(name+".example.com"), w.Now)
			if err := in.CreateCluster(&c); err != nil {
				return err
			}
			p := storetest.NewNode(c.ID, models.Publisher, c.FQDN, name)
			b := storetest.NewNode(c.ID, models.Subscriber, "s-"+c.FQDN, name+"s")
			if err := errors.Join(in.CreateNode(&p), in.CreateNode(&b)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	nodes := 0
	err = s.View(context.Background(), func(tx *store.Tx) error {
		return tx.Hub().LoadAll(func(rows store.ClusterRows) error {
			nodes += len(rows.Nodes)
			return nil
		})
	})
	took := time.Since(began)
	if err != nil || nodes != 2*clusters {
		t.Fatalf("%d nodes: %v", nodes, err)
	}
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	t.Logf("loaded %d nodes in %v, heap %d MiB", nodes, took, memory.HeapAlloc>>20)
	if took > 3*time.Second {
		t.Errorf("10,000 nodes took %v", took)
	}
}
