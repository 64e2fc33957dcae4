package software

import (
	"context"
	"fmt"
	"os"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// Overview is what a person sees of the own downloads.
type Overview struct {
	EULA         *models.EULA // nil: the vendor has published none
	AcceptedAt   *time.Time   // of that version
	Entitlements []models.Entitlement
	Credentials  []models.DownloadCredential
	LapsesAt     time.Time
	Files        []models.SoftwareFile // what the person may have
}

// Overview answers the actor's own. Tokens that have ended are left out.
func (s *Software) Overview(ctx context.Context, a models.Actor) (o Overview, err error) {
	now := s.now()
	err = s.o.Store.View(ctx, func(tx *store.Tx) error {
		scope := tx.In(a.Organization)
		user, err := scope.UserByID(a.UserID)
		if err != nil {
			return err
		}
		o = Overview{LapsesAt: lapsesAt(user)}
		if o.EULA, err = tx.Hub().EULA(); err != nil {
			return err
		}
		if o.EULA != nil {
			accepted, err := scope.EULAAcceptance(a.UserID, o.EULA.Version)
			if err != nil {
				return err
			}
			if accepted != nil {
				o.AcceptedAt = &accepted.AcceptedAt
			}
		}
		if o.Entitlements, err = valid(scope, a.UserID, now); err != nil {
			return err
		}
		credentials, err := scope.DownloadCredentials(a.UserID)
		if err != nil {
			return err
		}
		o.Credentials = living(credentials, now)
		all, err := offered(tx, "")
		o.Files = mine(all, o.Entitlements)
		return err
	})
	return o, err
}

// Open gives the bytes of a file that File has answered.
func (s *Software) Open(f models.SoftwareFile) (*os.File, error) {
	file, err := s.files.Open(f.SHA256)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s/%s: %w", f.Repository, f.Path, err)
	}
	return file, nil
}
