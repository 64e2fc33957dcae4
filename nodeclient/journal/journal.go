// Package journal keeps what a node is about to do on disk before it does it. It knows no hub,
// bundles or processes: it only remembers.
package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"connecthub/nodeclient/atomicfile"
)

// Step is where an upgrade stands.
type Step string

// The steps forward, in their order.
const (
	Fetching   Step = "fetching"
	Unpacking  Step = "unpacking"
	Verified   Step = "verified"
	Confirming Step = "confirming"
	Draining   Step = "draining"
	Stopping   Step = "stopping"
	// Stopped: the services are down because somebody wants them to be, until they are started by hand
	// (R33).
	Stopped   Step = "stopped"
	Switching Step = "switching"
	Starting  Step = "starting"
	Checking  Step = "checking"
	Soaking   Step = "soaking"
)

// The steps back, in their order; they may follow any step from Draining on.
const (
	BackStopping  Step = "back_stopping"
	BackSwitching Step = "back_switching"
	BackStarting  Step = "back_starting"
	BackChecking  Step = "back_checking"
)

// Ended is the step of an entry whose outcome has still to be told to the hub.
const Ended Step = "ended"

// Steps are all steps but Ended, in order.
func Steps() []Step {
	return []Step{Fetching, Unpacking, Verified, Confirming, Draining, Stopping, Stopped, Switching,
		Starting, Checking, Soaking, BackStopping, BackSwitching, BackStarting, BackChecking}
}

// Disruptive says whether a service may be down, or a new one unproven, in this step.
func (s Step) Disruptive() bool {
	i := slices.Index(Steps(), s)
	return i >= slices.Index(Steps(), Draining)
}

// Back says whether the step belongs to a rollback.
func (s Step) Back() bool {
	return slices.Index(Steps(), s) >= slices.Index(Steps(), BackStopping)
}

// Fence is the fence of a permit (R21).
type Fence struct {
	Incarnation uint64 `json:"incarnation"`
	Counter     uint64 `json:"counter"`
}

// Less says whether f is older than g.
func (f Fence) Less(g Fence) bool {
	if f.Incarnation != g.Incarnation {
		return f.Incarnation < g.Incarnation
	}
	return f.Counter < g.Counter
}

// Entry is one upgrade under one permit. A journal has at most one that is open.
type Entry struct {
	Permit      string `json:"permit"`
	Fence       Fence  `json:"fence"`
	Version     string `json:"version"`
	FromVersion string `json:"from_version"`
	Digest      string `json:"digest"`
	Size        int64  `json:"size"`
	From        string `json:"from"` // slot, empty when nothing was installed
	To          string `json:"to"`   // slot
	Step        Step   `json:"step"`
	Boot        string `json:"boot"`      // of the step
	Confirmed   bool   `json:"confirmed"` // the hub said yes at least once
	// PermitGone: the hub ended the permit while a service was down (override, R20). From then on
	// nothing is stopped any more; starting goes on.
	PermitGone bool      `json:"permit_gone,omitempty"`
	Hand       Hand      `json:"hand,omitzero"`
	Outcome    string    `json:"outcome,omitempty"`
	Detail     string    `json:"detail,omitempty"`
	BegunAt    time.Time `json:"begun_at"`
	At         time.Time `json:"at"` // of the step
}

// Hand is work by hand (R33); of an upgrade that came from the hub it is zero.
type Hand struct {
	Request string `json:"request,omitempty"` // its id; empty: this is no work by hand
	Work    string `json:"work,omitempty"`
	Who     string `json:"who,omitempty"`
	// Despite: where the hub cannot be reached, it is done without a permit. Unpermitted: it was.
	Despite     bool `json:"despite,omitempty"`
	Unpermitted bool `json:"unpermitted,omitempty"`
}

// ByHand says whether the entry is work by hand.
func (e Entry) ByHand() bool { return e.Hand.Request != "" }

// State is everything a node remembers.
type State struct {
	Fence  Fence    `json:"fence"` // the highest seen
	Denied []string `json:"denied,omitempty"`
	Entry  *Entry   `json:"entry,omitempty"`
}

// The refusals of a journal.
var (
	// ErrDamaged: a record that was once complete no longer is. Salvage keeps what can be read.
	ErrDamaged = errors.New("journal damaged")
	ErrOpen    = errors.New("an entry is open already")
	ErrNone    = errors.New("no entry is open")
	ErrFence   = errors.New("the fence is older than one already seen")
	// ErrBroken: a write failed before, so that nobody knows what is on disk; open it again.
	ErrBroken = errors.New("journal cannot be written")
)

