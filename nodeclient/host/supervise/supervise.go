// Package supervise runs the services of the active slot in a process of its own, so that the
// agent's death, restart or upgrade stops nothing. It knows no hub, permits or bundles in transit.
package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/bundle"
)

const (
	runDir          = "run"
	logsDir         = "logs"
	socketName      = "supervisor.sock"
	stateName       = "supervisor.json"
	lockName        = "supervisor.lock"
	maxStateFile    = 1 << 20
	defaultLogBytes = 10 << 20
	rotateEvery     = 5 * time.Second
	maxSocketPath   = 107
	// unknownStop is the deadline of a service whose own cannot be read.
	unknownStop = 30 * time.Second
)

// ErrRunning says that another supervisor owns the folder.
var ErrRunning = errors.New("a supervisor is running already")

// Options are what a supervisor is given.
type Options struct {
	// Dir is the node's data folder: slots, values, logs and the socket are below it.
	Dir string
	Now func() time.Time
	Log *slog.Logger
	// LogBytes is the size at which a service's log is turned over; one older one is kept.
	LogBytes int64
}

// Socket is where the supervisor of a data folder listens.
func Socket(dir string) string { return filepath.Join(dir, runDir, socketName) }

// CheckDir refuses a folder whose path is too long for the socket in it.
func CheckDir(dir string) error {
	if longest := maxSocketPath - len(Socket("")) - 1; len(dir) > longest {
		return fmt.Errorf("the path of the node's folder has %d bytes, %d are the most; choose a "+
			"shorter one", len(dir), longest)
	}
	return nil
}

// Supervisor owns the processes of one slot.
type Supervisor struct {
	opts     Options
	slots    *host.Slots
	boot     string
	shutdown chan struct{}

	mu      sync.Mutex
	saved   saved
	keepers []*keeper
	wg      sync.WaitGroup
	ctx     context.Context // of Run: a process outlives the request that started it
}

// saved is what a restarted supervisor has to know.
type saved struct {
	Goal      Goal              `json:"goal"`
	Slot      string            `json:"slot"`
	Boot      string            `json:"boot"`
	Processes map[string]handle `json:"processes"`
}

// handle names one process for ever: a pid alone is used again.
type handle struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks after boot
}

// Run re-adopts what runs, starts what should run, and answers on the socket until ctx ends or a
// shutdown is asked for. When ctx ends the services stay: the next supervisor adopts them.
func Run(ctx context.Context, opts Options) error {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return fmt.Errorf("cannot find data folder: %w", err)
	}
	opts.Dir = dir
	if opts.LogBytes <= 0 {
		opts.LogBytes = defaultLogBytes
	}
	lock, err := prepare(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	boot, err := host.BootID()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots, err := host.ViewSlots(dir)
	if err != nil {
		return err
	}
	s := &Supervisor{opts: opts, slots: slots, boot: boot, ctx: ctx, shutdown: make(chan struct{})}
	if err := s.resume(); err != nil {
		return err
	}
	err = s.serve(ctx, cancel)
	cancel()
	s.wg.Wait()
	return err
}

func prepare(dir string) (*os.File, error) {
	if err := CheckDir(dir); err != nil {
		return nil, err
	}
	for _, sub := range []string{runDir, logsDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("cannot make folder: %w", err)
		}
	}
	lock, err := os.OpenFile(filepath.Join(dir, runDir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("%w: %w", ErrRunning, err)
	}
	return lock, nil
}

// resume brings the processes to the saved goal. After a boot the active link decides the slot.
func (s *Supervisor) resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	active, err := s.slots.Active()
	if err != nil {
		return err
	}
	if s.saved, err = loadState(s.opts.Dir); err != nil {
		s.opts.Log.Error("supervisor state lost", "err", err)
	}
	if s.saved.Goal == "" {
		s.saved = saved{Goal: Stopped, Slot: active}
		if active != "" {
			s.saved.Goal = Running
		}
	}
	if s.saved.Boot != s.boot {
		s.saved.Processes = nil
		s.saved.Boot = s.boot
		if s.saved.Goal == Running {
			s.saved.Slot = active
		}
	}
	found := s.adoptable()
	if s.saved.Slot == "" {
		return nil
	}
	m, values, err := s.load(s.saved.Slot)
	if err != nil {
		s.opts.Log.Error("slot cannot run", "slot", s.saved.Slot, "err", err)
		s.hold(found)
		return nil // the agent decides what can run instead
	}
	s.launch(m, values, found)
	return nil
}

