package audit_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connecthub/hub/audit"
	"connecthub/hub/keys"
	"connecthub/hub/seal"
	"connecthub/models"
)

const hubID = "hub-1"

// Of the log that is tampered with: a checkpoint every hundred records but the last hundred, and two
// that were kept elsewhere.
const (
	logLength = 2000
	signEvery = 100
	signedTo  = 1900
	keptAt    = 1950
)

// someLog is one stored log in memory.
type someLog struct {
	head        models.AuditHead
	checkpoints []models.AuditCheckpoint
	records     []models.AuditRecord
}

// into copies the log over another, whose memory it uses.
func (l someLog) into(o *someLog) {
	o.head = l.head
	o.checkpoints = append(o.checkpoints[:0], l.checkpoints...)
	o.records = append(o.records[:0], l.records...)
}

// log hands it out as a database does: by sequence, then by id.
func (l someLog) log() audit.Log {
	sorted := sort.SliceIsSorted(l.records, l.before)
	if !sorted {
		sort.SliceStable(l.records, l.before)
	}
	var all iter.Seq2[models.AuditRecord, error] = func(yield func(models.AuditRecord, error) bool) {
		for i := range l.records {
			if !yield(l.records[i], nil) {
				return
			}
		}
	}
	return audit.Log{Organization: l.head.OrganizationID, Head: l.head, Checkpoints: l.checkpoints,
		Records: all}
}

func (l someLog) before(i, j int) bool {
	a, b := l.records[i], l.records[j]
	return a.Sequence < b.Sequence || a.Sequence == b.Sequence && a.ID < b.ID
}

// chain gives the records from index i on their places and hashes anew, and the head its end.
func (l *someLog) chain(i int) {
	head := models.AuditHead{OrganizationID: l.head.OrganizationID}
	if i > 0 {
		head.Sequence, head.Hash = l.records[i-1].Sequence, l.records[i-1].Hash
	}
	for ; i < len(l.records); i++ {
		l.records[i].Chain(head)
		head.Sequence, head.Hash = l.records[i].Sequence, l.records[i].Hash
	}
	l.head.Sequence, l.head.Hash = head.Sequence, head.Hash
}

// forget cuts off the checkpoints that say more than the log has.
func (l *someLog) forget() {
	l.checkpoints = slices.DeleteFunc(l.checkpoints, func(c models.AuditCheckpoint) bool {
		return c.Sequence > l.head.Sequence
	})
	l.head.Checkpoints = int64(len(l.checkpoints))
}

func signingKey(t testing.TB) *keys.Hub {
	t.Helper()
	secret, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.LoadOrCreate(t.TempDir(), sealer)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newLog(t testing.TB, k *keys.Hub, o models.OrganizationID, n int) someLog {
	t.Helper()
	l := someLog{head: models.AuditHead{OrganizationID: o}}
	for i := range n {
		l.records = append(l.records, someRecord(o, i))
	}
	l.chain(0)
	for at := int64(signEvery); at <= signedTo && at < int64(n); at += signEvery {
		l.head.Checkpoints++
		c := models.AuditCheckpoint{OrganizationID: o, Number: l.head.Checkpoints, Sequence: at,
			Hash: l.records[at-1].Hash, At: l.records[at-1].At}
		if err := audit.SignPoint(k, hubID, &c); err != nil {
			t.Fatal(err)
		}
		l.checkpoints = append(l.checkpoints, c)
	}
	return l
}

func someRecord(o models.OrganizationID, i int) models.AuditRecord {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC).Add(time.Duration(i) * time.Minute)
	return models.AuditRecord{ID: models.AuditID(fmt.Sprintf("%s-%05d", o, 2*i)), OrganizationID: o,
		At: at, ActorKind: models.ActorUser, ActorID: fmt.Sprintf("user-%d", i%7), ActorName: "Ada",
		ActorEmail: "ada@acme.example", ActorRole: models.FullAdmin, ActorOrganization: o,
		Address: "203.0.113.7", UserAgent: "Mozilla/5.0", Action: "schedules_saved",
		TargetKind: "cluster", TargetID: fmt.Sprintf("cluster-%d", i%31), TargetName: "東京",
		ClusterID: models.ClusterID(fmt.Sprintf("cluster-%d", i%31)),
		Before:    fmt.Sprintf(`{"time":"03:%02d"}`, i%60), After: `{"time":"04:00"}`,
		TrackingID: fmt.Sprintf("track-%d", i)}
}

// tampered is what a tampering leaves: the logs after it, and where it must be found.
type tampered struct {
	mine, other someLog
	// at is the first bad record, which must be named; with a range, the record may be any of one.
	at      int64
	id      models.AuditID // "" where it is missing
	noID    bool           // the id is the intruder's own or ambiguous
	ranged  bool
	inOther bool // it must be found in the other organization as well
}

