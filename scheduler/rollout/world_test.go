package rollout_test

import (
	"fmt"
	"slices"
	"time"

	"connecthub/models"
	"connecthub/scheduler/rollout"
	"connecthub/scheduler/window"
)

// source draws the choices of a history: a seeded generator, or rapid.
type source interface{ intn(n int) int }

// world is a cluster in memory: the rows of the hub, the nodes as they really are, and the
// messages under way. It knows what must hold, and remembers the first rule that was broken.
type world struct {
	src   source
	now   time.Time
	off   rollout.Rule
	inc   uint64
	rows  rows
	saved rows
	nodes []*sim
	mail  []message
	seq   int

	highest models.Fence // ever given out, in any incarnation
	cause   cause        // what the effects being applied come from
	broken  string
	seen    map[string]bool // reasons and events, to see that histories are not idle
}

// rows are what a hub stores; a backup is a copy of them.
type rows struct {
	cluster  models.Cluster
	plan     window.Plan
	members  []models.Node
	releases []models.Release
	rollouts []models.Rollout
	permits  []models.Permit
}

func (r rows) copy() rows {
	r.members = slices.Clone(r.members)
	r.releases = slices.Clone(r.releases)
	r.rollouts = slices.Clone(r.rollouts)
	r.permits = slices.Clone(r.permits)
	return r
}

// cause is who may end a confirmed permit and lift a halt: the background may not.
type cause struct {
	what  string // decide, confirm, report, override, retry, leave, sweep, adopt, restore
	node  models.NodeID
	fence models.Fence
	id    models.PermitID
}

func newWorld(src source, off rollout.Rule) *world {
	w := &world{src: src, off: off, inc: 1, now: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC),
		seen: map[string]bool{}}
	w.rows.cluster = models.Cluster{ID: "c", DisplayName: "Berlin", FenceIncarnation: 1}
	w.rows.plan = window.Plan{Regular: w.rule(), Emergency: w.rule()}
	w.rows.releases = []models.Release{{ID: "first", Version: "1.0", Kind: models.Regular,
		State: models.ReleasePublished}}
	for i := range 1 + src.intn(4) {
		role, name := models.Subscriber, fmt.Sprintf("sub%d.example.com", i)
		if i == 0 {
			role, name = models.Publisher, "pub.example.com"
		}
		id := models.NodeID(fmt.Sprintf("n%d", i))
		w.nodes = append(w.nodes, &sim{id: id, version: "1.0", alive: true, up: true,
			boot: string(id) + "-0"})
		w.rows.members = append(w.rows.members, models.Node{ID: id, Name: models.FQDN(name),
			Role: role, Member: models.MemberActive, IntervalSeconds: 30, Version: "1.0",
			Health: models.HealthUnknown, Step: models.StepIdle})
	}
	w.saved = w.rows.copy()
	return w
}

// rule is a random schedule in UTC.
func (w *world) rule() window.Rule {
	zone, err := window.LoadZone("UTC")
	if err != nil {
		panic(err)
	}
	length := []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour, 12 * time.Hour}
	r := window.DefaultRule(zone)
	r.Time = window.TimeOfDay{Hour: 1 + w.src.intn(4), Minute: 30 * w.src.intn(2)}
	r.Length = length[w.src.intn(len(length))]
	return r
}

// breaks records the first broken rule.
func (w *world) breaks(rule, format string, args ...any) {
	if w.broken == "" {
		w.broken = rule + ": " + fmt.Sprintf(format, args...)
	}
}

func (w *world) chance(percent int) bool { return w.src.intn(100) < percent }

func (w *world) anyNode() *sim { return w.nodes[w.src.intn(len(w.nodes))] }

func (w *world) row(id models.NodeID) *models.Node {
	for i := range w.rows.members {
		if w.rows.members[i].ID == id {
			return &w.rows.members[i]
		}
	}
	return nil
}

