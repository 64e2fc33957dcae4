package deployment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/target"
)

const (
	cacheFile  = "component-cache.json"
	cacheLimit = 8 << 20
)

// Refresh is which machines are asked anew.
type Refresh string

// The types of a refresh.
const (
	RefreshAll     Refresh = "all"
	RefreshVOS     Refresh = "vos"
	RefreshWindows Refresh = "windows"
	RefreshMissing Refresh = "missing" // those that were not reached, or whose data are not whole
)

// Refreshes lists them.
func Refreshes() []Refresh { return []Refresh{RefreshAll, RefreshVOS, RefreshWindows, RefreshMissing} }

// Cached is what is remembered of a machine.
type Cached struct {
	Name          string            `json:"name"`
	Product       inventory.Product `json:"product"`
	Group         string            `json:"group"`
	At            time.Time         `json:"at"`
	Facts         target.Facts      `json:"facts"`
	target.Reason                   // why it was not reached
	Trouble       string            `json:"trouble,omitempty"` // the same in English; empty where it was reached
}

// Missing says whether the machine answered, and did not say its version.
func (c Cached) Missing() bool { return c.Trouble == "" && c.Facts.Active.Version.IsZero() }

// State is the machine as the compatibility check sees it.
func (c Cached) State() compat.State {
	return compat.State{Machine: c.Name, Product: c.Product, Version: c.Facts.Active.Level(),
		Packages: c.Facts.Packages}
}

// Cache is what all machines said when they were last asked.
type Cache struct {
	Triggered time.Time `json:"triggered"`
	Type      Refresh   `json:"type"`
	By        string    `json:"by"`
	Machines  []Cached  `json:"machines"` // in the order of the inventory
}

// ReadCache answers what is remembered; one that was never made is empty.
func ReadCache(dir string) (Cache, error) {
	var c Cache
	err := atomicfile.ReadJSON(filepath.Join(dir, "control", cacheFile), cacheLimit, &c)
	if errors.Is(err, os.ErrNotExist) {
		return Cache{}, nil
	}
	return c, err
}

// Find answers what is remembered of a machine.
func (c Cache) Find(name string) (Cached, bool) {
	i := slices.IndexFunc(c.Machines, func(m Cached) bool { return m.Name == name })
	if i < 0 {
		return Cached{}, false
	}
	return c.Machines[i], true
}

// Wants says whether a refresh asks a machine.
func (c Cache) Wants(r Refresh, name string, product inventory.Product) bool {
	known, ok := c.Find(name)
	switch r {
	case RefreshAll:
		return true
	case RefreshVOS:
		return product.VOS()
	case RefreshWindows:
		return !product.VOS()
	case RefreshMissing:
		return !ok || known.Trouble != "" || known.Missing()
	}
	return false
}

// Update asks machines and remembers what they said. Whoever calls it has the lock of orchestration. It is
// what the job of 05:00 does, with RefreshAll.
func Update(ctx context.Context, dir, by string, r Refresh, now func() time.Time, told func(Seen)) (
	Cache, error) {
	d, err := Open(dir, now)
	if err != nil {
		return Cache{}, err
	}
	old, err := ReadCache(dir)
	if err != nil {
		old = Cache{} // it is made anew
	}
	began := now()
	var hosts []procedure.Host
	for _, h := range d.Hosts {
		if old.Wants(r, h.Name, h.Product) {
			hosts = append(hosts, h)
		}
	}
	seen, err := d.Ask(ctx, hosts, told)
	if err != nil {
		return Cache{}, err
	}
	return d.Remember(r, by, began, seen)
}

// Remember puts what was just seen in the place of what was known. Machines that are not in the inventory
// any more are forgotten.
func (d *Deployment) Remember(r Refresh, by string, began time.Time, seen []Seen) (Cache, error) {
	old, err := ReadCache(d.dir)
	if err != nil {
		old = Cache{} // it is made anew
	}
	fresh := Cache{Triggered: began.UTC(), Type: r, By: by, Machines: []Cached{}}
	for _, h := range d.Hosts {
		c := Cached{Name: h.Name, Product: h.Product, Group: h.Group}
		if known, ok := old.Find(h.Name); ok && known.Product == h.Product {
			c = known
		}
		i := slices.IndexFunc(seen, func(s Seen) bool { return s.Name == h.Name })
		if i >= 0 && seen[i].Err == nil {
			c.At, c.Facts, c.Trouble, c.Reason = seen[i].At, seen[i].Facts, "", target.Reason{}
		} else if i >= 0 {
			c.At, c.Reason = seen[i].At, target.Explain(seen[i].Err)
			c.Trouble = c.Sentence("en")
		}
		if !c.At.IsZero() {
			fresh.Machines = append(fresh.Machines, c)
		}
	}
	if err := os.MkdirAll(filepath.Join(d.dir, "control"), 0o700); err != nil {
		return fresh, fmt.Errorf("cannot make the folder of the cache: %w", err)
	}
	return fresh, atomicfile.WriteJSON(filepath.Join(d.dir, "control", cacheFile), fresh)
}
