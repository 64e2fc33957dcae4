package conntest_test

import (
	"errors"
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
	"connecthub/nodeclient/control/authkeys"
	"connecthub/nodeclient/control/conntest"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/remote/sftptest"
	"connecthub/nodeclient/control/vosapi"
)

// pair is one control node's key. Making one takes long, so that the tests share two.
func pair(n int) keys.Pair {
	return []func() keys.Pair{first, second}[n]()
}

var (
	first  = sync.OnceValue(fresh)
	second = sync.OnceValue(fresh)
)

func fresh() keys.Pair {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	p, err := keys.Own(dir)
	if err != nil {
		panic(err)
	}
	return p
}

// bench is a publisher beside one machine with a real sshd.
type bench struct {
	*conntest.Tester
	t       *testing.T
	machine *sftptest.Machine
	folder  string // C:\ProgramData\ssh of the machine
	target  conntest.Target
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, machine: (&sftptest.Machine{Path: powershell(t, `{"boot":"1"}`)}).Start(t)}
	b.folder = filepath.Join(filepath.Dir(b.machine.Home), "ProgramData")
	b.must(os.Mkdir(b.folder, 0o755), os.Mkdir(filepath.Join(b.machine.Home, ".ssh"), 0o755))
	pins := remote.OpenPins(t.TempDir(), time.Now)
	b.must(pins.Confirm(b.machine.Address, b.machine.Key.Signer.PublicKey(), "test"))
	b.Tester = &conntest.Tester{Pins: pins, Own: pair(0), Now: time.Now,
		Me:          keys.Public{Category: keys.Publisher, HostName: "pub.example.com", PublicKey: pair(0).Line()},
		Peers:       []keys.Public{{Category: keys.Subscriber, HostName: "sub.example.com", PublicKey: pair(1).Line()}},
		ProgramData: b.folder, SystemConfig: b.folder}
	b.target = target(b.machine.Address, b.machine.User)
	return b
}

// powershell is a folder with what stands for it: it answers one text.
func powershell(t *testing.T, answer string) string {
	t.Helper()
	return commandIn(t, "powershell.exe", "#!/bin/sh\ncat >/dev/null\ncat <<'END'\n"+answer+"\nEND\n")
}

