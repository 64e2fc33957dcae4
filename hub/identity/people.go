package identity

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"connecthub/models"
	"connecthub/models/store"
)

// vendorName names the built-in organization that owns the releases (R29).
const vendorName = "Vendor"

// First is the organization and the full admin of a hub's first start.
type First struct {
	Organization, Zone, Language string
	Email                        string
}

// EnsureVendor makes the vendor's organization where there is none.
func (i *Identity) EnsureVendor(ctx context.Context, a models.Actor) error {
	_, err := i.Vendor(ctx)
	var missing *models.Refusal
	if !errors.As(err, &missing) {
		return err
	}
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Hub().VendorOrganization(); !errors.Is(err, store.ErrNotFound) {
			return err // another replica was first
		}
		_, err := i.addOrganization(tx, a, vendorName, "UTC", "en", true)
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot make the vendor's organization: %w", err)
	}
	return nil
}

// EnsureFirst makes the first tenant and its full admin where the hub has no tenant yet, and
// answers with the admin's password: this once, and empty ever after.
func (i *Identity) EnsureFirst(ctx context.Context, a models.Actor, f First) (string, error) {
	done := false
	err := i.o.Store.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Hub().Organizations()
		done = hasTenant(all)
		return err
	})
	if err != nil || done {
		return "", err
	}
	email, err := parseEmail(f.Email)
	if err != nil {
		return "", err
	}
	password, err := GeneratePassword()
	if err != nil {
		return "", err
	}
	hash, err := i.hasher.hash(ctx, password)
	if err != nil {
		return "", err
	}
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		all, err := tx.Hub().Organizations()
		if err != nil || hasTenant(all) {
			password = "" // another replica was first
			return err
		}
		first, err := i.addOrganization(tx, a, f.Organization, f.Zone, f.Language, false)
		if err != nil {
			return err
		}
		_, err = i.addUser(tx, a, first, models.User{Email: email, Name: email,
			Role: models.FullAdmin, PasswordHash: hash})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("cannot make the first organization: %w", err)
	}
	return password, nil
}

func hasTenant(all []models.Organization) bool {
	return slices.ContainsFunc(all, func(o models.Organization) bool { return !o.Vendor })
}

// CreateOrganization makes a tenant.
func (i *Identity) CreateOrganization(ctx context.Context, a models.Actor, name, zone,
	language string) (o models.Organization, err error) {
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		o, err = i.addOrganization(tx, a, name, zone, language, false)
		return err
	})
	return o, err
}

func (i *Identity) addOrganization(tx *store.Tx, a models.Actor, name, zone, language string,
	vendor bool) (models.Organization, error) {
	name, err := models.ParseDisplayName(name)
	if err != nil {
		return models.Organization{}, models.Invalid("invalid_name", "name")
	}
	if err := checkPlace(zone, language); err != nil {
		return models.Organization{}, err
	}
	now := i.o.Now().UTC()
	o := models.Organization{ID: store.NewID[models.OrganizationID](tx), Name: name,
		NameKey: models.FoldName(name), Zone: zone, Language: language, Vendor: vendor,
		CreatedAt: now}
	if err := tx.Hub().CreateOrganization(&o); err != nil {
		if store.IsDuplicate(err, store.OrganizationName) {
			return o, &models.Refusal{Kind: models.KindConflict, Code: "organization_taken",
				Field: "name", Subject: name}
		}
		return o, fmt.Errorf("cannot create an organization: %w", err)
	}
	return o, i.audit(tx, a, now, models.Change{Organization: o.ID,
		Action: "organization_created", TargetKind: "organization", TargetID: string(o.ID),
		TargetName: name, After: map[string]string{"zone": zone, "language": language}})
}

// Organizations lists all, the vendor's too.
func (i *Identity) Organizations(ctx context.Context) (all []models.Organization, err error) {
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		all, err = tx.Hub().Organizations()
		return err
	})
	return all, err
}

// Organization finds one by its name, without regard to case.
func (i *Identity) Organization(ctx context.Context, name string) (models.Organization, error) {
	return i.organization(ctx, func(h *store.Hub) (models.Organization, error) {
		return h.OrganizationByName(name)
	})
}

// Vendor is the built-in organization of the release engineers.
func (i *Identity) Vendor(ctx context.Context) (models.Organization, error) {
	return i.organization(ctx, (*store.Hub).VendorOrganization)
}

func (i *Identity) organization(ctx context.Context,
	find func(*store.Hub) (models.Organization, error)) (o models.Organization, err error) {
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		o, err = find(tx.Hub())
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return models.Organization{}, models.NotFound()
	}
	return o, err
}

