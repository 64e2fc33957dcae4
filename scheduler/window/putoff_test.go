package window_test

import (
	"testing"
	"time"

	"connecthub/scheduler/window"
)

// changed is the plan after its regular schedule was changed to other days.
func changed(t *testing.T, p window.Plan, at, days string, now time.Time) window.Plan {
	t.Helper()
	p.Regular, p.ValidFrom = rule(t, "Europe/Berlin", at, days), now
	return p
}

func TestR13ChangesTogetherPutOffAnUpgradeByAtMostEightDays(t *testing.T) {
	t.Parallel()
	// Sunday noon; the release has become pending, and the next window is Monday's.
	now := utc(t, "2026-11-22T12:00:00Z")
	p := changed(t, berlin(t), "03:00", "monday", time.Time{})
	chance := p.NextOpen(window.Regular, now).Start

	saturday := changed(t, p, "03:00", "saturday", now)
	if window.PutsOffTooFar(p, saturday, window.Regular, now, chance) {
		t.Error("five days are refused")
	}
	now = now.Add(5 * day) // Friday noon, before anything has opened
	for days, refused := range map[string]bool{
		"sunday": false, "monday": false, "tuesday": false, "wednesday": true, "friday": true,
	} {
		next := changed(t, saturday, "03:00", days, now)
		if got := window.PutsOffTooFar(saturday, next, window.Regular, now, chance); got != refused {
			t.Errorf("from Saturday to %s: refused is %v", days, got)
		}
	}
	late := changed(t, saturday, "03:01", "tuesday", now)
	if !window.PutsOffTooFar(saturday, late, window.Regular, now, chance) {
		t.Error("eight days and a minute are allowed")
	}
}

func TestR13AnEndlessChainOfChangesIsNoOffSwitch(t *testing.T) {
	t.Parallel()
	now := utc(t, "2026-11-22T12:00:00Z")
	p := berlin(t)
	chance := p.NextOpen(window.Regular, now).Start
	first := chance
	names := window.Daily.Names()
	// Each day somebody who wants no upgrade takes the latest day that is allowed.
	for range 60 {
		best := p
		for _, name := range names {
			next := changed(t, p, "03:00", name, now)
			count := p.CountFrom(window.Regular, now, chance)
			if window.PutsOffTooFar(p, next, window.Regular, now, count) {
				continue
			}
			if next.NextOpen(window.Regular, now).Start.After(best.NextOpen(window.Regular, now).Start) {
				best = next
			}
		}
		if best != p {
			chance, p = p.CountFrom(window.Regular, now, chance), best
		}
		if w := p.NextOpen(window.Regular, now); !w.Start.After(now.Add(day)) {
			if w.Start.Sub(first) > window.MaxPutOff {
				t.Errorf("the first chance was put off to %v from %v", w.Start, first)
			}
			return
		}
		now = now.Add(day)
	}
	t.Error("no window has opened for 60 days")
}

func TestR13AScheduleChangedInTheFirstSecondOfEachWindowGivesNoChance(t *testing.T) {
	t.Parallel()
	now := utc(t, "2026-11-22T12:00:00Z")
	p := changed(t, berlin(t), "03:00", "monday", time.Time{})
	chance := p.NextOpen(window.Regular, now).Start
	refused := false
	for range 5 {
		now = p.NextOpen(window.Regular, now).Start.Add(time.Second)
		next := changed(t, p, "03:00", dayBefore(now), now)
		if window.PutsOffTooFar(p, next, window.Regular, now, chance) {
			refused = true
			break
		}
		chance, p = p.CountFrom(window.Regular, now, chance), next
	}
	if !refused {
		t.Error("every window was cut off after one second")
	}
}

// dayBefore is the name of the weekday before t, the farthest one to come in Berlin's mornings.
func dayBefore(t time.Time) string {
	return window.On(t.Add(-day).Weekday()).Names()[0]
}

func TestR13AChangeThatPutsOffNothingIsNeverRefused(t *testing.T) {
	t.Parallel()
	now := utc(t, "2026-11-22T12:00:00Z")
	p := changed(t, berlin(t), "03:00", "saturday", now.Add(-20*day))
	longAgo := now.Add(-40 * day)
	sooner := changed(t, p, "03:00", "tuesday", now)
	if window.PutsOffTooFar(p, sooner, window.Regular, now, longAgo) {
		t.Error("an earlier chance is refused")
	}
	if window.PutsOffTooFar(p, p, window.Regular, now, longAgo) {
		t.Error("no change is refused")
	}
}

func TestR13AfterAWholeChanceTheEightDaysCountAnew(t *testing.T) {
	t.Parallel()
	// Daily windows went by for weeks, because a peer was unhealthy.
	p := berlin(t)
	chance := utc(t, "2026-11-01T02:00:00Z")
	now := utc(t, "2026-11-22T12:00:00Z")
	later := changed(t, p, "04:00", "daily", now)
	if window.PutsOffTooFar(p, later, window.Regular, now, chance) {
		t.Error("one hour is refused after three weeks of chances")
	}
	if got, want := p.CountFrom(window.Regular, now, chance), p.NextOpen(window.Regular, now).Start; !got.Equal(want) {
		t.Errorf("it counts from %v, want %v", got, want)
	}
}
