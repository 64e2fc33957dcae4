package procedure

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/journal"
)

const (
	folder      = "procedures"
	suffix      = ".journal"
	maxJournal  = 64 << 20
	maxNotes    = maxJournal / 2 // from then on no notes
	maxLine     = 4 << 20        // the plan
	maxDetail   = 1024
	keptRuns    = 50
	journalMode = 0o600
)

// ErrNone says that no procedure was ever begun here.
var ErrNone = errors.New("no procedure was run on this node")

// ErrDamaged says that a journal cannot be read.
var ErrDamaged = journal.ErrDamaged

// Journal is one procedure's file: its plan, and after it each event, on stable storage before its
// method returns. Whoever has the node's lock of orchestration writes it.
type Journal struct {
	mu    sync.Mutex
	file  *os.File
	size  int64
	state State
	err   error
}

// Folder is where the journals of a node are.
func Folder(dir string) string { return filepath.Join(dir, "control", folder) }

func path(dir, id string) string { return filepath.Join(Folder(dir), id+suffix) }

// Create writes the plan of a new procedure, and lets go of the oldest ones.
func Create(dir string, p Plan) (*Journal, error) {
	s, err := Begin(p)
	if err != nil {
		return nil, err
	}
	if filepath.Base(p.ID) != p.ID {
		return nil, fmt.Errorf("cannot name a procedure %.60q", p.ID)
	}
	if err := os.MkdirAll(Folder(dir), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the folder of procedures: %w", err)
	}
	body, err := json.Marshal(p)
	if err != nil || len(body) > maxLine {
		return nil, fmt.Errorf("cannot write a plan of %d bytes: %w", len(body), err)
	}
	if _, err := os.Stat(path(dir, p.ID)); err == nil {
		return nil, fmt.Errorf("the procedure %s is there already", p.ID)
	}
	line := journal.Line(body)
	if err := atomicfile.Write(path(dir, p.ID), line, journalMode); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path(dir, p.ID), os.O_RDWR, journalMode)
	if err != nil {
		return nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	prune(dir)
	return &Journal{file: f, size: int64(len(line)), state: s}, nil
}

// prune is best effort: an old journal too many does no harm. What may be gone on with stays, and so does
// the new one, whatever its name.
func prune(dir string) {
	ids, err := List(dir)
	if err != nil {
		return
	}
	for _, id := range ids[min(len(ids), keptRuns):] {
		if s, err := Load(dir, id); err != nil || !s.Open() {
			_ = os.Remove(path(dir, id))
		}
	}
}

// NextID names a new procedure so that it sorts after all that are there, also where the clock was set
// back meanwhile.
func NextID(dir string, now time.Time) (string, error) {
	ids, err := List(dir)
	if err != nil {
		return "", err
	}
	if len(ids) > 0 && len(ids[0]) >= len(idTime) {
		last, err := time.Parse(idTime, ids[0][:len(idTime)])
		if err == nil && !now.Truncate(time.Second).After(last) {
			now = last.Add(time.Second)
		}
	}
	return NewID(now), nil
}

// Open goes on with a journal. A last line that was never complete is dropped.
func Open(dir, id string) (*Journal, error) {
	s, good, err := read(dir, id)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path(dir, id), os.O_RDWR, journalMode)
	if err != nil {
		return nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	if err := errors.Join(f.Truncate(good), f.Sync()); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	return &Journal{file: f, size: good, state: s}, nil
}

// Load is how a procedure stands, for whoever only looks.
func Load(dir, id string) (State, error) {
	s, _, err := read(dir, id)
	return s, err
}

// Events are what the journal of a procedure says after its plan, for whoever shows it.
func Events(dir, id string) ([]Event, error) {
	var all []Event
	_, _, err := readEach(dir, id, func(e Event) { all = append(all, e) })
	return all, err
}

// Watch reads a journal again whenever it has grown.
type Watch struct {
	State   State
	Events  []Event
	dir, id string
	size    int64
}

// NewWatch has not looked yet.
func NewWatch(dir, id string) *Watch { return &Watch{dir: dir, id: id, size: -1} }

