package adminapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store/storetest"
	"connecthub/server/app"
)

const (
	oidcEmail    = "taro@acme.example"
	oidcPassword = "a password at the provider"
)

// providerProcess is a real OpenID Connect provider, in a process of its own.
type providerProcess struct {
	t      *testing.T
	issuer string
	cmd    *exec.Cmd
}

func buildProvider(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "oidcprovider")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program,
		"connecthub/tools/oidcprovider")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the provider: %v\n%s", err, out)
	}
	return program
}

// startProvider starts it for the redirect address; it is stopped with the test at the latest.
func startProvider(t *testing.T, program, redirect string) *providerProcess {
	t.Helper()
	p := &providerProcess{t: t, cmd: exec.Command(program, "-control", //nolint:noctx // stopped below
		"-client", "hub:client secret", "-redirect", redirect,
		"-user", oidcEmail+":"+oidcPassword+":Taro Yamada",
		"-user", "stranger@acme.example:"+oidcPassword+":A Stranger")}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	var ok bool
	if p.issuer, ok = strings.CutPrefix(strings.TrimSpace(line), "ready "); !ok || err != nil {
		t.Fatalf("the provider is not ready: %q %v", line, err)
	}
	return p
}

func (p *providerProcess) stop() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_ = p.cmd.Wait()
	}
}

func (p *providerProcess) misbehave(ways ...string) {
	p.t.Helper()
	body, err := json.Marshal(map[string][]string{"misbehave": ways})
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.issuer+"/control",
		bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusNoContent {
		p.t.Fatalf("the provider does not listen: %v %v", res, err)
	}
	_ = res.Body.Close()
}

// journey is a browser that has cookies at the hub and at the provider.
type journey struct {
	*browser
	p       *providerProcess
	cookies map[string]string // by host and name
}

func (h *hub) journey(p *providerProcess) *journey {
	return &journey{browser: h.browser(), p: p, cookies: map[string]string{}}
}

