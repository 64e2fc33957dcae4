package rollout_test

import (
	"fmt"
	"slices"
	"time"

	"connecthub/models"
	"connecthub/scheduler/rollout"
)

// sim is a node as it really is. It keeps to the agent's protocol: it stops a service only within
// 60 s of having asked for a confirm that was granted, on the same boot; the rest it does alone.
type sim struct {
	id      models.NodeID
	version models.Version
	alive   bool // its agent runs
	up      bool // its service answers
	boot    string
	boots   int
	counter uint64
	skew    int64

	// What its journal holds: it survives every restart.
	permit    models.PermitID
	local     bool // it is a permit for work by hand
	fence     models.Fence
	highest   models.Fence
	target    models.Version
	step      models.Step
	confirmed bool
	stopped   bool // by the upgrade; true until it has reported
	outcome   models.Outcome
	denied    []models.Version

	stopBy time.Time // in memory: until when the first stop is allowed
	asked  string    // the confirm that it waits for
	given  bool      // an admin has said that it is gone, and its journal is still open

	orchestrates bool // a procedure or a download runs on it
}

// message is one request under way. It may come late, twice or never.
type message struct {
	from    models.NodeID
	boot    string
	counter uint64
	version models.Version
	step    models.Step
	health  models.Health
	skew    int64
	denied  []models.Version
	permit  models.PermitID // that the node reports or confirms
	fence   models.Fence
	journal rollout.Journal
	outcome models.Outcome
	confirm bool
	busy    bool   // it orchestrates
	ticket  string // names the request, so that only its own answer counts
	sent    time.Time
}

// answer is what the hub says to a message.
type answer struct {
	to      message
	permit  *models.Permit
	version models.Version
	ended   models.PermitID
	allowed bool
	settled bool // the outcome has been taken
}

func (n *sim) stepNow() models.Step {
	if n.step == "" {
		return models.StepIdle
	}
	return n.step
}

func (n *sim) message(w *world, confirm bool) message {
	n.counter++
	m := message{from: n.id, boot: n.boot, counter: n.counter, version: n.version,
		step: n.stepNow(), health: models.Unhealthy, skew: n.skew, denied: slices.Clone(n.denied),
		permit: n.permit, fence: n.fence, outcome: n.outcome, confirm: confirm,
		ticket: fmt.Sprintf("%s/%d", n.boot, n.counter), sent: w.now}
	m.busy = n.orchestrates
	if n.up {
		m.health = models.Healthy
	}
	m.journal = rollout.Journal{Highest: n.highest, Boot: n.boot}
	if n.permit != "" && n.outcome == "" {
		m.journal.Permit, m.journal.Fence = n.permit, n.fence
		m.journal.Confirmed = n.confirmed
		if !n.local {
			m.journal.Version = n.target
		}
	}
	if confirm {
		n.asked = m.ticket
	}
	return m
}

// hears takes an answer, unless the node has restarted since it asked.
func (n *sim) hears(a answer) {
	if !n.alive || a.to.boot != n.boot {
		return
	}
	if a.to.confirm {
		if a.allowed && a.to.ticket == n.asked && n.permit == a.to.permit {
			n.confirmed, n.stopBy = true, a.to.sent.Add(rollout.ConfirmHolds)
		}
		n.asked = ""
		return
	}
	if a.ended != "" && a.ended == n.permit && (!n.stopped || a.settled) {
		n.forget()
	}
	p := a.permit
	if p == nil || n.permit != "" || p.Fence().Less(n.highest) || p.Fence() == n.highest {
		return
	}
	n.permit, n.fence, n.highest = p.ID, p.Fence(), p.Fence()
	n.target, n.step = a.version, models.StepFetching
	n.local = p.Kind == models.PermitLocal
	if n.local && p.ReleaseID == "" {
		n.target = n.version
	}
}

// forget closes the journal entry.
func (n *sim) forget() {
	n.permit, n.fence, n.target, n.step = "", models.Fence{}, "", ""
	n.confirmed, n.stopped, n.outcome, n.stopBy, n.asked = false, false, "", time.Time{}, ""
	n.given, n.local = false, false
}

// works takes the next step of an upgrade.
func (n *sim) works(w *world) {
	if !n.alive || n.permit == "" || n.outcome != "" {
		return
	}
	switch n.step {
	case models.StepFetching:
		n.step = models.StepVerified
		if w.chance(5) {
			n.outcome = models.Failed
		}
	case models.StepVerified, models.StepConfirming:
		n.step = models.StepConfirming
		switch {
		case n.confirmed && !w.now.After(n.stopBy):
			n.step, n.stopped, n.up = models.StepStopping, true, false
		case n.confirmed && w.chance(20):
			n.outcome, n.step = models.Abandoned, ""
		default:
			w.send(n.message(w, true))
		}
	case models.StepStopping:
		n.step = models.StepStarting
	case models.StepStarting, models.StepSoaking:
		n.finishes(w)
	default: // it waits
	}
}

// finishes ends the start or the soak well, or rolls back.
func (n *sim) finishes(w *world) {
	switch {
	case w.chance(12):
		n.denied = append(n.denied, n.target)
		n.up, n.step, n.outcome = true, models.StepRollingBack, models.RolledBack
	case n.step == models.StepStarting:
		n.version, n.up, n.step = n.target, true, models.StepSoaking
	default:
		n.outcome = models.Succeeded
	}
	if n.outcome == models.RolledBack {
		n.version = w.before(n)
	}
}

// before is the version that the node ran when it was given the permit.
func (w *world) before(n *sim) models.Version {
	if n.version != n.target {
		return n.version
	}
	return n.old(w)
}

// old is some version below the target: the highest that another member runs, or the first.
func (n *sim) old(w *world) models.Version {
	best := models.Version("1.0")
	for _, m := range w.nodes {
		if m.version.Less(n.target) && best.Less(m.version) {
			best = m.version
		}
	}
	return best
}

// crashes takes the agent, perhaps the machine with its service, or the service alone.
func (n *sim) crashes(w *world) {
	if w.chance(30) {
		n.up = false
		return
	}
	n.alive = false
	if w.chance(30) {
		n.up = false
	}
}

func (n *sim) recovers(w *world) {
	switch {
	case !n.alive:
		n.restarts()
	case !n.stopped:
		n.up = true
	}
}

func (n *sim) restarts() {
	n.alive = true
	n.boots++
	n.boot, n.counter = fmt.Sprintf("%s-%d", n.id, n.boots), 0
	n.stopBy, n.asked = time.Time{}, ""
	if !n.stopped {
		n.up = true
	}
}
