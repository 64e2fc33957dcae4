// Package settings keeps what a control node was told: one JSON document a subject, each replaced
// whole and numbered. It does not know what the subjects mean.
package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"connecthub/nodeclient/atomicfile"
)

const (
	// MaxBytes is how large a document may be.
	MaxBytes = 256 << 10
	maxBy    = 512

	folder   = "control"
	lockName = "settings.lock"
	fileRoom = 2*MaxBytes + 4<<10 // the document indented, and its meta data
)

// Refusals of this package.
var (
	ErrUnknown  = errors.New("there is no such setting")
	ErrTooLarge = errors.New("the setting is too large")
)

// Meta says which state of a document it is. Revision 0 is a document that nobody has set.
type Meta struct {
	Revision int64     `json:"revision"`
	Time     time.Time `json:"time"`
	By       string    `json:"by"`
}

// Document is a document as it is stored, and as it goes to the subscriber. It may hold secrets: it
// is neither shown nor logged.
type Document struct {
	Name Name `json:"name"`
	Meta
	Body json.RawMessage `json:"body"`
}

// Store is the settings of one node's folder.
type Store struct {
	dir string
	now func() time.Time
}

// Open names the folder; nothing is read or written before it is asked for.
func Open(dir string, now func() time.Time) *Store {
	return &Store{dir: filepath.Join(dir, folder), now: now}
}

// Read answers a document. One that nobody has set is T's zero value, with revision 0.
func Read[T any](s *Store, name Name) (T, Meta, error) {
	var v T
	d, err := s.load(name)
	if err != nil || d.Revision == 0 {
		return v, d.Meta, err
	}
	if err := decode(d.Body, &v); err != nil {
		var none T
		return none, d.Meta, fmt.Errorf("cannot use the setting %q: %w", name, err)
	}
	return v, d.Meta, nil
}

// Update lets change alter a document and stores it as its next revision. Nothing is stored when
// change fails, and the same values again make no revision. change must be quick: every other update
// waits for it.
func Update[T any](s *Store, name Name, by string, change func(*T) error) (Meta, error) {
	if len(by) > maxBy {
		return Meta{}, errors.New("the name of who changes a setting is too long")
	}
	unlock, err := s.lock()
	if err != nil {
		return Meta{}, err
	}
	defer unlock()
	v, meta, err := Read[T](s, name)
	if err != nil {
		return meta, err
	}
	if err := change(&v); err != nil {
		return meta, err
	}
	body, err := json.Marshal(v) //nolint:gosec // the file is this node's own, 0600
	if err != nil {
		return meta, fmt.Errorf("cannot store the setting %q: %w", name, err)
	}
	before, err := s.load(name)
	if err != nil {
		return meta, err
	}
	if before.Revision > 0 && equal(before.Body, body) {
		return meta, nil
	}
	fresh := Document{name, Meta{meta.Revision + 1, s.now().UTC(), by}, body}
	return fresh.Meta, s.save(fresh)
}

// Snapshot answers the documents that a publisher gives to its subscriber, by name.
func (s *Store) Snapshot() ([]Document, error) {
	var all []Document
	for name, replicated := range names() {
		if !replicated {
			continue
		}
		d, err := s.load(name)
		if err != nil {
			return nil, err
		}
		if d.Revision > 0 {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b Document) int {
		return bytes.Compare([]byte(a.Name), []byte(b.Name))
	})
	return all, nil
}

// Apply stores what a publisher gave, as it is, and answers what was newer than before. All documents
// are judged before one is stored; one that does not replicate, or is no document, refuses them all.
func (s *Store) Apply(docs []Document) ([]Name, error) {
	for _, d := range docs {
		if err := d.check(); err != nil {
			return nil, err
		}
	}
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var applied []Name
	for _, d := range docs {
		present, err := s.load(d.Name)
		if err != nil {
			return applied, err
		}
		if d.Revision <= present.Revision {
			continue
		}
		if err := s.save(d); err != nil {
			return applied, err
		}
		applied = append(applied, d.Name)
	}
	return applied, nil
}

// Adopt makes the documents that replicate exactly those of a publisher's Snapshot, also where this
// node had later ones of its own; whoever calls has judged that the snapshot is the publisher's latest. It
// answers what has changed.
func (s *Store) Adopt(docs []Document) ([]Name, error) {
	given := map[Name]Document{}
	for _, d := range docs {
		if err := d.check(); err != nil {
			return nil, err
		}
		given[d.Name] = d
	}
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var changed []Name
	for name, replicated := range names() {
		d, ok := given[name]
		present, err := s.load(name)
		switch {
		case err != nil:
			return changed, err
		case !replicated || !ok && present.Revision == 0:
			continue
		case ok && d.Meta == present.Meta && equal(d.Body, present.Body):
			continue
		case ok:
			err = s.save(d)
		default:
			err = atomicfile.Remove(s.path(name))
		}
		if err != nil {
			return changed, err
		}
		changed = append(changed, name)
	}
	slices.Sort(changed)
	return changed, nil
}

func (d Document) check() error {
	switch {
	case !d.Name.Replicated():
		return fmt.Errorf("%w that a publisher gives: %q", ErrUnknown, d.Name)
	case d.Revision < 1 || len(d.By) > maxBy:
		return fmt.Errorf("cannot use the setting %q: its revision or its author is wrong", d.Name)
	case len(d.Body) > MaxBytes:
		return fmt.Errorf("%w: %s", ErrTooLarge, d.Name)
	case len(d.Body) == 0 || d.Body[0] != '{' || !json.Valid(d.Body):
		return fmt.Errorf("cannot use the setting %q: it is no JSON object", d.Name)
	}
	return nil
}

func (s *Store) path(name Name) string { return filepath.Join(s.dir, string(name)+".json") }

func (s *Store) load(name Name) (Document, error) {
	if !name.Known() {
		return Document{}, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	var d Document
	err := atomicfile.ReadJSON(s.path(name), fileRoom, &d)
	if errors.Is(err, os.ErrNotExist) {
		return Document{Name: name}, nil
	}
	if err != nil {
		return Document{}, fmt.Errorf("cannot use the setting %q: %w", name, err)
	}
	if d.Name != name || d.Revision < 1 {
		return Document{}, fmt.Errorf("cannot use the setting %q: %s is not its file", name,
			s.path(name))
	}
	return d, nil
}

func (s *Store) save(d Document) error {
	if len(d.Body) > MaxBytes {
		return fmt.Errorf("%w: %s", ErrTooLarge, d.Name)
	}
	return atomicfile.WriteJSON(s.path(d.Name), d)
}

// lock lets one process change settings at a time. Unlocking is said, not left to closing: a process
// that is just being started may hold the same file for a moment.
func (s *Store) lock() (unlock func(), err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot lock the settings: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(s.dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the settings: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot lock the settings: %w", err)
	}
	return func() {
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		_ = f.Close()
	}, nil
}

func decode(body []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the document")
	}
	return nil
}

// equal compares two documents whatever their white space.
func equal(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil &&
		bytes.Equal(x.Bytes(), y.Bytes())
}
