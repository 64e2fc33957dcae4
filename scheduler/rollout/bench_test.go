package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/scheduler/rollout"
)

// usual is a cluster of four nodes that run the newest of 24 releases.
func usual(t testing.TB) (rollout.Snapshot, time.Time) {
	b := begin(t)
	b.s.Releases = nil
	for i := range 24 {
		b.s.Releases = append(b.s.Releases, models.Release{ID: models.ReleaseID(fmt.Sprint(i)),
			Version: models.Version(fmt.Sprintf("15.0.1.%d-%d", 10000+i, i)), Kind: models.Regular,
			State: models.ReleasePublished})
	}
	for i := range b.s.Members {
		b.s.Members[i].Version = b.s.Releases[23].Version
	}
	b.s.Asking = "sub-b"
	return b.s, b.now
}

// waiting is the same cluster, for which a release waits for its window.
func waiting(t testing.TB) (rollout.Snapshot, time.Time) {
	s, now := usual(t)
	s.Releases = append(s.Releases, models.Release{ID: "next", Version: "15.0.2.1",
		Kind: models.Regular, State: models.ReleasePublished})
	return s, now.Add(6 * time.Hour)
}

func BenchmarkDecideNothingToDo(b *testing.B) {
	s, now := usual(b)
	b.ReportAllocs()
	for b.Loop() {
		if rollout.Decide(s, now).Verb != models.VerbNone {
			b.Fatal("something to do")
		}
	}
}

func BenchmarkDecideWindowClosed(b *testing.B) {
	s, now := waiting(b)
	b.ReportAllocs()
	for b.Loop() {
		if rollout.Decide(s, now).Reason != models.ReasonWindowClosed {
			b.Fatal("open")
		}
	}
}

func BenchmarkDecideAndPublic(b *testing.B) {
	s, now := waiting(b)
	b.ReportAllocs()
	for b.Loop() {
		d := rollout.Decide(s, now)
		if d.Public(s, now).Verb != models.VerbHold {
			b.Fatal("open")
		}
	}
}

func TestTheUsualDecisionAllocatesNothing(t *testing.T) {
	idle, now := usual(t)
	closed, later := waiting(t)
	if n := testing.AllocsPerRun(200, func() {
		d := rollout.Decide(idle, now)
		_ = d.Public(idle, now)
		d = rollout.Decide(closed, later)
		_ = d.Public(closed, later)
		_ = rollout.Sweep(idle, now)
	}); n != 0 {
		t.Errorf("%v allocations on the usual path", n)
	}
}
