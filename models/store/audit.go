package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm/clause"

	"connecthub/models"
)

// auditBatch is how many records one statement inserts, and how many are chained or listed at once.
const auditBatch = 200

// AppendAudit adds one record; an empty ID is filled. It gets its place in the organization's chain
// when the function of the transaction has returned, so that whoever waits for the chain waits
// briefly; without it nothing is committed. There is no way to change or remove one, but PruneAudit.
func (s *Scope) AppendAudit(r *models.AuditRecord) error {
	if r.ID == "" {
		r.ID = NewID[models.AuditID](s.tx)
	}
	if r.OrganizationID == "" {
		r.OrganizationID = s.organization
	}
	if r.OrganizationID != s.organization || s.organization == "" {
		return s.tx.fail(fmt.Errorf("%w: audit_records", ErrUnscoped))
	}
	if s.tx.audits == nil {
		s.tx.audits = make(map[models.OrganizationID][]models.AuditRecord)
	}
	s.tx.audits[s.organization] = append(s.tx.audits[s.organization], *r)
	return nil
}

// chained are the organizations whose chains the transaction prolongs, in the one order in which
// everybody takes them.
func (t *Tx) chained() []models.OrganizationID {
	organizations := make([]models.OrganizationID, 0, len(t.audits))
	for o := range t.audits {
		organizations = append(organizations, o)
	}
	slices.Sort(organizations)
	return organizations
}

// chainAudits is the end of a transaction: its records get their places and are stored.
func (t *Tx) chainAudits() error {
	for _, o := range t.chained() {
		if err := t.In(o).prolong(t.audits[o]); err != nil {
			return fmt.Errorf("cannot store the audit records: %w", err)
		}
	}
	return nil
}

func (s *Scope) prolong(records []models.AuditRecord) error {
	head, err := s.lockAuditHead()
	if err != nil {
		return err
	}
	if head.Unchained {
		return ErrSchemaOld
	}
	was := head.Sequence
	for i := range records {
		records[i].Chain(head)
		head.Sequence, head.Hash = records[i].Sequence, records[i].Hash
	}
	if err := s.tx.fail(s.db.CreateInBatches(records, auditBatch).Error); err != nil {
		return err
	}
	return s.saveAuditHead(head, was)
}

func (s *Scope) saveAuditHead(head models.AuditHead, was int64) error {
	return setOne[models.AuditHead](s.handle, values{"sequence": head.Sequence,
		"hash": head.Hash, "unchained": head.Unchained},
		is("organization_id", s.organization), is("sequence", was))
}

// lockAuditHead answers the head of the chain, a new one where there was none, and keeps everybody
// else from prolonging the chain.
func (s *Scope) lockAuditHead() (models.AuditHead, error) {
	h := s.handle
	h.db = h.db.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	head, err := take[models.AuditHead](h, is("organization_id", s.organization))
	if errors.Is(err, ErrNotFound) {
		head = models.AuditHead{OrganizationID: s.organization}
		return head, create(s.handle, &head)
	}
	return head, err
}

// AuditHead answers where the chain stands; before the first record it is all zero.
func (s *Scope) AuditHead() (models.AuditHead, error) {
	head, err := takeAny[models.AuditHead](s.handle, is("organization_id", s.organization))
	if err != nil || head == nil {
		return models.AuditHead{OrganizationID: s.organization}, err
	}
	return *head, nil
}

// AuditHeads lists where the chains of all organizations stand.
func (h *Hub) AuditHeads() ([]models.AuditHead, error) {
	return list[models.AuditHead](h.handle, by("organization_id"), 0)
}

// AuditChain lists records in the order of the chain, those after sequence, at most limit. A record
// without a place in it comes before all others.
func (s *Scope) AuditChain(sequence int64, limit int) ([]models.AuditRecord, error) {
	return list[models.AuditRecord](s.handle, by("sequence", "id"), limit,
		after("sequence", sequence))
}

