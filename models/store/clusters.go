package store

import (
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm/clause"

	"connecthub/models"
)

func living() where { return is("deregistered_at", nil) }

// CreateCluster stores a registered cluster; an empty ID is filled. It refuses a display name
// (LivingClusterName) or FQDN (LivingClusterFQDN) that a living cluster of the organization has.
func (s *Scope) CreateCluster(c *models.Cluster) error {
	if c.ID == "" {
		c.ID = NewID[models.ClusterID](s.tx)
	}
	c.NameKey = models.FoldName(c.DisplayName)
	return create(s.handle, c)
}

// Clusters lists the living whose display name contains search in any case, by name (R7). An empty
// search is all of them.
func (s *Scope) Clusters(search string) ([]models.Cluster, error) {
	conditions := []where{living()}
	if key := strings.ToLower(search); key != "" {
		if utf8.RuneCountInString(key) > 128 {
			return nil, nil
		}
		conditions = append(conditions, contains("name_key", key))
	}
	return list[models.Cluster](s.handle, by("name_key"), 0, conditions...)
}

// contains takes text as it is: a percent sign finds a percent sign.
func contains(column, text string) where {
	return clause.Expr{SQL: likeSQL, Vars: []any{
		clause.Column{Table: clause.CurrentTable, Name: column}, pattern(text)}}
}

// ClusterByID answers the cluster, living or not, or ErrNotFound.
func (s *Scope) ClusterByID(id models.ClusterID) (models.Cluster, error) {
	return take[models.Cluster](s.handle, is("id", id))
}

// LivingClusterByFQDN answers the registered cluster of that publisher, or nil (R5).
func (s *Scope) LivingClusterByFQDN(fqdn models.FQDN) (*models.Cluster, error) {
	return takeAny[models.Cluster](s.handle, is("fqdn", fqdn), living())
}

// LivingClusterByName answers the registered cluster of that display name in any case, or nil.
func (s *Scope) LivingClusterByName(name string) (*models.Cluster, error) {
	return takeAny[models.Cluster](s.handle, is("name_key", models.FoldName(name)), living())
}

// LockCluster answers the living cluster and keeps it from changing until the transaction ends.
// Whoever decides about a cluster begins with it.
func (s *Scope) LockCluster(id models.ClusterID) (models.Cluster, error) {
	h := s.handle
	h.db = h.db.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	return take[models.Cluster](h, is("id", id), living())
}

// SaveSchedules stores both schedules of c, its schedule version and since when it holds, if the
// stored version is still was; else ErrUnchanged (R13).
func (s *Scope) SaveSchedules(c models.Cluster, was int) error {
	return saveOne(s.handle, &c, []string{"zone", "regular_time", "regular_days",
		"regular_minutes", "emergency_time", "emergency_minutes", "schedule_version",
		"schedule_from", "emergency_from"}, is("id", c.ID), is("schedule_version", was), living())
}

// Postpone skips the regular window that begins at start. It refuses with ErrUnchanged while the
// one postponement of the pending upgrade is spent, or while another window, at or after now, is
// skipped already (R12).
func (s *Scope) Postpone(id models.ClusterID, start, now time.Time) error {
	return setOne[models.Cluster](s.handle, values{"postponed_start": start,
		"postpone_spent": clause.Expr{SQL: "pending_since IS NOT NULL"}},
		is("id", id), living(), is("postpone_spent", false),
		clause.Or(is("postponed_start", nil), clause.Or(before("postponed_start", now))))
}

// TakeBackPostponement undoes a postponement whose window has not opened; else ErrUnchanged (R12).
func (s *Scope) TakeBackPostponement(id models.ClusterID, now time.Time) error {
	return setOne[models.Cluster](s.handle,
		values{"postponed_start": nil, "postpone_spent": false},
		is("id", id), living(), after("postponed_start", now))
}