// NewUser is a person to be. An empty name is the e-mail address, an empty password a generated one.
type NewUser struct {
	Organization models.Organization
	Email, Name  string
	Role         models.Role
	Password     string
}

// CreateUser makes a user. It refuses a role that the organization does not have: release
// engineers belong to the vendor, admins to tenants. It answers with a password that it generated.
func (i *Identity) CreateUser(ctx context.Context, a models.Actor, n NewUser) (models.User, string,
	error) {
	email, err := parseEmail(n.Email)
	if err != nil {
		return models.User{}, "", err
	}
	name := n.Name
	if name == "" {
		name = email
	}
	if name, err = models.ParseDisplayName(name); err != nil {
		return models.User{}, "", models.Invalid("invalid_name", "name")
	}
	if !n.Organization.Allowed(n.Role) {
		return models.User{}, "", models.Invalid("invalid_role", "role")
	}
	hash, generated, err := i.newPassword(ctx, n.Password, email, n.Organization.Name)
	if err != nil {
		return models.User{}, "", err
	}
	user := models.User{Email: email, Name: name, Role: n.Role, PasswordHash: hash}
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		user, err = i.addUser(tx, a, n.Organization, user)
		return err
	})
	return user, generated, err
}

func (i *Identity) addUser(tx *store.Tx, a models.Actor, o models.Organization,
	u models.User) (models.User, error) {
	now := i.o.Now().UTC()
	u.ID, u.OrganizationID, u.CreatedAt = store.NewID[models.UserID](tx), o.ID, now
	if err := tx.In(o.ID).CreateUser(&u); err != nil {
		if store.IsDuplicate(err, store.UserEmail) {
			return u, &models.Refusal{Kind: models.KindConflict, Code: "email_taken",
				Field: "email", Subject: u.Email}
		}
		return u, fmt.Errorf("cannot create a user: %w", err)
	}
	return u, i.audit(tx, a, now, models.Change{Organization: o.ID, Action: "user_created",
		TargetKind: "user", TargetID: string(u.ID), TargetName: u.Email,
		After: map[string]string{"role": string(u.Role), "name": u.Name}})
}

// Users lists the people of an organization.
func (i *Identity) Users(ctx context.Context, o models.OrganizationID) (all []models.User,
	err error) {
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		all, err = tx.In(o).Users()
		return err
	})
	return all, err
}

// UserByEmail finds a person in any organization, for the hub's operator.
func (i *Identity) UserByEmail(ctx context.Context, email string) (u models.User, err error) {
	if email, err = parseEmail(email); err != nil {
		return u, err
	}
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		u, err = tx.Hub().UserByEmail(email)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return u, models.NotFound()
	}
	return u, err
}

// ResetPassword gives a user a new password and ends whatever the old one has opened: every session,
// API token, download key and identity token. Who needs a reset may not be the only one who knew
// the old password. It answers with a password that it generated.
func (i *Identity) ResetPassword(ctx context.Context, a models.Actor, email, password string) (
	generated string, revoked Revoked, err error) {
	if email, err = parseEmail(email); err != nil {
		return "", Revoked{}, err
	}
	hash, generated, err := i.newPassword(ctx, password, email)
	if err != nil {
		return "", Revoked{}, err
	}
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		u, err := tx.Hub().UserByEmail(email)
		if errors.Is(err, store.ErrNotFound) {
			return models.NotFound()
		}
		if err != nil {
			return err
		}
		now := i.o.Now().UTC()
		if revoked, err = i.renewPassword(tx, a, u, hash, "", true, now); err != nil {
			return err
		}
		return i.audit(tx, a, now, models.Change{Organization: u.OrganizationID,
			Action: "password_reset", TargetKind: "user", TargetID: string(u.ID),
			TargetName: u.Email})
	})
	if err != nil {
		return "", Revoked{}, err
	}
	return generated, revoked, nil
}

func (i *Identity) newPassword(ctx context.Context, given string, near ...string) (
	hash, generated string, err error) {
	if given == "" {
		if generated, err = GeneratePassword(); err != nil {
			return "", "", err
		}
		given = generated
	}
	hash, err = i.newHash(ctx, given, "password", near...)
	return hash, generated, err
}

// maxEmail is the most characters an e-mail address may have (RFC 5321).
const maxEmail = 254

func isEmail(text string) bool {
	_, err := parseEmail(text)
	return err == nil
}

func parseEmail(text string) (string, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text || len(text) > maxEmail {
		return "", models.Invalid("invalid_email", "email")
	}
	return text, nil
}
