package replica

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/atomicfile"
)

const (
	// TurnPath is where a publisher says whether a subscriber may disturb machines.
	TurnPath  = "/peer/v1/turn"
	peersFile = "peers.json" // of a publisher
	silence   = 30 * time.Second
)

// Doing is a procedure of a control node: it disturbs machines, or is about to.
type Doing struct {
	What  string    `json:"what"`
	Who   string    `json:"who,omitempty"`
	Since time.Time `json:"since"`
	// Begun: the other control nodes have been asked, or are known to be down.
	Begun bool `json:"begun"`
	// Interrupted: nobody works on it now, and some of it is half done.
	Interrupted bool `json:"interrupted,omitempty"`
}

// Claim is what a subscriber asks before it disturbs machines.
type Claim struct {
	Protocol int   `json:"protocol"`
	Doing    Doing `json:"doing"`
}

// Grant is the answer: another control node's procedure, or nothing.
type Grant struct {
	Protocol int         `json:"protocol"`
	Node     models.FQDN `json:"node,omitempty"`
	Doing    *Doing      `json:"doing,omitempty"`
	Silent   bool        `json:"silent,omitempty"` // the publisher does not hear that node any more
}

// Peer is what a publisher knows of one subscriber's procedures.
type Peer struct {
	At    time.Time `json:"at"`
	Polls int64     `json:"polls"` // how often it was heard
	Doing *Doing    `json:"doing,omitempty"`
	// Claimed: it asked since the last poll but one. A poll that had been on its way does not take that
	// back.
	Claimed int `json:"claimed,omitempty"`
}

// Peers are the subscribers of a publisher's folder that were heard.
func Peers(dir string) (map[models.FQDN]Peer, error) {
	all := map[models.FQDN]Peer{}
	err := atomicfile.ReadJSON(filepath.Join(dir, folder, peersFile), fileLimit, &all)
	if errors.Is(err, os.ErrNotExist) {
		return all, nil
	}
	return all, err
}

// heard notes what a subscriber's poll says of its procedures; n.mu is held.
func (n *Node) heard(member models.FQDN, doing *Doing) error {
	all, err := Peers(n.o.Dir)
	if err != nil {
		return err
	}
	p := all[member]
	p.At, p.Polls = n.o.Now().UTC(), p.Polls+1
	if p.Claimed > 0 {
		p.Claimed--
	}
	if p.Claimed == 0 || doing != nil {
		p.Doing = doing
	}
	all[member] = p
	return n.keepPeers(all)
}

// Turn is the publisher's answer to a subscriber that wants to disturb machines, or goes on doing so. The
// claim is on disk before this node looks what it does itself: whoever of the two looks last sees the
// other.
func (n *Node) Turn(member models.FQDN, c Claim) (Grant, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.Protocol != protocol {
		return Grant{}, ErrProtocol
	}
	all, err := Peers(n.o.Dir)
	if err != nil {
		return Grant{}, err
	}
	g, err := n.others(member, all)
	if err != nil || g.Doing != nil {
		return g, err
	}
	before := all[member]
	p := before
	p.Doing, p.Claimed = &c.Doing, 2
	all[member] = p
	if err := n.keepPeers(all); err != nil {
		return Grant{}, err
	}
	if g, err = n.others(member, all); err != nil || g.Doing != nil {
		all[member] = before
		return g, errors.Join(err, n.keepPeers(all))
	}
	return g, nil
}

// others names the procedure of any control node but the member.
func (n *Node) others(member models.FQDN, all map[models.FQDN]Peer) (Grant, error) {
	own, err := n.o.Status()
	if err != nil {
		return Grant{}, err
	}
	if own.Doing != nil {
		return Grant{Protocol: protocol, Node: own.Node, Doing: own.Doing}, nil
	}
	members, err := n.o.Members()
	if err != nil {
		return Grant{}, err
	}
	g := Grant{Protocol: protocol}
	for _, name := range members {
		if p := all[name]; name != member && p.Doing != nil && (g.Doing == nil || g.Silent) {
			g.Node, g.Doing = name, p.Doing
			g.Silent = n.o.Now().Sub(p.At).Abs() > silence
		}
	}
	return g, nil
}

func (n *Node) keepPeers(all map[models.FQDN]Peer) error {
	return atomicfile.WriteJSON(filepath.Join(n.o.Dir, folder, peersFile), all)
}

// Soon says whether the publisher's last answer asked to be asked again at once: one of its procedures
// waits for it.
func (n *Node) Soon() bool { return n.soon.Load() }