// commandIn is a folder with one program, for a machine whose user is to reach it.
func commandIn(t *testing.T, name, script string) string {
	t.Helper()
	path, err := os.MkdirTemp("", "path")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(path) })
	if err := errors.Join(os.Chmod(path, 0o755), os.WriteFile(filepath.Join(path, name), []byte(script), 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

func target(address, user string) conntest.Target {
	return conntest.Target{Address: address, User: user, Machine: inventory.Machine{Product: inventory.PeripheralGateway,
		Group: "PG1", Host: inventory.Host{Name: "pga", Side: "A"}}}
}

func (b *bench) must(all ...error) {
	b.t.Helper()
	if err := errors.Join(all...); err != nil {
		b.t.Fatal(err)
	}
}

// reads is the file that sshd reads; it is the user's own one, too, or the administrators'.
func (b *bench) reads(text, as string) {
	b.t.Helper()
	b.must(os.WriteFile(b.machine.AuthorizedKeys, []byte(text), 0o644))
	_ = os.Remove(as)
	b.must(os.Symlink(b.machine.AuthorizedKeys, as))
}

func (b *bench) user() string  { return filepath.Join(b.machine.Home, ".ssh", "authorized_keys") }
func (b *bench) admin() string { return filepath.Join(b.folder, "administrators_authorized_keys") }

func (b *bench) one() conntest.Result {
	return b.Run(b.t.Context(), []conntest.Target{b.target}, nil)[0]
}

func codes(r conntest.Result) string {
	var all []string
	for _, h := range r.Hints {
		all = append(all, string(h.Code))
	}
	return strings.Join(all, " ")
}

const (
	outside = "own_key_refused peer_key_refused both_keys_refused perhaps_wrong_place perhaps_administrator " +
		"perhaps_file_type perhaps_lines perhaps_user perhaps_rights perhaps_not_restarted"
	ownLine = "own_key_refused perhaps_own_line"
)

func TestEachMistakeInTheFileHasItsHintAndOpenSSHAgrees(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p, s := string(pair(0).Line()), string(pair(1).Line())
	for name, c := range map[string]struct {
		text   string
		status conntest.Status
		hints  string
	}{
		"right":                  {p + "\n" + s + "\n", conntest.OK, ""},
		"Windows' line ends":     {p + "\r\n" + s + "\r\n", conntest.OK, ""},
		"subscriber's missing":   {p + "\n", conntest.Broken, "peer_key_refused key_missing"},
		"publisher's missing":    {s + "\n", conntest.Broken, ownLine},
		"empty":                  {"", conntest.Broken, outside},
		"trailing space":         {p + " \n" + s + "\n", conntest.Remarks, "trailing_space"},
		"comma at the end":       {p + ",\n" + s + "\n", conntest.Remarks, "comma"},
		"both on one line":       {p + " " + s + "\n", conntest.Broken, "peer_key_refused two_keys_on_one_line key_missing"},
		"both by a comma":        {p + "," + s + "\n", conntest.Broken, "peer_key_refused two_keys_on_one_line comma key_missing"},
		"other order, one line":  {s + p, conntest.Broken, ownLine},
		"subscriber's JSON":      {p + "\n" + `{"category":"SUBSCRIBER","hostName":"sub.example.com","publicKey":"` + s + `"}`, conntest.Broken, "peer_key_refused json_pasted key_missing"},
		"both JSON":              {`{"publicKey":"` + p + `"}` + "\n" + `{"publicKey":"` + s + `"}`, conntest.Broken, outside},
		"quotes":                 {p + "\n\"" + s + "\"\n", conntest.Broken, "peer_key_refused special_character key_damaged key_missing"},
		"wrapped":                {p + "\n" + s[:100] + "\n" + s[100:], conntest.Broken, "peer_key_refused key_wrapped key_wrapped key_missing"},
		"comma in it":            {p + "\n" + s[:100] + "," + s[100:], conntest.Broken, "peer_key_refused comma key_damaged key_missing"},
		"no type":                {p + "\n" + s[8:], conntest.Broken, "peer_key_refused type_missing key_missing"},
		"a typed quotation mark": {p + "”\n" + s, conntest.Remarks, "special_character"},
		"an unseen space":        {p + "\nssh-rsa\u00a0" + s[8:], conntest.Broken, "peer_key_refused special_character key_damaged key_missing"},
		"byte order mark":        {"\uFEFF" + s + "\n" + p, conntest.Broken, "peer_key_refused encoding key_missing"},
		"UTF-16":                 {"\xff\xfe" + strings.Join(strings.Split(p, ""), "\x00"), conntest.Broken, outside},
	} {
		b.reads(c.text, b.user())
		r := b.one()
		if r.Status != c.status || codes(r) != c.hints {
			t.Errorf("%s: %s %q, want %s %q", name, r.Status, codes(r), c.status, c.hints)
		}
		lets := authkeys.Check("", []byte(c.text), []keys.Public{b.Me, b.Peers[0]}).Lets
		if len(r.Keys) != 2 || *r.Keys[0].Accepted != lets[0] || *r.Keys[1].Accepted != lets[1] {
			t.Errorf("%s: sshd does not agree with %v: %+v", name, lets, r.Keys)
		}
	}
	signedIn := 0
	for line := range strings.Lines(b.machine.Log()) {
		if !strings.HasPrefix(line, "Accepted publickey") {
			continue
		}
		if signedIn++; !strings.Contains(line, b.Own.String()) {
			t.Errorf("somebody else signed in: %s", line)
		}
	}
	if signedIn == 0 {
		t.Error(b.machine.Log())
	}
}

func TestAKeyInTheWrongFileIsFound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p, s := string(pair(0).Line())+"\n", string(pair(1).Line())+"\n"
	config := filepath.Join(b.folder, "sshd_config")
	block := "Match Group administrators\r\n       AuthorizedKeysFile __PROGRAMDATA__/ssh/administrators_authorized_keys\r\n"
	check := func(what, hints string, files ...string) {
		t.Helper()
		r := b.one()
		if codes(r) != hints {
			t.Errorf("%s: %q, want %q", what, codes(r), hints)
		}
		for i, f := range files {
			if i >= len(r.Hints) || !strings.Contains(r.Hints[i].File, f) {
				t.Errorf("%s: %+v", what, r.Hints)
			}
		}
	}
	// an administrator: sshd reads the file of the administrators
	b.must(os.WriteFile(config, []byte(block), 0o644))
	b.reads(p, b.admin())
	b.must(os.WriteFile(b.user(), []byte(p+s), 0o644))
	check("administrator", "peer_key_refused wrong_folder_administrator key_missing", "", ".ssh", "administrators")
	b.reads(p+s, b.admin())
	check("administrator, right", "")
	// what was commented out does not count
	b.must(os.WriteFile(config, []byte("#Match Group administrators\n"), 0o644), os.Remove(b.user()),
		os.Remove(b.admin()), os.WriteFile(b.admin(), []byte(s), 0o644))
	b.reads(p, b.user())
	check("user", "peer_key_refused wrong_folder key_missing", "", "administrators", ".ssh")
	// a file of the wrong type beside it
	b.must(os.Remove(b.admin()), os.WriteFile(b.user()+".txt", []byte(p+s), 0o644))
	check("type", "peer_key_refused key_missing file_type")
	b.must(os.Remove(b.user() + ".txt"))
	// the file is right, and sshd still reads the one before
	b.reads(p, b.user())
	b.must(os.Remove(b.user()), os.WriteFile(b.user(), []byte(p+s), 0o644))
	check("not restarted", "peer_key_refused service_not_restarted")
	// no file where one usually is
	b.reads(p+s, b.user())
	b.must(os.Remove(b.user()))
	check("elsewhere", "no_authorized_keys")
	// one that cannot be read
	b.must(os.WriteFile(b.user(), []byte(p+s), 0o600))
	check("unseen", "files_unseen")
	b.must(os.Chmod(b.user(), 0o644), os.Mkdir(filepath.Join(b.folder, "closed"), 0o700))
	b.SystemConfig = filepath.Join(b.folder, "closed")
	check("no rights", "user_without_rights")
}

func TestWhatKeepsANodeFromConnectingIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.reads(string(pair(0).Line())+"\n"+string(pair(1).Line()), b.user())
	other := (&sftptest.Machine{}).Start(t)
	changed := (&sftptest.Machine{}).Start(t)
	passwords := sftptest.StartCounting(t, sftptest.NewKey(t), "", false)
	key, err := remote.HostKey(t.Context(), passwords.Address)
	b.must(err, b.Pins.Confirm(changed.Address, sftptest.NewKey(t).Signer.PublicKey(), "test"),
		b.Pins.Confirm(passwords.Address, key, "test"), b.Pins.Confirm("127.0.0.1:1", key, "test"))
	long := strings.Repeat("x", 64) + ".example.com:22" // no name of DNS: nothing is asked
	var told []string
	targets := []conntest.Target{b.target, target(other.Address, "u"), target(changed.Address, "u"),
		target(passwords.Address, "u"), target("127.0.0.1:1", "u"), target(long, "u"), target(b.machine.Address, ""),
		target(b.machine.Address, "somebody-deleted")}
	all := b.Run(t.Context(), targets, func(r conntest.Result) { told = append(told, codes(r)) })
	want := []string{"", "host_key_unknown", "host_key_changed", "keys_not_taken", "connection_refused",
		"name_not_resolved", "not_onboarded", outside}
	for i, r := range all {
		if codes(r) != want[i] || r.Address != targets[i].Address || (r.Status == conntest.OK) != (i == 0) ||
			r.Tested.IsZero() {
			t.Errorf("%d: %s %+v", i, codes(r), r)
		}
	}
	if slices.Sort(told); len(told) != len(all) {
		t.Errorf("%q", told)
	}
	if r := all[2]; r.OtherKey != changed.Key.Fingerprint() || r.HostKey == r.OtherKey || r.HostKey == "" {
		t.Errorf("%+v", r)
	}
	if strings.Contains(other.Log()+changed.Log(), " u ") {
		t.Errorf("a host without a confirmed key learnt the user: %s", other.Log()+changed.Log())
	}
	seen := b.Unconfirmed(t.Context(), append(targets[:5], target("127.0.0.1:2", "u"), targets[1]))
	if len(seen) != 2 || ssh.FingerprintSHA256(seen[0].Key) != other.Key.Fingerprint() || seen[1].Key != nil {
		t.Errorf("%+v", seen)
	}
	b.Peers, b.Unknown = nil, []models.FQDN{"sub.example.com"}
	if r := b.one(); codes(r) != "peer_key_unknown" || r.Status != conntest.Remarks || len(r.Keys) != 1 {
		t.Errorf("%+v", r)
	}
}

