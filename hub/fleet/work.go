package fleet

import (
	"slices"
	"time"

	"connecthub/models"
	"connecthub/scheduler/rollout"
	"connecthub/scheduler/window"
)

// rows are what is stored of one cluster, as far as decisions need it.
type rows struct {
	cluster  models.Cluster
	plan     window.Plan
	members  []models.Node // all that are not removed
	releases []models.Release
	rollout  *models.Rollout // the one that has not ended
	permit   *models.Permit  // the open one
}

func (r *rows) snapshot(incarnation uint64, asking models.NodeID) rollout.Snapshot {
	return rollout.Snapshot{Incarnation: incarnation, Cluster: r.cluster, Plan: r.plan,
		Members: r.members, Releases: r.releases, Rollout: r.rollout, Permit: r.permit,
		Asking: asking}
}

func (r *rows) member(id models.NodeID) *models.Node {
	for i := range r.members {
		if r.members[i].ID == id {
			return &r.members[i]
		}
	}
	return nil
}

func (r *rows) release(id models.ReleaseID) *models.Release {
	for i := range r.releases {
		if r.releases[i].ID == id {
			return &r.releases[i]
		}
	}
	return nil
}

// work is one transaction's worth of changes to one cluster: the rows as they will be, and what of
// them must be written, in the order in which it became so.
type work struct {
	rows
	now   time.Time
	actor Actor
	newID func() string

	loadedRollout *models.Rollout // as they were stored
	loadedPermit  *models.Permit

	clusterChanged bool
	nodesChanged   []models.NodeID
	rollouts       []*models.Rollout // changed or new, in order
	permits        []*models.Permit
	fresh          map[string]bool   // ids of rows to insert
	adopted        []models.PermitID // inserted or, where a row of the id has ended, opened again
	audits         []models.AuditRecord
	byHand         models.HandWork // what the asking node's administrator is about to do
	after          func() error    // the last statement of the transaction
	gone           bool            // the cluster is not living any more
}

func (w *work) touchCluster() { w.clusterChanged = true }

func (w *work) touchNode(id models.NodeID) {
	if !slices.Contains(w.nodesChanged, id) {
		w.nodesChanged = append(w.nodesChanged, id)
	}
}

func (w *work) touchRollout() {
	if !slices.Contains(w.rollouts, w.rollout) {
		w.rollouts = append(w.rollouts, w.rollout)
	}
}

func (w *work) touchPermit() {
	if !slices.Contains(w.permits, w.permit) {
		w.permits = append(w.permits, w.permit)
	}
}

func (w *work) insert(id string) {
	if w.fresh == nil {
		w.fresh = map[string]bool{}
	}
	w.fresh[id] = true
}

// changed says whether there is anything to write.
func (w *work) changed() bool {
	return w.clusterChanged || len(w.nodesChanged)+len(w.rollouts)+len(w.permits)+len(w.audits) > 0
}

// record adds one audit record (R30) of this cluster.
func (w *work) record(action Action, kind, id, name string, before, after any) {
	w.audits = append(w.audits, w.actor.Audit(models.AuditID(w.newID()), w.now, models.Change{
		Organization: w.cluster.OrganizationID, Action: string(action), TargetKind: kind,
		TargetID: id, TargetName: name, Cluster: w.cluster.ID, Before: before, After: after}))
}

func (w *work) recordCluster(action Action, before, after any) {
	w.record(action, "cluster", string(w.cluster.ID), w.cluster.DisplayName, before, after)
}

func (w *work) recordNode(action Action, n *models.Node, before, after any) {
	w.record(action, "node", string(n.ID), string(n.Name), before, after)
}

// by lets what follows be recorded as the hub's own doing.
func (w *work) byHub(do func()) {
	actor := w.actor
	w.actor = Actor{Kind: models.ActorHub, Name: "hub", TrackingID: actor.TrackingID}
	do()
	w.actor = actor
}

// apply does what a decision says, in its order.
func (w *work) apply(effects []rollout.Effect) {
	for _, e := range effects {
		w.applyOne(e)
	}
}