// field changes one field of a record, by number.
func field(r *models.AuditRecord, n int) {
	texts := []*string{&r.ActorKind, &r.ActorID, &r.ActorName, &r.ActorEmail, &r.Address,
		&r.UserAgent, &r.Action, &r.TargetKind, &r.TargetID, &r.TargetName, &r.Before, &r.After,
		&r.TrackingID, (*string)(&r.ActorRole), (*string)(&r.ActorOrganization),
		(*string)(&r.ClusterID), (*string)(&r.ID)}
	switch n %= len(texts) + 1; n {
	case len(texts):
		r.At = r.At.Add(time.Microsecond)
	default:
		if *texts[n] += "x"; n%2 == 0 {
			*texts[n] = strings.TrimSuffix(*texts[n], "x")[1:]
		}
	}
}

type tampering struct {
	name string
	run  func(r *rand.Rand, w *tampered)
}

// tamperings are what somebody who can write the database could do. Each knows what must be found.
func tamperings(k *keys.Hub) []tampering {
	pick := func(r *rand.Rand, upTo int) int { return r.IntN(upTo) }
	edited := func(r *rand.Rand, w *tampered, upTo int) int {
		i := pick(r, upTo)
		field(&w.mine.records[i], r.IntN(64))
		w.at, w.id = int64(i+1), w.mine.records[i].ID
		return i
	}
	return []tampering{
		{"change a field", func(r *rand.Rand, w *tampered) { edited(r, w, logLength) }},
		{"change a hash, a link or the form", func(r *rand.Rand, w *tampered) {
			i := pick(r, logLength)
			record := &w.mine.records[i]
			w.at, w.id = int64(i+1), record.ID
			switch r.IntN(3) {
			case 0:
				record.Hash = record.Previous
			case 1:
				record.Previous = record.Hash
			default:
				record.Encoding += 1 + r.IntN(3)
			}
		}},
		{"change a field and its own hash", func(r *rand.Rand, w *tampered) {
			i := edited(r, w, logLength)
			w.mine.records[i].Hash, _ = w.mine.records[i].Digest()
		}},
		{"change a field and every hash after it", func(r *rand.Rand, w *tampered) {
			w.mine.chain(edited(r, w, signedTo))
			w.ranged = true
		}},
		{"change a field, every hash after it and forget the checkpoints", func(r *rand.Rand, w *tampered) {
			w.mine.chain(edited(r, w, keptAt))
			w.mine.checkpoints, w.mine.head.Checkpoints = nil, 0
			w.ranged = true
		}},
		{"delete a record", func(r *rand.Rand, w *tampered) {
			i := pick(r, logLength)
			w.mine.records = slices.Delete(w.mine.records, i, i+1)
			w.at = int64(i + 1)
		}},
		{"delete a record and close the gap", func(r *rand.Rand, w *tampered) {
			i := pick(r, logLength-1)
			w.mine.records = slices.Delete(w.mine.records, i, i+1)
			for j := i; j < len(w.mine.records); j++ {
				w.mine.records[j].Sequence--
			}
			w.mine.head.Sequence--
			w.at = int64(i + 1)
		}},
		{"delete a record and hash everything after it", func(r *rand.Rand, w *tampered) {
			i := pick(r, signedTo-1)
			w.mine.records = slices.Delete(w.mine.records, i, i+1)
			w.mine.chain(i)
			w.at, w.ranged = int64(i+1), true
		}},
		{"insert a record in its own form", func(r *rand.Rand, w *tampered) {
			i := pick(r, logLength-1) + 1
			forged := someRecord(w.mine.head.OrganizationID, i)
			forged.ID, forged.ActorName = "forged", "Nobody"
			forged.Chain(models.AuditHead{OrganizationID: forged.OrganizationID,
				Sequence: int64(i), Hash: w.mine.records[i-1].Hash})
			for j := i; j < len(w.mine.records); j++ {
				w.mine.records[j].Sequence++
			}
			w.mine.records = slices.Insert(w.mine.records, i, forged)
			w.mine.head.Sequence++
			w.at, w.id = int64(i+1), "forged"
		}},
		{"insert a record at a place that is taken", func(r *rand.Rand, w *tampered) {
			i := pick(r, logLength)
			forged := w.mine.records[i]
			forged.ID += "x" // after the true one
			forged.Hash, _ = forged.Digest()
			w.mine.records = append(w.mine.records, forged)
			w.at, w.id = int64(i+1), forged.ID
		}},
		{"insert a record and hash everything after it", func(r *rand.Rand, w *tampered) {
			i := pick(r, signedTo)
			forged := someRecord(w.mine.head.OrganizationID, i)
			forged.ID = "forged"
			w.mine.records = slices.Insert(w.mine.records, i, forged)
			w.mine.chain(i)
			w.at, w.ranged = int64(i+1), true
		}},
		{"append a record without the head", func(r *rand.Rand, w *tampered) {
			forged := someRecord(w.mine.head.OrganizationID, logLength)
			forged.ID = "forged"
			forged.Chain(w.mine.head)
			w.mine.records = append(w.mine.records, forged)
			w.at, w.id = logLength+1, "forged"
		}},
		{"swap two records", func(r *rand.Rand, w *tampered) {
			i := pick(r, logLength-1)
			j := i + 1 + r.IntN(logLength-i-1)
			a, b := &w.mine.records[i], &w.mine.records[j]
			*a, *b = *b, *a
			a.Sequence, b.Sequence = b.Sequence, a.Sequence
			if r.IntN(2) == 0 {
				a.Hash, b.Hash, a.Previous, b.Previous = b.Hash, a.Hash, b.Previous, a.Previous
			}
			w.at, w.id = int64(i+1), a.ID
			if j == i+1 {
				w.noID = true // a neighbour that moved by one place
			}
		}},
		{"cut off the tail", func(r *rand.Rand, w *tampered) {
			n := pick(r, logLength)
			w.mine.records = w.mine.records[:n]
			w.at = int64(n + 1)
		}},
		{"cut off the tail and its end", func(r *rand.Rand, w *tampered) {
			n := pick(r, signedTo)
			w.mine.records = w.mine.records[:n]
			w.mine.chain(n)
			w.at = int64(n + 1)
		}},
		{"cut off the tail, its end and its checkpoints", func(r *rand.Rand, w *tampered) {
			n := pick(r, keptAt)
			w.mine.records = w.mine.records[:n]
			w.mine.chain(n)
			w.mine.forget()
			w.at = int64(n + 1)
		}},
		{"replace the whole log", func(r *rand.Rand, w *tampered) {
			for i := range w.mine.records {
				w.mine.records[i].ActorName = "Somebody"
			}
			w.mine.chain(0)
			if r.IntN(2) == 0 {
				w.mine.checkpoints, w.mine.head.Checkpoints = nil, 0
			}
			w.at, w.ranged = 1, true
		}},
		{"change a checkpoint", func(r *rand.Rand, w *tampered) {
			c := &w.mine.checkpoints[pick(r, len(w.mine.checkpoints))]
			w.at, w.noID = c.Sequence, true
			switch r.IntN(4) {
			case 0:
				c.Hash = w.mine.records[c.Sequence].Hash
			case 1:
				c.At = c.At.Add(time.Second)
			case 2:
				c.Statement = c.Statement[:len(c.Statement)-4] + "AAAA"
			default:
				c.Statement = w.other.checkpoints[0].Statement
			}
		}},
		{"remove a checkpoint", func(r *rand.Rand, w *tampered) {
			i := pick(r, len(w.mine.checkpoints))
			w.mine.checkpoints = slices.Delete(w.mine.checkpoints, i, i+1)
			w.at, w.noID = int64(i+2)*signEvery, true
			if i == len(w.mine.checkpoints) {
				w.at = int64(i)*signEvery + 1 // it was the last one
			}
		}},
		{"move a record to another organization", func(r *rand.Rand, w *tampered) {
			i := pick(r, logLength)
			moved := w.mine.records[i]
			moved.OrganizationID = w.other.head.OrganizationID
			w.mine.records = slices.Delete(w.mine.records, i, i+1)
			if r.IntN(2) == 0 {
				moved.Sequence = w.other.head.Sequence + 1
				moved.Chain(w.other.head)
			}
			w.other.records = append(w.other.records, moved)
			w.at, w.inOther = int64(i+1), true
		}},
		{"pretend that old records were removed by age", func(r *rand.Rand, w *tampered) {
			i := pick(r, logLength-1)
			cut := w.mine.records[i]
			w.mine.records = w.mine.records[i+1:]
			w.mine.head.PrunedSequence, w.mine.head.PrunedHash = cut.Sequence, cut.Hash
			switch r.IntN(3) {
			case 0:
				w.mine.head.PruneStatement = w.mine.checkpoints[0].Statement
			case 1:
				theirs := w.other.records[0] // a true cut, of the other organization
				w.mine.head.PruneStatement, _ = audit.SignCut(k, hubID, 0, theirs, theirs.At)
			}
			w.at, w.noID = cut.Sequence, true
		}},
		{"move the end of the log", func(r *rand.Rand, w *tampered) {
			w.at, w.id = logLength, w.mine.records[logLength-1].ID
			switch r.IntN(3) {
			case 0:
				w.mine.head.Hash = w.mine.records[0].Hash
			case 1:
				n := int64(pick(r, logLength-1))
				w.mine.head.Sequence, w.at, w.id = n, n+1, w.mine.records[n].ID
			default:
				w.mine.head.Sequence, w.at, w.id = logLength+5, logLength+1, ""
			}
		}},
	}
}

