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
	if !r.hasWindows() {
		return Window{}
	}
	earliest := from.Unix()
	if from.Nanosecond() > 0 {
		earliest++
	}
	// No zone is so far from UTC that the start of an earlier day could be the answer.
	day := midnightOf(earliest - widestOffset)
	for clocks := r.Zone.z.clocksFrom(day); ; day += secondsPerDay {
		if !r.Days.Has(day.weekday()) {
			continue
		}
		if start, ok := clocks.show(day, r.Time); ok && start >= earliest {
			return r.window(start)
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
	if !r.hasWindows() {
		return nil
	}
	var windows []Window
	day := d.midnight()
	for clocks := r.Zone.z.clocksFrom(day); len(windows) < n; day += secondsPerDay {
		if !r.Days.Has(day.weekday()) {
			continue
		}
		if start, ok := clocks.show(day, r.Time); ok {
			windows = append(windows, r.window(start))
		}
	}
	return windows
}

func (r Rule) hasWindows() bool { return r.Zone.z != nil && !r.Days.Empty() }

func (r Rule) window(start int64) Window {
	w := Window{Start: time.Unix(start, 0).UTC()}
	w.End = w.Start.Add(r.Length)
	return w
}

// DefaultRule is the schedule, regular or emergency, that a cluster has from its registration on
// (R8): daily at 03:00 in the zone.
func DefaultRule(z Zone) Rule {
	return Rule{Time: TimeOfDay{Hour: 3}, Days: Daily, Zone: z, Length: DefaultLength}
}
