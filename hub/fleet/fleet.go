// Package fleet is the hub's work with clusters and nodes: register, schedule, postpone, poll,
// confirm, deregister. It knows no HTTP and no pages.
package fleet

import (
	"log/slog"
	"time"

	"connecthub/models"
)

// Options are what a Fleet needs. Store and Keys follow with their packages.
type Options struct {
	Now       func() time.Time
	Log       *slog.Logger
	PublicURL string // of the console, e.g. https://hub.example.com
	// NodePagePort is the port of a publisher's own page; nil means 8445.
	NodePagePort func(models.FQDN) int
	PollNear     time.Duration // in or near a window; default 30 s
	PollFar      time.Duration // default 5 min
}

// Fleet is every cluster of the hub.
type Fleet struct {
	o      Options
	events broker
}

// New makes a Fleet; Run keeps it up to date.
func New(o Options) (*Fleet, error) { return &Fleet{o: o}, nil }
