package localweb_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/onboarding"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/localweb"
)

const (
	name   = "cc-pub.example.com"
	ticket = "eyJhbGciOiJFZERTQSJ9.eyJqdGkiOiIxIn0.c2lnbmF0dXJl"
	home   = "https://hub.example.com:9443/services/return#code=abc123"
)

// node is a page that is served over TLS, with a clock that the test moves.
type node struct {
	t       *testing.T
	address string

	mu                 sync.Mutex
	now                time.Time
	left               time.Duration
	inspect, allow     error
	back               string
	inspected, claimed int
	denied             int
	languages          []string
	registeredTo       string
	domain             string
	codeRequired       bool
	by                 enroll.By
	decided            wire.InspectResponse
	events             []enroll.Event
	secret             string // what the application user's password stands for
	shown              *tls.Certificate
	exits              exits
	key                keys.Public
	keyTrouble         error
	self               onboarding.Self
}

type spoken struct{ en, ja string }

func (s spoken) Error() string { return "raw text that nobody may see" }
func (s spoken) Sentence(language string) string {
	if language == "ja" {
		return s.ja
	}
	return s.en
}

func start(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, now: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC), left: 15 * time.Minute,
		back: home}
	s, err := localweb.New(localweb.Options{FQDN: name, HubName: "hub.example.com",
		Certificate: n.certificate, Listen: "127.0.0.1:0",
		CheckPassword: func(u, p string) bool { return u == "administrator" && p == "right one" },
		Credential:    n.credential, Trail: func() []enroll.Event { return n.events },
		Inspect: n.onInspect, Allow: n.onAllow, Deny: n.onDeny, Status: n.status,
		Proxy: n.exits.options(t), ControlKey: func() (keys.Public, error) { return n.key, n.keyTrouble },
		Onboarding: n.desk(t.TempDir()), Now: n.clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.address = listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the page did not end well: %v", err)
		}
	})
	return n
}

// certificate is the page's own, until a test sets another one.
func (n *node) certificate() (*tls.Certificate, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.shown == nil {
		c := certificate(n.t)
		n.shown = &c
	}
	return n.shown, nil
}

func (n *node) credential() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.secret
}

func (n *node) clock() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

func (n *node) pass(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now, n.left = n.now.Add(d), n.left-d
}

func (n *node) status() localweb.Status {
	s := localweb.Status{Role: models.Publisher, Version: "14.0.1-42", Health: models.Healthy}
	if n.registeredTo != "" {
		s.Identity = &wire.Identity{Organization: n.registeredTo, DisplayName: "Tokyo <1>"}
	}
	return s
}

func (n *node) onInspect(_ context.Context, got, language string, _ enroll.By) (
	wire.InspectResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.inspected++
	n.languages = append(n.languages, language)
	if got != ticket {
		n.t.Errorf("inspected %q", got)
	}
	// the hub's clock is not the node's
	now := n.now.Add(7 * time.Hour)
	return wire.InspectResponse{Organization: "Example & Sons", RequestedBy: "mika@example.com",
		Kind: models.RegisterCluster, DisplayName: "Tokyo <1>", FQDN: name,
		Domain: n.domain, CodeRequired: n.codeRequired, ComparisonCode: "ABCD-EFGH", Now: now, ExpiresAt: now.Add(n.left)}, n.inspect
}

func (n *node) onAllow(ctx context.Context, got, _ string, by enroll.By,
	about wire.InspectResponse) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.claimed++
	n.by, n.decided = by, about
	if _, limited := ctx.Deadline(); !limited || got != ticket {
		n.t.Errorf("claimed %q, deadline %v", got, limited)
	}
	return n.back, n.allow
}

func (n *node) onDeny(_ context.Context, got, _ string, by enroll.By,
	about wire.InspectResponse) error {
	n.denied++
	n.by, n.decided = by, about
	if got != ticket {
		n.t.Errorf("denied %q", got)
	}
	return nil
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: from, NotAfter: from.AddDate(50, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// browser is a person's browser with its cookies, who reads one language.
type browser struct {
	n        *node
	http     *http.Client
	language string
}

func (n *node) browse(language string) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		n.t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, n.address)
		}}
	n.t.Cleanup(transport.CloseIdleConnections)
	return &browser{n: n, language: language, http: &http.Client{Jar: jar, Transport: transport,
		Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if r.URL.Hostname() != name {
				return http.ErrUseLastResponse
			}
			return nil
		}}}
}

type answer struct {
	status int
	header http.Header
	text   string
}

const base = "https://" + name + ":8445"

// send answers before the body is there.
func (b *browser) send(method, address string, form url.Values, change func(*http.Request),
) *http.Response {
	b.n.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = base + address
	}
	req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.n.t.Fatal(err)
	}
	req.Header.Set("Accept-Language", b.language)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", base)
	}
	if change != nil {
		change(req)
	}
	res, err := b.http.Do(req)
	if err != nil {
		b.n.t.Fatal(err)
	}
	return res
}

func (b *browser) do(method, address string, form url.Values, change func(*http.Request)) answer {
	b.n.t.Helper()
	res := b.send(method, address, form, change)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.n.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

func (b *browser) get(address string) answer { return b.do(http.MethodGet, address, nil, nil) }

func (b *browser) post(address string, form url.Values) answer {
	return b.do(http.MethodPost, address, form, nil)
}

var (
	inputs = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
	action = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
)

// form is the first form of a page: where it goes and its hidden fields.
func (a answer) form(t *testing.T) (string, url.Values) {
	t.Helper()
	to := action.FindStringSubmatch(a.text)
	if to == nil {
		t.Fatalf("no form in %d %s", a.status, a.text)
	}
	fields := url.Values{}
	for _, m := range inputs.FindAllStringSubmatch(a.text, -1) {
		fields.Set(m[1], m[2])
	}
	return to[1], fields
}

// signIn opens the registration page and answers it.
func (b *browser) signIn(password string) answer {
	b.n.t.Helper()
	to, fields := b.get("/register").form(b.n.t)
	fields.Set("ticket", ticket)
	fields.Set("username", "administrator")
	fields.Set("password", password)
	return b.post(to, fields)
}

// ready signs in and runs the self-test, as the page's script does at once.
func (b *browser) ready() answer {
	b.n.t.Helper()
	_, fields := b.signIn("right one").form(b.n.t)
	return b.post("/register/test", fields)
}

// answers is the form of the access page with these fields added.
func (b *browser) answer(page answer, add url.Values) answer {
	b.n.t.Helper()
	to, fields := page.form(b.n.t)
	for k, v := range add {
		fields[k] = v
	}
	return b.post(to, fields)
}

func (b *browser) wants(a answer, status int, sentences ...string) {
	b.n.t.Helper()
	if a.status != status {
		b.n.t.Errorf("status %d, want %d: %s", a.status, status, a.text)
	}
	for _, s := range sentences {
		if !strings.Contains(a.text, s) {
			b.n.t.Errorf("%q is missing in: %s", s, a.text)
		}
	}
	if strings.Contains(a.text, "raw text") {
		b.n.t.Errorf("raw text of an error: %s", a.text)
	}
}

var allowed = url.Values{"allow": {"on"}, "action": {"allow"}}
