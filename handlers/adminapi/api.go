// Package adminapi is /api/admin/v1, what administrators and release engineers do with the hub: it
// parses, asks who may, calls a use case and renders. It decides nothing.
package adminapi

import (
	"log/slog"
	"net/http"
	"time"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/audit"
	"connecthub/hub/depot"
	"connecthub/hub/fleet"
	"connecthub/hub/identity"
	"connecthub/hub/oidc"
	"connecthub/hub/software"

	"github.com/labstack/echo/v4"
)

// Base is the beginning of every path of the API.
const Base = "/api/admin/v1"

// RouteEvents is the route of the event stream, which has no deadline.
const RouteEvents = Base + "/events"

// Options are what the API needs.
type Options struct {
	Now       func() time.Time
	Log       *slog.Logger
	Fleet     *fleet.Fleet
	Identity  *identity.Identity
	OIDC      *oidc.OIDC
	Depot     *depot.Depot
	Audit     *audit.Audit
	Software  *software.Software
	PublicURL string // of the console: the one foreign origin that is none
	Version   string // of the hub
	// Heartbeat is how often an event stream shows that it lives; default 15 s.
	Heartbeat time.Duration
	// Closing is closed when event streams must end; nil never is.
	Closing <-chan struct{}
}

// API answers the operations of openapi.yaml, one file a resource.
type API struct {
	o      Options
	origin *http.CrossOriginProtection
}

var _ gen.ServerInterface = (*API)(nil)

// Register adds the API's routes and its documentation.
func Register(e *echo.Echo, o Options) error {
	if o.Heartbeat == 0 {
		o.Heartbeat = 15 * time.Second
	}
	a := &API{o: o, origin: http.NewCrossOriginProtection()}
	if err := a.origin.AddTrustedOrigin(o.PublicURL); err != nil {
		return err
	}
	guards := make(map[string][]echo.MiddlewareFunc)
	for operation, who := range Access() {
		guards[operation] = []echo.MiddlewareFunc{a.guard(who)}
	}
	gen.RegisterHandlersWithOptions(e, a, gen.RegisterHandlersOptions{
		BaseURL: Base, OperationMiddlewares: guards})
	return registerDocs(e)
}

// answer renders what a use case gave.
func answer[V, W any](c echo.Context, status int, v V, err error, render func(V) W) error {
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.JSON(status, render(v))
}

// cluster renders a cluster's page in the language of the request.
func cluster(c echo.Context, v fleet.ClusterView, err error) error {
	language := handlers.Language(c)
	return answer(c, http.StatusOK, v, err, func(v fleet.ClusterView) gen.Cluster {
		return clusterOf(v, language)
	})
}

// read reads a request's body strictly.
func read[T any](c echo.Context) (T, error) {
	var body T
	err := handlers.ReadJSON(c, &body)
	return body, err
}
