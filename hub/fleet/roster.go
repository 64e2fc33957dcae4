package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

// channelFleet carries "replica organization cluster registration", with - for what it is not about.
const channelFleet = "fleet"

// refreshEvery heals what a replica did not hear of.
const refreshEvery = time.Minute

// roster is what is stored of every living cluster, in memory. It may be late, never wrong in what
// it grants: whatever is granted is decided again from the stored rows.
type roster struct {
	mu       sync.RWMutex
	clusters map[models.ClusterID]*cluster
	// ended are those that were deregistered: rows that were read before must not bring one back.
	ended  map[models.ClusterID]struct{}
	loaded bool
}

// cluster is one entry. Its lock is held over a transaction about the cluster, so that what is kept
// here never goes back in time.
type cluster struct {
	mu     sync.Mutex
	known  bool // false: not registered, or not heard of yet
	rows   rows
	dirty  []bool       // by member: seen since the last batch
	permit *wire.Permit // the open one as its node sees it, signed once

	generation atomic.Uint64 // how often it was set
}

// set takes rows that were read or written last; the lock is held.
func (c *cluster) set(r rows) {
	c.rows, c.known = r, true
	c.generation.Add(1)
	c.dirty = make([]bool, len(r.members))
	if c.permit != nil && (r.permit == nil || r.permit.ID != c.permit.ID ||
		r.permit.State != c.permit.State) {
		c.permit = nil
	}
}

// clear forgets all of it; the lock is held.
func (c *cluster) clear() {
	c.known, c.rows, c.dirty, c.permit = false, rows{}, nil, nil
	c.generation.Add(1)
}

// overlay puts what was seen since the last batch over rows that were read.
func (c *cluster) overlay(r *rows) {
	if !c.known {
		return
	}
	for i := range r.members {
		n := &r.members[i]
		m := c.rows.member(n.ID)
		if m == nil || m.SeenAt == nil || n.SeenAt != nil && !m.SeenAt.After(*n.SeenAt) ||
			m.KeyThumb != n.KeyThumb {
			continue
		}
		n.SeenAt, n.Counter, n.IntervalSeconds = m.SeenAt, m.Counter, m.IntervalSeconds
		n.SkewSeconds, n.StepPercent = m.SkewSeconds, m.StepPercent
	}
}

