package audit

import (
	"context"
	"errors"
	"fmt"

	"connecthub/models"
	"connecthub/models/store"
)

// Months is how long a record is kept.
const Months = 13

// One transaction removes so many records, and one run of the job that many times.
const (
	pruneRecords = 1000
	pruneTimes   = 100
)

// Prune removes the records that are older than 13 months. Before they go they are checked, and the
// hub signs where the chain goes on: it removes no evidence, and what is left still can be verified.
func (a *Audit) Prune(ctx context.Context) error {
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
		for range pruneTimes {
			gone, err := a.pruneSome(ctx, head.OrganizationID)
			if err != nil {
				failed = append(failed, fmt.Errorf("cannot prune the log of organization %s: %w",
					head.OrganizationID, err))
			}
			if gone == 0 {
				break
			}
		}
	}
	return errors.Join(failed...)
}

// pruneSome checks on a snapshot, and then removes just that.
func (a *Audit) pruneSome(ctx context.Context, o models.OrganizationID) (gone int64, err error) {
	var cut *models.AuditRecord
	var statement string
	err = a.o.Store.View(ctx, func(tx *store.Tx) error {
		s, now := tx.In(o), a.now()
		var err error
		if cut, err = s.AuditCut(now.AddDate(0, -Months, 0), pruneRecords); err != nil || cut == nil {
			return err
		}
		v, err := a.verifier(tx)
		if err != nil {
			return err
		}
		number, err := v.upTo(s, *cut)
		if err != nil {
			return err
		}
		statement, err = sign(a.o.Keys, v.hub, typeCut, claims{Organization: o, Number: number,
			Sequence: cut.Sequence, Hash: cut.Hash, At: now})
		return err
	})
	if err != nil || cut == nil {
		return 0, err
	}
	err = a.o.Store.Update(ctx, func(tx *store.Tx) error {
		var err error
		gone, err = tx.In(o).PruneAudit(*cut, statement)
		return err
	})
	if errors.Is(err, store.ErrUnchanged) {
		return 0, nil // another replica was faster
	}
	return gone, err
}

// upTo checks what is going to be removed, and answers the last checkpoint that goes with it.
func (v *Verifier) upTo(s *store.Scope, cut models.AuditRecord) (int64, error) {
	head, err := s.AuditHead()
	if err != nil {
		return 0, err
	}
	checkpoints, err := s.AuditCheckpoints()
	if err != nil {
		return 0, err
	}
	records, err := s.AuditChain(head.PrunedSequence, int(cut.Sequence-head.PrunedSequence))
	if err != nil {
		return 0, err
	}
	w := &walker{v: v, points: make(map[int64][]point), log: Log{Organization: s.Organization(),
		Head: head, Checkpoints: checkpoints}}
	if w.begin() {
		number := w.last.Checkpoints
		w.start = w.last.Sequence
		w.signed()
		for i := 0; i < len(records) && w.fault == nil; i++ {
			// Nothing is ahead: of two records that do not fit either may be the bad one.
			if fault := w.check(records[i], nil); fault != nil {
				w.blame(*fault)
			}
			w.last.Sequence, w.last.Hash, w.lastID = records[i].Sequence, records[i].Hash, records[i].ID
		}
		for _, c := range checkpoints {
			if c.Sequence <= cut.Sequence {
				number = c.Number
			}
		}
		if w.fault == nil {
			return number, nil
		}
	}
	return 0, &Tampered{*w.fault}
}
