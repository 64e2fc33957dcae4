package vosapi

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"connecthub/models/compat"
	"connecthub/models/inventory"
)

// What a VOS publisher and a control node say to each other at :8445, as the application user.
const (
	PathOnboard = "/inventory/onboard"         // GET, POST (initiate), PUT (update), DELETE (remove)
	PathKey     = "/inventory/controlnode/key" // GET
	MaxOnboard  = 512 << 10
)

var clusterPattern = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// Begin is the answer to GET: who the control nodes are.
type Begin struct {
	Protocol int `json:"protocol"`
	Key
	Publisher   string         `json:"publisher"`   // of the control nodes, their own name where it is itself
	Subscribers []string       `json:"subscribers"` // of the control nodes
	Peers       []Key          `json:"peers"`       // what the publisher has heard of their keys
	Version     compat.Version `json:"version"`     // of Cloud Connect here; zero where none is installed
}

// Check refuses what no control node says.
func (b Begin) Check() error {
	switch {
	case b.Protocol != Protocol:
		return &Refusal{Code: WrongProtocol, Detail: fmt.Sprint(b.Protocol)}
	case len(b.Subscribers) >= MaxKeys || len(b.Peers) >= MaxKeys || !inventory.ValidHost(b.Publisher):
		return ErrMalformed
	case slices.ContainsFunc(b.Subscribers, func(s string) bool { return !inventory.ValidHost(s) }):
		return ErrMalformed
	case slices.ContainsFunc(b.Peers, func(k Key) bool { return k.Check() != nil }):
		return ErrMalformed
	}
	return b.Key.Check()
}

// Check refuses a key that is not one line, or of no host.
func (k Key) Check() error {
	if k.Category != "PUBLISHER" && k.Category != "SUBSCRIBER" || !inventory.ValidHost(k.HostName) ||
		len(k.PublicKey) > maxKeyLine || !plainRunes(k.PublicKey) ||
		!strings.HasPrefix(k.PublicKey, "ssh-rsa ") {
		return ErrMalformed
	}
	return nil
}

// Onboarding is what POST and PUT bring: a VOS cluster.
type Onboarding struct {
	Protocol int               `json:"protocol"`
	Cluster  string            `json:"cluster"` // its id
	Name     string            `json:"name"`    // as people call it
	Product  inventory.Product `json:"product"`
	Nodes    []Applicant       `json:"nodes"` // the publisher first
}

// Applicant is one machine of the cluster. Facts are missing where its publisher did not reach it; then
// Trouble says why.
type Applicant struct {
	Name    string             `json:"name"`
	Type    inventory.NodeType `json:"type"`
	User    string             `json:"user"` // of its SSH server
	Facts   *Facts             `json:"facts,omitempty"`
	Trouble string             `json:"trouble,omitempty"`
}

// Check refuses what no VOS publisher says.
func (o Onboarding) Check() error {
	switch {
	case o.Protocol != Protocol:
		return &Refusal{Code: WrongProtocol, Detail: fmt.Sprint(o.Protocol)}
	case !clusterPattern.MatchString(o.Cluster) || !namePattern.MatchString(o.Name) || !o.Product.VOS():
		return ErrMalformed
	case len(o.Nodes) == 0 || len(o.Nodes) > MaxNodes || o.Nodes[0].Type != inventory.Publisher ||
		o.Nodes[0].Facts == nil:
		return ErrMalformed
	}
	var names []string
	for i, n := range o.Nodes {
		if (n.Type == inventory.Publisher) != (i == 0) || slices.Contains(names, n.Name) {
			return ErrMalformed
		}
		if err := n.check(o.Product); err != nil {
			return err
		}
		names = append(names, n.Name)
	}
	return nil
}

var userPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,31}$`)

func (a Applicant) check(product inventory.Product) error {
	if !inventory.ValidHost(a.Name) || !userPattern.MatchString(a.User) || !plain(a.Trouble) ||
		a.Type != inventory.Publisher && a.Type != inventory.Subscriber {
		return ErrMalformed
	}
	if a.Facts == nil {
		return nil
	}
	if a.Facts.Name != a.Name || a.Facts.Product != product || a.Facts.Type != a.Type ||
		len(a.Facts.HostKeys) == 0 {
		return ErrMalformed
	}
	return a.Facts.Check()
}

// Onboarded is the answer to POST and PUT. It is partial where a machine has trouble.
type Onboarded struct {
	Protocol  int       `json:"protocol"`
	Partial   bool      `json:"partial"`
	Group     string    `json:"group"`     // in the inventory
	Inventory int       `json:"inventory"` // its version
	Nodes     []Outcome `json:"nodes"`
}

// Outcome is how one machine stands. Trouble is empty where all is well; Advice is never a fault.
type Outcome struct {
	Name    string             `json:"name"`
	Type    inventory.NodeType `json:"type"`
	Trouble string             `json:"trouble,omitempty"`
	Advice  string             `json:"advice,omitempty"`
}

// Check refuses what no control node says.
func (o Onboarded) Check() error {
	if o.Protocol != Protocol || len(o.Nodes) > MaxNodes || !plain(o.Group) {
		return ErrMalformed
	}
	for _, n := range o.Nodes {
		if !inventory.ValidHost(n.Name) || len(n.Trouble) > 8*MaxText || len(n.Advice) > 8*MaxText {
			return ErrMalformed
		}
	}
	return nil
}

// Removal is what DELETE brings.
type Removal struct {
	Protocol  int    `json:"protocol"`
	Cluster   string `json:"cluster"`   // its id
	Publisher string `json:"publisher"` // its publisher's name
}

// Check refuses what no VOS publisher says.
func (r Removal) Check() error {
	if r.Protocol != Protocol || !clusterPattern.MatchString(r.Cluster) || !inventory.ValidHost(r.Publisher) {
		return ErrMalformed
	}
	return nil
}

// Removed is the answer to DELETE. Known is false where the control node never knew the cluster.
type Removed struct {
	Protocol  int  `json:"protocol"`
	Known     bool `json:"known"`
	Inventory int  `json:"inventory"`
}

// ReadDocument reads a document of at most MaxOnboard bytes. Strict is for whom it must not have a field
// that is not known.
func ReadDocument(r io.Reader, v any, strict bool) error {
	err := read(r, MaxOnboard, v, strict)
	if err != nil && !errors.Is(err, ErrMalformed) {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return err
}
