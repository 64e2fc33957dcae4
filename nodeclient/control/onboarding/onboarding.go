// Package onboarding is how a VOS cluster becomes one that a control node orchestrates, and ceases to be:
// it judges who applies, confirms the machines' SSH keys, and writes them into the inventory. It knows
// neither the application user nor HTTP.
package onboarding

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"connecthub/models"
	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/control/vosapi"
)

const (
	maxMachines = 150 // the record of all of them is one document
	maxPackages = 16
	importTries = 5
)

// Self is who this control node is at the moment.
type Self struct {
	Name        models.FQDN
	Role        models.NodeRole
	Publisher   models.FQDN   // of a subscriber
	Subscribers []models.FQDN // of a publisher
	Version     compat.Version
}

// Options are what a Desk is given; all are needed.
type Options struct {
	Dir  string
	Self func() (Self, error)
	Now  func() time.Time
}

// Desk is where VOS clusters apply. One is looked after at a time.
type Desk struct {
	o  Options
	mu sync.Mutex
}

// New opens the desk; nothing is read before somebody applies.
func New(o Options) *Desk { return &Desk{o: o} }

// record is what is remembered of all clusters. It goes to the subscriber.
type record struct {
	Clusters []Cluster `json:"clusters"`
}

// Cluster is one VOS cluster that was onboarded.
type Cluster struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"` // as its people call it
	Product inventory.Product `json:"product"`
	Group   string            `json:"group"` // in the inventory
	Time    time.Time         `json:"time"`
	By      string            `json:"by"`
	Nodes   []Node            `json:"nodes"` // the publisher first
}

// Node is one machine of such a cluster.
type Node struct {
	Name     string             `json:"name"`
	Type     inventory.NodeType `json:"type"`
	User     string             `json:"user"`              // of its SSH server
	HostKey  string             `json:"hostKey,omitempty"` // of its SSH server; none was heard of where empty
	Version  compat.Version     `json:"version"`           // with its latest patch
	Packages []string           `json:"packages,omitempty"`
	Trouble  string             `json:"trouble,omitempty"` // why it cannot be orchestrated yet
}

// Clusters lists what was onboarded, on the publisher and on its subscriber.
func Clusters(dir string, now func() time.Time) ([]Cluster, error) {
	r, _, err := settings.Read[record](settings.Open(dir, now), settings.Onboarding)
	return r.Clusters, err
}

// Find answers how a machine of the inventory was onboarded, or false.
func Find(clusters []Cluster, machine string) (Node, bool) {
	for _, c := range clusters {
		for _, n := range c.Nodes {
			if strings.EqualFold(n.Name, machine) {
				return n, true
			}
		}
	}
	return Node{}, false
}

// Begin says who the control nodes are. A subscriber answers, too, so that whoever asks it learns whom to
// ask.
func (d *Desk) Begin() (vosapi.Begin, error) {
	self, err := d.o.Self()
	if err != nil {
		return vosapi.Begin{}, err
	}
	own, err := keys.OwnPublic(d.o.Dir, self.Role, self.Name)
	if err != nil {
		return vosapi.Begin{}, err
	}
	b := vosapi.Begin{Protocol: vosapi.Protocol, Publisher: string(self.Name), Subscribers: []string{},
		Peers: []vosapi.Key{}, Version: self.Version, Key: said(own)}
	if self.Role == models.Subscriber {
		b.Publisher = string(self.Publisher)
	}
	peers, err := keys.Peers(d.o.Dir)
	if err != nil {
		return vosapi.Begin{}, err
	}
	for _, s := range self.Subscribers {
		b.Subscribers = append(b.Subscribers, string(s))
		for _, p := range peers {
			if p.HostName == s {
				b.Peers = append(b.Peers, said(p))
			}
		}
	}
	return b, nil
}

func said(p keys.Public) vosapi.Key {
	return vosapi.Key{Category: string(p.Category), HostName: string(p.HostName),
		PublicKey: string(p.PublicKey)}
}

