package store

import (
	"time"

	"connecthub/models"
)

// maxSweep bounds what one sweep changes; the next sweep does the rest.
const maxSweep = 500

func awaited() where {
	return oneOf("state", models.RegistrationPending, models.RegistrationClaimed)
}

// endedBadly are those whose cards stay until somebody has seen them.
func endedBadly() where {
	return oneOf("state", models.RegistrationExpired, models.RegistrationDenied,
		models.RegistrationBurned)
}

// CreateRegistration stores a pending registration; an empty ID is filled. It refuses a second
// pending one for the FQDN (OnePendingRegistration): supersede the old one first.
func (s *Scope) CreateRegistration(r *models.Registration) error {
	if r.ID == "" {
		r.ID = NewID[models.RegistrationID](s.tx)
	}
	return create(s.handle, r)
}

// SupersedeRegistrations makes every open registration of the FQDN worthless, and puts away the
// cards of those that ended badly (R4). It answers those that were still open, as they are now.
func (s *Scope) SupersedeRegistrations(fqdn models.FQDN, now time.Time,
) ([]models.Registration, error) {
	_, err := set[models.Registration](s.handle, values{"dismissed_at": now},
		is("fqdn", fqdn), is("dismissed_at", nil), endedBadly())
	if err != nil {
		return nil, err
	}
	open, err := list[models.Registration](s.handle, by("id"), maxSweep, is("fqdn", fqdn), awaited())
	if err != nil {
		return nil, err
	}
	return s.endAll(open, models.RegistrationSuperseded, "", now)
}

// EndReplacements ends the open replacements of a cluster's members, or of the one that is named,
// because there is nothing to replace any more. It answers them as they are now.
func (s *Scope) EndReplacements(cluster models.ClusterID, node models.NodeID, now time.Time,
) ([]models.Registration, error) {
	conditions := []where{is("kind", models.RegisterReplacement), is("cluster_id", cluster), awaited()}
	if node != "" {
		conditions = append(conditions, is("node_id", node))
	}
	open, err := list[models.Registration](s.handle, by("id"), maxSweep, conditions...)
	if err != nil {
		return nil, err
	}
	return s.endAll(open, models.RegistrationCancelled, models.EndedMemberGone, now)
}

func (s *Scope) endAll(open []models.Registration, state models.RegistrationState,
	why models.EndedWhy, now time.Time,
) ([]models.Registration, error) {
	for i := range open {
		r := &open[i]
		err := setOne[models.Registration](s.handle, ending(state, why, now),
			is("id", r.ID), is("state", r.State))
		if err != nil {
			return nil, err
		}
		r.State, r.EndedWhy, r.EndedAt = state, why, &now
	}
	return open, nil
}

func ending(state models.RegistrationState, why models.EndedWhy, now time.Time) values {
	return values{"state": state, "ended_why": why, "ended_at": now}
}

// RegistrationByID answers the registration or ErrNotFound.
func (s *Scope) RegistrationByID(id models.RegistrationID) (models.Registration, error) {
	return take[models.Registration](s.handle, is("id", id))
}

// RegistrationByReturnCode finds what a return page is about, or answers ErrNotFound.
func (s *Scope) RegistrationByReturnCode(hash string) (models.Registration, error) {
	if hash == "" {
		return models.Registration{}, ErrNotFound
	}
	return take[models.Registration](s.handle, is("return_code_hash", hash))
}

// Registrations lists what the console shows as cards, newest first: what is open, and what
// expired, was denied or burned until somebody dismisses it.
func (s *Scope) Registrations() ([]models.Registration, error) {
	return list[models.Registration](s.handle, by("created_at", "id").newestFirst(), maxSweep,
		is("dismissed_at", nil),
		oneOf("state", models.RegistrationPending, models.RegistrationClaimed,
			models.RegistrationExpired, models.RegistrationDenied, models.RegistrationBurned))
}

// OpenRegistrationOfNode answers the open replacement of a member, or nil.
func (s *Scope) OpenRegistrationOfNode(id models.NodeID) (*models.Registration, error) {
	return takeAny[models.Registration](s.handle, is("node_id", id), awaited())
}

// BindRegistration notes whose page was opened: the comparison code covers that key (R3). It
// counts while the registration may be claimed, else ErrUnchanged.
func (s *Scope) BindRegistration(id models.RegistrationID, thumb, code string, now time.Time) error {
	return setOne[models.Registration](s.handle,
		values{"key_thumb": thumb, "comparison_code": code},
		is("id", id), is("state", models.RegistrationPending), after("expires_at", now))
}

// Claimed is what a claim writes.
type Claimed struct {
	SecretHash     string
	KeyThumb       string
	At             time.Time
	ReturnBy       time.Time
	ReturnCodeHash string
	Claim          []byte
}

// ClaimRegistration uses the ticket up. It is one statement that changes the row only if it is
// pending, the secret is right, its time has not come (14:59.999 is in time, 15:00.000 is not) and
// no other key was bound; else ErrUnchanged (R2, R3).
func (s *Scope) ClaimRegistration(id models.RegistrationID, c Claimed) error {
	if c.SecretHash == "" || c.KeyThumb == "" {
		return ErrUnchanged
	}
	return setOne[models.Registration](s.handle, values{
		"state": models.RegistrationClaimed, "claimed_at": c.At, "return_by": c.ReturnBy,
		"return_code_hash": c.ReturnCodeHash, "claim": c.Claim, "key_thumb": c.KeyThumb,
	}, is("id", id), is("state", models.RegistrationPending), is("secret_hash", c.SecretHash),
		after("expires_at", c.At), oneOf("key_thumb", "", c.KeyThumb))
}

