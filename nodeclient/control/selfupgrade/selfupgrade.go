// Package selfupgrade installs a new version of Cloud Connect itself on this node, beside the running
// one: from the node's local repository into the inactive slot. It stops nothing and knows no hub; what
// switches versions asks for its permit elsewhere.
package selfupgrade

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/bundle"
)

const (
	// Folder is the local repository: bundles as the vendor gave them, put there by the node's
	// administrator.
	Folder = "repository"
	suffix = ".tar.zst"

	stateFile  = "control/upgrade.json"
	cancelFile = "control/upgrade.cancel"
	stateLimit = 16 << 10
	maxFiles   = 64
	look       = 200 * time.Millisecond
	readBuffer = 1 << 20
)

// Refusals of this package.
var (
	ErrNothing   = errors.New("the local repository holds no bundle")
	ErrNotHigher = errors.New("the version is not higher than the active one")
	ErrDenied    = errors.New("this node rolled back from the version")
	ErrCancelled = errors.New("the installation was cancelled")
	ErrIdle      = errors.New("no installation is in progress")
)

// Bundle is one file of the local repository.
type Bundle struct {
	File    string         `json:"file"` // its name
	Name    string         `json:"name"` // of the product
	Version models.Version `json:"version"`
	Size    int64          `json:"size"`
}

// List reads what the local repository offers, the highest version first. A file that is no bundle is
// named in the error of the others' answer.
func List(ctx context.Context, dir string) ([]Bundle, error) {
	folder := filepath.Join(dir, Folder)
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the local repository: %w", err)
	}
	var found []Bundle
	var bad error
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), suffix) || len(found) == maxFiles {
			continue
		}
		b, err := inspect(ctx, filepath.Join(folder, e.Name()))
		if err != nil {
			bad = errors.Join(bad, fmt.Errorf("%s: %w", e.Name(), err))
			continue
		}
		found = append(found, b)
	}
	slices.SortStableFunc(found, func(a, b Bundle) int { return b.Version.Compare(a.Version) })
	switch {
	case len(found) > 0:
		return found, nil
	case bad != nil:
		return nil, bad
	}
	return nil, fmt.Errorf("%w: put one into %s", ErrNothing, folder)
}

