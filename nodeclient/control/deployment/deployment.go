// Package deployment is a control node's view of its machines: where the inventory says they are, what
// they say of themselves, and what software there is for them. It begins no procedure, and knows no
// prompt.
package deployment

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/onboarding"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/sshport"
	"connecthub/nodeclient/control/target"
	"connecthub/nodeclient/control/vosdriver"
	"connecthub/nodeclient/control/windriver"
)

const (
	// AskAtOnce is how many machines are asked at the same time.
	AskAtOnce = 10
	askLimit  = 90 * time.Second
)

// Deployment is what the inventory of a node's folder says.
type Deployment struct {
	Inventory inventory.Inventory
	Hosts     []procedure.Host // in the order of the inventory
	Facts     *compat.Facts
	dir       string
	now       func() time.Time
}

// Open reads the inventory and how its machines are reached.
func Open(dir string, now func() time.Time) (*Deployment, error) {
	current, err := machines.Open(dir, now).Current()
	if err != nil {
		return nil, err
	}
	what, found := inventory.Parse(current.Text)
	if len(found) > 0 {
		return nil, fmt.Errorf("cannot read the inventory: %w", found)
	}
	facts, err := compat.Load()
	if err != nil {
		return nil, err
	}
	port, _, err := sshport.Read(dir, now)
	if err != nil {
		return nil, err
	}
	clusters, err := onboarding.Clusters(dir, now)
	if err != nil {
		return nil, err
	}
	d := &Deployment{Inventory: what, Facts: facts, dir: dir, now: now}
	pins := remote.OpenPins(dir, now)
	for _, m := range what.Machines() {
		h := procedure.Host{Name: m.Host.Name, User: m.Host.User, Product: m.Product, Group: m.Group,
			Side: m.Host.Side, Type: m.Host.Type}
		if h.Address, err = sshport.Address(h.Name, port); err != nil {
			return nil, fmt.Errorf("cannot reach %s: %w", h.Name, err)
		}
		if n, ok := onboarding.Find(clusters, h.Name); ok && h.Product.VOS() {
			h.User = n.User
		}
		if key, err := pins.Of(h.Address); err == nil && key != nil {
			h.Key = ssh.FingerprintSHA256(key)
		}
		d.Hosts = append(d.Hosts, h)
	}
	return d, nil
}

// ErrNotOnboarded says that a VOS machine stands in the inventory and was never onboarded.
var ErrNotOnboarded error = &target.Obstacle{Reason: target.Because("never_onboarded")}

// Driver opens machines with this node's key. The context bounds every connection.
func (d *Deployment) Driver(ctx context.Context) (func(procedure.Host) (target.Machine, error), error) {
	own, err := keys.Own(d.dir)
	if err != nil {
		return nil, err
	}
	pins := remote.OpenPins(d.dir, d.now)
	return func(h procedure.Host) (target.Machine, error) {
		if h.User == "" {
			return nil, ErrNotOnboarded
		}
		link := remote.NewLink(ctx, pins, remote.Target{Address: h.Address, User: h.User,
			Signers: []ssh.Signer{own.Signer()}})
		if h.Product.VOS() {
			return vosdriver.New(link), nil
		}
		return windriver.New(link), nil
	}, nil
}

// Seen is what a machine said of itself, or why it said nothing.
type Seen struct {
	procedure.Host
	Facts target.Facts
	Err   error
	At    time.Time
}

// State is the machine as the compatibility check sees it; one that did not answer has no version.
func (s Seen) State() compat.State {
	return compat.State{Machine: s.Name, Product: s.Product, Version: s.Facts.Active.Level(),
		Packages: s.Facts.Packages}
}

// Ask asks machines, several at once; each is told of when it has answered.
func (d *Deployment) Ask(ctx context.Context, hosts []procedure.Host, told func(Seen)) ([]Seen, error) {
	open, err := d.Driver(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Seen, len(hosts))
	free := make(chan struct{}, AskAtOnce)
	var group sync.WaitGroup
	var mu sync.Mutex
	for i, h := range hosts {
		group.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			s := d.ask(ctx, open, h)
			mu.Lock()
			defer mu.Unlock()
			if all[i] = s; told != nil {
				told(s)
			}
		})
	}
	group.Wait()
	return all, ctx.Err()
}

func (d *Deployment) ask(ctx context.Context, open func(procedure.Host) (target.Machine, error),
	h procedure.Host) Seen {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	s := Seen{Host: h}
	m, err := open(h)
	if err == nil {
		s.Facts, err = m.Facts(ctx)
		m.Close()
	}
	s.Err, s.At = err, d.now().UTC()
	return s
}
