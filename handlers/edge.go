package handlers

import (
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// MaxBody is the most that a request body may have. Bundles never come in by HTTP.
const MaxBody = 64 << 10

// DefaultDeadline is how long a request may take, streams and downloads apart.
const DefaultDeadline = 15 * time.Second

// stall is how long one write of a long-lived answer may wait for its reader.
const stall = 30 * time.Second

// Options are what an edge needs.
type Options struct {
	Now     func() time.Time
	Log     *slog.Logger
	Metrics *Metrics // nil: none are kept
	// TrustedProxies may say in X-Forwarded-For whom they ask for; nobody else may.
	TrustedProxies []*net.IPNet
	Deadline       time.Duration // default DefaultDeadline
	// LongLived are the beginnings of routes that answer for long: event streams and downloads.
	// They have no deadline of their own, but every single write has one.
	LongLived []string
	// Quiet are the beginnings of routes whose successes are logged at debug level only.
	Quiet []string
	// HTTPS says that browsers reach this edge by HTTPS only.
	HTTPS bool
}

// New makes an echo instance that answers every error with a problem document. It starts nothing.
func New(o Options) *echo.Echo {
	if o.Deadline == 0 {
		o.Deadline = DefaultDeadline
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Binder = binder{}
	e.HTTPErrorHandler = answerProblem
	e.IPExtractor = addressOf(o.TrustedProxies)
	e.Use(observe(o), bound(o))
	return e
}

// addressOf takes the peer's address, and a proxy's word only where the proxy is trusted.
func addressOf(trusted []*net.IPNet) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false),
		echo.TrustPrivateNet(false)}
	for _, n := range trusted {
		options = append(options, echo.TrustIPRange(n))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}

func beginsWithAny(route string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(route, p) {
			return true
		}
	}
	return false
}