// The machine's own agent is tested in its own package; here a file stands for what it answers.
func TestAVOSMachineIsAskedForItsAgent(t *testing.T) {
	t.Parallel()
	answers := filepath.Join(commandIn(t, "answer", ""), "answer")
	path := commandIn(t, vosapi.Command, "#!/bin/sh\ncat >/dev/null\ncat "+answers+"\n")
	b := newBench(t)
	m := (&sftptest.Machine{Path: path, Keys: []ssh.PublicKey{pair(0).Signer().PublicKey(),
		pair(1).Signer().PublicKey()}}).Start(t)
	b.must(b.Pins.Confirm(m.Address, m.Key.Signer.PublicKey(), "test"))
	b.target = target(m.Address, m.User)
	b.target.Product, b.target.Host.Name = inventory.Finesse, "fin-pub.example.com"
	pong := `{"protocol":1,"ping":{"name":"FIN-pub.example.com","product":"Finesse"}}`
	for answer, want := range map[string]string{pong: "", "{": "machine_refused", `{"protocol":1}`: "machine_refused",
		`{"protocol":1,"code":"not_set_up"}`:                   "machine_refused",
		strings.Replace(pong, "FIN-pub", "cuic", 1):            "other_machine",
		strings.Replace(pong, `"Finesse"`, `"CUIC"`, 1):        "other_machine",
		strings.Repeat(" ", vosapi.MaxAnswer+1) + pong:         "machine_refused",
		`{"protocol":2,"ping":{"name":"fin-pub.example.com"}}`: "machine_refused"} {
		b.must(os.WriteFile(answers, []byte(answer), 0o644))
		if r := b.one(); codes(r) != want || (r.Status == conntest.OK) != (want == "") {
			t.Errorf("%.80s: %+v", answer, r)
		}
	}
	b.must(os.WriteFile(m.AuthorizedKeys, []byte(pair(1).Line()), 0o644))
	if r := b.one(); codes(r) != "own_key_refused onboard_update" {
		t.Errorf("%+v", r)
	}
}

