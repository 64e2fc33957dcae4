package store

import (
	"gorm.io/gorm/clause"

	"connecthub/models"
)

// loadPage is how many clusters LoadAll holds at a time.
const loadPage = 500

// ClusterRows is everything that is stored about one living cluster and decides about its nodes.
type ClusterRows struct {
	Cluster models.Cluster
	Nodes   []models.Node // without removed ones, by name
	Rollout *models.Rollout
	Permit  *models.Permit
	// Releases of its channel that were published at some time, newest first. LoadAll shares
	// one slice among the clusters of a channel: do not change it.
	Releases []models.Release
}

// LoadCluster answers the rows of a living cluster, or ErrNotFound.
func (h *Hub) LoadCluster(id models.ClusterID) (ClusterRows, error) {
	return loadCluster(h.handle, id)
}

// LoadCluster answers the rows of a living cluster of the organization, or ErrNotFound.
func (s *Scope) LoadCluster(id models.ClusterID) (ClusterRows, error) {
	return loadCluster(s.handle, id)
}

func loadCluster(h handle, id models.ClusterID) (rows ClusterRows, err error) {
	if rows.Cluster, err = take[models.Cluster](h, is("id", id), living()); err != nil {
		return rows, err
	}
	rows.Nodes, err = list[models.Node](h, by("name", "id"), 0, is("cluster_id", id), member())
	if err != nil {
		return rows, err
	}
	if rows.Rollout, err = takeAny[models.Rollout](h, is("cluster_id", id), open()); err != nil {
		return rows, err
	}
	// There is at most one (R16); the last given would be the one that counts.
	permits, err := list[models.Permit](h, by("fence_counter").newestFirst(), 1,
		is("cluster_id", id), open())
	if err != nil {
		return rows, err
	}
	if len(permits) > 0 {
		rows.Permit = &permits[0]
	}
	rows.Releases, err = offered(h, rows.Cluster.Channel)
	return rows, err
}

func offered(h handle, channel string) ([]models.Release, error) {
	return list[models.Release](h, by("created_at", "id").newestFirst(), 0,
		is("channel", channel), isNot("state", models.ReleaseDraft))
}

// LoadAll calls each with the rows of every living cluster of the hub, and holds only one page of
// them at a time. An error of each ends it.
func (h *Hub) LoadAll(each func(ClusterRows) error) error {
	releases := make(map[string][]models.Release)
	last := models.ClusterID("")
	for {
		page, err := h.loadPage(last)
		if err != nil {
			return err
		}
		for i := range page {
			channel := page[i].Cluster.Channel
			shared, ok := releases[channel]
			if !ok {
				if shared, err = offered(h.handle, channel); err != nil {
					return err
				}
				releases[channel] = shared
			}
			page[i].Releases = shared
			if err := each(page[i]); err != nil {
				return err
			}
		}
		if len(page) < loadPage {
			return nil
		}
		last = page[len(page)-1].Cluster.ID
	}
}

// loadPage answers the next clusters by id, in four queries whatever their number.
func (h *Hub) loadPage(last models.ClusterID) ([]ClusterRows, error) {
	clusters, err := list[models.Cluster](h.handle, by("id"), loadPage, after("id", last), living())
	if err != nil || len(clusters) == 0 {
		return nil, err
	}
	rows := make([]ClusterRows, len(clusters))
	at := make(map[models.ClusterID]int, len(clusters))
	ids := make([]models.ClusterID, len(clusters))
	for i := range clusters {
		rows[i].Cluster = clusters[i]
		ids[i] = clusters[i].ID
		at[clusters[i].ID] = i
	}
	these := oneOf("cluster_id", ids...)
	nodes, err := list[models.Node](h.handle, by("cluster_id", "name", "id"), 0, these, member())
	if err != nil {
		return nil, err
	}
	for begin := 0; begin < len(nodes); {
		end := begin + 1
		for end < len(nodes) && nodes[end].ClusterID == nodes[begin].ClusterID {
			end++
		}
		rows[at[nodes[begin].ClusterID]].Nodes = nodes[begin:end:end]
		begin = end
	}
	rollouts, err := list[models.Rollout](h.handle, nil, 0, these, open())
	if err != nil {
		return nil, err
	}
	for i := range rollouts {
		rows[at[rollouts[i].ClusterID]].Rollout = &rollouts[i]
	}
	permits, err := list[models.Permit](h.handle, nil, 0, these, open())
	if err != nil {
		return nil, err
	}
	for i := range permits {
		rows[at[permits[i].ClusterID]].Permit = &permits[i]
	}
	return rows, nil
}

func doNothing() clause.OnConflict { return clause.OnConflict{DoNothing: true} }
