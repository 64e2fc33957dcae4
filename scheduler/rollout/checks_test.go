package rollout_test

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/scheduler/rollout"
	"connecthub/scheduler/window"
)

// check looks at an effect before it is written: what it does must be allowed by the rows as they
// are, in plain words of the rules and without a line of the decision's own code.
func (w *world) check(e rollout.Effect) {
	switch e := e.(type) {
	case rollout.OfferPermit:
		w.checkOffer(e)
	case rollout.ConfirmPermit:
		w.checkConfirm(e)
	case rollout.EndPermit:
		w.checkEnd(e)
	case rollout.SetRolloutState:
		w.checkRollout(e)
	case rollout.OpenRollout:
		if w.running() != nil {
			w.breaks("R19", "a second rollout is opened")
		}
	}
}

func (w *world) checkOffer(e rollout.OfferPermit) {
	if w.open() != nil {
		w.breaks("R16", "a second permit is opened")
	}
	if !w.highest.Less(e.Fence) || !w.rows.cluster.Fence().Less(e.Fence) {
		w.breaks("R21", "fence %v after %v", e.Fence, w.highest)
	}
	if e.Kind == models.PermitLocal {
		w.checkLocal(e.Node, e.Release)
		return
	}
	r := w.running()
	if r == nil || r.ReleaseID != e.Release || r.State != models.RolloutActive {
		w.breaks("R19", "offered outside an active rollout")
		return
	}
	w.checkStart(e.Node, w.release(e.Release), e.StartBy)
}

func (w *world) checkConfirm(e rollout.ConfirmPermit) {
	p := w.open()
	if p == nil {
		w.breaks("R20", "nothing is there to confirm")
		return
	}
	if w.cause.what == "adopt" {
		return
	}
	if p.NodeID != w.cause.node || p.ID != w.cause.id || p.Fence() != w.cause.fence || e.Boot == "" {
		w.breaks("R21", "a foreign or old confirm counts")
	}
	if p.Kind == models.PermitLocal {
		w.checkLocal(p.NodeID, p.ReleaseID)
		return
	}
	if r := w.running(); r == nil || r.ID != p.RolloutID || r.State != models.RolloutActive {
		w.breaks("R19", "confirmed outside an active rollout")
		return
	}
	w.checkStart(p.NodeID, w.release(p.ReleaseID), p.StartBy)
}

// checkLocal is what must hold of work by hand: the peers serve, and a release is one that the
// cluster may go to (R33).
func (w *world) checkLocal(id models.NodeID, release models.ReleaseID) {
	if w.rows.cluster.AwaitPolls {
		w.breaks("R34", "work by hand before every member has polled")
	}
	if n := w.row(id); n.MaintenanceUntil != nil && w.now.Before(*n.MaintenanceUntil) {
		w.breaks("R22", "a node in maintenance stops by hand")
	}
	w.checkPeers(id)
	if release == "" {
		return
	}
	w.seen["local release"] = true
	r := w.release(release)
	if r.State != models.ReleasePublished {
		w.breaks("R33", "a release that is %s starts by hand", r.State)
	}
	if o := w.running(); o != nil && o.State != models.RolloutActive {
		w.breaks("R19", "work by hand goes on in a rollout that is %s", o.State)
	}
	w.checkNode(id, r)
	w.checkOrder(id, r)
}

// checkStart is what must hold both when a node is offered its permit and when it confirms (R20).
func (w *world) checkStart(id models.NodeID, r *models.Release, startBy time.Time) {
	win, open := w.rows.plan.Open(window.Kind(r.Kind), w.now)
	limit := win.End.Add(-min(30*time.Minute, win.End.Sub(win.Start)/4))
	switch {
	case !open:
		w.breaks("R15", "a start outside a window of its kind")
	case w.now.After(startBy) || w.now.After(limit) || startBy.After(limit):
		w.breaks("R18", "a start after start-by")
	}
	ro := w.running()
	if ro.RetryAfter != nil && w.now.Before(*ro.RetryAfter) {
		w.breaks("R19", "a retry starts before the next window")
	}
	if r.State != models.ReleasePublished {
		w.breaks("R19", "a release that is %s starts", r.State)
	}
	for i := range w.rows.releases {
		o := &w.rows.releases[i]
		if o.Kind == models.Emergency && o.State == models.ReleasePublished &&
			r.Version.Less(o.Version) && o.Requirements.Via == "" {
			w.breaks("R19", "%s starts though %s is urgent", r.Version, o.Version)
		}
	}
	if w.rows.cluster.AwaitPolls {
		w.breaks("R34", "a start before every member has polled")
	}
	w.checkNode(id, r)
	w.checkPeers(id)
	w.checkOrder(id, r)
}

