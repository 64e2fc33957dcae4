// Package machines keeps a control node's inventory on disk: its text exactly as it was imported, and
// the versions before it. It knows the form of inventory.conf, and no network.
package machines

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"connecthub/models/inventory"
	"connecthub/nodeclient/atomicfile"
)

// Kept is how many versions stay, the current one among them.
const Kept = 10

const (
	fileName  = "inventory.json"
	lockName  = "inventory.lock"
	fileLimit = Kept * 2 * inventory.MaxBytes
	maxOrigin = 512
)

// ErrChanged says that somebody imported another inventory meanwhile.
var ErrChanged = errors.New("the inventory has been changed meanwhile; nothing was replaced")

// Version is one inventory that was imported. Number 0 is what a new node begins with: it was never
// imported, and it is not among the versions that are kept.
type Version struct {
	Number int       `json:"number"`
	Time   time.Time `json:"time"`
	By     string    `json:"by"`   // who imported it
	From   string    `json:"from"` // where it came from
	Text   []byte    `json:"text"` // byte for byte
}

// SHA256 is the digest of the text.
func (v Version) SHA256() string {
	sum := sha256.Sum256(v.Text)
	return hex.EncodeToString(sum[:])
}

// Store is the inventory of one node's folder.
type Store struct {
	dir string
	now func() time.Time
}

// Open names the folder; nothing is read or written before it is asked for.
func Open(dir string, now func() time.Time) *Store { return &Store{dir: dir, now: now} }

type document struct {
	Versions []Version `json:"versions"` // the oldest first
}

// Versions lists what is kept, the current one first.
func (s *Store) Versions() ([]Version, error) {
	d, err := s.read()
	slices.Reverse(d.Versions)
	return d.Versions, err
}

// Current answers the inventory that counts.
func (s *Store) Current() (Version, error) {
	all, err := s.Versions()
	if err != nil {
		return Version{}, err
	}
	if len(all) == 0 {
		return Version{Text: inventory.Format(inventory.Empty())}, nil
	}
	return all[0], nil
}

func (s *Store) read() (document, error) {
	var d document
	err := atomicfile.ReadJSON(filepath.Join(s.dir, fileName), fileLimit, &d)
	if errors.Is(err, os.ErrNotExist) {
		return document{}, nil
	}
	if err != nil {
		return document{}, err
	}
	for i, v := range d.Versions {
		if i > 0 && v.Number <= d.Versions[i-1].Number || v.Number < 1 {
			return document{}, fmt.Errorf("cannot use %s: its versions are not in order", fileName)
		}
	}
	return d, nil
}

// Import replaces the inventory whole, or not at all. It refuses a text that breaks a rule, with all
// the inventory.Problems, and one that was judged against another version than the current one.
func (s *Store) Import(text []byte, base int, by, from string) (Version, error) {
	if _, found := inventory.Parse(text); len(found) > 0 {
		return Version{}, found
	}
	if len(by) > maxOrigin || len(from) > maxOrigin {
		return Version{}, errors.New("the origin of the inventory is too long")
	}
	unlock, err := s.lock()
	if err != nil {
		return Version{}, err
	}
	defer unlock()
	d, err := s.read()
	if err != nil {
		return Version{}, err
	}
	last := 0
	if n := len(d.Versions); n > 0 {
		last = d.Versions[n-1].Number
	}
	if last != base {
		return Version{}, ErrChanged
	}
	fresh := Version{Number: last + 1, Time: s.now().UTC(), By: by, From: from,
		Text: slices.Clone(text)}
	d.Versions = append(d.Versions, fresh)
	if n := len(d.Versions); n > Kept {
		d.Versions = d.Versions[n-Kept:]
	}
	if err := atomicfile.WriteJSON(filepath.Join(s.dir, fileName), d); err != nil {
		return Version{}, err
	}
	return fresh, nil
}

// Adopt takes a publisher's versions in the place of this node's, the oldest first, as a subscriber does.
// It refuses what is no history of inventories: then nothing is replaced.
func (s *Store) Adopt(versions []Version) error {
	if len(versions) > Kept {
		return fmt.Errorf("cannot take %d versions of the inventory", len(versions))
	}
	for i, v := range versions {
		if v.Number < 1 || i > 0 && v.Number <= versions[i-1].Number || len(v.Text) > inventory.MaxBytes ||
			len(v.By) > maxOrigin || len(v.From) > maxOrigin {
			return errors.New("cannot take the versions of the inventory: they are not in order")
		}
	}
	if n := len(versions); n > 0 {
		if _, found := inventory.Parse(versions[n-1].Text); len(found) > 0 {
			return fmt.Errorf("cannot take the inventory: %w", found)
		}
	}
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return atomicfile.WriteJSON(filepath.Join(s.dir, fileName), document{Versions: versions})
}

// lock lets one import at a time decide which version it replaces. Unlocking is said, not left to
// closing: a process that is just being started may hold the same file for a moment.
func (s *Store) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the inventory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another import is running: %w", err)
	}
	return func() {
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		_ = f.Close()
	}, nil
}
