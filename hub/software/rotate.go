package software

import (
	"context"
	"errors"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// Rotated is a new identity token, shown this once, and until when the one before it counts.
type Rotated struct {
	Credential models.DownloadCredential
	Secret     models.Secret
	Previous   time.Time
}

// Rotate makes a successor of an identity token, for as long as that was made for. The old one ends
// within the overlap. Who lost the answer may ask again in that time: the successor is replaced,
// as long as nobody has used it.
func (s *Software) Rotate(ctx context.Context, caller models.Actor, secret string) (Rotated, error) {
	next := newSecret(models.IdentityToken)
	var r Rotated
	err := s.o.Store.Update(ctx, func(tx *store.Tx) error {
		now := s.now()
		h, err := enter(tx, models.IdentityToken, secret, now)
		if err != nil {
			return err
		}
		old, scope := h.Credential, tx.In(h.User.OrganizationID)
		if old.SuccessorID != "" {
			err := scope.ReplaceUnused(old.SuccessorID, now)
			if errors.Is(err, store.ErrUnchanged) {
				return models.Conflict("token_rotated", "")
			}
			if err != nil {
				return err
			}
		}
		ends := now.AddDate(0, 0, old.Days)
		made := filled(models.DownloadCredential{OrganizationID: old.OrganizationID,
			UserID: old.UserID, Kind: models.IdentityToken, Name: old.Name, Days: old.Days,
			CreatedAt: now, ExpiresAt: &ends}, next)
		if err := scope.CreateDownloadCredential(&made); err != nil {
			return err
		}
		r = Rotated{Credential: made, Secret: models.Secret(next), Previous: now.Add(models.TokenOverlap)}
		if old.ExpiresAt.Before(r.Previous) {
			r.Previous = *old.ExpiresAt
		}
		err = scope.SucceedDownloadToken(old.ID, old.SuccessorID, made.ID, r.Previous)
		if err != nil {
			return err
		}
		return s.record(tx, ActorOf(caller, h), made.Change("identity_token_rotated"))
	})
	return r, err
}

// ActorOf is the holder's program, from where the caller is.
func ActorOf(caller models.Actor, h Holder) models.Actor {
	caller.Kind, caller.UserID, caller.Email = models.ActorUser, h.User.ID, h.User.Email
	caller.Name = h.User.Email + " (" + h.Credential.Prefix + ")"
	caller.Organization, caller.Role = h.User.OrganizationID, h.User.Role
	return caller
}
