package fleet

import (
	"context"
	"errors"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// maxOpenRegistrations bounds how many may be pending in one organization.
const maxOpenRegistrations = 50

// CreateRegistration begins the 15 minutes of a cluster (R1, R2). An older registration of the same
// FQDN becomes worthless (R4).
func (f *Fleet) CreateRegistration(ctx context.Context, a Actor, displayName, fqdn string,
) (RegistrationView, error) {
	if !a.FullAdmin() {
		return RegistrationView{}, models.Forbidden()
	}
	name, err := models.ParseDisplayName(displayName)
	if err != nil {
		return RegistrationView{}, err
	}
	publisher, err := models.ParseFQDN(fqdn)
	if err != nil {
		return RegistrationView{}, err
	}
	r := models.Registration{Kind: models.RegisterCluster, DisplayName: name, FQDN: publisher}
	return f.begin(ctx, a, &r, func(s *store.Scope) error { return free(s, name, publisher) }, nil)
}

// free refuses a name or a FQDN that a cluster, or for the name a waiting registration, has.
func free(s *store.Scope, name string, fqdn models.FQDN) error {
	if c, err := s.LivingClusterByFQDN(fqdn); err != nil {
		return err
	} else if c != nil {
		r := models.Conflict("fqdn_registered", string(fqdn))
		r.Field = "fqdn"
		return r
	}
	taken := models.Conflict("display_name_taken", name)
	taken.Field = "display_name"
	if c, err := s.LivingClusterByName(name); err != nil {
		return err
	} else if c != nil {
		return taken
	}
	waiting, err := s.Registrations()
	if err != nil {
		return err
	}
	for _, r := range waiting {
		open := r.State == models.RegistrationPending || r.State == models.RegistrationClaimed
		if open && r.Kind == models.RegisterCluster && r.FQDN != fqdn &&
			models.FoldName(r.DisplayName) == models.FoldName(name) {
			return taken
		}
	}
	return nil
}

// begin stores a pending registration of the session that asks; and is what belongs into the same
// transaction, or nil.
func (f *Fleet) begin(ctx context.Context, a Actor, r *models.Registration,
	check func(s *store.Scope) error, and func(tx *store.Tx) error,
) (RegistrationView, error) {
	if a.SessionHash == "" {
		return RegistrationView{}, models.Forbidden() // nothing could complete it (R3)
	}
	err := f.o.Store.Update(ctx, func(tx *store.Tx) error {
		if err := check(tx.In(a.Organization)); err != nil {
			return err
		}
		if err := f.store(tx, a, r, f.now()); err != nil {
			return err
		}
		if err := f.recordRegistration(tx, a, *r, ActionRegistrationBegun); err != nil || and == nil {
			return err
		}
		return and(tx)
	})
	if err != nil {
		return RegistrationView{}, err
	}
	return f.registrationView(a, *r), nil
}

// store makes the row of a registration; what was open for the same FQDN is worthless from then on,
// and recorded as such (R4).
func (f *Fleet) store(tx *store.Tx, a Actor, r *models.Registration, now time.Time) error {
	s := tx.In(a.Organization)
	if n, err := s.RegistrationsOpen(); err != nil {
		return err
	} else if n >= maxOpenRegistrations {
		return &models.Refusal{Kind: models.KindTooMany, Code: "too_many_registrations"}
	}
	org, err := s.Own()
	if err != nil {
		return err
	}
	old, err := s.SupersedeRegistrations(r.FQDN, now)
	if err != nil {
		return err
	}
	if err := f.recordAll(tx, a, old, ActionRegistrationSuperseded); err != nil {
		return err
	}
	r.ID = store.NewID[models.RegistrationID](tx)
	r.OrganizationID, r.State = a.Organization, models.RegistrationPending
	r.SecretHash, r.SessionHash = hashOf(f.secretOf(r.ID)), a.SessionHash
	r.UserID, r.RequestedBy = a.UserID, a.Name
	r.CreatedAt = now
	if r.ExpiresAt.IsZero() || !r.Headless {
		r.ExpiresAt = now.Add(models.RegistrationTTL)
	}
	r.CodeRequired = org.RequireComparisonCode && !r.Headless
	row := *r
	return s.CreateRegistration(&row)
}

// recordAll writes one audit record for each registration.
func (f *Fleet) recordAll(tx *store.Tx, a Actor, all []models.Registration, action Action) error {
	for _, r := range all {
		if err := f.recordRegistration(tx, a, r, action); err != nil {
			return err
		}
	}
	return nil
}

// recordRegistration writes the audit record of a registration and tells the consoles.
func (f *Fleet) recordRegistration(tx *store.Tx, a Actor, r models.Registration, action Action,
) error {
	after := map[string]any{"fqdn": r.FQDN, "kind": r.Kind}
	if r.KeyThumb != "" {
		after["key"] = r.KeyThumb
	}
	if r.EndedWhy != "" {
		after["why"] = r.EndedWhy
	}
	if r.Headless {
		after["headless"] = true
	}
	record := a.Audit("", f.now(), models.Change{Organization: r.OrganizationID,
		Action: string(action), TargetKind: "registration", TargetID: string(r.ID),
		TargetName: r.DisplayName, Cluster: r.ClusterID, After: after})
	if err := tx.In(r.OrganizationID).AppendAudit(&record); err != nil {
		return err
	}
	return f.tell(tx, r.OrganizationID, "", r.ID)
}

func (f *Fleet) registrationView(a Actor, r models.Registration) RegistrationView {
	now := f.now()
	v := RegistrationView{ID: r.ID, Kind: r.Kind, DisplayName: r.DisplayName, FQDN: r.FQDN,
		State: r.State, EndedWhy: r.EndedWhy, CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
		RequestedBy: r.RequestedBy, Mine: a.SessionHash != "" && a.SessionHash == r.SessionHash,
		ComparisonCode: r.ComparisonCode, ClusterID: r.ClusterID, Headless: r.Headless,
		CodeRequired: r.CodeRequired}
	if r.CodeRequired {
		v.ComparisonCode = "" // whoever types it must have read it on the node's page
	}
	// The job that writes an end down comes a little later.
	switch {
	case r.State == models.RegistrationPending && !r.Claimable(now):
		v.State, v.EndedWhy = models.RegistrationExpired, models.EndedNotClaimed
	case r.State == models.RegistrationClaimed && !r.Completable(now):
		v.State, v.EndedWhy = models.RegistrationExpired, models.EndedReturnMissing
	}
	if v.State == models.RegistrationClaimed {
		v.ReturnBy = r.ReturnBy
	}
	if v.State == models.RegistrationPending && v.Mine {
		if url, err := f.openURL(r); err == nil {
			v.OpenURL = url
		} else {
			f.o.Log.Error("cannot make a ticket", "registration", r.ID, "error", err)
		}
	}
	return v
}

// Registrations are those that are pending, or ended lately without a cluster.
func (f *Fleet) Registrations(ctx context.Context, a Actor) ([]RegistrationView, error) {
	var stored []models.Registration
	err := f.o.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		stored, err = tx.In(a.Organization).Registrations()
		return err
	})
	views := make([]RegistrationView, 0, len(stored))
	now := f.now()
	for _, r := range stored {
		if r.EndedAt == nil || now.Sub(*r.EndedAt) < registrationShown {
			views = append(views, f.registrationView(a, r))
		}
	}
	return views, err
}

