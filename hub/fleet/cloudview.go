package fleet

import (
	"context"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

// CloudView keeps what a publisher shows of its contact center, or deletes it where the publisher
// shows nothing any more. That it begins and that it ends are audit records; what is shown is not.
func (f *Fleet) CloudView(ctx context.Context, n NodeIdentity, r wire.CloudViewRequest,
) (wire.CloudViewResponse, error) {
	if r.Document != nil && !r.Document.Valid() {
		return wire.CloudViewResponse{}, models.Invalid("invalid_cloud_view", "document")
	}
	c := f.find(n.Cluster)
	if c == nil {
		return wire.CloudViewResponse{}, f.absent()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := wire.CloudViewResponse{Kept: r.Document != nil}
	err := f.changeLocked(ctx, c, nodeActor(n, ""), n.Organization, n.Cluster,
		func(w *work, s *store.Scope) error {
			node := w.member(n.Node)
			if node == nil || node.KeyThumb != n.KeyThumb {
				return models.Unauthorized("not_registered")
			}
			if node.Role != models.Publisher {
				return &models.Refusal{Kind: models.KindForbidden, Code: "not_publisher"}
			}
			w.actor.Name, answer.Now = string(node.Name), w.now
			return w.show(s, node, r.Document)
		})
	if err != nil {
		return wire.CloudViewResponse{}, f.goneFor(ctx, n, err)
	}
	return answer, nil
}

func (w *work) show(s *store.Scope, n *models.Node, d *models.CloudDocument) error {
	if d == nil {
		return w.showNothing(s)
	}
	present, err := s.CloudView(w.cluster.ID)
	if err != nil {
		return err
	}
	if present != nil {
		return s.SaveCloudView(w.cluster.ID, n.ID, *d, w.now)
	}
	w.recordCluster(ActionCloudViewBegun, nil, nil)
	return s.CreateCloudView(&models.CloudView{ClusterID: w.cluster.ID, NodeID: n.ID, EnabledAt: w.now,
		ReceivedAt: w.now, Document: *d})
}

// showNothing forgets what a cluster shows; where there was nothing, it changes nothing.
func (w *work) showNothing(s *store.Scope) error {
	had, err := s.DeleteCloudView(w.cluster.ID)
	if err == nil && had {
		w.recordCluster(ActionCloudViewEnded, nil, nil)
	}
	return err
}

// Shown is what a living cluster of the organization shows, or nil.
func (f *Fleet) Shown(ctx context.Context, a Actor, id models.ClusterID) (*models.CloudView, error) {
	c := f.find(id)
	if c == nil {
		return nil, models.NotFound()
	}
	c.mu.Lock()
	own := c.known && c.rows.cluster.OrganizationID == a.Organization
	c.mu.Unlock()
	if !own {
		return nil, models.NotFound()
	}
	var v *models.CloudView
	err := f.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		v, err = tx.In(a.Organization).CloudView(id)
		return err
	})
	return v, err
}
