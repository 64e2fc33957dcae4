package software

import (
	"context"
	"errors"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// maxProducts is how many products one record may name.
const maxProducts = 64

// NewEntitlement is a contract or subscription as the vendor's side records it.
type NewEntitlement struct {
	Organization  models.OrganizationID
	User          models.UserID // empty: everybody in the organization
	Kind          models.EntitlementKind
	Reference     string
	Products      []string
	ExportCleared bool
	From, Until   time.Time // the first day and the last, in UTC
}

// Entitle records a contract or a subscription.
func (s *Software) Entitle(ctx context.Context, a models.Actor, n NewEntitlement) (
	models.Entitlement, error) {
	if err := errors.Join(mayManage(a), s.validEntitlement(n)); err != nil {
		return models.Entitlement{}, err
	}
	e := models.Entitlement{OrganizationID: n.Organization, UserID: n.User, Kind: n.Kind,
		Reference: n.Reference, Products: strings.Join(n.Products, " "),
		ExportCleared: n.ExportCleared, ValidFrom: n.From.UTC(),
		ValidUntil: n.Until.UTC().AddDate(0, 0, 1), CreatedAt: s.now()}
	err := s.o.Store.Update(ctx, func(tx *store.Tx) error {
		e.ID = store.NewID[models.EntitlementID](tx)
		scope, row := tx.In(n.Organization), e
		if n.User != "" {
			if _, err := scope.UserByID(n.User); err != nil {
				return err
			}
		}
		if err := scope.CreateEntitlement(&row); err != nil {
			return err
		}
		return s.record(tx, a, entitlementChange(e, "entitlement_added"))
	})
	if errors.Is(err, store.ErrNotFound) {
		err = models.NotFound()
	}
	return e, err
}

func (s *Software) validEntitlement(n NewEntitlement) error {
	if !n.Kind.Valid() {
		return models.Invalid("invalid_entitlement_kind", "kind")
	}
	if _, err := models.ParseDisplayName(n.Reference); err != nil {
		return models.Invalid("invalid_name", "reference")
	}
	if len(n.Products) == 0 || len(n.Products) > maxProducts {
		return models.Invalid("invalid_product", "products")
	}
	for _, p := range n.Products {
		if p != models.AllProducts && !s.product.MatchString(p) {
			return models.Invalid("invalid_product", "products")
		}
	}
	if n.Until.Before(n.From) {
		return models.Invalid("invalid_entitlement_period", "until")
	}
	return nil
}

func entitlementChange(e models.Entitlement, action string) models.Change {
	return models.Change{Organization: e.OrganizationID, Action: action, TargetKind: "entitlement",
		TargetID: string(e.ID), TargetName: e.Reference, After: map[string]any{"kind": e.Kind,
			"products": e.Products, "user_id": e.UserID, "export_cleared": e.ExportCleared,
			"valid_from": e.ValidFrom, "valid_until": e.ValidUntil}}
}

// Entitlements are those of an organization that were not ended, newest first.
func (s *Software) Entitlements(ctx context.Context, a models.Actor, o models.OrganizationID) (
	all []models.Entitlement, err error) {
	if err := mayManage(a); err != nil {
		return nil, err
	}
	err = s.o.Store.View(ctx, func(tx *store.Tx) error {
		all, err = tx.In(o).Entitlements()
		return err
	})
	return all, err
}

// EndEntitlement ends a record at once: the next download is refused.
func (s *Software) EndEntitlement(ctx context.Context, a models.Actor, id models.EntitlementID) (
	models.Entitlement, error) {
	if err := mayManage(a); err != nil {
		return models.Entitlement{}, err
	}
	var found models.Entitlement
	err := s.o.Store.Update(ctx, func(tx *store.Tx) error {
		all, err := tx.Hub().AllEntitlements()
		if err != nil {
			return err
		}
		found = models.Entitlement{}
		for _, e := range all {
			if e.ID == id {
				found = e
			}
		}
		if found.ID == "" {
			return models.NotFound()
		}
		err = tx.In(found.OrganizationID).EndEntitlement(id, s.now())
		if errors.Is(err, store.ErrUnchanged) {
			return models.NotFound()
		}
		if err != nil {
			return err
		}
		return s.record(tx, a, entitlementChange(found, "entitlement_ended"))
	})
	return found, err
}
