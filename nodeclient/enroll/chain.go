package enroll

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/atomicfile"
)

const (
	chainFile = "keychain.json"
	maxChain  = 256 << 10
)

// chain is how the present key came to be: every change of it since the registration, at most the
// newest wire.MaxChain, each signed by the key that went and the one that came. It lets the node back
// in by itself where the hub is restored from a backup (R34).
type chain struct {
	Links []step `json:"links"`
}

type step struct {
	Old  string    `json:"old"` // thumbprints
	New  string    `json:"new"`
	Link wire.Link `json:"link"`
}

func readChain(dir string) (chain, error) {
	var c chain
	err := atomicfile.ReadJSON(filepath.Join(dir, chainFile), maxChain, &c)
	if errors.Is(err, os.ErrNotExist) {
		return chain{}, nil
	}
	return c, err
}

func (c chain) write(dir string) error {
	return atomicfile.WriteJSON(filepath.Join(dir, chainFile), c)
}

// link makes the step from one key to the next durable, while there are both.
func (e *Enrollment) link(old, next Key) error {
	node := e.Identity()
	if node == nil {
		return errNotRegistered
	}
	c, err := readChain(e.o.Dir)
	if err != nil {
		c = chain{} // it cannot be read any more; a new one begins
	}
	var end string
	if n := len(c.Links); n > 0 {
		end = c.Links[n-1].New
		if end == next.Thumbprint() && c.Links[n-1].Old == old.Thumbprint() {
			return nil
		}
	}
	if end != old.Thumbprint() {
		c.Links = nil
	}
	claims := wire.LinkClaims{Node: node.NodeID, Aud: wire.Audience, Old: old.Thumbprint(),
		New: next.Thumbprint()}
	byOld, err := old.sign(wire.TypeLink, claims)
	if err != nil {
		return err
	}
	byNew, err := next.sign(wire.TypeLink, claims)
	if err != nil {
		return err
	}
	short, ok := wire.Detach(byNew, byOld)
	if !ok {
		return errors.New("cannot sign the change of the node's key: two texts of one statement")
	}
	c.Links = append(c.Links, step{Old: claims.Old, New: claims.New,
		Link: wire.Link{ByOld: byOld, ByNew: short}})
	if more := len(c.Links) - wire.MaxChain; more > 0 {
		c.Links = c.Links[more:]
	}
	return c.write(e.o.Dir)
}

// linked notes when the hub took the next key, by its own clock.
func linked(dir string, next Key, at time.Time) error {
	c, err := readChain(dir)
	if err != nil || len(c.Links) == 0 || c.Links[len(c.Links)-1].New != next.Thumbprint() {
		return err
	}
	c.Links[len(c.Links)-1].Link.At = at.Unix()
	return c.write(dir)
}

// unknown says whether the hub knows this node's key no more and has not said, signed, that it never
// will again: a hub that was restored from a backup answers so.
func (e *Enrollment) unknown(err error) bool {
	var r *Refusal
	return errors.As(err, &r) && r.Problem.Code == wire.CodeNotRegistered && e.stated(err) == nil
}

// comeBack shows the hub how the key came from one that it may know.
func (e *Enrollment) comeBack(ctx context.Context, node models.NodeID, key Key, c credential) error {
	kept, err := readChain(e.o.Dir)
	if err != nil {
		return err
	}
	var links []wire.Link
	end := ""
	for _, s := range kept.Links {
		links, end = append(links, s.Link), s.New
		if end == key.Thumbprint() {
			break
		}
	}
	if end != key.Thumbprint() {
		return errors.New("this node's key has not changed since it was registered")
	}
	sign := func(nonce string) (any, error) {
		id, err := randomID()
		if err != nil {
			return nil, err
		}
		proof, err := key.sign(wire.TypeChain, wire.ChainClaims{Node: node, Aud: wire.Audience,
			ID: id, Nonce: nonce, Links: wire.HashLinks(links), Generation: c.Generation,
			Mark: c.Mark})
		return wire.ChainRequest{Links: links, Proof: proof}, err
	}
	var answer wire.RotateResponse
	err = e.client.fresh(ctx, wire.PathChain, sign, &answer)
	if staleOf(err) != "" {
		// Somebody uses a key that this node has given up: it says that it is here.
		in, signErr := sign(staleOf(err))
		if signErr != nil {
			return signErr
		}
		err = e.client.post(ctx, wire.PathChain, "", in, &answer)
	}
	return err
}