func (w *world) sim(id models.NodeID) *sim {
	for _, n := range w.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

func (w *world) release(id models.ReleaseID) *models.Release {
	for i := range w.rows.releases {
		if w.rows.releases[i].ID == id {
			return &w.rows.releases[i]
		}
	}
	return nil
}

func (w *world) open() *models.Permit {
	for i := range w.rows.permits {
		if w.rows.permits[i].Open() {
			return &w.rows.permits[i]
		}
	}
	return nil
}

func (w *world) running() *models.Rollout {
	for i := range w.rows.rollouts {
		if !w.rows.rollouts[i].State.Ended() {
			return &w.rows.rollouts[i]
		}
	}
	return nil
}

// snapshot is what the hub hands to the decision.
func (w *world) snapshot(asking models.NodeID) rollout.Snapshot {
	s := rollout.Snapshot{Incarnation: w.inc, Cluster: w.rows.cluster, Plan: w.rows.plan,
		Members: w.rows.members, Releases: w.rows.releases, Asking: asking}
	if r := w.running(); r != nil {
		c := *r
		s.Rollout = &c
	}
	if p := w.open(); p != nil {
		c := *p
		s.Permit = &c
	}
	s.Without(w.off)
	return s
}

// apply writes the effects as the hub would, and checks each before it does.
func (w *world) apply(effects []rollout.Effect) {
	for _, e := range effects {
		w.check(e)
		w.write(e)
	}
	w.cause = cause{}
}

func (w *world) write(e rollout.Effect) {
	w.seen[fmt.Sprintf("%T", e)] = true
	c := &w.rows.cluster
	switch e := e.(type) {
	case rollout.OpenRollout:
		w.seq++
		w.rows.rollouts = append(w.rows.rollouts, models.Rollout{
			ID: models.RolloutID(fmt.Sprintf("o%d", w.seq)), ReleaseID: e.Release,
			Version: e.Version, Kind: e.Kind, State: models.RolloutActive, StartedAt: w.now})
	case rollout.SetRolloutState:
		r := w.running()
		r.State, r.BlockedBy, r.RetryAfter = e.State, e.BlockedBy, nil
		if !e.RetryAfter.IsZero() {
			r.RetryAfter = &e.RetryAfter
		}
		w.seen[string(e.State)] = true
	case rollout.OfferPermit:
		w.offer(e)
	case rollout.ConfirmPermit:
		p, at := w.open(), w.now
		p.State, p.ConfirmedAt, p.ConfirmedBoot = models.PermitConfirmed, &at, e.Boot
	case rollout.EndPermit:
		p, at := w.open(), w.now
		p.State, p.Outcome, p.EndedAt = models.PermitEnded, e.Outcome, &at
		w.seen["end "+string(e.Outcome)+" "+string(e.Reason)] = true
	case rollout.AdoptPermit:
		w.adopt(e)
	case rollout.RaiseFence:
		w.raise(e.Fence)
	case rollout.EndAwait:
		c.AwaitPolls = false
	case rollout.SetMember:
		w.row(e.Node).Member = e.State
	case rollout.UseDespite:
		c.DespiteNode = ""
	case rollout.ForgetDenied:
		w.forgive(e)
	case rollout.OpenExtra:
		w.rows.plan.Extra, w.rows.plan.ExtraKind = e.Window, window.Kind(e.Kind)
	default:
		w.writePending(e)
	}
}

func (w *world) writePending(e rollout.Effect) {
	c := &w.rows.cluster
	switch e := e.(type) {
	case rollout.SetPending:
		c.PendingSince, c.FirstChance, c.PostponeSpent = &e.Since, &e.FirstChance, e.PostponeSpent
	case rollout.ClearPending:
		c.PendingSince, c.FirstChance, c.PostponeSpent = nil, nil, false
		if e.ForgetPostponed {
			c.PostponedStart, w.rows.plan.Postponed = nil, time.Time{}
		}
	default:
		panic(fmt.Sprintf("unknown effect %T", e))
	}
}

func (w *world) offer(e rollout.OfferPermit) {
	w.seq++
	p := models.Permit{ID: models.PermitID(fmt.Sprintf("p%d", w.seq)), NodeID: e.Node,
		ReleaseID: e.Release, Kind: e.Kind, State: models.PermitOffered, OfferedAt: w.now,
		FenceIncarnation: e.Fence.Incarnation, FenceCounter: e.Fence.Counter, StartBy: e.StartBy}
	if r := w.running(); r != nil && e.Kind == models.PermitUpgrade {
		p.RolloutID = r.ID
	}
	w.rows.permits = append(w.rows.permits, p)
	w.raise(e.Fence)
	w.highest = e.Fence
}

func (w *world) raise(f models.Fence) {
	if c := &w.rows.cluster; c.Fence().Less(f) {
		c.FenceIncarnation, c.FenceCounter = f.Incarnation, f.Counter
	}
}

func (w *world) adopt(e rollout.AdoptPermit) {
	at := w.now
	p := models.Permit{ID: e.Permit, NodeID: e.Node, ReleaseID: e.Release,
		Kind: models.PermitUpgrade, State: models.PermitConfirmed, OfferedAt: at, StartBy: at,
		ConfirmedAt: &at, ConfirmedBoot: e.Boot, FenceIncarnation: e.Fence.Incarnation,
		FenceCounter: e.Fence.Counter}
	if e.Release == "" {
		p.Kind = models.PermitLocal
	}
	if r := w.running(); r != nil && r.ReleaseID == e.Release {
		p.RolloutID = r.ID
	}
	w.rows.permits = slices.DeleteFunc(w.rows.permits,
		func(q models.Permit) bool { return q.ID == e.Permit })
	w.rows.permits = append(w.rows.permits, p)
	w.raise(e.Fence)
}

func (w *world) forgive(e rollout.ForgetDenied) {
	gone := func(v models.Version) bool { return v == e.Version }
	n := w.row(e.Node)
	n.Denied = slices.DeleteFunc(slices.Clone(n.Denied), gone)
	w.sim(e.Node).denied = slices.DeleteFunc(w.sim(e.Node).denied, gone)
}