// SavePending stores since when an upgrade is pending and what of the postponement is used up.
func (s *Scope) SavePending(c models.Cluster) error {
	return saveOne(s.handle, &c, []string{"pending_since", "first_chance", "postponed_start",
		"postpone_spent"}, is("id", c.ID))
}

// SaveExtraWindow stores the extra window of "Upgrade now" (R15), or none.
func (s *Scope) SaveExtraWindow(c models.Cluster) error {
	return saveOne(s.handle, &c, []string{"extra_start", "extra_end", "extra_kind"},
		is("id", c.ID), living())
}

// SetDespite names the node whose state the next permit may disregard (R17); empty is none.
func (s *Scope) SetDespite(id models.ClusterID, node models.NodeID) error {
	return setOne[models.Cluster](s.handle, values{"despite_node": node}, is("id", id), living())
}

// SetChannel moves the cluster to another channel.
func (s *Scope) SetChannel(id models.ClusterID, channel string) error {
	return setOne[models.Cluster](s.handle, values{"channel": channel}, is("id", id), living())
}

// NextFence gives out the fence after was, in the hub's incarnation; ErrUnchanged when was is not
// the highest any more (R21).
func (s *Scope) NextFence(id models.ClusterID, was models.Fence, incarnation uint64) (models.Fence, error) {
	next := models.Fence{Incarnation: was.Incarnation, Counter: was.Counter + 1}
	if incarnation > was.Incarnation {
		next = models.Fence{Incarnation: incarnation, Counter: 1}
	}
	return next, s.raiseFence(id, was, next)
}

// AdoptFence raises the highest fence to one that a node has seen and a restored hub has not
// (R34). It refuses with ErrUnchanged to lower it.
func (s *Scope) AdoptFence(id models.ClusterID, was, seen models.Fence) error {
	if !was.Less(seen) {
		return ErrUnchanged
	}
	return s.raiseFence(id, was, seen)
}

func (s *Scope) raiseFence(id models.ClusterID, was, next models.Fence) error {
	return setOne[models.Cluster](s.handle, values{
		"fence_incarnation": next.Incarnation, "fence_counter": next.Counter,
	}, is("id", id), living(),
		is("fence_incarnation", was.Incarnation), is("fence_counter", was.Counter))
}

// SuspendClusters holds the rollouts of every living cluster of the organization, or lets them go on.
func (s *Scope) SuspendClusters(suspended bool) error {
	_, err := set[models.Cluster](s.handle, values{"suspended": suspended}, living())
	return err
}

// EndAwaitPolls lets a cluster go on once all its members have polled after a restore (R34).
func (s *Scope) EndAwaitPolls(id models.ClusterID) error {
	return setOne[models.Cluster](s.handle, values{"await_polls": false}, is("id", id))
}

// Deregister ends the cluster for ever; ErrUnchanged when that was so already (R6). Its permits
// and rollouts are the caller's to end, in the same transaction.
func (s *Scope) Deregister(id models.ClusterID, now time.Time) error {
	return setOne[models.Cluster](s.handle, values{"deregistered_at": now}, is("id", id), living())
}

// ClusterByID finds a cluster whose tenant is not known yet, living or not, or answers ErrNotFound.
func (h *Hub) ClusterByID(id models.ClusterID) (models.Cluster, error) {
	return take[models.Cluster](h.handle, is("id", id))
}

// AllClusters lists the ids of every living cluster of the hub.
func (h *Hub) AllClusters() ([]models.ClusterID, error) {
	var ids []models.ClusterID
	err := h.db.Model(&models.Cluster{}).Clauses(living(), clause.OrderBy{Columns: by("id")}).
		Pluck("id", &ids).Error
	return ids, h.tx.fail(err)
}

// HoldAllClusters keeps every living cluster from permits until all its members have polled, and
// forgets that any of them has (R34).
func (h *Hub) HoldAllClusters() error {
	_, err := set[models.Cluster](h.handle, values{"await_polls": true}, living())
	if err != nil {
		return err
	}
	_, err = set[models.Node](h.handle, values{"polled_since": false}, is("polled_since", true))
	return err
}