// Look reads what is there now.
func (w *Watch) Look() error {
	if info, err := os.Stat(path(w.dir, w.id)); err == nil && info.Size() == w.size {
		return nil
	}
	var all []Event
	s, size, err := readEach(w.dir, w.id, func(e Event) { all = append(all, e) })
	if err == nil {
		w.State, w.Events, w.size = s, all, size
	}
	return err
}

func read(dir, id string) (State, int64, error) { return readEach(dir, id, func(Event) {}) }

func readEach(dir, id string, each func(Event)) (State, int64, error) {
	if filepath.Base(id) != id {
		return State{}, 0, ErrNone
	}
	info, err := os.Stat(path(dir, id))
	if errors.Is(err, os.ErrNotExist) {
		return State{}, 0, ErrNone
	}
	if err == nil && info.Size() > maxJournal {
		err = journal.ErrDamaged // nobody here writes so much
	}
	if err != nil {
		return State{}, 0, fmt.Errorf("cannot read the journal of %s: %w", id, err)
	}
	raw, err := os.ReadFile(path(dir, id))
	if err != nil {
		return State{}, 0, fmt.Errorf("cannot read the journal: %w", err)
	}
	var s State
	first := true
	good, err := journal.Lines(raw, func(body []byte) error {
		if first {
			first = false
			var p Plan
			if err := json.Unmarshal(body, &p); err != nil {
				return err
			}
			s, err = Begin(p)
			return err
		}
		var e Event
		if err := json.Unmarshal(body, &e); err != nil {
			return err
		}
		each(e)
		s, err = s.Apply(e)
		return err
	})
	if err == nil && first {
		err = journal.ErrDamaged
	}
	if err != nil && !errors.Is(err, journal.ErrDamaged) {
		err = fmt.Errorf("%w: %w", journal.ErrDamaged, err) // nobody here wrote that
	}
	if err != nil {
		return State{}, 0, fmt.Errorf("cannot read the journal of %s: %w", id, err)
	}
	return s, good, nil
}

// List names the procedures of a node, the latest first.
func List(dir string) ([]string, error) {
	entries, err := os.ReadDir(Folder(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the procedures: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), suffix); ok && !strings.HasPrefix(id, ".") {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	return ids, nil
}

// SetAside puts a journal that cannot be read out of the way, and answers where it is. Whoever calls it
// has the node's lock of orchestration.
func SetAside(dir string) (string, error) {
	ids, err := List(dir)
	if err != nil || len(ids) == 0 {
		return "", err
	}
	aside := path(dir, ids[0]) + ".damaged"
	if err := os.Rename(path(dir, ids[0]), aside); err != nil {
		return "", fmt.Errorf("cannot put a damaged journal aside: %w", err)
	}
	return aside, nil
}

// Last is the latest procedure, ErrNone, or ErrDamaged.
func Last(dir string) (State, error) {
	ids, err := List(dir)
	if err != nil {
		return State{}, err
	}
	if len(ids) == 0 {
		return State{}, ErrNone
	}
	return Load(dir, ids[0])
}

// State is what is on disk now.
func (j *Journal) State() State {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state
}

// Add judges an event, writes it, and answers the state after it. After a write that failed nothing is
// written any more: nobody knows what is on disk.
func (j *Journal) Add(e Event) (State, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.state, j.err
	}
	e.At = e.At.UTC()
	e.Detail = e.Detail[:min(len(e.Detail), maxDetail)]
	if e.What == Noted && j.size > maxNotes {
		return j.state, nil // progress that is not seen does no harm; a journal without an end does
	}
	next, err := j.state.Apply(e)
	if err != nil {
		return j.state, err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return j.state, fmt.Errorf("cannot write the journal: %w", err)
	}
	line := journal.Line(body)
	if _, err = j.file.WriteAt(line, j.size); err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.err = fmt.Errorf("cannot write the journal: %w", err)
		return j.state, j.err
	}
	j.size += int64(len(line))
	j.state = next
	return next, nil
}

// Close lets go of the file.
func (j *Journal) Close() error { return j.file.Close() }
