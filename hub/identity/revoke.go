package identity

import (
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// Revoked is what ended together with a password.
type Revoked struct {
	Sessions     int
	APITokens    int
	DownloadKeys int // and identity tokens
}

// revokeSecrets ends every secret that was made with a person's sign-in and outlives a session: API
// tokens, download keys and identity tokens. Each leaves a record of its own.
func (i *Identity) revokeSecrets(tx *store.Tx, a models.Actor, u models.User, now time.Time,
	r *Revoked) error {
	scope := tx.In(u.OrganizationID)
	tokens, err := scope.APITokens(u.ID)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if err := scope.RevokeAPIToken(u.ID, t.ID, now); err != nil {
			return err
		}
		change := tokenChange(t, "token_revoked")
		change.Before, change.After = change.After, nil
		if err := i.audit(tx, a, now, change); err != nil {
			return err
		}
	}
	downloads, err := scope.DownloadCredentials(u.ID)
	if err != nil {
		return err
	}
	for _, c := range downloads {
		if err := scope.RevokeDownloadCredential(u.ID, c.ID, now); err != nil {
			return err
		}
		change := c.Change("download_key_revoked")
		if c.Kind == models.IdentityToken {
			change = c.Change("identity_token_revoked")
		}
		if err := i.audit(tx, a, now, change); err != nil {
			return err
		}
	}
	r.APITokens, r.DownloadKeys = len(tokens), len(downloads)
	return nil
}

// renewPassword stores a new password and ends what the old one opened: every session but the one
// that is kept, half-done sign-ins and, where that is wanted, all secrets.
func (i *Identity) renewPassword(tx *store.Tx, a models.Actor, u models.User, hash, keep string,
	secrets bool, now time.Time) (r Revoked, err error) {
	scope := tx.In(u.OrganizationID)
	if err := scope.SetPassword(u.ID, hash, now); err != nil {
		return r, err
	}
	ended, err := scope.DeleteSessionsOfUser(u.ID, keep)
	if err != nil {
		return r, err
	}
	r.Sessions = int(ended)
	if _, err := scope.DeleteChallengesOfUser(u.ID); err != nil {
		return r, err
	}
	if !secrets {
		return r, nil
	}
	return r, i.revokeSecrets(tx, a, u, now, &r)
}
