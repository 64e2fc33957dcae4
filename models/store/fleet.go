package store

import "connecthub/models"

// ChannelReleases carries the id of a release that changed: see Notify.
const ChannelReleases = "releases"

// SaveCluster stores what decisions and admins change of a living cluster, under its lock: see
// LockCluster. Its names, its organization and its registration never change.
func (s *Scope) SaveCluster(c models.Cluster) error {
	return saveOne(s.handle, &c, []string{"channel", "zone", "regular_time", "regular_days",
		"regular_minutes", "emergency_time", "emergency_minutes", "schedule_version",
		"schedule_from", "emergency_from", "postponed_start", "postpone_spent", "pending_since", "first_chance",
		"extra_start", "extra_end", "extra_kind", "despite_node", "fence_incarnation",
		"fence_counter", "await_polls"}, is("id", c.ID), living())
}

// SaveNode stores everything of a member but its name, its role and its key, under the lock of its
// cluster.
func (s *Scope) SaveNode(n models.Node) error {
	return saveOne(s.handle, &n, []string{"member", "version", "client_version", "protocol",
		"step", "step_percent", "health", "health_detail", "boot_id", "counter", "skew_seconds",
		"facts_digest", "facts", "package_names", "packages_more", "packages_digest", "denied", "adopted_odd", "journal_permit", "highest_fence",
		"seen_at", "interval_seconds", "polled_since", "orchestrating", "maintenance_until",
		"maintenance_reason", "verb", "reason", "subject", "earliest", "decided_at"},
		is("id", n.ID), member())
}

// ReopenPermit opens a permit again as confirmed, as its node tells it after a restore (R34).
func (s *Scope) ReopenPermit(p models.Permit) error {
	return saveOne(s.handle, &p, []string{"rollout_id", "release_id", "kind", "state", "outcome",
		"detail", "fence_incarnation", "fence_counter", "confirmed_at", "confirmed_boot",
		"ended_at"}, is("id", p.ID), is("cluster_id", p.ClusterID), is("node_id", p.NodeID))
}

// RegistrationsOpen counts those of the organization that are pending or claimed.
func (s *Scope) RegistrationsOpen() (int, error) {
	rows, err := list[models.Registration](s.handle, nil, maxSweep, awaited())
	return len(rows), err
}

// Tx is the transaction that the scope is part of.
func (s *Scope) Tx() *Tx { return s.tx }
