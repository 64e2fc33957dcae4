package window_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"connecthub/scheduler/window"
)

const day = 24 * time.Hour

// berlin is a plan whose regular windows are daily at 03:00 and whose emergency windows are daily
// at 22:00, both in Berlin.
func berlin(t testing.TB) window.Plan {
	t.Helper()
	return window.Plan{
		Regular:   rule(t, "Europe/Berlin", "03:00", "daily"),
		Emergency: rule(t, "Europe/Berlin", "22:00", "daily"),
	}
}

// starts lists the windows of a kind that a plan shows one after the other.
func starts(p window.Plan, kind window.Kind, now time.Time, n int) []time.Time {
	var all []time.Time
	for range n {
		now = p.NextOpen(kind, now).Start
		all = append(all, now)
	}
	return all
}

func TestR11WhatIsShownIsWhatOpens(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	chance := rand.New(rand.NewPCG(seed, 0))
	names := window.ZoneNames()
	for range 3000 {
		z := zone(t, names[chance.IntN(len(names))])
		make := func() window.Rule {
			at := window.TimeOfDay{Hour: chance.IntN(24), Minute: chance.IntN(60)}
			length := time.Duration(30+chance.IntN(691)) * time.Minute
			r, err := window.NewRule(at, window.Days(1+chance.IntN(127)), z, length)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		now := time.Unix(1_700_000_000+chance.Int64N(400_000_000), chance.Int64N(1e9)).UTC()
		p := window.Plan{
			Regular: make(), Emergency: make(),
			ValidFrom: now.Add(time.Duration(chance.Int64N(int64(20*day))) - 10*day),
		}
		if chance.IntN(2) == 0 {
			p, _ = p.Postpone(now)
		}
		if chance.IntN(4) == 0 {
			p = p.UpgradeNow(window.Regular, now.Add(time.Hour))
		}
		for _, kind := range []window.Kind{window.Regular, window.Emergency} {
			shown := p.NextOpen(kind, now)
			if !shown.Start.After(now) {
				t.Fatalf("seed %d: shown at %v: %v", seed, now, shown)
			}
			if w, open := p.Open(kind, shown.Start); !open || w.End.Before(shown.End) {
				t.Fatalf("seed %d: %v %v is shown, %v, %v opens", seed, kind, shown, w, open)
			}
			// Nothing opens between now and what is shown.
			until := shown.Start.Sub(now)
			for range 5 {
				at := now.Add(1 + time.Duration(chance.Int64N(int64(until))))
				if w, open := p.Open(kind, at); open && w.Start.After(now) && at.Before(shown.Start) {
					t.Fatalf("seed %d: %v is open at %v, before %v", seed, w, at, shown)
				}
			}
		}
	}
}

func TestR12PostponeSkipsExactlyTheNextRegularWindow(t *testing.T) {
	t.Parallel()
	p := berlin(t)
	now := utc(t, "2026-11-22T12:00:00Z")
	before := starts(p, window.Regular, now, 4)
	emergency := starts(p, window.Emergency, now, 4)

	p, err := p.Postpone(now)
	if err != nil {
		t.Fatal(err)
	}
	after := starts(p, window.Regular, now, 3)
	for i := range after {
		if !after[i].Equal(before[i+1]) {
			t.Errorf("window %d starts %v, want %v", i, after[i], before[i+1])
		}
	}
	if w, open := p.Open(window.Regular, before[0].Add(time.Minute)); open {
		t.Errorf("the postponed window is open: %v", w)
	}
	for i, start := range starts(p, window.Emergency, now, 4) {
		if !start.Equal(emergency[i]) {
			t.Errorf("the emergency window %v has become %v", emergency[i], start)
		}
	}
}

func TestR12PostponeLeavesTheWindowThatIsOpen(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"2026-11-22T02:00:00Z", "2026-11-22T03:59:59.999Z"} {
		now := utc(t, at)
		p, err := berlin(t).Postpone(now)
		if err != nil {
			t.Fatal(err)
		}
		if _, open := p.Open(window.Regular, now); !open {
			t.Errorf("at %v the window has closed", at)
		}
		if want := utc(t, "2026-11-23T02:00:00Z"); !p.Postponed.Equal(want) {
			t.Errorf("at %v %v is skipped, want %v", at, p.Postponed, want)
		}
	}
}

func TestR12ThereIsOnePostponementInAll(t *testing.T) {
	t.Parallel()
	now := utc(t, "2026-11-22T12:00:00Z")
	p, err := berlin(t).Postpone(now)
	if err != nil {
		t.Fatal(err)
	}
	for _, later := range []time.Duration{0, time.Hour, day, 30 * day} {
		again, err := p.Postpone(now.Add(later))
		if !errors.Is(err, window.ErrPostponed) || again != p {
			t.Errorf("%v later: %v", later, err)
		}
	}
}