// AuditStray answers a record that has no place in the chain, or nil: there never is one.
func (s *Scope) AuditStray() (*models.AuditRecord, error) {
	found, err := list[models.AuditRecord](s.handle, by("id"), 1, atMost("sequence", 0))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// AuditCheckpoints lists the signed checkpoints in their order.
func (s *Scope) AuditCheckpoints() ([]models.AuditCheckpoint, error) {
	return list[models.AuditCheckpoint](s.handle, by("number"), 0)
}

// LastAuditCheckpoint answers the newest one, or nil.
func (s *Scope) LastAuditCheckpoint() (*models.AuditCheckpoint, error) {
	found, err := list[models.AuditCheckpoint](s.handle, by("number").newestFirst(), 1)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// AddAuditCheckpoint stores the checkpoint after the last; ErrUnchanged when it is not the next.
func (s *Scope) AddAuditCheckpoint(c *models.AuditCheckpoint) error {
	err := setOne[models.AuditHead](s.handle, values{"checkpoints": c.Number},
		is("organization_id", s.organization), is("checkpoints", c.Number-1))
	if err != nil {
		return err
	}
	return create(s.handle, c)
}

// AuditCut answers the newest record up to which all are older than the instant, at most limit
// after those that are gone already; nil when nothing is that old.
func (s *Scope) AuditCut(instant time.Time, limit int) (*models.AuditRecord, error) {
	head, err := s.AuditHead()
	if err != nil {
		return nil, err
	}
	oldest, err := s.AuditChain(head.PrunedSequence, 1)
	if err == nil && len(oldest) > 0 && oldest[0].At.Before(instant) {
		oldest, err = s.AuditChain(head.PrunedSequence, limit)
	}
	if err != nil {
		return nil, err
	}
	var cut *models.AuditRecord
	for i := range oldest {
		if !oldest[i].At.Before(instant) {
			break
		}
		cut = &oldest[i]
	}
	return cut, nil
}

// PruneAudit removes what is of the cut or older: records, and the checkpoints that only they could
// be held against. The statement is the hub's signature over the cut. ErrUnchanged when the cut is
// not after the last one.
func (s *Scope) PruneAudit(cut models.AuditRecord, statement string) (int64, error) {
	if statement == "" {
		return 0, ErrUnchanged
	}
	err := setOne[models.AuditHead](s.handle, values{"pruned_sequence": cut.Sequence,
		"pruned_hash": cut.Hash, "prune_statement": statement},
		is("organization_id", s.organization), before("pruned_sequence", cut.Sequence),
		atLeast("sequence", cut.Sequence))
	if err != nil {
		return 0, err
	}
	if _, err := remove[models.AuditCheckpoint](s.handle, atMost("sequence", cut.Sequence)); err != nil {
		return 0, err
	}
	return remove[models.AuditRecord](s.handle, atMost("sequence", cut.Sequence))
}

// chainOld hashes the records from before there was a chain, a batch a transaction. It goes on where
// a killed one has stopped.
func (s *Store) chainOld(ctx context.Context) error {
	var heads []models.AuditHead
	err := s.View(ctx, func(tx *Tx) error {
		var err error
		heads, err = tx.Hub().AuditHeads()
		return err
	})
	for i := 0; err == nil && i < len(heads); i++ {
		for more := heads[i].Unchained; more && err == nil; {
			err = s.Update(ctx, func(tx *Tx) error {
				var err error
				more, err = tx.In(heads[i].OrganizationID).chainSome()
				return err
			})
		}
	}
	if err != nil {
		return fmt.Errorf("cannot chain the audit records: %w", err)
	}
	return nil
}

func (s *Scope) chainSome() (more bool, err error) {
	head, err := s.lockAuditHead()
	if err != nil || !head.Unchained {
		return false, err
	}
	old, err := s.AuditChain(head.Sequence, auditBatch)
	if err != nil {
		return false, err
	}
	was := head.Sequence
	for i := range old {
		old[i].Chain(head)
		head.Sequence, head.Hash = old[i].Sequence, old[i].Hash
		err := saveOne(s.handle, &old[i], []string{"encoding", "previous", "hash"},
			is("id", old[i].ID), is("sequence", old[i].Sequence), is("hash", ""))
		if err != nil {
			return false, err
		}
	}
	head.Unchained = len(old) == auditBatch
	return head.Unchained, s.saveAuditHead(head, was)
}

// waitsForChain says whether records wait for chainOld.
func (s *Store) waitsForChain(ctx context.Context) (waits bool, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		heads, err := list[models.AuditHead](tx.Hub().handle, nil, 1, is("unchained", true))
		waits = len(heads) > 0
		return err
	})
	return waits, err
}
