package fleet

import (
	"context"
	"slices"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
	"connecthub/scheduler/rollout"
)

// Local offers a permit for work by hand (R33): whatever stops the services of a registered node
// takes one, under the same index and fence and with the same care for the peers as an upgrade, in
// no window. The node confirms it as any other. A refusal is recorded for the admins.
func (f *Fleet) Local(ctx context.Context, n NodeIdentity, r wire.LocalRequest,
) (wire.LocalResponse, error) {
	if err := checkLocal(&r); err != nil {
		return wire.LocalResponse{}, err
	}
	c := f.find(n.Cluster)
	if c == nil {
		return wire.LocalResponse{}, f.absent()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var d rollout.Decision
	answer := wire.LocalResponse{}
	err := f.changeLocked(ctx, c, nodeActor(n, ""), n.Organization, n.Cluster,
		func(w *work, _ *store.Scope) error {
			node := w.member(n.Node)
			if node == nil || node.KeyThumb != n.KeyThumb {
				return models.Unauthorized("not_registered")
			}
			w.actor.Name, w.byHand, answer.Now = string(node.Name), r.What, w.now
			w.hearNews(node, &r.Poll)
			w.adoptJournal(f.incarnation(), n.Node, &r.Poll)
			release, known := w.releaseOf(&r)
			if !known {
				d = rollout.Decision{Verb: models.VerbHold, Reason: models.ReasonNoRelease}
			} else {
				d = rollout.Local(w.snapshot(f.incarnation(), n.Node), release, w.now)
			}
			w.applyLocal(node, d, r.What)
			return nil
		})
	if err != nil {
		return wire.LocalResponse{}, f.goneFor(ctx, n, err)
	}
	if d.Verb != models.VerbUpgrade {
		answer.Reason, answer.Subject = d.Reason, d.Subject
		return answer, nil
	}
	answer.Permit, err = f.permitFor(c, c.rows.member(n.Node))
	return answer, err
}

// checkLocal refuses what no node of this protocol asks.
func checkLocal(r *wire.LocalRequest) error {
	if err := checkPoll(&r.Poll); err != nil {
		return err
	}
	bad := ""
	switch {
	case !r.What.Valid():
		bad = "what"
	case !validVersion(r.Version):
		bad = "version"
	case !word(r.Digest) || (r.Digest != "") != (r.What == models.HandUpgrade):
		bad = "digest" // what goes to a signed bundle says which, and nothing else does
	}
	if bad != "" {
		return &models.Refusal{Kind: models.KindInvalid, Code: "invalid_poll", Field: bad,
			Subject: bad}
	}
	return nil
}

// releaseOf is the release whose bundle the node has, or none; false where no release of the
// cluster's channel is that bundle.
func (w *work) releaseOf(r *wire.LocalRequest) (models.ReleaseID, bool) {
	if r.Digest == "" {
		return "", true
	}
	for i := range w.releases {
		if w.releases[i].Digest == r.Digest && w.releases[i].Version == r.Version {
			return w.releases[i].ID, true
		}
	}
	return "", false
}

// applyLocal records the offer as the node's doing, and what time has decided as the hub's (R30).
func (w *work) applyLocal(n *models.Node, d rollout.Decision, what models.HandWork) {
	for _, e := range d.Effects {
		if _, own := e.(rollout.OfferPermit); own {
			w.applyOne(e)
			continue
		}
		w.byHub(func() { w.applyOne(e) })
	}
	if d.Verb != models.VerbUpgrade {
		w.recordNode(ActionLocalRefused, n, nil,
			localNote{Work: what, Reason: d.Reason, Subject: d.Subject})
	}
}

// localNote is what an audit record says of work by hand.
type localNote struct {
	Work    models.HandWork  `json:"work"`
	Reason  models.Reason    `json:"reason,omitempty"`
	Subject string           `json:"subject,omitempty"`
	Report  *wire.HandReport `json:"report,omitempty"`
}

// hearByHand records the work that was done without a permit, each report once: a repeated poll
// changes nothing.
func (w *work) hearByHand(s *store.Scope, n *models.Node, reports []wire.HandReport) error {
	for i := range reports {
		r := &reports[i]
		heard, err := s.AuditHas(n.ClusterID, string(ActionWithoutPermit), r.ID)
		if err != nil {
			return err
		}
		again := slices.ContainsFunc(reports[:i], func(o wire.HandReport) bool { return o.ID == r.ID })
		if !heard && !again {
			w.record(ActionWithoutPermit, "node", r.ID, string(n.Name), nil,
				localNote{Work: r.What, Report: r})
		}
	}
	return nil
}
