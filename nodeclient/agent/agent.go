// Package agent upgrades one node: it polls the hub, and takes a permit from fetch to soak or back.
// It knows the hub as an interface, and nothing of registration, tokens or pages.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/supervise"
	"connecthub/nodeclient/journal"
)

const (
	downloads    = "downloads"
	defaultTick  = 200 * time.Millisecond
	defaultWatch = time.Second
)

// Options are what an agent is given. Zero values that are not named as needed have defaults.
type Options struct {
	// Dir is the node's data folder. Needed, as are Hub, Journal, Slots, Now, Log and BootID.
	Dir           string
	Hub           Hub
	Journal       *journal.Journal
	Slots         *host.Slots
	Machine       host.Machine
	ClientVersion string
	BootID        string
	Now           func() time.Time
	Log           *slog.Logger
	// Revive starts a supervisor when none answers; nil only waits for one.
	Revive func(ctx context.Context) error
	// BytesPerSecond caps downloads; zero is no cap.
	BytesPerSecond int64
	// Free tells the free disk space of a folder; nil asks the file system.
	Free func(dir string) (int64, error)
	// Alone: the node is not registered, nobody is polled, and work by hand needs no permit (R33).
	Alone bool
	// Orchestrating names the work that this control node does on the deployment, or is about to do;
	// empty for none, and each has a name of its own. Nil: it never does any.
	Orchestrating func() string
	// PermitOpen is told who holds the cluster's open permit, after each poll: empty for nobody. Said
	// is whether that poll, made at asked, said that the node orchestrates; only then is it the hub's word.
	PermitOpen func(said bool, holder models.FQDN, asked time.Time)
	// Tick is how often the agent looks at services while it waits for them, Watch how often while
	// nothing is to be done.
	Tick, Watch time.Duration
	// At is told each point before and after a record or an effect; the crash proof ends the process
	// there. Nil otherwise.
	At func(point string)
}

// Status is what the node's own page shows.
type Status struct {
	Version     models.Version
	Step        models.Step
	Percent     int
	Health      models.Health
	Detail      string
	Permit      models.PermitID
	Outcome     models.Outcome
	Decision    wire.Decision
	Maintenance bool
	Denied      []string
	LastPoll    time.Time // local time of the last answer
	HubTime     time.Time // zero before the first answer of this boot
	Skew        time.Duration
	Trouble     string // why the last poll failed
}

// Agent is one node's agent. Run it once.
type Agent struct {
	opts     Options
	services supervise.Client
	// write makes a change durable; the crash proof's mutant replaces it.
	write func(change func() error) error

	counter  atomic.Uint64
	progress atomic.Int64
	changed  chan struct{} // something the hub should know
	wake     chan struct{} // something the worker should do

	mu          sync.Mutex
	cancelEntry context.CancelCauseFunc // while a step that can be given up runs
	watched     supervise.Status
	watchErr    error
	clock       clock
	decision    wire.Decision
	maintenance bool
	sendFacts   bool
	sendAll     bool // packages
	factsAt     time.Time
	facts       host.Facts
	lastPoll    time.Time
	trouble     string
	gone        bool               // deregistered
	declined    *wire.PermitReport // given back without an entry, until the hub knows
	asking      bool               // for a permit for work by hand
	orchestrate string             // as it was last looked at

	allowance allowance // of the worker alone
}

// New prepares an agent; it starts nothing.
func New(opts Options) (*Agent, error) {
	if opts.Tick <= 0 {
		opts.Tick = defaultTick
	}
	if opts.Watch <= 0 {
		opts.Watch = defaultWatch
	}
	if opts.At == nil {
		opts.At = func(string) {}
	}
	if opts.Revive == nil {
		opts.Revive = func(context.Context) error { return nil }
	}
	if err := os.MkdirAll(filepath.Join(opts.Dir, downloads), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make downloads folder: %w", err)
	}
	if opts.Orchestrating == nil {
		opts.Orchestrating = func() string { return "" }
	}
	if opts.PermitOpen == nil {
		opts.PermitOpen = func(bool, models.FQDN, time.Time) {}
	}
	return &Agent{opts: opts, services: supervise.Client{Dir: opts.Dir},
		write:   func(change func() error) error { return change() },
		changed: make(chan struct{}, 1), wake: make(chan struct{}, 1)}, nil
}

// Run works until ctx ends, the journal cannot be written any more, or the hub has said, signed,
// that the node is deregistered: then ErrDeregistered, after an upgrade under way has ended. The
// services run on in every case.
func (a *Agent) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var workErr, pollErr error
	a.observe(ctx)
	wg.Go(func() { a.watch(ctx) })
	wg.Go(func() {
		defer cancel()
		workErr = a.work(ctx)
	})
	wg.Go(func() {
		if a.opts.Alone {
			return
		}
		pollErr = a.pollLoop(ctx)
		if pollErr != nil && !errors.Is(pollErr, ErrDeregistered) {
			cancel()
		}
	})
	wg.Wait()
	return errors.Join(workErr, pollErr)
}

// Status is the present state, for the node's own page.
func (a *Agent) Status() Status {
	st := a.opts.Journal.State()
	a.mu.Lock()
	defer a.mu.Unlock()
	health, detail := a.health()
	s := Status{Version: a.version(), Step: wireStep(st.Entry), Percent: int(a.progress.Load()),
		Health: health, Detail: detail, Decision: a.decision, Maintenance: a.maintenance,
		Denied: st.Denied, LastPoll: a.lastPoll, HubTime: a.clock.now(a.opts.Now()),
		Skew: a.clock.skew(), Trouble: a.trouble}
	if st.Entry != nil {
		s.Permit, s.Outcome = models.PermitID(st.Entry.Permit), models.Outcome(st.Entry.Outcome)
	}
	return s
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// watch keeps an eye on the services and lets the hub know at once when their health changes.
func (a *Agent) watch(ctx context.Context) {
	tick := time.NewTicker(a.opts.Watch)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			a.observe(ctx)
		}
	}
}

func (a *Agent) observe(ctx context.Context) {
	st, err := a.services.Status(ctx)
	a.saw(st, err)
}

func (a *Agent) saw(st supervise.Status, err error) {
	a.mu.Lock()
	before, _ := a.health()
	a.watched, a.watchErr = st, err
	after, _ := a.health()
	busy := a.opts.Orchestrating()
	turned := busy != a.orchestrate
	a.orchestrate = busy
	a.mu.Unlock()
	if before != after || turned {
		signal(a.changed)
	}
}

// health is called with mu held.
func (a *Agent) health() (models.Health, string) {
	switch {
	case a.watchErr != nil:
		return models.HealthUnknown, a.watchErr.Error()
	case a.watched.Healthy():
		return models.Healthy, ""
	default:
		return models.Unhealthy, a.watched.Detail()
	}
}

// version is the version of the active slot, empty when nothing is installed.
func (a *Agent) version() models.Version {
	slot, err := a.opts.Slots.Active()
	if err != nil || slot == "" {
		return ""
	}
	m, err := a.opts.Slots.Manifest(slot)
	if err != nil {
		a.opts.Log.Error("active slot cannot be read", "slot", slot, "err", err)
		return ""
	}
	return m.Version
}
