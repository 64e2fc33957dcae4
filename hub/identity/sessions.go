package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// How long a session lives: unused, and in all.
const (
	SessionIdle     = 30 * time.Minute
	SessionAbsolute = 12 * time.Hour
)

// touchAfter is how old the time of last use may be before it is written again.
const touchAfter = time.Minute

// Entry is somebody at the door, and what the credential is good for.
type Entry struct {
	Actor   models.Actor
	Current Current
	// Confirmed: the session's person proved to be there within the last minutes.
	Confirmed bool
}

// Enter finds who has the token of a living session, and counts it as a use.
func (i *Identity) Enter(ctx context.Context, token string, caller models.Actor) (Entry, error) {
	if token == "" || len(token) > maxSecret {
		return Entry{}, models.Unauthorized("signed_out")
	}
	hash, now := hashOf(token), i.o.Now().UTC()
	session, p, err := i.session(ctx, hash, now)
	if err != nil {
		return Entry{}, err
	}
	if now.Sub(session.LastUsedAt) >= touchAfter {
		err := i.o.Store.Update(ctx, func(tx *store.Tx) error {
			return tx.In(session.OrganizationID).TouchSession(hash, now)
		})
		// ErrUnchanged: it ended meanwhile; the next request will say so.
		if err != nil && !errors.Is(err, store.ErrUnchanged) {
			return Entry{}, fmt.Errorf("cannot extend a session: %w", err)
		}
	}
	current := currentOf(p, session)
	return Entry{Actor: actorOf(caller, p.user, session), Current: current,
		Confirmed: now.Before(current.ConfirmedUntil)}, nil
}

// Authenticate is Enter for who only needs to know who it is.
func (i *Identity) Authenticate(ctx context.Context, token string, caller models.Actor) (
	models.Actor, error) {
	entry, err := i.Enter(ctx, token, caller)
	return entry.Actor, err
}

// Alive refuses a session that has ended. It is no use of the session.
func (i *Identity) Alive(ctx context.Context, hash string) error {
	_, _, err := i.session(ctx, hash, i.o.Now().UTC())
	return err
}

func (i *Identity) session(ctx context.Context, hash string, now time.Time) (
	session models.Session, p person, err error) {
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		if session, err = tx.Hub().SessionByHash(hash); err != nil {
			return err
		}
		user, err := tx.In(session.OrganizationID).UserByID(session.UserID)
		if err != nil {
			return err
		}
		p, err = personIn(tx, user)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return session, p, models.Unauthorized("signed_out")
	case err != nil:
		return session, p, fmt.Errorf("cannot look a session up: %w", err)
	case !p.active() || !now.Before(endOf(session)):
		return session, p, models.Unauthorized("signed_out")
	}
	return session, p, nil
}

// endOf is when a session ends if it is not used again.
func endOf(s models.Session) time.Time {
	if idle := s.LastUsedAt.Add(SessionIdle); idle.Before(s.ExpiresAt) {
		return idle
	}
	return s.ExpiresAt
}

func currentOf(p person, s models.Session) Current {
	return Current{User: p.user, Organization: p.organization, ExpiresAt: endOf(s),
		ConfirmedUntil: s.ConfirmedAt.Add(models.ConfirmationTTL), Method: s.Method,
		SecondFactorMissing: p.factorMissing() && s.Method != models.MethodOIDC}
}

// factorMissing says whether the organization demands a passkey that the person does not have.
// Who signs in through a provider is left to the provider's own second factor.
func (p person) factorMissing() bool {
	return p.organization.RequireSecondFactor && len(p.keys) == 0
}

// Current tells who the actor of a session is.
func (i *Identity) Current(ctx context.Context, a models.Actor) (Current, error) {
	session, p, err := i.session(ctx, a.SessionHash, i.o.Now().UTC())
	if err != nil {
		return Current{}, err
	}
	return currentOf(p, session), nil
}

// SignOut ends the actor's session.
func (i *Identity) SignOut(ctx context.Context, a models.Actor) error {
	return i.o.Store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.In(a.Organization).DeleteSession(a.SessionHash); err != nil {
			return err
		}
		return i.audit(tx, a, i.o.Now().UTC(), models.Change{Organization: a.Organization,
			Action: "signed_out", TargetKind: "user", TargetID: string(a.UserID),
			TargetName: a.Email})
	})
}

// Sessions lists where the actor is signed in, newest first.
func (i *Identity) Sessions(ctx context.Context, a models.Actor) ([]models.Session, error) {
	var living []models.Session
	now := i.o.Now().UTC()
	err := i.o.Store.View(ctx, func(tx *store.Tx) error {
		all, err := tx.In(a.Organization).Sessions(a.UserID)
		living = make([]models.Session, 0, len(all))
		for _, s := range all {
			if now.Before(endOf(s)) {
				living = append(living, s)
			}
		}
		return err
	})
	return living, err
}

// EndSession ends one of the actor's own sessions.
func (i *Identity) EndSession(ctx context.Context, a models.Actor, id models.SessionID) error {
	return i.o.Store.Update(ctx, func(tx *store.Tx) error {
		err := tx.In(a.Organization).EndSession(a.UserID, id)
		if errors.Is(err, store.ErrUnchanged) {
			return models.NotFound()
		}
		if err != nil {
			return err
		}
		return i.audit(tx, a, i.o.Now().UTC(), models.Change{Organization: a.Organization,
			Action: "session_ended", TargetKind: "user", TargetID: string(a.UserID),
			TargetName: a.Email})
	})
}

// keepEnded is how long invitations and API tokens that have expired are kept.
const keepEnded = 30 * 24 * time.Hour

// PurgeSessions forgets the sessions and the questions that have ended, and invitations and API
// tokens a while after.
func (i *Identity) PurgeSessions(ctx context.Context) error {
	now := i.o.Now().UTC()
	return i.o.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Hub().PurgeChallenges(now); err != nil {
			return err
		}
		if _, err := tx.Hub().PurgePeople(now.Add(-keepEnded)); err != nil {
			return err
		}
		_, err := tx.Hub().PurgeSessions(now, now.Add(-SessionIdle))
		return err
	})
}
