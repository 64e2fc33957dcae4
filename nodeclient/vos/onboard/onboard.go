// Package onboard is how the publisher of a VOS cluster makes its machines known to the control nodes: it
// asks them over TLS that it trusts by tomcat-trust alone, hands their keys to its machines, and remembers
// how each stands. It knows nothing of how machines are orchestrated then.
package onboard

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/vos"
)

const (
	recordFile  = "vos-onboarding.json"
	recordLimit = 256 << 10
)

// Login is the application user of the control nodes.
type Login struct {
	Publisher string // FQDN of the control nodes' publisher
	User      string
	Password  remote.Password
	Language  string // of what a control node answers
}

// Record is what this cluster's publisher remembers. It holds no password.
type Record struct {
	Publisher string    `json:"publisher"` // of the control nodes
	User      string    `json:"user"`      // what a prompt shows the next time
	Keys      []Key     `json:"keys"`
	Group     string    `json:"group"`
	Inventory int       `json:"inventory"`
	Partial   bool      `json:"partial"`
	Removing  bool      `json:"removing"` // the control node has forgotten it, some machine's keys are left
	Nodes     []Machine `json:"nodes"`
	Time      time.Time `json:"time"`
}

// Key is a control node that was let in.
type Key struct {
	Category string `json:"category"`
	HostName string `json:"hostName"`
}

// Machine is how one machine stands.
type Machine struct {
	Name    string             `json:"name"`
	Type    inventory.NodeType `json:"type"`
	Trouble string             `json:"trouble,omitempty"`
	Advice  string             `json:"advice,omitempty"`
}

// Read answers what is remembered; the second result is false where nothing is.
func Read(dir string) (Record, bool, error) {
	var r Record
	err := atomicfile.ReadJSON(filepath.Join(dir, recordFile), recordLimit, &r)
	if errors.Is(err, os.ErrNotExist) {
		return r, false, nil
	}
	return r, err == nil, err
}

// Options are what a Cluster is given; all are needed.
type Options struct {
	Dir     string
	Machine *vos.Machine
	Now     func() time.Time
}

// Cluster is one VOS cluster, on its publisher.
type Cluster struct{ o Options }

// New refuses a subscriber: onboarding is its publisher's.
func New(o Options) (*Cluster, error) {
	if o.Machine.Type != inventory.Publisher {
		return nil, refuse(PublisherOnly, o.Machine.Publisher)
	}
	return &Cluster{o}, nil
}

// ParseName takes a control node's name as a prompt was given it. It refuses what is no FQDN.
func ParseName(typed string) (string, error) {
	name, err := models.ParseFQDN(typed)
	if err != nil || string(name) != strings.ToLower(strings.TrimSuffix(typed, ".")) {
		return "", refuse(NotFQDN, vosapi.Plain(typed))
	}
	return string(name), nil
}

// Ready refuses what can be refused before anybody is asked for a password.
func (c *Cluster) Ready(verb Verb) error {
	r, known, err := Read(c.o.Dir)
	if err != nil {
		return err
	}
	switch {
	case verb == Remove:
		return nil
	case known && r.Removing:
		return refuse(RemovalUnfinished, r.Publisher)
	case verb == Initiate && known && r.Partial:
		return refuse(PartialAlready, r.Publisher)
	case verb == Initiate && known:
		return refuse(OnboardedAlready, r.Publisher)
	case verb == Update && !known:
		return refuse(NotOnboarded, "")
	}
	return nil
}

// Verb is what is asked for.
type Verb string

// The verbs.
const (
	Initiate Verb = "initiate"
	Update   Verb = "update"
	Remove   Verb = "remove"
)

