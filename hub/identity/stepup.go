package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// Confirmed is a session that was confirmed, or the question for the second factor.
type Confirmed struct {
	Current  Current
	Question *Question
}

// StepUp lets the person of a session prove to be there. Wrong passwords are limited together with
// those of signing in.
func (i *Identity) StepUp(ctx context.Context, a models.Actor, password string) (Confirmed, error) {
	now := i.o.Now().UTC()
	_, p, err := i.session(ctx, a.SessionHash, now)
	if err != nil {
		return Confirmed{}, err
	}
	if err := i.checkOwn(ctx, a, p.user, password, "step_up_failed", now); err != nil {
		return Confirmed{}, err
	}
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		return passwordAllowed(tx.In(a.Organization))
	})
	if err != nil {
		return Confirmed{}, err
	}
	if len(p.keys) > 0 {
		question, err := i.ask(ctx, p, models.ChallengeStepUp, a.SessionHash, now)
		if err != nil {
			return Confirmed{}, err
		}
		return Confirmed{Question: &question}, nil
	}
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		return i.confirm(tx, a, now)
	})
	if err != nil {
		return Confirmed{}, err
	}
	current, err := i.Current(ctx, a)
	return Confirmed{Current: current}, err
}

// FinishStepUp confirms the session after the second factor.
func (i *Identity) FinishStepUp(ctx context.Context, a models.Actor, answer Answer) (Current,
	error) {
	now := i.o.Now().UTC()
	err := i.answer(ctx, a, question{purpose: models.ChallengeStepUp, browser: a.SessionHash,
		user: a.UserID, now: now, then: func(tx *store.Tx, _ person) error {
			return i.confirm(tx, a, now)
		}}, answer)
	if err != nil {
		return Current{}, err
	}
	return i.Current(ctx, a)
}

func (i *Identity) confirm(tx *store.Tx, a models.Actor, now time.Time) error {
	err := tx.In(a.Organization).ConfirmSession(a.SessionHash, now)
	if errors.Is(err, store.ErrUnchanged) {
		return models.Unauthorized("signed_out")
	}
	if err != nil {
		return err
	}
	return i.audit(tx, a, now, models.Change{Organization: a.Organization,
		Action: "session_confirmed", TargetKind: "user", TargetID: string(a.UserID),
		TargetName: a.Email})
}

// checkOwn checks the own password of somebody who is signed in, and records a wrong one.
func (i *Identity) checkOwn(ctx context.Context, a models.Actor, u models.User, password,
	action string, now time.Time) error {
	if u.PasswordHash == "" {
		return models.Conflict("no_password", "")
	}
	giveBack, err := i.attempt(a.Address, u.Email, now)
	if err != nil {
		return err
	}
	right, err := i.hasher.matches(ctx, limited(password), u.PasswordHash)
	if err != nil {
		giveBack()
		return fmt.Errorf("cannot check a password: %w", err)
	}
	if right {
		giveBack()
		return nil
	}
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		return i.audit(tx, a, now, personChange(u, action))
	})
	if err != nil {
		return fmt.Errorf("cannot record a wrong password: %w", err)
	}
	return models.Unauthorized("wrong_password")
}

// VerifiedPerson is somebody for whose address the provider of an organization vouches.
type VerifiedPerson struct {
	Organization models.OrganizationID
	Email, Name  string
	// Confirmed: the provider let the person sign in just now, so that the session begins confirmed.
	Confirmed bool
	// Within runs in the transaction that begins the session, before it does; an error undoes all.
	Within func(*store.Tx, models.User) error
}

// SignInVerified begins a session for a person of the organization, or for somebody whom it has
// invited: that accepts the invitation. It refuses everybody else, and whoever is disabled.
func (i *Identity) SignInVerified(ctx context.Context, caller models.Actor, v VerifiedPerson) (
	SignedIn, error) {
	now := i.o.Now().UTC()
	email, err := parseEmail(v.Email)
	if err != nil {
		return SignedIn{}, err
	}
	confirmed := time.Unix(0, 0).UTC()
	if v.Confirmed {
		confirmed = now
	}
	var in SignedIn
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		user, err := i.verifiedUser(tx, caller, v, email, now)
		if err != nil {
			return err
		}
		if v.Within != nil {
			if err := v.Within(tx, user); err != nil {
				return err
			}
		}
		in, err = i.beginConfirmed(tx, caller, user, models.MethodOIDC, now, confirmed)
		return err
	})
	return in, err
}

// verifiedUser finds the person in the organization that vouches, or makes one of an invitation.
func (i *Identity) verifiedUser(tx *store.Tx, caller models.Actor, v VerifiedPerson, email string,
	now time.Time) (models.User, error) {
	nobody := models.Unauthorized("oidc_unknown_person")
	user, err := tx.Hub().UserByEmail(email)
	if err == nil {
		p, err := personIn(tx, user)
		if err == nil && (user.OrganizationID != v.Organization || !p.active()) {
			err = nobody
		}
		return user, err
	}
	if !errors.Is(err, store.ErrNotFound) {
		return models.User{}, err
	}
	scope := tx.In(v.Organization)
	invitation, err := scope.OpenInvitation(email, now)
	if err != nil {
		return models.User{}, err
	}
	own, err := scope.Own()
	if err != nil {
		return models.User{}, err
	}
	if invitation == nil || own.DisabledAt != nil {
		return models.User{}, nobody
	}
	name, err := models.ParseDisplayName(v.Name)
	if err != nil {
		name = email
	}
	return i.accept(tx, caller, own, *invitation, models.User{Name: name}, now)
}

// ConfirmVerified confirms a session whose own person signed in through the provider just now.
func (i *Identity) ConfirmVerified(ctx context.Context, caller models.Actor,
	organization models.OrganizationID, sessionHash string, user models.UserID) error {
	now := i.o.Now().UTC()
	session, p, err := i.session(ctx, sessionHash, now)
	if err != nil {
		return err
	}
	if session.OrganizationID != organization || session.UserID != user {
		return models.Unauthorized("signed_out")
	}
	return i.o.Store.Update(ctx, func(tx *store.Tx) error {
		return i.confirm(tx, actorOf(caller, p.user, session), now)
	})
}
