package audit

import (
	"fmt"
	"iter"

	"connecthub/models"
)

// point is a place of the chain whose hash the hub has signed.
type point struct {
	sequence int64
	hash     string
	name     string
}

// walker goes along a log and keeps the first fault that it meets.
type walker struct {
	v      *Verifier
	log    Log
	points map[int64][]point
	high   point // the highest
	lives  []Restore
	result Result
	fault  *Fault

	start  int64            // where the chain begins: the cut, or 0
	last   models.AuditHead // of the last good record
	lastID models.AuditID
	agreed int64          // the last place at which a signature agreed
	beyond models.AuditID // the first record after the stored head
}

// blame keeps the earliest fault; of two about one record the first that was found.
func (w *walker) blame(f Fault) {
	f.Organization = w.log.Organization
	if f.From == 0 {
		f.From = f.Sequence
	}
	if w.fault == nil || f.Sequence < w.fault.Sequence {
		w.fault = &f
	}
}

// begin finds where the chain starts: at its genesis, or at a cut that the hub has signed.
func (w *walker) begin() bool {
	head := w.log.Head
	w.last = models.AuditHead{OrganizationID: w.log.Organization}
	if head.PrunedSequence == 0 && head.PruneStatement == "" && head.PrunedHash == "" {
		w.last.Hash = models.AuditGenesis(w.log.Organization)
		return true
	}
	cut, err := w.v.open(typeCut, head.PruneStatement)
	said := claims{Organization: w.log.Organization, Number: cut.Number,
		Sequence: head.PrunedSequence, Hash: head.PrunedHash, At: cut.At}
	if w.v.keeps(guardCount) && (err != nil || !cut.same(said)) {
		w.blame(Fault{Sequence: head.PrunedSequence,
			What: "the records up to here were removed, and the hub has not signed for that"})
		return false
	}
	w.last.Sequence, w.last.Hash, w.agreed = cut.Sequence, cut.Hash, cut.Sequence
	w.last.Checkpoints = cut.Number
	return true
}

// signed takes the stored checkpoints: none may be missing, changed or made up.
func (w *walker) signed() {
	next := w.last.Checkpoints + 1
	for _, c := range w.log.Checkpoints {
		if !w.v.keeps(guardCount) {
			w.hold(point{c.Sequence, c.Hash, "a checkpoint"})
			continue
		}
		if c.Number != next {
			w.blame(Fault{Sequence: c.Sequence, Checkpoint: next,
				What: fmt.Sprintf("checkpoint %d is missing", next)})
			return
		}
		said := claims{Organization: w.log.Organization, Number: c.Number, Sequence: c.Sequence,
			Hash: c.Hash, At: c.At}
		if got, err := w.v.open(typeCheckpoint, c.Statement); err != nil || !got.same(said) ||
			c.OrganizationID != w.log.Organization {
			w.blame(Fault{Sequence: c.Sequence, Checkpoint: c.Number,
				What: fmt.Sprintf("checkpoint %d is not as the hub has signed it", c.Number)})
			return
		}
		w.hold(point{c.Sequence, c.Hash, fmt.Sprintf("checkpoint %d", c.Number)})
		w.live(c.Statement)
		next++
	}
	if stored := w.log.Head.Checkpoints; stored != next-1 && w.v.keeps(guardCount) {
		w.blame(Fault{Sequence: w.high.sequence + 1, Checkpoint: next,
			What: fmt.Sprintf("there are %d checkpoints, and %d are counted", next-1, stored)})
	}
}

// live notes a restore that a good checkpoint tells of.
func (w *walker) live(statement string) {
	c, err := w.v.open(typeCheckpoint, statement)
	if err != nil || c.Restored == 0 {
		return
	}
	w.lives = append(w.lives, Restore{From: c.Restored, At: c.At, Incarnation: c.Incarnation})
	w.result.Restored = &w.lives[len(w.lives)-1]
}

// lost says whether a checkpoint is of a record that a restore has taken away.
func (w *walker) lost(c Checkpoint) bool {
	for _, r := range w.lives {
		if c.Incarnation < r.Incarnation && c.Sequence >= r.From {
			return true
		}
	}
	return false
}

// kept takes the checkpoints from elsewhere.
func (w *walker) kept(checkpoints []Checkpoint) {
	for _, c := range checkpoints {
		if w.lost(c) {
			w.result.Lost = max(w.result.Lost, c.Sequence)
			continue
		}
		w.hold(point{c.Sequence, c.Hash, "the checkpoint of " + c.At.UTC().Format(timeForm) +
			" that was kept elsewhere"})
	}
}

func (w *walker) hold(p point) {
	switch {
	case p.sequence < w.last.Sequence:
		w.result.Old++
		return
	case p.sequence == w.last.Sequence && p.hash != w.last.Hash:
		w.blame(Fault{Sequence: p.sequence, What: "the cut differs from " + p.name})
		return
	}
	w.points[p.sequence] = append(w.points[p.sequence], p)
	if p.sequence > w.high.sequence {
		w.high = p
	}
}

