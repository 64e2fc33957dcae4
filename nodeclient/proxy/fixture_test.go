package proxy_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"connecthub/nodeclient/proxy"
)

const hubName = "hub.example.test"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ca is an authority of a test.
type ca struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T, name string) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &ca{t, cert, key}
}

func (c *ca) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}))
}

func (c *ca) issue(name string, from, until time.Time) tls.Certificate {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(c.t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name},
		NotBefore: from, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, key.Public(), c.key)
	must(c.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (c *ca) now(name string) tls.Certificate {
	return c.issue(name, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
}

// hub is what a node wants to reach.
type hub struct {
	t      *testing.T
	ca     *ca
	server *httptest.Server

	mu     sync.Mutex
	answer http.HandlerFunc
}

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{t: t, ca: newCA(t, "Hub CA")}
	h.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		answer := h.answer
		h.mu.Unlock()
		answer(w, r)
	}))
	h.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			_, _ = io.WriteString(w, `{"status":"ok","version":"9.9"}`)
			return
		}
		_, _ = io.WriteString(w, r.RemoteAddr)
	})
	h.server.TLS = &tls.Config{Certificates: []tls.Certificate{h.ca.now(hubName)}}
	h.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	h.server.StartTLS()
	t.Cleanup(h.server.Close)
	return h
}

func (h *hub) answers(f http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = f
}

func (h *hub) address() string { return h.server.Listener.Addr().String() }

func (h *hub) url() string {
	_, port, _ := net.SplitHostPort(h.address())
	return "https://" + net.JoinHostPort(hubName, port)
}

func (h *hub) trust(inspecting []*x509.Certificate) (*tls.Config, error) {
	roots := x509.NewCertPool()
	roots.AddCert(h.ca.cert)
	for _, c := range inspecting {
		roots.AddCert(c)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

// target is the hub for a probe; direct where the test's DNS knows its name.
func (h *hub) target(direct bool) proxy.Target {
	target := proxy.Target{Hub: h.url(), TLS: h.trust, Now: time.Now}
	if direct {
		target.Dial = map[string]string{hubName: h.address()}
	}
	return target
}

// stranger is a listener whose every connection a test answers as it likes.
func stranger(t *testing.T, answer func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				end := context.AfterFunc(ctx, func() { _ = c.Close() })
				defer end()
				answer(c)
			})
		}
	})
	t.Cleanup(func() { stop(); _ = l.Close(); all.Wait() })
	return l.Addr().String()
}

// gate is a proxy: it counts, may ask for a password, and may stand between.
type gate struct {
	address string
	user    string // user:password, or empty: anybody
	to      string // where every name leads
	inspect *tls.Certificate

	mu      sync.Mutex
	asked   []string // CONNECT targets that were let through
	refused int
}

func newGate(t *testing.T, to, user string) *gate {
	t.Helper()
	g := &gate{to: to, user: user}
	g.address = stranger(t, g.serve)
	return g
}

func (g *gate) serve(c net.Conn) {
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil || req.Method != http.MethodConnect {
		return
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(g.user))
	g.mu.Lock()
	if g.user != "" && req.Header.Get("Proxy-Authorization") != want {
		g.refused++
		g.mu.Unlock()
		_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\n"+
			"Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n")
		return
	}
	g.asked = append(g.asked, req.RequestURI)
	g.mu.Unlock()
	up, err := net.Dial("tcp", g.to)
	if err != nil {
		_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return
	}
	defer up.Close()
	_, _ = io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	if g.inspect != nil {
		c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*g.inspect}})
		up = tls.Client(up, &tls.Config{InsecureSkipVerify: true})
	}
	splice(c, up)
}

func splice(a, b net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(a, b)
		_ = a.Close()
	}()
	_, _ = io.Copy(b, a)
	_ = b.Close()
	<-done
}

func (g *gate) through() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.asked)
}

func (g *gate) settings() proxy.Settings { return proxy.Settings{Address: "http://" + g.address} }

// says runs a probe and wants a step to have that state and code, all before it not to have failed,
// and sentences in both languages.
func says(t *testing.T, target proxy.Target, s proxy.Settings, step proxy.Step, state proxy.State,
	code proxy.Code) proxy.Result {
	t.Helper()
	results := proxy.Probe(t.Context(), target, s)
	if len(results) != len(proxy.Steps()) {
		t.Fatalf("%d results: %+v", len(results), results)
	}
	var found proxy.Result
	for i, r := range results {
		if r.Step != proxy.Steps()[i] {
			t.Errorf("step %d is %s", i, r.Step)
		}
		for _, language := range []string{"en", "ja"} {
			if s := r.Sentence(language); s == "" || strings.ContainsAny(s, "{}") || r.Name(language) == "" {
				t.Errorf("%s %s: %q", r.Code, language, s)
			}
		}
		if r.Step == step {
			found = r
		} else if r.State == proxy.Failed && state == proxy.Failed {
			t.Errorf("%s failed too: %+v", r.Step, r)
		}
	}
	if found.State != state || found.Code != code {
		t.Errorf("%s: %s %s, want %s %s: %+v", step, found.State, found.Code, state, code, results)
	}
	if proxy.Passed(results) != (state != proxy.Failed) {
		t.Errorf("passed is %v: %+v", proxy.Passed(results), results)
	}
	return found
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func answering(format string, args ...any) func(net.Conn) {
	text := fmt.Sprintf(format, args...)
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, text)
		}
	}
}

func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
