package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// A chain that has grown is signed once it has grown by so many records or after that time: what an
// intruder could change unseen is what is younger.
const (
	checkpointRecords = 500
	checkpointAge     = 5 * time.Minute
)

// timeForm is how an instant is written for people.
const timeForm = "2006-01-02T15:04:05.000Z"

// Checkpoint says where the log of an organization stood, with the hub's signature.
type Checkpoint struct {
	Organization models.OrganizationID `json:"organization"`
	Name         string                `json:"name,omitempty"`
	Sequence     int64                 `json:"sequence"`
	Hash         string                `json:"hash"`
	At           time.Time             `json:"at"`
	Statement    string                `json:"statement"`
	Incarnation  uint64                `json:"-"` // of the hub, when it signed
}

// ActionRestored is the record with which a log goes on that was restored from a backup.
const ActionRestored = "hub_restored"

// SignCheckpoints signs where the chains stand that have grown enough or waited long enough.
func (a *Audit) SignCheckpoints(ctx context.Context) error {
	var heads []models.AuditHead
	err := a.o.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		heads, err = tx.Hub().AuditHeads()
		return err
	})
	if err != nil {
		return err
	}
	var failed []error
	for _, head := range heads {
		if err := a.checkpoint(ctx, head.OrganizationID, whenDue); err != nil {
			failed = append(failed, fmt.Errorf("cannot sign the log of organization %s: %w",
				head.OrganizationID, err))
		}
	}
	return errors.Join(failed...)
}

