package adminapi

import (
	"connecthub/handlers/adminapi/gen"

	"github.com/labstack/echo/v4"
)

// GetOrganization handles GET /organization.
func (a *API) GetOrganization(_ echo.Context) error { return pending() }

// SaveOrganization handles PUT /organization.
func (a *API) SaveOrganization(_ echo.Context) error { return pending() }

// ListUsers handles GET /users.
func (a *API) ListUsers(_ echo.Context) error { return pending() }

// SetRole handles PUT /users/:userId/role.
func (a *API) SetRole(_ echo.Context, _ gen.UserId) error { return pending() }

// DisableUser handles POST /users/:userId/disable.
func (a *API) DisableUser(_ echo.Context, _ gen.UserId) error { return pending() }

// EnableUser handles POST /users/:userId/enable.
func (a *API) EnableUser(_ echo.Context, _ gen.UserId) error { return pending() }

// ResetSecondFactor handles POST /users/:userId/reset-second-factor.
func (a *API) ResetSecondFactor(_ echo.Context, _ gen.UserId) error { return pending() }

// ListInvitations handles GET /invitations.
func (a *API) ListInvitations(_ echo.Context) error { return pending() }

// Invite handles POST /invitations.
func (a *API) Invite(_ echo.Context) error { return pending() }

// WithdrawInvitation handles DELETE /invitations/:invitationId.
func (a *API) WithdrawInvitation(_ echo.Context, _ gen.InvitationId) error { return pending() }

// InspectInvitation handles POST /invitations/inspect.
func (a *API) InspectInvitation(_ echo.Context) error { return pending() }

// AcceptInvitation handles POST /invitations/accept.
func (a *API) AcceptInvitation(_ echo.Context) error { return pending() }
