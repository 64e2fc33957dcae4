package app

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"connecthub/models"
	"connecthub/scheduler/window"

	"github.com/labstack/echo/v4"
)

// health says how the hub is. It is ready from its first to its last moment of service.
type health struct {
	version string
	ping    func(context.Context) error
	serving func() error // whether this replica may answer nodes
	ready   atomic.Bool
}

func (h *health) register(e *echo.Echo) {
	e.Match(reading(), "/healthz", h.healthz)
	e.Match(reading(), "/readyz", h.readyz)
}

// reading are the methods that only look.
func reading() []string { return []string{http.MethodGet, http.MethodHead} }

// healthz handles GET /healthz: the process is up, and which it is.
func (h *health) healthz(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.JSON(http.StatusOK, map[string]string{
		"status": "ok", "version": h.version, "zone_data_version": window.ZoneDataVersion()})
}

// readyz handles GET /readyz: requests are welcome, nodes are answered, and the database is there.
func (h *health) readyz(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	ctx, cancel := context.WithTimeout(c.Request().Context(), 2*time.Second)
	defer cancel()
	if !h.ready.Load() || h.serving() != nil || h.ping(ctx) != nil {
		return &models.Refusal{Kind: models.KindUnavailable, Code: "unavailable",
			RetryAfter: time.Second}
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ready"})
}