// Completed is what proves that the return leg is the right one, and what came of it.
type Completed struct {
	SessionHash    string
	ReturnCodeHash string
	At             time.Time
	ClusterID      models.ClusterID
	NodeID         models.NodeID
}

// CompleteRegistration ends the return leg: once, in time, with the code that the claim was
// answered, in the session that began it; else ErrUnchanged (R2, R3).
func (s *Scope) CompleteRegistration(id models.RegistrationID, c Completed) error {
	if c.SessionHash == "" || c.ReturnCodeHash == "" {
		return ErrUnchanged
	}
	return setOne[models.Registration](s.handle, values{
		"state": models.RegistrationCompleted, "ended_at": c.At,
		"cluster_id": c.ClusterID, "node_id": c.NodeID,
	}, is("id", id), is("state", models.RegistrationClaimed), is("session_hash", c.SessionHash),
		is("return_code_hash", c.ReturnCodeHash), after("return_by", c.At))
}

// DenyRegistration ends a pending one on the publisher's page; ErrUnchanged when it is too late or
// the secret is wrong.
func (s *Scope) DenyRegistration(id models.RegistrationID, secretHash string, now time.Time) error {
	return setOne[models.Registration](s.handle,
		values{"state": models.RegistrationDenied, "ended_at": now},
		is("id", id), is("state", models.RegistrationPending), is("secret_hash", secretHash),
		after("expires_at", now))
}

// CancelRegistration ends an open one in the console; ErrUnchanged when it has ended.
func (s *Scope) CancelRegistration(id models.RegistrationID, now time.Time) error {
	return setOne[models.Registration](s.handle,
		values{"state": models.RegistrationCancelled, "ended_at": now}, is("id", id), awaited())
}

// DismissRegistration puts the card of an ended one away; ErrUnchanged when it is open, or away.
func (s *Scope) DismissRegistration(id models.RegistrationID, now time.Time) error {
	return setOne[models.Registration](s.handle, values{"dismissed_at": now},
		is("id", id), is("dismissed_at", nil),
		oneOf("state", models.RegistrationExpired, models.RegistrationDenied,
			models.RegistrationCompleted, models.RegistrationSuperseded,
			models.RegistrationCancelled, models.RegistrationBurned))
}

// BurnRegistration ends a claimed one that was used in a way that R3 forbids; ErrUnchanged when it
// has ended.
func (s *Scope) BurnRegistration(id models.RegistrationID, why models.EndedWhy, now time.Time) error {
	return setOne[models.Registration](s.handle, ending(models.RegistrationBurned, why, now),
		is("id", id), is("state", models.RegistrationClaimed))
}

// CountComparison notes that the comparison code was typed wrongly, for the time after was; else
// ErrUnchanged.
func (s *Scope) CountComparison(id models.RegistrationID, was int) error {
	return setOne[models.Registration](s.handle, values{"comparison_attempts": was + 1},
		is("id", id), is("state", models.RegistrationClaimed), is("comparison_attempts", was))
}

// RefuseRegistration ends a claimed one because its node, or a full admin, does not want it;
// ErrUnchanged when it has ended.
func (s *Scope) RefuseRegistration(id models.RegistrationID, why models.EndedWhy, now time.Time,
) error {
	return setOne[models.Registration](s.handle, ending(models.RegistrationDenied, why, now),
		is("id", id), is("state", models.RegistrationClaimed))
}

// RegistrationByID finds one whose tenant is not known yet, or answers ErrNotFound.
func (h *Hub) RegistrationByID(id models.RegistrationID) (models.Registration, error) {
	return take[models.Registration](h.handle, is("id", id))
}

// RegistrationByReturnCode finds what a return page is about, whoever's it is, or answers
// ErrNotFound.
func (h *Hub) RegistrationByReturnCode(hash string) (models.Registration, error) {
	if hash == "" {
		return models.Registration{}, ErrNotFound
	}
	return take[models.Registration](h.handle, is("return_code_hash", hash))
}

// RegistrationBySecretHash finds what a ticket is about, or answers ErrNotFound.
func (h *Hub) RegistrationBySecretHash(hash string) (models.Registration, error) {
	if hash == "" {
		return models.Registration{}, ErrNotFound
	}
	return take[models.Registration](h.handle, is("secret_hash", hash))
}

// ExpireRegistrations ends those whose 15 minutes, or whose return leg, have passed (R2), and
// answers them as they are now.
func (h *Hub) ExpireRegistrations(now time.Time) ([]models.Registration, error) {
	late, err := list[models.Registration](h.handle, by("id"), maxSweep,
		is("state", models.RegistrationPending), atMost("expires_at", now))
	if err != nil {
		return nil, err
	}
	stranded, err := list[models.Registration](h.handle, by("id"), maxSweep,
		is("state", models.RegistrationClaimed), atMost("return_by", now))
	if err != nil {
		return nil, err
	}
	ended := append(late, stranded...)
	for i := range ended {
		r := &ended[i]
		why := models.EndedNotClaimed
		if r.State == models.RegistrationClaimed {
			why = models.EndedReturnMissing
		}
		err := setOne[models.Registration](h.handle, ending(models.RegistrationExpired, why, now),
			is("id", r.ID), is("state", r.State))
		if err != nil {
			return nil, err
		}
		r.State, r.EndedWhy, r.EndedAt = models.RegistrationExpired, why, &now
	}
	return ended, nil
}

// VoidRegistrations ends every open registration of the hub (R34).
func (h *Hub) VoidRegistrations(now time.Time) (int64, error) {
	return set[models.Registration](h.handle,
		values{"state": models.RegistrationCancelled, "ended_at": now}, awaited())
}