// Add takes a cluster in, or brings what is known of it up to date. It refuses a cluster that lacks what
// orchestration needs, whole and before anything is changed. A machine that cannot be reached is trouble
// of its own: it is recorded, and the others are taken in.
func (d *Desk) Add(ctx context.Context, o vosapi.Onboarding, update bool, by string) (
	vosapi.Onboarded, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	self, err := d.publisher()
	if err != nil {
		return vosapi.Onboarded{}, err
	}
	if err := o.Check(); err != nil {
		return vosapi.Onboarded{}, &models.Refusal{Kind: models.KindInvalid, Code: "onboarding_malformed"}
	}
	if err := d.idle(); err != nil {
		return vosapi.Onboarded{}, err
	}
	advice, err := judge(self, o)
	if err != nil {
		return vosapi.Onboarded{}, err
	}
	known, err := Clusters(d.o.Dir, d.o.Now)
	if err != nil {
		return vosapi.Onboarded{}, err
	}
	before, found := byID(known, o.Cluster)
	if update && !found {
		return vosapi.Onboarded{}, models.Conflict("cluster_not_onboarded", o.Name)
	}
	if err := d.free(known, o); err != nil {
		return vosapi.Onboarded{}, err
	}
	fresh := Cluster{ID: o.Cluster, Name: o.Name, Product: o.Product, Time: d.o.Now().UTC(), By: by,
		Nodes: nodesOf(o, before)}
	if err := d.pinnable(fresh, before); err != nil {
		return vosapi.Onboarded{}, err
	}
	number, err := d.enter(&fresh, before.Group, by)
	if err != nil {
		return vosapi.Onboarded{}, err
	}
	// noted before the machines are asked: a control node that dies now knows whom it has entered. Keys
	// are confirmed last: whoever is refused leaves none
	if err := errors.Join(d.note(fresh), d.unpin(left(before, fresh)), d.pin(fresh)); err != nil {
		return vosapi.Onboarded{}, err
	}
	d.greet(ctx, &fresh)
	if err := d.note(fresh); err != nil {
		return vosapi.Onboarded{}, err
	}
	answer := outcome(fresh, advice, number)
	d.log("%s: %s %s, group %s, inventory version %d, partial=%t, by %s", verb(update), o.Product, o.Name,
		fresh.Group, number, answer.Partial, by)
	return answer, nil
}

// left are the machines that the cluster has no more.
func left(before, now Cluster) Cluster {
	before.Nodes = slices.DeleteFunc(slices.Clone(before.Nodes), func(n Node) bool {
		_, stays := Find([]Cluster{now}, n.Name)
		return stays
	})
	return before
}

// idle refuses while machines are orchestrated: how they are reached must not change meanwhile.
func (d *Desk) idle() error {
	note, busy, err := gate.Busy(d.o.Dir, gate.Orchestration)
	if err == nil && busy {
		err = &models.Refusal{Kind: models.KindConflict, Code: "orchestration_runs", Subject: note.What}
	}
	return err
}

func verb(update bool) string {
	if update {
		return "update"
	}
	return "initiate"
}

func (d *Desk) log(format string, args ...any) {
	// what is done is done, whether or not it can be written down
	_ = logs.Open(d.o.Dir, logs.Onboard).Line(d.o.Now(), format, args...)
}

func (d *Desk) publisher() (Self, error) {
	self, err := d.o.Self()
	if err == nil && self.Role == models.Subscriber {
		err = models.Conflict("onboard_on_publisher", string(self.Publisher))
	}
	return self, err
}

func outcome(c Cluster, advice map[string]string, number int) vosapi.Onboarded {
	answer := vosapi.Onboarded{Protocol: vosapi.Protocol, Group: c.Group, Inventory: number,
		Nodes: []vosapi.Outcome{}}
	for _, n := range c.Nodes {
		answer.Partial = answer.Partial || n.Trouble != ""
		answer.Nodes = append(answer.Nodes, vosapi.Outcome{Name: n.Name, Type: n.Type, Trouble: n.Trouble,
			Advice: advice[n.Name]})
	}
	return answer
}

// judge asks every row of what orchestration needs, of Cloud Connect itself, too, where a version of it
// is installed here.
func judge(self Self, o vosapi.Onboarding) (advice map[string]string, err error) {
	facts, err := compat.Load()
	if err != nil {
		return nil, err
	}
	var missing compat.Refusals
	states := []compat.State{{Machine: string(self.Name), Product: compat.CloudConnect, Version: self.Version}}
	if self.Version.IsZero() {
		states = nil
	}
	for _, n := range o.Nodes {
		if n.Facts != nil {
			states = append(states, compat.State{Machine: n.Name, Product: o.Product,
				Version: n.Facts.Active.Level(), Packages: n.Facts.Packages})
		}
	}
	advice = map[string]string{}
	for _, s := range states {
		missing = append(missing, facts.Requirements(s)...)
		if a := facts.Advice(s); len(a) > 0 {
			advice[s.Machine] = a.Sentence("en")
		}
	}
	return advice, missing.Err()
}

func byID(all []Cluster, id string) (Cluster, bool) {
	for _, c := range all {
		if c.ID == id {
			return c, true
		}
	}
	return Cluster{}, false
}

