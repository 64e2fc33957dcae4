package adminapi_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/wire"

	"github.com/golang-jwt/jwt/v5"
)

func now() time.Time { return time.Now() }

func cloned(m map[string]string) map[string]string { return maps.Clone(m) }

// fillEscaped fills a path, with every value as one segment or one value of the query.
func fillEscaped(template string, values map[string]string) string {
	head, query, _ := strings.Cut(template, "?")
	head = inText.ReplaceAllStringFunc(head, func(v string) string {
		return url.PathEscape(values[strings.Trim(v, "{}")])
	})
	query = inText.ReplaceAllStringFunc(query, func(v string) string {
		return url.QueryEscape(values[strings.Trim(v, "{}")])
	})
	return strings.TrimSuffix(head+"?"+query, "?")
}

// hostile is 200 texts that make a careless program open a connection, or send somebody elsewhere.
func hostile() []string {
	hosts := []string{"127.0.0.1", "169.254.169.254", "localhost", "localhost.localdomain", "[::1]",
		"[::ffff:127.0.0.1]", "0x7f000001", "2130706433", "127.1", "user:pass@127.0.0.1",
		"metadata.google.internal", "127.0.0.1.nip.example", "xn--80ak6aa92e.example", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
		"169。254。169。254", "evil.example:22", "evil.example\r\nHost: other.example", "evil.example.",
		"127.0.0.1\x00.example"}
	forms := []string{"%s", "http://%s/", "https://%s/latest/meta-data/", "gopher://%s:25/_MAIL",
		"ftp://%s/x", "ldap://%s/cn=x", "//%s/", "\\\\%s\\share", "unix:/%s.sock", "dict://%s:11211/stat"}
	var all []string
	for _, form := range forms {
		for _, host := range hosts {
			all = append(all, fmt.Sprintf(form, host))
		}
	}
	return append(all, "file:///etc/passwd", "jar:http://127.0.0.1!/", "javascript:alert(1)",
		"data:text/html,x", "%31%32%37.0.0.1", "smtp://127.0.0.1:25", "tftp://127.0.0.1/x",
		"http+unix://%2fvar%2frun%2fdocker.sock", "ssh://git@127.0.0.1", "ws://127.0.0.1/")
}

// connections are the calls by which a process reaches out, in a tracer's record.
var connections = regexp.MustCompile(`(?m)^.*\b(?:connect|sendto|sendmsg|sendmmsg)\(.*sa_family=AF_(?:INET|INET6|UNIX).*$`)

// TestTheHubOpensNoConnectionBecauseOfATenantsText writes 200 hostile texts into every text input of
// every operation, and reads the system calls of the hub's process.
func TestTheHubOpensNoConnectionBecauseOfATenantsText(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	opened, texts, inputs, requests := traced(t, strace)
	mutant, _, _, _ := traced(t, strace, dialling)
	if len(opened) != 0 {
		t.Errorf("the hub reached out: %s", strings.Join(opened[:min(10, len(opened))], "\n"))
	}
	caught := 0
	if len(mutant) > 0 {
		caught = 1
	} else {
		t.Error("a hub that dials was not found out")
	}
	fmt.Printf("proof 3.9 texts=%d inputs=%d requests=%d connections=%d mutants_caught=%d/1\n", texts, inputs,
		requests, len(opened), caught)
}

// traced runs a hub under the tracer and answers with what it opened.
func traced(t *testing.T, strace string, mode ...string) (opened []string, texts, places, requests int) {
	t.Helper()
	dir, tenants := filledDir(t, "Alphaxtrace")
	file := filepath.Join(t.TempDir(), "trace")
	p := startProcess(t, dir, "https://hub.example", []string{strace, "-f", "-qq", "--seccomp-bpf", "-e",
		"trace=connect,sendto,sendmsg,sendmmsg", "-o", file}, mode...)
	admin := p.person("admin@alphaxtrace.example", "Alphaxtrace", models.FullAdmin)
	engineer := p.person("engineer@vendor.example", "Vendor", models.ReleaseEngineer)
	all, bad := p.inputs(tenants[0].values), hostile()
	every := 17 // so that each text meets other inputs, and each input other texts
	if long() {
		every = 1
	}
	n, client := 0, p.nodeClient()
	for i, text := range bad {
		for j, in := range all {
			if (i+j)%every != 0 && in.operation != "createRegistration" || slow(in.operation) && (i+j)%97 != 0 {
				continue
			}
			path, body := in.request(text)
			b := admin
			if strings.Contains(in.operation, "elease") {
				b = engineer
			}
			n++
			p.hostileRequest(b, in, path, body, text, n)
		}
		p.nodeRequests(client, text)
	}
	p.stop()
	record, err := os.ReadFile(file)
	must(t, err)
	return connections.FindAllString(string(record), -1), len(bad), len(all), n
}

