package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/agent"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/hosttest"
	"connecthub/nodeclient/journal"
)

const (
	hubVariable   = "AGENTTEST_HUB"
	crashVariable = "AGENTTEST_CRASH"
	traceVariable = "AGENTTEST_TRACE"
	lateVariable  = "AGENTTEST_LATE"
	fullVariable  = "AGENTTEST_FULL"
	factsVariable = "AGENTTEST_FACTS"
	bootVariable  = "AGENTTEST_BOOT"
	journalName   = "journal"
)

func TestMain(m *testing.M) {
	os.Exit(hosttest.Main(m, time.Now, os.Getenv, map[string]hosttest.Role{"agent": runAgent}))
}

// runAgent is the real agent in a process of its own. It ends itself with SIGKILL at the named
// point, and writes the points it passes where it is asked to.
func runAgent(ctx context.Context, dir string) error {
	j, err := journal.Open(filepath.Join(dir, journalName))
	if err != nil {
		return err
	}
	slots, err := host.OpenSlots(dir)
	if err != nil {
		return err
	}
	boot, err := host.BootID()
	if err != nil {
		return err
	}
	if another := os.Getenv(bootVariable); another != "" {
		boot = another // as after the machine's next start
	}
	opts := agent.Options{Dir: dir, Hub: &httpHub{url: os.Getenv(hubVariable)}, Journal: j, Slots: slots,
		Machine: host.Machine{DataDir: dir, List: noPackages}, BootID: boot, Now: time.Now,
		Log: hosttest.Log(os.Stderr), At: crashAt(),
		Tick: 10 * time.Millisecond, Watch: 50 * time.Millisecond}
	switch os.Getenv(factsVariable) {
	case "none":
		opts.Machine.List = func(context.Context) ([]byte, error) { return nil, errors.New("no list") }
	case "many":
		opts.Machine.List = manyPackages
	}
	if os.Getenv(fullVariable) != "" {
		opts.Free = func(string) (int64, error) { return 1 << 20, nil }
	}
	a, err := agent.New(opts)
	if err != nil {
		return err
	}
	if os.Getenv(lateVariable) != "" {
		a.RecordLate()
	}
	return a.Run(ctx)
}

func manyPackages(context.Context) ([]byte, error) {
	var lines bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&lines, "package-%04d\t1.0\n", i)
	}
	return lines.Bytes(), nil
}

func noPackages(context.Context) ([]byte, error) { return nil, nil }

func crashAt() func(string) {
	point, trace := os.Getenv(crashVariable), os.Getenv(traceVariable)
	var mu sync.Mutex
	return func(at string) {
		mu.Lock()
		defer mu.Unlock()
		if trace != "" {
			f, err := os.OpenFile(trace, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
			if err == nil {
				fmt.Fprintln(f, at)
				_ = f.Close()
			}
		}
		if at == point {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	}
}

// httpHub is the agent's way to the test's hub: real HTTP, without the identity.
type httpHub struct{ url string }

func (h *httpHub) Poll(ctx context.Context, req wire.PollRequest) (resp wire.PollResponse, err error) {
	return resp, h.post(ctx, wire.PathPoll, req, &resp)
}

func (h *httpHub) Confirm(ctx context.Context, id models.PermitID, req wire.ConfirmRequest,
) (resp wire.ConfirmResponse, err error) {
	return resp, h.post(ctx, wire.PathPermits+string(id)+"/confirm", req, &resp)
}

func (h *httpHub) Local(ctx context.Context, req wire.LocalRequest) (resp wire.LocalResponse, err error) {
	return resp, h.post(ctx, wire.PathLocal, req, &resp)
}

func (h *httpHub) post(ctx context.Context, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return json.NewDecoder(io.LimitReader(resp.Body, wire.MaxBody)).Decode(out)
	case http.StatusGone:
		if resp.Header.Get("Signed") != "" {
			return agent.ErrDeregistered
		}
	}
	return &agent.RetryError{Err: errors.New(resp.Status)}
}

func (h *httpHub) Bundle(ctx context.Context, digest string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+wire.PathBundles+digest, nil)
	if err != nil {
		return nil, err
	}
	req.Header = header
	return http.DefaultClient.Do(req)
}

