package mail_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connecthub/nodeclient/control/mail"
	"connecthub/nodeclient/control/mail/mailtest"
	"connecthub/nodeclient/control/settings"
)

type node struct {
	t     *testing.T
	dir   string
	store *settings.Store
	box   *mail.Box
	log   bytes.Buffer
	mu    sync.Mutex
	at    time.Time
}

func (n *node) now() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.at
}

func (n *node) later(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at = n.at.Add(d)
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, dir: t.TempDir(), at: time.Date(2026, 11, 22, 17, 0, 5, 0, time.UTC)}
	if err := os.Mkdir(filepath.Join(n.dir, "control"), 0o700); err != nil {
		t.Fatal(err)
	}
	n.store = settings.Open(n.dir, n.now)
	n.box = mail.Open(n.dir, mail.Options{Now: n.now, Log: slog.New(slog.NewTextHandler(&n.log, nil)),
		Server: "cc-pub.example.com", Zone: time.FixedZone("JST", 9*3600)})
	return n
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// uses points the node at a server, over its own protection.
func (n *node) uses(s *mailtest.Server, protection mail.TLS, auth bool) {
	n.t.Helper()
	ca := ""
	if protection != mail.None {
		text, err := os.ReadFile(s.CA)
		n.must(err)
		ca = string(text)
	}
	n.must(mail.Update(n.store, "test", func(m *mail.Settings) error {
		*m = mail.Settings{Host: s.Address, TLS: protection, CA: ca, From: "cc@example.com", Auth: auth}
		if auth {
			m.User, m.Password = mailtest.User, mailtest.Password
		}
		return nil
	}))
}

func (n *node) tells(addresses ...string) {
	n.t.Helper()
	n.must(mail.Subscribe(n.store, "test", "en", addresses))
}

func (n *node) waiting(want int) {
	n.t.Helper()
	if got, err := n.box.Waiting(); err != nil || got != want {
		n.t.Errorf("%d letters wait (%v), want %d", got, err, want)
	}
}

func procedure(statuses ...mail.Status) mail.Procedure {
	p := mail.Procedure{Kind: mail.Upgrade, DeploymentName: "UnifiedCCE",
		Started: time.Date(2026, 11, 22, 17, 0, 5, 0, time.UTC), By: "admin"}
	for i, s := range statuses {
		p.Nodes = append(p.Nodes, mail.Node{Machine: fmt.Sprintf("rgr%c.example.com", 'a'+i), Product: "ROGGER",
			From: "12.5(1)ES66", To: "12.6(1)", Status: s})
	}
	return p
}

func code(err error) string {
	var r *mail.Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return fmt.Sprint(err)
}

func TestAProcedureIsToldInEachPersonsLanguage(t *testing.T) {
	t.Parallel()
	n, s := newNode(t), mailtest.Start(t, "starttls", true)
	n.uses(s, mail.StartTLS, true)
	n.tells("taro@example.com")
	n.must(mail.Subscribe(n.store, "test", "ja", []string{"hanako@example.com"}))
	p := procedure(mail.Succeeded, mail.Failed)
	p.Nodes[1].Note = func(language string) string {
		return map[string]string{"en": "exit code 1603", "ja": "終了コード 1603"}[language]
	}
	n.must(n.box.Procedure(p))
	n.must(n.box.Deliver(t.Context()))
	n.waiting(0)
	all := s.Mails()
	if len(all) != 2 {
		t.Fatal(len(all))
	}
	en, ja := all[0], all[1]
	if en.Title != "UnifiedCCE - Upgrade - Partial success" || ja.Title != "UnifiedCCE - アップグレード - 一部成功" {
		t.Errorf("%q %q", en.Title, ja.Title)
	}
	if !en.TLS || en.User != mailtest.User || en.HELO != "cc-pub.example.com" || en.From != "cc@example.com" ||
		!slices.Equal(en.To, []string{"taro@example.com"}) || strings.Contains(string(en.Raw), "hanako") {
		t.Errorf("%+v", en)
	}
	want := `Procedure: Upgrade
Status: Partial success
Deployment: UnifiedCCE
Cloud Connect server: cc-pub.example.com
Started (server time): 2026-11-23 02:00:05 JST (+09:00)
Started by: admin

rgra.example.com (ROGGER)
  FromVersion: 12.5(1)ES66
  ToVersion: 12.6(1)
  Status: Success

rgrb.example.com (ROGGER)
  FromVersion: 12.5(1)ES66
  ToVersion: 12.6(1)
  Status: Failure
  Note: exit code 1603

You get this mail because you are subscribed on the Cloud Connect server (utils smtp subscribe).`
	if strings.TrimSpace(en.Body) != want {
		t.Errorf("it reads:\n%s", en.Body)
	}
	if !strings.Contains(ja.Body, "開始(サーバ時刻): 2026-11-23 02:00:05 JST") || !strings.Contains(ja.Body, "状態: 失敗") ||
		!strings.Contains(ja.Body, "備考: 終了コード 1603") {
		t.Errorf("it reads:\n%s", ja.Body)
	}
	if en.Header.Get("Message-ID") == ja.Header.Get("Message-ID") || en.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Error(en.Header)
	}
}

