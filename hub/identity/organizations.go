package identity

import (
	"context"
	"errors"
	"strings"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/scheduler/window"
)

// Own is the actor's organization.
func (i *Identity) Own(ctx context.Context, a models.Actor) (o models.Organization, err error) {
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		o, err = tx.In(a.Organization).Own()
		return err
	})
	return o, err
}

// Settings are what an organization's own admins may change of it.
type Settings struct {
	Zone, Language                             string
	RequireComparisonCode, RequireSecondFactor bool
}

func settingsOf(o models.Organization) Settings {
	return Settings{Zone: o.Zone, Language: o.Language,
		RequireComparisonCode: o.RequireComparisonCode, RequireSecondFactor: o.RequireSecondFactor}
}

// SaveOrganization changes the settings of the actor's organization. Who demands a second factor
// must have one: nobody locks the only door behind himself.
func (i *Identity) SaveOrganization(ctx context.Context, a models.Actor, s Settings) (
	o models.Organization, err error) {
	if err := checkPlace(s.Zone, s.Language); err != nil {
		return o, err
	}
	now := i.o.Now().UTC()
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		scope := tx.In(a.Organization)
		if o, err = scope.LockOwn(); err != nil {
			return err
		}
		before := settingsOf(o)
		if before == s {
			return nil
		}
		if s.RequireSecondFactor && !before.RequireSecondFactor {
			if err := i.hasFactor(tx, a); err != nil {
				return err
			}
		}
		o.Zone, o.Language = s.Zone, s.Language
		o.RequireComparisonCode = s.RequireComparisonCode
		o.RequireSecondFactor = s.RequireSecondFactor
		if err := scope.SaveSettings(o); err != nil {
			return err
		}
		change := organizationChange(o, "organization_changed")
		change.Before, change.After = settingsRecord(before), settingsRecord(s)
		return i.audit(tx, a, now, change)
	})
	return o, err
}

// hasFactor refuses an actor without a passkey, unless a provider let the actor in.
func (i *Identity) hasFactor(tx *store.Tx, a models.Actor) error {
	keys, err := tx.In(a.Organization).Passkeys(a.UserID)
	if err != nil || len(keys) > 0 {
		return err
	}
	session, err := tx.Hub().SessionByHash(a.SessionHash)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if session.Method == models.MethodOIDC {
		return nil
	}
	return models.Conflict("no_passkey", "")
}

func settingsRecord(s Settings) map[string]any {
	return map[string]any{"zone": s.Zone, "language": s.Language,
		"require_comparison_code": s.RequireComparisonCode,
		"require_second_factor":   s.RequireSecondFactor}
}

func organizationChange(o models.Organization, action string) models.Change {
	return models.Change{Organization: o.ID, Action: action, TargetKind: "organization",
		TargetID: string(o.ID), TargetName: o.Name}
}

func checkPlace(zone, language string) error {
	if _, err := window.LoadZone(zone); err != nil {
		return models.Invalid("invalid_zone", "zone")
	}
	if language != "en" && language != "ja" {
		return models.Invalid("invalid_language", "language")
	}
	return nil
}

// DisableOrganization locks everybody of a tenant out at once. Its nodes stay registered and go on
// as they are, but get no permit any more; one that was confirmed runs to its end (R20). The
// vendor's organization cannot be disabled.
func (i *Identity) DisableOrganization(ctx context.Context, a models.Actor, name string) error {
	return i.operate(ctx, a, name, "organization_disabled", func(tx *store.Tx,
		o models.Organization, _ *models.Change) error {
		if o.Vendor {
			return models.Conflict("vendor_stays", "")
		}
		if err := tx.Hub().DisableOrganization(o.ID, i.o.Now().UTC()); err != nil {
			return err
		}
		return tx.In(o.ID).SuspendClusters(true)
	})
}

// EnableOrganization lets a tenant's people in again; sessions that ended meanwhile have ended.
func (i *Identity) EnableOrganization(ctx context.Context, a models.Actor, name string) error {
	return i.operate(ctx, a, name, "organization_enabled", func(tx *store.Tx,
		o models.Organization, _ *models.Change) error {
		if err := tx.Hub().EnableOrganization(o.ID); err != nil {
			return err
		}
		return tx.In(o.ID).SuspendClusters(false)
	})
}

// SetDomain gives a tenant the domain that the operator has verified; an empty one takes it away.
// The hub itself looks nothing up.
func (i *Identity) SetDomain(ctx context.Context, a models.Actor, name, domain string) error {
	if domain != "" {
		parsed, err := models.ParseFQDN(strings.TrimSuffix(domain, "."))
		if err != nil {
			return models.Invalid("invalid_domain", "domain")
		}
		domain = string(parsed)
	}
	err := i.operate(ctx, a, name, "domain_changed", func(tx *store.Tx, o models.Organization,
		c *models.Change) error {
		if o.Domain == domain {
			return store.ErrUnchanged
		}
		c.Before, c.After = map[string]string{"domain": o.Domain}, map[string]string{"domain": domain}
		return tx.Hub().SetDomain(o.ID, domain)
	})
	if store.IsDuplicate(err, store.OrganizationDomain) {
		return &models.Refusal{Kind: models.KindConflict, Code: "domain_taken", Field: "domain",
			Subject: domain}
	}
	return err
}

// RequireSecondFactor demands a passkey of everybody in an organization, the vendor's too, or does
// not any more. Nobody is locked out: who has none can add one.
func (i *Identity) RequireSecondFactor(ctx context.Context, a models.Actor, name string,
	required bool) error {
	return i.operate(ctx, a, name, "organization_changed", func(tx *store.Tx,
		o models.Organization, c *models.Change) error {
		if o.RequireSecondFactor == required {
			return store.ErrUnchanged
		}
		before := settingsOf(o)
		o.RequireSecondFactor = required
		c.Before, c.After = settingsRecord(before), settingsRecord(settingsOf(o))
		return tx.In(o.ID).SaveSettings(o)
	})
}

// operate is what the hub's operator does to an organization. What is so already is no error, and
// no change.
func (i *Identity) operate(ctx context.Context, a models.Actor, name, action string,
	do func(*store.Tx, models.Organization, *models.Change) error) error {
	return i.o.Store.Update(ctx, func(tx *store.Tx) error {
		o, err := tx.Hub().OrganizationByName(name)
		if errors.Is(err, store.ErrNotFound) {
			return models.NotFound()
		}
		if err != nil {
			return err
		}
		change := organizationChange(o, action)
		if err := do(tx, o, &change); err != nil {
			if errors.Is(err, store.ErrUnchanged) {
				return nil
			}
			return err
		}
		return i.audit(tx, a, i.o.Now().UTC(), change)
	})
}
