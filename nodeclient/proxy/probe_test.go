package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connecthub/nodeclient/proxy"
)

func TestAProbeSaysThatTheHubAnswers(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	g := newGate(t, h.address(), "")
	r := says(t, h.target(false), g.settings(), proxy.StepHub, proxy.OK, proxy.CodeHub)
	if r.Detail != "9.9" || g.through() != 1 {
		t.Errorf("%+v, %d through the proxy", r, g.through())
	}
	says(t, h.target(false), g.settings(), proxy.StepProxy, proxy.OK, proxy.CodeProxy)
	says(t, h.target(false), g.settings(), proxy.StepClock, proxy.OK, proxy.CodeClock)
	r = says(t, h.target(false), g.settings(), proxy.StepTLS, proxy.OK, proxy.CodeTLS)
	if r.Subject != "Hub CA" {
		t.Errorf("%+v", r)
	}
	says(t, h.target(true), proxy.Settings{}, proxy.StepProxy, proxy.Skipped, proxy.CodeNoProxy)
	says(t, h.target(true), proxy.Settings{Address: "http://" + free(t), NoProxy: ".example.test"},
		proxy.StepProxy, proxy.Skipped, proxy.CodeDirect)
}

func TestAProbeSaysWhyTheProxyFails(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	target := h.target(false)
	long := strings.Repeat("a", 64) // no name server is asked for a label that cannot be
	says(t, target, proxy.Settings{Address: "http://" + long + ".example.test:3128"},
		proxy.StepDNS, proxy.Failed, proxy.CodeNameUnknown)
	says(t, target, proxy.Settings{Address: "http://" + free(t)}, proxy.StepProxy, proxy.Failed,
		proxy.CodeProxyRefused)
	g := newGate(t, h.address(), "node:secret")
	s := g.settings()
	says(t, target, s, proxy.StepProxy, proxy.Failed, proxy.CodeProxyNeedsUser)
	s.User, s.Password = "node", "wrong"
	r := says(t, target, s, proxy.StepProxy, proxy.Failed, proxy.CodeProxyWrongUser)
	if strings.Contains(r.Sentence("en"), "wrong"+" ") || r.Subject != g.address {
		t.Errorf("%+v", r)
	}
	s.Password = "secret"
	says(t, target, s, proxy.StepProxy, proxy.OK, proxy.CodeProxy)
	for status, code := range map[string]proxy.Code{"403 Forbidden": proxy.CodeProxyForbids,
		"405 No": proxy.CodeProxyForbids, "502 Bad Gateway": proxy.CodeProxyCannot,
		"503 Away": proxy.CodeProxyCannot, "504 Late": proxy.CodeProxyCannot,
		"302 Found\r\nLocation: https://portal.example.test/": proxy.CodeProxyRedirects,
		"418 Teapot":      proxy.CodeProxyStatus,
		"204 Nothing":     proxy.CodeProxyStatus,
		"401 Who":         proxy.CodeProxyNeedsUser,
		"407 Who\r\nX: y": proxy.CodeProxyNeedsUser,
		"407 Who\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate": proxy.CodeProxyScheme,
		"407 Who\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: basic":     proxy.CodeProxyNeedsUser,
	} {
		address := stranger(t, answering("HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", status))
		says(t, target, proxy.Settings{Address: "http://" + address}, proxy.StepProxy, proxy.Failed, code)
	}
}

func TestAProbeSaysWhyTheCertificateIsNotTrusted(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	g := newGate(t, h.address(), "")
	inspector := newCA(t, "Inspector\u202e of\n Example")
	stand := inspector.now(hubName)
	g.inspect = &stand
	s := g.settings()
	r := says(t, h.target(false), s, proxy.StepTLS, proxy.Failed, proxy.CodeUntrustedProxy)
	if r.Subject != "Inspector of Example" || !strings.Contains(r.Sentence("en"), "--trust-ca") ||
		!strings.Contains(r.Sentence("ja"), r.Subject) {
		t.Errorf("%q: %s", r.Subject, r.Sentence("en"))
	}
	s.TrustedCA = inspector.pem()
	r = says(t, h.target(false), s, proxy.StepTLS, proxy.OK, proxy.CodeInspected)
	if r.Subject != "Inspector of Example" {
		t.Errorf("%+v", r)
	}
	for name, made := range map[proxy.Code]tls.Certificate{
		proxy.CodeWrongName: inspector.now("other.example.test"),
		proxy.CodeExpired: inspector.issue(hubName, time.Now().Add(-2*time.Hour),
			time.Now().Add(-time.Hour))} {
		bad := newGate(t, h.address(), "")
		bad.inspect = &made
		s.Address = "http://" + bad.address
		says(t, h.target(false), s, proxy.StepTLS, proxy.Failed, name)
	}
}