// Onboard makes the cluster known, or brings what the control nodes know up to date. Both control nodes
// must answer before anything is changed; where the control node refuses afterwards, its keys are taken
// away again.
func (c *Cluster) Onboard(ctx context.Context, verb Verb, l Login, say func(string)) (Record, error) {
	unlock, err := c.o.Machine.Alone("onboarding")
	if err != nil {
		return Record{}, err
	}
	defer unlock()
	if err := c.Ready(verb); err != nil {
		return Record{}, err
	}
	before, known, err := Read(c.o.Dir)
	if err != nil {
		return Record{}, err
	}
	if known && before.Publisher != l.Publisher {
		return Record{}, refuse(OtherControlNode, before.Publisher)
	}
	client, err := c.client(l)
	if err != nil {
		return Record{}, err
	}
	defer client.close()
	say("Asking the control nodes...")
	begin, keys, err := client.greet(ctx)
	if err != nil {
		return Record{}, err
	}
	say("Handing the control nodes' keys to the machines of this cluster...")
	nodes, err := c.o.Machine.Spread(ctx, keys)
	if err != nil {
		return Record{}, err
	}
	say("Entering the cluster into the inventory of " + begin.HostName + "...")
	done, err := client.enter(ctx, verb, c.application(nodes))
	if err != nil {
		if known {
			return before, err
		}
		_, back := c.o.Machine.Spread(context.WithoutCancel(ctx), nil)
		return Record{}, errors.Join(err, back)
	}
	r := Record{Publisher: l.Publisher, User: l.User, Group: done.Group, Inventory: done.Inventory,
		Partial: done.Partial, Time: c.o.Now().UTC()}
	for _, k := range keys {
		r.Keys = append(r.Keys, Key{Category: k.Category, HostName: k.HostName})
	}
	for _, n := range done.Nodes {
		r.Nodes = append(r.Nodes, Machine(n))
	}
	return r, c.write(r)
}

func (c *Cluster) write(r Record) error {
	return atomicfile.WriteJSON(filepath.Join(c.o.Dir, recordFile), r)
}

// application is what the control node judges. What is wrong with this machine's own facts is an error of
// the machine, and was one already.
func (c *Cluster) application(nodes []vos.Node) vosapi.Onboarding {
	m := c.o.Machine
	o := vosapi.Onboarding{Protocol: vosapi.Protocol, Cluster: m.ClusterID, Name: m.Cluster, Product: m.Product}
	for _, n := range nodes {
		a := vosapi.Applicant{Name: n.Name, Type: n.Type, User: n.User}
		if n.Err != nil {
			a.Trouble = vosapi.Plain("its publisher did not reach it: " + n.Err.Error())
		} else {
			facts := n.Facts
			a.Facts = &facts
		}
		o.Nodes = append(o.Nodes, a)
	}
	return o
}

// Gone is the end of a removal.
type Gone struct {
	Known bool     `json:"known"` // false: the control node never knew the cluster
	Left  []string `json:"left"`  // machines that were not reached, and still have the keys
}

// Remove makes the control node forget the cluster, also one that never knew it, and takes the keys away.
// Without a login only the keys are taken away: for control nodes that are gone for good.
func (c *Cluster) Remove(ctx context.Context, l *Login, say func(string)) (Gone, error) {
	var gone Gone
	unlock, err := c.o.Machine.Alone("onboarding")
	if err != nil {
		return gone, err
	}
	defer unlock()
	if l != nil {
		client, err := c.client(*l)
		if err != nil {
			return gone, err
		}
		defer client.close()
		say("Asking the control node to forget this cluster...")
		m := c.o.Machine
		done, err := client.leave(ctx, vosapi.Removal{Protocol: vosapi.Protocol, Cluster: m.ClusterID, Publisher: m.Name})
		if err != nil {
			return gone, err
		}
		gone.Known = done.Known
	}
	say("Taking the control nodes' keys away...")
	nodes, err := c.o.Machine.Spread(ctx, nil)
	if err != nil {
		return gone, err
	}
	gone.Left = []string{}
	for _, n := range nodes {
		if n.Err != nil {
			gone.Left = append(gone.Left, n.Name)
		}
	}
	r, known, err := Read(c.o.Dir)
	if err != nil {
		return gone, err
	}
	if known && len(gone.Left) > 0 {
		r.Removing, r.Time = true, c.o.Now().UTC()
		r.Nodes = slices.DeleteFunc(r.Nodes, func(m Machine) bool { return !slices.Contains(gone.Left, m.Name) })
		return gone, c.write(r)
	}
	return gone, atomicfile.Remove(filepath.Join(c.o.Dir, recordFile))
}

// versionNeeded is the Cloud Connect that orchestrates at all.
func versionNeeded(name string, v compat.Version) error {
	if v.IsZero() {
		return nil
	}
	facts, err := compat.Load()
	if err != nil {
		return err
	}
	return facts.Requirements(compat.State{Machine: name, Product: compat.CloudConnect, Version: v}).Err()
}
