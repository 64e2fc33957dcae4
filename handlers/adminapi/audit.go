package adminapi

import (
	"connecthub/handlers/adminapi/gen"

	"github.com/labstack/echo/v4"
)

// ListAudit handles GET /audit.
func (a *API) ListAudit(_ echo.Context, _ gen.ListAuditParams) error { return pending() }

// ExportAudit handles GET /audit/export.
func (a *API) ExportAudit(_ echo.Context, _ gen.ExportAuditParams) error { return pending() }

// ListAuditCategories handles GET /audit/categories.
func (a *API) ListAuditCategories(_ echo.Context) error { return pending() }
