package oidc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"connecthub/models"
	"connecthub/models/store"
)

// Settings are what an operator says about an organization's provider.
type Settings struct {
	Issuer   string
	ClientID string
	Secret   models.Secret
	Hosts    []string // besides the issuer's
	Required bool     // refuse passwords in this organization
}

// ErrNoDomain refuses a provider where nobody could be found by it.
var ErrNoDomain = errors.New(
	"the organization has no verified domain yet: set it with \"server organization set-domain\"")

// ErrNone says that the organization has no provider.
var ErrNone = errors.New("the organization has no provider")

// Set makes it the provider of the organization. The secret is sealed before it is stored. Unless
// unchecked, the provider is asked first whether it can be used.
func (o *OIDC) Set(ctx context.Context, a models.Actor, id models.OrganizationID, s Settings,
	unchecked bool) error {
	p, err := o.settings(id, s)
	if err != nil {
		return err
	}
	if !unchecked {
		if _, err := o.o.discover(ctx, p); err != nil {
			return err
		}
	}
	return o.change(ctx, a, id, "oidc_set", func(*models.OIDCProvider) (*models.OIDCProvider,
		error) {
		return &p, nil
	})
}

// Require refuses passwords in the organization from now on, or accepts them again.
func (o *OIDC) Require(ctx context.Context, a models.Actor, id models.OrganizationID,
	required bool) error {
	return o.change(ctx, a, id, "oidc_set", func(p *models.OIDCProvider) (*models.OIDCProvider,
		error) {
		if p == nil {
			return nil, ErrNone
		}
		next := *p
		next.Required = required
		return &next, nil
	})
}

// Remove takes the provider away: from then on passwords count again. What was bound stays bound,
// for the day on which the same provider comes back.
func (o *OIDC) Remove(ctx context.Context, a models.Actor, id models.OrganizationID) error {
	return o.change(ctx, a, id, "oidc_removed", func(p *models.OIDCProvider) (
		*models.OIDCProvider, error) {
		if p == nil {
			return nil, ErrNone
		}
		return nil, nil
	})
}

// change puts what next makes of the provider in its place, and records it. Where passwords are
// refused from then on, the sessions that began with one end.
func (o *OIDC) change(ctx context.Context, a models.Actor, id models.OrganizationID, action string,
	next func(*models.OIDCProvider) (*models.OIDCProvider, error)) error {
	return o.o.Store.Update(ctx, func(tx *store.Tx) error {
		in := tx.In(id)
		own, err := in.Own()
		if err != nil {
			return err
		}
		before, err := in.OIDCProvider()
		if err != nil {
			return err
		}
		after, err := next(before)
		if err != nil {
			return err
		}
		if after != nil && own.Domain == "" {
			return ErrNoDomain
		}
		if err := replace(in, after); err != nil {
			return fmt.Errorf("cannot store the provider: %w", err)
		}
		return o.audit(tx, a, models.Change{Organization: id, Action: action,
			TargetKind: "organization", TargetID: string(id), TargetName: own.Name,
			Before: shown(before), After: shown(after)})
	})
}

func replace(in *store.Scope, p *models.OIDCProvider) error {
	if p == nil {
		return in.RemoveOIDCProvider()
	}
	if p.Required {
		if _, err := in.EndPasswordSessions(); err != nil {
			return err
		}
	}
	return in.SetOIDCProvider(*p)
}

// settings are checked, and the secret sealed.
func (o *OIDC) settings(id models.OrganizationID, s Settings) (models.OIDCProvider, error) {
	p := models.OIDCProvider{OrganizationID: id, Issuer: s.Issuer, ClientID: s.ClientID,
		Hosts: strings.Join(s.Hosts, " "), Required: s.Required, SetAt: o.o.Now().UTC()}
	if _, err := policyOf(s.Issuer, s.Hosts, o.o.Loopback); err != nil {
		return p, err
	}
	if !plain(s.ClientID) {
		return p, errors.New("cannot accept the client ID: 1 to 255 printable characters")
	}
	if secret := s.Secret.Reveal(); len(secret) > 1024 || !plain(secret[:min(len(secret), 255)]) {
		return p, errors.New("cannot accept the client secret: 1 to 1024 printable characters")
	}
	sealed, err := o.o.Sealer.Seal(place(id), []byte(s.Secret.Reveal()))
	p.SealedSecret = sealed
	return p, err
}

func plain(text string) bool {
	return text != "" && len(text) <= 255 && utf8.ValidString(text) &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// shown is what the record says of a provider: everything but the secret.
func shown(p *models.OIDCProvider) any {
	if p == nil {
		return nil
	}
	return map[string]any{"issuer": p.Issuer, "client_id": p.ClientID, "hosts": p.HostList(),
		"required": p.Required}
}

// Provider answers the provider of an organization, or ErrNone.
func (o *OIDC) Provider(ctx context.Context, id models.OrganizationID) (models.OIDCProvider, error) {
	var p *models.OIDCProvider
	err := o.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		p, err = tx.In(id).OIDCProvider()
		return err
	})
	if err == nil && p == nil {
		err = ErrNone
	}
	if err != nil {
		return models.OIDCProvider{}, fmt.Errorf("cannot read the provider: %w", err)
	}
	return *p, nil
}

// Forget unbinds a person from what the providers call them, so that the next sign-in binds anew:
// for somebody whose account at the provider was made again.
func (o *OIDC) Forget(ctx context.Context, a models.Actor, email string) (int64, error) {
	var forgotten int64
	err := o.o.Store.Update(ctx, func(tx *store.Tx) error {
		u, err := tx.Hub().UserByEmail(email)
		if errors.Is(err, store.ErrNotFound) {
			return models.NotFound()
		}
		if err != nil {
			return err
		}
		if forgotten, err = tx.In(u.OrganizationID).ForgetOIDCSubjects(u.ID); err != nil {
			return err
		}
		if forgotten == 0 {
			return nil
		}
		return o.audit(tx, a, models.Change{Organization: u.OrganizationID,
			Action: "oidc_subject_forgotten", TargetKind: "user", TargetID: string(u.ID),
			TargetName: u.Email})
	})
	return forgotten, err
}
