package app_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"connecthub/server/app"
	"connecthub/server/config"
)

// buffer is a buffer that a running hub may write while a test reads.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// running is a hub on loopback.
type running struct {
	t        *testing.T
	dir      string
	bound    app.Bound
	out, log *buffer
	stop     func() error // ends it and answers what Run did
	cookie   string
}

func settings(t *testing.T, dir string) config.Config {
	t.Helper()
	line, _, err := config.Parse([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0",
		"--node-listen", "127.0.0.1:0", "--organization-name", "Tokyo", "--organization-zone",
		"Asia/Tokyo", "--organization-language", "ja", "--poll-near", "1s"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return line.Config
}

func start(t *testing.T, c config.Config) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, dir: c.Data, out: &buffer{}, log: &buffer{}}
	ready, ended := make(chan app.Bound, 1), make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, c, app.Around{Version: "test", Now: time.Now, Out: r.out,
			Log:   slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			Ready: func(b app.Bound) { ready <- b }})
	}()
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	select {
	case r.bound = <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("the hub did not start: %v", err)
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("the hub ended with: %v\n%s", err, r.log)
		}
	})
	return r
}

func startHub(t *testing.T) *running {
	t.Helper()
	return start(t, settings(t, filepath.Join(t.TempDir(), "data")))
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("no JSON: %s", a.body)
	}
	return m
}

