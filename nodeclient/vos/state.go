package vos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"connecthub/models/compat"
	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/supervise"
)

// side is one installed version: its own slot, and on it a slot for each patch, the oldest first. The
// last slot is what runs.
type side []string

func (s side) top() string {
	if len(s) == 0 {
		return ""
	}
	return s[len(s)-1]
}

// sides are what changes as one.
type sides struct {
	Active   side `json:"active"`
	Inactive side `json:"inactive,omitempty"`
}

// state is everything that is remembered of a machine. It is the truth: the links that say what starts
// follow it.
type state struct {
	sides
	Packages    []string `json:"packages,omitempty"` // as their files are called
	Maintenance bool     `json:"maintenance,omitempty"`
	FailedBoot  string   `json:"failedBoot,omitempty"` // the boot on which an upgrade failed
}

// Machine is one VOS machine's folder.
type Machine struct {
	Config
	dir     string
	release string
	now     func() time.Time
	log     *slog.Logger
	slots   *host.Slots
}

// Open reads a machine's folder; release is of this program.
func Open(dir, release string, now func() time.Time, log *slog.Logger) (*Machine, error) {
	c, err := LoadConfig(dir)
	if err != nil {
		return nil, err
	}
	slots, err := host.ViewSlots(dir)
	if err != nil {
		return nil, err
	}
	return &Machine{Config: c, dir: dir, release: release, now: now, log: log, slots: slots}, nil
}

func (m *Machine) path(name ...string) string {
	return filepath.Join(append([]string{m.dir}, name...)...)
}

func (m *Machine) bootID() (string, error) {
	f, err := os.Open(m.bootFile())
	if err != nil {
		return "", fmt.Errorf("cannot read the boot id: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, bootIDLimit))
	if err != nil {
		return "", fmt.Errorf("cannot read the boot id: %w", err)
	}
	if id := strings.TrimSpace(string(raw)); id != "" {
		return id, nil
	}
	return "", errors.New("cannot read the boot id: it is empty")
}

func (m *Machine) state() (state, error) {
	var s state
	err := atomicfile.ReadJSON(m.path(stateFile), maxConfig, &s)
	if errors.Is(err, os.ErrNotExist) {
		return state{}, nil
	}
	return s, err
}

// change alters what is remembered, one process at a time, and brings the links after it.
func (m *Machine) change(how func(*state) error) error {
	unlock, err := lock(m.path("vos-state.lock"), unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := m.state()
	if err != nil {
		return err
	}
	if err := how(&s); err != nil {
		return err
	}
	if err := atomicfile.WriteJSON(m.path(stateFile), s); err != nil {
		return err
	}
	return m.follow(s.sides)
}

// follow points the links at what is remembered: after a crash in between, too.
func (m *Machine) follow(s sides) error {
	if s.Active.top() == "" {
		return nil
	}
	return m.slots.Switch(s.Active.top(), s.Inactive.top())
}

// Alone keeps two of the same from running at once; the second is refused.
func (m *Machine) Alone(what string) (unlock func(), err error) {
	unlock, err = lock(m.path(what+".lock"), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, errLocked) {
		return nil, &vosapi.Refusal{Code: vosapi.Busy, Detail: what}
	}
	return unlock, err
}

var errLocked = errors.New("another process is at it")

// lock takes a file's lock; unlocking is said, not left to closing, for a process that is just being
// started may hold the same file for a moment.
func lock(path string, how int) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock: %w", err)
	}
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(f.Fd()), how)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w: %w", errLocked, err)
	}
	return func() {
		_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
		_ = f.Close()
	}, nil
}

// versionOf is the component's version of a slot.
func (m *Machine) versionOf(slot string) (compat.Version, error) {
	manifest, err := m.slots.Manifest(slot)
	if err != nil {
		return compat.Version{}, err
	}
	return compat.FromRelease(manifest.Version)
}

func (m *Machine) shown(s side) (vosapi.Side, error) {
	shown := vosapi.Side{Patches: []compat.Version{}}
	for i, slot := range s {
		v, err := m.versionOf(slot)
		if err != nil {
			return shown, err
		}
		if i == 0 {
			shown.Version = v
		} else {
			shown.Patches = append(shown.Patches, v)
		}
	}
	return shown, nil
}

// Pong is who this machine is.
func (m *Machine) Pong() (vosapi.Pong, error) {
	boot, err := m.bootID()
	if err != nil {
		return vosapi.Pong{}, err
	}
	return vosapi.Pong{Name: m.Name, Product: m.Product, Cluster: m.Cluster, Type: m.Type,
		BootID: boot, Time: m.now().UTC(), Release: vosapi.Plain(m.release)}, nil
}