// entry is the place of a cluster in the roster; it may hold nothing yet.
func (f *Fleet) entry(id models.ClusterID) *cluster {
	r := &f.roster
	r.mu.RLock()
	c := r.clusters[id]
	r.mu.RUnlock()
	if c != nil {
		return c
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.clusters == nil {
		r.clusters = map[models.ClusterID]*cluster{}
	}
	if c = r.clusters[id]; c == nil {
		c = &cluster{}
		r.clusters[id] = c
	}
	return c
}

// find is the entry of a cluster that is known to be living, or nil.
func (f *Fleet) find(id models.ClusterID) *cluster {
	f.roster.mu.RLock()
	defer f.roster.mu.RUnlock()
	return f.roster.clusters[id]
}

func (f *Fleet) forget(id models.ClusterID) {
	f.roster.mu.Lock()
	defer f.roster.mu.Unlock()
	delete(f.roster.clusters, id)
}

// end forgets a cluster that is not living any more, for ever.
func (f *Fleet) end(id models.ClusterID) {
	f.roster.mu.Lock()
	defer f.roster.mu.Unlock()
	if f.roster.ended == nil {
		f.roster.ended = map[models.ClusterID]struct{}{}
	}
	f.roster.ended[id] = struct{}{}
	delete(f.roster.clusters, id)
}

func (f *Fleet) hasEnded(id models.ClusterID) bool {
	f.roster.mu.RLock()
	defer f.roster.mu.RUnlock()
	_, ended := f.roster.ended[id]
	return ended
}

// all are the entries of every cluster.
func (f *Fleet) all() []*cluster {
	f.roster.mu.RLock()
	defer f.roster.mu.RUnlock()
	entries := make([]*cluster, 0, len(f.roster.clusters))
	for _, c := range f.roster.clusters {
		entries = append(entries, c)
	}
	return entries
}

// reload reads one cluster afresh; one that is not living any more leaves the roster.
func (f *Fleet) reload(ctx context.Context, id models.ClusterID) error {
	c := f.entry(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	var loaded rows
	err := f.o.Store.View(ctx, func(tx *store.Tx) error {
		stored, err := tx.Hub().LoadCluster(id)
		if err != nil {
			return err
		}
		loaded, err = rowsOf(stored)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		c.clear()
		f.end(id)
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read cluster %s: %w", id, err)
	}
	c.overlay(&loaded)
	c.set(loaded)
	return nil
}

// follow reads a cluster that was changed outside its lock. What is committed counts, also where the
// caller is gone or the reading fails: without its entry, a node's next request asks the rows.
func (f *Fleet) follow(ctx context.Context, id models.ClusterID) {
	if err := f.reload(context.WithoutCancel(ctx), id); err != nil {
		f.o.Log.Error("cannot follow a change", "cluster", id, "error", err)
		c := f.entry(id)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.clear()
		f.forget(id)
	}
}

// Load fills the roster. Until it has, polls are answered with "try again".
func (f *Fleet) Load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	before := f.generations()
	err := f.o.Store.View(ctx, func(tx *store.Tx) error {
		state, err := tx.Hub().HubState()
		if err != nil {
			return err
		}
		f.hub.Store(&state)
		return tx.Hub().LoadAll(func(stored store.ClusterRows) error {
			was := before[stored.Cluster.ID]
			delete(before, stored.Cluster.ID)
			return f.take(stored, was)
		})
	})
	if err != nil {
		return fmt.Errorf("cannot load the roster: %w", err)
	}
	for id := range before {
		if err := f.reload(ctx, id); err != nil { // it was not among the living
			return err
		}
	}
	f.roster.mu.Lock()
	defer f.roster.mu.Unlock()
	f.roster.loaded = true
	return nil
}

// take puts rows of a View into the roster, unless the entry was set since the View began.
func (f *Fleet) take(stored store.ClusterRows, was uint64) error {
	loaded, err := rowsOf(stored)
	if err != nil {
		return err
	}
	c := f.entry(stored.Cluster.ID)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation.Load() != was || f.hasEnded(stored.Cluster.ID) {
		return nil
	}
	c.overlay(&loaded)
	c.set(loaded)
	return nil
}

// Ready says whether the roster is loaded.
func (f *Fleet) Ready() bool {
	f.roster.mu.RLock()
	defer f.roster.mu.RUnlock()
	return f.roster.loaded
}

// tell lets every replica and every console know, when the transaction commits.
func (f *Fleet) tell(tx *store.Tx, org models.OrganizationID, c models.ClusterID,
	r models.RegistrationID,
) error {
	return tx.Notify(channelFleet, strings.Join([]string{f.replica, dash(string(org)),
		dash(string(c)), dash(string(r))}, " "))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func undash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// heard is what a commit, here or in another replica, has to say.
func (f *Fleet) heard(ctx context.Context, payload string) {
	words := strings.Fields(payload)
	if len(words) != 4 {
		f.refresh(ctx)
		return
	}
	org := models.OrganizationID(undash(words[1]))
	id, reg := models.ClusterID(undash(words[2])), models.RegistrationID(undash(words[3]))
	if words[0] != f.replica && id != "" {
		if err := f.reload(ctx, id); err != nil && ctx.Err() == nil {
			f.o.Log.Error("cannot follow a change", "cluster", id, "error", err)
		}
	}
	f.events.publish(org, Event{Cluster: id, Registration: reg})
}

// refresh reads every cluster again. An entry that changes meanwhile is newer than what was read.
func (f *Fleet) refresh(ctx context.Context) {
	if err := f.Load(ctx); err != nil && ctx.Err() == nil {
		f.o.Log.Error("cannot refresh the roster", "error", err)
	}
}

// generations are how often each entry was set so far.
func (f *Fleet) generations() map[models.ClusterID]uint64 {
	f.roster.mu.RLock()
	defer f.roster.mu.RUnlock()
	g := make(map[models.ClusterID]uint64, len(f.roster.clusters))
	for id, c := range f.roster.clusters {
		g[id] = c.generation.Load()
	}
	return g
}