func TestASubjectSaysDeploymentProcedureAndStatus(t *testing.T) {
	t.Parallel()
	n, s := newNode(t), mailtest.Start(t, "none", false)
	n.uses(s, mail.None, false)
	n.tells("taro@example.com")
	unnamed := procedure(mail.Succeeded, mail.Skipped)
	unnamed.DeploymentName, unnamed.Kind = "", mail.Rollback
	stage := procedure(mail.Failed, mail.NotStarted)
	stage.Stage, stage.Stages, stage.Kind = 3, 11, mail.SwitchForward
	n.must(n.box.Procedure(unnamed))
	n.later(time.Second)
	n.must(n.box.Procedure(stage))
	n.later(time.Second)
	n.must(n.box.NewSoftware("UnifiedCCE", []mail.Software{{Product: "VVB", Version: "12.6(1)ES1", File: "vvb/es1.cop.sgn",
		Notes: "Fixes A\nand B\n"}}))
	n.later(time.Second)
	n.must(n.box.NewSoftware("UnifiedCCE", nil))
	reason := func(language string) string { return "the disk is full (" + language + ")" }
	n.must(n.box.DownloadFailed("", mail.Trouble{When: n.now(), Reason: reason}))
	n.later(time.Second)
	n.must(n.box.RotationFailed("", mail.Trouble{When: n.now(), Reason: reason, Until: n.now().AddDate(0, 0, 9)}))
	n.must(n.box.Deliver(t.Context()))
	var subjects []string
	for _, m := range s.Mails() {
		subjects = append(subjects, m.Title)
	}
	if !slices.Equal(subjects, []string{"Rollback - Success", "UnifiedCCE - Switch forward, stage 3 of 11 - Failure",
		"UnifiedCCE - New software - 1", "Software download failed", "Token rotation failed"}) {
		t.Errorf("%q", subjects)
	}
	body := s.Mails()
	for i, want := range []string{"", "Not started", "VVB 12.6(1)ES1\n  File: vvb/es1.cop.sgn\n  Fixes A\n  and B",
		"Reason: the disk is full (en)", "The token ends (server time): 2026-12-02 02:00:09 JST"} {
		if !strings.Contains(body[i].Body, want) {
			t.Errorf("it reads:\n%s", body[i].Body)
		}
	}
}

