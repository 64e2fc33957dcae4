// Package depotapi is /depot: bundles by digest, with ranges, for nodes that hold a permit. It
// decides nothing itself.
package depotapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"connecthub/hub/depot"
	"connecthub/models/wire"
)

// Allow refuses unless the access token is of a node that may fetch the bundle now (R14).
type Allow func(ctx context.Context, accessToken, digest string) error

// Register adds the routes of the depot.
func Register(e *echo.Echo, d *depot.Depot, allow Allow) {
	serve := func(c echo.Context) error { return serveBundle(c, d, allow) }
	e.GET(wire.PathBundles+":digest", serve)
	e.HEAD(wire.PathBundles+":digest", serve)
}

// serveBundle asks for the right before it looks for the bundle, so that without a permit every
// digest has the same answer.
func serveBundle(c echo.Context, d *depot.Depot, allow Allow) error {
	digest := c.Param("digest")
	if err := allow(c.Request().Context(), accessToken(c), digest); err != nil {
		return err
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

func accessToken(c echo.Context) string {
	scheme, token, ok := strings.Cut(c.Request().Header.Get(echo.HeaderAuthorization), " ")
	if !ok || !strings.EqualFold(scheme, "DPoP") && !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}