// adoptable finds the processes of the saved slot, by their record or by their mark, and ends what
// an earlier life left behind.
func (s *Supervisor) adoptable() map[string]handle {
	found := map[string]handle{}
	for name, h := range s.saved.Processes {
		if h.alive() {
			found[name] = h
		}
	}
	for _, stray := range marked(s.opts.Dir) {
		known, ok := found[stray.service]
		switch {
		case ok && known == stray.handle:
		case !ok && stray.slot == s.saved.Slot:
			found[stray.service] = stray.handle
		default:
			s.opts.Log.Warn("stray process ended", "slot", stray.slot, "service", stray.service,
				"pid", stray.PID)
			stray.killGroup()
		}
	}
	return found
}

func (s *Supervisor) load(slot string) (bundle.Manifest, bundle.Values, error) {
	m, err := s.slots.Manifest(slot)
	if err != nil {
		return bundle.Manifest{}, bundle.Values{}, err
	}
	values, err := host.LoadValues(s.opts.Dir)
	if err == nil {
		err = values.Check(m)
	}
	return m, values, err
}

// launch is called with mu held.
func (s *Supervisor) launch(m bundle.Manifest, values bundle.Values, found map[string]handle) {
	s.keepers = nil
	for _, svc := range m.Services {
		k := newKeeper(s, s.saved.Slot, svc, values)
		h, running := found[svc.Name]
		if running {
			k.current = adopt(s.ctx, h)
		}
		if s.saved.Goal != Running && !running {
			k.set(ServiceStopped, "")
			close(k.done)
			s.keepers = append(s.keepers, k)
			continue
		}
		s.keepers = append(s.keepers, k)
		if s.saved.Goal == Draining {
			k.askDrain()
		}
		if s.saved.Goal == Stopped {
			k.askStop()
		}
		s.wg.Go(func() { k.run(s.ctx) })
	}
}

// hold keeps what still runs of a slot that cannot be read any more: it serves on, counts as
// unhealthy, and ends when a stop is asked for. It is called with mu held.
func (s *Supervisor) hold(found map[string]handle) {
	for name, h := range found {
		k := newKeeper(s, s.saved.Slot, bundle.Service{Name: name,
			Stop: bundle.Stop{Deadline: bundle.Duration(unknownStop)}}, bundle.Values{})
		k.current = adopt(s.ctx, h)
		s.keepers = append(s.keepers, k)
		if s.saved.Goal != Running {
			k.askStop()
		}
		s.wg.Go(func() { k.holdOn(s.ctx) })
	}
}

// started remembers a process; a lost record is healed by the process's mark.
func (s *Supervisor) started(service string, h handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved.Processes == nil {
		s.saved.Processes = map[string]handle{}
	}
	s.saved.Processes[service] = h
	if err := s.save(); err != nil {
		s.opts.Log.Error("supervisor state not written", "err", err)
	}
}

func (s *Supervisor) save() error {
	raw, err := json.Marshal(s.saved)
	if err != nil {
		return fmt.Errorf("cannot write supervisor state: %w", err)
	}
	return atomicfile.Write(filepath.Join(s.opts.Dir, runDir, stateName), raw, 0o600)
}

func loadState(dir string) (saved, error) {
	name := filepath.Join(dir, runDir, stateName)
	info, err := os.Stat(name)
	if errors.Is(err, os.ErrNotExist) {
		return saved{}, nil
	}
	if err != nil {
		return saved{}, fmt.Errorf("cannot read supervisor state: %w", err)
	}
	if info.Size() > maxStateFile {
		return saved{}, fmt.Errorf("cannot read supervisor state of %d bytes", info.Size())
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return saved{}, fmt.Errorf("cannot read supervisor state: %w", err)
	}
	var st saved
	if err := json.Unmarshal(raw, &st); err != nil {
		return saved{}, fmt.Errorf("cannot read supervisor state: %w", err)
	}
	return st, nil
}

func (s *Supervisor) serve(ctx context.Context, cancel context.CancelFunc) error {
	path := Socket(s.opts.Dir)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot replace socket: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("cannot protect socket: %w", err), listener.Close())
	}
	s.wg.Go(func() { s.rotateLogs(ctx) })
	s.wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-s.shutdown:
			s.stopAll()
			cancel()
		}
		_ = listener.Close()
	})
	s.opts.Log.Info("supervisor listens", "socket", path)
	for {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // the end closes the listener
			}
			return fmt.Errorf("cannot accept: %w", err)
		}
		s.wg.Go(func() { s.answer(ctx, conn) })
	}
}

// stopAll ends the services but keeps the goal, so that the next supervisor starts them again.
func (s *Supervisor) stopAll() {
	s.mu.Lock()
	keepers := s.keepers
	s.mu.Unlock()
	for _, k := range keepers {
		k.askStop()
	}
	for _, k := range keepers {
		<-k.done
	}
}
