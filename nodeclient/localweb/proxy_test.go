package localweb_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connecthub/nodeclient/localweb"
	"connecthub/nodeclient/proxy"
)

// exits are a node's way out, stored as it really is; what a test of it finds is the test's.
type exits struct {
	dir string

	mu      sync.Mutex
	full    error
	tested  []proxy.Settings
	results []proxy.Result
	pause   chan struct{} // after each result
}

func (e *exits) options(t *testing.T) localweb.ProxyOptions {
	t.Helper()
	e.dir = t.TempDir()
	return localweb.ProxyOptions{
		Load: func() (proxy.Settings, error) { return proxy.Load(e.dir) },
		Save: func(s proxy.Settings) error {
			if e.full != nil {
				return e.full
			}
			return s.Save(e.dir)
		},
		Probe: func(_ context.Context, s proxy.Settings, tell func(proxy.Result)) []proxy.Result {
			e.mu.Lock()
			e.tested = append(e.tested, s)
			results, pause := e.results, e.pause
			e.mu.Unlock()
			for _, r := range results {
				tell(r)
				if pause != nil {
					<-pause
				}
			}
			return results
		}}
}

func (e *exits) last() proxy.Settings {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.tested) == 0 {
		return proxy.Settings{}
	}
	return e.tested[len(e.tested)-1]
}

