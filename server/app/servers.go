package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"connecthub/handlers"
	"connecthub/handlers/adminapi"
	"connecthub/handlers/binaries"
	"connecthub/handlers/depotapi"
	"connecthub/handlers/nodeapi"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// The limits of a connection. A request's own deadline is the edge's; these hold where a peer does
// not even send or take.
const (
	headerTimeout = 5 * time.Second
	bodyTimeout   = 30 * time.Second
	writeSlack    = 15 * time.Second
	// idleTimeout is more than the longest time between two polls, so that nodes keep their
	// connections: a TLS handshake costs more than a hundred polls.
	idleTimeout = 6 * time.Minute
	maxHeader   = 32 << 10
)

// server answers on one listener.
type server struct {
	name     string
	http     *http.Server
	listener net.Listener
}

func (s *server) serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve the %s: %w", s.name, err)
	}
	return nil
}

// shutdown gives up what is not answered in time.
func (s *server) shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err == nil {
		return nil
	}
	err = s.http.Close()
	if err != nil {
		return fmt.Errorf("cannot close the %s: %w", s.name, err)
	}
	return nil
}

// servers are the console with the admin API, the node API with the depot, and the metrics where
// they have a listener of their own.
func (s *service) servers() ([]*server, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics, err := handlers.NewMetrics(registry)
	if err != nil {
		return nil, fmt.Errorf("cannot keep metrics: %w", err)
	}
	s.health = &health{version: s.around.Version, ping: s.hub.store.Ping,
		serving: s.fleet.Serving}
	console, err := s.console(metrics)
	if err != nil {
		return nil, err
	}
	node, err := s.node(metrics)
	if err != nil {
		return nil, err
	}
	servers := []*server{
		s.server("console", console, s.listeners.console),
		s.server("node API", node, s.listeners.node),
	}
	if s.listeners.metrics == nil {
		console.Match(reading(), "/metrics", echo.WrapHandler(metrics.Handler()))
	} else {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", metrics.Handler())
		servers = append(servers, s.server("metrics", mux, s.listeners.metrics))
	}
	return servers, nil
}

func (s *service) edge(metrics *handlers.Metrics, o handlers.Options) (*echo.Echo, error) {
	proxies, err := s.config.Proxies()
	if err != nil {
		return nil, err
	}
	o.Now, o.Log, o.Metrics = s.around.Now, s.around.Log, metrics
	o.TrustedProxies, o.Deadline = proxies, s.config.Deadline
	return handlers.New(o), nil
}

func (s *service) console(metrics *handlers.Metrics) (*echo.Echo, error) {
	e, err := s.edge(metrics, handlers.Options{
		LongLived: []string{adminapi.RouteEvents, adminapi.RouteExport},
		Quiet:     []string{"/healthz", "/readyz", "/metrics", "/*"},
		HTTPS:     strings.HasPrefix(s.config.Public(), "https://"),
	})
	if err != nil {
		return nil, err
	}
	s.health.register(e)
	err = adminapi.Register(e, adminapi.Options{Now: s.around.Now, Log: s.around.Log,
		Fleet: s.fleet, Identity: s.hub.identity, OIDC: s.hub.oidc, Depot: s.hub.depot,
		Audit: s.hub.audit, Software: s.hub.software,
		PublicURL: s.config.Public(), Version: s.around.Version, Closing: s.closing})
	if err != nil {
		return nil, fmt.Errorf("cannot serve the admin API: %w", err)
	}
	registerConsole(e)
	return e, nil
}

func (s *service) node(metrics *handlers.Metrics) (*echo.Echo, error) {
	e, err := s.edge(metrics, handlers.Options{
		LongLived: []string{"/depot/", binaries.Route},
		Quiet:     []string{"/api/node/v1/poll", "/healthz", "/readyz"},
		HTTPS:     true,
	})
	if err != nil {
		return nil, err
	}
	s.health.register(e)
	nodeapi.Register(e, s.fleet)
	depotapi.Register(e, s.hub.depot, s.fleet.AllowFetch, s.fleet.Nonce)
	binaries.Register(e, binaries.Options{Software: s.hub.software, Now: s.around.Now,
		Log: s.around.Log})
	return e, nil
}

func (s *service) server(name string, h http.Handler, l net.Listener) *server {
	return &server{name: name, listener: l, http: &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout,
		WriteTimeout: s.config.Deadline + writeSlack, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader,
		// What a stranger does wrong in a handshake is no news.
		ErrorLog: slog.NewLogLogger(s.around.Log.Handler(), slog.LevelDebug),
	}}
}