// applyOne knows every effect; an unknown one is a fault of the program and stops the transaction.
func (w *work) applyOne(e rollout.Effect) {
	switch e := e.(type) {
	case rollout.OpenRollout:
		w.openRollout(e)
	case rollout.SetRolloutState:
		w.setRolloutState(e)
	case rollout.OfferPermit:
		w.offerPermit(e)
	case rollout.ConfirmPermit:
		w.confirmPermit(e)
	case rollout.EndPermit:
		w.endPermit(e)
	case rollout.AdoptPermit:
		w.adoptPermit(e)
	case rollout.RaiseFence:
		w.raiseFence(e.Fence)
	case rollout.EndAwait:
		w.cluster.AwaitPolls = false
		w.touchCluster()
		w.recordCluster(ActionAwaitEnded, nil, nil)
	case rollout.SetMember:
		w.setMember(e)
	case rollout.SetPending:
		w.cluster.PendingSince, w.cluster.FirstChance = timePtr(e.Since), timePtr(e.FirstChance)
		w.cluster.PostponeSpent = e.PostponeSpent
		w.touchCluster()
	case rollout.ClearPending:
		w.cluster.PendingSince, w.cluster.FirstChance = nil, nil
		w.cluster.PostponeSpent = false
		if e.ForgetPostponed {
			w.cluster.PostponedStart = nil
			w.plan.Postponed = time.Time{}
		}
		w.touchCluster()
	case rollout.UseDespite:
		w.cluster.DespiteNode = ""
		w.touchCluster()
	case rollout.ForgetDenied:
		w.forgetDenied(e)
	case rollout.OpenExtra:
		w.cluster.ExtraStart, w.cluster.ExtraEnd = timePtr(e.Window.Start), timePtr(e.Window.End)
		w.cluster.ExtraKind = e.Kind
		w.plan.Extra, w.plan.ExtraKind = e.Window, window.Kind(e.Kind)
		w.touchCluster()
	default:
		panic("unknown effect of a decision")
	}
}

func (w *work) openRollout(e rollout.OpenRollout) {
	r := &models.Rollout{ID: models.RolloutID(w.newID()),
		OrganizationID: w.cluster.OrganizationID, ClusterID: w.cluster.ID, ReleaseID: e.Release,
		Version: e.Version, Kind: e.Kind, State: models.RolloutActive, StartedAt: w.now}
	w.rollout = r
	w.insert(string(r.ID))
	w.touchRollout()
	w.record(ActionRolloutOpened, "rollout", string(r.ID), string(r.Version), nil, nil)
}

func (w *work) setRolloutState(e rollout.SetRolloutState) {
	changed := *w.rollout
	before := changed.State
	fresh := w.rollout
	changed.State, changed.BlockedBy = e.State, e.BlockedBy
	changed.RetryAfter = timePtr(e.RetryAfter)
	if e.State.Ended() {
		changed.EndedAt = timePtr(w.now)
	}
	w.replaceRollout(fresh, &changed)
	w.record(ActionRolloutState, "rollout", string(changed.ID), string(changed.Version),
		before, changed.State)
	if e.State.Ended() {
		w.rollout = nil
	}
}

// replaceRollout keeps one pointer a row, so that a row is written once in its last form.
func (w *work) replaceRollout(old, changed *models.Rollout) {
	w.rollout = changed
	if i := slices.Index(w.rollouts, old); i >= 0 {
		w.rollouts[i] = changed
		return
	}
	w.rollouts = append(w.rollouts, changed)
}

func (w *work) raiseFence(f models.Fence) {
	if w.cluster.Fence().Less(f) {
		w.cluster.FenceIncarnation, w.cluster.FenceCounter = f.Incarnation, f.Counter
		w.touchCluster()
	}
}

func (w *work) setMember(e rollout.SetMember) {
	n := w.member(e.Node)
	if n == nil || n.Member == e.State {
		return
	}
	before := n.Member
	n.Member = e.State
	w.touchNode(n.ID)
	w.recordNode(ActionMember, n, before, e.State)
}

func (w *work) forgetDenied(e rollout.ForgetDenied) {
	n := w.member(e.Node)
	if n == nil {
		return
	}
	n.Denied = slices.DeleteFunc(slices.Clone(n.Denied), func(v models.Version) bool {
		return v == e.Version
	})
	w.touchNode(n.ID)
}

func timePtr(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