func (e *exits) stored(t *testing.T) proxy.Settings {
	t.Helper()
	s, err := proxy.Load(e.dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var hubAnswers = []proxy.Result{{Step: proxy.StepDNS, State: proxy.OK, Code: proxy.CodeNoName},
	{Step: proxy.StepProxy, State: proxy.OK, Code: proxy.CodeProxy, Subject: "proxy.example.com:3128"},
	{Step: proxy.StepHub, State: proxy.OK, Code: proxy.CodeHub, Subject: "hub.example.com", Detail: "1.2"}}

var proxyRefuses = []proxy.Result{{Step: proxy.StepDNS, State: proxy.OK, Code: proxy.CodeNoName},
	{Step: proxy.StepProxy, State: proxy.Failed, Code: proxy.CodeProxyNeedsUser,
		Subject: "<b>proxy</b>", Detail: "407"},
	{Step: proxy.StepHub, State: proxy.Skipped, Code: proxy.CodeNotReached}}

// inside is a browser that is signed in, without a registration.
func (n *node) inside(language string) *browser {
	n.t.Helper()
	b := n.browse(language)
	to, fields := b.get("/sign-in").form(n.t)
	fields.Set("username", "administrator")
	fields.Set("password", "right one")
	b.post(to, fields)
	return b
}

// proxyForm sends the proxy's form with these fields.
func (b *browser) proxyForm(action string, fields ...string) answer {
	b.n.t.Helper()
	add := url.Values{"action": {action}}
	for i := 0; i < len(fields); i += 2 {
		add.Set(fields[i], fields[i+1])
	}
	return b.answer(b.get("/proxy"), add)
}

const someProxy = "http://proxy.example.com:3128"

func TestTheProxysPageIsForTheApplicationUserOnly(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.browse("en")
	if a := b.get("/proxy"); strings.Contains(a.text, `name="address"`) || !strings.Contains(a.text, `name="password"`) {
		t.Errorf("%d %s", a.status, a.text)
	}
	_, fields := b.get("/sign-in").form(t)
	fields.Set("action", "save")
	fields.Set("address", someProxy)
	b.post("/proxy", fields)
	if n.exits.stored(t) != (proxy.Settings{}) || len(n.exits.tested) != 0 {
		t.Error("a stranger set the proxy")
	}
	in := n.inside("en")
	in.wants(in.get("/"), 200, `href="/proxy"`)
	// a form of another page, or of another browser, changes nothing
	to, _ := in.get("/proxy").form(t)
	_, foreign := n.inside("en").get("/proxy").form(t)
	foreign.Set("action", "save")
	foreign.Set("address", someProxy)
	in.wants(in.post(to, foreign), 403, "This page was open for too long.")
	in.wants(in.do(http.MethodPost, to, foreign, func(r *http.Request) {
		r.Header.Set("Origin", "https://evil.example.net")
	}), 403, "came from another site")
	if n.exits.stored(t) != (proxy.Settings{}) {
		t.Error("a foreign form set the proxy")
	}
}

func TestTheProxysPageNamesWhereAdministratorsKeepIt(t *testing.T) {
	t.Parallel()
	n := start(t)
	for language, says := range map[string]string{"en": "Reached directly", "ja": "直接接続する宛先"} {
		b := n.inside(language)
		b.wants(b.get("/proxy"), 200, "Unified CCE Administration", "UCCE", "PCCE",
			"Unified CCX Administration", "UCCX", says, `lang="`+language+`"`)
	}
}

func TestAProxyIsTestedBeforeItIsStored(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.inside("en")
	n.exits.results = proxyRefuses
	page := b.proxyForm("test", "address", "proxy.example.com:3128", "user", "node", "password", "canary",
		"no_proxy", "example.net 10.0.0.0/8")
	b.wants(page, 200, "requires a user name and a password (407)", "&lt;b&gt;proxy", "cannot be used this way",
		"Not checked", `value="node"`, `value="example.net,10.0.0.0/8"`)
	want := proxy.Settings{Address: someProxy, User: "node", Password: "canary",
		NoProxy: "example.net,10.0.0.0/8"}
	if n.exits.last() != want || n.exits.stored(t) != (proxy.Settings{}) {
		t.Errorf("tested %+v, stored %+v", n.exits.last(), n.exits.stored(t))
	}
	// what was tested needs no second typing of its password
	n.exits.results = hubAnswers
	to, fields := page.form(t)
	for k, v := range map[string]string{"address": someProxy, "user": "node", "action": "save",
		"no_proxy": want.NoProxy} {
		fields.Set(k, v)
	}
	saved := b.post(to, fields)
	b.wants(saved, 200, "Stored.", "can be reached this way", "has answered (version 1.2)", "********")
	if n.exits.stored(t) != want {
		t.Errorf("stored %+v", n.exits.stored(t))
	}
	ja := n.inside("ja")
	ja.wants(ja.proxyForm("test", "address", someProxy, "user", "node"), 200,
		"この設定で Connect Hub に接続できます", "応答がありました(バージョン 1.2)")
	for _, a := range []answer{page, saved, b.get("/proxy"), b.get("/")} {
		if strings.Contains(a.text, "canary") {
			t.Errorf("the password is on the page: %s", a.text)
		}
	}
}

func TestAStoredPasswordGoesToItsOwnProxyAndUserOnly(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.exits.results = hubAnswers
	b := n.inside("en")
	b.wants(b.proxyForm("save", "address", someProxy, "user", "node", "password", "canary"), 200, "Stored.")
	for _, other := range [][]string{{"address", "http://evil.example.net:3128", "user", "node"},
		{"address", someProxy, "user", "other"}} {
		for _, action := range []string{"test", "save"} {
			b.wants(b.proxyForm(action, other...), 422, "Type the password again")
		}
	}
	if n.exits.last().Address != someProxy || n.exits.stored(t).Password != "canary" {
		t.Errorf("%+v", n.exits.stored(t))
	}
	b.wants(b.proxyForm("save", "address", someProxy, "user", "node", "no_proxy", "example.net"), 200, "Stored.")
	if s := n.exits.stored(t); s.Password != "canary" || s.NoProxy != "example.net" {
		t.Errorf("%+v", s)
	}
	// another browser's tested password is not this one's
	a := n.inside("en")
	a.proxyForm("test", "address", "http://second.example.com:3128", "user", "node", "password", "secret2")
	b.wants(b.proxyForm("test", "address", "http://second.example.com:3128", "user", "node"), 422,
		"Type the password again")
	b.wants(b.proxyForm("save", "address", someProxy), 200, "Stored.")
	if s := n.exits.stored(t); s.User != "" || s.Password != "" {
		t.Errorf("without a user: %+v", s)
	}
	b.wants(b.proxyForm("clear"), 200, "Stored.")
	if n.exits.stored(t) != (proxy.Settings{}) {
		t.Errorf("cleared: %+v", n.exits.stored(t))
	}
}

func TestAWrongProxyIsRefusedWithItsReasonAndWhatWasTyped(t *testing.T) {
	t.Parallel()
	n := start(t)
	for language, says := range map[string]string{"en": "http://HOST:PORT, nothing more",
		"ja": "http://ホスト:ポート の形式で入力"} {
		b := n.inside(language)
		b.wants(b.proxyForm("save", "address", "ftp://x<y>", "no_proxy", "a.example.com"), 422, says,
			"ftp://x&lt;y&gt;", "a.example.com")
	}
	b := n.inside("en")
	b.wants(b.proxyForm("fly"), 422, "could not be read")
	b.wants(b.proxyForm("save", "address", someProxy, "trusted_ca", "hello"), 422, "certificates in PEM form")
	b.wants(b.proxyForm("save", "address", someProxy, "trusted_ca", strings.Repeat("x", 17<<10)), 413)
	n.exits.full = errors.New("raw text: disk full")
	b.wants(b.proxyForm("save", "address", someProxy), 500, "could not be stored")
	if n.exits.stored(t) != (proxy.Settings{}) || len(n.exits.tested) != 0 {
		t.Errorf("%+v after %d tests", n.exits.stored(t), len(n.exits.tested))
	}
	if err := os.WriteFile(filepath.Join(n.exits.dir, "proxy.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.wants(b.get("/proxy"), 200, "cannot be read")
}

func TestATrustedCAIsShownSoThatItCanBeCompared(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.exits.results = hubAnswers
	b := n.inside("en")
	text := inspector(t)
	b.wants(b.proxyForm("save", "address", someProxy, "trusted_ca",
		strings.ReplaceAll(text, "\n", "\r\n")), 200, "Stored.", "CN=Inspector", "SHA-256")
	b.wants(b.get("/proxy"), 200, "CN=Inspector", "can then read what this node")
	if a := n.exits.stored(t).Authorities(); len(a) != 1 {
		t.Errorf("%+v", a)
	}
}

func inspector(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Inspector"},
		NotBefore: from, NotAfter: from.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
