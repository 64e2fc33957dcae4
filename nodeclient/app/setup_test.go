package app_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/app"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/host/hosttest"
	"connecthub/nodeclient/journal"
)

// call runs one command as a shell would.
func call(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	drives.at("script", args)
	var o, e bytes.Buffer
	code = app.Main(t.Context(), "1.0", args, &o, &e)
	return code, o.String(), e.String()
}

// place is a folder with what setup is given.
type place struct{ dir, ca, password, secret string }

func newPlace(t *testing.T) place {
	t.Helper()
	base, err := os.MkdirTemp("", "node") // short: a socket is to fit in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	p := place{filepath.Join(base, "node"), filepath.Join(base, "ca.pem"),
		filepath.Join(base, "password"), filepath.Join(base, "secret.json")}
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for path, content := range map[string][]byte{p.ca: text, p.password: []byte("a good password\n")} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p place) setup(more ...string) []string {
	return append([]string{"setup", "--dir", p.dir, "--hub", "https://hub.example.com:8443", "--hub-ca",
		p.ca, "--fqdn", "cc-pub.example.com", "--listen", "127.0.0.1:8445", "--app-password-file",
		p.password}, more...)
}

func TestSetUpAndClusterInitKeepEverythingToTheOwner(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if code, _, e := call(t, p.setup("--port", "http=9000", "--config", "a=b", "--dial",
		"hub.example.com=127.0.0.1:8443")...); code != 0 {
		t.Fatal(e)
	}
	if code, _, e := call(t, "cluster", "init", "--dir", p.dir, "--peer-listen", "127.0.0.1:0",
		"--secret-file", p.secret); code != 0 {
		t.Fatal(e)
	}
	files := 0
	err := filepath.WalkDir(p.dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s may be read by others: %v", path, info.Mode())
		}
		files++
		return err
	})
	if err != nil || files < 8 {
		t.Errorf("%d files, %v", files, err)
	}
	if raw, err := os.ReadFile(filepath.Join(p.dir, "config.json")); err != nil ||
		bytes.Contains(raw, []byte("a good password")) {
		t.Errorf("the password stands in the settings, or: %v", err)
	}
	if code, out, e := call(t, "status", "--dir", p.dir); code != 0 ||
		!strings.Contains(out, "not registered") {
		t.Errorf("status: %d %s %s", code, out, e)
	}
	if code, _, _ := call(t, p.setup()...); code == 0 {
		t.Error("a folder was set up twice")
	}
	if code, _, _ := call(t, "reset", "--dir", p.dir, "--confirm", "another.example.com"); code == 0 {
		t.Error("reset took another name")
	}
	if code, _, e := call(t, "reset", "--dir", p.dir, "--confirm", "cc-pub.example.com"); code != 0 {
		t.Errorf("reset: %s", e)
	}
}

func TestSetUpRefusesNonsenseAndLeavesNothing(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change func(p place, args []string) []string
		says   string
	}{
		"no trust": {func(p place, a []string) []string { return without(a, "--hub-ca") }, "never trusted"},
		"an address for a name": {func(_ place, a []string) []string {
			return with(a, "--fqdn", "10.1.2.3")
		}, "not its IP address"},
		"a port in the name": {func(_ place, a []string) []string {
			return with(a, "--fqdn", "cc-pub.example.com:8445")
		}, "fully qualified"},
		"no TLS":      {func(_ place, a []string) []string { return with(a, "--hub", "http://hub") }, "https://"},
		"half a pin":  {func(_ place, a []string) []string { return append(a, "--hub-pin", "sha256:1") }, "64 hex"},
		"no CA in it": {func(p place, a []string) []string { return with(a, "--hub-ca", p.password) }, "no certificate"},
		"an odd dial": {func(_ place, a []string) []string { return append(a, "--dial", "a=b") }, "HOST:PORT"},
		"a long way": {func(p place, a []string) []string {
			return with(a, "--dir", filepath.Join(p.dir, strings.Repeat("x", 90)))
		}, "choose a shorter one"},
		"a short word":  {func(p place, a []string) []string { return shortPassword(t, p, a) }, "8 to 256"},
		"a listen word": {func(_ place, a []string) []string { return with(a, "--listen", "here") }, "HOST:PORT"},
	}
	for name, c := range cases {
		p := newPlace(t)
		code, _, e := call(t, c.change(p, p.setup())...)
		if code == 0 || !strings.Contains(e, c.says) {
			t.Errorf("%s: %d %s", name, code, e)
		}
		if _, err := os.Stat(filepath.Join(p.dir, "config.json")); err == nil {
			t.Errorf("%s: settings were written", name)
		}
		if code, _, e := call(t, p.setup()...); code != 0 {
			t.Errorf("%s: set-up after the refusal: %s", name, e)
		}
	}
}

