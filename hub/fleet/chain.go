package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/hub/keys"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

const (
	maxLink = 2048 // of one signature of a link
	// replicaSkew is how far the clocks of the hub's replicas may be apart.
	replicaSkew = time.Minute
	// neverRestored is the incarnation of a hub that knows all that it ever knew.
	neverRestored = 1
)

type linkToken struct {
	jwt.RegisteredClaims
	Old string `json:"old"`
	New string `json:"new"`
}

type chainToken struct {
	jwt.RegisteredClaims
	Nonce      string `json:"nonce"`
	Links      string `json:"links"`
	Generation uint64 `json:"gen"`
	Mark       string `json:"mark"`
}

// chain is how a node came to its present key, as it shows it: that it holds that key was checked,
// and that the links follow one another; their signatures were not.
type chain struct {
	node    models.NodeID
	key     wire.JWK
	thumb   string
	holding store.Holding
	live    bool
	links   []wire.Link
	says    []linkToken
}

// ShowChain takes a node's present key over that a hub restored from a backup has never seen (R34):
// if every step from the key that is stored to this one was signed by both keys, and if nobody has
// used the stored one since the restore. Who has, held a key that the node had given up: then both
// are locked out, as whoever holds the stored key can make a chain as well, and nothing tells which
// of two is the node (R32).
func (f *Fleet) ShowChain(ctx context.Context, a Actor, r wire.ChainRequest,
) (wire.RotateResponse, error) {
	if err := f.Serving(); err != nil {
		return wire.RotateResponse{}, err
	}
	c, err := f.readChain(r)
	if err != nil {
		return wire.RotateResponse{}, err
	}
	done := wire.RotateResponse{KeyThumb: c.thumb, Now: f.now()}
	s, err := f.stand(ctx, c.node, c.thumb)
	var refusal *models.Refusal
	switch {
	case errors.As(err, &refusal) && refusal.Code == wire.CodeNotRegistered && s.node.ID != "":
		err = f.followChain(ctx, a, s.node, c, refusal)
	case err != nil:
	case s.gone != "":
		err = f.stated(s, c.thumb)
	case s.node.Member == models.MemberQuarantined:
		err = quarantined()
	case s.node.KeyThumb != c.thumb:
		err = f.copied(ctx, s.node, c.thumb, c.live, copyOldKey)
	}
	if err != nil {
		return wire.RotateResponse{}, err
	}
	return done, nil
}

// followChain decides about a chain whose end the hub does not know. To whoever does not hold a
// descendant of a key that it does know, it says what it says of no node (R29).
func (f *Fleet) followChain(ctx context.Context, a Actor, n models.Node, c chain,
	unknown *models.Refusal) error {
	from, fork, err := f.startOf(ctx, n, c)
	if err != nil {
		return err
	}
	if from < 0 || n.Member == models.MemberRemoved || !c.signed(from) {
		return unknown
	}
	at := time.Unix(c.links[from].At, 0)
	switch {
	case n.Member == models.MemberQuarantined:
		return quarantined()
	case fork:
		return f.copied(ctx, n, c.thumb, c.live, copyFork)
	case c.holding.Generation < n.Generation:
		return f.copied(ctx, n, c.thumb, c.live, copyBehind)
	case f.incarnation() > neverRestored && n.ProvedIncarnation < f.incarnation():
		return f.adoptKey(ctx, a, n, c, from, unknown)
	case n.ProvedAt != nil && c.links[from].At > 0 && n.ProvedAt.After(at.Add(replicaSkew)):
		return f.copied(ctx, n, c.thumb, c.live, copyGivenUp)
	}
	f.o.Log.Warn("a node has gone on from the key that is stored: was the database restored from a "+
		"backup without \"server restored\"?", "node", string(n.ID), "name", string(n.Name))
	return unknown
}

// startOf finds the link that leads on from the stored key. Fork: there is none, but one that leads
// on from a key before it, and to another than the hub knows. Negative: neither.
func (f *Fleet) startOf(ctx context.Context, n models.Node, c chain) (from int, fork bool, err error) {
	for i := range c.says {
		if c.says[i].Old == n.KeyThumb {
			return i, false, nil
		}
	}
	var former map[string]string
	err = f.o.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		former, err = tx.Hub().FormerKeys(n.ID)
		return err
	})
	for i := len(c.says) - 1; i >= 0; i-- {
		if next, was := former[c.says[i].Old]; was {
			if next == "" || next == c.says[i].New {
				return -1, false, err // a machine that was replaced
			}
			return i, true, err
		}
	}
	return -1, false, err
}

