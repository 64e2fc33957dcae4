// Package catalogue is what software a control node has: the list of the files that were downloaded
// and verified, and where each is. It knows no repository and no machine.
package catalogue

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connecthub/models/compat"
	"connecthub/nodeclient/atomicfile"
)

const (
	// MaxFiles is how many files a catalogue lists at most.
	MaxFiles = 10_000

	listName  = "catalogue.json"
	maxList   = 64 << 20
	maxPath   = 512
	maxField  = 512
	maxNotes  = 64 << 10
	shaDigits = 64
)

// ErrNothing is the refusal of whatever needs software, before the first download.
var ErrNothing = errors.New("no software has been downloaded yet; wait for the download of the " +
	"night or run: utils initiate software-download")

// Kind is what a file does to a machine.
type Kind string

// The kinds.
const (
	Patch   Kind = "patch"   // an engineering special or a COP file, on top of a release
	Upgrade Kind = "upgrade" // a release or a service update
)

// KindOf tells a patch from an upgrade by the file's name and version.
func KindOf(path string, v compat.Version) Kind {
	name := strings.ToLower(path)
	if v.ES > 0 || strings.HasSuffix(name, ".cop") || strings.HasSuffix(name, ".cop.sgn") ||
		strings.HasSuffix(name, ".cop.sha512") {
		return Patch
	}
	return Upgrade
}

// File is one file that is on disk, complete and verified when it was listed.
type File struct {
	Path       string         `json:"path"` // in the repository
	Product    string         `json:"product"`
	Version    compat.Version `json:"version"`
	Kind       Kind           `json:"kind"`
	Restricted bool           `json:"restricted"`
	Size       int64          `json:"size"`
	SHA256     string         `json:"sha256"`
	Notes      string         `json:"notes,omitempty"`
	Published  time.Time      `json:"published"`
	Since      time.Time      `json:"since"` // when this node had it first
	// Local is where the file is, absolute. It is not stored: the node's folder may move.
	Local string `json:"-"`
}

// Name is the last part of the path.
func (f File) Name() string { return f.Path[strings.LastIndexByte(f.Path, '/')+1:] }

// Catalogue is what the last download left.
type Catalogue struct {
	At         time.Time `json:"at"`         // when it was completed; zero: never
	Repository string    `json:"repository"` // the repository's name
	Restricted bool      `json:"restricted"` // which choice it was downloaded for
	Files      []File    `json:"files"`      // by path
}

// Check is ErrNothing where nothing was ever downloaded.
func (c Catalogue) Check() error {
	if c.At.IsZero() {
		return ErrNothing
	}
	return nil
}

// Folder is where a node's software lies: one folder a content, named by its digest.
func Folder(dir string) string { return filepath.Join(dir, "control", "software") }

// Local is where a file of a digest belongs.
func Local(dir, sha256, path string) string {
	return filepath.Join(Folder(dir), sha256, path[strings.LastIndexByte(path, '/')+1:])
}

// Read answers the catalogue of a node's folder; one that was never written is empty.
func Read(dir string) (Catalogue, error) {
	var c Catalogue
	dir, err := filepath.Abs(dir)
	if err != nil {
		return c, fmt.Errorf("cannot read the catalogue: %w", err)
	}
	err = atomicfile.ReadJSON(filepath.Join(dir, "control", listName), maxList, &c)
	if errors.Is(err, os.ErrNotExist) {
		return Catalogue{}, nil
	}
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return Catalogue{}, fmt.Errorf("cannot use the catalogue: %w", err)
	}
	for i, f := range c.Files {
		c.Files[i].Local = Local(dir, f.SHA256, f.Path)
	}
	return c, nil
}

// Write replaces the catalogue whole. Every file it lists must be in its place, verified.
func Write(dir string, c Catalogue) error {
	slices.SortFunc(c.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	if err := c.check(); err != nil {
		return fmt.Errorf("cannot write the catalogue: %w", err)
	}
	for _, f := range c.Files {
		info, err := os.Lstat(Local(dir, f.SHA256, f.Path))
		if err != nil || !info.Mode().IsRegular() || info.Size() != f.Size {
			return fmt.Errorf("cannot write the catalogue: %s is not in its place", f.Path)
		}
	}
	if c.Files == nil {
		c.Files = []File{}
	}
	return atomicfile.WriteJSON(filepath.Join(dir, "control", listName), c)
}

func (c Catalogue) check() error {
	if len(c.Files) > MaxFiles {
		return fmt.Errorf("it lists more than %d files", MaxFiles)
	}
	for i, f := range c.Files {
		if err := f.check(); err != nil {
			return err
		}
		if i > 0 && c.Files[i-1].Path >= f.Path {
			return fmt.Errorf("%.80q is listed out of order", f.Path)
		}
	}
	return nil
}

func (f File) check() error {
	digest, err := hex.DecodeString(f.SHA256)
	switch {
	case !ValidPath(f.Path):
		return fmt.Errorf("%.80q is not the path of a file", f.Path)
	case err != nil || len(digest) != shaDigits/2 || f.SHA256 != strings.ToLower(f.SHA256):
		return fmt.Errorf("the digest of %s is not a SHA-256 in lower-case hex", f.Path)
	case f.Product == "" || len(f.Product) > maxField || len(f.Notes) > maxNotes || f.Size < 0:
		return fmt.Errorf("the entry of %s is not complete", f.Path)
	case f.Version.IsZero() || f.Kind != KindOf(f.Path, f.Version):
		return fmt.Errorf("the version or the kind of %s is wrong", f.Path)
	}
	return nil
}

// ValidPath refuses what leads out of a folder or is hidden in one, and other characters than
// letters, digits and . _ ( ) + ~ -.
func ValidPath(path string) bool {
	if path == "" || len(path) > maxPath {
		return false
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part[0] == '.' || len(part) > 200 {
			return false
		}
		for _, r := range part {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') &&
				!strings.ContainsRune("._()+~-", r) {
				return false
			}
		}
	}
	return true
}
