// Package window answers when: it turns a schedule into windows of UTC time (rules R8 to R13).
// It knows no clusters, no clocks, no databases and no zone data but its own.
package window

import "time"

// Window is one occurrence of a schedule: from Start up to, and without, End, in UTC. The zero
// Window is no window: it contains nothing.
type Window struct{ Start, End time.Time }

// Contains says whether t lies in w.
func (w Window) Contains(t time.Time) bool {
	return !t.Before(w.Start) && t.Before(w.End)
}

// IsZero says whether w is no window at all.
func (w Window) IsZero() bool { return w.Start.IsZero() && w.End.IsZero() }

// Length is the elapsed time from the start of w to its end.
func (w Window) Length() time.Duration { return w.End.Sub(w.Start) }

// latestBeforeEnd is the time at the end of a long window in which no node starts any more.
const latestBeforeEnd = 30 * time.Minute

// StartBy is the last instant of w at which a permit may still be offered or confirmed (R18):
// after it a node could not be expected to be back within the window.
func StartBy(w Window) time.Time {
	return w.End.Add(-min(latestBeforeEnd, w.Length()/4))
}