func TestAMachineWhosePowerShellFailsIsNoMachineToWorkWith(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for answer, want := range map[string]string{"{": "powershell_failed", `{"boot":"1"}`: ""} {
		m := (&sftptest.Machine{Path: powershell(t, answer)}).Start(t)
		b.must(b.Pins.Confirm(m.Address, m.Key.Signer.PublicKey(), "test"), os.WriteFile(m.AuthorizedKeys,
			[]byte(pair(0).Line()+"\n"+pair(1).Line()), 0o644), os.Mkdir(filepath.Join(m.Home, ".ssh"), 0o755),
			os.Symlink(m.AuthorizedKeys, filepath.Join(m.Home, ".ssh", "authorized_keys")))
		b.target = target(m.Address, m.User)
		if r := b.one(); codes(r) != want || (r.Status == conntest.OK) != (want == "") {
			t.Errorf("%+v", r)
		}
	}
}

func TestResultsStayUntilTheirMachineIsTestedAgainOrGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if r, err := conntest.Last(dir); err != nil || !r.Time.IsZero() {
		t.Fatalf("%+v %v", r, err)
	}
	machine := func(name string) inventory.Machine {
		return inventory.Machine{Product: inventory.Finesse, Group: "g", Host: inventory.Host{Name: name}}
	}
	result := func(name string, s conntest.Status) conntest.Result {
		return conntest.Result{Product: inventory.Finesse, Group: "g", Name: name, Status: s}
	}
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	save := func(machines []inventory.Machine, fresh ...conntest.Result) []string {
		t.Helper()
		if err := conntest.Save(dir, "pub.example.com", machines, fresh, at); err != nil {
			t.Fatal(err)
		}
		r, err := conntest.Last(dir)
		if err != nil || r.From != "pub.example.com" || !r.Time.Equal(at) {
			t.Fatalf("%+v %v", r, err)
		}
		var all []string
		for _, n := range r.Nodes {
			all = append(all, n.Name+" "+string(n.Status))
		}
		return all
	}
	a, b, c := machine("a"), machine("b"), machine("c")
	if got := save([]inventory.Machine{a, b}, result("b", conntest.OK), result("a", conntest.Broken)); !slices.Equal(got, []string{"a failed", "b ok"}) {
		t.Errorf("%q", got)
	}
	if got := save([]inventory.Machine{c, a}, result("c", conntest.OK), result("a", conntest.OK)); !slices.Equal(got, []string{"c ok", "a ok"}) {
		t.Errorf("%q", got)
	}
	if info, err := os.Stat(filepath.Join(dir, "control", "connection-test.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

func TestEveryHintHasItsSentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, code := range conntest.Codes() {
		for _, language := range []string{"en", "ja"} {
			h := conntest.Hint{Code: code, Subject: "SUBJECT", File: "FILE"}
			says := h.Sentence(language)
			if len(says) < 30 || seen[says] || strings.Contains(says, "{") {
				t.Errorf("%s in %s: %q", code, language, says)
			}
			seen[says] = true
		}
	}
	h := conntest.Hint{Code: "trailing_space", File: "C:\\f", Line: 2, Column: 9}
	if en, ja := h.Sentence("en"), h.Sentence("ja"); !strings.HasPrefix(en, `C:\f: line 2, column 9: `) ||
		!strings.HasPrefix(ja, `C:\f: 2 行 9 列: `) || h.Perhaps() || !(conntest.Hint{Code: conntest.PerhapsUser}).Perhaps() {
		t.Errorf("%s %s", en, ja)
	}
}