// walk goes on to the end or to the first fault.
func (w *walker) walk() error {
	w.start = w.last.Sequence
	w.result.First = w.start + 1
	next, stop := iter.Pull2(w.log.Records)
	defer stop()
	record, err, more := next()
	for more && err == nil && (w.fault == nil || record.Sequence <= w.fault.Sequence) {
		var following *models.AuditRecord
		ahead, failed, any := next()
		if any && failed == nil {
			following = &ahead
		}
		fault := w.check(record, following)
		if fault != nil {
			w.blame(*fault)
			break
		}
		w.last.Sequence, w.last.Hash, w.lastID = record.Sequence, record.Hash, record.ID
		record, err, more = ahead, failed, any
	}
	if err != nil {
		return err
	}
	w.result.Last = w.last.Sequence
	w.result.Signed = min(w.high.sequence, w.last.Sequence)
	if w.fault == nil || w.last.Sequence < w.fault.Sequence && !more {
		w.end()
	}
	return nil
}

// check says what is wrong with the record after the last good one.
func (w *walker) check(r models.AuditRecord, following *models.AuditRecord) *Fault {
	want := w.last.Sequence + 1
	fault := &Fault{Sequence: r.Sequence, ID: r.ID}
	switch {
	case !w.v.keeps(guardPlace):
	case r.Sequence < want:
		fault.What = "this place is another record's, or was removed with its record"
		return fault
	case r.Sequence > want:
		return &Fault{Sequence: want, What: "the record is missing"}
	case r.OrganizationID != w.log.Organization:
		fault.What = "the record is another organization's"
		return fault
	}
	if digest, known := r.Digest(); w.v.keeps(guardHash) && (!known || digest != r.Hash) {
		return w.changed(r)
	}
	if r.Previous != w.last.Hash && w.v.keeps(guardLink) {
		return w.unlinked(r, following)
	}
	for _, p := range w.points[r.Sequence] {
		if p.hash != r.Hash && w.v.keeps(guardSigned) {
			fault.From = w.agreed + 1
			fault.What = "the log is not the one that the hub signed: this record, or one since " +
				"the last place that agrees, differs from " + p.name
			return fault
		}
		w.agreed = r.Sequence
	}
	if r.Sequence == w.log.Head.Sequence+1 {
		w.beyond = r.ID
	}
	return nil
}

// changed tells a changed record from one that is whole but was moved by one place.
func (w *walker) changed(r models.AuditRecord) *Fault {
	moved := func(by int64) bool {
		was := r
		was.Sequence += by
		digest, known := was.Digest()
		return known && digest == r.Hash
	}
	switch {
	case moved(1):
		return &Fault{Sequence: r.Sequence, What: "the record is missing, and the next has its place"}
	case moved(-1) && w.last.Sequence > w.start:
		return &Fault{Sequence: w.last.Sequence, ID: w.lastID, What: "the record was inserted"}
	}
	return &Fault{Sequence: r.Sequence, ID: r.ID, What: "the record was changed: its hash does not " +
		"cover what it says"}
}

// unlinked is about two records that are each as their hashes say and do not fit: what comes next
// tells which of them is a stranger.
func (w *walker) unlinked(r models.AuditRecord, following *models.AuditRecord) *Fault {
	expected := w.log.Head.Hash
	if following != nil {
		expected = following.Previous
	}
	if r.Hash == expected && w.last.Sequence > w.start {
		return &Fault{Sequence: w.last.Sequence, ID: w.lastID,
			What: "the record was replaced: the next one follows another"}
	}
	return &Fault{Sequence: r.Sequence, ID: r.ID, What: "the record was replaced: it does not " +
		"follow the one before it"}
}

// end compares where the chain ends with where it must.
func (w *walker) end() {
	head, last := w.log.Head, w.last.Sequence
	switch {
	case !w.v.keeps(guardEnd):
	case last < head.Sequence:
		w.blame(Fault{Sequence: last + 1, What: fmt.Sprintf(
			"the log was cut off: it had %d records", head.Sequence)})
	case last > head.Sequence:
		w.blame(Fault{Sequence: head.Sequence + 1, ID: w.beyond,
			What: "the record comes after the stored end of the log"})
	case last > 0 && head.Hash != w.last.Hash:
		w.blame(Fault{Sequence: last, ID: w.lastID, What: "the record is not the stored end of the log"})
	}
	if w.high.sequence > last && w.v.keeps(guardSigned) {
		w.blame(Fault{Sequence: last + 1, What: fmt.Sprintf(
			"the log was cut off: %s says that it had %d records", w.high.name, w.high.sequence)})
	}
}
