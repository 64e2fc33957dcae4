package nodeapi_test

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"testing"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

// keychain is a node's keys, and what it can show of them.
type keychain struct {
	n     *node
	keys  []*node // the first is the one that the hub knows
	links []wire.Link
}

// keychain gives a node further keys that the hub has not seen.
func (n *node) keychain(steps int) *keychain {
	n.w.t.Helper()
	k := &keychain{n: n, keys: []*node{n}}
	for range steps {
		next := n.w.newNode(n.name, "1.0.0")
		k.links = append(k.links, n.link(k.keys[len(k.keys)-1], next))
		k.keys = append(k.keys, next)
	}
	return k
}

func (n *node) link(old, next *node) wire.Link {
	n.w.t.Helper()
	claims := wire.LinkClaims{Node: n.id, Aud: wire.Audience, Old: old.jwk().Thumbprint(),
		New: next.jwk().Thumbprint()}
	l := wire.Link{ByOld: old.signValue(wire.TypeLink, claims), At: n.w.clock.Now().Unix()}
	var ok bool
	if l.ByNew, ok = wire.Detach(next.signValue(wire.TypeLink, claims), l.ByOld); !ok {
		n.w.t.Fatal("two texts of one statement")
	}
	return l
}

// request shows links, by one of the keys.
func (k *keychain) request(by *node, links []wire.Link, change func(*wire.ChainClaims)) wire.ChainRequest {
	claims := wire.ChainClaims{Node: k.n.id, Aud: wire.Audience, ID: rand.Text(),
		Nonce: k.n.w.fleet.Nonce()[0], Links: wire.HashLinks(links), Generation: 1000,
		Mark: rand.Text()}
	if change != nil {
		change(&claims)
	}
	return wire.ChainRequest{Links: links, Proof: by.signValue(wire.TypeChain, claims)}
}

func (k *keychain) last() *node { return k.keys[len(k.keys)-1] }

func (k *keychain) show(r wire.ChainRequest) models.Code {
	k.n.w.t.Helper()
	code, statement := k.n.w.post(wire.PathChain, "", r, nil)
	if statement != "" {
		k.n.w.t.Errorf("a statement goes with %s", code)
	}
	return code
}

func (w *world) nodeRow(id models.NodeID) (n models.Node) {
	w.t.Helper()
	must(w.t, w.store.View(w.t.Context(), func(tx *store.Tx) (err error) {
		n, err = tx.Hub().NodeByID(id)
		return err
	}))
	return n
}

func (w *world) restored() {
	w.t.Helper()
	_, err := fleet.Restore(w.t.Context(), w.store, models.Actor{Kind: models.ActorCommand}, w.clock.Now())
	must(w.t, err)
	w.follow()
}

// tampered are chains that are not what they say.
func tampered() map[string]func(k, other *keychain) wire.ChainRequest {
	const invalid, unknown = "invalid_assertion", wire.CodeNotRegistered
	swap := func(k *keychain, i int, l wire.Link) []wire.Link {
		links := slices.Clone(k.links)
		links[i] = l
		return links
	}
	return map[string]func(k, other *keychain) wire.ChainRequest{
		invalid + ": a link is missing": func(k, _ *keychain) wire.ChainRequest {
			return k.request(k.last(), append(slices.Clone(k.links[:1]), k.links[2:]...), nil)
		},
		invalid + ": the links stand in another order": func(k, _ *keychain) wire.ChainRequest {
			return k.request(k.last(), []wire.Link{k.links[1], k.links[0], k.links[2]}, nil)
		},
		invalid + ": it does not end at the key that shows it": func(k, _ *keychain) wire.ChainRequest {
			return k.request(k.last(), k.links[:2], nil)
		},
		invalid + ": a key before the last shows it": func(k, _ *keychain) wire.ChainRequest {
			return k.request(k.keys[1], k.links, nil)
		},
		invalid + ": a link is another node's": func(k, other *keychain) wire.ChainRequest {
			return k.request(k.last(), swap(k, 1, other.links[1]), nil)
		},
		invalid + ": the proof is over other links": func(k, other *keychain) wire.ChainRequest {
			return k.request(k.last(), k.links, func(c *wire.ChainClaims) { c.Links = wire.HashLinks(other.links) })
		},
		invalid + ": no link": func(k, _ *keychain) wire.ChainRequest {
			return k.request(k.last(), nil, nil)
		},
		wire.CodeUseNonce + ": the nonce is not the hub's": func(k, _ *keychain) wire.ChainRequest {
			return k.request(k.last(), k.links, func(c *wire.ChainClaims) { c.Nonce = rand.Text() })
		},
		unknown + ": the key that came has not signed": func(k, other *keychain) wire.ChainRequest {
			l := k.links[1]
			l.ByNew = other.links[1].ByNew
			return k.request(k.last(), swap(k, 1, l), nil)
		},
		unknown + ": the key that went has not signed": func(k, _ *keychain) wire.ChainRequest {
			l := k.links[0]
			thief := k.n.w.newNode(k.n.name, "1.0.0")
			l.ByOld = thief.signValue(wire.TypeLink, wire.LinkClaims{Node: k.n.id, Aud: wire.Audience,
				Old: k.keys[0].jwk().Thumbprint(), New: k.keys[1].jwk().Thumbprint()})
			return k.request(k.last(), swap(k, 0, l), nil)
		},
		unknown + ": it begins after the key that is known": func(k, _ *keychain) wire.ChainRequest {
			return k.request(k.last(), k.links[1:], nil)
		},
		unknown + ": the links are rotations": func(k, _ *keychain) wire.ChainRequest {
			next := k.n.w.newNode(k.n.name, "1.0.0")
			claims := wire.LinkClaims{Node: k.n.id, Aud: wire.Audience,
				Old: k.keys[0].jwk().Thumbprint(), New: next.jwk().Thumbprint()}
			l := wire.Link{ByOld: k.n.signValue(wire.TypeRotation, claims)}
			l.ByNew, _ = wire.Detach(next.signValue(wire.TypeRotation, claims), l.ByOld)
			return k.request(next, []wire.Link{l}, nil)
		},
	}
}

