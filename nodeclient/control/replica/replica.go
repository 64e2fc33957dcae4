// Package replica keeps the subscriber of a control node like its publisher: settings, inventory, onboarded
// clusters, confirmed host keys, and each node's public key at the other. It is given a mutually
// authenticated way between the two, and knows nothing of certificates.
package replica

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/keys"
)

const (
	// Path is where a publisher answers.
	Path = "/peer/v1/replica"
	// MaxRequest bounds what is read from a subscriber.
	MaxRequest = 256 << 10
	// MaxResponse bounds what is read from a publisher.
	MaxResponse = 24 << 20

	protocol  = 1
	folder    = "control"
	madeFile  = "replica-revisions.json" // of a publisher
	heldFile  = "replica.json"
	fileLimit = 4 << 20
	maxTasks  = 200
	maxText   = 512
)

// Refusals of this package.
var (
	ErrOlder    = errors.New("what the publisher gave is older than what is here")
	ErrDiffers  = errors.New("what came is not what was sent")
	ErrProtocol = errors.New("the other node speaks another version of the replication")
)

// Name is one thing that goes to the subscriber whole.
type Name string

// The things, in the order in which they are applied.
const (
	Settings  Name = "settings" // the documents that replicate; onboarded clusters are among them
	Inventory Name = "inventory"
	HostKeys  Name = "host-keys"
)

// Names lists them.
func Names() []Name { return []Name{Settings, Inventory, HostKeys} }

// Item is one thing at one revision. Revisions of a publisher only grow. It may hold secrets: it goes
// to no log and through nothing but the cluster's own mutual TLS.
type Item struct {
	Name     Name            `json:"name"`
	Revision int64           `json:"revision"`
	SHA256   string          `json:"sha256"` // of the body, compact
	Body     json.RawMessage `json:"body"`
}

// Request is what a subscriber asks, and tells of itself.
type Request struct {
	Protocol int            `json:"protocol"`
	Epoch    string         `json:"epoch,omitempty"` // of the publisher that it follows
	Have     map[Name]int64 `json:"have,omitempty"`
	Key      keys.Public    `json:"key"`
	Status   Status         `json:"status"`
}

// Response is what a publisher gives: what is newer than what the subscriber has.
type Response struct {
	Protocol int         `json:"protocol"`
	Epoch    string      `json:"epoch"`
	Items    []Item      `json:"items,omitempty"`
	Key      keys.Public `json:"key"`
	Status   Status      `json:"status"`
}

// Status is the last that is known of a control node.
type Status struct {
	Node      models.FQDN    `json:"node"`
	Version   models.Version `json:"version,omitempty"` // of Cloud Connect on it
	At        time.Time      `json:"at"`
	Operation *Operation     `json:"operation,omitempty"` // none ever
	Doing     *Doing         `json:"doing,omitempty"`     // what keeps other control nodes from theirs
}

// Operation is an orchestration: the one that runs, else the last.
type Operation struct {
	What   string    `json:"what"`
	Who    string    `json:"who,omitempty"`
	Status string    `json:"status"`
	Began  time.Time `json:"began"`
	Ended  time.Time `json:"ended,omitzero"`
	Tasks  []Task    `json:"tasks,omitempty"`
}

// Task is one machine of an operation.
type Task struct {
	Machine string `json:"machine"`
	Status  string `json:"status"`
	Detail  string `json:"detail,omitempty"`
}

// Part is how one thing is read on a publisher and taken on a subscriber. Take replaces it whole,
// whatever was there, and doing it twice does no harm: which is newer is judged here.
type Part struct {
	Name Name
	Give func() (any, error)
	Take func(body json.RawMessage) error
}

// Options are what a Node is given; all are needed.
type Options struct {
	Dir    string
	Parts  []Part
	Key    func() (keys.Public, error)
	Status func() (Status, error)
	// Members are a publisher's subscribers.
	Members func() ([]models.FQDN, error)
	Now     func() time.Time
}

// Node is one side of the replication.
type Node struct {
	o    Options
	mu   sync.Mutex // of a publisher's book, and of what it knows of its subscribers
	soon atomic.Bool
}

// New prepares it; nothing is read before it is used.
func New(o Options) *Node { return &Node{o: o} }

