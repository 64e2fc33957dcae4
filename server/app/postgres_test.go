package app_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/models/store/storetest"
	"connecthub/server/app"
)

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		os.Exit(app.Main(context.Background(), os.Args[1:], "test", os.Stdout, os.Stderr))
	}
	storetest.Main(m)
}

func TestOnPostgreSQLTheHubMigratesOnlyWhenItIsTold(t *testing.T) {
	t.Parallel()
	c := settings(t, filepath.Join(t.TempDir(), "data"))
	c.DSNFile = filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(c.DSNFile, []byte(storetest.EmptyPostgresDSN(t)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := app.Run(t.Context(), c, app.Around{Version: "test", Now: time.Now, Out: io.Discard,
		Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "server migrate") {
		t.Fatalf("%v", err)
	}
	code, out, errOut := run(t, c.Data, "migrate", "--dsn-file", c.DSNFile)
	if code != 0 || !strings.Contains(out, "from version 0 to ") {
		t.Fatalf("%d %q %q", code, out, errOut)
	}
	r := start(t, c)
	if a := r.signIn("admin@example.com", r.bound.Password); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	a := r.ask("POST", "/api/admin/v1/registrations", `{"display_name":"Tokyo","fqdn":"cc-pub.example.com"}`)
	if a.status != 201 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
