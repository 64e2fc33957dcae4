package store

import (
	"time"

	"connecthub/models"
)

// CloudView answers what a cluster shows, or nil where its node's administrator lets it show nothing.
func (s *Scope) CloudView(id models.ClusterID) (*models.CloudView, error) {
	return takeAny[models.CloudView](s.handle, is("cluster_id", id))
}

// CreateCloudView begins to keep what a cluster shows.
func (s *Scope) CreateCloudView(v *models.CloudView) error { return create(s.handle, v) }

// SaveCloudView replaces what a cluster shows; ErrUnchanged where nothing is kept, so that nothing
// comes back that was taken away.
func (s *Scope) SaveCloudView(id models.ClusterID, node models.NodeID, d models.CloudDocument,
	now time.Time) error {
	row := models.CloudView{NodeID: node, ReceivedAt: now, Document: d}
	return saveOne(s.handle, &row, []string{"node_id", "received_at", "document"}, is("cluster_id", id))
}

// DeleteCloudView forgets what a cluster shows, and answers whether there was something.
func (s *Scope) DeleteCloudView(id models.ClusterID) (bool, error) {
	n, err := remove[models.CloudView](s.handle, is("cluster_id", id))
	return n > 0, err
}

// VoidCloudViews forgets what every cluster shows: a backup may be older than somebody's no (R34).
// Whoever still says yes sends it again.
func (h *Hub) VoidCloudViews() error {
	_, err := remove[models.CloudView](h.handle, isNot("cluster_id", ""))
	return err
}