// Checkpoints signs where the chains stand now, and answers that, for keeping elsewhere. An
// organization without a record has none.
func (a *Audit) Checkpoints(ctx context.Context, only models.OrganizationID) ([]Checkpoint, error) {
	var all []models.Organization
	err := a.o.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		all, err = organizations(tx, only)
		return err
	})
	if err != nil {
		return nil, err
	}
	var current []Checkpoint
	for _, o := range all {
		if err := a.checkpoint(ctx, o.ID, atOnce); err != nil {
			return nil, fmt.Errorf("cannot sign the log of %s: %w", o.Name, err)
		}
		err := a.o.Store.View(ctx, func(tx *store.Tx) error {
			last, err := tx.In(o.ID).LastAuditCheckpoint()
			if last != nil {
				current = append(current, Checkpoint{Organization: o.ID, Name: o.Name,
					Sequence: last.Sequence, Hash: last.Hash, At: last.At.UTC(),
					Statement: last.Statement})
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return current, nil
}

// SignRestored signs for every log that it goes on from a backup, with its last record of that (R34).
// Only whoever has the hub's key in hand may say so: without it a cut log stays a cut log.
func (a *Audit) SignRestored(ctx context.Context) error {
	var all []models.Organization
	err := a.o.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		all, err = organizations(tx, "")
		return err
	})
	failed := []error{err}
	for _, o := range all {
		if err := a.checkpoint(ctx, o.ID, restored); err != nil {
			failed = append(failed, fmt.Errorf("cannot sign the log of %s: %w", o.Name, err))
		}
	}
	return errors.Join(failed...)
}

// occasion is why a checkpoint is signed.
type occasion int

const (
	whenDue occasion = iota // after some time or many records
	atOnce
	restored
)

// lastRestored is the newest record of a restore after a place, or 0.
func lastRestored(s *store.Scope, after int64) (found int64, err error) {
	for r, err := range stored(s, after) {
		if err != nil {
			return 0, err
		}
		if r.Action == ActionRestored {
			found = r.Sequence
		}
	}
	return found, nil
}

// checkpoint signs where a chain stands, if it has grown since the last time. It signs nothing that does not follow from what it signed last.
// It reads on a snapshot, so that nobody who writes a record waits for it.
func (a *Audit) checkpoint(ctx context.Context, o models.OrganizationID, why occasion) error {
	var c *models.AuditCheckpoint
	err := a.o.Store.View(ctx, func(tx *store.Tx) error {
		s, at := tx.In(o), a.now()
		c = nil
		head, err := s.AuditHead()
		if err != nil {
			return err
		}
		last, err := s.LastAuditCheckpoint()
		if err != nil || !due(head, last, why != whenDue, at) {
			return err
		}
		v, err := a.verifier(tx)
		if err != nil {
			return err
		}
		if err := v.since(s, head, last); err != nil {
			return err
		}
		c = &models.AuditCheckpoint{Number: head.Checkpoints + 1, Sequence: head.Sequence,
			Hash: head.Hash, At: at}
		says := claims{Organization: o, Number: c.Number, Sequence: c.Sequence, Hash: c.Hash,
			At: c.At, Incarnation: v.life}
		if why == restored {
			from := head.PrunedSequence
			if last != nil {
				from = last.Sequence
			}
			if says.Restored, err = lastRestored(s, from); err != nil {
				return err
			}
		}
		c.Statement, err = sign(a.o.Keys, v.hub, typeCheckpoint, says)
		return err
	})
	if err != nil || c == nil {
		return err
	}
	err = a.o.Store.Update(ctx, func(tx *store.Tx) error {
		row := *c
		return tx.In(o).AddAuditCheckpoint(&row)
	})
	if errors.Is(err, store.ErrUnchanged) {
		return nil // another replica was faster
	}
	return err
}

func due(head models.AuditHead, last *models.AuditCheckpoint, now bool, at time.Time) bool {
	if last == nil {
		return head.Sequence > head.PrunedSequence
	}
	grown := head.Sequence - last.Sequence
	return grown != 0 && (now || grown >= checkpointRecords || at.Sub(last.At) >= checkpointAge)
}

// since checks what has come after the last checkpoint, from the cut where there is none.
func (v *Verifier) since(s *store.Scope, head models.AuditHead, last *models.AuditCheckpoint) error {
	w := &walker{v: v, points: make(map[int64][]point), log: Log{
		Organization: s.Organization(), Head: head, Records: stored(s, head.PrunedSequence)}}
	w.begin()
	if last != nil && last.Sequence > head.PrunedSequence {
		c, err := v.open(typeCheckpoint, last.Statement)
		if err != nil || c.Organization != s.Organization() {
			return &Tampered{Fault{Organization: s.Organization(), Sequence: last.Sequence,
				Checkpoint: last.Number, What: "the last checkpoint is not as the hub has signed it"}}
		}
		w.last.Sequence, w.last.Hash = c.Sequence, c.Hash
		w.log.Records = stored(s, c.Sequence)
	}
	if w.fault == nil {
		if err := w.walk(); err != nil {
			return err
		}
	}
	if w.fault != nil {
		return &Tampered{*w.fault}
	}
	return nil
}

// Tampered says that a log is not as it was written.
type Tampered struct{ Fault Fault }

func (t *Tampered) Error() string { return "the audit log was tampered with: " + t.Fault.String() }

// String names the place and says what is wrong with it.
func (f Fault) String() string {
	place := fmt.Sprintf("record %d", f.Sequence)
	if f.ID != "" {
		place += " (" + string(f.ID) + ")"
	}
	if f.From != 0 && f.From < f.Sequence {
		place = fmt.Sprintf("records %d to %d", f.From, f.Sequence)
	}
	return place + ": " + f.What
}

// maxKept bounds a file of kept checkpoints and one line of it.
const (
	maxKept     = 64 << 20
	maxKeptLine = 16 << 10
)

// ErrKept refuses a file that holds something else than checkpoints of this hub.
var ErrKept = errors.New("this is no checkpoint of this hub")

// WriteCheckpoints writes one checkpoint a line, as JSON.
func WriteCheckpoints(w io.Writer, checkpoints []Checkpoint) error {
	lines := json.NewEncoder(w)
	for _, c := range checkpoints {
		if err := lines.Encode(c); err != nil {
			return err
		}
	}
	return nil
}

// ReadCheckpoints reads what WriteCheckpoints has written, at any time. Only what is signed counts.
func (a *Audit) ReadCheckpoints(ctx context.Context, r io.Reader) ([]Checkpoint, error) {
	var v *Verifier
	err := a.o.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		v, err = a.verifier(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	var all []Checkpoint
	lines := bufio.NewScanner(io.LimitReader(r, maxKept))
	lines.Buffer(make([]byte, 4<<10), maxKeptLine)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var c Checkpoint
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, ErrKept)
		}
		signed, err := v.open(typeCheckpoint, c.Statement)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w: %w", n, ErrKept, err)
		}
		all = append(all, Checkpoint{Organization: signed.Organization, Sequence: signed.Sequence,
			Hash: signed.Hash, At: signed.At, Statement: c.Statement,
			Incarnation: signed.Incarnation})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the checkpoints: %w", err)
	}
	return all, nil
}