// hub keeps one permit for one node the way R20 says, and notes whatever breaks it.
type hub struct {
	mu       sync.Mutex
	permit   *wire.Permit
	bundle   []byte
	state    models.PermitState
	outcome  models.Outcome
	detail   string
	refuse   models.Reason // of the next confirms
	down     bool
	signed   bool // every poll is answered by a signed deregistration
	unsigned bool // every poll is answered by an unsigned one
	confirms int
	boots    []string
	polls    []wire.PollRequest
	asked    []wire.LocalRequest // for work by hand
	unheard  bool                // reports of work without a permit are not heard yet
	reports  []wire.HandReport
	asks     bool   // for facts, and for packages
	facts    string // digests of what was told
	packages string
	broken   []string
	srv      *httptest.Server
}

func newHub(t testing.TB) *hub {
	t.Helper()
	h := &hub{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.PathPoll, h.poll)
	mux.HandleFunc("POST "+wire.PathPermits+"{id}/confirm", h.confirm)
	mux.HandleFunc("POST "+wire.PathLocal, h.local)
	mux.HandleFunc("GET "+wire.PathBundles+"{digest}", h.depot)
	h.srv = httptest.NewServer(mux)
	t.Cleanup(h.srv.Close)
	return h
}

// locked changes or reads the hub while nobody talks to it.
func (h *hub) locked(do func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	do()
}

func (h *hub) offer(id string, counter uint64, b hosttest.Bundle) {
	h.locked(func() {
		h.permit = &wire.Permit{ID: models.PermitID(id), Kind: models.PermitUpgrade,
			State: models.PermitOffered, Fence: models.Fence{Incarnation: 1, Counter: counter},
			Version: b.Version, Digest: b.Digest, Size: int64(len(b.Raw))}
		h.bundle, h.state, h.outcome, h.detail = b.Raw, models.PermitOffered, "", ""
	})
}

func (h *hub) poll(w http.ResponseWriter, r *http.Request) {
	var req wire.PollRequest
	if json.NewDecoder(r.Body).Decode(&req) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.down:
		w.WriteHeader(http.StatusBadGateway)
		return
	case h.signed:
		w.Header().Set("Signed", "yes")
		w.WriteHeader(http.StatusGone)
		return
	case h.unsigned:
		w.WriteHeader(http.StatusGone)
		return
	}
	h.polls = append(h.polls, req)
	resp := wire.PollResponse{Protocol: wire.Protocol, Now: time.Now().UTC(), NextPollMS: 100,
		Decision: wire.Decision{Verb: models.VerbNone, Reason: models.ReasonUpToDate}}
	if h.asks {
		if len(req.Facts) > 0 {
			h.facts = req.FactsDigest
		}
		if req.Packages != nil {
			h.packages = req.FactsDigest
		}
		resp.SendFacts = h.facts != req.FactsDigest
		resp.SendPackages = h.packages != req.FactsDigest
	}
	if req.Permit != nil {
		h.report(req, &resp)
	}
	for _, r := range req.ByHand {
		if !h.unheard {
			h.reports = append(h.reports, r)
			resp.ByHandHeard = append(resp.ByHandHeard, r.ID)
		}
	}
	if h.permit != nil && h.state != models.PermitEnded {
		p := *h.permit
		p.State = h.state
		resp.Permit = &p
	}
	_ = json.NewEncoder(w).Encode(resp)
}

func (h *hub) report(req wire.PollRequest, resp *wire.PollResponse) {
	mine := h.permit != nil && req.Permit.ID == h.permit.ID && req.Permit.Fence == h.permit.Fence
	if mine && req.Step.Disruptive() && h.state != models.PermitConfirmed {
		h.broken = append(h.broken, fmt.Sprintf("step %s without a confirmed permit", req.Step))
	}
	if mine && req.Permit.Outcome != "" && h.state != models.PermitEnded {
		h.state, h.outcome, h.detail = models.PermitEnded, req.Permit.Outcome, req.Permit.Detail
	}
	if !mine || h.state == models.PermitEnded {
		resp.PermitEnded = req.Permit.ID
	}
}