// follow sends one request with the cookies of its host and keeps those that come back.
func (j *journey) follow(method, address string, form url.Values) *http.Response {
	j.t.Helper()
	req, err := http.NewRequestWithContext(j.t.Context(), method, address,
		strings.NewReader(form.Encode()))
	if err != nil {
		j.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site") // a link from the provider's page
	for key, value := range j.cookies {
		if name, ok := strings.CutPrefix(key, req.URL.Host+" "); ok {
			req.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		j.t.Fatal(err)
	}
	j.t.Cleanup(func() { _ = res.Body.Close() })
	j.keep(req.URL.Host, res)
	return res
}

func (j *journey) keep(host string, res *http.Response) {
	for _, c := range res.Cookies() {
		j.cookies[host+" "+c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(j.cookies, host+" "+c.Name)
		}
	}
}

// host is the hub's.
func (j *journey) host() string { return strings.TrimPrefix(j.url, "http://") }

// begin asks the hub where to go.
func (j *journey) begin(path, body string) string {
	j.t.Helper()
	a := j.ask(http.MethodPost, path, body)
	if a.status != http.StatusOK {
		j.t.Fatalf("%s: %d %s", path, a.status, a.body)
	}
	set := a.header.Get("Set-Cookie")
	for _, want := range []string{"__Host-connecthub-oidc=", "; Path=/", "; HttpOnly", "; Secure",
		"; SameSite=Lax", "; Max-Age=600"} {
		if !strings.Contains(set, want) {
			j.t.Errorf("%s is missing in %s", want, set)
		}
	}
	j.keep(j.host(), &http.Response{Header: a.header})
	location, _ := a.value["location"].(string)
	return location
}

// visit goes to the provider, signs in on its page where it shows one, and comes back to the hub.
func (j *journey) visit(location, email string) *http.Response {
	j.t.Helper()
	res := j.follow(http.MethodGet, location, nil)
	if res.StatusCode == http.StatusOK {
		text, err := io.ReadAll(res.Body)
		if err != nil {
			j.t.Fatal(err)
		}
		form := url.Values{"username": {email}, "password": {oidcPassword}, "action": {"sign-in"}}
		hidden := regexp.MustCompile(`type="hidden" name="([^"]*)" value="([^"]*)"`)
		for _, m := range hidden.FindAllStringSubmatch(string(text), -1) {
			form.Set(m[1], m[2])
		}
		res = j.follow(http.MethodPost, j.p.issuer+"/authorize", form)
	}
	back, err := res.Location()
	if err != nil {
		j.t.Fatalf("the provider sends nobody back: %d", res.StatusCode)
	}
	return j.follow(http.MethodGet, back.String(), nil)
}

// lands checks where the browser is sent in the end.
func (j *journey) lands(res *http.Response, want string) {
	j.t.Helper()
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != want ||
		res.Header.Get("Cache-Control") != "no-store" {
		j.t.Errorf("%d to %q, want %q", res.StatusCode, res.Header.Get("Location"), want)
	}
}

// use lets the API calls of the browser bear its session, as a page of the console would.
func (j *journey) use() {
	j.cookie = ""
	if token := j.cookies[j.host()+" __Host-connecthub"]; token != "" {
		j.cookie = "__Host-connecthub=" + token
	}
}

// operate runs the hub's command line and answers what it printed.
func (h *hub) operate(args ...string) string {
	h.t.Helper()
	var out, errOut strings.Builder
	args = append(append(args, "--data", h.dir, "--public-url", h.url), h.settings...)
	if code := app.Main(h.t.Context(), args, "test", &out, &errOut); code != 0 {
		h.t.Fatalf("%v: %s", args, errOut.String())
	}
	return out.String()
}

// acme is an organization with a real provider process.
func (h *hub) acme(program string) *providerProcess {
	h.t.Helper()
	h.operate("organization", "create", "Acme", "--domain", "acme.example", "--admin", oidcEmail)
	shown := regexp.MustCompile(`redirect URI: (\S+)`).FindStringSubmatch(h.operate("oidc", "show", "Acme"))
	p := startProvider(h.t, program, shown[1])
	file := filepath.Join(h.t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("client secret\n"), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.operate("oidc", "set", "Acme", "--issuer", p.issuer, "--client-id", "hub",
		"--client-secret-file", file)
	return p
}

// The whole of it, with two processes' worth of HTTP between browser, hub and provider.
func TestSignInThroughARealProviderProcess(t *testing.T) {
	t.Parallel()
	program := buildProvider(t)
	for name, settings := range map[string]func() []string{
		"sqlite":   func() []string { return nil },
		"postgres": func() []string { return []string{"--dsn", storetest.PostgresDSN(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := startHubIn(t, filepath.Join(t.TempDir(), "data"),
				append(settings(), "--oidc-loopback")...)
			p := h.acme(program)
			j := h.journey(p)
			j.throughTheProvider()
			j.refusals()
			j.passwords()
		})
	}
}

func (j *journey) throughTheProvider() {
	j.t.Helper()
	location := j.begin("/session/oidc", `{"email":"`+oidcEmail+`","return_to":"/audit?page=2"}`)
	res := j.visit(location, oidcEmail)
	j.lands(res, "/audit?page=2")
	set := strings.Join(res.Header.Values("Set-Cookie"), "\n")
	for _, want := range []string{"__Host-connecthub=", "SameSite=Strict", "HttpOnly", "Secure",
		"__Host-connecthub-oidc=; Path=/; Max-Age=0"} {
		if !strings.Contains(set, want) {
			j.t.Errorf("%s is missing in %s", want, set)
		}
	}
	j.use()
	session := j.ask(http.MethodGet, "/session", "")
	user, _ := session.value["user"].(map[string]any)
	if session.status != 200 || session.value["method"] != "oidc" || user["email"] != oidcEmail ||
		user["name"] != "Taro Yamada" || user["role"] != string(models.FullAdmin) {
		j.t.Errorf("%d %s", session.status, session.body)
	}
	organization := j.ask(http.MethodGet, "/organization", "")
	shown, _ := organization.value["oidc"].(map[string]any)
	if shown["issuer"] != j.p.issuer || shown["client_id"] != "hub" || shown["required"] != false ||
		strings.Contains(organization.body, "secret") {
		j.t.Errorf("%s", organization.body)
	}
	before := session.value["confirmed_until"]
	location = j.begin("/session/step-up/oidc", `{"return_to":"/confirmed"}`)
	j.lands(j.visit(location, oidcEmail), "/confirmed")
	if after := j.ask(http.MethodGet, "/session", ""); after.value["confirmed_until"] == before {
		j.t.Errorf("not confirmed: %s", after.body)
	}
	j.lands(j.visit(j.begin("/session/step-up/oidc", ""), "stranger@acme.example"),
		"/?problem=oidc_other_person")
}

func (j *journey) refusals() {
	j.t.Helper()
	other := j.journey(j.p)
	begin := func() string { return other.begin("/session/oidc", `{"email":"x@acme.example"}`) }
	other.lands(other.visit(begin(), "stranger@acme.example"), "/sign-in?problem=oidc_unknown_person")
	j.p.misbehave("expired")
	other.lands(other.visit(begin(), ""), "/sign-in?problem=oidc_failed")
	j.p.misbehave()
	for _, query := range []string{"", "?state=x&code=y", "?error=access_denied", "?code=" +
		strings.Repeat("c", 5000), "?state=" + strings.Repeat("s", 43) + "&iss=https://evil.example"} {
		for _, id := range []string{"none", "%2f%2fevil.example", strings.Repeat("i", 500)} {
			res := other.follow(http.MethodGet, j.url+base+"/session/oidc/callback/"+id+query, nil)
			other.lands(res, "/sign-in?problem=oidc_state_invalid")
		}
	}
	if other.cookies[other.host()+" __Host-connecthub"] != "" {
		j.t.Error("somebody got a session")
	}
	for body, want := range map[string]string{
		`{"email":"a@nowhere.example"}`:                           "oidc_not_configured",
		`{"email":"nobody"}`:                                      "invalid_email",
		`{"email":"a@acme.example","return_to":"//evil.example"}`: "invalid_return_to",
	} {
		if a := other.ask(http.MethodPost, "/session/oidc", body); a.code() != want {
			j.t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

// passwords: beside the provider, instead of it while it is down, and not at all.
func (j *journey) passwords() {
	j.t.Helper()
	file := filepath.Join(j.t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("quiet lantern over grey water"), 0o600); err != nil {
		j.t.Fatal(err)
	}
	j.operate("user", "reset-password", oidcEmail, "--password-file", file)
	try := func() answer {
		return (&browser{hub: j.hub}).ask(http.MethodPost, "/session",
			`{"email":"`+oidcEmail+`","password":"quiet lantern over grey water"}`)
	}
	if a := try(); a.status != http.StatusOK {
		j.t.Errorf("beside the provider: %d %s", a.status, a.body)
	}
	j.operate("oidc", "require", "Acme")
	if a := try(); a.status != http.StatusForbidden || a.code() != "oidc_required" {
		j.t.Errorf("where the provider is required: %d %s", a.status, a.body)
	}
	j.p.stop()
	other := j.journey(j.p)
	location := other.begin("/session/oidc", `{"email":"`+oidcEmail+`"}`)
	if _, err := net.DialTimeout("tcp", strings.TrimPrefix(j.p.issuer, "http://"), time.Second); err == nil {
		j.t.Fatalf("the provider is not down: %s", location)
	}
	state, err := url.Parse(location)
	if err != nil {
		j.t.Fatal(err)
	}
	back := fmt.Sprintf("%s?state=%s&code=x&iss=%s", state.Query().Get("redirect_uri"),
		state.Query().Get("state"), url.QueryEscape(j.p.issuer))
	other.lands(other.follow(http.MethodGet, back, nil), "/sign-in?problem=oidc_unavailable")
	j.operate("oidc", "allow-passwords", "Acme")
	if a := try(); a.status != http.StatusOK {
		j.t.Errorf("while the provider is down: %d %s", a.status, a.body)
	}
	if a := j.admin().ask(http.MethodGet, "/session", ""); a.status != http.StatusOK {
		j.t.Errorf("another organization: %d %s", a.status, a.body)
	}
}