// made is a publisher's book: which revision stands for what.
type made struct {
	Epoch string           `json:"epoch"`
	Items map[Name]madeRow `json:"items"`
}

type madeRow struct {
	Revision int64  `json:"revision"`
	SHA256   string `json:"sha256"`
}

// Held is what a node knows of the replication: what it took from its publisher, or what its
// subscribers said last.
type Held struct {
	Epoch string           `json:"epoch,omitempty"`
	Items map[Name]HeldRow `json:"items,omitempty"`
	// At is when the other node was last heard; Trouble why it could not be since, or what was refused.
	At      time.Time `json:"at,omitzero"`
	Trouble string    `json:"trouble,omitempty"`
	Peer    Status    `json:"peer,omitzero"` // the publisher, or the subscriber that was heard last
}

// HeldRow is one thing as it was taken.
type HeldRow struct {
	Revision int64     `json:"revision"`
	SHA256   string    `json:"sha256"`
	At       time.Time `json:"at"`
}

// Of is what is known in a node's folder.
func Of(dir string) (Held, error) {
	var h Held
	err := atomicfile.ReadJSON(filepath.Join(dir, folder, heldFile), fileLimit, &h)
	if errors.Is(err, os.ErrNotExist) {
		return Held{}, nil
	}
	return h, err
}

func keep(dir string, h Held) error {
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of the replication: %w", err)
	}
	return atomicfile.WriteJSON(filepath.Join(dir, folder, heldFile), h)
}

// Answer is the publisher's side: member is who asks, as its certificate says.
func (n *Node) Answer(member models.FQDN, r Request) (Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r.Protocol != protocol {
		return Response{}, ErrProtocol
	}
	if r.Status.Node != member || r.Key.HostName != member {
		return Response{}, errors.New("a node speaks for itself only")
	}
	if err := keys.KeepPeer(n.o.Dir, r.Key); err != nil {
		return Response{}, err
	}
	if err := n.heard(member, r.Status.Doing); err != nil {
		return Response{}, err
	}
	own, err := n.own()
	if err != nil {
		return Response{}, err
	}
	answer := Response{Protocol: protocol, Key: own.key, Status: own.status}
	book, bodies, err := n.book(r)
	if err != nil {
		return answer, err
	}
	answer.Epoch = book.Epoch
	for _, name := range Names() {
		row, ok := book.Items[name]
		if !ok || r.Epoch == book.Epoch && r.Have[name] >= row.Revision {
			continue
		}
		answer.Items = append(answer.Items, Item{Name: name, Revision: row.Revision,
			SHA256: row.SHA256, Body: bodies[name]})
	}
	return answer, keep(n.o.Dir, Held{At: n.o.Now().UTC(), Peer: r.Status.bounded()})
}

// book brings the publisher's revisions up to date. What has changed gets one that is higher than
// every one that was given out, also by a publisher that has been set back to a backup since. It is
// on disk before anybody hears of it.
func (n *Node) book(r Request) (made, map[Name]json.RawMessage, error) {
	path := filepath.Join(n.o.Dir, folder, madeFile)
	var b made
	err := atomicfile.ReadJSON(path, fileLimit, &b)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return b, nil, err
	}
	changed := b.Epoch == ""
	if changed {
		b = made{Epoch: strings.ToLower(rand.Text()), Items: map[Name]madeRow{}}
	}
	bodies := map[Name]json.RawMessage{}
	for _, p := range n.o.Parts {
		value, err := p.Give()
		if err != nil {
			return b, nil, fmt.Errorf("cannot replicate %s: %w", p.Name, err)
		}
		body, err := json.Marshal(value) //nolint:gosec // it goes through the cluster's own TLS only
		if err != nil {
			return b, nil, fmt.Errorf("cannot replicate %s: %w", p.Name, err)
		}
		bodies[p.Name] = body
		row, sum := b.Items[p.Name], digest(body)
		if row.SHA256 == sum {
			continue
		}
		highest := row.Revision
		if r.Epoch == b.Epoch {
			highest = max(highest, min(r.Have[p.Name], 1<<53))
		}
		b.Items[p.Name] = madeRow{Revision: highest + 1, SHA256: sum}
		changed = true
	}
	if !changed {
		return b, bodies, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return b, nil, fmt.Errorf("cannot make the folder of the replication: %w", err)
	}
	return b, bodies, atomicfile.WriteJSON(path, b)
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

