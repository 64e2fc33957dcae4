package app_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/remote/sftptest"
	"connecthub/nodeclient/enroll"
)

// says runs one line of the prompt in a script.
func (p place) line(t *testing.T, line string) (code int, out, errOut string) {
	t.Helper()
	return call(t, "shell", "--dir", p.dir, "-c", line)
}

func TestTheApplicationUserIsNamedAndNeverItsHash(t *testing.T) {
	t.Parallel()
	p := setUp(t)
	c, err := enroll.LoadConfig(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"select * from applicationuser", "SELECT  *\tFROM ApplicationUser;", "select * from applicationuser ;"} {
		code, out, e := p.line(t, "run sql "+statement)
		if code != 0 || out != "name\n=============\nadministrator\n" {
			t.Errorf("%s: %d %s %s", statement, code, out, e)
		}
	}
	for _, statement := range []string{"select * from enduser", "select name from applicationuser", "drop table applicationuser",
		"select * from applicationuser where 1=1", "select * from applicationuser; select * from x", "x"} {
		code, out, e := p.line(t, "run sql "+statement)
		if code != 1 || out != "" || !strings.Contains(e, "the only statement here is: select * from applicationuser") {
			t.Errorf("%s: %d %s %s", statement, code, out, e)
		}
	}
	code, out, _ := p.line(t, "run sql select * from applicationuser --json")
	var rows []map[string]any
	if err := json.Unmarshal([]byte(out), &rows); err != nil || code != 0 || len(rows) != 1 || len(rows[0]) != 1 ||
		rows[0]["name"] != "administrator" || strings.Contains(out, c.AppPasswordHash) {
		t.Errorf("%d %v %s", code, err, out)
	}
	x := atTerminal(t, "shell", "--dir", p.dir)
	x.admin("run sql select * from applicationuser")
	x.waits("administrator")
	x.admin("run sql delete from applicationuser")
	x.waits("the only statement here is")
	x.admin("exit")
	if code, seen := x.ends(); code != 1 || strings.Contains(seen, "argon2") {
		t.Errorf("%d %s", code, seen)
	}
	if code, _, _ := call(t, "run", "sql", "x", "--dir", p.dir); code != 2 {
		t.Error("outside the prompt, run is the agent")
	}
}

func TestLogsAreListedShownAndSentByTheOriginalsNamesToo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if code, out, _ := d.line(t, "file list activelog"); code != 0 || out != "0 files\n" {
		t.Errorf("%d %s", code, out)
	}
	for n := range 20 {
		if err := logs.Open(d.dir, logs.Procedure).Line(time.Now(), "step %d", n); err != nil {
			t.Fatal(err)
		}
	}
	former := filepath.Join(logs.Folder(d.dir), "orchestration-audit.log.1")
	if err := os.WriteFile(former, []byte("former\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := logs.Open(d.dir, logs.Audit).Line(time.Now(), "the present \x1b[2J"); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{"": "3 files", "orchestration-audit/audit.log*": "2 files", "orchestration-audit": "2 files",
		"orchestration-audit.log": "1 file\n", "ansible/ansible*.log": "1 file\n", "/ansible/ansible.log": "1 file\n"} {
		if code, out, e := d.line(t, "file list activelog "+pattern); code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s %s", pattern, code, out, e)
		}
	}
	code, out, _ := d.line(t, "file list activelog --json")
	if code != 0 || !strings.Contains(out, `"original": "orchestration-audit/audit.log.1"`) {
		t.Errorf("%d %s", code, out)
	}
	for line, says := range map[string]string{"file list activelog ../config.json": "there is no log", "file view activelog x": "there is no log",
		"file view activelog orchestration-audit": "means 2 files", "file list activelog [": "is no pattern", "file tail activelog ../../config.json": "there is no log"} {
		if code, _, e := d.line(t, line); code != 1 || !strings.Contains(e, says) {
			t.Errorf("%s: %d %s", line, code, e)
		}
	}
	if code, out, _ := d.line(t, "file view activelog ansible/ansible.log"); code != 0 || strings.Count(out, " step ") != 20 {
		t.Errorf("%d %s", code, out)
	}
	if code, out, _ := d.line(t, "file tail activelog procedure.log --lines 2"); code != 0 || strings.Count(out, " step ") != 2 || !strings.Contains(out, "step 19") {
		t.Errorf("%d %s", code, out)
	}
	code, out, e := d.line(t, fmt.Sprintf("file get activelog orchestration-audit/audit.log* --server %s --user %s --password-file %s --directory %s --accept-host-key %s --yes",
		d.server.Address, sftptest.User, secretFile(t, sftptest.Password), d.server.Home, d.server.Key.Fingerprint()))
	sent, err := os.ReadFile(filepath.Join(d.server.Home, "cc-pub.example.com-orchestration-audit.log.1"))
	if code != 0 || err != nil || string(sent) != "former\n" || strings.Count(out, "\n") != 2 {
		t.Errorf("%d %s %s %v", code, out, e, err)
	}
}

