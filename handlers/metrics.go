package handlers

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics counts requests by route, method and status.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

// NewMetrics keeps what it counts in the registry.
func NewMetrics(registry *prometheus.Registry) (*Metrics, error) {
	m := &Metrics{registry: registry, requests: prometheus.NewHistogramVec(
		prometheus.HistogramOpts{
			Name:    "connecthub_http_request_seconds",
			Help:    "How long requests took, by route, method and status.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10},
		}, []string{"route", "method", "status"})}
	if err := registry.Register(m.requests); err != nil {
		return nil, err
	}
	return m, nil
}

// Handler serves the registry in Prometheus's form.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

func (m *Metrics) observe(c echo.Context, took time.Duration) {
	route := c.Path()
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, method(c.Request().Method),
		strconv.Itoa(c.Response().Status)).Observe(took.Seconds())
}

// method keeps invented methods from making series.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}
