// Package gate keeps a control node from doing two things at once that must not meet: an orchestration
// and a download each hold a lock that ends with its holder, however that ends. It knows nothing of
// what is done behind it.
package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kind is what a lock is for.
type Kind string

// The kinds.
const (
	Orchestration Kind = "orchestration"
	Download      Kind = "download"
)

// Kinds lists them.
func Kinds() []Kind { return []Kind{Orchestration, Download} }

// ErrBusy says that another one holds the lock. Its sentence is the original's.
var ErrBusy = errors.New("Previous operation is still in progress. Please retry after sometime") //nolint:staticcheck // a sentence that people know

const maxNote = 4 << 10

// Note is what the holder of a lock says of itself.
type Note struct {
	What  string    `json:"what"`
	Who   string    `json:"who"`
	Since time.Time `json:"since"`
	// Procedure is how far it is towards disturbing machines; empty where it never will.
	Procedure Procedure `json:"procedure,omitempty"`
}

// Procedure is how far a holder is towards disturbing machines.
type Procedure string

// The stages.
const (
	Asked Procedure = "asked" // whether another control node does
	Begun Procedure = "begun"
)

// BusyError is ErrBusy with what the other one says of itself.
type BusyError struct {
	Kind Kind
	Note Note // zero where the holder has not said anything yet
}

// Error names the other one.
func (b *BusyError) Error() string {
	if b.Kind == Download {
		return "software is being downloaded on this node; orchestration is possible when that has " +
			"ended, or on the other node meanwhile"
	}
	if b.Note.What == "" {
		return ErrBusy.Error()
	}
	return fmt.Sprintf("%s (%s, by %s, since %s)", ErrBusy.Error(), b.Note.What, b.Note.Who,
		b.Note.Since.Format(time.RFC3339))
}

// Unwrap is ErrBusy.
func (*BusyError) Unwrap() error { return ErrBusy }

// Hold is a lock that is held. It is free again when every process that has its file has ended, or when
// nothing refers to the Hold any more: keep it until it is released.
type Hold struct{ file *os.File }

// Take gets the lock of a node's folder, or a *BusyError at once: also while a lock of the other kind is
// held, for an orchestration needs what a download is changing. The kernel frees it when the holder
// dies, so that nothing is ever stuck.
func Take(dir string, kind Kind, what, who string, now time.Time) (*Hold, error) {
	f, err := open(dir, kind)
	if err != nil {
		return nil, err
	}
	if err := lock(f.Fd(), unix.F_WRLCK); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
			return nil, fmt.Errorf("cannot lock %s: %w", f.Name(), err)
		}
		return nil, &BusyError{Kind: kind, Note: read(f)}
	}
	h := &Hold{file: f}
	if err := h.alone(dir, kind); err != nil {
		h.Release()
		return nil, err
	}
	if err := h.Say(Note{What: what, Who: who, Since: now.UTC()}); err != nil {
		h.Release()
		return nil, err
	}
	return h, nil
}

// alone refuses while a lock of another kind is held. Whoever comes looks after it has its own lock, so
// that of two that come at once at most one stays.
func (h *Hold) alone(dir string, kind Kind) error {
	for _, other := range Kinds() {
		if other == kind {
			continue
		}
		note, busy, err := Busy(dir, other)
		if err != nil {
			return err
		}
		if busy {
			return &BusyError{Kind: other, Note: note}
		}
	}
	return nil
}

// Inherit is the lock of a node's folder that a parent handed to this process as an open file. It refuses
// any other file, which would lock nothing.
func Inherit(dir string, fd uintptr, kind Kind) (*Hold, error) {
	f := os.NewFile(fd, string(kind))
	if f == nil {
		return nil, fmt.Errorf("no lock of kind %s was handed over", kind)
	}
	given, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("no lock of kind %s was handed over: %w", kind, err)
	}
	own, err := os.Stat(path(dir, kind))
	if err != nil || !os.SameFile(given, own) {
		_ = f.Close()
		return nil, errors.Join(fmt.Errorf("what was handed over is not the lock %s", path(dir, kind)), err)
	}
	if err := lock(fd, unix.F_WRLCK); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("the lock of kind %s that was handed over is not held: %w", kind, err)
	}
	unix.CloseOnExec(int(fd))
	return &Hold{file: f}, nil
}

// Say changes what others read of the holder.
func (h *Hold) Say(n Note) error {
	text, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("cannot write the lock's note: %w", err)
	}
	if len(text) > maxNote {
		return errors.New("the lock's note is too long")
	}
	info, err := h.file.Stat()
	if err != nil {
		return fmt.Errorf("cannot write the lock's note: %w", err)
	}
	for int64(len(text)) < min(info.Size(), maxNote) { // in one write: nobody reads half of it
		text = append(text, ' ')
	}
	if _, err := h.file.WriteAt(text, 0); err != nil {
		return fmt.Errorf("cannot write the lock's note: %w", err)
	}
	return nil
}

// Mark says how far the holder is towards disturbing machines. The rest of its note stays.
func (h *Hold) Mark(p Procedure) error {
	n := read(h.file)
	n.Procedure = p
	return h.Say(n)
}

// Held says whether this process still has the lock.
func (h *Hold) Held() bool { return h.file.Fd() != ^uintptr(0) }

// File is what a worker inherits; the lock stays held while either has it open.
func (h *Hold) File() *os.File { return h.file }

// Leave gives the lock to whoever inherited it: this process has it no more, and does not free it.
func (h *Hold) Leave() { _ = h.file.Close() }

// Release frees the lock at once, also where a process that is just being started holds the same file.
func (h *Hold) Release() {
	_ = h.file.Truncate(0)
	_ = lock(h.file.Fd(), unix.F_UNLCK)
	_ = h.file.Close()
}

// lock takes or frees the lock of an open file description: a process that inherits the file has it,
// too, and looking at it (Busy) never takes it from anybody.
func lock(fd uintptr, kind int16) error {
	return unix.FcntlFlock(fd, unix.F_OFD_SETLK, &unix.Flock_t{Type: kind})
}

// Busy answers whether somebody holds the lock, and what it says of itself.
func Busy(dir string, kind Kind) (Note, bool, error) {
	f, err := os.Open(path(dir, kind))
	if errors.Is(err, os.ErrNotExist) {
		return Note{}, false, nil
	}
	if err != nil {
		return Note{}, false, fmt.Errorf("cannot look at the lock: %w", err)
	}
	defer f.Close()
	state := unix.Flock_t{Type: unix.F_RDLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &state); err != nil {
		return Note{}, false, fmt.Errorf("cannot look at the lock: %w", err)
	}
	if state.Type == unix.F_UNLCK {
		return Note{}, false, nil
	}
	return read(f), true, nil
}

func path(dir string, kind Kind) string {
	return filepath.Join(dir, "control", string(kind)+".lock")
}

func open(dir string, kind Kind) (*os.File, error) {
	if err := os.MkdirAll(filepath.Join(dir, "control"), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the folder of the lock: %w", err)
	}
	f, err := os.OpenFile(path(dir, kind), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock: %w", err)
	}
	return f, nil
}

// read answers what the holder says; a note that is being written reads as none.
func read(f *os.File) Note {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxNote))
	var n Note
	if err != nil || json.Unmarshal([]byte(strings.TrimSpace(string(text))), &n) != nil {
		return Note{}
	}
	return n
}