type self struct {
	key    keys.Public
	status Status
}

func (n *Node) own() (self, error) {
	key, err := n.o.Key()
	if err != nil {
		return self{}, err
	}
	status, err := n.o.Status()
	return self{key, status.bounded()}, err
}

// bounded is a status that fits the other node's file.
func (s Status) bounded() Status {
	if s.Operation == nil {
		return s
	}
	o := *s.Operation
	o.Tasks = o.Tasks[:min(len(o.Tasks), maxTasks)]
	for i := range o.Tasks {
		o.Tasks[i].Detail = o.Tasks[i].Detail[:min(len(o.Tasks[i].Detail), maxText)]
	}
	s.Operation = &o
	return s
}

// Ask is the way to the publisher: out is filled with its answer.
type Ask func(ctx context.Context, in, out any) error

// Follow is the subscriber's side, once: it asks, checks all that came before it takes any, and takes
// each thing whole. A thing that is older than what is here is refused; so is a body that is not what
// its digest says. What was taken stays taken if the rest fails.
func (n *Node) Follow(ctx context.Context, ask Ask) error {
	held, err := Of(n.o.Dir)
	if err != nil {
		return err
	}
	err = n.follow(ctx, ask, &held)
	trouble := ""
	if err != nil {
		trouble = err.Error()[:min(len(err.Error()), maxText)]
	}
	if ctx.Err() != nil || err != nil && trouble == held.Trouble {
		return err
	}
	held.Trouble = trouble
	return errors.Join(err, keep(n.o.Dir, held))
}

func (n *Node) follow(ctx context.Context, ask Ask, held *Held) error {
	own, err := n.own()
	if err != nil {
		return err
	}
	in := Request{Protocol: protocol, Epoch: held.Epoch, Have: map[Name]int64{}, Key: own.key,
		Status: own.status}
	for name, row := range held.Items {
		in.Have[name] = row.Revision
	}
	var out Response
	if err := ask(ctx, in, &out); err != nil {
		return err
	}
	if out.Protocol != protocol || out.Epoch == "" {
		return ErrProtocol
	}
	n.soon.Store(out.Status.Doing != nil && !out.Status.Doing.Begun && !out.Status.Doing.Interrupted)
	first := out.Epoch != held.Epoch
	if err := check(out.Items, held, first); err != nil {
		return err
	}
	if err := keys.KeepPeer(n.o.Dir, out.Key); err != nil {
		return err
	}
	if first {
		held.Epoch, held.Items = out.Epoch, map[Name]HeldRow{}
	}
	held.At, held.Peer = n.o.Now().UTC(), out.Status.bounded()
	return n.take(out.Items, held)
}

// check judges all before anything is changed.
func check(items []Item, held *Held, first bool) error {
	seen := map[Name]bool{}
	for _, i := range items {
		switch {
		case seen[i.Name] || i.Revision < 1:
			return fmt.Errorf("%w: %s", ErrDiffers, i.Name)
		case digest(i.Body) != i.SHA256:
			return fmt.Errorf("%w: %s", ErrDiffers, i.Name)
		case !first && i.Revision <= held.Items[i.Name].Revision:
			return fmt.Errorf("%w: %s has revision %d, and %d came", ErrOlder, i.Name,
				held.Items[i.Name].Revision, i.Revision)
		}
		seen[i.Name] = true
	}
	return nil
}

// take replaces thing after thing, and remembers each as soon as it is on disk: after a crash what
// was taken is known, or taken once more.
func (n *Node) take(items []Item, held *Held) error {
	for _, p := range n.o.Parts {
		for _, i := range items {
			if i.Name != p.Name {
				continue
			}
			if err := p.Take(i.Body); err != nil {
				return fmt.Errorf("cannot take %s: %w", i.Name, err)
			}
			held.Items[i.Name] = HeldRow{Revision: i.Revision, SHA256: i.SHA256, At: held.At}
			if err := keep(n.o.Dir, *held); err != nil {
				return err
			}
		}
	}
	return nil
}