func TestAtThePromptALogIsFollowedAndSent(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	l := logs.Open(d.dir, logs.Mail)
	write := func(text string) {
		t.Helper()
		if err := l.Line(time.Now(), "%s", text); err != nil {
			t.Fatal(err)
		}
	}
	write("the first")
	x := atTerminal(t, "shell", "--dir", d.dir)
	x.admin("file list activelog")
	x.waits("ansible/ansible_email_cron.log")
	x.admin("file view activelog mail.log")
	x.waits("the first")
	x.admin("file tail activelog mail.log")
	x.waits("the first")
	write("the second")
	x.waits("the second")
	path := filepath.Join(logs.Folder(d.dir), string(logs.Mail))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("in another file")
	x.waits("in another file")
	x.types("\x03")
	x.admin("file get activelog mail.log")
	x.says("SFTP Server: ", d.server.Address)
	x.says("SFTP User: ", sftptest.User)
	x.says("Password: ", sftptest.Password)
	x.says("SFTP Directory: ", d.server.Home)
	x.says("1 file, ", "yes")
	x.says("Is it the server's own? Type yes to go on: ", "yes")
	x.waits("cc-pub.example.com-mail.log")
	x.admin("exit")
	if code, seen := x.ends(); code != 0 || strings.Contains(seen, sftptest.Password) {
		t.Errorf("%d %s", code, seen)
	}
}

func TestWhoRanACommandStandsInTheAuditLog(t *testing.T) {
	t.Parallel()
	p := setUp(t)
	for _, c := range [][]string{{"set", "orchestration", "ssh-port", "2222", "--dir", p.dir}, {"show", "orchestration", "ssh-port", "--dir", p.dir},
		{"utils", "system", "inventory", "versions", "--dir", p.dir}, {"set", "orchestration", "ssh-port", "0", "--dir", p.dir},
		{"utils", "nonsense", "--dir", p.dir}} {
		call(t, c...)
	}
	p.line(t, "run sql select * from applicationuser")
	x := atTerminal(t, "shell", "--dir", p.dir)
	x.admin("utils system inventory export --user canary")
	x.says("SFTP Server: ", "\x03")
	x.admin("exit")
	x.ends()
	text, err := os.ReadFile(filepath.Join(logs.Folder(p.dir), string(logs.Audit)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		_, act, ok := strings.Cut(strings.TrimSpace(line), " user=")
		if who, rest, found := strings.Cut(act, " command="); !ok || !found || len(who) < 3 {
			t.Errorf("%s", line)
		} else {
			command, rest, _ := strings.Cut(rest, " process=")
			_, outcome, _ := strings.Cut(rest, " ")
			got = append(got, command+" "+outcome)
		}
	}
	want := []string{`"set orchestration ssh-port" outcome=begun`, `"set orchestration ssh-port" outcome=done`,
		`"set orchestration ssh-port" outcome=begun`, `"set orchestration ssh-port" outcome=failed`,
		`"run sql" outcome=begun`, `"run sql" outcome=done`, `"utils system inventory export" outcome=begun`}
	if strings.Contains(string(text), "canary") || len(got) < len(want) || strings.Join(got[:len(want)], "\n") != strings.Join(want, "\n") {
		t.Errorf("%s", text)
	}
}
