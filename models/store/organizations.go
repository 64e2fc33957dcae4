package store

import (
	"time"

	"gorm.io/gorm/clause"

	"connecthub/models"
)

// CreateOrganization stores a new tenant or the vendor; an empty ID is filled. It refuses a name
// that is taken (OrganizationName) and a second vendor (OneVendor).
func (h *Hub) CreateOrganization(o *models.Organization) error {
	if o.ID == "" {
		o.ID = NewID[models.OrganizationID](h.tx)
	}
	o.NameKey = models.FoldName(o.Name)
	return create(h.handle, o)
}

// OrganizationByID answers the organization or ErrNotFound.
func (h *Hub) OrganizationByID(id models.OrganizationID) (models.Organization, error) {
	return take[models.Organization](h.handle, is("id", id))
}

// OrganizationByName finds it by name in any case, or answers ErrNotFound.
func (h *Hub) OrganizationByName(name string) (models.Organization, error) {
	return take[models.Organization](h.handle, is("name_key", models.FoldName(name)))
}

// VendorOrganization answers the built-in organization that owns the releases, or ErrNotFound
// before it was created.
func (h *Hub) VendorOrganization() (models.Organization, error) {
	return take[models.Organization](h.handle, is("vendor", true))
}

// Organizations lists all by name.
func (h *Hub) Organizations() ([]models.Organization, error) {
	return list[models.Organization](h.handle, by("name_key"), 0)
}

// SetDomain gives the organization a domain that was verified, or takes it away. It refuses one
// that another organization has (OrganizationDomain).
func (h *Hub) SetDomain(id models.OrganizationID, domain string) error {
	return setOne[models.Organization](h.handle, values{"domain": domain}, is("id", id))
}

// OrganizationByDomain finds whose domain it is, or answers ErrNotFound.
func (h *Hub) OrganizationByDomain(domain string) (models.Organization, error) {
	return take[models.Organization](h.handle, is("domain", domain), isNot("domain", ""))
}

// DisableOrganization locks everybody of it out; ErrUnchanged when that was so already.
func (h *Hub) DisableOrganization(id models.OrganizationID, now time.Time) error {
	return setOne[models.Organization](h.handle, values{"disabled_at": now}, is("id", id),
		is("disabled_at", nil))
}

// EnableOrganization lets them in again; ErrUnchanged when it was not disabled.
func (h *Hub) EnableOrganization(id models.OrganizationID) error {
	return setOne[models.Organization](h.handle, values{"disabled_at": nil}, is("id", id),
		isNot("disabled_at", nil))
}

// LockOwn is Own, and keeps the organization's row from changing until the transaction ends.
// Whoever decides about its people begins with it.
func (s *Scope) LockOwn() (models.Organization, error) {
	h := s.handle
	h.db = h.db.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	return take[models.Organization](h, is("id", s.organization))
}

// SaveSettings stores what the organization's own admins may change of it.
func (s *Scope) SaveSettings(o models.Organization) error {
	return saveOne(s.handle, &o, []string{"zone", "language", "require_comparison_code",
		"require_second_factor"}, is("id", s.organization))
}

// Own answers the scope's organization.
func (s *Scope) Own() (models.Organization, error) {
	return take[models.Organization](s.handle, is("id", s.organization))
}

// HubState answers the hub's row about itself, or ErrNotFound before InitHubState.
func (h *Hub) HubState() (models.HubState, error) {
	return take[models.HubState](h.handle, is("id", 1))
}

// InitHubState answers the hub's row about itself; the first call creates it.
func (h *Hub) InitHubState(now time.Time) (models.HubState, error) {
	row, err := takeAny[models.HubState](h.handle, is("id", 1))
	if err != nil || row != nil {
		return deref(row), err
	}
	row = &models.HubState{ID: 1, Incarnation: 1, HubID: h.tx.newID(), CreatedAt: now}
	return *row, create(h.handle, row)
}

// RaiseIncarnation begins a new life after a restore (R34) and answers it. The last is what the
// caller has read; ErrUnchanged when somebody was faster.
func (h *Hub) RaiseIncarnation(last, next uint64) error {
	return setOne[models.HubState](h.handle, values{"incarnation": next},
		is("id", 1), is("incarnation", last))
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
