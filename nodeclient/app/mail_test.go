package app_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connecthub/nodeclient/control/mail/mailtest"
)

// does runs one command in a script, on the place's folder.
func (p place) does(t *testing.T, line string, more ...string) (code int, out, errOut string) {
	t.Helper()
	return call(t, append(append(strings.Fields(line), more...), "--dir", p.dir)...)
}

// done is does where it must succeed; it answers what was said.
func (p place) done(t *testing.T, line string, more ...string) string {
	t.Helper()
	code, out, e := p.does(t, line, more...)
	if code != 0 {
		t.Fatalf("%s: %d %s%s", line, code, out, e)
	}
	return out
}

// refused is does where it must fail, with these words.
func (p place) refused(t *testing.T, words, line string, more ...string) {
	t.Helper()
	code, out, e := p.does(t, line, more...)
	if code != 1 || !strings.Contains(e, words) {
		t.Errorf("%s: %d %q %q, want %q", line, code, out, e, words)
	}
}

func TestMailIsSetUpTestedAndRemovedByAScript(t *testing.T) {
	t.Parallel()
	p, s := setUp(t), mailtest.Start(t, "starttls", true)
	p.refused(t, "No SMTP server is set: run set smtp-host.", "utils smtp test-connection")
	p.refused(t, "SMTP サーバが設定されていません", "utils smtp test-connection --language ja")
	for line, says := range map[string]string{"show smtp-host": "SMTP host : not set", "show smtp-from-email": "SMTP from e-mail : not set",
		"show smtp-use-auth": "SMTP authentication : disable", "show smtp-user": "SMTP user : not set",
		"show smtp-pswd": "SMTP password : not set", "utils smtp show subscriptions": "Nobody is subscribed."} {
		if out := p.done(t, line); strings.TrimSpace(out) != says {
			t.Errorf("%s: %q", line, out)
		}
	}
	p.done(t, "set smtp-host "+s.Address+" --tls starttls --ca-file "+s.CA)
	p.done(t, "set smtp-from-email cc@example.com")
	p.done(t, "set smtp-use-auth Enable")
	p.done(t, "set smtp-user", mailtest.User)
	p.refused(t, "without user or password", "utils smtp test-connection")
	out := p.done(t, "set smtp-pswd --json --password-file "+secretFile(t, mailtest.Password+"\n"))
	if !strings.Contains(out, `"password_set": true`) || strings.Contains(out, mailtest.Password) {
		t.Error(out)
	}
	for line, says := range map[string]string{"show smtp-host": "SMTP host : " + s.Address + " (starttls)",
		"show smtp-from-email": "SMTP from e-mail : cc@example.com", "show smtp-use-auth": "SMTP authentication : enable",
		"show smtp-user": "SMTP user : " + mailtest.User, "show smtp-pswd": "SMTP password : set"} {
		if out := p.done(t, line); strings.TrimSpace(out) != says {
			t.Errorf("%s: %q", line, out)
		}
		if out := p.done(t, line+" --json"); !strings.Contains(out, `"authentication": true`) || strings.Contains(out, mailtest.Password) {
			t.Errorf("%s: %q", line, out)
		}
	}
	out = p.done(t, "utils smtp test-connection --send-to taro@example.com")
	if out != "Connectivity check to "+s.Address+" was successful.\nA test mail was sent to taro@example.com.\n" {
		t.Errorf("%q", out)
	}
	if all := s.Mails(); len(all) != 1 || all[0].Title != "Test mail" || all[0].User != mailtest.User || !all[0].TLS {
		t.Errorf("%+v", all)
	}
	if out := p.done(t, "utils smtp test-connection --json"); !strings.Contains(out, `"done": true`) || len(s.Mails()) != 1 {
		t.Error(out)
	}
	p.done(t, "utils smtp subscribe a@example.com")
	p.refused(t, "give --yes", "utils smtp remove-config")
	p.done(t, "utils smtp remove-config --yes")
	if out := p.done(t, "show smtp-pswd --json") + p.done(t, "utils smtp show subscriptions"); !strings.Contains(out, `"password_set": false`) ||
		!strings.Contains(out, "a@example.com (en)") {
		t.Error(out)
	}
}