// adoptKey is one conditional update: of two that show a chain, one is adopted.
func (f *Fleet) adoptKey(ctx context.Context, a Actor, n models.Node, c chain, from int,
	unknown *models.Refusal) error {
	public, err := json.Marshal(c.key)
	if err != nil {
		return err
	}
	thumbs := []string{n.KeyThumb}
	for _, l := range c.says[from:] {
		thumbs = append(thumbs, l.New)
	}
	a.Kind, a.Name, a.Organization = models.ActorNode, string(n.Name), n.OrganizationID
	a.UserID = models.UserID(n.ID)
	err = f.change(ctx, a, n.OrganizationID, n.ClusterID, func(w *work, s *store.Scope) error {
		m := w.member(n.ID)
		if m == nil || m.KeyThumb != n.KeyThumb {
			return store.ErrUnchanged
		}
		if err := keyIsFree(s.Tx(), c.thumb); err != nil {
			return err
		}
		err := s.AdoptNodeKey(n.ID, store.Adoption{Keys: thumbs, PublicKey: string(public),
			Holding: c.holding, Proof: f.proof(w.now)})
		if err != nil {
			return err
		}
		m.KeyThumb, m.PublicKey = c.thumb, string(public)
		w.recordNode(ActionKeyAdopted, m, keyNote{n.KeyThumb}, adoptNote{c.thumb, len(thumbs) - 1})
		return nil
	})
	switch {
	case errors.Is(err, store.ErrUnchanged): // another request was first; the next one is told
		return models.Conflict("key_changed", "")
	case errors.Is(err, store.ErrDuplicate), errors.Is(err, models.NotFound()):
		return unknown
	}
	return err
}

type adoptNote struct {
	Key   string `json:"key"`
	Steps int    `json:"steps"`
}

// readChain wants the whole signed now, over the hub's nonce, by the key at its end.
func (f *Fleet) readChain(r wire.ChainRequest) (chain, error) {
	invalid := models.Unauthorized("invalid_assertion")
	if len(r.Links) == 0 || len(r.Links) > wire.MaxChain || len(r.Proof) > maxLink {
		return chain{}, invalid
	}
	var said chainToken
	key, err := keys.VerifyOwn(r.Proof, keys.Want{Type: wire.TypeChain, Audience: wire.Audience,
		Untimed: true}, &said)
	if err != nil || said.Subject == "" || len(said.Subject) > maxWord ||
		len(said.ID) < minProofID || len(said.ID) > maxProofID || said.Generation == 0 ||
		len(said.Mark) < minProofID || len(said.Mark) > maxProofID ||
		said.Links != wire.HashLinks(r.Links) {
		return chain{}, invalid
	}
	c := chain{node: models.NodeID(said.Subject), key: key, thumb: key.Thumbprint(), links: r.Links,
		holding: store.Holding{Generation: said.Generation, Mark: said.Mark}}
	c.live, err = f.spendNonce(said.Nonce, challenge{c.node, c.thumb}, said.ID)
	if err != nil {
		return chain{}, err
	}
	if !c.follows() {
		return chain{}, invalid
	}
	return c, nil
}

// follows reads what the links say: of this node, each going on where the last has ended, never to a
// key twice.
func (c *chain) follows() bool {
	seen := map[string]bool{}
	parser := jwt.NewParser()
	for i, l := range c.links {
		var says linkToken
		if len(l.ByOld) > maxLink || len(l.ByNew) > maxLink {
			return false
		}
		if _, _, err := parser.ParseUnverified(l.ByOld, &says); err != nil ||
			models.NodeID(says.Subject) != c.node || seen[says.Old] ||
			i > 0 && says.Old != c.says[i-1].New {
			return false
		}
		seen[says.Old] = true
		c.says = append(c.says, says)
	}
	last := c.says[len(c.says)-1].New
	return last == c.thumb && !seen[last]
}

// signed checks both signatures of every link from one on.
func (c *chain) signed(from int) bool {
	want := keys.Want{Type: wire.TypeLink, Audience: wire.Audience, Untimed: true}
	for i := from; i < len(c.links); i++ {
		whole, ok := wire.Attach(c.links[i].ByNew, c.links[i].ByOld)
		if !ok {
			return false
		}
		var says linkToken
		old, err := keys.VerifyOwn(c.links[i].ByOld, want, &says)
		if err != nil || old.Thumbprint() != c.says[i].Old {
			return false
		}
		next, err := keys.VerifyOwn(whole, want, &says)
		if err != nil || next.Thumbprint() != c.says[i].New {
			return false
		}
	}
	return true
}
