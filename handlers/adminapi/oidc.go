package adminapi

import (
	"connecthub/handlers/adminapi/gen"

	"github.com/labstack/echo/v4"
)

// BeginOidc handles POST /session/oidc.
func (a *API) BeginOidc(_ echo.Context) error { return pending() }

// FinishOidc handles GET /session/oidc/callback/:organizationId.
func (a *API) FinishOidc(_ echo.Context, _ gen.OrganizationId, _ gen.FinishOidcParams) error {
	return pending()
}

// StepUpOidc handles POST /session/step-up/oidc.
func (a *API) StepUpOidc(_ echo.Context) error { return pending() }
