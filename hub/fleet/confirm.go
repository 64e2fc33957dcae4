package fleet

import (
	"context"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
	"connecthub/scheduler/rollout"
)

// Confirm answers the one call that a node makes before it touches a service (R20): every guard is
// asked again in the transaction that confirms.
func (f *Fleet) Confirm(ctx context.Context, n NodeIdentity, id models.PermitID,
	r wire.ConfirmRequest,
) (wire.ConfirmResponse, error) {
	if err := checkPoll(&r.Poll); err != nil {
		return wire.ConfirmResponse{}, err
	}
	if r.BootID == "" || !word(r.BootID) || !word(string(id)) {
		return wire.ConfirmResponse{}, &models.Refusal{Kind: models.KindInvalid,
			Code: "invalid_poll", Field: "boot_id", Subject: "boot_id"}
	}
	c := f.find(n.Cluster)
	if c == nil {
		return wire.ConfirmResponse{}, f.absent()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var answer wire.ConfirmResponse
	err := f.changeLocked(ctx, c, nodeActor(n, ""), n.Organization, n.Cluster,
		func(w *work, _ *store.Scope) error {
			node := w.member(n.Node)
			if node == nil || node.KeyThumb != n.KeyThumb {
				return models.Unauthorized("not_registered")
			}
			w.actor.Name = string(node.Name)
			w.hearNews(node, &r.Poll)
			w.adoptJournal(f.incarnation(), n.Node, &r.Poll)
			d := rollout.Confirm(w.snapshot(f.incarnation(), n.Node), id, r.Fence, r.BootID, w.now)
			w.applyConfirm(node, d)
			answer = f.confirmed(w, d, r.BootID)
			return nil
		})
	if err != nil {
		return wire.ConfirmResponse{}, f.goneFor(ctx, n, err)
	}
	return answer, nil
}

// applyConfirm records the confirm as the node's doing, and what time has decided as the hub's (R30).
func (w *work) applyConfirm(node *models.Node, d rollout.Decision) {
	for _, e := range d.Effects {
		if _, own := e.(rollout.ConfirmPermit); own {
			w.applyOne(e)
			continue
		}
		w.byHub(func() { w.applyOne(e) })
	}
	if d.Verb != models.VerbUpgrade {
		w.byHub(func() { w.decide(node, d) })
	}
}

func (f *Fleet) confirmed(w *work, d rollout.Decision, boot string) wire.ConfirmResponse {
	if d.Verb != models.VerbUpgrade || w.permit == nil {
		return wire.ConfirmResponse{Reason: d.Reason, Subject: d.Subject, Now: w.now}
	}
	return wire.ConfirmResponse{Confirmed: true, Now: w.now,
		StopWithinMS: rollout.StopWithin(*w.permit, boot, w.now).Milliseconds()}
}

// MayFetch refuses unless the node has an open permit for the bundle (R14). It asks the stored rows:
// downloads are rare, and the permit may come from another replica.
func (f *Fleet) MayFetch(ctx context.Context, n NodeIdentity, digest string) error {
	refusal := &models.Refusal{Kind: models.KindForbidden, Code: "bundle_not_permitted"}
	return f.o.Store.View(ctx, func(tx *store.Tx) error {
		stored, err := tx.In(n.Organization).LoadCluster(n.Cluster)
		if err != nil {
			return notFound(err)
		}
		p := stored.Permit
		if p == nil || p.NodeID != n.Node || !hasKey(stored.Nodes, n) {
			return refusal
		}
		for i := range stored.Releases {
			if stored.Releases[i].ID == p.ReleaseID && stored.Releases[i].Digest == digest {
				return nil
			}
		}
		return refusal
	})
}

// hasKey says whether the key is still the node's: the roster that let it in may be late.
func hasKey(members []models.Node, n NodeIdentity) bool {
	for i := range members {
		if members[i].ID == n.Node {
			return members[i].KeyThumb == n.KeyThumb
		}
	}
	return false
}

// AllowFetch is Authenticate and MayFetch in one, for the depot.
func (f *Fleet) AllowFetch(ctx context.Context, c wire.Credentials, digest string) error {
	n, err := f.Authenticate(ctx, c)
	if err != nil {
		return err
	}
	return f.MayFetch(ctx, n, digest)
}
