package store

import (
	"time"

	"connecthub/models"
)

func open() where { return is("ended_at", nil) }

// maxHistory bounds a list of what has been.
const maxHistory = 200

// CreateRollout stores a rollout; an empty ID is filled. It refuses a second one that has not
// ended in the cluster (OneOpenRollout).
func (s *Scope) CreateRollout(r *models.Rollout) error {
	if r.ID == "" {
		r.ID = NewID[models.RolloutID](s.tx)
	}
	return create(s.handle, r)
}

// OpenRollout answers the cluster's rollout that has not ended, or nil.
func (s *Scope) OpenRollout(cluster models.ClusterID) (*models.Rollout, error) {
	return takeAny[models.Rollout](s.handle, is("cluster_id", cluster), open())
}

// SetRolloutState moves a rollout that is still in state from to r's state, with who blocks it and
// after when it may be tried again; ErrUnchanged when it is not. An ended state ends it at now.
func (s *Scope) SetRolloutState(r models.Rollout, from models.RolloutState, now time.Time) error {
	r.EndedAt = nil
	if r.State.Ended() {
		r.EndedAt = &now
	}
	return saveOne(s.handle, &r, []string{"state", "blocked_by", "retry_after", "ended_at"},
		is("id", r.ID), is("state", from), open())
}

// Rollouts lists the cluster's newest rollouts, newest first.
func (s *Scope) Rollouts(cluster models.ClusterID, limit int) ([]models.Rollout, error) {
	return list[models.Rollout](s.handle, by("started_at", "id").newestFirst(),
		bounded(limit), is("cluster_id", cluster))
}

func bounded(limit int) int {
	if limit <= 0 || limit > maxHistory {
		return maxHistory
	}
	return limit
}

// CreatePermit stores a permit; an empty ID is filled. It refuses a second open one in the cluster
// (OneOpenPermit, R16), a fence that was given out before (PermitFence, R21), and a node that is
// no member of the cluster (ErrNotFound).
func (s *Scope) CreatePermit(p *models.Permit) error {
	if p.ID == "" {
		p.ID = NewID[models.PermitID](s.tx)
	}
	return create(s.handle, p)
}

// OpenPermit answers the cluster's open permit, or nil.
func (s *Scope) OpenPermit(cluster models.ClusterID) (*models.Permit, error) {
	return takeAny[models.Permit](s.handle, is("cluster_id", cluster), open())
}

// PermitByID answers the permit or ErrNotFound.
func (s *Scope) PermitByID(id models.PermitID) (models.Permit, error) {
	return take[models.Permit](s.handle, is("id", id))
}

// ConfirmPermit turns an offered permit into a confirmed one; ErrUnchanged when it is not offered
// any more (R20).
func (s *Scope) ConfirmPermit(id models.PermitID, boot string, now time.Time) error {
	return setOne[models.Permit](s.handle, values{"state": models.PermitConfirmed,
		"confirmed_at": now, "confirmed_boot": boot},
		is("id", id), is("state", models.PermitOffered))
}

// RenewConfirm notes that a confirmed permit was confirmed again, after 60 s or a restart;
// ErrUnchanged when it is not confirmed (R20).
func (s *Scope) RenewConfirm(id models.PermitID, boot string, now time.Time) error {
	return setOne[models.Permit](s.handle, values{"confirmed_at": now, "confirmed_boot": boot},
		is("id", id), is("state", models.PermitConfirmed))
}

// EndPermit ends a permit that is still in state from, once; else ErrUnchanged. That a confirmed
// one never ends by time is the caller's promise, kept by naming the state (R20).
func (s *Scope) EndPermit(id models.PermitID, from models.PermitState, o models.Outcome, detail string,
	now time.Time,
) error {
	return setOne[models.Permit](s.handle, values{"state": models.PermitEnded, "outcome": o,
		"detail": detail, "ended_at": now}, is("id", id), is("state", from), open())
}

// Permits lists the cluster's newest permits, newest first.
func (s *Scope) Permits(cluster models.ClusterID, limit int) ([]models.Permit, error) {
	return list[models.Permit](s.handle, by("offered_at", "id").newestFirst(),
		bounded(limit), is("cluster_id", cluster))
}

// PermitsOfNode lists the node's newest permits, newest first.
func (s *Scope) PermitsOfNode(node models.NodeID, limit int) ([]models.Permit, error) {
	return list[models.Permit](s.handle, by("offered_at", "id").newestFirst(),
		bounded(limit), is("node_id", node))
}

// OpenPermits lists every open permit of the hub, for the sweep.
func (h *Hub) OpenPermits() ([]models.Permit, error) {
	return list[models.Permit](h.handle, by("id"), 0, open())
}

// WithdrawOffers ends every offered permit of the hub (R34); confirmed ones stay.
func (h *Hub) WithdrawOffers(detail string, now time.Time) (int64, error) {
	return set[models.Permit](h.handle, values{"state": models.PermitEnded,
		"outcome": models.Withdrawn, "detail": detail, "ended_at": now},
		is("state", models.PermitOffered), open())
}
