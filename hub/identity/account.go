package identity

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"connecthub/models"
	"connecthub/models/store"
)

// What one person may have.
const (
	maxPasskeys   = 10
	recoveryCodes = 10
)

// Account is what somebody sees of the own account.
type Account struct {
	Current           Current
	Passkeys          []models.Passkey
	RecoveryCodesLeft int
}

// Account tells an actor in a session about the own account.
func (i *Identity) Account(ctx context.Context, a models.Actor) (account Account, err error) {
	session, p, err := i.session(ctx, a.SessionHash, i.o.Now().UTC())
	if err != nil {
		return Account{}, err
	}
	account.Current, account.Passkeys = currentOf(p, session), p.keys
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		account.RecoveryCodesLeft, err = tx.In(a.Organization).RecoveryCodesLeft(a.UserID)
		return err
	})
	return account, err
}

// PasswordChange is what somebody says to change the own password.
type PasswordChange struct {
	Current, New string
	// Revoke: API tokens, download keys and identity tokens end as well.
	Revoke bool
}

// ChangePassword gives the actor a new password and ends every other session of the person and,
// where that is wanted, every secret that the person has made.
func (i *Identity) ChangePassword(ctx context.Context, a models.Actor, n PasswordChange) error {
	now := i.o.Now().UTC()
	_, p, err := i.session(ctx, a.SessionHash, now)
	if err != nil {
		return err
	}
	if err := i.checkOwn(ctx, a, p.user, n.Current, "password_change_failed", now); err != nil {
		var wrong *models.Refusal
		if errors.As(err, &wrong) && wrong.Code == "wrong_password" {
			wrong.Field = "current"
		}
		return err
	}
	hash, err := i.newHash(ctx, n.New, "new", p.user.Email, p.organization.Name)
	if err != nil {
		return err
	}
	return i.o.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := i.renewPassword(tx, a, p.user, hash, a.SessionHash, n.Revoke, now)
		if err != nil {
			return err
		}
		return i.audit(tx, a, now, personChange(p.user, "password_changed"))
	})
}

// NewPasskey is what a browser needs to make a passkey.
type NewPasskey struct {
	Question string
	Options  []byte // JSON of WebAuthn
}

// BeginPasskey begins to add a passkey.
func (i *Identity) BeginPasskey(ctx context.Context, a models.Actor) (NewPasskey, error) {
	now := i.o.Now().UTC()
	_, p, err := i.session(ctx, a.SessionHash, now)
	if err != nil {
		return NewPasskey{}, err
	}
	if len(p.keys) >= maxPasskeys {
		return NewPasskey{}, models.Conflict("too_many_passkeys", "")
	}
	options, data, err := i.creationOptions(p)
	if err != nil {
		return NewPasskey{}, err
	}
	id, err := newSecret()
	if err != nil {
		return NewPasskey{}, err
	}
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		return tx.In(a.Organization).CreateChallenge(&models.SignInChallenge{IDHash: hashOf(id),
			UserID: a.UserID, Purpose: models.ChallengePasskey, BrowserHash: a.SessionHash,
			Data: data, CreatedAt: now, ExpiresAt: now.Add(models.ChallengeTTL)})
	})
	if err != nil {
		return NewPasskey{}, fmt.Errorf("cannot begin to add a passkey: %w", err)
	}
	return NewPasskey{Question: id, Options: options}, nil
}

// FinishPasskey adds the passkey that the browser made. With the first one it answers the recovery
// codes: this once.
func (i *Identity) FinishPasskey(ctx context.Context, a models.Actor, id, name string,
	credential []byte) ([]string, error) {
	now := i.o.Now().UTC()
	name, err := models.ParseDisplayName(name)
	if err != nil {
		return nil, models.Invalid("invalid_name", "name")
	}
	c, p, err := i.challenge(ctx, question{purpose: models.ChallengePasskey,
		browser: a.SessionHash, user: a.UserID, now: now}, id)
	if err != nil {
		return nil, err
	}
	key, err := i.checkCreation(p, c.Data, credential)
	if err != nil {
		return nil, err
	}
	key.Name, key.CreatedAt = name, now
	var codes []string
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		codes = nil
		scope := tx.In(a.Organization)
		err := scope.UseChallenge(c.IDHash, now)
		if errors.Is(err, store.ErrUnchanged) {
			return errChallengeEnded()
		}
		if err != nil {
			return err
		}
		known, err := scope.Passkeys(a.UserID)
		switch {
		case err != nil:
			return err
		case len(known) >= maxPasskeys:
			return models.Conflict("too_many_passkeys", "")
		case len(known) == 0:
			if codes, err = i.renewCodes(tx, a); err != nil {
				return err
			}
		}
		added := key
		if err := scope.CreatePasskey(&added); err != nil {
			return err
		}
		change := personChange(p.user, "passkey_added")
		change.After = map[string]string{"passkey": name}
		return i.audit(tx, a, now, change)
	})
	if store.IsDuplicate(err, store.PasskeyCredential) {
		return nil, models.Conflict("passkey_known", "")
	}
	return codes, err
}

