package app_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	nodeapp "connecthub/nodeclient/app"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/fetch"
	"connecthub/nodeclient/host/bundle"
)

const (
	hubName   = "hub.example.test"
	proofPoll = 5
)

// behind is a node whose network knows the hub's name through a proxy only.
type behind struct {
	t       *testing.T
	hub     *running
	name    string
	dir     string
	files   string
	cluster string
	e       *enroll.Enrollment
	counter uint64
	polled  int
}

// line runs one command of the node.
func (b *behind) line(args ...string) (code int, out, errOut string) {
	b.t.Helper()
	var o, e bytes.Buffer
	code = nodeapp.Main(b.t.Context(), "1.0.0", append(args, "--dir", b.dir), &o, &e)
	return code, o.String(), e.String()
}

func (b *behind) must(args ...string) string {
	b.t.Helper()
	code, out, errOut := b.line(args...)
	if code != 0 {
		b.t.Fatalf("%s: %v: %d %s %s", b.name, args, code, out, errOut)
	}
	return out
}

// fails wants a command to fail and to say so with these words.
func (b *behind) fails(args []string, says ...string) {
	b.t.Helper()
	code, out, errOut := b.line(args...)
	for _, s := range says {
		if code == 0 || !strings.Contains(out+errOut, s) {
			b.t.Fatalf("%s: %v: %d, %q is missing: %s %s", b.name, args, code, s, out, errOut)
		}
	}
}

