package adminapi

import (
	"github.com/labstack/echo/v4"
)

// InspectHeadless handles POST /registrations/headless/inspect.
func (a *API) InspectHeadless(_ echo.Context) error { return pending() }

// ApproveHeadless handles POST /registrations/headless/approve.
func (a *API) ApproveHeadless(_ echo.Context) error { return pending() }

// DenyHeadless handles POST /registrations/headless/deny.
func (a *API) DenyHeadless(_ echo.Context) error { return pending() }