// RemovePasskey removes a passkey of the actor; with the last one go the recovery codes. It refuses
// the last one where the organization demands a second factor.
func (i *Identity) RemovePasskey(ctx context.Context, a models.Actor, id models.PasskeyID) error {
	now := i.o.Now().UTC()
	return i.o.Store.Update(ctx, func(tx *store.Tx) error {
		scope := tx.In(a.Organization)
		own, err := scope.LockOwn()
		if err != nil {
			return err
		}
		keys, err := scope.Passkeys(a.UserID)
		if err != nil {
			return err
		}
		name, last := "", len(keys) == 1
		for _, k := range keys {
			if k.ID == id {
				name = k.Name
			}
		}
		switch {
		case name == "":
			return models.NotFound()
		case last && own.RequireSecondFactor:
			return models.Conflict("last_passkey", "")
		}
		if err := scope.DeletePasskey(a.UserID, id); err != nil {
			return err
		}
		if last {
			if err := scope.ReplaceRecoveryCodes(a.UserID, nil); err != nil {
				return err
			}
		}
		return i.audit(tx, a, now, models.Change{Organization: a.Organization,
			Action: "passkey_removed", TargetKind: "user", TargetID: string(a.UserID),
			TargetName: a.Email, Before: map[string]string{"passkey": name}})
	})
}

// RenewRecoveryCodes makes new recovery codes; the old ones are worthless from then on.
func (i *Identity) RenewRecoveryCodes(ctx context.Context, a models.Actor) (codes []string,
	err error) {
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		keys, err := tx.In(a.Organization).Passkeys(a.UserID)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return models.Conflict("no_passkey", "")
		}
		if codes, err = i.renewCodes(tx, a); err != nil {
			return err
		}
		return i.audit(tx, a, i.o.Now().UTC(), models.Change{Organization: a.Organization,
			Action: "recovery_codes_renewed", TargetKind: "user", TargetID: string(a.UserID),
			TargetName: a.Email})
	})
	return codes, err
}

func (i *Identity) renewCodes(tx *store.Tx, a models.Actor) ([]string, error) {
	now := i.o.Now().UTC()
	codes := make([]string, 0, recoveryCodes)
	rows := make([]models.RecoveryCode, 0, recoveryCodes)
	for range recoveryCodes {
		code, err := newRecoveryCode()
		if err != nil {
			return nil, err
		}
		codes = append(codes, code)
		rows = append(rows, models.RecoveryCode{IDHash: recoveryHash(a.UserID, code),
			UserID: a.UserID, CreatedAt: now})
	}
	return codes, tx.In(a.Organization).ReplaceRecoveryCodes(a.UserID, rows)
}

// recoveryEncoding has no letters that are misread: Crockford's alphabet, in lower case.
func recoveryEncoding() *base32.Encoding {
	return base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)
}

// newRecoveryCode has 80 random bits, so that its plain hash gives nothing away.
func newRecoveryCode() (string, error) {
	secret := make([]byte, 10)
	if _, err := rand.Read(secret); err != nil {
		return "", fmt.Errorf("cannot make a recovery code: %w", err)
	}
	text := recoveryEncoding().EncodeToString(secret)
	return text[:4] + "-" + text[4:8] + "-" + text[8:12] + "-" + text[12:], nil
}

// recoveryHash takes a code as people type it.
func recoveryHash(user models.UserID, code string) string {
	code = strings.NewReplacer("-", "", " ", "", "o", "0", "i", "1", "l", "1").
		Replace(strings.ToLower(code[:min(len(code), maxSecret)]))
	return hashOf("recovery code of " + string(user) + ": " + code)
}
