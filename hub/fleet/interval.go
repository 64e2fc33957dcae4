package fleet

import (
	"hash/fnv"
	"time"

	"connecthub/models"
	"connecthub/scheduler/window"
)

// nextPoll is when a node is to poll again. It depends on the schedules and on the node alone, never
// on a release (R14): far from every window at most PollFar, near one and in it PollNear, spread by
// the node's name so that a fleet does not come at once.
func (f *Fleet) nextPoll(p window.Plan, n *models.Node, working bool, now time.Time) time.Duration {
	spread := spreadOf(n.ID)
	near := f.o.PollNear - time.Duration(spread*float64(f.o.PollNear)/5)
	if working || open(p, now) {
		return near
	}
	wait := p.NextEither(now).Start.Sub(now)
	far := f.o.PollFar - time.Duration(spread*float64(f.o.PollFar)/5)
	switch {
	case wait <= f.o.PollNear:
		return wait + time.Duration(spread*float64(f.o.PollNear))
	case wait <= f.o.PollFar:
		return near
	case wait < far+f.o.PollFar:
		return min(far, wait-f.o.PollNear+time.Duration(spread*float64(f.o.PollNear)))
	}
	return far
}

// open says whether a window of either kind is open by the schedules, an Upgrade now included.
func open(p window.Plan, now time.Time) bool {
	p.Postponed = time.Time{}
	if _, regular := p.Open(window.Regular, now); regular {
		return true
	}
	_, emergency := p.Open(window.Emergency, now)
	return emergency
}

// spreadOf is a number from 0 up to 1 that is always the same for a node.
func spreadOf(id models.NodeID) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return float64(h.Sum32()%1000) / 1000
}

// seconds is the interval as the node's row keeps it, rounded up.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