// free refuses a machine that is somebody else already: of another cluster, or in the inventory as
// something that no onboarding has entered.
func (d *Desk) free(known []Cluster, o vosapi.Onboarding) error {
	total := len(o.Nodes)
	for _, c := range known {
		if c.ID != o.Cluster {
			total += len(c.Nodes)
		}
	}
	if total > maxMachines {
		return models.Conflict("too_many_machines", fmt.Sprint(maxMachines))
	}
	now, err := machines.Open(d.o.Dir, d.o.Now).Current()
	if err != nil {
		return err
	}
	what, found := inventory.Parse(now.Text)
	if len(found) > 0 {
		return fmt.Errorf("cannot read the inventory: %w", found)
	}
	for _, n := range o.Nodes {
		for _, c := range known {
			if _, there := Find([]Cluster{c}, n.Name); there && c.ID != o.Cluster {
				return models.Conflict("machine_onboarded_already", n.Name)
			}
		}
		for _, m := range what.Machines() {
			if strings.EqualFold(m.Host.Name, n.Name) && m.Product != o.Product {
				return models.Conflict("machine_in_inventory", n.Name)
			}
		}
	}
	return nil
}

// nodesOf is what is known now. Of a machine that was not reached what was known before stays.
func nodesOf(o vosapi.Onboarding, before Cluster) []Node {
	var all []Node
	for _, a := range o.Nodes {
		n := Node{Name: a.Name, Type: a.Type, User: a.User, Trouble: a.Trouble}
		if a.Facts != nil {
			n.HostKey = a.Facts.HostKeys[0]
			n.Version, n.Packages = a.Facts.Active.Level(), noted(a.Facts.Packages)
		} else {
			if n.Trouble == "" {
				n.Trouble = "its cluster's publisher did not reach it"
			}
			if known, ok := Find([]Cluster{before}, a.Name); ok {
				n.HostKey, n.Version, n.Packages = known.HostKey, known.Version, known.Packages
			}
		}
		all = append(all, n)
	}
	return all
}

// noted are the packages that orchestration may ask for.
func noted(packages []string) []string {
	var all []string
	for _, p := range packages {
		if strings.HasPrefix(p, "ucos.") && len(all) < maxPackages {
			all = append(all, p)
		}
	}
	return all
}

// note replaces what is remembered of one cluster.
func (d *Desk) note(c Cluster) error {
	return d.change(c.By, func(r *record) {
		r.Clusters = slices.DeleteFunc(r.Clusters, func(o Cluster) bool { return o.ID == c.ID })
		r.Clusters = append(r.Clusters, c)
	})
}

func (d *Desk) change(by string, how func(*record)) error {
	_, err := settings.Update(settings.Open(d.o.Dir, d.o.Now), settings.Onboarding, by,
		func(r *record) error { how(r); return nil })
	return err
}

// Remove takes a cluster out: by its id, or where it was installed anew and has another one, by its
// publisher's name. Whoever knows the name only cannot make the control node forget the machines' host
// keys: an administrator does that. One that is not known is no error.
func (d *Desk) Remove(_ context.Context, r vosapi.Removal, by string) (vosapi.Removed, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.publisher(); err != nil {
		return vosapi.Removed{}, err
	}
	if err := r.Check(); err != nil {
		return vosapi.Removed{}, &models.Refusal{Kind: models.KindInvalid, Code: "onboarding_malformed"}
	}
	if err := d.idle(); err != nil {
		return vosapi.Removed{}, err
	}
	known, err := Clusters(d.o.Dir, d.o.Now)
	if err != nil {
		return vosapi.Removed{}, err
	}
	at := slices.IndexFunc(known, func(c Cluster) bool {
		return c.ID == r.Cluster || len(c.Nodes) > 0 && strings.EqualFold(c.Nodes[0].Name, r.Publisher)
	})
	answer := vosapi.Removed{Protocol: vosapi.Protocol}
	if at < 0 {
		now, err := machines.Open(d.o.Dir, d.o.Now).Current()
		answer.Inventory = now.Number
		return answer, err
	}
	gone := known[at]
	answer.Known = true
	if answer.Inventory, err = d.leave(gone, by); err != nil {
		return answer, err
	}
	if gone.ID == r.Cluster {
		if err := d.unpin(gone); err != nil {
			return answer, err
		}
	}
	err = d.change(by, func(r *record) {
		r.Clusters = slices.DeleteFunc(r.Clusters, func(c Cluster) bool { return c.ID == gone.ID })
	})
	d.log("remove: %s %s, group %s, inventory version %d, by %s", gone.Product, gone.Name, gone.Group,
		answer.Inventory, by)
	return answer, err
}