func TestPeopleAreSubscribedByAScript(t *testing.T) {
	t.Parallel()
	p := setUp(t)
	p.done(t, "utils smtp subscribe a@example.com,b@example.com")
	if out := p.done(t, "utils smtp subscribe c@example.com --language ja --json"); !strings.Contains(out, `"language": "ja"`) ||
		!strings.Contains(out, "b@example.com") {
		t.Error(out)
	}
	p.refused(t, "commas between them and no spaces", "utils smtp subscribe x@example.com, y@example.com")
	p.refused(t, "“y” is no mail address", "utils smtp subscribe x@example.com,y")
	p.refused(t, "is no mail address", "utils smtp subscribe x@example.com,")
	p.refused(t, "utils smtp subscribe a@x,b@x", "utils smtp subscribe")
	if out := p.done(t, "utils smtp show subscriptions"); out != "a@example.com (en)\nb@example.com (en)\nc@example.com (ja)\n" {
		t.Error(out)
	}
	p.refused(t, "give --yes", "utils smtp unsubscribe a@example.com")
	p.refused(t, "nobody@example.com is not subscribed", "utils smtp unsubscribe a@example.com,nobody@example.com --yes")
	p.done(t, "utils smtp unsubscribe a@example.com,b@example.com --yes")
	if out := p.done(t, "utils smtp show subscriptions --json"); strings.Contains(out, "b@example.com") || !strings.Contains(out, "c@example.com") {
		t.Error(out)
	}
	if out := p.done(t, "utils smtp unsubscribe all --yes --json"); !strings.Contains(out, `"subscriptions": []`) {
		t.Error(out)
	}
}

func TestMailSettingsAreRefusedWithAReason(t *testing.T) {
	t.Parallel()
	p := setUp(t)
	p.refused(t, "HOST or HOST:PORT", "set smtp-host http://mail.example.com")
	p.refused(t, "give it on the line: set smtp-host HOST[:PORT]", "set smtp-host")
	p.refused(t, "no certificate in PEM form", "set smtp-host mail.example.com --ca-file "+secretFile(t, "nothing"))
	p.refused(t, "is no mail address", "set smtp-from-email nobody")
	p.refused(t, "answer Enable or Disable", "set smtp-use-auth perhaps")
	p.refused(t, "give the secret with --password-file FILE", "set smtp-pswd")
	p.done(t, "set smtp-use-auth enable")
	p.refused(t, "would travel in the clear", "set smtp-host mail.example.com --tls none")
	p.done(t, "set smtp-use-auth DISABLE")
	code, _, e := p.does(t, "set smtp-host mail.example.com --tls none")
	if code != 0 || !strings.Contains(e, "Warning: without TLS") {
		t.Error(code, e)
	}
	p.done(t, "set smtp-pswd --password-file "+secretFile(t, "canary"))
	if _, _, e = p.does(t, "set smtp-host mail.example.com:2525"); strings.Contains(e, "forgotten") {
		t.Error(e)
	}
	code, out, e := p.does(t, "set smtp-host other.example.com --json")
	if code != 0 || !strings.Contains(e, "forgotten") || !strings.Contains(out, `"password_set": false`) ||
		!strings.Contains(out, `"host": "other.example.com:25"`) {
		t.Error(code, out, e)
	}
	p.subscriber(t)
	for _, line := range []string{"set smtp-host x", "set smtp-from-email a@example.com", "set smtp-use-auth Enable", "set smtp-user x",
		"set smtp-pswd", "utils smtp subscribe a@example.com", "utils smtp unsubscribe all --yes", "utils smtp remove-config --yes"} {
		p.refused(t, "run this on the publisher, cc-first.example.com", line)
	}
	if out := p.done(t, "show smtp-host"); !strings.Contains(out, "other.example.com:25 (none)") {
		t.Error(out)
	}
}