// slow are operations that hash a password each time.
func slow(operation string) bool {
	switch operation {
	case "signIn", "stepUp", "changePassword", "acceptInvitation":
		return true
	}
	return false
}

func (p *process) hostileRequest(b *browser, in input, path, body, text string, n int) {
	p.t.Helper()
	header := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, text)
	req := b.request(in.method, path, body, "User-Agent", header, "Referer", header, "Accept-Language", header,
		"Forwarded", "for="+header+";host="+header, "X-Forwarded-Host", header,
		"X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255))
	res, err := noRedirects.Do(req)
	must(p.t, err)
	defer res.Body.Close()
	said, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	must(p.t, err)
	if res.StatusCode >= 500 {
		p.t.Errorf("%s with %q in %s: %d %s", in.operation, text, in.place, res.StatusCode, said)
	}
	p.redirects(in, res.Header.Get("Location"), string(said), text)
}

var opensAt = regexp.MustCompile(`"(?:open_url|return_url|console_url|location|url)":\s*"([^"]*)"`)

// redirects holds every address that an answer sends somebody to against what may be one: our own,
// or the page of a FQDN that was registered, which is a name and nothing else.
func (p *process) redirects(in input, location, body, text string) {
	p.t.Helper()
	targets := []string{location}
	for _, m := range opensAt.FindAllStringSubmatch(body, -1) {
		targets = append(targets, m[1])
	}
	for _, target := range targets {
		if target == "" || strings.HasPrefix(target, "https://hub.example/") ||
			strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") && !strings.HasPrefix(target, "/\\") {
			continue
		}
		u, err := url.Parse(target)
		name := ""
		if err == nil {
			name = u.Hostname()
		}
		if _, bad := models.ParseFQDN(name); err != nil || bad != nil || u.Scheme != "https" ||
			u.Port() != "8445" || u.User != nil || u.Path != "/register" {
			p.t.Errorf("%s with %q in %s sends to %q", in.operation, text, in.place, target)
		}
	}
}

// nodeRequests writes a text into what a node says before it has any credential: also in a claim
// that its key has signed.
func (p *process) nodeRequests(client *http.Client, text string) {
	p.t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(p.t, err)
	claim := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"fqdn": text, "role": "publisher",
		"client_version": text, "protocol": wire.Protocol, "version": text, "members": []string{text}})
	claim.Header["typ"], claim.Header["jwk"] = wire.TypeClaim, wire.KeyOf(key.Public().(ed25519.PublicKey))
	signed, err := claim.SignedString(key)
	must(p.t, err)
	for path, body := range map[string]any{
		wire.PathHeadless:     map[string]any{"claim": signed, "environment": text},
		wire.PathHeadlessPoll: map[string]any{"secret": text},
		wire.PathInspect:      map[string]any{"ticket": text, "key": claim.Header["jwk"]},
		wire.PathClaim:        map[string]any{"ticket": text, "claim": signed},
		wire.PathDeny:         map[string]any{"ticket": text},
		wire.PathJoin:         map[string]any{"ticket": text, "claim": signed},
		wire.PathToken:        map[string]any{"client_assertion": text},
		wire.PathStatus:       map[string]any{"registration_id": text, "assertion": text},
	} {
		raw, err := json.Marshal(body)
		must(p.t, err)
		req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.node+path,
			bytes.NewReader(raw))
		must(p.t, err)
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		must(p.t, err)
		said, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		must(p.t, err)
		_ = res.Body.Close()
		p.redirects(input{operation: path, place: "node"}, res.Header.Get("Location"), string(said), text)
	}
}

// nodeClient trusts the hub's own CA, as a node does.
func (p *process) nodeClient() *http.Client {
	p.t.Helper()
	text, err := os.ReadFile(p.ca)
	must(p.t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	p.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
