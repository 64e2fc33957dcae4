package journal_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/nodeclient/journal"
)

var at = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

func open(t *testing.T, path string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func entry(counter uint64) journal.Entry {
	return journal.Entry{Permit: "p1", Fence: journal.Fence{Incarnation: 1, Counter: counter},
		Version: "2.0", From: "1.0-aa", To: "2.0-bb"}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAJournalThatIsOpenedAgainKnowsTheLastStep(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	must(t, j.Begin(entry(4), at))
	for _, step := range journal.Steps() {
		must(t, j.Update(at, func(e *journal.Entry) { e.Step = step }))
		if got := open(t, path).State().Entry.Step; got != step {
			t.Fatalf("opened again at %s, want %s", got, step)
		}
	}
	must(t, j.Finish("rolled_back", "it did not answer", true, at))
	again := open(t, path).State()
	if again.Entry.Step != journal.Ended || again.Entry.Outcome != "rolled_back" ||
		len(again.Denied) != 1 || again.Denied[0] != "2.0" {
		t.Fatalf("after the end: %+v", again)
	}
	must(t, j.Forget("p1"))
	if s := open(t, path).State(); s.Entry != nil || s.Fence.Counter != 4 || len(s.Denied) != 1 {
		t.Fatalf("after the report: %+v", s)
	}
}

func TestR21AFenceOlderThanOneSeenIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	must(t, open(t, path).Saw(journal.Fence{Incarnation: 1, Counter: 9}))
	if err := open(t, path).Begin(entry(8), at); !errors.Is(err, journal.ErrFence) {
		t.Fatalf("got %v", err)
	}
	must(t, open(t, path).Begin(entry(9), at))
}

func TestASecondEntryIsRefusedWhileOneIsOpen(t *testing.T) {
	t.Parallel()
	j := open(t, filepath.Join(t.TempDir(), "journal"))
	must(t, j.Begin(entry(1), at))
	if err := j.Begin(entry(2), at); !errors.Is(err, journal.ErrOpen) {
		t.Fatalf("begin: %v", err)
	}
	if err := j.Forget("p1"); !errors.Is(err, journal.ErrNone) {
		t.Fatalf("an entry without outcome was forgotten: %v", err)
	}
	if err := j.Reset(); !errors.Is(err, journal.ErrOpen) {
		t.Fatalf("reset: %v", err)
	}
}

// Every prefix of the file is what a crash may leave: the journal opens at the last whole record.
func TestATornTailIsDroppedAtEveryByte(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "journal")
	j := open(t, path)
	must(t, j.Begin(entry(1), at))
	before, err := os.ReadFile(path)
	must(t, err)
	must(t, j.Update(at, func(e *journal.Entry) { e.Step = journal.Stopping }))
	after, err := os.ReadFile(path)
	must(t, err)
	for n := len(before); n <= len(after); n++ {
		for _, zeros := range []int{0, 100} {
			torn := filepath.Join(dir, "torn")
			must(t, os.WriteFile(torn, append(after[:n:n], make([]byte, zeros)...), 0o600))
			got := open(t, torn).State().Entry.Step
			want := journal.Fetching
			if n == len(after) {
				want = journal.Stopping
			}
			if got != want {
				t.Fatalf("cut at %d of %d with %d zeros: %s, want %s", n, len(after), zeros, got, want)
			}
			must(t, os.Remove(torn))
		}
	}
}

func TestEveryDamagedByteOfAWholeRecordIsDetected(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "journal")
	j := open(t, path)
	must(t, j.Begin(entry(1), at))
	must(t, j.Update(at, func(e *journal.Entry) { e.Step = journal.Stopping }))
	whole, err := os.ReadFile(path)
	must(t, err)
	undetected := 0
	for i := range len(whole) - 1 { // without the last newline the tail is torn, not damaged
		bad := append([]byte(nil), whole...)
		bad[i] ^= 0x11
		name := filepath.Join(dir, "bad")
		must(t, os.WriteFile(name, bad, 0o600))
		if _, err := journal.Open(name); !errors.Is(err, journal.ErrDamaged) {
			undetected++
		}
	}
	if undetected > 0 {
		t.Fatalf("%d of %d damages were not detected", undetected, len(whole)-1)
	}
}