func TestMailIsSetUpAtTheTerminal(t *testing.T) {
	t.Parallel()
	p, s := setUp(t), mailtest.Start(t, "starttls", true)
	x := atTerminal(t, "shell", "--dir", p.dir)
	x.admin("set smtp-host")
	x.says("SMTP host: ", s.Address)
	x.says("Protection (starttls, implicit, none) [starttls]: ", "")
	x.waits("The config details updated successfully.")
	x.admin("set smtp-host " + s.Address + " --ca-file " + s.CA)
	x.waits("updated successfully")
	x.admin("show smtp-host")
	x.waits(s.Address + " (starttls)")
	x.admin("set smtp-from-email")
	x.says("SMTP from e-mail: ", "nobody")
	x.waits("is no mail address")
	x.admin("set smtp-from-email")
	x.says("SMTP from e-mail: ", "cc@example.com")
	x.admin("set smtp-from-email")
	x.says("SMTP from e-mail [cc@example.com]: ", "")
	x.admin("show smtp-from-email")
	x.waits("SMTP from e-mail : cc@example.com")
	x.admin("set smtp-use-auth")
	x.says("SMTP authentication (Enable/Disable) [Disable]: ", "Enable")
	x.admin("show smtp-use-auth")
	x.waits("SMTP authentication : enable")
	x.admin("set smtp-user")
	x.says("SMTP user: ", mailtest.User)
	x.admin("show smtp-user")
	x.waits("SMTP user : " + mailtest.User)
	x.admin("set smtp-pswd")
	x.says("SMTP password: ", mailtest.Password)
	x.waits(strings.Repeat("*", len(mailtest.Password)))
	x.admin("show smtp-pswd")
	x.waits("SMTP password : set")
	x.admin("utils smtp test-connection")
	x.says("Send a test mail to (nothing: none): ", "taro@example.com")
	x.waits("Connectivity check to " + s.Address + " was successful.")
	x.waits("A test mail was sent to taro@example.com.")
	x.admin("utils smtp subscribe")
	x.says("Mail addresses: ", "a@example.com, b@example.com")
	x.waits("commas between them and no spaces")
	x.admin("utils smtp subscribe a@example.com,b@example.com")
	x.waits("Subscribed: a@example.com,b@example.com")
	x.admin("utils smtp show subscriptions")
	x.waits("b@example.com (en)")
	x.admin("utils smtp unsubscribe all")
	x.says("No more mail goes to all. Type yes to go on: ", "no")
	x.waits("that was no yes; nothing was changed")
	x.admin("utils smtp unsubscribe a@example.com")
	x.says("Type yes to go on: ", "yes")
	x.waits("Unsubscribed: a@example.com")
	x.admin("utils smtp remove-config")
	x.says("Type yes to go on: ", "yes")
	x.waits("updated successfully")
	x.admin("utils smtp test-connection")
	x.waits("No SMTP server is set")
	x.admin("show smtp-pswd")
	x.waits("SMTP password : not set")
	x.admin("exit")
	code, seen := x.ends()
	if code != 0 || strings.Contains(seen, mailtest.Password) {
		t.Errorf("%d %s", code, seen)
	}
	if all := s.Mails(); len(all) != 1 || !slices.Equal(all[0].To, []string{"taro@example.com"}) {
		t.Errorf("%+v", all)
	}
	p.nowhereBut(t, mailtest.Password, "mail.json")
}

// nowhereBut looks through the node's folder: a secret is in this one file, which only its owner reads.
func (p place) nowhereBut(t *testing.T, secret string, names ...string) {
	t.Helper()
	err := filepath.WalkDir(p.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if info, _ := d.Info(); strings.Contains(string(text), secret) &&
			(!slices.Contains(names, d.Name()) || info.Mode().Perm() != 0o600) {
			t.Errorf("the secret is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