func (w *world) checkNode(id models.NodeID, r *models.Release) {
	n := w.row(id)
	if n.Member != models.MemberActive {
		w.breaks("R32", "a member that is %s starts", n.Member)
	}
	if n.MaintenanceUntil != nil && w.now.Before(*n.MaintenanceUntil) {
		w.breaks("R22", "a node in maintenance starts")
	}
	if n.SkewSeconds > 300 || n.SkewSeconds < -300 {
		w.breaks("R35", "a node with a wrong clock starts")
	}
	if n.Version.Compare(r.Version) >= 0 || slices.Contains(n.Denied, r.Version) {
		w.breaks("R23", "%s starts %s", n.Version, r.Version)
	}
	for i := range w.rows.members {
		m := &w.rows.members[i]
		if m.Member != models.MemberActive && m.Member != models.MemberQuarantined {
			continue
		}
		if r.Version.Less(m.Version) {
			w.breaks("R23", "%s is below %s of a member", r.Version, m.Version)
		}
		if m.Member == models.MemberActive && m.Version.Less(r.Requirements.Via) {
			w.breaks("R23", "%s goes to %s without %s", m.Version, r.Version, r.Requirements.Via)
		}
	}
}

func (w *world) checkPeers(id models.NodeID) {
	for i := range w.rows.members {
		m := &w.rows.members[i]
		if m.ID == w.rows.cluster.DespiteNode {
			continue
		}
		if m.Orchestrating && m.Member == models.MemberActive {
			w.breaks("R33", "a start while %s orchestrates", m.Name)
		}
		if m.ID == id {
			continue
		}
		switch m.Member {
		case models.MemberExpected, models.MemberQuarantined:
			w.breaks("R32", "a start while %s is %s", m.Name, m.Member)
		case models.MemberActive:
			w.checkPeer(m)
		case models.MemberWaiting, models.MemberExcluded, models.MemberRemoved:
		}
	}
}

func (w *world) checkPeer(m *models.Node) {
	limit := time.Duration(3*m.IntervalSeconds+10) * time.Second
	switch {
	case m.MaintenanceUntil != nil && w.now.Before(*m.MaintenanceUntil):
		w.breaks("R22", "a start while %s is in maintenance", m.Name)
	case m.SeenAt == nil || w.now.Sub(*m.SeenAt) > limit || m.Health != models.Healthy:
		w.breaks("R17", "a start while %s does not serve", m.Name)
	case m.Step != models.StepIdle && m.Step != models.StepFetching &&
		m.Step != models.StepVerified && m.Step != models.StepConfirming:
		w.breaks("R17", "a start while %s is %s", m.Name, m.Step)
	}
}

// checkOrder: the publisher first, then the subscribers by name (R17). Who does not serve goes
// before, but then no other may start at all.
func (w *world) checkOrder(id models.NodeID, r *models.Release) {
	n := w.row(id)
	if n.Health != models.Healthy {
		return
	}
	var names []string
	for i := range w.rows.members {
		m := &w.rows.members[i]
		if m.Member != models.MemberActive || m.Version == r.Version ||
			m.ID == w.rows.cluster.DespiteNode && m.ID != id {
			continue
		}
		first := m.Role == models.Publisher
		if r.Order == models.SubscribersFirst {
			first = !first
		}
		key := "b"
		if first {
			key = "a"
		}
		names = append(names, key+string(m.Name))
	}
	if len(names) > 0 && !strings.HasSuffix(slices.Min(names), string(n.Name)) {
		w.breaks("R17", "%s starts before its turn: %v", n.Name, names)
	}
}

