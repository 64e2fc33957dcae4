package fleet

import (
	"context"
	"errors"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
	"connecthub/scheduler/rollout"
)

// retryLoading is when a node asks again while the roster is being loaded.
const retryLoading = 2 * time.Second

// Poll answers what a node says of itself. The usual answer comes from memory; whatever is news, or
// would change anything, is decided again from the stored rows in one transaction (R16).
func (f *Fleet) Poll(ctx context.Context, n NodeIdentity, r wire.PollRequest,
) (wire.PollResponse, error) {
	if err := checkPoll(&r); err != nil {
		return wire.PollResponse{}, err
	}
	if r.Protocol < wire.Protocol-1 || r.Protocol < 1 {
		return wire.PollResponse{}, models.Conflict("protocol_too_old", "")
	}
	c := f.find(n.Cluster)
	if c == nil {
		return wire.PollResponse{}, f.absent()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := f.now()
	if answer, done := f.idlePoll(c, n.Node, &r, now); done {
		return answer, nil
	}
	return f.newsPoll(ctx, c, n, &r)
}

// absent is for a cluster that the roster does not hold although its node's token is valid.
func (f *Fleet) absent() error {
	if !f.Ready() {
		return &models.Refusal{Kind: models.KindUnavailable, Code: "unavailable",
			RetryAfter: retryLoading}
	}
	return models.Unauthorized("not_registered")
}

// idlePoll answers from memory, or says that it cannot: something must be stored first.
func (f *Fleet) idlePoll(c *cluster, id models.NodeID, r *wire.PollRequest, now time.Time,
) (wire.PollResponse, bool) {
	at := c.index(id)
	if at < 0 || r.Permit != nil && r.Permit.Outcome != "" || len(r.ByHand) > 0 {
		return wire.PollResponse{}, false
	}
	node := &c.rows.members[at]
	heard, percent := *node, node.StepPercent
	if stale(node, r) {
		heard.SeenAt = node.SeenAt
	} else if hear(&heard, r, c.rows.rollout, now) {
		return wire.PollResponse{}, false
	}
	*node = heard // what is no news may be known in memory first
	c.dirty[at] = true
	s := c.rows.snapshot(f.incarnation(), id)
	if r.Journal != nil || s.Cluster.Fence().Less(r.HighestFence) {
		if len(rollout.Adopt(s, journalOf(r), now)) > 0 {
			return wire.PollResponse{}, false
		}
	}
	d := rollout.Decide(s, now)
	if len(d.Effects) > 0 || decides(node, d) {
		return wire.PollResponse{}, false
	}
	if percent != node.StepPercent {
		f.events.publish(c.rows.cluster.OrganizationID, Event{Cluster: c.rows.cluster.ID})
	}
	answer, err := f.render(c, node, r, d.Public(s, now), now)
	return answer, err == nil
}

func (c *cluster) index(id models.NodeID) int {
	for i := range c.rows.members {
		if c.rows.members[i].ID == id {
			return i
		}
	}
	return -1
}

// newsPoll stores what the node says and what follows from it, and answers.
func (f *Fleet) newsPoll(ctx context.Context, c *cluster, n NodeIdentity, r *wire.PollRequest,
) (wire.PollResponse, error) {
	var public rollout.Decision
	var now time.Time
	err := f.changeLocked(ctx, c, nodeActor(n, ""), n.Organization, n.Cluster,
		func(w *work, tx *store.Scope) error {
			node := w.member(n.Node)
			if node == nil || node.KeyThumb != n.KeyThumb {
				return models.Unauthorized("not_registered") // revoked since its token was checked
			}
			now = w.now
			w.actor.Name = string(node.Name)
			w.hearNews(node, r)
			if err := w.hearByHand(tx, node, r.ByHand); err != nil {
				return err
			}
			w.adoptJournal(f.incarnation(), n.Node, r)
			w.reportOutcome(f.incarnation(), n.Node, r)
			s := w.snapshot(f.incarnation(), n.Node)
			d := rollout.Decide(s, w.now)
			public = d.Public(s, w.now)
			w.byHub(func() {
				w.apply(d.Effects)
				w.decide(node, d)
				w.apply(rollout.Sweep(w.snapshot(f.incarnation(), ""), w.now))
			})
			return nil
		})
	if err != nil {
		return wire.PollResponse{}, f.goneFor(ctx, n, err)
	}
	node := c.rows.member(n.Node)
	return f.render(c, node, r, public, now)
}

// goneFor says with a statement why a node's rows were not found, where that is for good (R6): a
// roster may be late.
func (f *Fleet) goneFor(ctx context.Context, n NodeIdentity, err error) error {
	if !errors.Is(err, models.NotFound()) && !errors.Is(err, models.Unauthorized("not_registered")) {
		return err
	}
	if revoked := f.revoked(ctx, n.Node, n.KeyThumb); revoked != nil {
		return revoked
	}
	return err
}

func nodeActor(n NodeIdentity, name string) Actor {
	return Actor{Kind: models.ActorNode, UserID: models.UserID(n.Node), Name: name,
		Organization: n.Organization}
}

// hearNews takes what the node says into its row, and records what an admin wants to read later.
func (w *work) hearNews(n *models.Node, r *wire.PollRequest) {
	if stale(n, r) {
		return
	}
	health, version, step := n.Health, n.Version, n.Step
	hear(n, r, w.rollout, w.now)
	w.touchNode(n.ID)
	if n.Health != health {
		w.recordNode(ActionHealth, n, health, n.Health)
	}
	if n.Version != version {
		w.recordNode(ActionVersion, n, version, n.Version)
	}
	if n.Step != step {
		w.recordNode(ActionStep, n, step, n.Step)
	}
}

func (w *work) adoptJournal(incarnation uint64, id models.NodeID, r *wire.PollRequest) {
	w.apply(rollout.Adopt(w.snapshot(incarnation, id), journalOf(r), w.now))
}

// reportOutcome ends the permit that the node says it has ended. A report about any other permit
// changes nothing (R21); the answer tells the node that it is closed.
func (w *work) reportOutcome(incarnation uint64, id models.NodeID, r *wire.PollRequest) {
	if r.Permit == nil || r.Permit.Outcome == "" {
		return
	}
	effects, err := rollout.Report(w.snapshot(incarnation, id), rollout.Ending{
		Permit: r.Permit.ID, Fence: r.Permit.Fence, Outcome: r.Permit.Outcome,
		Detail: r.Permit.Detail}, w.now)
	if err == nil {
		w.apply(effects)
	}
}

// decides says whether a decision differs from the recorded one (R24). That what may happen at once
// may still happen at once is no difference.
func decides(n *models.Node, d rollout.Decision) bool {
	if n.DecidedAt == nil || n.Verb != d.Verb || n.Reason != d.Reason || n.Subject != d.Subject {
		return true
	}
	return d.Earliest.After(*n.SeenAt) && (n.Earliest == nil || !n.Earliest.Equal(d.Earliest))
}

// decide records the decision for the admins (R24).
func (w *work) decide(n *models.Node, d rollout.Decision) {
	if d.Verb != n.Verb || d.Reason != n.Reason || d.Subject != n.Subject {
		w.recordNode(ActionDecision, n, nil, decisionNote{d.Reason, d.Subject})
	}
	n.Verb, n.Reason, n.Subject = d.Verb, d.Reason, d.Subject
	n.Earliest, n.DecidedAt = timePtr(d.Earliest), timePtr(w.now)
	w.touchNode(n.ID)
}

type decisionNote struct {
	Reason  models.Reason `json:"reason"`
	Subject string        `json:"subject,omitempty"`
}