func TestWhatOthersWroteNeverBeginsAHeader(t *testing.T) {
	t.Parallel()
	n, s := newNode(t), mailtest.Start(t, "none", false)
	n.uses(s, mail.None, false)
	n.tells("taro@example.com")
	evil := []string{"X\r\nBcc: thief@example.com", "X\nBcc: thief@example.com", "X\rBcc: thief@example.com",
		"X\r\n\r\nBcc: thief@example.com\r\n.\r\nMAIL FROM:<x@example.com>", "X\x00\u2028Bcc: thief@example.com\u0085",
		"=?utf-8?q?X=0D=0ABcc:_thief@example.com?=", strings.Repeat("あ\r\n", 2000)}
	for _, e := range evil {
		p := procedure(mail.Failed)
		p.DeploymentName, p.By = e, e
		p.Nodes[0] = mail.Node{Machine: e, Product: e, From: e, To: e, Status: mail.Failed, Note: func(string) string { return e + "\r\n.\r\n" }}
		n.must(n.box.Procedure(p))
		n.later(time.Second)
		n.must(n.box.NewSoftware(e, []mail.Software{{e, e, e, e}}))
		n.later(time.Second)
	}
	n.must(n.box.Deliver(t.Context()))
	all := s.Mails()
	if len(all) != 2*len(evil) {
		t.Fatalf("%d mails", len(all))
	}
	for _, m := range all {
		if m.Header.Get("Bcc") != "" || len(m.To) != 1 || len(m.Header["Subject"]) != 1 || len([]rune(m.Title)) > 201 ||
			strings.ContainsAny(m.Title, "\r\n\x00") {
			t.Errorf("%q\n%s", m.Title, m.Raw)
		}
		for line := range strings.Lines(m.Body) {
			if strings.HasPrefix(line, "Bcc") || strings.HasPrefix(line, "MAIL") {
				t.Errorf("a line of its own: %q", line)
			}
		}
	}
}

func TestOnlyPlainAddressesAreTaken(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for _, a := range []string{"", "x", "@example.com", "a@", "a b@example.com", "a@x\r\nBcc: b@x", "<a@example.com>",
		`"a b"@example.com`, "A <a@example.com>", "a@example.com,b@example.com", "a@-x.com", "ä@example.com", "a@example..com",
		".a@example.com", strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("x", 260)} {
		if _, err := mail.Address(a); code(err) != "mail_address" {
			t.Errorf("%q: %v", a, err)
		}
		if err := mail.Subscribe(n.store, "t", "en", []string{"good@example.com", a}); code(err) != "mail_address" {
			t.Errorf("%q: %v", a, err)
		}
	}
	if all, err := mail.Subscribers(n.store); err != nil || len(all) != 0 {
		t.Errorf("half was stored: %v %v", all, err)
	}
	n.tells("a@example.com", "b.c+d@example.co.jp", "root@localhost")
	n.must(mail.Subscribe(n.store, "t", "ja", []string{"A@example.com"})) // the same one
	all, err := mail.Subscribers(n.store)
	if err != nil || len(all) != 3 || all[0].Language != "ja" {
		t.Error(all, err)
	}
	if err := mail.Unsubscribe(n.store, "t", []string{"a@example.com", "nobody@example.com"}); code(err) != "not_subscribed" {
		t.Error(err)
	}
	n.must(mail.Unsubscribe(n.store, "t", []string{"a@EXAMPLE.com"}))
	n.must(mail.UnsubscribeAll(n.store, "t"))
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("a%d@example.com", i)
	}
	if err := mail.Subscribe(n.store, "t", "en", many); code(err) != "too_many_subscribers" {
		t.Error(err)
	}
}

func TestAnUnreachableServerHoldsNothingUpAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	n, s := newNode(t), mailtest.Start(t, "none", false)
	n.uses(s, mail.None, false)
	n.must(mail.Update(n.store, "t", func(m *mail.Settings) error {
		m.Host = "127.0.0.1:1"
		return nil
	}))
	n.tells("taro@example.com", "hanako@example.com")
	n.must(n.box.Procedure(procedure(mail.Succeeded)))
	if err := n.box.Deliver(t.Context()); code(err) != "smtp_unreachable" {
		t.Fatal(err)
	}
	n.waiting(2)
	n.uses(s, mail.None, false)
	n.must(n.box.Deliver(t.Context())) // not due yet
	if len(s.Mails()) != 0 {
		t.Error("it was tried too early")
	}
	n.later(time.Minute)
	s.Fault("later")
	if err := n.box.Deliver(t.Context()); code(err) != "smtp_later" {
		t.Error(err)
	}
	n.later(time.Minute + 59*time.Second)
	s.Fault("refuse taro@example.com")
	n.must(n.box.Deliver(t.Context()))
	n.waiting(2)
	n.later(time.Second)
	n.must(n.box.Deliver(t.Context()))
	n.waiting(0) // one is refused for good, the other one got it
	if all := s.Mails(); len(all) != 1 || all[0].To[0] != "hanako@example.com" {
		t.Errorf("%+v", all)
	}
	if !strings.Contains(n.log.String(), "mail refused for good") {
		t.Error(n.log.String())
	}
}