// ask calls the console's listener as a browser's page would.
func (r *running) ask(method, path, body string, header ...string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method,
		"http://"+r.bound.Console.String()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.cookie != "" {
		req.Header.Set("Cookie", r.cookie)
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return r.do(http.DefaultClient, req)
}

func (r *running) do(client *http.Client, req *http.Request) answer {
	r.t.Helper()
	res, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

func (r *running) signIn(email, password string) answer {
	r.t.Helper()
	credentials, err := json.Marshal(map[string]string{"email": email, "password": password})
	if err != nil {
		r.t.Fatal(err)
	}
	a := r.ask("POST", "/api/admin/v1/session", string(credentials))
	if a.status == http.StatusOK {
		r.cookie, _, _ = strings.Cut(a.header.Get("Set-Cookie"), ";")
	}
	return a
}

// run is the command line beside a running hub, or without one.
func run(t *testing.T, dir string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = app.Main(t.Context(), append(args, "--data", dir), "test", &o, &e)
	return code, o.String(), e.String()
}

func TestAnEmptyDirectoryBecomesAHubWhosePasswordIsPrintedOnce(t *testing.T) {
	t.Parallel()
	c := settings(t, filepath.Join(t.TempDir(), "new", "data"))
	first := start(t, c)
	printed := regexp.MustCompile(`(?m)^Password: (\S{20,})$`).FindStringSubmatch(first.out.String())
	if printed == nil {
		t.Fatalf("printed %q", first.out)
	}
	if strings.Contains(first.log.String(), printed[1]) {
		t.Error("the password is in the log")
	}
	if a := first.signIn("admin@example.com", printed[1]); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	second := start(t, c)
	if second.out.String() != "" {
		t.Errorf("a second start printed %q", second.out)
	}
	if a := second.signIn("admin@example.com", printed[1]); a.status != 200 {
		t.Errorf("after a restart: %d %s", a.status, a.body)
	}
	if second.cookie == first.cookie {
		t.Error("the same session twice")
	}
	second.cookie = first.cookie
	if a := second.ask("GET", "/api/admin/v1/session", ""); a.status != 200 {
		t.Errorf("a session does not outlive a restart: %d", a.status)
	}
}

func TestNobodyElseMayReadTheHubsSecrets(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	err := filepath.WalkDir(r.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		private := path == r.dir || strings.HasSuffix(path, ".key") || filepath.Base(filepath.Dir(path)) == "keys"
		if private && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestHealthSaysWhichHubAndWhichZoneData(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	a := r.ask("GET", "/healthz", "")
	if m := a.json(t); a.status != 200 || m["version"] != "test" || m["zone_data_version"] == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := r.ask("GET", "/readyz", ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := r.ask("GET", "/metrics", ""); a.status != 200 ||
		!strings.Contains(a.body, `connecthub_http_request_seconds_count{method="GET",route="/healthz",status="200"} 1`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestNodesReachTheHubUnderItsOwnCA(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	text, err := os.ReadFile(r.bound.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	ask := func(path string) answer {
		req, err := http.NewRequestWithContext(t.Context(), "POST",
			"https://"+r.bound.Node.String()+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		return r.do(client, req)
	}
	if a := ask("/api/node/v1/poll"); a.status != 401 || a.json(t)["code"] != "invalid_token" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := ask("/api/admin/v1/session"); a.status != 404 {
		t.Errorf("the admin API is on the nodes' listener: %d", a.status)
	}
	if a := r.ask("POST", "/api/node/v1/poll", "{}"); a.status != 404 && a.status != 405 {
		t.Errorf("the node API is on the console's listener: %d", a.status)
	}
	before, err := os.ReadFile(r.bound.CA)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	start(t, settings(t, r.dir))
	if after, err := os.ReadFile(r.bound.CA); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a restart made another CA: %v", err)
	}
}

func TestTwoHubsDoNotServeOneDirectory(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	err := app.Run(t.Context(), settings(t, r.dir), app.Around{Version: "test", Now: time.Now,
		Out: io.Discard, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "another hub") {
		t.Errorf("%v", err)
	}
}

func TestAShutdownEndsStreamsAtOnceAndFinishesRequests(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	r.signIn("admin@example.com", r.bound.Password)
	req, err := http.NewRequestWithContext(t.Context(), "GET",
		"http://"+r.bound.Console.String()+"/api/admin/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", r.cookie)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	if !lines.Scan() || lines.Text() != ": connected" {
		t.Fatalf("stream begins with %q", lines.Text())
	}
	began := time.Now()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("an open stream held the shutdown for %s", took)
	}
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the stream was torn: %v", err)
	}
}

func TestTheConsoleAnswersPagesAndNothingElse(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	page := r.ask("GET", "/services/contact-center/cloud-connect", "", "Accept", "text/html,*/*")
	if page.status != 200 || !strings.Contains(page.body, "<html") ||
		!strings.Contains(page.header.Get("Content-Security-Policy"), "script-src 'self'") ||
		page.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%d %v", page.status, page.header)
	}
	for path, accept := range map[string]string{
		"/api/admin/v1/nothing": "text/html", "/api/nothing": "text/html",
		"/assets/nothing.js": "text/html", "/nothing": "application/json",
		"/../../etc/passwd": "application/json",
	} {
		if a := r.ask("GET", path, "", "Accept", accept); a.status != 404 || a.json(t)["code"] != "not_found" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := r.ask("POST", "/", "{}"); a.status != 405 {
		t.Errorf("POST /: %d", a.status)
	}
}

func TestCommandsManagePeopleBesideARunningHub(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte("a long password\nmore"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"organization", "create", "Osaka", "--zone", "Asia/Tokyo", "--language", "ja"},
		{"user", "create", "a@osaka.example", "--organization", "osaka", "--role", "read_only_admin", "--password-file", secret},
		{"user", "create", "e@vendor.example", "--organization", "vendor", "--role", "release_engineer", "--password-file", secret},
	} {
		if code, out, errOut := run(t, r.dir, args...); code != 0 || strings.Contains(out, "password:") {
			t.Fatalf("%v: %d %s %s", args, code, out, errOut)
		}
	}
	a := r.signIn("a@osaka.example", "a long password")
	if a.status != 200 || !strings.Contains(a.body, `"Osaka"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	code, out, errOut := run(t, r.dir, "user", "reset-password", "a@osaka.example")
	printed := regexp.MustCompile(`password: (\S{20})\n`).FindStringSubmatch(out)
	if code != 0 || printed == nil || !strings.Contains(out, "ended: sessions 1, API tokens 0, download keys and identity tokens 0") {
		t.Fatalf("%d %s %s", code, out, errOut)
	}
	if a := r.ask("GET", "/api/admin/v1/session", ""); a.status != 401 {
		t.Errorf("the old session lives: %d", a.status)
	}
	if a := r.signIn("a@osaka.example", printed[1]); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	code, out, _ = run(t, r.dir, "organization", "list")
	if code != 0 || !strings.Contains(out, "Osaka") || !strings.Contains(out, "Vendor") {
		t.Errorf("%d %s", code, out)
	}
	code, out, _ = run(t, r.dir, "user", "list", "--organization", "Osaka")
	if code != 0 || !strings.Contains(out, "a@osaka.example") || strings.Contains(out, "vendor.example") {
		t.Errorf("%d %s", code, out)
	}
}

func TestACommandThatCannotBeDoneSaysWhy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{1, "invalid_language", []string{"organization", "create", "A", "--language", "fr"}},
		{1, "not_found", []string{"user", "create", "a@example.com", "--organization", "nowhere"}},
		{1, "cannot open the bundle", []string{"release", "publish", filepath.Join(dir, "nothing")}},
		{1, "invalid_time", []string{"windows", "--zone", "UTC", "--time", "25:00", "--from", "2026-01-01"}},
		{1, "invalid_days", []string{"windows", "--zone", "UTC", "--time", "01:00", "--days", "someday", "--from", "2026-01-01"}},
		{1, "invalid_zone", []string{"windows", "--zone", "Local", "--time", "01:00", "--from", "2026-01-01"}},
		{1, "invalid_date", []string{"windows", "--zone", "UTC", "--time", "01:00", "--from", "2026-02-30"}},
		{1, "invalid_count", []string{"windows", "--zone", "UTC", "--time", "01:00", "--from", "2026-01-01", "--count", "0"}},
		{1, "invalid_length", []string{"windows", "--zone", "UTC", "--time", "01:00", "--from", "2026-01-01", "--length", "1m"}},
		{2, "unexpected argument", []string{"dance"}},
		{2, "--poll-far", []string{"serve", "--poll-far", "1h"}},
	} {
		code, out, errOut := run(t, dir, c.args...)
		if code != c.code || !strings.Contains(errOut, c.says) {
			t.Errorf("%v: %d %q %q", c.args, code, out, errOut)
		}
	}
}

func TestWindowsPrintsTheStartsOfARule(t *testing.T) {
	t.Parallel()
	code, out, errOut := run(t, t.TempDir(), "windows", "--zone", "America/New_York", "--time", "02:30",
		"--days", "saturday,sunday", "--from", "2027-03-13", "--count", "3")
	want := "2027-03-13T07:30:00Z\n2027-03-14T07:30:00Z\n2027-03-20T06:30:00Z\n"
	if code != 0 || out != want {
		t.Errorf("%d %q %q", code, out, errOut)
	}
}

func TestVersionAndMigrateSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if code, out, _ := run(t, dir, "version"); code != 0 || !strings.HasPrefix(out, "connecthub test, zone data 20") {
		t.Errorf("%d %q", code, out)
	}
	if code, out, errOut := run(t, dir, "migrate"); code != 0 || !strings.Contains(out, "from version 0 to ") {
		t.Errorf("%d %q %q", code, out, errOut)
	}
}
