package window_test

import (
	"testing"
	"time"

	"connecthub/scheduler/window"
)

// dayStarts is an implementation told in one function: the starts of one civil day.
type dayStarts func(r window.Rule, d window.Date) []time.Time

// subject lets a mutant stand where the package stands.
func (f dayStarts) subject() subject {
	from := func(r window.Rule, d window.Date, n int) []window.Window {
		var found []window.Window
		for number := dayNumber(d); len(found) < n; number++ {
			day := time.Unix(number*daySeconds, 0).UTC()
			if !r.Days.Has(day.Weekday()) {
				continue
			}
			for _, start := range f(r, dateNumbered(number)) {
				found = append(found, window.Window{Start: start, End: start.Add(r.Length)})
			}
		}
		return found
	}
	next := func(r window.Rule, t time.Time) window.Window {
		for _, w := range from(r, dateNumbered(t.Unix()/daySeconds-2), 6) {
			if !w.Start.Before(t) {
				return w
			}
		}
		return window.Window{}
	}
	at := func(r window.Rule, t time.Time) (window.Window, bool) {
		w := next(r, t.Add(1-r.Length))
		return w, w.Contains(t)
	}
	return subject{from, next, at}
}

// shows lists the instants at which the clocks show the rule's time on the day, and the answers
// of time.Date.
func shows(r window.Rule, d window.Date) (instants []time.Time, naive time.Time) {
	loc := r.Zone.Location()
	naive = time.Date(d.Year, d.Month, d.Day, r.Time.Hour, r.Time.Minute, 0, 0, loc)
	for shift := -26 * time.Hour; shift <= 26*time.Hour; shift += 30 * time.Minute {
		t := naive.Add(shift)
		y, m, day := t.Date()
		if (window.Date{Year: y, Month: m, Day: day}) == d &&
			t.Hour() == r.Time.Hour && t.Minute() == r.Time.Minute {
			instants = append(instants, t.UTC())
		}
	}
	return instants, naive.UTC()
}

// rightStarts is an honest day by the package's own list.
func rightStarts(r window.Rule, d window.Date) []time.Time {
	r.Days = window.Daily
	w := r.From(d, 1)[0]
	if next := r.From(dateNumbered(dayNumber(d)+1), 1)[0]; next == w {
		return nil
	}
	return []time.Time{w.Start}
}

var mutants = map[string]dayStarts{
	"time.Date": func(r window.Rule, d window.Date) []time.Time {
		_, naive := shows(r, d)
		return []time.Time{naive}
	},
	"cron skips the gap": func(r window.Rule, d window.Date) []time.Time {
		instants, _ := shows(r, d)
		return instants[:min(1, len(instants))]
	},
	"cron runs twice in the overlap": func(r window.Rule, d window.Date) []time.Time {
		if instants, _ := shows(r, d); len(instants) > 1 {
			return instants
		}
		return rightStarts(r, d)
	},
	"the second of an overlap": func(r window.Rule, d window.Date) []time.Time {
		if instants, _ := shows(r, d); len(instants) > 1 {
			return instants[1:]
		}
		return rightStarts(r, d)
	},
	"the offset after the gap": func(r window.Rule, d window.Date) []time.Time {
		instants, _ := shows(r, d)
		right := rightStarts(r, d)
		if len(instants) > 0 || len(right) == 0 {
			return right
		}
		_, before := right[0].Add(-24 * time.Hour).In(r.Zone.Location()).Zone()
		_, after := right[0].Add(24 * time.Hour).In(r.Zone.Location()).Zone()
		return []time.Time{right[0].Add(time.Duration(before-after) * time.Second)}
	},
	"a window on a skipped day": func(r window.Rule, d window.Date) []time.Time {
		if right := rightStarts(r, d); len(right) > 0 {
			return right
		}
		_, naive := shows(r, d)
		return []time.Time{naive}
	},
}

// hardDays are jumps of each kind: a gap, an overlap, half an hour, midnight, a skipped day.
var hardDays = []struct{ zone, date string }{
	{"Europe/Berlin", "2026-03-29"},
	{"Europe/Berlin", "2026-10-25"},
	{"America/New_York", "2026-03-08"},
	{"America/New_York", "2026-11-01"},
	{"Australia/Lord_Howe", "2026-10-04"},
	{"Australia/Lord_Howe", "2026-04-05"},
	{"Africa/Cairo", "2026-04-24"},
	{"America/Nuuk", "2026-03-28"},
	{"America/Sao_Paulo", "2018-11-04"},
	{"Pacific/Apia", "2011-12-30"},
	{"Pacific/Fakaofo", "2011-12-30"},
	{"Pacific/Kwajalein", "1993-08-21"},
	{"Pacific/Kiritimati", "1994-12-31"},
}

func compareHardDays(t *testing.T, s subject) tally {
	t.Helper()
	var y tally
	days := make([]wallDay, 5)
	for _, hard := range hardDays {
		d, err := window.ParseDate(hard.date)
		if err != nil {
			t.Fatal(err)
		}
		z := zone(t, hard.zone)
		watch(z.Location(), dayNumber(d)-2, days)
		y.add(compare(s, z, dayNumber(d)-2, days))
	}
	return y
}

func TestR10TheOracleAgreesOnEveryKindOfHardDay(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]subject{
		"the package": thePackage, "the package, day by day": dayStarts(rightStarts).subject(),
	} {
		if y := compareHardDays(t, s); y.mismatches > 0 || y.days == 0 {
			t.Errorf("%s: %d mismatches in %d days: %q", name, y.mismatches, y.days, y.words)
		}
	}
}

func TestTheOracleCatchesEveryMutant(t *testing.T) {
	t.Parallel()
	for name, mutant := range mutants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if y := compareHardDays(t, mutant.subject()); y.mismatches == 0 {
				t.Errorf("no mismatch in %d days: the oracle proves nothing", y.days)
			}
		})
	}
}
