package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	connectDeadline = 10 * time.Second
	answerDeadline  = 20 * time.Second
	maxHeader       = 64 << 10
)

// Options are what a Transport is given.
type Options struct {
	Dir string
	// TLS is whom the destination's certificate must come from. The CAs of an inspecting proxy come
	// as an argument where they hold; they are trusted beside those of set-up.
	TLS func(inspecting []*x509.Certificate) (*tls.Config, error)
	// Dial is where names are reached, if not by DNS: name → HOST:PORT. A proxy is told the name.
	Dial map[string]string
}

// Transport sends each request by the setting that the node's folder holds at that moment. What is
// under way when the setting changes ends on the way it began.
type Transport struct {
	o Options

	mu      sync.Mutex
	seen    os.FileInfo // nil: no setting was ever stored
	ready   bool
	current Settings
	ways    map[string]*http.Transport // by proxy, empty for the direct way
}

// NewTransport reads nothing yet.
func NewTransport(o Options) *Transport {
	return &Transport{o: o, ways: map[string]*http.Transport{}}
}

// RoundTrip refuses to send while the setting cannot be read: the direct way may be the wrong one.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	way, err := t.way(r.URL)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	return way.RoundTrip(r)
}

// CloseIdleConnections is http.Client's.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, way := range t.ways {
		way.CloseIdleConnections()
	}
}

func (t *Transport) way(destination *url.URL) (*http.Transport, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.refresh(); err != nil {
		return nil, err
	}
	via := t.current.For(destination)
	key := ""
	if via != nil {
		key = via.String()
	}
	if way, ok := t.ways[key]; ok {
		return way, nil
	}
	way, err := newWay(t.current, via, t.o.TLS, dialer(t.o.Dial))
	if err != nil {
		return nil, err
	}
	t.ways[key] = way
	return way, nil
}

// refresh reads the setting again when its file is another one than before. A setting is replaced by
// rename, so that a new one is never the same file.
func (t *Transport) refresh() error {
	info, err := os.Stat(filepath.Join(t.o.Dir, settingsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the proxy's setting: %w", err)
	}
	if err != nil {
		info = nil
	}
	if t.ready && same(info, t.seen) {
		return nil
	}
	s, err := Load(t.o.Dir)
	if err != nil {
		return err
	}
	for _, way := range t.ways {
		way.CloseIdleConnections()
	}
	t.current, t.seen, t.ready, t.ways = s, info, true, map[string]*http.Transport{}
	return nil
}

func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func dialer(names map[string]string) dialFunc {
	d := &net.Dialer{Timeout: connectDeadline, KeepAlive: 30 * time.Second}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, err := net.SplitHostPort(address); err == nil && names[host] != "" {
			address = names[host]
		}
		return d.DialContext(ctx, network, address)
	}
}

// newWay is a transport through one proxy, or none.
func newWay(s Settings, via *url.URL, trust func([]*x509.Certificate) (*tls.Config, error),
	dial dialFunc) (*http.Transport, error) {
	config, err := trust(s.inspected(via))
	if err != nil {
		return nil, err
	}
	way := &http.Transport{TLSClientConfig: named(config), ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: connectDeadline, IdleConnTimeout: 90 * time.Second,
		ResponseHeaderTimeout: answerDeadline, MaxIdleConnsPerHost: 2,
		MaxResponseHeaderBytes: maxHeader, DialContext: dial}
	if via != nil {
		way.Proxy = http.ProxyURL(via)
		way.OnProxyConnectResponse = connected
	}
	return way, nil
}

// named lets an error of VerifyConnection say whose certificate was refused, as others do.
func named(config *tls.Config) *tls.Config {
	verify := config.VerifyConnection
	if verify == nil {
		return config
	}
	config = config.Clone()
	config.VerifyConnection = func(s tls.ConnectionState) error {
		err := verify(s)
		var already *tls.CertificateVerificationError
		if err == nil || errors.As(err, &already) {
			return err
		}
		return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
	}
	return config
}

// ConnectError is a proxy's refusal to connect.
type ConnectError struct {
	Status  int
	Proxy   string   // HOST:PORT
	User    string   // that was sent
	Schemes []string // of authentication that a 407 offers
}

// Error is for logs and for the status.
func (e *ConnectError) Error() string {
	return strings.TrimSuffix(lowerFirst(e.result().Sentence("en")), ".")
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

type answered struct{}

// connected looks at a proxy's answer to CONNECT.
func connected(ctx context.Context, via *url.URL, _ *http.Request, answer *http.Response) error {
	if note, ok := ctx.Value(answered{}).(func()); ok {
		note()
	}
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	refusal := &ConnectError{Status: answer.StatusCode, Proxy: via.Host, User: via.User.Username()}
	for _, offer := range answer.Header.Values("Proxy-Authenticate") {
		scheme, _, _ := strings.Cut(strings.TrimSpace(offer), " ")
		if scheme = clean(scheme); scheme != "" && len(refusal.Schemes) < 8 {
			refusal.Schemes = append(refusal.Schemes, scheme)
		}
	}
	return refusal
}

// tracing watches one request's way, for Probe.
func tracing(ctx context.Context, w *watch) context.Context {
	ctx = context.WithValue(ctx, answered{}, w.proxyAnswered)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:          w.dnsStart,
		DNSDone:           w.dnsDone,
		ConnectDone:       w.connectDone,
		TLSHandshakeStart: w.tlsStart,
		TLSHandshakeDone:  w.tlsDone,
	})
}
