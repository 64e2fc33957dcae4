package walk_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"connecthub/nodeclient/control/remote/sftptest"
)

// windows is a machine behind a real sshd, with a stand-in for PowerShell: its state is a folder.
type windows struct {
	*sftptest.Machine
	state string
}

// build makes a program of ours once.
func (w *world) build(pkg, name string) string {
	w.t.Helper()
	path := w.path("bin", name)
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("cannot build %s: %v\n%s", pkg, err, out)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// windowsMachine has CVP 12.6(1), and takes nobody's key yet.
func (w *world) windowsMachine(host int, powershell string) *windows {
	w.t.Helper()
	m := &windows{state: w.path("windows-" + w.ip(host))}
	first, err := json.Marshal(map[string]any{"name": w.ip(host), "product": "CVPSERVER", "boot": "1",
		"software": []map[string]string{{"name": "Cisco Unified CVP 12.6(1)", "version": "12.6.1"}},
		"diskFree": int64(1) << 40, "workMillis": 100, "downMillis": 300})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, folder := range []string{"", "files", "faults", "operations"} {
		if err := os.Mkdir(filepath.Join(m.state, folder), 0o777); err != nil {
			w.t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(m.state, folder), 0o777); err != nil { //nolint:gosec // of the machine's user
			w.t.Fatal(err)
		}
	}
	w.write(filepath.Join(m.state, "machine.json"), string(first))
	if err := os.Chmod(filepath.Join(m.state, "machine.json"), 0o666); err != nil { //nolint:gosec // the same
		w.t.Fatal(err)
	}
	m.Machine = (&sftptest.Machine{Listen: w.address(host, sshPort), User: windowsUser,
		Path: filepath.Dir(powershell), Env: []string{"WINSTAND=" + m.state}}).Start(w.t)
	ssh := filepath.Join(m.Home, ".ssh")
	if err := errors.Join(os.Mkdir(ssh, 0o755), os.Symlink(m.AuthorizedKeys, filepath.Join(ssh, "authorized_keys"))); err != nil {
		w.t.Fatal(err)
	}
	return m
}

// software is what the machine has, by name.
func (m *windows) software(w *world) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.state, "machine.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// shownKey is what a browser shows at the control node's address, after it has asked who is there.
func (c *control) shownKey() string {
	c.w.t.Helper()
	req, err := http.NewRequest(http.MethodGet, c.page("/inventory/controlnode/key"), nil)
	if err != nil {
		c.w.t.Fatal(err)
	}
	stranger, err := c.client().Do(req)
	if err != nil {
		c.w.t.Fatal(err)
	}
	_ = stranger.Body.Close()
	if stranger.StatusCode != http.StatusUnauthorized ||
		!strings.HasPrefix(stranger.Header.Get("WWW-Authenticate"), "Basic ") {
		c.w.t.Fatalf("a stranger was answered %d", stranger.StatusCode)
	}
	req.SetBasicAuth(applicationUser, applicationPassword)
	res, err := c.client().Do(req)
	if err != nil {
		c.w.t.Fatal(err)
	}
	defer res.Body.Close()
	var shown struct{ Category, HostName, PublicKey string }
	if err := json.NewDecoder(res.Body).Decode(&shown); err != nil || shown.HostName != c.name ||
		!strings.HasPrefix(shown.PublicKey, "ssh-rsa ") || !strings.HasSuffix(shown.PublicKey, " root@localhost") {
		c.w.t.Fatalf("%+v %v", shown, err)
	}
	return shown.PublicKey
}

// stepWindows is step 4: the keys are copied by hand, wrongly at first.
func (w *world) stepWindows(publisher, subscriber *control) []*windows {
	w.t.Helper()
	powershell := w.build("connecthub/tools/winstand", "powershell.exe")
	both := []string{publisher.shownKey(), subscriber.shownKey()}
	var all []*windows
	for i := range 2 {
		m := w.windowsMachine(20+i, powershell)
		w.write(m.AuthorizedKeys, strings.Join(both, "\n")+"\n")
		all = append(all, m)
	}
	// the second machine has the publisher's key only
	w.write(all[1].AuthorizedKeys, both[0]+"\n")
	return all
}

// stepTest is step 6: the connection test names the machine that lacks the subscriber's key, and passes
// once it has it.
func (w *world) stepTest(publisher, subscriber *control, machines []*windows, vvb string) {
	w.t.Helper()
	test := []string{"utils", "deployment", "test-connection", "--all"}
	for i, m := range machines {
		test = append(test, "--accept-host-key", w.ip(20+i)+"="+m.Key.Fingerprint())
	}
	code, out := w.runs("nodeclient", "", publisher.here(test)...)
	if code != 1 || !contains(out, w.ip(20)+" (A)  success", w.ip(21)+" (B)  failed", vvb,
		"refuses the other control node's key") {
		w.t.Fatalf("%d\n%s", code, out)
	}
	w.write(machines[1].AuthorizedKeys, publisher.shownKey()+"\n"+subscriber.shownKey()+"\n")
	if out := publisher.does("", "utils", "deployment", "test-connection", "--all"); !contains(out, "3 success") {
		w.t.Fatal(out)
	}
}
