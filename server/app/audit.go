package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"connecthub/hub/audit"
	"connecthub/hub/keys"
	"connecthub/models"
	"connecthub/server/config"
)

// errTampered ends "audit verify" where a log is not as it was written.
var errTampered = errors.New("the audit log is not as it was written")

// auditCommand runs what the words say about the log of changes.
func (c command) auditCommand(ctx context.Context, words string) (done bool, err error) {
	switch words {
	case "audit verify":
		return true, c.verifyAudit(ctx)
	case "audit checkpoint":
		return true, c.checkpointAudit(ctx)
	}
	return false, nil
}

// openAudit opens the log with the hub's own key. A command never makes a key: what another key has
// signed would look like a forgery.
func (c command) openAudit() (*audit.Audit, error) {
	_, err := os.Stat(filepath.Join(c.line.Keys(), keys.FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot find the hub's signing key in %s: run this where the hub runs, "+
			"once it has run", c.line.Keys())
	}
	signing, err := keys.LoadOrCreate(c.line.Keys(), c.hub.seal)
	if err != nil {
		return nil, err
	}
	return audit.New(audit.Options{Store: c.hub.store, Keys: signing, Now: time.Now, Log: c.log})
}

// auditOf finds the organization that was named; no name is all of them.
func (c command) auditOf(ctx context.Context, name string) (models.OrganizationID, error) {
	if name == "" {
		return "", nil
	}
	o, err := c.hub.identity.Organization(ctx, name)
	if err != nil {
		return "", fmt.Errorf("cannot find organization %q: %w", name, err)
	}
	return o.ID, nil
}

func (c command) verifyAudit(ctx context.Context) error {
	n := c.line.Audit.Verify
	log, err := c.openAudit()
	if err != nil {
		return err
	}
	only, err := c.auditOf(ctx, n.Organization)
	if err != nil {
		return err
	}
	kept, err := readKept(ctx, log, n)
	if err != nil {
		return err
	}
	results, err := log.Verify(ctx, only, kept)
	if err != nil {
		return fmt.Errorf("cannot verify the audit log: %w", err)
	}
	bad := 0
	for _, r := range results {
		if r.Fault != nil {
			bad++
		}
		fmt.Fprintln(c.out, verdict(r))
	}
	if bad > 0 {
		return fmt.Errorf("%w: %d of %d organizations", errTampered, bad, len(results))
	}
	return nil
}

func readKept(ctx context.Context, log *audit.Audit, n config.AuditVerify) (
	kept []audit.Checkpoint, err error) {
	for _, name := range n.Checkpoint {
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("cannot open the checkpoints: %w", err)
		}
		some, err := log.ReadCheckpoints(ctx, file)
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		kept = append(kept, some...)
	}
	return kept, nil
}

// verdict is one line on an organization's log.
func verdict(r audit.Result) string {
	name := fmt.Sprintf("%s (%s)", r.Name, r.Organization)
	if r.Name == "" {
		name = string(r.Organization)
	}
	switch {
	case r.Fault != nil:
		return "BAD " + name + ": " + r.Fault.String()
	case r.Last < r.First:
		return "ok  " + name + ": no records"
	}
	text := fmt.Sprintf("ok  %s: records %d to %d, signed up to %d", name, r.First, r.Last, r.Signed)
	if r.Old > 0 {
		text += fmt.Sprintf("; %d checkpoints are older than what is kept", r.Old)
	}
	if r.Restored == nil {
		return text
	}
	text += fmt.Sprintf("; the log was restored from a backup by %s and goes on with record %d",
		r.Restored.At.UTC().Format(time.RFC3339), r.Restored.From)
	if r.Lost > 0 {
		text += fmt.Sprintf(": what was recorded before the restore from there to record %d, as a "+
			"checkpoint that was kept elsewhere shows, is lost", r.Lost)
	}
	return text
}

func (c command) checkpointAudit(ctx context.Context) error {
	log, err := c.openAudit()
	if err != nil {
		return err
	}
	only, err := c.auditOf(ctx, c.line.Audit.Checkpoint.Organization)
	if err != nil {
		return err
	}
	current, err := log.Checkpoints(ctx, only)
	if err != nil {
		return err
	}
	return audit.WriteCheckpoints(c.out, current)
}