func TestR12APostponementIsTakenBackUntilItsWindowOpens(t *testing.T) {
	t.Parallel()
	now := utc(t, "2026-11-22T12:00:00Z")
	plain := berlin(t)
	if _, err := plain.TakeBack(now); !errors.Is(err, window.ErrNotPostponed) {
		t.Errorf("without a postponement: %v", err)
	}
	p, err := plain.Postpone(now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.TakeBack(p.Postponed); !errors.Is(err, window.ErrTooLate) {
		t.Errorf("when it would open: %v", err)
	}
	if back, err := p.TakeBack(p.Postponed.Add(-1)); err != nil || back != plain {
		t.Errorf("just before: %v, %v", back, err)
	}
}

func TestR13AChangedScheduleHoldsForStartsFromItsCommitOn(t *testing.T) {
	t.Parallel()
	now := utc(t, "2026-11-22T02:30:00Z") // half an hour into the window
	p := berlin(t)
	if _, open := p.Open(window.Regular, now); !open {
		t.Fatal("the window is not open")
	}
	longer := p
	longer.Regular.Length, longer.ValidFrom = 4*time.Hour, now
	if w, open := longer.Open(window.Regular, now); open {
		t.Errorf("the window of the old version is still open: %v", w)
	}
	if got, want := longer.NextOpen(window.Regular, now).Start, p.NextOpen(window.Regular, now).Start; !got.Equal(want) {
		t.Errorf("next is %v, want %v", got, want)
	}

	sharp := p
	sharp.Regular, sharp.ValidFrom = rule(t, "Europe/Berlin", "03:30", "daily"), now
	if w, open := sharp.Open(window.Regular, now); !open || !w.Start.Equal(now) {
		t.Errorf("a window that starts at the commit is not open: %v", w)
	}

	emergency := utc(t, "2026-11-22T21:30:00Z")
	sharp.ValidFrom = emergency
	if _, open := sharp.Open(window.Emergency, emergency); !open {
		t.Error("a change of the regular schedule has ended an emergency window")
	}
}

func TestR13SavingTheSameValuesIsSeen(t *testing.T) {
	t.Parallel()
	a, b := rule(t, "Asia/Tokyo", "03:00", "daily"), rule(t, "Asia/Tokyo", "03:00", "daily")
	if a != b {
		t.Error("two rules of the same values differ")
	}
}

func TestR14WhatANodeIsToldDoesNotDependOnPostponements(t *testing.T) {
	t.Parallel()
	now := utc(t, "2026-11-22T21:30:00Z")
	p := berlin(t)
	want := p.NextEither(now)
	if !want.Start.Equal(utc(t, "2026-11-23T02:00:00Z")) {
		t.Errorf("the next window of either kind is %v", want)
	}
	postponed, err := p.Postpone(now)
	if err != nil {
		t.Fatal(err)
	}
	for name, plan := range map[string]window.Plan{
		"postponed": postponed, "upgrade now": p.UpgradeNow(window.Regular, now.Add(time.Hour)),
	} {
		if got := plan.NextEither(now); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if got := p.NextEither(utc(t, "2026-11-22T12:00:00Z")); got.Start.Hour() != 21 {
		t.Errorf("by day the emergency window comes first, not %v", got)
	}
}

func TestR15UpgradeNowOpensOneExtraWindowOfItsKind(t *testing.T) {
	t.Parallel()
	now := utc(t, "2026-11-22T12:00:00Z")
	p := berlin(t).UpgradeNow(window.Regular, now)
	for at, want := range map[time.Time]bool{
		now.Add(-1): false, now: true, now.Add(2*time.Hour - 1): true, now.Add(2 * time.Hour): false,
	} {
		if _, open := p.Open(window.Regular, at); open != want {
			t.Errorf("at %v open is %v", at, open)
		}
		if w, open := p.Open(window.Emergency, at); open {
			t.Errorf("at %v the other kind is open: %v", at, w)
		}
	}
	if got := p.NextOpen(window.Regular, now).Start; !got.Equal(utc(t, "2026-11-23T02:00:00Z")) {
		t.Errorf("the next window of the schedule has become %v", got)
	}
}

func TestR15TheLongerOfTwoOpenWindowsCounts(t *testing.T) {
	t.Parallel()
	at := utc(t, "2026-11-22T03:30:00Z")
	p := berlin(t).UpgradeNow(window.Regular, at)
	if w, _ := p.Open(window.Regular, at); !w.End.Equal(at.Add(2 * time.Hour)) {
		t.Errorf("open is %v", w)
	}
}

func TestAnUnknownKindHasNoWindows(t *testing.T) {
	t.Parallel()
	now := utc(t, "2026-11-22T12:00:00Z")
	if w, open := berlin(t).Open("", now); open || window.Kind("").Valid() {
		t.Errorf("open is %v", w)
	}
	if w := berlin(t).NextOpen("daily", now); !w.IsZero() {
		t.Errorf("next is %v", w)
	}
}

func TestR18StartByLeavesAQuarterOfTheWindowButNeverMoreThanHalfAnHour(t *testing.T) {
	t.Parallel()
	start := utc(t, "2026-11-22T02:00:00Z")
	for length, want := range map[time.Duration]time.Duration{
		30 * time.Minute:             22*time.Minute + 30*time.Second,
		time.Hour:                    45 * time.Minute,
		2 * time.Hour:                90 * time.Minute,
		2*time.Hour + 4*time.Minute:  94 * time.Minute,
		12 * time.Hour:               11*time.Hour + 30*time.Minute,
		1*time.Hour + 56*time.Minute: 87 * time.Minute,
	} {
		w := window.Window{Start: start, End: start.Add(length)}
		if got := window.StartBy(w).Sub(start); got != want {
			t.Errorf("in a window of %v the last start is after %v, want %v", length, got, want)
		}
	}
}

func TestNextAndOpenAllocateNothing(t *testing.T) {
	// No t.Parallel: AllocsPerRun counts for the whole process.
	p := berlin(t)
	now := utc(t, "2031-05-05T12:00:00Z")
	for name, f := range map[string]func(){
		"Next":       func() { p.Regular.Next(now) },
		"At":         func() { p.Regular.At(now) },
		"Open":       func() { p.Open(window.Regular, now) },
		"NextOpen":   func() { p.NextOpen(window.Regular, now) },
		"NextEither": func() { p.NextEither(now) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
