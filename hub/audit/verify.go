package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// Log is the whole stored log of one organization.
type Log struct {
	Organization models.OrganizationID
	Head         models.AuditHead
	Checkpoints  []models.AuditCheckpoint
	Records      iter.Seq2[models.AuditRecord, error] // by sequence
}

// Fault is the first thing that is wrong with a log.
type Fault struct {
	Organization models.OrganizationID
	// Sequence is the place of the first bad record, or of the first one that is missing. Where only
	// a checkpoint disagrees, the record may be any from From on.
	Sequence, From int64
	ID             models.AuditID // empty where the record is missing
	Checkpoint     int64          // number of the stored checkpoint that is bad; 0: none is
	What           string
}

// Result is what a check has found.
type Result struct {
	Organization models.OrganizationID
	Name         string
	First, Last  int64 // of the records that are there
	Signed       int64 // the newest record that a checkpoint covers
	Old          int   // kept checkpoints from before the cut, which nothing is left to hold against
	// Restored is the newest restore from a backup that the hub has signed, and Lost the last record
	// that a kept checkpoint shows to have been in the log before it.
	Restored *Restore
	Lost     int64
	Fault    *Fault
}

// Restore is where a log goes on after a backup was put back.
type Restore struct {
	From        int64 // the first record of the new life
	At          time.Time
	Incarnation uint64
}

// Verify checks the logs of one organization or of all, on one snapshot, also against checkpoints
// that were kept elsewhere.
func (a *Audit) Verify(ctx context.Context, only models.OrganizationID, kept []Checkpoint) (
	[]Result, error) {
	var results []Result
	err := a.o.Store.View(ctx, func(tx *store.Tx) error {
		results = nil
		v, err := a.verifier(tx)
		if err != nil {
			return err
		}
		all, err := organizations(tx, only)
		if err != nil {
			return err
		}
		known := make(map[models.OrganizationID]bool, len(all))
		for _, o := range all {
			known[o.ID] = true
			found, err := verifyStored(tx.In(o.ID), v, keptOf(kept, o.ID))
			if err != nil {
				return fmt.Errorf("cannot read the log of %s: %w", o.Name, err)
			}
			found.Name = o.Name
			results = append(results, found)
		}
		for _, c := range kept {
			if only == "" && !known[c.Organization] {
				known[c.Organization] = true
				results = append(results, gone(c))
			}
		}
		return nil
	})
	return results, err
}

func keptOf(kept []Checkpoint, o models.OrganizationID) (own []Checkpoint) {
	for _, c := range kept {
		if c.Organization == o {
			own = append(own, c)
		}
	}
	return own
}

// gone is a log whose organization does not exist any more: organizations are never removed.
func gone(c Checkpoint) Result {
	return Result{Organization: c.Organization, Fault: &Fault{Organization: c.Organization,
		Sequence: 1, From: 1, What: fmt.Sprintf("the organization and its whole log are missing: "+
			"the hub has signed that it had %d records", c.Sequence)}}
}

func verifyStored(s *store.Scope, v *Verifier, kept []Checkpoint) (Result, error) {
	o := s.Organization()
	head, err := s.AuditHead()
	if err != nil {
		return Result{}, err
	}
	stray, err := s.AuditStray()
	if err != nil {
		return Result{}, err
	}
	if stray != nil {
		return Result{Organization: o, Fault: &Fault{Organization: o, Sequence: stray.Sequence,
			From: stray.Sequence, ID: stray.ID, What: "the record has no place in the chain"}}, nil
	}
	checkpoints, err := s.AuditCheckpoints()
	if err != nil {
		return Result{}, err
	}
	return v.Verify(Log{Organization: o, Head: head, Checkpoints: checkpoints,
		Records: stored(s, 0)}, kept)
}

// page is how many records are in memory at once.
const page = 500

// stored are the records after a place.
func stored(s *store.Scope, last int64) iter.Seq2[models.AuditRecord, error] {
	return func(yield func(models.AuditRecord, error) bool) {
		for {
			records, err := s.AuditChain(last, page)
			if err != nil {
				yield(models.AuditRecord{}, fmt.Errorf("after record %d: %w", last, err))
				return
			}
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
				last = r.Sequence
			}
			if len(records) < page {
				return
			}
		}
	}
}

// Verify checks one log, also against checkpoints that were kept elsewhere, and names the first
// fault in the order of the chain.
func (v *Verifier) Verify(log Log, kept []Checkpoint) (Result, error) {
	if log.Head.Unchained {
		return Result{}, errors.New("its old records are not chained yet: run \"server migrate\"")
	}
	w := &walker{v: v, log: log, points: make(map[int64][]point),
		result: Result{Organization: log.Organization}}
	if w.begin() {
		w.signed()
		w.kept(kept)
		if err := w.walk(); err != nil {
			return Result{}, err
		}
	}
	w.result.Fault = w.fault
	return w.result, nil
}