func TestWhatCannotBeSentForADayIsGivenUp(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.must(mail.Update(n.store, "t", func(m *mail.Settings) error {
		m.Host, m.From = "127.0.0.1:1", "cc@example.com"
		return nil
	}))
	n.tells("taro@example.com")
	n.must(n.box.Procedure(procedure(mail.Succeeded)))
	tries := 0
	for range 24 * 60 {
		if n.box.Deliver(t.Context()) != nil {
			tries++
		}
		n.later(time.Minute)
	}
	n.waiting(1)
	n.later(time.Minute)
	n.must(n.box.Deliver(t.Context()))
	n.waiting(0)
	if tries < 20 || tries > 40 || !strings.Contains(n.log.String(), "mail given up") {
		t.Error(tries, n.log.String())
	}
}

func TestAServerThatSaysNothingIsLeft(t *testing.T) {
	t.Parallel()
	n, s := newNode(t), mailtest.Start(t, "none", false)
	n.uses(s, mail.None, false)
	s.Fault("stall")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := n.box.Test(ctx, "", "en"); code(err) != "smtp_slow" {
		t.Error(err)
	}
}

func TestPeopleHearOfNothingWhereNobodyIsTold(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.must(n.box.Procedure(procedure(mail.Succeeded))) // no server
	n.tells("taro@example.com")
	n.must(n.box.Procedure(procedure(mail.Succeeded)))
	n.waiting(0)
	n.must(n.box.Deliver(t.Context()))
}

func TestTwoProcessesDoNotSendTheSameLetter(t *testing.T) {
	t.Parallel()
	n, s := newNode(t), mailtest.Start(t, "none", false)
	n.uses(s, mail.None, false)
	n.tells("taro@example.com")
	for range 20 {
		n.must(n.box.Procedure(procedure(mail.Succeeded)))
		n.later(time.Second)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			other := mail.Open(n.dir, n.box.Options)
			if err := other.Deliver(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	n.must(n.box.Deliver(t.Context()))
	if got := len(s.Mails()); got != 20 {
		t.Errorf("%d mails, want 20", got)
	}
}

func TestATestSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	open, secret := mailtest.Start(t, "none", false), mailtest.Start(t, "starttls", true)
	implicit := mailtest.Start(t, "implicit", true)
	n := newNode(t)
	try := func(want string, change func(m *mail.Settings)) {
		t.Helper()
		n.must(mail.Update(n.store, "t", func(m *mail.Settings) error {
			change(m)
			return nil
		}))
		if err := n.box.Test(t.Context(), "", "en"); want == "" && err != nil || want != "" && code(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	set := func(m *mail.Settings) {}
	try("smtp_no_host", set)
	try("smtp_no_from", func(m *mail.Settings) { m.Host = open.Address })
	try("smtp_no_starttls", func(m *mail.Settings) { m.From = "cc@example.com" })
	try("smtp_tls_failed", func(m *mail.Settings) { m.TLS = mail.Implicit })
	try("", func(m *mail.Settings) { m.TLS = mail.None })
	n.uses(secret, mail.StartTLS, true)
	try("", set)
	try("smtp_auth_refused", func(m *mail.Settings) { m.Password = "wrong" })
	try("smtp_no_credentials", func(m *mail.Settings) { m.Password = "" })
	try("smtp_certificate", func(m *mail.Settings) { m.CA, m.Password = "", mailtest.Password })
	n.uses(implicit, mail.Implicit, true)
	try("", set)
	n.must(n.box.Test(t.Context(), "taro@example.com", "ja"))
	if all := implicit.Mails(); len(all) != 1 || all[0].Title != "テストメール" || all[0].User != mailtest.User {
		t.Errorf("%+v", all)
	}
	n.uses(open, mail.None, false)
	if err := mail.Update(n.store, "t", func(m *mail.Settings) error {
		m.Auth = true
		return nil
	}); code(err) != "smtp_auth_needs_tls" {
		t.Errorf("a password would travel in the clear: %v", err)
	}
}

// The canary: a password is in its own file, 0600, and nowhere else.
func TestThePasswordIsShownNowhere(t *testing.T) {
	t.Parallel()
	n, s := newNode(t), mailtest.Start(t, "starttls", true)
	n.uses(s, mail.StartTLS, true)
	n.tells("taro@example.com")
	n.must(n.box.Procedure(procedure(mail.Succeeded)))
	s.Fault("no-auth")
	err := n.box.Deliver(t.Context())
	if code(err) != "smtp_auth_refused" {
		t.Fatal(err)
	}
	var said strings.Builder
	m, loadErr := mail.Load(n.store)
	n.must(loadErr)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&said, verb+"\n", m)
		fmt.Fprintf(&said, verb+"\n", m.Password)
	}
	text, jsonErr := json.Marshal(m)
	n.must(jsonErr)
	said.Write(text)
	slog.New(slog.NewJSONHandler(&said, nil)).Info("settings", "mail", m, "password", m.Password)
	for e := err; e != nil; e = errors.Unwrap(e) {
		fmt.Fprintf(&said, "%v %+v\n", e, e)
	}
	said.WriteString(n.log.String())
	files := 0
	n.must(filepath.WalkDir(n.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), mailtest.Password) {
			files++
			if info, _ := d.Info(); filepath.Base(path) != "mail.json" || info.Mode().Perm() != 0o600 {
				t.Errorf("it is in %s", path)
			}
		}
		return err
	}))
	encoded := "AGNsb3Vk" // as AUTH PLAIN sends it
	if strings.Contains(said.String(), mailtest.Password) || strings.Contains(said.String(), encoded) || files != 1 ||
		strings.Contains(said.String(), fmt.Sprintf("%x", mailtest.Password)) {
		t.Errorf("it is in %d files, and said:\n%s", files, said.String())
	}
}

