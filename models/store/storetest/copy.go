package storetest

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Copy answers the address of a copy of a database that nobody has open: a backup, or what is
// restored from one. It ends with the test.
func Copy(t testing.TB, dsn string) string {
	t.Helper()
	if !strings.HasPrefix(dsn, "postgres:") {
		raw, err := os.ReadFile(strings.TrimPrefix(dsn, "sqlite:"))
		must(t, err)
		to := filepath.Join(t.TempDir(), "hub.db")
		must(t, os.WriteFile(to, raw, 0o600))
		return "sqlite:" + to
	}
	at, err := url.Parse(dsn)
	must(t, err)
	return shared.database(t, strings.TrimPrefix(at.Path, "/"))
}