func with(args []string, flag, value string) []string {
	args[slices.Index(args, flag)+1] = value
	return args
}

func without(args []string, flag string) []string {
	i := slices.Index(args, flag)
	return slices.Delete(args, i, i+2)
}

func shortPassword(t *testing.T, p place, args []string) []string {
	t.Helper()
	short := p.password + ".short"
	if err := os.WriteFile(short, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	return with(args, "--app-password-file", short)
}

func TestAFolderHasOneOwnerAndIsNotResetWhileTheAgentRuns(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if code, _, e := call(t, p.setup("--listen", "127.0.0.1:0")...); code != 0 {
		t.Fatal(e)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		var out, errOut bytes.Buffer
		ended <- app.Main(ctx, "1.0", []string{"run", "--dir", p.dir}, &out, &errOut)
	}()
	reset := []string{"reset", "--dir", p.dir, "--confirm", "cc-pub.example.com"}
	hosttest.Await(t, "the agent owns its folder", func() bool {
		_, err := os.Stat(filepath.Join(p.dir, "journal"))
		return err == nil
	})
	if code, _, e := call(t, reset...); code == 0 || !strings.Contains(e, "stop it first") {
		t.Errorf("reset beside a running agent: %d %s", code, e)
	}
	if code, _, e := call(t, "status", "--dir", p.dir); code != 0 {
		t.Errorf("status beside a running agent: %s", e)
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("the agent ended with %d", code)
	}
	if code, _, e := call(t, reset...); code != 0 {
		t.Errorf("reset afterwards: %s", e)
	}
}

func TestStatusNamesAnUpgradeUnderWayAndDeniedVersions(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if code, _, e := call(t, p.setup()...); code != 0 {
		t.Fatal(e)
	}
	j, err := journal.Open(filepath.Join(p.dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	err = errors.Join(j.Deny("2.0"), j.Begin(journal.Entry{Permit: "p", Version: "3.0"}, time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	code, out, e := call(t, "status", "--dir", p.dir)
	if code != 0 || !strings.Contains(out, "fetching to 3.0") || !strings.Contains(out, "2.0") {
		t.Errorf("%d %s %s", code, out, e)
	}
}

func TestAMemberIsRemovedOnlyWithItsNameTypedAgain(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, args := range [][]string{p.setup(), {"cluster", "init", "--dir", p.dir, "--peer-listen",
		"127.0.0.1:0", "--secret-file", p.secret}} {
		if code, _, e := call(t, args...); code != 0 {
			t.Fatal(e)
		}
	}
	members := filepath.Join(p.dir, "cluster", "members.json")
	if err := os.WriteFile(members, []byte(`["cc-sub.example.com"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := keys.OwnPublic(t.TempDir(), models.Subscriber, "cc-sub.example.com")
	if err == nil {
		err = keys.KeepPeer(p.dir, other)
	}
	if err != nil {
		t.Fatal(err)
	}
	remove := []string{"cluster", "remove", "--dir", p.dir, "cc-sub.example.com"}
	for _, typed := range [][]string{nil, {"--confirm", "cc-pub.example.com"}} {
		if code, _, e := call(t, append(remove, typed...)...); code == 0 || !strings.Contains(e, "confirm") {
			t.Errorf("removed with %v: %s", typed, e)
		}
	}
	if _, out, _ := call(t, "cluster", "members", "--dir", p.dir); !strings.Contains(out, "cc-sub") {
		t.Errorf("the members are %q", out)
	}
	code, out, e := call(t, append(remove, "--confirm", "cc-sub.example.com")...)
	if code != 0 || !strings.Contains(out, "Its key still opens every machine") || !strings.Contains(out,
		"utils system onboard update") || !strings.Contains(out, "\n"+string(other.PublicKey)+"\n") {
		t.Errorf("%d %s %s", code, out, e)
	}
	if peers, err := keys.Peers(p.dir); err != nil || len(peers) > 0 {
		t.Errorf("%v %v", peers, err)
	}
}

func TestACommandThatDoesNotExistIsCalledWrongly(t *testing.T) {
	t.Parallel()
	if code, _, _ := call(t, "fly"); code != 2 {
		t.Errorf("code %d", code)
	}
	if code, out, _ := call(t, "version"); code != 0 || out != "1.0\n" {
		t.Errorf("version: %d %q", code, out)
	}
}
