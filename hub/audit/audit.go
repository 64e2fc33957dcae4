package audit

import (
	"errors"
	"log/slog"
	"time"

	"connecthub/hub/keys"
	"connecthub/models"
	"connecthub/models/store"
)

// Options are what the log needs.
type Options struct {
	Store *store.Store
	Keys  *keys.Hub // what signs checkpoints and cuts, and what they are checked against
	Now   func() time.Time
	Log   *slog.Logger
}

// Audit is the log of all organizations. It is safe for concurrent use.
type Audit struct{ o Options }

// New refuses options that leave something out.
func New(o Options) (*Audit, error) {
	if o.Store == nil || o.Keys == nil || o.Now == nil || o.Log == nil {
		return nil, errors.New("cannot open the audit log: store, keys, clock or log is missing")
	}
	return &Audit{o: o}, nil
}

func (a *Audit) now() time.Time { return a.o.Now().UTC().Truncate(time.Microsecond) }

// verifier checks what this hub has signed.
func (a *Audit) verifier(tx *store.Tx) (*Verifier, error) {
	state, err := tx.Hub().HubState()
	if err != nil {
		return nil, err
	}
	v := NewVerifier(state.HubID, a.o.Keys.Verifier())
	v.life = state.Incarnation
	return v, nil
}

// organizations lists the one named, or all.
func organizations(tx *store.Tx, only models.OrganizationID) ([]models.Organization, error) {
	if only == "" {
		return tx.Hub().Organizations()
	}
	one, err := tx.Hub().OrganizationByID(only)
	return []models.Organization{one}, err
}
