package app_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/nodeclient/app"
	"connecthub/nodeclient/control/conntest"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/remote/sftptest"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/host/hosttest"
)

// loopback is an address of this process alone, so that one port is free at all of them.
func loopback(n int) string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 64+pid>>8&63, pid&255, n)
}

// keyFile makes a control node's key once for all tests of this package: making one takes long.
func keyFile() ([]byte, error) {
	dir, err := os.MkdirTemp("", "key")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if _, err := keys.Own(dir); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "control", "ssh-key.pem"))
}

var (
	ownKey  = sync.OnceValues(keyFile)
	peerKey = sync.OnceValues(keyFile)
)

// hasKey puts a key into a node's folder, and answers it.
func hasKey(t *testing.T, dir string, made func() ([]byte, error)) keys.Pair {
	t.Helper()
	text, err := made()
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "control"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "control", "ssh-key.pem"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	pair, err := keys.Own(dir)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// field is a publisher that knows its subscriber's key, and Windows machines with real sshds.
type field struct {
	place
	machines []*sftptest.Machine
	own, sub string // lines of authorized_keys
}

func newField(t *testing.T, first, n int) field {
	t.Helper()
	f := field{place: setUp(t)}
	pair, line := hasKey(t, f.dir, ownKey), hasKey(t, t.TempDir(), peerKey).Line()
	if err := keys.KeepPeer(f.dir, keys.Public{Category: keys.Subscriber, HostName: "cc-sub.example.com",
		PublicKey: line}); err != nil {
		t.Fatal(err)
	}
	f.own, f.sub = string(pair.Line())+"\n", string(line)+"\n"
	// what stands for PowerShell: it answers that there is nothing to say
	path, err := os.MkdirTemp("", "path")
	if err := errors.Join(err, os.Chmod(path, 0o755), os.WriteFile(filepath.Join(path, "powershell.exe"),
		[]byte("#!/bin/sh\ncat >/dev/null\necho '{}'\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(path) })
	port := "0"
	hosts := []inventory.Host{}
	for i := range n {
		m := (&sftptest.Machine{Path: path, Listen: net.JoinHostPort(loopback(first+i), port)}).Start(t)
		f.machines = append(f.machines, m)
		host, p, err := net.SplitHostPort(m.Address)
		if err != nil {
			t.Fatal(err)
		}
		port = p
		hosts = append(hosts, inventory.Host{Name: host, Side: []inventory.Side{"A", "B"}[i%2], User: sftptest.User})
		f.authorize(t, i, f.own+f.sub)
	}
	f.imports(t, hosts...)
	if code, out, e := call(t, "set", "orchestration", "ssh-port", port, "--dir", f.dir); code != 0 || !strings.Contains(out, "updated successfully") {
		t.Fatalf("%d %s %s", code, out, e)
	}
	return f
}

func (f field) imports(t *testing.T, hosts ...inventory.Host) {
	t.Helper()
	var groups []inventory.Group
	for i, pair := range slices.Collect(slices.Chunk(hosts, 2)) {
		groups = append(groups, inventory.Group{Name: fmt.Sprintf("PG%d", i+1), Hosts: pair})
	}
	what := inventory.Empty()
	what.Windows = []inventory.Section{{Product: inventory.PeripheralGateway, Groups: groups}}
	store := machines.Open(f.dir, time.Now)
	now, err := store.Current()
	if err == nil {
		_, err = store.Import(inventory.Format(what), now.Number, "test", "test")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// authorize writes the file that sshd reads, where its user sees it, too.
func (f field) authorize(t *testing.T, i int, text string) {
	t.Helper()
	m := f.machines[i]
	seen := filepath.Join(m.Home, ".ssh", "authorized_keys")
	_ = os.MkdirAll(filepath.Dir(seen), 0o755)
	_ = os.Remove(seen)
	if err := errors.Join(os.WriteFile(m.AuthorizedKeys, []byte(text), 0o644), os.Symlink(m.AuthorizedKeys, seen)); err != nil {
		t.Fatal(err)
	}
}

func (f field) name(i int) string {
	host, _, _ := net.SplitHostPort(f.machines[i].Address)
	return host
}

func (f field) accepts() (flags []string) {
	for i, m := range f.machines {
		flags = append(flags, "--accept-host-key", f.name(i)+"="+m.Key.Fingerprint())
	}
	return flags
}

// tests runs the command with everything in flags.
func (f field) tests(t *testing.T, more ...string) (code int, v tested, errOut string) {
	t.Helper()
	code, out, errOut := call(t, append([]string{"utils", "deployment", "test-connection", "--dir", f.dir, "--json"}, more...)...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("%d %v %s %s", code, err, out, errOut)
	}
	return code, v, errOut
}

type tested struct {
	OK, Remarks, Failed int
	Nodes               []struct {
		Name, Status string
		Keys         []struct{ Accepted *bool }
		Hints        []struct {
			Code, Sentence string
			Perhaps        bool
		}
	}
}

func (v tested) codes(i int) string {
	var all []string
	for _, h := range v.Nodes[i].Hints {
		all = append(all, h.Code)
	}
	return strings.Join(all, " ")
}

func TestTheConnectionTestTellsForEachMachineWhatToDo(t *testing.T) {
	t.Parallel()
	f := newField(t, 1, 3)
	code, v, e := f.tests(t, "--all")
	if code != 1 || v.Failed != 3 || v.codes(0) != "host_key_unknown" || !strings.Contains(e, "3 of 3 machines failed") {
		t.Errorf("%d %+v %s", code, v, e)
	}
	code, _, e = call(t, append([]string{"utils", "deployment", "test-connection", "--dir", f.dir, "--all"},
		"--accept-host-key", f.name(0)+"=SHA256:x")...)
	if code != 1 || !strings.Contains(e, "not the one that was given") {
		t.Errorf("%d %s", code, e)
	}
	f.authorize(t, 1, f.own)
	f.authorize(t, 2, strings.TrimSpace(f.own)+" \n"+f.sub)
	code, v, e = f.tests(t, append(f.accepts(), "--all")...)
	if code != 1 || v.OK != 1 || v.Failed != 1 || v.Remarks != 1 || v.codes(0) != "" ||
		v.codes(1) != "peer_key_refused key_missing" || v.codes(2) != "trailing_space" || !strings.Contains(e, "1 of 3") {
		t.Errorf("%d %+v %s", code, v, e)
	}
	code, _, e = call(t, append([]string{"utils", "deployment", "test-connection", "--dir", f.dir, "--all"},
		"--accept-host-key", f.name(0)+"=SHA256:x")...)
	if code != 1 || !strings.Contains(e, "is confirmed for "+f.machines[0].Address) {
		t.Errorf("%d %s", code, e)
	}
	if last, err := conntest.Last(f.dir); err != nil || len(last.Nodes) != 3 || last.From != "cc-pub.example.com" ||
		last.Nodes[1].Status != conntest.Broken {
		t.Errorf("%+v %v", last, err)
	}
	f.authorize(t, 1, f.own+f.sub)
	for _, flags := range [][]string{{"--node", f.name(1)}, {"--group", "PG2"}, {"--group", "PG/PG1", "--node", f.name(2)}} {
		code, v, e := f.tests(t, flags...)
		if code != 0 || len(v.Nodes) != map[string]int{f.name(1): 1, "PG2": 1, "PG/PG1": 3}[flags[1]] || v.Failed != 0 {
			t.Errorf("%v: %d %+v %s", flags, code, v, e)
		}
	}
	if last, err := conntest.Last(f.dir); err != nil || len(last.Nodes) != 3 || last.Nodes[1].Status != conntest.OK {
		t.Errorf("%+v %v", last, err)
	}
	for says, flags := range map[string][]string{"no such machine": {"--node", "x"}, "no such group": {"--group", "PG9"},
		"give --all": nil, "begins with SHA256": {"--all", "--accept-host-key", "a=b"}} {
		code, _, e := call(t, append([]string{"utils", "deployment", "test-connection", "--dir", f.dir}, flags...)...)
		if code != 1 || !strings.Contains(e, says) {
			t.Errorf("%v: %d %s", flags, code, e)
		}
	}
}

func TestASubscriberTestsWithItsOwnKey(t *testing.T) {
	t.Parallel()
	f := newField(t, 6, 1)
	f.subscriber(t)
	if err := keys.ForgetPeer(f.dir, "cc-sub.example.com"); err != nil {
		t.Fatal(err)
	}
	code, v, e := f.tests(t, append(f.accepts(), "--all")...)
	if code != 0 || v.Remarks != 1 || v.codes(0) != "peer_key_unknown" || !strings.Contains(v.Nodes[0].Hints[0].Sentence, "cc-first.example.com") {
		t.Errorf("%d %+v %s", code, v, e)
	}
}

func TestTheConnectionTestSpeaksJapanese(t *testing.T) {
	t.Parallel()
	f := newField(t, 11, 2)
	f.authorize(t, 0, "")
	code, out, e := call(t, append([]string{"utils", "deployment", "test-connection", "--dir", f.dir, "--all",
		"--language", "ja"}, f.accepts()...)...)
	for _, says := range []string{"PG / PG1", "  " + f.name(0) + " (A)  失敗", "考えられる原因:", "      - ユーザが管理者で",
		"(B)  成功", "2 台: 成功 1、注意あり 0、失敗 1", "LOCAL0"} {
		if !strings.Contains(out, says) {
			t.Errorf("%q is missing in %s", says, out)
		}
	}
	if code != 1 || !strings.Contains(e, "接続テストに失敗したマシンがあります(1 / 2 台)") {
		t.Errorf("%d %s", code, e)
	}
}

func TestTheConnectionTestAsksWhichMachinesAndForTheirHostKeys(t *testing.T) {
	t.Parallel()
	f := newField(t, 21, 2)
	x := atTerminal(t, "utils", "deployment", "test-connection", "--dir", f.dir)
	x.waits("  1: PG / PG1 (2 machines)")
	x.waits("  3:     " + f.name(1) + "  side B")
	x.waits("  a: all")
	x.waits("  q: quit")
	x.says("Test which of them: ", "7")
	x.says("Invalid selection.", "2")
	x.waits(f.machines[0].Address)
	x.waits(f.machines[0].Key.Fingerprint())
	x.says("Are they the machines' own? Type yes to go on: ", "yes")
	x.waits("[1/1] " + f.name(0) + ": success")
	if code, seen := x.ends(); code != 0 || !strings.Contains(seen, "1 machine: 1 success, 0 with remarks, 0 failed") ||
		strings.Contains(seen, f.machines[1].Key.Fingerprint()) {
		t.Fatalf("%d %s", code, seen)
	}
	x = atTerminal(t, "utils", "deployment", "test-connection", "--dir", f.dir)
	x.says("Test which of them: ", "a")
	x.says("Are they the machines' own? Type yes to go on: ", "no")
	x.waits("Not confirmed; these machines are told nothing.")
	if code, seen := x.ends(); code != 1 || !strings.Contains(seen, "1 success, 0 with remarks, 1 failed") ||
		strings.Contains(f.machines[1].Log(), sftptest.User) {
		t.Fatalf("%d %s", code, seen)
	}
	x = atTerminal(t, "utils", "deployment", "test-connection", "--dir", f.dir)
	x.says("Test which of them: ", "q")
	if code, seen := x.ends(); code != 0 || !strings.Contains(seen, "nothing was chosen") {
		t.Fatalf("%d %s", code, seen)
	}
}

func TestHostKeysAreListedConfirmedAndForgotten(t *testing.T) {
	t.Parallel()
	f := newField(t, 31, 2)
	run := func(words ...string) (int, string, string) {
		t.Helper()
		return call(t, append([]string{"utils", "deployment", "host-key", "--dir", f.dir}, words...)...)
	}
	if code, out, _ := run("list"); code != 0 || strings.Count(out, "  not confirmed\n") != 2 {
		t.Errorf("%d %s", code, out)
	}
	if code, out, e := run(append([]string{"confirm"}, f.accepts()[:2]...)...); code != 0 || out != f.machines[0].Address+"  confirmed\n" {
		t.Errorf("%d %s %s", code, out, e)
	}
	if code, out, e := run("confirm", "--all"); code != 1 || !strings.Contains(out, "not confirmed") || !strings.Contains(e, "1 of 2") {
		t.Errorf("%d %s %s", code, out, e)
	}
	code, out, e := run("list", "--json")
	var rows []struct {
		Address, Fingerprint string
		Confirmed            bool
	}
	if err := json.Unmarshal([]byte(out), &rows); err != nil || code != 0 || len(rows) != 2 || !rows[0].Confirmed ||
		rows[0].Fingerprint != f.machines[0].Key.Fingerprint() || rows[1].Confirmed {
		t.Errorf("%d %v %s %s", code, err, out, e)
	}
	if code, _, e := run("forget", "--node", f.name(0)); code != 1 || !strings.Contains(e, "give --yes") {
		t.Errorf("%d %s", code, e)
	}
	for _, says := range []string{"forgotten", "was not confirmed"} {
		if code, out, e := run("forget", "--node", f.name(0), "--yes"); code != 0 || !strings.Contains(out, says) {
			t.Errorf("%d %s %s", code, out, e)
		}
	}
	x := atTerminal(t, "utils", "deployment", "host-key", "confirm", "--dir", f.dir)
	x.says("Confirm which of them: ", "1")
	x.says("Are they the machines' own? Type yes to go on: ", "yes")
	if code, seen := x.ends(); code != 0 || strings.Count(seen, "  confirmed") != 2 {
		t.Errorf("%d %s", code, seen)
	}
	x = atTerminal(t, "utils", "deployment", "host-key", "forget", "--dir", f.dir)
	x.says("Forget which of them: ", "3")
	x.says("until their keys are confirmed anew. Type yes to go on: ", "yes")
	if code, seen := x.ends(); code != 0 || !strings.Contains(seen, "forgotten") {
		t.Errorf("%d %s", code, seen)
	}
	x = atTerminal(t, "utils", "deployment", "host-key", "list", "--dir", f.dir)
	if code, seen := x.ends(); code != 0 || strings.Count(seen, "not confirmed") != 1 {
		t.Errorf("%d %s", code, seen)
	}
}

func TestTheSSHPortIsSetAndShown(t *testing.T) {
	t.Parallel()
	p := setUp(t)
	show := []string{"show", "orchestration", "ssh-port", "--dir", p.dir}
	if code, out, e := call(t, show...); code != 0 || out != "SSH port : 22\n" {
		t.Errorf("%d %s %s", code, out, e)
	}
	for _, wrong := range []string{"0", "70000", "ssh"} {
		code, _, e := call(t, "set", "orchestration", "ssh-port", wrong, "--dir", p.dir)
		if code != 1 || !strings.Contains(e, "from 1 to 65535") {
			t.Errorf("%s: %d %s", wrong, code, e)
		}
	}
	if code, _, e := call(t, "set", "orchestration", "ssh-port", "--dir", p.dir); code != 1 || !strings.Contains(e, "give the port") {
		t.Errorf("%d %s", code, e)
	}
	x := atTerminal(t, "set", "orchestration", "ssh-port", "--dir", p.dir)
	x.says("SSH port of the machines [22]: ", "2222")
	if code, seen := x.ends(); code != 0 || !strings.Contains(seen, "updated successfully") {
		t.Errorf("%d %s", code, seen)
	}
	if code, out, _ := call(t, append(show, "--json")...); code != 0 || !strings.Contains(out, `"port": 2222`) {
		t.Errorf("%d %s", code, out)
	}
	x = atTerminal(t, show...)
	if code, seen := x.ends(); code != 0 || !strings.Contains(seen, "SSH port : 2222") {
		t.Errorf("%d %s", code, seen)
	}
	c, err := enroll.LoadConfig(p.dir)
	c.Role, c.Publisher = models.Subscriber, "cc-first.example.com"
	if err := errors.Join(err, c.Save(p.dir)); err != nil {
		t.Fatal(err)
	}
	if code, _, e := call(t, "set", "orchestration", "ssh-port", "22", "--dir", p.dir); code != 1 || !strings.Contains(e, "run this on the publisher") {
		t.Errorf("%d %s", code, e)
	}
	if code, _, _ := call(t, show...); code != 0 {
		t.Error("a subscriber shows its port")
	}
}

func TestACopyOfAnAuthorizedKeysFileIsJudged(t *testing.T) {
	t.Parallel()
	f := newField(t, 41, 1)
	file := filepath.Join(t.TempDir(), "authorized_keys.txt")
	if err := os.WriteFile(file, []byte(f.own+strings.TrimSpace(f.sub)+", \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check := []string{"utils", "deployment", "check-authorized-keys", "--dir", f.dir, file}
	for language, says := range map[string][]string{
		"en": {"authorized_keys.txt", "line 2, column ", "There is a “,”", "There is a space at the end", "3 problems"},
		"ja": {"authorized_keys.txt", "2 行 ", "「,」があります", "行末に余分なスペース", "問題があります"}} {
		code, out, e := call(t, append(check, "--language", language)...)
		for _, s := range says {
			if code != 1 || !strings.Contains(out+e, s) {
				t.Errorf("%q is missing: %d %s %s", s, code, out, e)
			}
		}
	}
	var v struct {
		Good bool
		Keys []struct {
			HostName string `json:"host_name"`
			LetsIn   bool   `json:"lets_in"`
		}
		Problems []struct{ Rule string }
	}
	code, out, _ := call(t, append(check, "--json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 1 || v.Good || len(v.Keys) != 2 || !v.Keys[1].LetsIn || v.Keys[1].HostName == "" ||
		len(v.Problems) != 3 || v.Problems[0].Rule != "file_type" {
		t.Errorf("%d %v %s", code, err, out)
	}
	x := atTerminal(t, "utils", "deployment", "check-authorized-keys", "--dir", f.dir, f.machines[0].AuthorizedKeys)
	if code, seen := x.ends(); code != 0 || !strings.Contains(seen, "lets in PUBLISHER cc-pub.example.com, SUBSCRIBER cc-sub.example.com") {
		t.Errorf("%d %s", code, seen)
	}
}

// An unregistered node shows its own key, whatever its part in the cluster is, by name and by address.
func TestEachControlNodeShowsItsOwnKey(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for i, role := range []models.NodeRole{"", models.Publisher, models.Subscriber} {
		p := newPlace(t)
		address := net.JoinHostPort(loopback(51+i), "18445")
		if code, _, e := call(t, p.setup("--listen", address)...); code != 0 {
			t.Fatal(e)
		}
		serve(t, p.dir, address)
		c, err := enroll.LoadConfig(p.dir)
		c.Role = role // as of now: the page reads it at each request
		if role == models.Subscriber {
			c.Publisher = "cc-first.example.com"
		}
		if err := errors.Join(err, c.Save(p.dir)); err != nil {
			t.Fatal(err)
		}
		if status, _ := getKey(t, address, "", ""); status != http.StatusUnauthorized {
			t.Errorf("without a password: %d", status)
		}
		if status, text := getKey(t, address, "administrator", "wrong"); status != http.StatusUnauthorized || strings.Contains(text, "ssh-rsa") {
			t.Errorf("with a wrong one: %d", status)
		}
		status, text := getKey(t, address, "administrator", "a good password")
		var v keys.Public
		err = json.Unmarshal([]byte(text), &v)
		if key, err2 := v.PublicKey.Key(); status != 200 || err != nil || err2 != nil || v.Category != keys.CategoryOf(role) ||
			v.HostName != "cc-pub.example.com" || key.Type() != ssh.KeyAlgoRSA {
			t.Errorf("%q: %d %s %v", role, status, text, err)
		}
		if shown[string(v.PublicKey)] {
			t.Error("two nodes have one key")
		}
		shown[string(v.PublicKey)] = true
	}
}

// serve runs the agent until the test ends.
func serve(t *testing.T, dir, address string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	var out bytes.Buffer
	go func() { ended <- app.Main(ctx, "1.0", []string{"run", "--dir", dir}, io.Discard, &out) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("the agent ended with %d: %s", code, out.String())
		}
	})
	awaitListener(t, address)
}

func awaitListener(t *testing.T, address string) {
	t.Helper()
	hosttest.Await(t, "something answers at "+address, func() bool {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false
		}
		_ = c.Close()
		return true
	})
}

func getKey(t *testing.T, address, user, password string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "https://"+address+"/inventory/controlnode/key", nil)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}