// TestR34AChainCountsOnlyAsItsKeysHaveSignedIt shows a restored hub chains that are not whole; then the
// whole one, twice; and lets nobody come back whom it knows to be in quarantine.
func TestR34AChainCountsOnlyAsItsKeysHaveSignedIt(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, world *world) {
		_, nodes := world.register("Tokyo", pubName, subName)
		k, other := nodes[0].keychain(3), nodes[1].keychain(3)
		if code := k.show(k.request(k.last(), k.links, nil)); code != wire.CodeNotRegistered {
			t.Errorf("to a hub that was not restored: %q", code)
		}
		world.restored()
		for what, make := range tampered() {
			want, _, _ := strings.Cut(what, ":")
			if code := k.show(make(k, other)); string(code) != want {
				t.Errorf("%s: %q", what, code)
			}
		}
		whole := k.request(k.last(), k.links, nil)
		if code := k.show(whole); code != "" {
			t.Fatalf("the whole chain: %q", code)
		}
		if code := k.show(whole); code != "assertion_replayed" {
			t.Errorf("the same once more: %q", code)
		}
		if code := k.show(k.request(k.last(), k.links, nil)); code != "" {
			t.Errorf("because the answer was lost: %q", code)
		}
		stored := world.nodeRow(nodes[0].id)
		if stored.KeyThumb != k.last().jwk().Thumbprint() || stored.Generation != 1000 {
			t.Errorf("%+v", stored)
		}
		must(t, world.store.Update(t.Context(), func(tx *store.Tx) error {
			return tx.In(world.admin.Organization).SetMember(nodes[1].id, models.MemberActive,
				models.MemberQuarantined)
		}))
		if code := other.show(other.request(other.last(), other.links, nil)); code != "node_quarantined" {
			t.Errorf("in quarantine: %q", code)
		}
	})
}

// TestR34WhoHasAskedForMoreTokensThanTheNodeIsACopy shows a chain whose node has asked for fewer tokens
// than the restored hub has counted with the stored key.
func TestR34WhoHasAskedForMoreTokensThanTheNodeIsACopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, nodes := w.register("Tokyo", pubName, subName)
	nodes[0].login()
	k := nodes[0].keychain(1)
	w.restored()
	must(t, w.store.Update(t.Context(), func(tx *store.Tx) error {
		return tx.In(w.admin.Organization).RaiseGeneration(nodes[0].id, nodes[0].jwk().Thumbprint(),
			store.Holding{Generation: 5000, Mark: rand.Text()}, store.Proof{Incarnation: 1, At: w.clock.Now()})
	}))
	answer := w.call(http.MethodPost, wire.PathChain, "", k.request(k.last(), k.links, nil))
	nonce := answer.Header().Get(wire.HeaderNonce)
	if !strings.Contains(answer.Body.String(), wire.CodeStaleCredential) || nonce == "" {
		t.Fatal(answer.Body)
	}
	code := k.show(k.request(k.last(), k.links, func(c *wire.ChainClaims) { c.Nonce = nonce }))
	if code != "node_quarantined" || w.nodeRow(nodes[0].id).Member != models.MemberQuarantined {
		t.Errorf("asked again: %q", code)
	}
}