// bench is two organizations' logs and what was kept elsewhere of one.
type bench struct {
	mine, other someLog
	kept        []audit.Checkpoint
	key         *keys.Hub
}

func newBench(t testing.TB) bench {
	k := signingKey(t)
	b := bench{mine: newLog(t, k, "org-a", logLength), other: newLog(t, k, "org-b", 300), key: k}
	for _, at := range []int64{700, keptAt} {
		r := b.mine.records[at-1]
		b.kept = append(b.kept, audit.Checkpoint{Organization: "org-a", Sequence: at, Hash: r.Hash,
			At: r.At})
	}
	return b
}

// find tampers once and says how the verifier missed it; "" when it was found where it was.
func (b bench) find(v *audit.Verifier, how tampering, r *rand.Rand, memory *tampered) string {
	w := tampered{mine: memory.mine, other: memory.other}
	b.mine.into(&w.mine)
	b.other.into(&w.other)
	memory.mine, memory.other = w.mine, w.other
	how.run(r, &w)
	found, err := v.Verify(w.mine.log(), b.kept)
	if err != nil {
		return err.Error()
	}
	other, err := v.Verify(w.other.log(), nil)
	if err != nil {
		return err.Error()
	}
	f := found.Fault
	switch {
	case f == nil:
		return "was not found"
	case (other.Fault != nil) != w.inOther:
		return fmt.Sprintf("the other organization: %v", other.Fault)
	case w.ranged:
		next := nextSigned(w, b.kept)
		if f.From > w.at || f.Sequence < w.at || f.Sequence > next || f.From < next-keptAt {
			return fmt.Sprintf("is at %d, found %s", w.at, f)
		}
	case f.Sequence != w.at || f.From != w.at || !w.noID && f.ID != w.id:
		return fmt.Sprintf("is at %d (%s), found %s", w.at, w.id, f)
	}
	return ""
}

