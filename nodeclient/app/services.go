package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/supervise"
	"connecthub/nodeclient/journal"
)

const (
	journalFile  = "journal"
	stopDeadline = 2 * time.Minute
)

// openJournal reads the journal; a damaged one is put aside and what can be read of it is kept.
func (n *node) openJournal() (*journal.Journal, error) {
	path := filepath.Join(n.dir, journalFile)
	j, err := journal.Open(path)
	if errors.Is(err, journal.ErrDamaged) {
		n.e.log.Error("journal damaged; what can be read of it is kept", "err", err)
		return journal.Salvage(path)
	}
	return j, err
}

type superviseCommand struct{ dirFlag }

// Run is the supervisor: it outlives every agent.
func (s superviseCommand) Run(e *env) error {
	return supervise.Run(e.ctx, supervise.Options{Dir: s.Dir, Now: e.now, Log: e.log})
}

// ensureSupervisor starts this very program as the supervisor where none answers.
func ensureSupervisor(ctx context.Context, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	return supervise.Ensure(ctx, dir, []string{self, "supervise", "--dir", dir})
}

func startActive(ctx context.Context, dir string) error {
	slots, err := host.ViewSlots(dir)
	if err != nil {
		return err
	}
	active, err := slots.Active()
	if err != nil || active == "" {
		return err
	}
	if err := ensureSupervisor(ctx, dir); err != nil {
		return err
	}
	_, err = supervise.Client{Dir: dir}.Start(ctx, active)
	return err
}

type installCommand struct {
	dirFlag
	Bundle string `arg:"" type:"existingfile" help:"The bundle."`
}

// Run installs and starts a first version. Later versions come from the hub alone.
func (i installCommand) Run(e *env) error {
	if _, err := enroll.LoadConfig(i.Dir); err != nil {
		return err
	}
	slots, err := host.OpenSlots(i.Dir)
	if err != nil {
		return err
	}
	if active, err := slots.Active(); err != nil || active != "" {
		return errors.Join(err, fmt.Errorf("%s is installed already; upgrades come from the hub", active))
	}
	values, err := host.LoadValues(i.Dir)
	if err != nil {
		return err
	}
	slot, err := slotOf(e.ctx, i.Bundle)
	if err != nil {
		return err
	}
	f, err := os.Open(i.Bundle)
	if err != nil {
		return fmt.Errorf("cannot read the bundle: %w", err)
	}
	defer f.Close()
	m, err := slots.Install(e.ctx, slot, f, values.Check)
	if err != nil {
		return err
	}
	if err := slots.Switch(slot, ""); err != nil {
		return err
	}
	if err := startActive(e.ctx, i.Dir); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "%s %s is installed and started\n", m.Name, m.Version)
	return err
}

// slotOf reads a bundle once for its version and its digest.
func slotOf(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the bundle: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	r := io.TeeReader(f, sum)
	s, err := bundle.Inspect(ctx, r, bundle.DefaultLimits())
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return "", fmt.Errorf("cannot read the bundle: %w", err)
	}
	return host.SlotName(s.Manifest.Version, hex.EncodeToString(sum.Sum(nil)))
}

type bundleCommand struct {
	Build   bundleBuild   `cmd:"" help:"Make a bundle of a folder with a manifest.json."`
	Inspect bundleInspect `cmd:"" help:"Show a bundle's manifest and size."`
}

type bundleBuild struct {
	Folder string `arg:"" name:"dir" type:"existingdir" help:"Folder with manifest.json."`
	Out    string `required:"" type:"path" help:"The bundle to write."`
}

// Run writes the bundle whole or not at all.
func (b bundleBuild) Run(e *env) error {
	part := b.Out + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write the bundle: %w", err)
	}
	defer os.Remove(part)
	sum := sha256.New()
	m, err := bundle.Build(b.Folder, io.MultiWriter(f, sum))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(part, b.Out); err != nil {
		return fmt.Errorf("cannot write the bundle: %w", err)
	}
	_, err = fmt.Fprintf(e.out, "%s %s  sha256:%x  %s\n", m.Name, m.Version, sum.Sum(nil), b.Out)
	return err
}

type bundleInspect struct {
	File string `arg:"" type:"existingfile" help:"The bundle."`
}

// Run prints the summary as JSON.
func (b bundleInspect) Run(e *env) error {
	f, err := os.Open(b.File)
	if err != nil {
		return fmt.Errorf("cannot read the bundle: %w", err)
	}
	defer f.Close()
	s, err := bundle.Inspect(e.ctx, f, bundle.DefaultLimits())
	if err != nil {
		return err
	}
	enc := json.NewEncoder(e.out)
	enc.SetIndent("", "  ")
	return enc.Encode(s)
}

// installedVersion is the version of the active slot, or empty.
func installedVersion(slots *host.Slots) models.Version {
	active, err := slots.Active()
	if err != nil || active == "" {
		return ""
	}
	m, err := slots.Manifest(active)
	if err != nil {
		return ""
	}
	return m.Version
}