func TestSettingsAreJudged(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"mail.example.com": "mail.example.com:587", "MAIL:25": "mail:25",
		"10.0.0.1": "10.0.0.1:587", "[::1]:2525": "[::1]:2525", "::1": "[::1]:587"} {
		if got, err := mail.Host(text, mail.StartTLS); err != nil || got != want {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a b", "mail:0", "mail:65536", "mail:x", "http://mail", "mail\r\n", "-x", "a/b", strings.Repeat("a", 300)} {
		if got, err := mail.Host(text, mail.StartTLS); err == nil {
			t.Errorf("%q is taken as %q", text, got)
		}
	}
	for protection, port := range map[mail.TLS]string{mail.StartTLS: "587", mail.Implicit: "465", mail.None: "25"} {
		if protection.Port() != port {
			t.Error(protection)
		}
	}
	n := newNode(t)
	for want, change := range map[string]func(m *mail.Settings){
		"smtp_tls":      func(m *mail.Settings) { m.TLS = "ssl" },
		"smtp_user":     func(m *mail.Settings) { m.User = "a\r\nb" },
		"smtp_password": func(m *mail.Settings) { m.Password = "a\x00" },
		"smtp_ca":       func(m *mail.Settings) { m.CA = "no certificate" },
	} {
		if err := mail.Update(n.store, "t", func(m *mail.Settings) error {
			change(m)
			return nil
		}); code(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	n.tells("taro@example.com")
	n.must(mail.Update(n.store, "t", func(m *mail.Settings) error {
		m.Host, m.Password = "mail:25", "x"
		return nil
	}))
	n.must(mail.Remove(n.store, "t"))
	m, err := mail.Load(n.store)
	if all, _ := mail.Subscribers(n.store); err != nil || m != (mail.Settings{TLS: mail.StartTLS}) || len(all) != 1 {
		t.Error(m, all, err)
	}
}

func TestWhoRunsTheOutboxDeliversWhatWaits(t *testing.T) {
	t.Parallel()
	n, s := newNode(t), mailtest.Start(t, "none", false)
	n.uses(s, mail.None, false)
	n.tells("taro@example.com")
	n.must(n.box.Procedure(procedure(mail.Succeeded)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.box.Run(ctx)
	}()
	s.Waits(1)
	cancel()
	<-done
}
