package app_test

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/hub/seal"
	"connecthub/models"
	"connecthub/models/store/storetest"
	"connecthub/server/app"
	"connecthub/server/config"
)

// refusedStart runs a hub that must not come up, and answers why.
func refusedStart(t *testing.T, c config.Config) string {
	t.Helper()
	err := app.Run(t.Context(), c, app.Around{Version: "test", Now: time.Now, Out: io.Discard,
		Log:   slog.New(slog.DiscardHandler),
		Ready: func(app.Bound) { t.Error("it became ready") }})
	if err == nil {
		t.Fatal("it started")
	}
	return err.Error()
}

func fileText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func keyFile(t *testing.T, lines ...seal.Key) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seal-key")
	if err := seal.WriteKeys(path, lines...); err != nil {
		t.Fatal(err)
	}
	return path
}

func sealKey(t *testing.T) seal.Key {
	t.Helper()
	key, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestNoPrivateKeyOfTheHubLiesPlainOnDisk(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	sealed := 0
	err := filepath.WalkDir(r.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text := fileText(t, path)
		if strings.Contains(text, "PRIVATE KEY") {
			t.Errorf("%s holds a plain private key", path)
		}
		if seal.IsSealed([]byte(text)) {
			sealed++
		}
		return nil
	})
	if err != nil || sealed != 3 {
		t.Errorf("%d sealed files, want 3: %v", sealed, err)
	}
}

func TestTheHubRefusesToStartWithoutItsSealKeyAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(r.dir, "keys", "seal-key")
	key := fileText(t, own)
	check := func(name string, c config.Config) {
		t.Helper()
		said := refusedStart(t, c)
		for _, want := range []string{"--seal-key-file", "CONNECTHUB_SEAL_KEY", own, "backup"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %q is not in %q", name, want, said)
			}
		}
		if strings.Contains(said, strings.TrimSpace(key)) {
			t.Errorf("%s: the key is in %q", name, said)
		}
	}
	if err := os.Remove(own); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the refusal makes nothing that would change the next one
		check("missing", settings(t, r.dir))
	}
	if _, err := os.Stat(own); err == nil {
		t.Error("a refused start made a key")
	}
	other := settings(t, r.dir)
	other.SealKeyFile = keyFile(t, sealKey(t))
	check("another", other)
	other.SealKeyFile, other.SealKey = "", models.Secret(sealKey(t).Text())
	check("another from the environment", other)

	if err := os.Remove(filepath.Join(r.dir, "hub.db")); err != nil { // only the files are left
		t.Fatal(err)
	}
	check("missing, beside a new database", settings(t, r.dir))
	other.SealKeyFile, other.SealKey = keyFile(t, sealKey(t)), ""
	check("another, beside a new database", other)
	if err := os.WriteFile(own, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(t, settings(t, r.dir)).stop(); err != nil { // no refusal has locked the right key out
		t.Error(err)
	}
}

func TestTheSealKeyMayBeAFileTheEnvironmentOrACredential(t *testing.T) {
	t.Parallel()
	key := sealKey(t)
	c := settings(t, filepath.Join(t.TempDir(), "data"))
	c.SealKeyFile = keyFile(t, key)
	if err := start(t, c).stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.OwnSealKey()); err == nil {
		t.Error("the hub made a key beside the one it was given")
	}
	for name, change := range map[string]func(*config.Config){
		"environment": func(c *config.Config) { c.SealKey = models.Secret(key.Text()) },
		"credential":  func(c *config.Config) { c.Credentials = filepath.Dir(keyFile(t, key)) },
	} {
		with := c
		with.SealKeyFile = ""
		change(&with)
		if err := start(t, with).stop(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	open := keyFile(t, key)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	c.SealKeyFile = open
	if said := refusedStart(t, c); !strings.Contains(said, "0600") {
		t.Error(said)
	}
	c.SealKeyFile = filepath.Join(t.TempDir(), "none")
	if said := refusedStart(t, c); !strings.Contains(said, c.SealKeyFile) {
		t.Error(said)
	}
}

func TestTheHubsOwnSealKeyIsReplacedByAnother(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	code, _, errOut := run(t, r.dir, "seal", "rotate")
	if code == 0 || !strings.Contains(errOut, "another hub") {
		t.Errorf("beside a running hub: %d %s", code, errOut)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(r.dir, "keys", "seal-key")
	before, signing := fileText(t, own), fileText(t, filepath.Join(r.dir, "keys", "hub-ed25519.pem"))
	code, out, errOut := run(t, r.dir, "seal", "rotate")
	if code != 0 || !strings.Contains(out, "3 files") {
		t.Fatalf("%d %s %s", code, out, errOut)
	}
	after := fileText(t, own)
	if after == before || strings.Count(after, "\n") != 1 {
		t.Error("the key file is not one new key")
	}
	if fileText(t, filepath.Join(r.dir, "keys", "hub-ed25519.pem")) == signing {
		t.Error("the signing key was not sealed anew")
	}
	again := start(t, settings(t, r.dir))
	if a := again.signIn("admin@example.com", r.bound.Password); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := refusedStart(t, settings(t, r.dir)); !strings.Contains(said, "another key") {
		t.Error(said)
	}
}

func TestAnOperatorsSealKeyIsReplacedOnPostgreSQL(t *testing.T) {
	t.Parallel()
	old, next := sealKey(t), sealKey(t)
	c := settings(t, filepath.Join(t.TempDir(), "data"))
	c.DSN, c.Migrate, c.SealKeyFile = storetest.EmptyPostgresDSN(t), true, keyFile(t, old)
	if err := start(t, c).stop(); err != nil {
		t.Fatal(err)
	}
	stranger := c // another replica with a key of its own, and no files yet
	stranger.Data, stranger.SealKeyFile = filepath.Join(t.TempDir(), "data"), ""
	if said := refusedStart(t, stranger); !strings.Contains(said, string(old.ID())) {
		t.Error(said)
	}
	both := keyFile(t, next, old)
	command := func(file string, args ...string) string {
		code, out, errOut := run(t, c.Data, append(args, "--dsn", c.DSN, "--seal-key-file", file)...)
		if code != 0 {
			t.Fatalf("%v: %s", args, errOut)
		}
		return out
	}
	status := command(both, "seal", "status")
	if !strings.Contains(status, string(old.ID())+"  opens") || !strings.Contains(status, string(next.ID())+"  seals") {
		t.Error(status)
	}
	out := command(both, "seal", "rotate")
	if !strings.Contains(out, "1 values and 3 files") || !strings.Contains(out, string(old.ID())) {
		t.Error(out)
	}
	if out = command(both, "seal", "rotate"); !strings.Contains(out, "0 values and 0 files") {
		t.Error(out)
	}
	c.SealKeyFile = keyFile(t, next)
	if err := start(t, c).stop(); err != nil {
		t.Error(err)
	}
	c.SealKeyFile = keyFile(t, old)
	if said := refusedStart(t, c); !strings.Contains(said, string(next.ID())) {
		t.Error(said)
	}
}

func TestANewSealKeyIsPrintedInTheFormOfAKeyFile(t *testing.T) {
	t.Parallel()
	code, out, errOut := run(t, t.TempDir(), "seal", "key")
	if keys, err := seal.ParseKeys([]byte(out)); code != 0 || err != nil || len(keys) != 1 {
		t.Errorf("%d %q %q %v", code, out, errOut, err)
	}
}
