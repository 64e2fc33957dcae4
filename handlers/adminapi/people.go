package adminapi

import (
	"net/http"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/identity"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// GetOrganization handles GET /organization.
func (a *API) GetOrganization(c echo.Context) error {
	o, err := a.o.Identity.Own(c.Request().Context(), handlers.Actor(c))
	return a.organization(c, o, err)
}

// SaveOrganization handles PUT /organization.
func (a *API) SaveOrganization(c echo.Context) error {
	body, err := read[gen.SaveOrganization](c)
	if err != nil {
		return err
	}
	o, err := a.o.Identity.SaveOrganization(c.Request().Context(), handlers.Actor(c),
		identity.Settings{Zone: body.Zone, Language: string(body.Language),
			RequireComparisonCode: body.RequireComparisonCode,
			RequireSecondFactor:   body.RequireSecondFactor})
	return a.organization(c, o, err)
}

func (a *API) organization(c echo.Context, o models.Organization, err error) error {
	if err != nil {
		return err
	}
	provider, err := a.providerOf(c.Request().Context(), o.ID)
	return answer(c, http.StatusOK, o, err, func(o models.Organization) gen.OrganizationDetails {
		return gen.OrganizationDetails{Id: string(o.ID), Name: o.Name, Zone: o.Zone,
			Language: gen.OrganizationDetailsLanguage(o.Language), Domain: some(o.Domain),
			RequireComparisonCode: o.RequireComparisonCode,
			RequireSecondFactor:   o.RequireSecondFactor, Oidc: provider}
	})
}

// ListUsers handles GET /users.
func (a *API) ListUsers(c echo.Context) error {
	actor := handlers.Actor(c)
	all, err := a.o.Identity.People(c.Request().Context(), actor)
	return answer(c, http.StatusOK, all, err, func(all []identity.Person) gen.UserList {
		return gen.UserList{Items: each(all, func(p identity.Person) gen.Person {
			return personOf(p, actor)
		})}
	})
}

func personOf(p identity.Person, actor models.Actor) gen.Person {
	return gen.Person{Id: string(p.User.ID), Email: p.User.Email, Name: p.User.Name,
		Role: gen.Role(p.User.Role), CreatedAt: p.User.CreatedAt.UTC(),
		Disabled: p.User.DisabledAt != nil, SecondFactor: p.SecondFactor,
		LastSignedInAt: p.User.LastSignedInAt, Me: p.User.ID == actor.UserID}
}

// person renders one person of the organization.
func person(c echo.Context, p identity.Person, err error) error {
	return answer(c, http.StatusOK, p, err, func(p identity.Person) gen.Person {
		return personOf(p, handlers.Actor(c))
	})
}

// SetRole handles PUT /users/:userId/role.
func (a *API) SetRole(c echo.Context, id gen.UserId) error {
	body, err := read[gen.SetRole](c)
	if err != nil {
		return err
	}
	p, err := a.o.Identity.SetRole(c.Request().Context(), handlers.Actor(c), models.UserID(id),
		models.Role(body.Role))
	return person(c, p, err)
}

// DisableUser handles POST /users/:userId/disable.
func (a *API) DisableUser(c echo.Context, id gen.UserId) error {
	p, err := a.o.Identity.DisableUser(c.Request().Context(), handlers.Actor(c), models.UserID(id))
	return person(c, p, err)
}

// EnableUser handles POST /users/:userId/enable.
func (a *API) EnableUser(c echo.Context, id gen.UserId) error {
	p, err := a.o.Identity.EnableUser(c.Request().Context(), handlers.Actor(c), models.UserID(id))
	return person(c, p, err)
}

// ResetSecondFactor handles POST /users/:userId/reset-second-factor.
func (a *API) ResetSecondFactor(c echo.Context, id gen.UserId) error {
	p, err := a.o.Identity.ResetSecondFactor(c.Request().Context(), handlers.Actor(c),
		models.UserID(id))
	return person(c, p, err)
}

// ListInvitations handles GET /invitations.
func (a *API) ListInvitations(c echo.Context) error {
	all, err := a.o.Identity.Invitations(c.Request().Context(), handlers.Actor(c))
	return answer(c, http.StatusOK, all, err, func(all []models.Invitation) gen.InvitationList {
		return gen.InvitationList{Items: each(all, invitationOf)}
	})
}

func invitationOf(n models.Invitation) gen.Invitation {
	return gen.Invitation{Id: string(n.ID), Email: n.Email, Role: gen.Role(n.Role),
		InvitedBy: n.InvitedBy, CreatedAt: n.CreatedAt.UTC(), ExpiresAt: n.ExpiresAt.UTC()}
}

// Invite handles POST /invitations.
func (a *API) Invite(c echo.Context) error {
	body, err := read[gen.NewInvitation](c)
	if err != nil {
		return err
	}
	actor := handlers.Actor(c)
	made, link, err := a.o.Identity.Invite(c.Request().Context(), actor, actor.Organization,
		body.Email, models.Role(body.Role))
	return answer(c, http.StatusCreated, made, err, func(n models.Invitation) gen.CreatedInvitation {
		return gen.CreatedInvitation{Invitation: invitationOf(n), Link: link}
	})
}

// WithdrawInvitation handles DELETE /invitations/:invitationId.
func (a *API) WithdrawInvitation(c echo.Context, id gen.InvitationId) error {
	return done(c, a.o.Identity.WithdrawInvitation(c.Request().Context(), handlers.Actor(c),
		models.InvitationID(id)))
}

// InspectInvitation handles POST /invitations/inspect.
func (a *API) InspectInvitation(c echo.Context) error {
	body, err := read[gen.InvitationToken](c)
	if err != nil {
		return err
	}
	offer, err := a.o.Identity.InspectInvitation(c.Request().Context(), body.Token)
	return answer(c, http.StatusOK, offer, err, func(o identity.Offer) gen.InvitationOffer {
		return gen.InvitationOffer{Organization: o.Organization.Name,
			Language: gen.InvitationOfferLanguage(o.Organization.Language),
			Email:    o.Invitation.Email, Role: gen.Role(o.Invitation.Role),
			InvitedBy: o.Invitation.InvitedBy, ExpiresAt: o.Invitation.ExpiresAt.UTC()}
	})
}

// AcceptInvitation handles POST /invitations/accept.
func (a *API) AcceptInvitation(c echo.Context) error {
	body, err := read[gen.AcceptInvitation](c)
	if err != nil {
		return err
	}
	in, err := a.o.Identity.AcceptInvitation(c.Request().Context(), handlers.Caller(c), body.Token,
		body.Name, body.Password)
	return a.signedIn(c, in, err)
}
