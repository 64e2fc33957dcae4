// Package fleet is the hub's work with clusters and nodes: register, schedule, postpone, poll,
// confirm, deregister. It knows no HTTP and no pages.
package fleet

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"connecthub/hub/keys"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

// Options are what a Fleet needs.
type Options struct {
	Store     *store.Store
	Keys      *keys.Hub
	Now       func() time.Time
	Log       *slog.Logger
	PublicURL string // of the console, e.g. https://hub.example.com
	// Environment tells installations apart that could share a key, such as a test hub that was made
	// from a backup: a ticket counts in its own only. Empty is PublicURL.
	Environment string
	// MinVersion and MinClient are the oldest product and agent that may be registered; empty is any.
	MinVersion models.Version
	MinClient  models.Version
	// NodePagePort is the port of a publisher's own page; nil means 8445.
	NodePagePort func(models.FQDN) int
	PollNear     time.Duration // in or near a window; default 30 s
	PollFar      time.Duration // default 5 min
	// Replicated says that other processes may answer nodes from the same database.
	Replicated bool
}

// Fleet is every cluster of the hub.
type Fleet struct {
	o       Options
	replica string
	hub     atomic.Pointer[models.HubState]
	roster  roster
	tokens  tokens
	nonces  nonces
	member  membership
	scratch sync.Pool // *wire.ProofScratch
	events  broker
	// releases are as they were when the roster was last read because of them.
	releases atomic.Pointer[map[models.ReleaseID]models.ReleaseState]
}

// New makes a Fleet; Run keeps it up to date.
func New(o Options) (*Fleet, error) {
	if o.Store == nil || o.Keys == nil || o.Now == nil || o.Log == nil || o.PublicURL == "" {
		return nil, errors.New("cannot make a fleet without a store, keys, a clock, a log and a URL")
	}
	if o.PollNear == 0 {
		o.PollNear = 30 * time.Second
	}
	if o.PollFar == 0 {
		o.PollFar = 5 * time.Minute
	}
	if o.Environment == "" {
		o.Environment = o.PublicURL
	}
	if o.NodePagePort == nil {
		o.NodePagePort = func(models.FQDN) int { return 8445 }
	}
	return &Fleet{o: o, replica: uuid.NewString(),
		member:  membership{wake: make(chan struct{}, 1)},
		scratch: sync.Pool{New: func() any { return new(wire.ProofScratch) }}}, nil
}

// Run loads the roster, unless Start has, and keeps it up to date until ctx ends.
func (f *Fleet) Run(ctx context.Context) error {
	if !f.Ready() {
		if err := f.Start(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wait sync.WaitGroup
	var failed [3]error
	listen := func(at int, channel string, heard func(string)) {
		wait.Go(func() {
			defer cancel() // one without the other would be half deaf
			failed[at] = f.o.Store.Listen(ctx, channel, heard)
		})
	}
	listen(0, channelFleet, func(p string) { f.heard(ctx, p) })
	listen(1, store.ChannelReleases, func(string) { f.refresh(ctx) })
	if f.o.Store.Dialect() == store.PostgreSQL {
		wait.Go(func() { f.refreshNow(ctx) })
	}
	if f.o.Replicated {
		wait.Go(func() { f.keepLease(ctx) })
		listen(2, store.ChannelRevoked, func(string) { f.revokedNews() })
	}
	wait.Wait()
	return errors.Join(failed[:]...)
}

// refreshNow reads everything again every minute: a replica may have missed a word.
func (f *Fleet) refreshNow(ctx context.Context) {
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			f.refresh(ctx)
		}
	}
}

func (f *Fleet) incarnation() uint64 {
	if h := f.hub.Load(); h != nil {
		return h.Incarnation
	}
	return 0
}

func (f *Fleet) hubID() string {
	if h := f.hub.Load(); h != nil {
		return h.HubID
	}
	return ""
}

// now is the hub's clock as both databases keep it.
func (f *Fleet) now() time.Time { return f.o.Now().UTC().Truncate(time.Microsecond) }