func inspect(ctx context.Context, path string) (Bundle, error) {
	f, err := os.Open(path)
	if err != nil {
		return Bundle{}, fmt.Errorf("cannot read the bundle: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Bundle{}, fmt.Errorf("cannot read the bundle: %w", err)
	}
	s, err := bundle.Inspect(ctx, bufio.NewReaderSize(f, readBuffer), bundle.DefaultLimits())
	if err != nil {
		return Bundle{}, err
	}
	return Bundle{File: info.Name(), Name: s.Manifest.Name, Version: s.Manifest.Version,
		Size: info.Size()}, nil
}

// Digest reads a bundle once for its SHA-256, which is what the vendor signs.
func Digest(ctx context.Context, dir, file string) (string, error) {
	f, err := os.Open(filepath.Join(dir, Folder, filepath.Base(file)))
	if err != nil {
		return "", fmt.Errorf("cannot read the bundle: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, reader{ctx, f}); err != nil {
		return "", fmt.Errorf("cannot read the bundle: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// State is what is known of the last installation.
type State struct {
	Stage   Stage          `json:"stage"`
	Version models.Version `json:"version,omitempty"`
	From    models.Version `json:"from,omitempty"`
	File    string         `json:"file,omitempty"`
	SHA256  string         `json:"sha256,omitempty"`
	Detail  string         `json:"detail,omitempty"`
	Who     string         `json:"who,omitempty"`
	BegunAt time.Time      `json:"begun_at,omitzero"`
	At      time.Time      `json:"at,omitzero"`
}

// Stage is how far an installation is.
type Stage string

// The stages.
const (
	None        Stage = "none"
	Installing  Stage = "installing"
	Installed   Stage = "installed" // in the inactive slot; a switch makes it the active one
	Interrupted Stage = "interrupted"
	Failed      Stage = "failed"
	Cancelled   Stage = "cancelled"
)

// Read answers the state of the last installation.
func Read(dir string) (State, error) {
	var s State
	err := atomicfile.ReadJSON(filepath.Join(dir, stateFile), stateLimit, &s)
	if errors.Is(err, os.ErrNotExist) {
		return State{Stage: None}, nil
	}
	return s, err
}

// Work is one installation.
type Work struct {
	Dir, Who string
	File     string
	Digest   string // of the file, as it was shown and confirmed
	Active   models.Version
	Denied   []string // versions that this node rolled back from
	Keep     []string // slots that an upgrade under way needs
	Accept   func(bundle.Manifest) error
	Size     func() (int64, error) // of the disk
	Now      func() time.Time
}

// Run installs the bundle into the inactive slot. It refuses what is not higher than what runs (R23),
// what was rolled back from here (R28), a disk that is too small and a file that has changed since it
// was confirmed. Nothing that runs is touched, and after an error nothing of it is left.
func (w Work) Run(ctx context.Context) (State, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := State{Stage: Installing, From: w.Active, File: w.File, SHA256: w.Digest, Who: w.Who,
		BegunAt: w.Now().UTC()}
	if err := atomicfile.Remove(filepath.Join(w.Dir, cancelFile)); err != nil {
		return s, err
	}
	b, err := inspect(ctx, filepath.Join(w.Dir, Folder, filepath.Base(w.File)))
	if err != nil {
		return s, err
	}
	if s.Version = b.Version; w.Active != "" && !w.Active.Less(b.Version) {
		return s, fmt.Errorf("%w: %s, %s is active", ErrNotHigher, b.Version, w.Active)
	}
	if slices.Contains(w.Denied, string(b.Version)) {
		return s, fmt.Errorf("%w: %s", ErrDenied, b.Version)
	}
	if err := CheckDisk(w.Active, b.Version, w.Size); err != nil {
		return s, err
	}
	if err := w.save(&s); err != nil {
		return s, err
	}
	go w.watchCancel(ctx, cancel)
	err = w.install(ctx, b.Version)
	s.Stage = Installed
	if err != nil {
		s.Stage, s.Detail = Failed, err.Error()
		if errors.Is(context.Cause(ctx), ErrCancelled) {
			s.Stage, s.Detail, err = Cancelled, "", ErrCancelled
		}
	}
	return s, errors.Join(err, w.save(&s))
}

func (w Work) save(s *State) error {
	s.At = w.Now().UTC()
	s.Detail = s.Detail[:min(len(s.Detail), 1024)]
	return atomicfile.WriteJSON(filepath.Join(w.Dir, stateFile), s)
}

// watchCancel ends the installation when somebody cancels it, in whatever process.
func (w Work) watchCancel(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		if _, err := os.Stat(filepath.Join(w.Dir, cancelFile)); err == nil {
			cancel(ErrCancelled)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// install reads the file once more while it unpacks it: only what has the confirmed digest stays.
func (w Work) install(ctx context.Context, version models.Version) error {
	slots, err := host.ViewSlots(w.Dir)
	if err != nil {
		return err
	}
	slot, err := host.SlotName(version, w.Digest)
	if err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(w.Dir, Folder, filepath.Base(w.File)))
	if err != nil {
		return fmt.Errorf("cannot read the bundle: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	_, err = slots.Install(ctx, slot, io.TeeReader(reader{ctx, f}, sum), func(m bundle.Manifest) error {
		if _, err := io.Copy(sum, reader{ctx, f}); err != nil {
			return err
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != w.Digest {
			return fmt.Errorf("the bundle has changed: its SHA-256 is %s, not %s", got, w.Digest)
		}
		return w.Accept(m)
	})
	if err != nil {
		return err
	}
	if err := slots.NoteDigest(slot, w.Digest); err != nil {
		return err
	}
	if err := slots.Stage(slot); err != nil {
		return err
	}
	return slots.Prune(w.Keep...) // of what was inactive before
}

// Cancel asks whoever installs to stop. It refuses where nobody does.
func Cancel(dir string, running bool) error {
	s, err := Read(dir)
	if err != nil {
		return err
	}
	if s.Stage != Installing || !running {
		return ErrIdle
	}
	return atomicfile.Write(filepath.Join(dir, cancelFile), []byte("cancel\n"), 0o600)
}
