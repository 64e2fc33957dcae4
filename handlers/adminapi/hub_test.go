package adminapi_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connecthub/handlers/adminapi"
	"connecthub/models"
	"connecthub/server/app"
	"connecthub/server/config"

	"github.com/getkin/kin-openapi/openapi3"
)

const base = adminapi.Base

// hub is a real hub on loopback.
type hub struct {
	t   *testing.T
	url string
	dir string
	doc *openapi3.T
	own string // password of the first admin
	// ahead is how far the hub's clock is moved.
	ahead atomic.Int64
	// settings are flags beside the directory, for the hub and for its commands.
	settings []string
	// heard is told every answer to ask; may be nil.
	heard func(method, path string, a answer)
}

const (
	firstAdmin = "admin@example.com"
	password   = "a long password"
)

func startHub(t *testing.T) *hub {
	t.Helper()
	return startHubIn(t, filepath.Join(t.TempDir(), "data"))
}

// startHubIn starts a hub on a directory that may hold data, with more settings.
func startHubIn(t *testing.T, dir string, settings ...string) *hub {
	t.Helper()
	h := &hub{t: t, dir: dir, settings: settings}
	line, _, err := config.Parse(append([]string{"serve", "--data", h.dir, "--listen", "127.0.0.1:0",
		"--node-listen", "127.0.0.1:0"}, settings...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if h.doc, err = adminapi.Document(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan app.Bound, 1), make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, line.Config, app.Around{Version: "test", Now: h.now,
			Out: io.Discard, Log: slog.New(slog.DiscardHandler),
			Ready: func(b app.Bound) { ready <- b }})
	}()
	select {
	case b := <-ready:
		h.url, h.own = "http://"+b.Console.String(), b.Password
	case err := <-ended:
		cancel()
		t.Fatalf("the hub did not start: %v", err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the hub ended with: %v", err)
		}
	})
	return h
}

// now is the hub's clock.
func (h *hub) now() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }

// pass moves the hub's clock forward.
func (h *hub) pass(d time.Duration) { h.ahead.Add(int64(d)) }

// command runs the hub's command line beside it.
func (h *hub) command(args ...string) {
	h.t.Helper()
	var errOut strings.Builder
	if code := app.Main(h.t.Context(), slices.Concat(args, []string{"--data", h.dir},
		h.settings), "test", io.Discard, &errOut); code != 0 {
		h.t.Fatalf("%v: %s", args, errOut.String())
	}
}

// person makes a user and signs it in.
func (h *hub) person(email, organization string, role models.Role) *browser {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.command("user", "create", email, "--organization", organization, "--role", string(role),
		"--password-file", file)
	b := h.browser()
	b.signIn(email, password)
	return b
}

// browser is one browser at the console; it checks every answer against the OpenAPI document.
type browser struct {
	*hub
	cookie string
}

func (h *hub) browser() *browser { return &browser{hub: h} }

func (h *hub) admin() *browser {
	h.t.Helper()
	b := h.browser()
	b.signIn(firstAdmin, h.own)
	return b
}

func (b *browser) signIn(email, password string) {
	b.t.Helper()
	body, err := json.Marshal(map[string]string{"email": email, "password": password})
	if err != nil {
		b.t.Fatal(err)
	}
	a := b.ask("POST", "/session", string(body))
	if a.status != http.StatusOK {
		b.t.Fatalf("sign-in of %s: %d %s", email, a.status, a.body)
	}
	b.take(a)
}

// take keeps the cookie that an answer sets.
func (b *browser) take(a answer) { b.cookie, _, _ = strings.Cut(a.header.Get("Set-Cookie"), ";") }

type answer struct {
	status int
	header http.Header
	body   string
	value  map[string]any
}

func (a answer) code() string { code, _ := a.value["code"].(string); return code }

