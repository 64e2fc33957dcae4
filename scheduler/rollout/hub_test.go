package rollout_test

import (
	"time"

	"connecthub/models"
	"connecthub/scheduler/rollout"
)

// send puts a message under way: it arrives now, later, twice or never.
func (w *world) send(m message) {
	switch k := w.src.intn(100); {
	case k < 70:
		w.arrives(m)
	case k < 85:
		w.mail = append(w.mail, m)
	case k < 95:
		w.arrives(m)
		w.mail = append(w.mail, m)
	}
	if len(w.mail) > 8 {
		w.mail = w.mail[1:]
	}
}

// arrives is the hub's side of a request. Its answer may be lost, and its transaction too.
func (w *world) arrives(m message) {
	if w.chance(3) {
		return
	}
	fresh := w.stores(m)
	a := answer{to: m}
	if fresh {
		w.cause = cause{what: "adopt", node: m.from}
		w.apply(rollout.Adopt(w.snapshot(m.from), m.journal, w.now))
	}
	switch {
	case m.confirm:
		a.allowed = w.confirms(m)
	case fresh:
		w.polls(m, &a)
	}
	if !w.chance(8) {
		w.sim(m.from).hears(a)
	}
}

// stores writes what a message says of its node, unless a newer one has said more.
func (w *world) stores(m message) bool {
	n := w.row(m.from)
	if m.boot < n.BootID || m.boot == n.BootID && m.counter <= n.Counter {
		return false
	}
	at := w.now
	n.BootID, n.Counter, n.SeenAt, n.PolledSince = m.boot, m.counter, &at, true
	n.Version, n.Step, n.Health, n.SkewSeconds = m.version, m.step, m.health, m.skew
	n.Denied, n.JournalPermit, n.HighestFence = m.denied, m.journal.Permit, m.journal.Highest
	n.IntervalSeconds, n.Orchestrating = 30, m.busy
	if !w.rows.plan.NextEither(w.now).Start.Before(w.now.Add(3*time.Hour)) && !w.inWindow() {
		n.IntervalSeconds = 300
	}
	return true
}

func (w *world) confirms(m message) bool {
	before := w.rows.copy()
	s := w.snapshot(m.from)
	d := rollout.Confirm(s, m.permit, m.fence, m.boot, w.now)
	w.cause = cause{what: "confirm", node: m.from, id: m.permit, fence: m.fence}
	w.seen["confirm "+string(d.Reason)] = true
	w.apply(d.Effects)
	if s.Permit == nil || s.Permit.ID != m.permit || s.Permit.Fence() != m.fence {
		if d.Verb == models.VerbUpgrade || len(d.Effects) > 0 {
			w.breaks("R21", "a foreign or old confirm counts: %v of %v", m.permit, before.permits)
		}
	}
	return d.Verb == models.VerbUpgrade
}

func (w *world) polls(m message, a *answer) {
	if m.permit != "" && m.outcome != "" {
		w.cause = cause{what: "report", node: m.from, id: m.permit, fence: m.fence}
		s := w.snapshot(m.from)
		effects, err := rollout.Report(s, rollout.Ending{Permit: m.permit, Fence: m.fence,
			Outcome: m.outcome}, w.now)
		w.checkReport(s, m, effects, err)
		w.apply(effects)
	}
	s := w.snapshot(m.from)
	d := rollout.Decide(s, w.now)
	w.checkDecision(s, d)
	w.cause = cause{what: "decide", node: m.from}
	w.apply(d.Effects)
	if p := w.open(); p != nil && p.NodeID == m.from {
		c := *p
		a.permit = &c
		if r := w.release(p.ReleaseID); r != nil {
			a.version = r.Version
		}
	}
	if m.permit != "" && (a.permit == nil || a.permit.ID != m.permit) {
		a.ended, a.settled = m.permit, m.outcome != ""
	}
}

// checkReport: a report changes its own open permit or nothing (R21), and a failure halts (R19).
func (w *world) checkReport(s rollout.Snapshot, m message, effects []rollout.Effect, err error) {
	p := s.Permit
	if p == nil || p.ID != m.permit || p.Fence() != m.fence || p.NodeID != m.from {
		if err == nil || len(effects) > 0 {
			w.breaks("R21", "a foreign or old report counts")
		}
		return
	}
	if err != nil {
		w.breaks("R20", "the holder's own report is refused: %v", err)
	}
	if m.outcome != models.RolledBack || s.Rollout == nil || p.RolloutID != s.Rollout.ID {
		return
	}
	for _, e := range effects {
		if set, ok := e.(rollout.SetRolloutState); ok && set.State == models.RolloutHaltedFailed {
			return
		}
	}
	w.breaks("R19", "a rolled-back node halts nothing")
}

