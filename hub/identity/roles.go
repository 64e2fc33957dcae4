package identity

import (
	"context"
	"errors"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// Person is a user as the organization's admins see one.
type Person struct {
	User         models.User
	SecondFactor bool
}

// People lists the actor's organization by e-mail address.
func (i *Identity) People(ctx context.Context, a models.Actor) (all []Person, err error) {
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		scope := tx.In(a.Organization)
		users, err := scope.Users()
		if err != nil {
			return err
		}
		keys, err := scope.AllPasskeys()
		if err != nil {
			return err
		}
		holders := make(map[models.UserID]bool, len(keys))
		for _, k := range keys {
			holders[k.UserID] = true
		}
		all = make([]Person, 0, len(users))
		for _, u := range users {
			all = append(all, Person{User: u, SecondFactor: holders[u.ID]})
		}
		return nil
	})
	return all, err
}

// SetRole gives a person of the actor's organization another role, which ends that person's
// sessions and API tokens. It refuses to take the role from the last full admin.
func (i *Identity) SetRole(ctx context.Context, a models.Actor, id models.UserID,
	role models.Role) (Person, error) {
	return i.change(ctx, a, id, func(tx *store.Tx, p person, now time.Time) (models.Change, error) {
		change := personChange(p.user, "role_changed")
		if !p.organization.Allowed(role) {
			return change, models.Invalid("invalid_role", "role")
		}
		if p.user.Role == role {
			return models.Change{}, nil
		}
		change.Before = map[string]string{"role": string(p.user.Role)}
		change.After = map[string]string{"role": string(role)}
		scope := tx.In(p.organization.ID)
		if err := scope.SetRole(id, p.user.Role, role); err != nil {
			return change, err
		}
		if p.user.Role == models.FullAdmin {
			if err := keepAdmin(scope); err != nil {
				return change, err
			}
		}
		return change, lockOut(scope, id, now)
	})
}

// DisableUser locks a person of the actor's organization out: sessions and API tokens end. It
// refuses the last full admin.
func (i *Identity) DisableUser(ctx context.Context, a models.Actor, id models.UserID) (Person,
	error) {
	return i.change(ctx, a, id, func(tx *store.Tx, p person, now time.Time) (models.Change, error) {
		change := personChange(p.user, "user_disabled")
		if p.user.DisabledAt != nil {
			return models.Change{}, nil
		}
		scope := tx.In(p.organization.ID)
		if err := scope.DisableUser(id, now); err != nil {
			return change, err
		}
		if p.user.Role == models.FullAdmin {
			if err := keepAdmin(scope); err != nil {
				return change, err
			}
		}
		return change, lockOut(scope, id, now)
	})
}

// EnableUser lets a disabled person of the actor's organization in again.
func (i *Identity) EnableUser(ctx context.Context, a models.Actor, id models.UserID) (Person,
	error) {
	return i.change(ctx, a, id, func(tx *store.Tx, p person, _ time.Time) (models.Change, error) {
		if p.user.DisabledAt == nil {
			return models.Change{}, nil
		}
		return personChange(p.user, "user_enabled"), tx.In(p.organization.ID).EnableUser(id)
	})
}

// ResetSecondFactor removes the passkeys and recovery codes of a person of the actor's organization
// and ends the sessions.
func (i *Identity) ResetSecondFactor(ctx context.Context, a models.Actor, id models.UserID) (Person,
	error) {
	return i.change(ctx, a, id, func(tx *store.Tx, p person, _ time.Time) (models.Change, error) {
		if len(p.keys) == 0 {
			return models.Change{}, nil
		}
		return personChange(p.user, "second_factor_reset"), resetFactor(tx.In(p.organization.ID), id)
	})
}

func resetFactor(scope *store.Scope, id models.UserID) error {
	if _, err := scope.DeletePasskeysOfUser(id); err != nil {
		return err
	}
	if err := scope.ReplaceRecoveryCodes(id, nil); err != nil {
		return err
	}
	if _, err := scope.DeleteChallengesOfUser(id); err != nil {
		return err
	}
	_, err := scope.DeleteSessionsOfUser(id, "")
	return err
}

// change changes a person of the actor's organization in one transaction that nobody else who
// changes its people can overlap. A change without an action changes nothing and leaves no record.
func (i *Identity) change(ctx context.Context, a models.Actor, id models.UserID,
	do func(*store.Tx, person, time.Time) (models.Change, error)) (after Person, err error) {
	now := i.o.Now().UTC()
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		scope := tx.In(a.Organization)
		if _, err := scope.LockOwn(); err != nil {
			return err
		}
		user, err := scope.UserByID(id)
		if errors.Is(err, store.ErrNotFound) {
			return models.NotFound()
		}
		if err != nil {
			return err
		}
		p, err := personIn(tx, user)
		if err != nil {
			return err
		}
		change, err := do(tx, p, now)
		if err != nil {
			return err
		}
		if change.Action != "" {
			if err := i.audit(tx, a, now, change); err != nil {
				return err
			}
		}
		if after.User, err = scope.UserByID(id); err != nil {
			return err
		}
		keys, err := scope.Passkeys(id)
		after.SecondFactor = len(keys) > 0
		return err
	})
	return after, err
}

// keepAdmin refuses, after the change, what has left the organization without a full admin who may
// sign in. The refusal undoes the change.
func keepAdmin(scope *store.Scope) error {
	left, err := scope.FullAdmins()
	if err != nil {
		return err
	}
	if len(left) == 0 {
		return models.Conflict("last_full_admin", "")
	}
	return nil
}

// lockOut ends what lets a person in: sessions, half-done sign-ins and API tokens.
func lockOut(scope *store.Scope, id models.UserID, now time.Time) error {
	if _, err := scope.DeleteSessionsOfUser(id, ""); err != nil {
		return err
	}
	if _, err := scope.DeleteChallengesOfUser(id); err != nil {
		return err
	}
	_, err := scope.RevokeAPITokensOfUser(id, now)
	return err
}