const (
	maxFile    = 8 << 20
	maxRecord  = 64 << 10
	compactAt  = 256 << 10
	maxDenied  = 256
	maxDetail  = 1024
	ballastLen = 256 << 10
)

// Journal is an append-only file of records; each holds the whole State, so that the last good one
// is the truth. A method returns only when its record is on stable storage.
type Journal struct {
	path  string
	mu    sync.Mutex
	file  *os.File
	size  int64
	seq   uint64
	state State
	err   error
}

// Open reads the journal, or begins one. It drops a last record that was never complete, and
// refuses with ErrDamaged where a complete one has changed.
func Open(path string) (*Journal, error) {
	raw, err := readFile(path)
	if err != nil {
		return nil, err
	}
	last, good, err := scan(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", filepath.Base(path), err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open journal: %w", err)
	}
	j := &Journal{path: path, file: f, size: good, seq: last.Seq, state: last.State}
	if err := j.settle(int64(len(raw))); err != nil {
		_ = f.Close()
		return nil, err
	}
	return j, nil
}

// Peek is the last State on disk, for whoever only looks: the file's owner may be writing it.
func Peek(path string) (State, error) {
	raw, err := readFile(path)
	if err != nil {
		return State{}, err
	}
	last, _, err := scan(raw)
	if err != nil {
		return State{}, fmt.Errorf("cannot read %s: %w", filepath.Base(path), err)
	}
	return last.State, nil
}

// settle cuts off a torn tail and makes the file's name durable.
func (j *Journal) settle(length int64) error {
	if length != j.size {
		if err := j.file.Truncate(j.size); err != nil {
			return fmt.Errorf("cannot cut torn record: %w", err)
		}
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("cannot sync journal: %w", err)
	}
	return atomicfile.SyncDir(filepath.Dir(j.path))
}

// Salvage moves a damaged journal aside and begins a new one with the newest State that can still
// be read in it, so that fence and deny list survive.
func Salvage(path string) (*Journal, error) {
	raw, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var best record
	for line := range bytes.SplitSeq(raw, []byte("\n")) {
		if r, err := parse(line); err == nil && r.Seq >= best.Seq {
			best = r
		}
	}
	line, err := format(record{Seq: best.Seq + 1, State: best.State})
	if err != nil {
		return nil, err
	}
	// Both names lead to a journal at every instant: what can be saved is on disk before the damaged
	// file loses its place.
	if err := os.Remove(path + ".damaged"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot keep damaged journal: %w", err)
	}
	if err := os.Link(path, path+".damaged"); err != nil {
		return nil, fmt.Errorf("cannot keep damaged journal: %w", err)
	}
	f, err := replace(path, line)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("cannot close journal: %w", err)
	}
	return Open(path)
}

// Close lets go of the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.err = ErrBroken
	}
	return j.file.Close()
}

// State is what is on disk now.
func (j *Journal) State() State {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.clone()
}

func (s State) clone() State {
	s.Denied = slices.Clone(s.Denied)
	if s.Entry != nil {
		e := *s.Entry
		s.Entry = &e
	}
	return s
}

// Begin opens an entry at Fetching; work by hand, which fetches nothing, at Confirming. It refuses
// while one is open, and a fence older than the highest one seen (R21).
func (j *Journal) Begin(e Entry, at time.Time) error {
	if err := writeBallast(j.ballast()); err != nil {
		return fmt.Errorf("cannot reserve room for the journal: %w", err)
	}
	return j.change(func(s *State) error {
		if s.Entry != nil {
			return ErrOpen
		}
		if e.Fence.Less(s.Fence) {
			return ErrFence
		}
		e.Step, e.BegunAt, e.At, e.Outcome, e.Detail = Fetching, at, at, "", ""
		if e.ByHand() {
			e.Step = Confirming
		}
		s.Fence, s.Entry = e.Fence, &e
		return nil
	})
}

// Update changes the open entry: its step, its detail, what was learned.
func (j *Journal) Update(at time.Time, change func(*Entry)) error {
	return j.change(func(s *State) error {
		if s.Entry == nil {
			return ErrNone
		}
		change(s.Entry)
		s.Entry.At = at
		s.Entry.Detail = s.Entry.Detail[:min(len(s.Entry.Detail), maxDetail)]
		return nil
	})
}

// Finish gives the open entry its outcome. It stays open, at Ended, until the hub knows.
// A denied version joins the deny list in the same record (R28): the one that the entry went to, or
// from where it is back by hand (R33).
func (j *Journal) Finish(outcome, detail string, deny bool, at time.Time) error {
	return j.change(func(s *State) error {
		if s.Entry == nil {
			return ErrNone
		}
		s.Entry.Step, s.Entry.Outcome, s.Entry.At = Ended, outcome, at
		s.Entry.Detail = detail[:min(len(detail), maxDetail)]
		if deny {
			s.deny(s.Entry.denies())
		}
		return nil
	})
}