// Facts is how this machine stands.
func (m *Machine) Facts(ctx context.Context) (vosapi.Facts, error) {
	s, err := m.state()
	if err != nil {
		return vosapi.Facts{}, err
	}
	var f vosapi.Facts
	if f.Pong, err = m.Pong(); err != nil {
		return f, err
	}
	if f.Active, err = m.shown(s.Active); err != nil {
		return f, err
	}
	if len(s.Inactive) > 0 {
		inactive, err := m.shown(s.Inactive)
		if err != nil {
			return f, err
		}
		f.Inactive = &inactive
	}
	f.Packages = append([]string{}, s.Packages...)
	f.Maintenance, f.RestartNeeded = s.Maintenance, s.FailedBoot == f.BootID
	if f.DiskFree, err = m.room(); err != nil {
		return f, err
	}
	if f.HostKeys, err = hostKeys(m.HostKeys); err != nil {
		return f, err
	}
	running, err := m.running()
	if err != nil {
		return f, err
	}
	f.Running = running
	m.health(ctx, s, &f)
	return f, nil
}

// health says whether what is active serves; that nothing is installed is no fault.
func (m *Machine) health(ctx context.Context, s state, f *vosapi.Facts) {
	if s.Active.top() == "" {
		f.HealthDetail = "nothing is installed"
		return
	}
	status, err := supervise.Client{Dir: m.dir}.Status(ctx)
	switch {
	case err != nil:
		f.HealthDetail = "the services do not run"
	case !status.Healthy():
		f.HealthDetail = vosapi.Plain(status.Detail())
		if f.HealthDetail == "" {
			f.HealthDetail = "the services do not run"
		}
	default:
		f.Healthy = true
	}
}

// room is how many bytes a file may take: what is free, without what has to stay free.
func (m *Machine) room() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(m.path(incomingDir), &st); err != nil {
		return 0, fmt.Errorf("cannot measure the disk: %w", err)
	}
	return max(0, int64(st.Bavail)*st.Bsize-m.KeepFree), nil
}

// RecordPackage notes a package that was installed by hand, as its file is called:
// ucos.keymanagement.cop.sgn. Recording it again changes nothing.
func (m *Machine) RecordPackage(file string) error {
	if !packagePattern.MatchString(file) {
		return errors.New("a package is named as its file is, such as ucos.keymanagement.cop.sgn")
	}
	return m.change(func(s *state) error {
		at, found := slices.BinarySearch(s.Packages, file)
		switch {
		case found:
			return nil
		case len(s.Packages) >= vosapi.MaxPackages:
			return errors.New("too many packages are recorded")
		}
		s.Packages = slices.Insert(s.Packages, at, file)
		return nil
	})
}

// ForgetPackage takes a note away.
func (m *Machine) ForgetPackage(file string) error {
	return m.change(func(s *state) error {
		at, found := slices.BinarySearch(s.Packages, file)
		if !found {
			return fmt.Errorf("the package %s is not recorded", vosapi.Plain(file))
		}
		s.Packages = slices.Delete(s.Packages, at, at+1)
		return nil
	})
}

// InstallFirst puts a first version on a machine that has none, by hand. Later ones come from a control
// node.
func (m *Machine) InstallFirst(ctx context.Context, path string) (vosapi.Side, error) {
	unlock, err := lock(m.path(workLock), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		return vosapi.Side{}, err
	}
	defer unlock()
	s, err := m.state()
	if err != nil {
		return vosapi.Side{}, err
	}
	if len(s.Active) > 0 {
		return vosapi.Side{}, errors.New("a version is installed already; upgrades and patches come " +
			"from the control node")
	}
	digest, err := digestOf(ctx, path)
	if err != nil {
		return vosapi.Side{}, err
	}
	if m.slots, err = host.OpenSlots(m.dir); err != nil {
		return vosapi.Side{}, err
	}
	slot, v, room, err := m.inspect(ctx, path, digest)
	switch {
	case err != nil:
		return vosapi.Side{}, err
	case v.ES > 0:
		return vosapi.Side{}, fmt.Errorf("the first version is no patch: %s", v)
	case !room:
		return vosapi.Side{}, errors.New("there is not enough space on the disk")
	}
	if err := m.fill(ctx, path, slot); err != nil {
		return vosapi.Side{}, err
	}
	s.Active = side{slot}
	if err := m.change(func(now *state) error { now.Active = s.Active; return nil }); err != nil {
		return vosapi.Side{}, err
	}
	shown, err := m.shown(s.Active)
	return shown, errors.Join(err, m.run(ctx, s.Active))
}