// nextSigned is the first place at or after the bad record whose hash was signed.
func nextSigned(w tampered, kept []audit.Checkpoint) int64 {
	next := int64(logLength + 1)
	for _, c := range w.mine.checkpoints {
		if c.Sequence >= w.at {
			next = min(next, c.Sequence)
		}
	}
	for _, c := range kept {
		if c.Sequence >= w.at {
			next = min(next, c.Sequence)
		}
	}
	return next
}

func TestR30EveryTamperingIsFoundWhereItIs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	v := audit.NewVerifier(hubID, b.key.Verifier())
	if result, err := v.Verify(b.mine.log(), b.kept); err != nil || result.Fault != nil ||
		result.Last != logLength || result.Signed != keptAt {
		t.Fatalf("a false alarm: %+v %v", result, err)
	}
	const tries = 2000
	kinds := tamperings(b.key)
	var found, next atomic.Int64
	var workers sync.WaitGroup
	began := time.Now()
	for range 2 {
		workers.Go(func() {
			var memory tampered
			for i := next.Add(1) - 1; i < tries; i = next.Add(1) - 1 {
				how := kinds[i%int64(len(kinds))]
				missed := b.find(v, how, rand.New(rand.NewPCG(38, uint64(i))),
					&memory)
				if missed != "" {
					t.Errorf("%d: %s: %s", i, how.name, missed)
					continue
				}
				found.Add(1)
			}
		})
	}
	workers.Wait()
	caught, mutants := mutantsCaught(t, b)
	if !t.Failed() {
		fmt.Printf("proof 3.8-audit records=%d tampered=%d kinds=%d found=%d misplaced=0 "+
			"false_alarms=0 mutants=%d mutants_caught=%d seconds=%.1f\n", logLength, tries, len(kinds),
			found.Load(), mutants, caught, time.Since(began).Seconds())
	}
}

// mutantsCaught takes one check after the other out of the verifier: each time some tampering must
// pass unseen or be looked for in the wrong place, or the check would be for nothing.
func mutantsCaught(t *testing.T, b bench) (caught, mutants int) {
	for name, off := range audit.Guards() {
		mutants++
		v := audit.NewMutant(hubID, b.key.Verifier(), off)
		if result, err := v.Verify(b.mine.log(), b.kept); err != nil || result.Fault != nil {
			t.Errorf("mutant %s: a false alarm: %+v %v", name, result, err)
		}
		missed := ""
		var memory tampered
		for i, how := range tamperings(b.key) {
			for n := 0; n < 4 && missed == ""; n++ {
				missed = b.find(v, how, rand.New(rand.NewPCG(uint64(i), uint64(n))), &memory)
			}
		}
		if missed == "" {
			t.Errorf("a verifier without the check %q finds everything", name)
			continue
		}
		caught++
	}
	return caught, mutants
}
