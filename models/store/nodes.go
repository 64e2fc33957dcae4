package store

import (
	"time"

	"connecthub/models"
)

func member() where { return isNot("member", models.MemberRemoved) }

// CreateNode stores a member; an empty ID is filled. It refuses a name that a member of the
// cluster has (MemberName), a key that any node has (NodeKey), and another tenant's cluster
// (ErrNotFound).
func (s *Scope) CreateNode(n *models.Node) error {
	if n.ID == "" {
		n.ID = NewID[models.NodeID](s.tx)
	}
	return create(s.handle, n)
}

// Nodes lists the members of a cluster that are not removed, by name.
func (s *Scope) Nodes(cluster models.ClusterID) ([]models.Node, error) {
	return list[models.Node](s.handle, by("name", "id"), 0, is("cluster_id", cluster), member())
}

// NodeByID answers the node, removed or not, or ErrNotFound.
func (s *Scope) NodeByID(id models.NodeID) (models.Node, error) {
	return take[models.Node](s.handle, is("id", id))
}

// NodeByName answers the member of that name, or nil.
func (s *Scope) NodeByName(cluster models.ClusterID, name models.FQDN) (*models.Node, error) {
	return takeAny[models.Node](s.handle, is("cluster_id", cluster), is("name", name), member())
}

// SaveNodeState stores what a poll tells, and when it came; ErrUnchanged when there is no such
// member.
func (s *Scope) SaveNodeState(n models.Node) error {
	return saveOne(s.handle, &n, []string{"version", "client_version", "protocol", "step",
		"step_percent", "health", "health_detail", "boot_id", "counter", "skew_seconds",
		"facts_digest", "journal_permit", "highest_fence", "seen_at", "interval_seconds",
		"polled_since", "orchestrating"}, is("id", n.ID), member())
}

// SaveDecision stores the last decision about the node, for the admins (R24).
func (s *Scope) SaveDecision(n models.Node) error {
	return saveOne(s.handle, &n, []string{"verb", "reason", "subject", "earliest", "decided_at"},
		is("id", n.ID))
}

// SaveFacts stores what the node says of its machine.
func (s *Scope) SaveFacts(id models.NodeID, digest string, facts []models.Fact) error {
	return saveOne(s.handle, &models.Node{FactsDigest: digest, Facts: facts},
		[]string{"facts_digest", "facts"}, is("id", id), member())
}

// SaveDenied stores the versions that are not tried again (R28).
func (s *Scope) SaveDenied(id models.NodeID, denied []models.Version) error {
	return saveOne(s.handle, &models.Node{Denied: denied}, []string{"denied"}, is("id", id))
}

// SetAdopted stores the version that an admin adopted (R23); empty is none.
func (s *Scope) SetAdopted(id models.NodeID, version models.Version) error {
	return setOne[models.Node](s.handle, values{"adopted_odd": version}, is("id", id), member())
}

// SetMember moves a node from one place to another; ErrUnchanged when it is not there (R32).
func (s *Scope) SetMember(id models.NodeID, from, to models.MemberState) error {
	return setOne[models.Node](s.handle, values{"member": to}, is("id", id), is("member", from))
}

// Joined is what a node brings when it joins or is replaced.
type Joined struct {
	KeyThumb  string
	PublicKey string
	At        time.Time
	Member    models.MemberState
}

// SetNodeKey gives a member a new key if its key is still was (empty while it is expected); else
// ErrUnchanged (R32). It refuses a key that another node has (NodeKey).
func (s *Scope) SetNodeKey(id models.NodeID, was string, j Joined) error {
	err := setOne[models.Node](s.handle, values{"key_thumb": j.KeyThumb,
		"public_key": j.PublicKey, "joined_at": j.At, "member": j.Member, "generation": 0,
		"generation_mark": ""}, is("id", id), is("key_thumb", was), member())
	if err != nil {
		return err
	}
	return replaceKeys(s.handle, id, was, j.At)
}

// SetMaintenance sets the end of the maintenance mode and its reason, or none (R22).
func (s *Scope) SetMaintenance(id models.NodeID, until *time.Time, reason string) error {
	return saveOne(s.handle, &models.Node{MaintenanceUntil: until, MaintenanceReason: reason},
		[]string{"maintenance_until", "maintenance_reason"}, is("id", id), member())
}

// NodeByID finds a node whose tenant is not known yet, removed or not, or answers ErrNotFound.
func (h *Hub) NodeByID(id models.NodeID) (models.Node, error) {
	return take[models.Node](h.handle, is("id", id))
}

// NodeByKeyThumb finds whose key it is, removed or not, or answers ErrNotFound.
func (h *Hub) NodeByKeyThumb(thumb string) (models.Node, error) {
	if thumb == "" {
		return models.Node{}, ErrNotFound
	}
	return take[models.Node](h.handle, is("key_thumb", thumb))
}
