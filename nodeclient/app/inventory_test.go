package app_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/remote/sftptest"
	"connecthub/nodeclient/enroll"
)

// desk is a node beside a real SFTP server.
type desk struct {
	place
	server *sftptest.OpenSSH
}

func newDesk(t *testing.T) desk {
	t.Helper()
	return desk{setUp(t), sftptest.StartOpenSSH(t)}
}

// inventory runs one command of the inventory with everything in flags.
func (d desk) inventory(t *testing.T, verb string, more ...string) (code int, out, errOut string) {
	t.Helper()
	return call(t, append([]string{"utils", "system", "inventory", verb, "--dir", d.dir, "--server",
		d.server.Address, "--user", sftptest.User, "--password-file", secretFile(t, sftptest.Password+"\n"),
		"--directory", d.server.Home, "--accept-host-key", d.server.Key.Fingerprint()}, more...)...)
}

func (d desk) put(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(d.server.Home, inventory.FileName), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (d desk) exported(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.server.Home, inventory.FileName))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func sample(t *testing.T, layout string) string {
	t.Helper()
	code, out, e := call(t, "utils", "system", "inventory", "sample", layout)
	if code != 0 {
		t.Fatal(e)
	}
	return out
}

func TestAnInventoryIsExportedEditedAndImported(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if code, out, e := d.inventory(t, "export"); code != 0 || !strings.Contains(out, "exported to sftp://") {
		t.Fatalf("%d %s %s\n%s", code, out, e, d.server.Log())
	}
	if got := d.exported(t); got != string(inventory.Format(inventory.Empty())) {
		t.Errorf("%s", got)
	}
	edited := "# edited by hand\n" + sample(t, "UCCE-4000-Agents") + "\n"
	d.put(t, edited)
	code, out, e := d.inventory(t, "import", "--yes")
	if code != 0 || !strings.Contains(out, "+# edited by hand") || !strings.Contains(out, "-    PG: {}") ||
		!strings.Contains(out, "version 1, 34 machines, UCCE-4000-Agents") {
		t.Fatalf("%d %s %s", code, out, e)
	}
	d.put(t, "not that any more")
	code, out, e = d.inventory(t, "export", "--json")
	var v struct {
		Done     bool
		Version  int
		Machines int
		Where    string
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || !v.Done || v.Version != 1 ||
		v.Where != "sftp://"+d.server.Address+d.server.Home+"/inventory.conf" {
		t.Errorf("%d %v %s %s", code, err, out, e)
	}
	if d.exported(t) != edited {
		t.Error("the round trip is not byte-exact")
	}
	if code, out, _ := d.inventory(t, "import", "--yes", "--json"); code != 0 || !strings.Contains(out, `"done": true`) {
		t.Errorf("%d %s", code, out)
	}
	d.versions(t, edited)
}

func (d desk) versions(t *testing.T, first string) {
	t.Helper()
	list := []string{"utils", "system", "inventory", "versions", "--dir", d.dir}
	code, out, _ := call(t, append(list, "--json")...)
	var rows []map[string]any
	if err := json.Unmarshal([]byte(out), &rows); err != nil || code != 0 || len(rows) != 1 || rows[0]["version"] != 1.0 {
		t.Errorf("%d %v %s", code, err, out)
	}
	if code, out, _ := call(t, append(list, "1")...); code != 0 || out != first {
		t.Errorf("%d %s", code, out)
	}
	if code, _, e := call(t, append(list, "7")...); code != 1 || !strings.Contains(e, "not kept") {
		t.Errorf("%d %s", code, e)
	}
	if code, out, _ := call(t, list...); code != 0 || !strings.Contains(out, d.server.Address) {
		t.Errorf("%d %s", code, out)
	}
}

func TestABrokenInventoryIsRefusedWithAllItsProblems(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.put(t, sample(t, "UCCE-2000-Agents"))
	if code, _, e := d.inventory(t, "import", "--yes"); code != 0 {
		t.Fatal(e)
	}
	bad := strings.NewReplacer("Finesse-Cluster-1:", "finesse1:", `"vvb-host-1"`, `"vvb host"`,
		"UCCE-2000-Agents", "UCCE-26000-Agents").Replace(sample(t, "UCCE-2000-Agents"))
	d.put(t, bad)
	for language, says := range map[string]string{"en": "line 15, column 7: ", "ja": "15 行 7 列"} {
		code, out, e := d.inventory(t, "import", "--yes", "--language", language)
		if code != 1 || strings.Count(out, "\n") != 3 || !strings.Contains(out, says) ||
			!strings.Contains(e, "3 problems; nothing was changed") {
			t.Errorf("%d %s %s", code, out, e)
		}
	}
	code, out, _ := d.inventory(t, "import", "--yes", "--json")
	var v struct {
		Done     bool
		Problems []struct {
			Line, Column   int
			Rule, Sentence string
		}
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 1 || v.Done || len(v.Problems) != 3 ||
		v.Problems[0].Rule != "cluster_name" || v.Problems[0].Line == 0 || v.Problems[0].Column == 0 {
		t.Errorf("%d %v %s", code, err, out)
	}
	file := filepath.Join(t.TempDir(), "inventory.conf")
	if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, e := call(t, "utils", "system", "inventory", "check", file)
	if code != 1 || strings.Count(out, "\n") != 3 || !strings.Contains(e, "3 problems") {
		t.Errorf("%d %s %s", code, out, e)
	}
	for name, text := range map[string]string{"too large": strings.Repeat("#", inventory.MaxBytes+1), "empty": "",
		"line ends": strings.ReplaceAll(sample(t, "UCCE-2000-Agents"), "\n", "\r\n")} {
		d.put(t, text)
		if code, out, e := d.inventory(t, "import", "--yes"); code != 1 || strings.Contains(out, "imported") {
			t.Errorf("%s: %d %s %s", name, code, out, e)
		}
	}
	d.versions(t, sample(t, "UCCE-2000-Agents"))
}

func TestTheInventoryIsThePublishersAndNeedsNoRegistration(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for role, want := range map[models.NodeRole]int{"": 0, models.Publisher: 0, models.Subscriber: 1} {
		c, err := enroll.LoadConfig(d.dir)
		if err != nil {
			t.Fatal(err)
		}
		c.Role, c.Publisher = role, "cc-first.example.com"
		if err := c.Save(d.dir); err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"export", "import"} {
			d.put(t, sample(t, "UCCE-2000-Agents"))
			code, _, e := d.inventory(t, verb, map[string][]string{"import": {"--yes"}}[verb]...)
			if code != want || want != 0 && !strings.Contains(e, "run this on the publisher, cc-first.example.com") {
				t.Errorf("%s on %q: %d %s", verb, role, code, e)
			}
		}
	}
}

func TestAnInventoryCommandThatIsWronglyGivenAsksNoServer(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	word := secretFile(t, "canary")
	for _, c := range []struct {
		says string
		args []string
	}{
		{"give the directory only: the file is always inventory.conf", []string{"--directory", "/x/inventory.conf"}},
		{"UNIX form", []string{"--directory", `C:\voice`}},
		{"give --yes, too", []string{"--json"}},
		{"not the one that was given", []string{"--yes", "--accept-host-key", "SHA256:x"}},
		{"SFTP server is a number", []string{"--server", "sftp://x"}},
		{"HOST or HOST:PORT", []string{"--server", "a b"}},
	} {
		code, out, e := d.inventory(t, "import", c.args...)
		if code != 1 || !strings.Contains(e, c.says) || strings.Contains(out+e, "canary") {
			t.Errorf("%v: %d %s %s", c.args, code, out, e)
		}
	}
	if log := d.server.Log(); strings.Contains(log, sftptest.User) {
		t.Errorf("the server was told a name: %s", log)
	}
	base := []string{"utils", "system", "inventory", "import", "--dir", d.dir}
	for says, args := range map[string][]string{"--server": nil, "--user": {"--server", "x"},
		"--password-file": {"--server", "x", "--user", "u"}} {
		if code, _, e := call(t, append(base, args...)...); code != 1 || !strings.Contains(e, says) {
			t.Errorf("%s: %d %s", says, code, e)
		}
	}
	code, _, e := d.inventory(t, "export", "--password-file", word)
	if code != 1 || !strings.Contains(e, "refused this user or this password") || strings.Contains(e, "canary") {
		t.Errorf("%d %s", code, e)
	}
	if code, _, e := d.inventory(t, "export", "--directory", "/none"); code != 1 || !strings.Contains(e, "no such SFTP directory") {
		t.Errorf("%d %s", code, e)
	}
}

func TestAServerThatWasInstalledAnewIsConfirmedAnew(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if code, _, e := d.inventory(t, "export"); code != 0 {
		t.Fatal(e)
	}
	former := d.server.Key
	d.server.Key = sftptest.NewKey(t)
	code, _, e := d.inventory(t, "export")
	if code != 1 || !strings.Contains(e, "another one than was confirmed") || !strings.Contains(e, former.Fingerprint()) {
		t.Errorf("%d %s", code, e)
	}
	d.server.Key = former
	forget := []string{"utils", "system", "inventory", "forget-host-key", "--dir", d.dir, d.server.Address}
	if code, out, e := call(t, forget...); code != 0 || !strings.Contains(out, "forgotten") {
		t.Errorf("%d %s %s", code, out, e)
	}
	if code, _, e := call(t, forget...); code != 1 || !strings.Contains(e, "nobody has confirmed") {
		t.Errorf("%d %s", code, e)
	}
	if code, _, e := d.inventory(t, "export"); code != 0 {
		t.Error(e)
	}
}

func TestTheDocumentsSamplesAreWhatTheProgramPrints(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{"UCCE-2000-Agents", "UCCE-4000-Agents"} {
		path := filepath.Join("..", "..", "docs", "samples", layout, inventory.FileName)
		text, err := os.ReadFile(path)
		if err != nil || string(text) != sample(t, layout) {
			t.Errorf("%s differs: %v", path, err)
		}
		if code, out, e := call(t, "utils", "system", "inventory", "check", path); code != 0 ||
			!strings.Contains(out, "No problem") || !strings.Contains(out, layout) {
			t.Errorf("%d %s %s", code, out, e)
		}
	}
	if code, _, _ := call(t, "utils", "system", "inventory", "sample", "UCCE-12000-Agents"); code == 0 {
		t.Error("a sample of an unsupported size")
	}
}

func TestThePromptsAskAsTheOriginalsDo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.put(t, sample(t, "UCCE-2000-Agents"))
	line := func(verb string) *terminal {
		return atTerminal(t, "utils", "system", "inventory", verb, "--dir", d.dir)
	}
	x := line("import")
	x.says("SFTP Server: ", d.server.Address)
	x.says("SFTP User: ", sftptest.User)
	x.says("Password: ", "ü\x7f"+sftptest.Password+"x\x7f")
	x.says("SFTP Directory: ", d.server.Home)
	x.says("Type yes to go on: ", "yes")
	x.says("will be replaced. Type yes to go on: ", "y")
	code, seen := x.ends()
	if code != 1 || !strings.Contains(seen, "nothing was changed") || !strings.Contains(seen, "+    CUIC_LiveData_IdS:") ||
		!strings.Contains(seen, d.server.Key.Fingerprint()) ||
		!strings.Contains(seen, "Password: *\b \b********************") || strings.Contains(seen, "canary") {
		t.Fatalf("%d %s", code, seen)
	}
	x = line("import") // the key is known now, and what was typed stands in brackets
	x.says("SFTP Server ["+d.server.Address+"]: ", "")
	x.says("SFTP User ["+sftptest.User+"]: ", "")
	x.says("Password: ", sftptest.Password)
	x.says("SFTP Directory ["+d.server.Home+"]: ", "")
	x.says("will be replaced. Type yes to go on: ", "yes")
	if code, seen := x.ends(); code != 0 || !strings.Contains(seen, "version 1, ") || strings.Contains(seen, "canary") {
		t.Fatalf("%d %s", code, seen)
	}
	x = line("export")
	x.says("SFTP Server ["+d.server.Address+"]: ", "")
	x.says("SFTP User ["+sftptest.User+"]: ", "")
	x.says("Password: ", sftptest.Password)
	x.says("SFTP Directory ["+d.server.Home+"]: ", d.server.Home+"/inventory.conf")
	if code, seen := x.ends(); code != 1 || !strings.Contains(seen, "give the directory only") {
		t.Fatalf("%d %s", code, seen)
	}
	x = line("export")
	x.says("SFTP Server", "")
	x.says("SFTP User", "")
	x.says("Password: ", "\x03")
	if code, seen := x.ends(); code != 1 || !strings.Contains(seen, "no password was given") {
		t.Fatalf("%d %s", code, seen)
	}
	for _, name := range []string{"inventory-sftp.json", "ssh-hosts.json", "inventory.json"} {
		text, err := os.ReadFile(filepath.Join(d.dir, name))
		if err != nil || bytes.Contains(text, []byte("canary")) {
			t.Errorf("%s keeps the password: %v", name, err)
		}
	}
}