// An inspecting proxy's CA counts where that proxy is, and not where somebody else may stand.
func TestAnInspectorsCAIsTrustedOnlyWhereItsProxyIsUsed(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	inspector := newCA(t, "Inspector")
	stand := inspector.now(hubName)
	between, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{stand}})
	must(t, err)
	t.Cleanup(func() { _ = between.Close() })
	go func() {
		server := &http.Server{Handler: h.server.Config.Handler, ReadHeaderTimeout: time.Minute,
			ErrorLog: log.New(io.Discard, "", 0)}
		_ = server.Serve(between)
	}()
	target := h.target(true)
	target.Dial[hubName] = between.Addr().String()
	says(t, target, proxy.Settings{Address: "http://" + free(t), NoProxy: hubName,
		TrustedCA: inspector.pem()}, proxy.StepTLS, proxy.Failed, proxy.CodeUntrusted)
	// without a proxy's address it is one that nobody sees
	says(t, target, proxy.Settings{TrustedCA: inspector.pem()}, proxy.StepTLS, proxy.OK,
		proxy.CodeInspected)
}

func TestAProbeSaysWhyTheHubFails(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	g := newGate(t, h.address(), "")
	for body, code := range map[string]proxy.Code{"503": proxy.CodeHubAway, "404": proxy.CodeHubStrange,
		"200": proxy.CodeHubStrange, "302": proxy.CodeHubStrange} {
		h.answers(func(w http.ResponseWriter, _ *http.Request) {
			status := map[string]int{"503": 503, "404": 404, "200": 200, "302": 302}[body]
			w.Header().Set("Location", "https://elsewhere.example.test/")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"status":"sign in first"}`)
		})
		says(t, h.target(false), g.settings(), proxy.StepHub, proxy.Failed, code)
	}
	h.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-7*time.Minute).UTC().Format(http.TimeFormat))
		_, _ = io.WriteString(w, `{"status":"ok"}`)
	})
	r := says(t, h.target(false), g.settings(), proxy.StepClock, proxy.Failed, proxy.CodeSkew)
	if !strings.HasPrefix(r.Detail, "7m") && !strings.HasPrefix(r.Detail, "6m59") {
		t.Errorf("%+v", r)
	}
	h.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		_, _ = io.WriteString(w, `{"status":"ok"}`)
	})
	says(t, h.target(false), g.settings(), proxy.StepClock, proxy.Skipped, proxy.CodeNoClock)
	target := h.target(true)
	target.Dial[hubName] = free(t)
	says(t, target, proxy.Settings{}, proxy.StepHub, proxy.Failed, proxy.CodeHubRefused)
	target.Hub = "https://" + strings.Repeat("a", 64) + ".example.test:8443"
	says(t, target, proxy.Settings{}, proxy.StepDNS, proxy.Failed, proxy.CodeNameUnknown)
	target.Dial = nil
	target.Hub = "https://" + stranger(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		silent(c)
	})
	says(t, target, proxy.Settings{}, proxy.StepTLS, proxy.Failed, proxy.CodeNotTLS)
}

// A proxy is a stranger: whatever it answers, a probe ends, with little memory, and says that it was
// the proxy.
func TestAHostileProxyIsSurvivedAndNamed(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	flood := func(begin, again string) func(net.Conn) {
		return func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
				return
			}
			_, err := io.WriteString(c, begin)
			for i := 0; err == nil && i < 64<<10; i++ { // 64 MiB, were they read
				_, err = io.WriteString(c, again)
			}
		}
	}
	kib := strings.Repeat("x", 1022)
	for name, one := range map[string]struct {
		answer func(net.Conn)
		step   proxy.Step
		code   proxy.Code
	}{
		"a giant header":    {flood("HTTP/1.1 200 OK\r\nX: ", kib), proxy.StepProxy, proxy.CodeProxyStrange},
		"many headers":      {flood("HTTP/1.1 200 OK\r\n", "X: "+kib[5:]+"\r\n"), proxy.StepProxy, proxy.CodeProxyStrange},
		"no status line":    {flood("", kib), proxy.StepProxy, proxy.CodeProxyStrange},
		"no HTTP":           {answering("220 mail.example.test ESMTP\r\n"), proxy.StepProxy, proxy.CodeProxyStrange},
		"a closed line":     {answering(""), proxy.StepProxy, proxy.CodeProxyStrange},
		"half an answer":    {answering("HTTP/1.1 200 OK\r\nX: y"), proxy.StepProxy, proxy.CodeProxyStrange},
		"junk after 200":    {answering("HTTP/1.1 200 OK\r\n\r\n<html>pay first</html>"), proxy.StepTLS, proxy.CodeTLSClosed},
		"giant refusal":     {flood("HTTP/1.1 403 No\r\nContent-Length: 999999999\r\n\r\n", kib), proxy.StepProxy, proxy.CodeProxyForbids},
		"status 99999":      {answering("HTTP/1.1 99999 OK\r\n\r\n"), proxy.StepProxy, proxy.CodeProxyStrange},
		"a negative status": {answering("HTTP/1.1 -20 OK\r\n\r\n"), proxy.StepProxy, proxy.CodeProxyStrange},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := proxy.Settings{Address: "http://" + stranger(t, one.answer)}
			says(t, h.target(false), s, one.step, proxy.Failed, one.code)
		})
	}
}

// TestAProxyThatDripsIsGivenUp holds each kind of slowness to the caller's own deadline.
func TestAProxyThatDripsIsGivenUp(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	drip := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
				return
			}
			for i := 0; ; i++ {
				if _, err := c.Write([]byte{text[i%len(text)]}); err != nil {
					return
				}
				select {
				case <-t.Context().Done():
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		}
	}
	for name, one := range map[string]struct {
		answer func(net.Conn)
		step   proxy.Step
		code   proxy.Code
	}{
		"a header":    {drip("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 4096)), proxy.StepProxy, proxy.CodeProxySilent},
		"silence":     {silent, proxy.StepProxy, proxy.CodeProxySilent},
		"a handshake": {func(c net.Conn) { answering("HTTP/1.1 200 OK\r\n\r\n")(c); silent(c) }, proxy.StepTLS, proxy.CodeTLSTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := proxy.Settings{Address: "http://" + stranger(t, one.answer)}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			began := time.Now()
			results := proxy.Probe(ctx, h.target(false), s)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
			for _, r := range results {
				if r.Step == one.step && (r.State != proxy.Failed || r.Code != one.code) {
					t.Errorf("%+v", results)
				}
			}
		})
	}
}

func TestAProbeThatCannotBeginSaysWhy(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	says(t, h.target(false), proxy.Settings{Address: "https://proxy.example.test:1"}, proxy.StepProxy,
		proxy.Failed, proxy.CodeSetting)
	target := h.target(false)
	target.TLS = func([]*x509.Certificate) (*tls.Config, error) { return nil, io.ErrUnexpectedEOF }
	says(t, target, proxy.Settings{}, proxy.StepTLS, proxy.Failed, proxy.CodeTrust)
	target.Hub = "https://%zz"
	says(t, target, proxy.Settings{}, proxy.StepHub, proxy.Failed, proxy.CodeFailed)
}

func TestEveryCodeHasASentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	seen := map[proxy.Code]bool{}
	for _, code := range proxy.Codes() {
		if seen[code] {
			t.Errorf("%s is there twice", code)
		}
		seen[code] = true
		r := proxy.Result{Code: code, Subject: "S", Detail: "D"}
		en, ja := r.Sentence("en"), r.Sentence("ja")
		if en == ja || en == "" || ja == "" || strings.ContainsAny(en+ja, "{}") ||
			strings.Contains(en, "S") != strings.Contains(ja, "S") && strings.Contains(en, "“S”") {
			t.Errorf("%s: %q %q", code, en, ja)
		}
	}
	if len(seen) < 40 {
		t.Errorf("%d codes", len(seen))
	}
}