func TestSalvageKeepsFenceAndDenyList(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	must(t, j.Saw(journal.Fence{Incarnation: 2, Counter: 7}))
	must(t, j.Deny("1.9"))
	raw, err := os.ReadFile(path)
	must(t, err)
	raw[3] ^= 1
	must(t, os.WriteFile(path, raw, 0o600))
	s, err := journal.Salvage(path)
	must(t, err)
	defer s.Close()
	st := open(t, path).State()
	if st.Fence.Counter != 7 || len(st.Denied) != 1 {
		t.Fatalf("salvaged %+v", st)
	}
	if _, err := os.Stat(path + ".damaged"); err != nil {
		t.Fatal(err)
	}
}

func TestALongJournalIsRewrittenAndForgetsNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	must(t, j.Begin(entry(1), at))
	for range 400 {
		must(t, j.Update(at, func(e *journal.Entry) { e.Detail = strings.Repeat("x", 1000) }))
	}
	must(t, j.Update(at, func(e *journal.Entry) { e.Step = journal.Soaking }))
	info, err := os.Stat(path)
	must(t, err)
	if info.Size() > 300<<10 {
		t.Fatalf("the journal has %d bytes", info.Size())
	}
	if s := open(t, path).State(); s.Entry == nil || s.Entry.Step != journal.Soaking {
		t.Fatalf("after rewriting: %+v", s)
	}
}

// A full disk has no room for a second file: the step is written all the same.
func TestALongJournalThatCannotBeRewrittenTakesOneMoreRecord(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	must(t, j.Begin(entry(1), at))
	must(t, os.Mkdir(path+".part", 0o700))
	for range 400 {
		must(t, j.Update(at, func(e *journal.Entry) { e.Detail = strings.Repeat("x", 1000) }))
	}
	must(t, j.Update(at, func(e *journal.Entry) { e.Step = journal.Switching }))
	if s := open(t, path).State(); s.Entry == nil || s.Entry.Step != journal.Switching {
		t.Fatalf("on disk: %+v", s)
	}
	must(t, os.Remove(path+".part"))
	must(t, j.Update(at, func(e *journal.Entry) { e.Step = journal.Starting }))
	if info, err := os.Stat(path); err != nil || info.Size() > 10<<10 {
		t.Fatalf("not rewritten when there was room again: %v %d", err, info.Size())
	}
}

// What cannot be saved must not become an empty journal: that would forget an upgrade under way.
func TestASalvageThatFailsLeavesTheDamagedJournalInItsPlace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	must(t, j.Begin(entry(7), at))
	must(t, j.Update(at, func(e *journal.Entry) { e.Step = journal.Stopping }))
	must(t, j.Update(at, func(e *journal.Entry) { e.Step = journal.Switching }))
	raw, err := os.ReadFile(path)
	must(t, err)
	raw[3] ^= 1
	must(t, os.WriteFile(path, raw, 0o600))
	must(t, os.Mkdir(path+".part", 0o700)) // stands for a full disk
	if _, err := journal.Salvage(path); err == nil {
		t.Fatal("it was saved without room")
	}
	if _, err := journal.Open(path); !errors.Is(err, journal.ErrDamaged) {
		t.Fatalf("the damage is forgotten: %v", err)
	}
	must(t, os.Remove(path+".part"))
	s, err := journal.Salvage(path)
	must(t, err)
	defer s.Close()
	if e := s.State().Entry; e == nil || e.Step != journal.Switching || e.Fence.Counter != 7 {
		t.Fatalf("salvaged %+v", e)
	}
}
