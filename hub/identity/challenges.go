package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"connecthub/models"
	"connecthub/models/store"

	"github.com/go-webauthn/webauthn/webauthn"
)

// maxTries is how many recovery codes may be mistyped before the password is asked for again.
const maxTries = 5

// Question is what a browser must answer before it goes on.
type Question struct {
	ID        string
	ExpiresAt time.Time
	// Browser is kept by the browser that was asked; only a question of signing in has one.
	Browser string
	// Passkey is what the browser's authenticator needs; nil where none can be used here.
	Passkey json.RawMessage
	// RecoveryCodes says whether a recovery code is left.
	RecoveryCodes bool
}

// Answer is a passkey's answer or a recovery code.
type Answer struct {
	Question   string
	Credential []byte // JSON of WebAuthn; empty for none
	Recovery   string
}

// ask stores what a person is asked for, bound to the browser and the purpose.
func (i *Identity) ask(ctx context.Context, p person, purpose models.ChallengePurpose,
	browser string, now time.Time) (Question, error) {
	id, err := newSecret()
	if err != nil {
		return Question{}, err
	}
	options, data, err := i.assertionOptions(p)
	if err != nil {
		return Question{}, err
	}
	q := Question{ID: id, ExpiresAt: now.Add(models.ChallengeTTL), Passkey: options}
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		scope := tx.In(p.user.OrganizationID)
		left, err := scope.RecoveryCodesLeft(p.user.ID)
		if err != nil {
			return err
		}
		q.RecoveryCodes = left > 0
		return scope.CreateChallenge(&models.SignInChallenge{IDHash: hashOf(id),
			UserID: p.user.ID, Purpose: purpose, BrowserHash: browser, Data: data,
			CreatedAt: now, ExpiresAt: q.ExpiresAt})
	})
	if err != nil {
		return Question{}, fmt.Errorf("cannot ask for a second factor: %w", err)
	}
	return q, nil
}

// question is which challenge may be answered, and what a right answer does.
type question struct {
	purpose models.ChallengePurpose
	browser string // its hash
	user    models.UserID
	now     time.Time
	then    func(*store.Tx, person) error
}

// challenge finds a living challenge for its browser and purpose. For everything else there is one
// answer.
func (i *Identity) challenge(ctx context.Context, q question, id string) (
	c models.SignInChallenge, p person, err error) {
	if id == "" || len(id) > maxSecret {
		return c, p, errChallengeEnded()
	}
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		if c, err = tx.Hub().ChallengeByHash(hashOf(id)); err != nil {
			return err
		}
		user, err := tx.In(c.OrganizationID).UserByID(c.UserID)
		if err != nil {
			return err
		}
		p, err = personIn(tx, user)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return c, p, errChallengeEnded()
	case err != nil:
		return c, p, err
	case c.Purpose != q.purpose || c.BrowserHash != q.browser || c.UsedAt != nil ||
		!q.now.Before(c.ExpiresAt) || !p.active() || (q.user != "" && q.user != c.UserID):
		return c, p, errChallengeEnded()
	}
	return c, p, nil
}

func errChallengeEnded() error {
	return &models.Refusal{Kind: models.KindGone, Code: "challenge_ended"}
}

// answer checks a second factor. A right one does what is to be done then, in the transaction that
// uses it up; a wrong one is recorded, and uses the challenge up unless it may be a slip of the pen.
func (i *Identity) answer(ctx context.Context, caller models.Actor, q question, a Answer) error {
	c, p, err := i.challenge(ctx, q, a.Question)
	if err != nil {
		return err
	}
	giveBack, err := i.attempt(caller.Address, "second factor of "+string(p.user.ID), q.now)
	if err != nil {
		return err
	}
	actor := personOf(caller, p.user)
	use, wrong := i.checkFactor(p, c, a, q.now)
	if wrong == nil {
		err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
			err := tx.In(c.OrganizationID).UseChallenge(c.IDHash, q.now)
			if errors.Is(err, store.ErrUnchanged) {
				return errChallengeEnded() // answered at the same time
			}
			if err != nil {
				return err
			}
			if err := use(tx, actor); err != nil {
				return err
			}
			return q.then(tx, p)
		})
		if err == nil {
			giveBack()
		}
		if !errors.Is(err, store.ErrUnchanged) {
			return err
		}
		wrong = errors.New("no such code, or used before")
	}
	return i.refuseFactor(ctx, actor, p, c, q.now, len(a.Credential) == 0, wrong)
}

// refuseFactor records a wrong second factor.
func (i *Identity) refuseFactor(ctx context.Context, a models.Actor, p person,
	c models.SignInChallenge, now time.Time, again bool, why error) error {
	err := i.o.Store.Update(ctx, func(tx *store.Tx) error {
		scope := tx.In(c.OrganizationID)
		var err error
		if again && c.Tries+1 < maxTries {
			err = scope.TryChallenge(c.IDHash, c.Tries, now)
		} else {
			err = scope.UseChallenge(c.IDHash, now)
		}
		if err != nil && !errors.Is(err, store.ErrUnchanged) {
			return err
		}
		change := personChange(p.user, "second_factor_failed")
		var copied *errCopiedKey
		if errors.As(why, &copied) {
			change.Action = "passkey_copied"
			change.After = map[string]string{"passkey": copied.name}
		}
		return i.audit(tx, a, now, change)
	})
	if err != nil {
		return fmt.Errorf("cannot record a wrong second factor: %w", err)
	}
	i.o.Log.WarnContext(ctx, "second factor refused", "address", a.Address,
		"tracking_id", a.TrackingID, "reason", why)
	return models.Unauthorized("wrong_second_factor")
}

// checkFactor says how to use the factor up, or why it is wrong.
func (i *Identity) checkFactor(p person, c models.SignInChallenge, a Answer, now time.Time) (
	use func(*store.Tx, models.Actor) error, wrong error) {
	if len(a.Credential) == 0 {
		hash := recoveryHash(p.user.ID, a.Recovery)
		return func(tx *store.Tx, actor models.Actor) error {
			if err := tx.In(c.OrganizationID).UseRecoveryCode(p.user.ID, hash, now); err != nil {
				return err
			}
			return i.audit(tx, actor, now, personChange(p.user, "recovery_code_used"))
		}, nil
	}
	key, count, err := i.checkAssertion(p, c.Data, a.Credential)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx, _ models.Actor) error {
		return tx.In(c.OrganizationID).UsePasskey(key.ID, key.SignCount, count, now)
	}, nil
}

// sessionData is what the check of an answer needs.
func sessionData(data []byte) (s webauthn.SessionData, err error) {
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("cannot read a challenge: %w", err)
	}
	return s, nil
}