func (w *world) checkEnd(e rollout.EndPermit) {
	p := w.open()
	if p == nil {
		w.breaks("R16", "nothing is there to end")
		return
	}
	own := w.cause.what == "report" && w.cause.node == p.NodeID && w.cause.id == p.ID &&
		w.cause.fence == p.Fence()
	if e.Outcome.Reportable() && !own {
		w.breaks("R21", "a foreign or old report ends a permit")
	}
	if p.State == models.PermitConfirmed && !own && w.cause.what != "override" &&
		w.cause.what != "leave" {
		w.breaks("R20", "%s ends a confirmed permit as %s", w.cause.what, e.Outcome)
	}
}

func (w *world) checkRollout(e rollout.SetRolloutState) {
	r := w.running()
	if r == nil {
		w.breaks("R19", "no rollout is there to change")
		return
	}
	lifted := e.State == models.RolloutActive
	switch {
	case lifted && r.State == models.RolloutHaltedFailed && w.cause.what != "retry":
		w.breaks("R19", "%s lifts a failure", w.cause.what)
	case lifted && r.State == models.RolloutHaltedLost && w.cause.what != "report" &&
		w.cause.what != "override" && w.cause.what != "leave":
		w.breaks("R20", "%s lifts the halt of a lost node", w.cause.what)
	case e.State.Ended() && w.open() != nil:
		w.breaks("R19", "a rollout ends under an open permit")
	}
}

// checkAlways is what holds after every step, of the rows and of the nodes as they really are.
func (w *world) checkAlways() {
	open, down := 0, 0
	for i := range w.rows.permits {
		if w.rows.permits[i].Open() {
			open++
		}
	}
	for _, n := range w.nodes {
		if n.stopped && n.outcome == "" && !n.given {
			down++
		}
	}
	if open > 1 {
		w.breaks("R16", "%d open permits", open)
	}
	if down > 1 {
		w.breaks("R16", "%d nodes are down at once", down)
	}
}

// checkDecision is what holds of every decision, and of what its node may see (R14, R24).
func (w *world) checkDecision(s rollout.Snapshot, d rollout.Decision) {
	w.seen[string(d.Reason)] = true
	if !slices.Contains(models.Reasons(), d.Reason) || d.Earliest.Before(w.now) {
		w.breaks("R24", "%s without reason or time: %v", d.Reason, d.Earliest)
	}
	if d.Verb == models.VerbHold && d.Reason == models.ReasonWindowClosed &&
		!d.Earliest.After(w.now) {
		w.breaks("R24", "a closed window opens now")
	}
	public := d.Public(s, w.now)
	if len(public.Effects) > 0 {
		w.breaks("R14", "the public answer writes")
	}
	_, regular := s.Plan.Open(window.Regular, w.now)
	_, emergency := s.Plan.Open(window.Emergency, w.now)
	holds := s.Permit != nil && s.Permit.NodeID == s.Asking &&
		(s.Permit.State == models.PermitConfirmed || s.Permit.Kind == models.PermitLocal)
	if holds {
		return
	}
	if !regular && !emergency {
		want := rollout.Decision{Verb: models.VerbHold, Reason: models.ReasonWindowClosed,
			Earliest: s.Plan.NextEither(w.now).Start}
		if !reflect.DeepEqual(public, want) {
			w.breaks("R14", "outside every window: %+v", public)
		}
		return
	}
	if regular && emergency {
		return
	}
	w.checkKindHidden(s, public, regular)
}

// checkKindHidden: no version of the kind whose window is closed is named.
func (w *world) checkKindHidden(s rollout.Snapshot, public rollout.Decision, regular bool) {
	for i := range s.Releases {
		r := &s.Releases[i]
		if (r.Kind == models.Regular) != regular && public.Subject != "" &&
			public.Subject == string(r.Version) && w.row(s.Asking).Version != r.Version {
			w.breaks("R14", "%s names %s of the other kind", public.Reason, r.Version)
		}
	}
}
