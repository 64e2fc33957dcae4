package app_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/models/store"
	"connecthub/models/store/storetest"
	"connecthub/server/app"
)

func TestHeadIsAnsweredWhereGetIs(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/services/contact-center"} {
		a := r.ask(http.MethodHead, path, "", "Accept", "text/html")
		if a.status != 200 || a.body != "" {
			t.Errorf("HEAD %s: %d, %d bytes", path, a.status, len(a.body))
		}
	}
	if a := r.ask(http.MethodGet, "/", "", "Accept", "*/*"); a.status != 200 {
		t.Errorf("the console's own address, for whoever takes anything: %d", a.status)
	}
}

func TestR34TheRestoredCommandEndsSessionsOfAHubThatIsStopped(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	if a := r.signIn("admin@example.com", r.bound.Password); a.status != 200 {
		t.Fatal(a.body)
	}
	if code, _, errOut := run(t, r.dir, "restored"); code != 1 || !strings.Contains(errOut, "another hub") {
		t.Errorf("beside a running hub: %d %s", code, errOut)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := run(t, r.dir, "restored")
	if code != 0 || !strings.Contains(out, "ended 1 sessions") {
		t.Fatalf("%d %s %s", code, out, errOut)
	}
	second := start(t, settings(t, r.dir))
	second.cookie = r.cookie
	if a := second.ask("GET", "/api/admin/v1/session", ""); a.status != 401 {
		t.Errorf("an old session: %d", a.status)
	}
}

// TestOneReplicaRunsTheJobs starts two hubs over one PostgreSQL database, ends the one that has the
// lease, and waits for the other to take it at once.
func TestOneReplicaRunsTheJobs(t *testing.T) {
	t.Parallel()
	c := settings(t, filepath.Join(t.TempDir(), "data"))
	dsn := storetest.EmptyPostgresDSN(t)
	c.DSNFile = filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(c.DSNFile, []byte(dsn), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Migrate = true
	first := start(t, c)
	s, err := store.Open(t.Context(), store.Options{DSN: dsn, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	has := func(fence uint64) bool {
		held, err := leaseFence(t.Context(), s)
		return err == nil && held == fence
	}
	eventually(t, "the first hub has the lease", func() bool { return has(1) })
	c.SealKeyFile = c.OwnSealKey() // the replicas of a hub share its seal key
	c.Data = filepath.Join(t.TempDir(), "second")
	start(t, c)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second hub has the lease", func() bool { return has(2) })
}

func leaseFence(ctx context.Context, s *store.Store) (fence uint64, err error) {
	err = s.View(ctx, func(tx *store.Tx) error {
		fence, err = tx.Hub().LeaseFence(app.JobsLease)
		return err
	})
	return fence, err
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	late := time.After(20 * time.Second)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-late:
			t.Fatalf("not in time: %s", what)
		case <-again.C:
		}
	}
}
