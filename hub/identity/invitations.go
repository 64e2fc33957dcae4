package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// What an organization may have: invitations that wait, and how many it may make in a day.
const (
	maxInvitations    = 100
	maxInvitationsDay = 200
)

// InvitationPath is the console's page that accepts an invitation; the token follows as fragment,
// so that it reaches no log.
const InvitationPath = "/invitation#"

// Invite invites a person and answers the link: this once. It does not tell whether the hub knows
// the address as one of another organization (R29): that is for the person who holds the link.
func (i *Identity) Invite(ctx context.Context, a models.Actor, organization models.OrganizationID,
	email string, role models.Role) (models.Invitation, string, error) {
	email, err := parseEmail(email)
	if err != nil {
		return models.Invitation{}, "", err
	}
	token, err := newSecret()
	if err != nil {
		return models.Invitation{}, "", err
	}
	now := i.o.Now().UTC()
	var invitation models.Invitation
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		invitation = models.Invitation{OrganizationID: organization, TokenHash: hashOf(token),
			Email: email, Role: role, InvitedBy: a.Name, CreatedAt: now,
			ExpiresAt: now.Add(models.InvitationTTL)}
		return i.addInvitation(tx, a, &invitation)
	})
	if err != nil {
		return models.Invitation{}, "", err
	}
	return invitation, i.o.PublicURL + InvitationPath + token, nil
}

func (i *Identity) addInvitation(tx *store.Tx, a models.Actor, n *models.Invitation) error {
	scope := tx.In(n.OrganizationID)
	own, err := scope.LockOwn()
	if err != nil {
		return err
	}
	if !own.Allowed(n.Role) {
		return models.Invalid("invalid_role", "role")
	}
	people, err := scope.Users()
	if err != nil {
		return err
	}
	for _, u := range people {
		if u.Email == n.Email {
			return &models.Refusal{Kind: models.KindConflict, Code: "email_taken", Field: "email",
				Subject: n.Email}
		}
	}
	if _, err := scope.EndInvitationsOf(n.Email, n.CreatedAt); err != nil {
		return err
	}
	waiting, err := scope.Invitations(n.CreatedAt)
	if err != nil {
		return err
	}
	lately, err := scope.InvitationsSince(n.CreatedAt.Add(-24 * time.Hour))
	if err != nil {
		return err
	}
	if len(waiting) >= maxInvitations || lately >= maxInvitationsDay {
		return &models.Refusal{Kind: models.KindTooMany, Code: "too_many_invitations"}
	}
	if err := scope.CreateInvitation(n); err != nil {
		return fmt.Errorf("cannot store an invitation: %w", err)
	}
	return i.audit(tx, a, n.CreatedAt, invitationChange(*n, "user_invited"))
}

func invitationChange(n models.Invitation, action string) models.Change {
	return models.Change{Organization: n.OrganizationID, Action: action, TargetKind: "invitation",
		TargetID: string(n.ID), TargetName: n.Email,
		After: map[string]string{"role": string(n.Role)}}
}

// Invitations lists those of the actor's organization that wait, newest first.
func (i *Identity) Invitations(ctx context.Context, a models.Actor) (all []models.Invitation,
	err error) {
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		all, err = tx.In(a.Organization).Invitations(i.o.Now().UTC())
		return err
	})
	return all, err
}

// WithdrawInvitation makes an invitation of the actor's organization worthless.
func (i *Identity) WithdrawInvitation(ctx context.Context, a models.Actor,
	id models.InvitationID) error {
	now := i.o.Now().UTC()
	return i.o.Store.Update(ctx, func(tx *store.Tx) error {
		scope := tx.In(a.Organization)
		n, err := scope.InvitationByID(id)
		if err == nil {
			err = scope.EndInvitation(id, now)
		}
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrUnchanged) {
			return models.NotFound()
		}
		if err != nil {
			return err
		}
		change := invitationChange(n, "invitation_withdrawn")
		change.After = nil
		return i.audit(tx, a, now, change)
	})
}

// Offer is what an invitation is to.
type Offer struct {
	Invitation   models.Invitation
	Organization models.Organization
}

func errInvitationEnded() error {
	return &models.Refusal{Kind: models.KindGone, Code: "invitation_ended"}
}

// InspectInvitation tells who holds the token what it is to. Whatever is wrong with the token, the
// answer is the same.
func (i *Identity) InspectInvitation(ctx context.Context, token string) (o Offer, err error) {
	if token == "" || len(token) > maxSecret {
		return Offer{}, errInvitationEnded()
	}
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		if o.Invitation, err = tx.Hub().InvitationByToken(hashOf(token)); err != nil {
			return err
		}
		o.Organization, err = tx.In(o.Invitation.OrganizationID).Own()
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Offer{}, errInvitationEnded()
	case err != nil:
		return Offer{}, err
	case o.Invitation.EndedAt != nil || !i.o.Now().UTC().Before(o.Invitation.ExpiresAt) ||
		o.Organization.DisabledAt != nil:
		return Offer{}, errInvitationEnded()
	}
	return o, nil
}

// AcceptInvitation makes the person who holds the token a user of the organization, once, and signs
// in.
func (i *Identity) AcceptInvitation(ctx context.Context, caller models.Actor, token, name,
	password string) (in SignedIn, err error) {
	offer, err := i.InspectInvitation(ctx, token)
	if err != nil {
		return SignedIn{}, err
	}
	if name, err = models.ParseDisplayName(name); err != nil {
		return SignedIn{}, models.Invalid("invalid_name", "name")
	}
	hash, err := i.newHash(ctx, password, "password", offer.Invitation.Email,
		offer.Organization.Name)
	if err != nil {
		return SignedIn{}, err
	}
	now := i.o.Now().UTC()
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		user, err := i.accept(tx, caller, offer.Organization, offer.Invitation,
			models.User{Name: name, PasswordHash: hash}, now)
		if err != nil {
			return err
		}
		in, err = i.begin(tx, caller, user, models.MethodPassword, now)
		return err
	})
	if store.IsDuplicate(err, store.UserEmail) {
		err = errElsewhere()
	}
	return in, err
}

// errElsewhere is one answer for an address that another organization has, and for one whose
// domain belongs to another organization, whoever has it.
func errElsewhere() error { return models.Conflict("email_elsewhere", "") }

// accept makes the invited person a user, once.
func (i *Identity) accept(tx *store.Tx, caller models.Actor, own models.Organization,
	n models.Invitation, u models.User, now time.Time) (models.User, error) {
	_, domain, _ := strings.Cut(n.Email, "@")
	owner, err := tx.Hub().OrganizationByDomain(domain)
	switch {
	case err == nil && owner.ID != own.ID:
		return u, errElsewhere()
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return u, err
	}
	u.Email, u.Role, u.CreatedAt = n.Email, n.Role, now
	u.ID, u.OrganizationID = store.NewID[models.UserID](tx), own.ID
	scope := tx.In(own.ID)
	if err := scope.AcceptInvitation(n.ID, u.ID, now); err != nil {
		if errors.Is(err, store.ErrUnchanged) {
			return u, errInvitationEnded()
		}
		return u, err
	}
	if err := scope.CreateUser(&u); err != nil {
		return u, err
	}
	return u, i.audit(tx, personOf(caller, u), now, invitationChange(n, "invitation_accepted"))
}