// local gives the one permit out for work by hand, unless a reason says no.
func (h *hub) local(w http.ResponseWriter, r *http.Request) {
	var req wire.LocalRequest
	if json.NewDecoder(r.Body).Decode(&req) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	h.asked = append(h.asked, req)
	resp := wire.LocalResponse{Now: time.Now().UTC(), Reason: h.refuse, Subject: "cc-sub.example.com"}
	if h.refuse == "" {
		if h.permit == nil || h.state == models.PermitEnded {
			n := req.Poll.HighestFence.Counter + 1
			h.permit = &wire.Permit{ID: models.PermitID(fmt.Sprintf("local-%d", n)),
				Kind: models.PermitLocal, Fence: models.Fence{Incarnation: 1, Counter: n},
				Version: req.Version, Digest: req.Digest}
			h.state, h.outcome, h.detail = models.PermitOffered, "", ""
		}
		p := *h.permit
		p.State = h.state
		resp = wire.LocalResponse{Now: resp.Now, Permit: &p}
	}
	_ = json.NewEncoder(w).Encode(resp)
}

func (h *hub) confirm(w http.ResponseWriter, r *http.Request) {
	var req wire.ConfirmRequest
	if json.NewDecoder(r.Body).Decode(&req) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	resp := wire.ConfirmResponse{Now: time.Now().UTC(), StopWithinMS: 60_000}
	switch {
	case h.refuse != "":
		resp.Reason = h.refuse
	case h.permit == nil || r.PathValue("id") != string(h.permit.ID) || req.Fence != h.permit.Fence ||
		h.state == models.PermitEnded:
		resp.Reason = models.ReasonStalePermit
	default:
		resp.Confirmed, h.state = true, models.PermitConfirmed
		h.confirms++
		h.boots = append(h.boots, req.BootID)
	}
	_ = json.NewEncoder(w).Encode(resp)
}

func (h *hub) depot(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	body, down := h.bundle, h.down
	h.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.Header().Set("ETag", `"`+r.PathValue("digest")+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// node is one machine: data folder, supervisor, agent, and the hub it talks to.
type node struct {
	dir   string
	port  int
	hub   *hub
	old   hosttest.Bundle
	agent *hosttest.Process
	// supervisor is the present one.
	supervisor *hosttest.Process
}

// newNode runs version 1.0 and no agent yet.
func newNode(t testing.TB, old hosttest.Bundle) *node {
	t.Helper()
	n := &node{hub: newHub(t), old: old}
	n.dir, n.port = hosttest.Dir(t)
	hosttest.Install(t, n.dir, old)
	n.supervisor = hosttest.Supervise(t, n.dir)
	hosttest.Await(t, "the old version answers", func() bool { return hosttest.Answer(n.port) == "1.0" })
	return n
}

func (n *node) start(t testing.TB, env ...string) *hosttest.Process {
	t.Helper()
	n.agent = hosttest.Start(t, "agent", n.dir, append(env, hubVariable+"="+n.hub.srv.URL)...)
	return n.agent
}

func (n *node) awaitOutcome(t testing.TB, want models.Outcome) {
	t.Helper()
	var got models.Outcome
	var detail string
	defer func() {
		if t.Failed() {
			n.agent.Kill()
			t.Logf("agent: %s", n.agent.Output())
		}
	}()
	hosttest.Await(t, "the permit ends", func() bool {
		n.hub.locked(func() { got, detail = n.hub.outcome, n.hub.detail })
		return got != ""
	})
	if got != want {
		t.Fatalf("the permit ended %s (%s), want %s", got, detail, want)
	}
	n.hub.locked(func() {
		if len(n.hub.broken) > 0 {
			t.Fatalf("rules broken: %v", n.hub.broken)
		}
	})
}

func (n *node) journal(t testing.TB) journal.State {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(n.dir, journalName))
	if errors.Is(err, os.ErrNotExist) {
		return journal.State{}
	}
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	return j.State()
}

func (n *node) active(t testing.TB) string {
	t.Helper()
	target, err := os.Readlink(filepath.Join(n.dir, "active"))
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Base(target)
}

// traced are the points of a trace, each once, in order.
func traced(t testing.TB, name string) []string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var points []string
	seen := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if !seen[line] {
			seen[line] = true
			points = append(points, line)
		}
	}
	return points
}