// denies is the version that an entry's end may put on the deny list; empty for none.
func (e Entry) denies() string {
	switch {
	case !e.ByHand() || e.Digest != "":
		return e.Version
	case e.To != e.From:
		return e.FromVersion // it is back
	}
	return ""
}

// Forget closes an entry that has ended. It refuses one that has not.
func (j *Journal) Forget(permit string) error {
	err := j.change(func(s *State) error {
		if s.Entry == nil || s.Entry.Permit != permit || s.Entry.Step != Ended {
			return ErrNone
		}
		s.Entry = nil
		return nil
	})
	if err == nil {
		_ = os.Remove(j.ballast()) // best effort: it is written anew by the next Begin
	}
	return err
}

// Saw remembers a fence, if it is higher than those seen before.
func (j *Journal) Saw(f Fence) error {
	if !j.State().Fence.Less(f) {
		return nil
	}
	return j.change(func(s *State) error { s.Fence = f; return nil })
}

// Deny puts a version on the deny list.
func (j *Journal) Deny(version string) error {
	return j.change(func(s *State) error { s.deny(version); return nil })
}

// Allow takes versions off the deny list.
func (j *Journal) Allow(versions ...string) error {
	denied := j.State().Denied
	if !slices.ContainsFunc(denied, func(v string) bool { return slices.Contains(versions, v) }) {
		return nil
	}
	return j.change(func(s *State) error {
		s.Denied = slices.DeleteFunc(s.Denied, func(v string) bool { return slices.Contains(versions, v) })
		return nil
	})
}

// Reset forgets fence and deny list after a deregistration (R6). It refuses while an entry is open.
func (j *Journal) Reset() error {
	return j.change(func(s *State) error {
		if s.Entry != nil {
			return ErrOpen
		}
		*s = State{}
		return nil
	})
}

func (s *State) deny(version string) {
	if version == "" {
		return
	}
	if !slices.Contains(s.Denied, version) {
		s.Denied = append(s.Denied, version)
	}
	if extra := len(s.Denied) - maxDenied; extra > 0 {
		s.Denied = s.Denied[extra:]
	}
}

// change writes the changed State before anybody can see it.
func (j *Journal) change(edit func(*State) error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	next := j.state.clone()
	if err := edit(&next); err != nil {
		return err
	}
	line, err := format(record{Seq: j.seq + 1, State: next})
	if err != nil {
		return err
	}
	if err := j.append(line); err != nil {
		return err
	}
	j.state, j.seq = next, j.seq+1
	return nil
}

func (j *Journal) append(line []byte) error {
	if j.size+int64(len(line)) > compactAt {
		if err := j.rewrite(line); err == nil || j.err != nil {
			return err
		}
		// A disk without room for a second file may still have some for one more record, and a step
		// in the middle of an upgrade does not wait for tidiness.
	}
	_, err := j.file.WriteAt(line, j.size)
	if errors.Is(err, syscall.ENOSPC) && os.Remove(j.ballast()) == nil {
		// The disk is full in the middle of an upgrade: the reserved room is for this moment.
		_, err = j.file.WriteAt(line, j.size)
	}
	if errors.Is(err, syscall.ENOSPC) {
		if cut := j.file.Truncate(j.size); cut == nil {
			return fmt.Errorf("cannot write journal: %w", err)
		}
	}
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.err = fmt.Errorf("%w: %w", ErrBroken, err)
		return j.err
	}
	j.size += int64(len(line))
	return nil
}

// rewrite replaces a long file by its newest record: whole, then renamed.
func (j *Journal) rewrite(line []byte) error {
	f, err := replace(j.path, line)
	if err != nil {
		return err
	}
	_ = j.file.Close() // read and synced: nothing is lost with the old file
	j.file, j.size = f, int64(len(line))
	if err := atomicfile.SyncDir(filepath.Dir(j.path)); err != nil {
		j.err = fmt.Errorf("%w: %w", ErrBroken, err)
		return j.err
	}
	return nil
}

// replace puts a file of one record in the place of path. The caller syncs the folder.
func replace(path string, line []byte) (*os.File, error) {
	temp := path + ".part"
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot rewrite journal: %w", err)
	}
	_, err = f.Write(line)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(temp) // a full disk needs its room
		return nil, fmt.Errorf("cannot rewrite journal: %w", err)
	}
	return f, nil
}

func (j *Journal) ballast() string { return j.path + ".room" }

func writeBallast(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, ballastLen), 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
