package window

import (
	"errors"
	"fmt"
	"time"
)

// The lengths that a window may have (R10).
const (
	DefaultLength = 2 * time.Hour
	MinLength     = 30 * time.Minute
	MaxLength     = 12 * time.Hour
)

// ErrLength is the refusal of a window that is too short, too long or not in whole minutes.
var ErrLength = errors.New("not a length between 30 minutes and 12 hours in whole minutes")

// Rule is a schedule: which local time on which days in which zone, for how long. It cannot be
// switched off (R8). Two equal Rules (==) have the same windows. NewRule makes one; the zero Rule
// has no windows, and its methods answer with the zero Window.
type Rule struct {
	Time   TimeOfDay
	Days   Days
	Zone   Zone
	Length time.Duration
}

// NewRule refuses whatever would leave a cluster without windows, or with windows that overlap.
func NewRule(t TimeOfDay, d Days, z Zone, length time.Duration) (Rule, error) {
	switch {
	case !t.valid():
		return Rule{}, fmt.Errorf("cannot schedule at %v: %w", t, ErrTimeOfDay)
	case d.Empty() || d&^Daily != 0:
		return Rule{}, fmt.Errorf("cannot schedule on days %b: %w", d, ErrDays)
	case z.z == nil:
		return Rule{}, fmt.Errorf("cannot schedule without a zone: %w", ErrZone)
	case length < MinLength || length > MaxLength || length%time.Minute != 0:
		return Rule{}, fmt.Errorf("cannot schedule for %v: %w", length, ErrLength)
	}
	return Rule{Time: t, Days: d, Zone: z, Length: length}, nil
}

// Next is the first window that starts at from or later.
func (r Rule) Next(from time.Time) Window {
	if r.Zone.z == nil || r.Days.Empty() {
		return Window{}
	}
	_, offset := from.In(r.Zone.z.loc).Zone()
	here := from.Unix() + int64(offset)
	// It begins with the day before: a gap may have carried that day's start to a time after from.
	for day := midnightOf(here) - secondsPerDay; ; day += secondsPerDay {
		if !r.Days.Has(day.weekday()) {
			continue
		}
		if w, ok := r.on(day); ok && !w.Start.Before(from) {
			return w
		}
	}
}

// At is the window that contains now, if one does.
func (r Rule) At(now time.Time) (Window, bool) {
	// A window contains now exactly when it starts in (now - length, now].
	w := r.Next(now.Add(1 - r.Length))
	if !w.Contains(now) {
		return Window{}, false
	}
	return w, true
}

// Upcoming lists the first n windows that start at from or later.
func (r Rule) Upcoming(from time.Time, n int) []Window {
	var windows []Window
	for len(windows) < n {
		w := r.Next(from)
		if w.IsZero() {
			break
		}
		windows = append(windows, w)
		from = w.Start.Add(1)
	}
	return windows
}

// From lists the windows of the first n scheduled civil days that are d or later in the zone.
func (r Rule) From(d Date, n int) []Window {
	if r.Zone.z == nil || r.Days.Empty() {
		return nil
	}
	var windows []Window
	for day := d.midnight(); len(windows) < n; day += secondsPerDay {
		if !r.Days.Has(day.weekday()) {
			continue
		}
		if w, ok := r.on(day); ok {
			windows = append(windows, w)
		}
	}
	return windows
}

// on is the window of the civil day that begins at midnight, or false where the zone skipped the
// whole of that day.
func (r Rule) on(midnight paperTime) (Window, bool) {
	clock := midnight + paperTime(r.Time.Hour*3600+r.Time.Minute*60)
	start, ok := r.Zone.z.instant(clock, midnight)
	if !ok {
		return Window{}, false
	}
	return Window{Start: start, End: start.Add(r.Length)}, true
}

func midnightOf(seconds int64) paperTime {
	day := seconds / secondsPerDay
	if seconds%secondsPerDay < 0 {
		day--
	}
	return paperTime(day * secondsPerDay)
}

// widestOffset is more than any zone was ever away from UTC, in seconds: the instants that have a
// given local time lie within it on either side.
const widestOffset = 16 * 60 * 60

// instant is when the clocks of the zone show clock for the first time. Where they jump over it,
// it is when they would have shown it without the jump (RFC 5545 section 3.3.5); but where they
// jump over the whole day that begins at midnight, there is none.
//
// It walks through the stretches of constant offset that may hold the answer. time.Date does not
// serve: it promises neither of two answers in a gap and in an overlap.
func (z *zone) instant(clock, midnight paperTime) (time.Time, bool) {
	at := time.Unix(int64(clock)-widestOffset, 0).In(z.loc)
	_, offset := at.Zone()
	for {
		_, end := at.ZoneBounds()
		candidate := int64(clock) - int64(offset)
		if end.IsZero() || candidate < end.Unix() {
			return time.Unix(candidate, 0).UTC(), true
		}
		at = end
		_, next := end.Zone()
		jumpFrom := paperTime(end.Unix() + int64(offset))
		jumpTo := paperTime(end.Unix() + int64(next))
		if clock >= jumpFrom && clock < jumpTo {
			wholeDay := jumpFrom <= midnight && midnight+secondsPerDay <= jumpTo
			return time.Unix(candidate, 0).UTC(), !wholeDay
		}
		offset = next
	}
}

// DefaultRule is the schedule, regular or emergency, that a cluster has from its registration on
// (R8): daily at 03:00 in the zone.
func DefaultRule(z Zone) Rule {
	return Rule{Time: TimeOfDay{Hour: 3}, Days: Daily, Zone: z, Length: DefaultLength}
}