// adminActs is one of the things that an administrator of the cluster does.
func (w *world) adminActs() {
	s := w.snapshot("")
	n := w.anyNode()
	switch w.src.intn(12) {
	case 0:
		w.overrides(s)
	case 1, 2:
		w.does("retry", "", func() ([]rollout.Effect, error) { return rollout.Retry(s, w.now) })
	case 3:
		w.maintains(s, n)
	case 4:
		w.row(n.id).MaintenanceUntil = nil
	case 5:
		w.does("now", "", func() ([]rollout.Effect, error) { return rollout.UpgradeNow(s, w.now) })
	case 6:
		w.rows.cluster.DespiteNode = n.id
	case 7:
		w.reschedules()
	case 8:
		if p, err := w.rows.plan.Postpone(w.now); err == nil && !w.rows.cluster.PostponeSpent {
			w.rows.plan, w.rows.cluster.PostponedStart = p, &p.Postponed
		}
	case 9:
		w.replaces(s, n)
	case 10:
		w.moves(n)
	case 11:
		w.works(s, n)
	}
}

func (w *world) does(what string, node models.NodeID, act func() ([]rollout.Effect, error)) bool {
	effects, err := act()
	if err != nil {
		w.seen[err.Error()] = true
		return false
	}
	w.cause = cause{what: what, node: node}
	w.apply(effects)
	return true
}

func (w *world) overrides(s rollout.Snapshot) {
	p := s.Permit
	if p == nil {
		return
	}
	if w.does("override", p.NodeID, func() ([]rollout.Effect, error) {
		return rollout.Override(s, p.ID, w.now)
	}) {
		w.sim(p.NodeID).given = true
		if n := w.row(p.NodeID); n.SeenAt != nil && w.now.Sub(*n.SeenAt) < 15*time.Minute {
			w.breaks("R20", "a node that polls is overridden")
		}
	}
}

func (w *world) maintains(s rollout.Snapshot, n *sim) {
	if w.does("maintain", n.id, func() ([]rollout.Effect, error) {
		return rollout.Maintain(s, n.id)
	}) {
		if p := w.open(); p != nil && (p.State == models.PermitConfirmed || p.NodeID == n.id) {
			w.breaks("R22", "maintenance begins under a permit that is %s", p.State)
		}
		until := w.now.Add(time.Duration(1+w.src.intn(90)) * time.Minute)
		w.row(n.id).MaintenanceUntil = &until
	}
}

func (w *world) reschedules() {
	if w.chance(50) {
		w.rows.plan.Regular, w.rows.plan.ValidFrom = w.rule(), w.now
		return
	}
	w.rows.plan.Emergency, w.rows.plan.EmergencyValidFrom = w.rule(), w.now
}

// replaces puts a new machine in the place of a node's (R32).
func (w *world) replaces(s rollout.Snapshot, n *sim) {
	if n.alive && !w.chance(10) {
		return
	}
	if !w.does("leave", n.id, func() ([]rollout.Effect, error) {
		return rollout.Leave(s, n.id, true, w.now)
	}) {
		return
	}
	n.forget()
	n.restarts()
	n.up, n.highest = true, w.rows.cluster.Fence()
}

// moves changes a member's place: quarantined, and back.
func (w *world) moves(n *sim) {
	row := w.row(n.id)
	switch {
	case row.Member == models.MemberQuarantined:
		row.Member = models.MemberActive
	case row.Member == models.MemberActive && w.chance(30):
		row.Member = models.MemberQuarantined
	}
}

// works asks for a permit for work by hand (R33); the node gives it back or loses it.
func (w *world) works(s rollout.Snapshot, n *sim) {
	if !n.alive || n.permit != "" {
		return
	}
	s.Asking = n.id
	d := rollout.Local(s, w.localTarget(n), w.now)
	w.cause = cause{what: "local", node: n.id}
	w.apply(d.Effects)
}

// localTarget is nothing, or a release that the node has the bundle of.
func (w *world) localTarget(n *sim) models.ReleaseID {
	r := w.rows.releases[w.src.intn(len(w.rows.releases))]
	if !n.version.Less(r.Version) {
		return ""
	}
	return r.ID
}

func (w *world) inWindow() bool {
	_, regular := w.rows.plan.Open("regular", w.now)
	_, emergency := w.rows.plan.Open("emergency", w.now)
	return regular || emergency
}
