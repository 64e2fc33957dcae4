// Package depotapi is /depot: bundles by digest, with ranges, for nodes that hold a permit. It
// decides nothing itself.
package depotapi

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"connecthub/handlers"
	"connecthub/hub/depot"
	"connecthub/models/wire"
)

// Allow refuses unless the request is of a node that may fetch the bundle now (R14).
type Allow func(ctx context.Context, c wire.Credentials, digest string) error

// Register adds the routes of the depot.
func Register(e *echo.Echo, d *depot.Depot, allow Allow, nonce func() []string) {
	nonced := handlers.Nonced(nonce)
	serve := func(c echo.Context) error { return serveBundle(c, d, allow) }
	e.GET(wire.PathBundles+":digest", serve, nonced)
	e.HEAD(wire.PathBundles+":digest", serve, nonced)
}

// serveBundle asks for the right before it looks for the bundle, so that without a permit every
// digest has the same answer.
func serveBundle(c echo.Context, d *depot.Depot, allow Allow) error {
	digest := c.Param("digest")
	if err := allow(c.Request().Context(), handlers.Credentials(c), digest); err != nil {
		return handlers.Challenged(c, err)
	}
	file, err := d.Open(digest)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "application/zstd")
	h.Set(echo.HeaderCacheControl, "no-store, no-transform")
	h.Set("ETag", `"`+digest+`"`)
	http.ServeContent(c.Response(), c.Request(), "", time.Time{}, file)
	return nil
}