// Registration is one of the organization's.
func (f *Fleet) Registration(ctx context.Context, a Actor, id models.RegistrationID,
) (RegistrationView, error) {
	var r models.Registration
	err := f.o.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		r, err = tx.In(a.Organization).RegistrationByID(id)
		return notFound(err)
	})
	if err != nil {
		return RegistrationView{}, err
	}
	return f.registrationView(a, r), nil
}

// DismissRegistration cancels one that is open, and takes one that has ended off the page.
func (f *Fleet) DismissRegistration(ctx context.Context, a Actor, id models.RegistrationID) error {
	if !a.FullAdmin() {
		return models.Forbidden()
	}
	return f.o.Store.Update(ctx, func(tx *store.Tx) error {
		s, now := tx.In(a.Organization), f.now()
		r, err := s.RegistrationByID(id)
		if err != nil {
			return notFound(err)
		}
		err = s.CancelRegistration(id, now)
		if err == nil {
			return f.recordRegistration(tx, a, r, ActionRegistrationCancelled)
		}
		if !errors.Is(err, store.ErrUnchanged) {
			return err
		}
		err = s.DismissRegistration(id, now)
		if err == nil || errors.Is(err, store.ErrUnchanged) {
			return f.tell(tx, r.OrganizationID, "", r.ID)
		}
		return err
	})
}

// ReplaceNode begins the 15 minutes in which one member may get a new key (R32).
func (f *Fleet) ReplaceNode(ctx context.Context, a Actor, id models.ClusterID,
	node models.NodeID,
) (RegistrationView, error) {
	if !a.FullAdmin() {
		return RegistrationView{}, models.Forbidden()
	}
	r := models.Registration{Kind: models.RegisterReplacement, ClusterID: id, NodeID: node}
	return f.begin(ctx, a, &r, func(s *store.Scope) error {
		rows, err := s.LoadCluster(id)
		if err != nil {
			return notFound(err)
		}
		for _, n := range rows.Nodes {
			if n.ID == node {
				r.DisplayName, r.FQDN = rows.Cluster.DisplayName, n.Name
				return nil
			}
		}
		return models.NotFound()
	}, nil)
}
