package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	probeDeadline = 20 * time.Second
	healthPath    = "/healthz"
	maxHealth     = 64 << 10
	maxSkew       = 5 * time.Minute // beyond it the hub holds upgrades (R35)
)

// Step is one thing that a probe looks at. Steps lists them all, in order.
type Step string

// The steps of a probe.
const (
	StepDNS   Step = "dns"   // the first name on the way: the proxy's, or the hub's on the direct one
	StepProxy Step = "proxy" // the proxy connects to the hub
	StepTLS   Step = "tls"   // whoever answers has a certificate of the hub's CA
	StepClock Step = "clock" // this node's clock and the hub's agree
	StepHub   Step = "hub"   // the hub itself answers
)

// Steps are all steps, in the order of a probe's results.
func Steps() []Step { return []Step{StepDNS, StepProxy, StepTLS, StepClock, StepHub} }

// State is how a step went.
type State string

// The states of a step.
const (
	OK      State = "ok"
	Failed  State = "failed"
	Skipped State = "skipped" // not needed, or not reached: the code says which
)

// Result is one step's outcome. Subject and Detail may be words of a stranger: they are short and
// printable, and still nobody's promise.
type Result struct {
	Step    Step   `json:"step"`
	State   State  `json:"state"`
	Code    Code   `json:"code"`              // from a closed list: what happened
	Subject string `json:"subject,omitempty"` // whom it is about: a host, the issuer of a certificate
	Detail  string `json:"detail,omitempty"`  // figures and addresses
}

// Passed says whether nothing failed and the hub answered.
func Passed(results []Result) bool {
	reached := false
	for _, r := range results {
		if r.State == Failed {
			return false
		}
		reached = reached || r.Step == StepHub && r.State == OK
	}
	return reached
}

// Target is the hub as a probe reaches it; enroll.ProbeTarget makes one from a node's folder.
type Target struct {
	Hub  string // https://HOST[:PORT]
	TLS  func(inspecting []*x509.Certificate) (*tls.Config, error)
	Dial map[string]string
	Now  func() time.Time
}

// Probe asks the hub one unauthenticated question by the given settings, stored or not, exactly as
// a node's requests go out, and says of each step how it went: always one Result per step, in the
// order of Steps. It sends nothing of the node, changes nothing, and ends within 20 seconds.
//
// For the node's own page: enroll's ProbeTarget and Load give what it needs; Result.Name and
// Result.Sentence are fit to be shown, in English and Japanese; Passed is the summary.
func Probe(ctx context.Context, target Target, s Settings) []Result {
	return Follow(ctx, target, s, func(Result) {})
}

// Follow is Probe, and tells each result as soon as nothing can change it any more: each once, in
// order, and all before it returns.
func Follow(ctx context.Context, target Target, s Settings, tell func(Result)) []Result {
	t := &teller{tell: tell}
	results := follow(ctx, target, s, t)
	return t.end(results)
}

func follow(ctx context.Context, target Target, s Settings, t *teller) []Result {
	ctx, cancel := context.WithTimeout(ctx, probeDeadline)
	defer cancel()
	base, err := url.Parse(target.Hub)
	if err != nil {
		return failedAt(StepHub, Result{Code: CodeFailed, Detail: clean(err.Error())})
	}
	s, err = s.Checked()
	if err != nil {
		return failedAt(StepProxy, Result{Code: CodeSetting, Detail: clean(err.Error())})
	}
	via := s.For(base)
	lines := &lines{dial: dialer(target.Dial)}
	defer lines.close()
	way, err := newWay(s, via, target.TLS, lines.open)
	if err != nil {
		return failedAt(StepTLS, Result{Code: CodeTrust, Detail: clean(err.Error())})
	}
	way.DisableKeepAlives = true
	w := &watch{changed: func(m marks) {
		f := findings{marks: m, hub: base, via: via, settings: s}
		t.known(f.results()[:f.certain()])
	}}
	began := target.Now()
	answer, err := ask(tracing(ctx, w), way, base)
	seen := w.copy()
	seen.hub, seen.via, seen.settings, seen.err = base, via, s, err
	seen.answer, seen.skewAt = answer, began.Add(target.Now().Sub(began)/2)
	return seen.results()
}

// failedAt is a probe that could not even begin.
func failedAt(step Step, r Result) []Result {
	var list []Result
	for _, each := range Steps() {
		one := Result{Step: each, State: Skipped, Code: CodeNotReached}
		if each == step {
			one = r
			one.Step, one.State = step, Failed
		}
		list = append(list, one)
	}
	return list
}

// reply is what came back from the hub's address.
type reply struct {
	status  int
	date    string
	healthy bool
	version string
}

func ask(ctx context.Context, way *http.Transport, base *url.URL) (*reply, error) {
	u := *base
	u.Path = healthPath
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	res, err := way.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	r := &reply{status: res.StatusCode, date: res.Header.Get("Date")}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxHealth))
	if err != nil {
		return nil, err
	}
	var says struct {
		Status, Version string
	}
	if json.Unmarshal(text, &says) == nil && says.Status == "ok" {
		r.healthy, r.version = res.StatusCode == http.StatusOK, clean(says.Version)
	}
	return r, nil
}

// lines are the connections of one probe; none outlives it.
type lines struct {
	dial dialFunc

	mu     sync.Mutex
	closed bool
	held   []net.Conn
}

func (l *lines) open(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := l.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	l.held = append(l.held, c)
	return c, nil
}

func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, c := range l.held {
		_ = c.Close()
	}
}

// watch notes how far a request came. The transport may go on after the request has ended.
type watch struct {
	mu      sync.Mutex
	changed func(marks)
	marks
}

type marks struct {
	name       string // that was resolved; empty: an address needs no DNS
	resolved   bool
	addresses  string
	dnsErr     error
	connected  bool
	connectErr error
	proxied    bool // the proxy has answered CONNECT
	tlsBegun   bool
	tlsEnded   bool
	tlsErr     error
	tlsState   tls.ConnectionState
}

func (w *watch) note(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	w.changed(w.marks)
}

func (w *watch) copy() findings {
	w.mu.Lock()
	defer w.mu.Unlock()
	return findings{marks: w.marks}
}

func (w *watch) dnsStart(i httptrace.DNSStartInfo) { w.note(func() { w.name = i.Host }) }

func (w *watch) dnsDone(i httptrace.DNSDoneInfo) {
	w.note(func() {
		w.resolved, w.dnsErr = true, i.Err
		var list []string
		for _, a := range i.Addrs {
			if len(list) < 4 {
				list = append(list, a.String())
			}
		}
		w.addresses = strings.Join(list, ", ")
	})
}

func (w *watch) connectDone(_, _ string, err error) {
	w.note(func() {
		w.connected = w.connected || err == nil
		if w.connectErr == nil || !errors.Is(err, context.Canceled) {
			w.connectErr = err
		}
	})
}

func (w *watch) proxyAnswered() { w.note(func() { w.proxied = true }) }

func (w *watch) tlsStart() { w.note(func() { w.tlsBegun = true }) }

func (w *watch) tlsDone(s tls.ConnectionState, err error) {
	w.note(func() { w.tlsEnded, w.tlsState, w.tlsErr = true, s, err })
}
