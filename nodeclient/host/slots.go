// Package host is the machine as the agent sees it: installed versions in slots, and facts. It
// knows no hub and no permits.
package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"connecthub/models"
	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/host/bundle"
)

const (
	slotsDir     = "slots"
	activeLink   = "active"
	previousLink = "previous"
	partPrefix   = ".part-"
	digestInName = 16
	digestSuffix = ".sha256"
)

// ErrNoSlot says that a slot is not on this machine.
var ErrNoSlot = errors.New("no such slot")

var (
	slotPattern   = regexp.MustCompile(`^[0-9][0-9.-]{0,63}-[0-9a-f]{16}$`)
	digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Slots are the installed versions below one folder. A slot bears its name only when all of it is
// verified and on stable storage; one symbolic link decides which is active (R27).
type Slots struct{ dir string }

// OpenSlots makes the folders where they are missing and removes what a crash left half unpacked.
func OpenSlots(dir string) (*Slots, error) {
	s := &Slots{dir: dir}
	if err := os.MkdirAll(filepath.Join(dir, slotsDir), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make slots folder: %w", err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, slotsDir))
	if err != nil {
		return nil, fmt.Errorf("cannot list slots: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), partPrefix) {
			if err := os.RemoveAll(filepath.Join(dir, slotsDir, e.Name())); err != nil {
				return nil, fmt.Errorf("cannot remove half a slot: %w", err)
			}
		}
	}
	return s, atomicfile.SyncDir(dir)
}

// ViewSlots opens the slots of dir without touching what another process may be unpacking.
func ViewSlots(dir string) (*Slots, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("cannot open slots: %w", err)
	}
	return &Slots{dir: dir}, nil
}

// SlotName is the name of the slot of a version with a digest.
func SlotName(version models.Version, digest string) (string, error) {
	if _, err := models.ParseVersion(string(version)); err != nil {
		return "", err
	}
	if !digestPattern.MatchString(digest) {
		return "", fmt.Errorf("cannot name a slot: digest %.80q is no SHA-256", digest)
	}
	return string(version) + "-" + digest[:digestInName], nil
}

// Path is the folder of a slot.
func (s *Slots) Path(slot string) string { return filepath.Join(s.dir, slotsDir, slot) }

// Manifest is the manifest of an installed slot, or ErrNoSlot.
func (s *Slots) Manifest(slot string) (bundle.Manifest, error) {
	if !slotPattern.MatchString(slot) {
		return bundle.Manifest{}, fmt.Errorf("%w: %.80q", ErrNoSlot, slot)
	}
	f, err := os.Open(filepath.Join(s.Path(slot), bundle.ManifestName))
	if errors.Is(err, os.ErrNotExist) {
		return bundle.Manifest{}, fmt.Errorf("%w: %s", ErrNoSlot, slot)
	}
	if err != nil {
		return bundle.Manifest{}, fmt.Errorf("cannot read slot %s: %w", slot, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, bundle.MaxManifest+1))
	if err != nil {
		return bundle.Manifest{}, fmt.Errorf("cannot read slot %s: %w", slot, err)
	}
	return bundle.ParseManifest(raw)
}

// Install unpacks a verified bundle into the slot; accept may refuse its manifest. It answers at
// once when the slot is there. After an error nothing of it is left.
func (s *Slots) Install(ctx context.Context, slot string, r io.Reader,
	accept func(bundle.Manifest) error,
) (bundle.Manifest, error) {
	if m, err := s.Manifest(slot); err == nil || !errors.Is(err, ErrNoSlot) {
		return m, err
	}
	if !slotPattern.MatchString(slot) {
		return bundle.Manifest{}, fmt.Errorf("cannot install into slot %.80q: no such name", slot)
	}
	part := filepath.Join(s.dir, slotsDir, partPrefix+slot)
	if err := os.RemoveAll(part); err != nil {
		return bundle.Manifest{}, fmt.Errorf("cannot remove half a slot: %w", err)
	}
	m, err := bundle.Extract(ctx, r, part, bundle.DefaultLimits())
	if err == nil {
		err = accept(m)
	}
	if err == nil {
		err = os.Rename(part, s.Path(slot))
	}
	if err != nil {
		// best effort: OpenSlots removes what is still there
		_ = os.RemoveAll(part)
		return bundle.Manifest{}, fmt.Errorf("cannot install slot %s: %w", slot, err)
	}
	return m, atomicfile.SyncDir(filepath.Join(s.dir, slotsDir))
}

// NoteDigest remembers which bundle a slot was unpacked from; its name holds only a part of that.
func (s *Slots) NoteDigest(slot, digest string) error {
	if !slotPattern.MatchString(slot) || !digestPattern.MatchString(digest) ||
		!strings.HasSuffix(slot, "-"+digest[:digestInName]) {
		return fmt.Errorf("cannot note the bundle of slot %.80q", slot)
	}
	return atomicfile.Write(s.Path(slot)+digestSuffix, []byte(digest+"\n"), 0o644)
}

// Digest is which bundle the slot was unpacked from; empty where nobody has noted it.
func (s *Slots) Digest(slot string) (string, error) {
	if !slotPattern.MatchString(slot) {
		return "", fmt.Errorf("%w: %.80q", ErrNoSlot, slot)
	}
	f, err := os.Open(s.Path(slot) + digestSuffix)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot read the bundle of slot %s: %w", slot, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, 128))
	digest := strings.TrimSpace(string(raw))
	if err != nil || !digestPattern.MatchString(digest) {
		return "", errors.Join(fmt.Errorf("cannot read the bundle of slot %s", slot), err)
	}
	return digest, nil
}

// Stage makes slot the inactive one: the version that a switch by hand goes to.
func (s *Slots) Stage(slot string) error {
	if _, err := s.Manifest(slot); err != nil {
		return fmt.Errorf("cannot stage: %w", err)
	}
	return s.point(previousLink, slot)
}

// Active is the slot that the one link names; empty when nothing was ever installed.
func (s *Slots) Active() (string, error) { return s.link(activeLink) }

// Previous is the slot that was active before; empty when there is none.
func (s *Slots) Previous() (string, error) { return s.link(previousLink) }

func (s *Slots) link(name string) (string, error) {
	target, err := os.Readlink(filepath.Join(s.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot read link %s: %w", name, err)
	}
	return filepath.Base(target), nil
}

// Switch makes slot the active one and remembers previous (none when empty). It refuses a slot that
// is not completely there. Repeating it changes nothing.
func (s *Slots) Switch(slot, previous string) error {
	if _, err := s.Manifest(slot); err != nil {
		return fmt.Errorf("cannot switch: %w", err)
	}
	if err := s.point(previousLink, previous); err != nil {
		return err
	}
	return s.point(activeLink, slot)
}

func (s *Slots) point(name, slot string) error {
	now, err := s.link(name)
	if err != nil {
		return err
	}
	link := filepath.Join(s.dir, name)
	switch {
	case now == slot:
	case slot == "":
		err = os.Remove(link)
	default:
		temp := link + ".part"
		if err = os.Remove(temp); err == nil || errors.Is(err, os.ErrNotExist) {
			err = os.Symlink(filepath.Join(slotsDir, slot), temp)
		}
		if err == nil {
			err = os.Rename(temp, link)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot point %s to %q: %w", name, slot, err)
	}
	return atomicfile.SyncDir(s.dir)
}

// Prune removes every slot but the active one, the previous one and those to keep.
func (s *Slots) Prune(keep ...string) error {
	active, err := s.Active()
	if err != nil {
		return err
	}
	previous, err := s.Previous()
	if err != nil {
		return err
	}
	kept := map[string]bool{active: true, previous: true}
	for _, k := range keep {
		kept[k] = true
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, slotsDir))
	if err != nil {
		return fmt.Errorf("cannot list slots: %w", err)
	}
	for _, e := range entries {
		if kept[e.Name()] || !slotPattern.MatchString(e.Name()) {
			continue
		}
		// Renamed first, so that a crash leaves no slot that looks complete.
		gone := filepath.Join(s.dir, slotsDir, partPrefix+e.Name())
		if err := errors.Join(os.RemoveAll(gone), os.Rename(s.Path(e.Name()), gone),
			os.RemoveAll(gone), atomicfile.Remove(s.Path(e.Name())+digestSuffix)); err != nil {
			return fmt.Errorf("cannot remove slot %s: %w", e.Name(), err)
		}
	}
	return nil
}