func (b *behind) file(name, text string) string {
	b.t.Helper()
	path := filepath.Join(b.files, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// newBehind sets a node up and makes it a publisher; more goes to setup.
func newBehind(t *testing.T, hub *running, name string, more ...string) *behind {
	t.Helper()
	base, err := os.MkdirTemp("", "node") // short: a socket is to fit in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	b := &behind{t: t, hub: hub, name: name, dir: filepath.Join(base, "node"), files: t.TempDir()}
	b.must(append([]string{"setup", "--hub", "https://" + hubName + ":" + portOf(t, hub), "--hub-ca",
		hub.bound.CA, "--fqdn", name + ".example.test", "--listen", "127.0.0.1:0",
		"--app-password-file", b.file("app", "a good password\n")}, more...)...)
	b.must("cluster", "init", "--peer-listen", "127.0.0.1:0", "--secret-file",
		filepath.Join(b.files, "secret"))
	b.e, err = enroll.Open(enroll.Options{Dir: b.dir, ClientVersion: "1.0.0", Now: time.Now,
		Version: func() models.Version { return "1.0.0" }, Busy: func() bool { return false }})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// patiently waits longer than others: these tests start programs that are not ours.
func patiently(t *testing.T, what string, is func() bool) {
	t.Helper()
	late := time.After(time.Minute)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-late:
			t.Fatalf("not in a minute: %s", what)
		case <-again.C:
		}
	}
}

func portOf(t *testing.T, hub *running) string {
	t.Helper()
	_, port, err := net.SplitHostPort(hub.bound.Node.String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// asks sends something unauthenticated; an answer of the hub, though a refusal, came from the hub.
func (b *behind) asks() error {
	_, err := b.e.Inspect(b.t.Context(), "no-ticket", "en", enroll.By{})
	var refusal *enroll.Refusal
	if errors.As(err, &refusal) && refusal.Problem.Code != "" {
		return nil
	}
	return err
}

// register is the whole registration: console, claim by this node, return leg, identity.
func (b *behind) register() {
	b.t.Helper()
	body := fmt.Sprintf(`{"display_name":%q,"fqdn":%q}`, b.name, b.name+".example.test")
	begun := b.hub.ask("POST", "/api/admin/v1/registrations", body)
	if begun.status != 201 {
		b.t.Fatalf("%d %s", begun.status, begun.body)
	}
	page, err := url.Parse(begun.json(b.t)["open_url"].(string))
	if err != nil {
		b.t.Fatal(err)
	}
	about, err := b.e.Inspect(b.t.Context(), page.Fragment, "en", enroll.By{})
	if err != nil || about.DisplayName != b.name {
		b.t.Fatalf("%s: %+v %v", b.name, about, err)
	}
	home, err := b.e.Allow(b.t.Context(), page.Fragment, "en", enroll.By{}, about)
	if err != nil {
		b.t.Fatal(err)
	}
	_, code, _ := strings.Cut(home, "code=")
	done := b.hub.ask("POST", "/api/admin/v1/registrations/complete", fmt.Sprintf(`{"code":%q}`, code))
	if done.status != 200 {
		b.t.Fatalf("%d %s", done.status, done.body)
	}
	b.cluster = done.json(b.t)["cluster_id"].(string)
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	if err := b.e.Await(ctx); err != nil || b.e.Identity() == nil {
		b.t.Fatalf("%s has no identity: %v", b.name, err)
	}
}

func (b *behind) poll() wire.PollResponse {
	b.t.Helper()
	b.counter++
	answer, err := b.e.Poll(b.t.Context(), wire.PollRequest{Protocol: wire.Protocol,
		ClientVersion: "1.0.0", Version: "1.0.0", Step: models.StepIdle, Health: models.Healthy,
		BootID: "boot", Counter: b.counter, Clock: time.Now()})
	if err != nil {
		b.t.Fatalf("%s: %v", b.name, err)
	}
	b.polled++
	return answer
}

// download opens a window, waits for the permit and brings the bundle to the disk, verified.
func (b *behind) download() int64 {
	b.t.Helper()
	patiently(b.t, "a window opens for "+b.name, func() bool {
		a := b.hub.ask("POST", "/api/admin/v1/clusters/"+b.cluster+"/upgrade-now",
			fmt.Sprintf(`{"typed_name":%q}`, b.name))
		if a.status != 200 && a.status != 409 {
			b.t.Fatalf("%d %s", a.status, a.body)
		}
		return a.status == 200 || strings.Contains(a.body, "window_open_already")
	})
	var permit *wire.Permit
	patiently(b.t, b.name+" has a permit", func() bool { permit = b.poll().Permit; return permit != nil })
	err := fetch.To(b.t.Context(), func(ctx context.Context, h http.Header) (*http.Response, error) {
		return b.e.Bundle(ctx, permit.Digest, h)
	}, filepath.Join(b.files, "bundle"), fetch.Want{Digest: permit.Digest, Size: permit.Size},
		fetch.Options{})
	if err != nil {
		b.t.Fatalf("%s: %v", b.name, err)
	}
	return permit.Size
}

// largeBundle builds a bundle that no proxy can compress.
func largeBundle(t *testing.T, version string, size int) string {
	t.Helper()
	dir := t.TempDir()
	noise := make([]byte, size)
	_, _ = rand.Read(noise)
	manifest := fmt.Sprintf(`{"format":1,"name":"sample","version":%q,"soak":"1s","services":[{
		"name":"web","command":["run"],"ports":["http"],"stop":{"signal":"TERM","deadline":"1s"},
		"health":{"tcp":"http","interval":"1s","timeout":"1s","ready_within":"1s","failures":3}}]}`,
		version)
	for name, content := range map[string][]byte{"manifest.json": []byte(manifest),
		"run": []byte("#!/bin/sh\nexec sleep 1000\n"), "noise": noise} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Create(filepath.Join(t.TempDir(), version+".tar.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := bundle.Build(dir, file); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

func (r *running) publish(file string) {
	r.t.Helper()
	if code, _, errOut := run(r.t, r.dir, "release", "publish", file); code != 0 {
		r.t.Fatal(errOut)
	}
}

// squidLine is what Squid writes of one request, or of one tunnel at its end.
var squidLine = regexp.MustCompile(`(?m)^\S+ +\d+ \S+ (\w+)/(\d+) (\d+) (\S+) (\S+) (\S+) `)

// passed sums up what Squid let through: how often by method and path, and how many bytes came back.
type passed struct {
	by      map[string]int
	bytes   int64
	denied  int
	unnamed int // let through without a user
}

func (g *gateway) passed() passed {
	p := passed{by: map[string]int{}}
	for _, m := range squidLine.FindAllStringSubmatch(g.read("access.log"), -1) {
		switch {
		case m[2] == "407" || m[2] == "403":
			p.denied++
			continue
		case m[4] == "-":
			continue // a connection without a request
		}
		what := m[4]
		if u, err := url.Parse(m[5]); err == nil && u.Scheme == "https" {
			what += " " + u.Path
		}
		n, _ := strconv.ParseInt(m[3], 10, 64)
		p.by[what]++
		p.bytes += n
		if m[6] == "-" {
			p.unnamed++
		}
	}
	return p
}

// TestANodeRegistersPollsAndDownloadsThroughProxies is point 7 of what the proxy is to show: Squid
// and Tinyproxy with a password, and Squid inspecting TLS; and what their own logs say of it.
func TestANodeRegistersPollsAndDownloadsThroughProxies(t *testing.T) {
	t.Parallel()
	needGateways(t)
	size, polls := 1<<20, proofPoll
	if os.Getenv("LONG") != "" {
		size, polls = 64<<20, 50*proofPoll
	}
	c := settings(t, filepath.Join(t.TempDir(), "data"))
	c.NodeNames = []string{hubName}
	hub := start(t, c)
	if a := hub.signIn("admin@example.com", hub.bound.Password); a.status != 200 {
		t.Fatal(a.body)
	}
	port := portOf(t, hub)
	s := scene{t: t, hub: hub, squid: squidFor(t, port, true, ""), parent: squidFor(t, port, false, ""),
		inspector: squidFor(t, port, true, hub.bound.CA), polls: polls}
	s.tiny = tinyproxyFor(t, port, s.parent)
	hub.publish(largeBundle(t, "1.0.0", 1))
	nodes := map[*gateway]*behind{}
	for name, g := range map[string]*gateway{"squid": s.squid, "tiny": s.tiny, "inspect": s.inspector} {
		nodes[g] = s.admitted(name, g)
		nodes[g].register()
	}
	hub.publish(largeBundle(t, "2.0.0", size))
	for _, b := range nodes {
		for range polls {
			b.poll()
		}
		s.size = b.download()
		s.polled += b.polled
	}
	s.switches(nodes[s.squid])
	s.direct, s.logged = s.excepted()
	s.judge()
}

// scene is the proof's hub and its proxies.
type scene struct {
	t                              *testing.T
	hub                            *running
	squid, parent, tiny, inspector *gateway
	polls, polled, refused         int
	direct, logged                 int // past the proxy because of no_proxy, and seen in its log
	size                           int64
}

// admitted is a node that has got through a proxy, after everything that must not.
func (s *scene) admitted(name string, g *gateway) *behind {
	s.t.Helper()
	b := newBehind(s.t, s.hub, name, "--proxy", "http://"+g.address)
	b.fails([]string{"set", "proxy", "--test"}, "requires a user name and a password")
	if err := b.asks(); err == nil {
		s.t.Errorf("%s: went through without a password", name)
	}
	b.fails([]string{"set", "proxy", "--user", gateUser, "--password-file", b.file("bad", "wrong\n"),
		"--test"}, "refused the user name or the password", "nothing was stored")
	credentials := []string{"set", "proxy", "--user", gateUser, "--password-file",
		b.file("good", gatePassword+"\n"), "--test"}
	s.refused += 3
	if g == s.inspector {
		b.fails(credentials, inspectorCA, "--trust-ca", "nothing was stored")
		credentials = append(credentials, "--trust-ca", g.path("inspector.pem"))
	}
	out := b.must(credentials...)
	if !strings.Contains(out, "has connected to the hub") || strings.Contains(out, gatePassword) {
		s.t.Errorf("%s: %s", name, out)
	}
	if g == s.inspector && !strings.Contains(out, "is inspected on its way by “"+inspectorCA+"”") {
		s.t.Errorf("%s: %s", name, out)
	}
	return b
}

// switches moves a registered node from proxy to proxy under a running enrollment: the next poll
// follows, without a new registration.
func (s *scene) switches(b *behind) {
	s.t.Helper()
	identity := *b.e.Identity()
	word := b.file("good", gatePassword+"\n")
	before := s.inspector.passed().by["POST "+wire.PathPoll]
	b.must("set", "proxy", "http://"+s.inspector.address, "--user", gateUser, "--password-file", word,
		"--trust-ca", s.inspector.path("inspector.pem"))
	b.poll()
	patiently(s.t, "the poll is in the inspecting proxy's log", func() bool {
		return s.inspector.passed().by["POST "+wire.PathPoll] == before+1
	})
	b.must("set", "proxy", "http://"+s.tiny.address, "--user", gateUser, "--password-file", word,
		"--distrust-ca")
	before = strings.Count(s.tiny.read("access.log"), "Established connection to upstream")
	b.poll()
	patiently(s.t, "the tunnel is in Tinyproxy's log", func() bool {
		return strings.Count(s.tiny.read("access.log"), "Established connection to upstream") == before+1
	})
	s.polled += 2
	if *b.e.Identity() != identity {
		s.t.Error("a changed proxy changed the identity")
	}
}

// excepted asks directly where no_proxy names the hub; without the exception the same question is in
// the proxy's log, so that the log is known to tell one from the other. It answers how often the
// direct way was taken, and how much of that is in the log.
func (s *scene) excepted() (direct, logged int) {
	s.t.Helper()
	path := "POST " + wire.PathInspect
	b := newBehind(s.t, s.hub, "direct", "--dial", hubName+"="+s.hub.bound.Node.String())
	b.must("set", "proxy", "http://"+s.inspector.address, "--user", gateUser, "--password-file",
		b.file("good", gatePassword+"\n"), "--trust-ca", s.inspector.path("inspector.pem"),
		"--no-proxy", "10.0.0.0/8,"+hubName)
	before := s.inspector.passed().by[path]
	for range proofPoll {
		if err := b.asks(); err != nil {
			s.t.Fatal(err)
		}
		direct++
	}
	logged = s.inspector.passed().by[path] - before
	b.must("set", "proxy", "--no-proxy", "10.0.0.0/8")
	if err := b.asks(); err != nil {
		s.t.Fatal(err)
	}
	patiently(s.t, "the log tells a request through the proxy", func() bool {
		return s.inspector.passed().by[path] == before+logged+1
	})
	return direct, logged
}

// requests are those that an inspecting proxy has seen one by one.
func requests(p passed) int {
	n := 0
	for what, times := range p.by {
		if what != "CONNECT" {
			n += times
		}
	}
	return n
}

// judge stops the proxies and believes their own logs alone.
func (s *scene) judge() {
	s.t.Helper()
	for _, g := range []*gateway{s.tiny, s.squid, s.inspector, s.parent} {
		g.stop()
	}
	squid, parent, inspector := s.squid.passed(), s.parent.passed(), s.inspector.passed()
	for name, p := range map[string]passed{"squid": squid, "squid behind tinyproxy": parent} {
		if p.by["CONNECT"] == 0 || p.bytes < s.size {
			s.t.Errorf("%s: %d tunnels, %d bytes of at least %d", name, p.by["CONNECT"], p.bytes, s.size)
		}
	}
	for what, least := range map[string]int{"CONNECT": 1, "POST " + wire.PathInspect: 1,
		"POST " + wire.PathClaim: 1, "POST " + wire.PathStatus: 1, "POST " + wire.PathToken: 1,
		"POST " + wire.PathPoll: s.polls, "GET /healthz": 1} {
		if inspector.by[what] < least {
			s.t.Errorf("the inspecting proxy saw %s %d times, at least %d", what, inspector.by[what], least)
		}
	}
	downloads := 0
	for what := range inspector.by {
		if strings.HasPrefix(what, "GET "+wire.PathBundles) {
			downloads++
		}
	}
	if downloads != 1 || inspector.bytes < s.size {
		s.t.Errorf("the inspecting proxy saw %d downloads, %d bytes", downloads, inspector.bytes)
	}
	if s.logged != 0 {
		s.t.Errorf("%d requests passed a proxy that no_proxy excepts", s.logged)
	}
	unnamed := squid.unnamed + inspector.unnamed
	tiny := s.tiny.read("access.log")
	asked := strings.Count(tiny, ": CONNECT "+hubName)
	through := strings.Count(tiny, "Established connection to upstream")
	denied := squid.denied + inspector.denied + asked - through
	if unnamed != 0 || denied < s.refused {
		s.t.Errorf("without a user let through %d, denied %d of at least %d", unnamed, denied, s.refused)
	}
	if s.t.Failed() {
		return
	}
	fmt.Printf("proof 3.7 proxies=3 registrations=3 polls=%d downloads=3 bytes_each=%d "+
		"tunnels=%d inspected=%d denied=%d without_password=%d direct_by_no_proxy=%d of_these_in_log=%d\n",
		s.polled, s.size, squid.by["CONNECT"]+through, requests(inspector), denied, unnamed, s.direct,
		s.logged)
}