func (b *browser) request(method, path, body string, header ...string) *http.Request {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+base+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if b.cookie != "" {
		req.Header.Set("Cookie", b.cookie)
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

func (b *browser) ask(method, path, body string, header ...string) answer {
	b.t.Helper()
	req := b.request(method, path, body, header...)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, body: string(text)}
	if b.heard != nil {
		b.heard(method, path, a)
	}
	if strings.Contains(res.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(text, &a.value); err != nil {
			b.t.Fatalf("%s %s: no JSON: %s", method, path, text)
		}
		b.holds(method, path, a)
	}
	return a
}

// holds checks an answer against what the document says of the operation.
func (b *browser) holds(method, path string, a answer) {
	b.t.Helper()
	op := b.operation(method, path)
	if op == nil {
		return
	}
	r := op.Responses.Status(a.status)
	media := "application/json"
	if r == nil {
		r, media = op.Responses.Default(), "application/problem+json"
	}
	content := r.Value.Content[media]
	if content == nil || !strings.HasPrefix(a.header.Get("Content-Type"), media) {
		b.t.Errorf("%s %s: %d as %s", method, path, a.status, a.header.Get("Content-Type"))
		return
	}
	if err := content.Schema.Value.VisitJSON(a.value); err != nil {
		b.t.Errorf("%s %s: %d is not as the document says: %v\n%s", method, path, a.status, err, a.body)
	}
}

func (b *browser) operation(method, path string) *openapi3.Operation {
	path, _, _ = strings.Cut(path, "?")
	for pattern, item := range b.doc.Paths.Map() {
		expression := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(pattern, `[^/]+`)
		if regexp.MustCompile("^" + expression + "$").MatchString(path) {
			if op := item.GetOperation(method); op != nil && (pattern == path || strings.Contains(pattern, "{")) {
				return op
			}
		}
	}
	return nil
}

// call is one way to call an operation of the document, about things that do not exist.
type call struct {
	id, method, path string
	body             string // what is right in form; empty for none
}

func (h *hub) calls() []call {
	var all []call
	bodies := map[string]string{
		"signIn":               `{"email":"a@example.com","password":"x"}`,
		"createRegistration":   `{"display_name":"","fqdn":""}`,
		"completeRegistration": `{"code":"none"}`,
		"setReleaseState":      `{"state":"paused"}`,
		"enterMaintenance":     `{"reason":"disk"}`,
		"saveSchedules":        `{"version":1,"schedules":` + schedules + `}`,
		"previewSchedules":     schedules,

		"beginOidc":         `{"email":"a@example.com"}`,
		"finishSignIn":      `{"challenge_id":"none","recovery_code":"none"}`,
		"stepUp":            `{"password":"wrong"}`,
		"finishStepUp":      `{"challenge_id":"none","recovery_code":"none"}`,
		"stepUpOidc":        `{"return_to":"/"}`,
		"changePassword":    `{"current":"wrong","new":"another long password"}`,
		"finishPasskey":     `{"challenge_id":"none","name":"Key","credential":{}}`,
		"createToken":       `{"name":"Token","scopes":["clusters:read"],"days":1}`,
		"saveOrganization":  organizationBody,
		"setRole":           `{"role":"read_only_admin"}`,
		"invite":            `{"email":"invited@example.com","role":"read_only_admin"}`,
		"inspectInvitation": `{"token":"none"}`,
		"acceptInvitation":  `{"token":"none","name":"Name","password":"another long password"}`,
		"inspectHeadless":   `{"code":"none"}`,
		"approveHeadless":   `{"code":"none","display_name":"Tokyo"}`,
		"denyHeadless":      `{"code":"none"}`,

		"acceptEula":                 `{"version":"none"}`,
		"generateDownloadCredential": `{"kind":"key","name":"Key"}`,
	}
	for pattern, item := range h.doc.Paths.Map() {
		path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(pattern, "none")
		for method, op := range item.Operations() {
			c := call{id: op.OperationID, method: method, path: path, body: bodies[op.OperationID]}
			if c.body == "" && op.RequestBody != nil {
				c.body = `{"typed_name":"none"}`
			}
			all = append(all, c)
		}
	}
	return all
}

const organizationBody = `{"zone":"UTC","language":"en","require_comparison_code":false,` +
	`"require_second_factor":false}`

const schedules = `{"zone":"UTC","regular":{"time":"03:00","days":["monday"],"length_minutes":120},` +
	`"emergency":{"time":"03:00","length_minutes":120}}`
