package fleet

import (
	"context"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
	"connecthub/scheduler/rollout"
)

// How a copy of a node shows itself.
const (
	copyOldKey = "old_key"           // it signs with a key that the node has rotated away
	copyBehind = "behind_generation" // it asks for a token that the node has asked for already
	// The two of a chain (R34).
	copyFork    = "fork"         // it goes on from a key of the node to another than the hub knows
	copyGivenUp = "key_given_up" // somebody uses a key that the node has gone on from
)

// Challenge is a refusal that asks for the same statement again, over a nonce for this holder alone.
type Challenge struct {
	*models.Refusal
	Nonce string
}

// Unwrap is the refusal.
func (c *Challenge) Unwrap() error { return c.Refusal }

// copied is for a credential that the node itself has left behind. A message may have been late or
// sent twice on its way, so the first is only asked again, over a nonce that nobody else gets: a node
// that has gone on does not answer, whatever the network does. An answer is a second holder's, and
// both are locked out (R32).
func (f *Fleet) copied(ctx context.Context, n models.Node, thumb string, live bool, how string,
) error {
	if live {
		if err := f.quarantine(ctx, n, how); err != nil {
			return err
		}
		return quarantined()
	}
	nonce := f.nonces.at(f.o.Now()).ask(challenge{n.ID, thumb})
	if nonce == "" {
		return &models.Refusal{Kind: models.KindTooMany, Code: "too_many_attempts"}
	}
	return &Challenge{Refusal: models.Unauthorized(wire.CodeStaleCredential), Nonce: nonce}
}

// quarantine locks a node out on every replica, and takes back a permit that has disturbed nothing.
// Only another machine or key, *Replace node*, lets it in again.
func (f *Fleet) quarantine(ctx context.Context, n models.Node, how string) error {
	err := f.change(ctx, hubActor(), n.OrganizationID, n.ClusterID,
		func(w *work, s *store.Scope) error {
			m := w.member(n.ID)
			if m == nil || m.Member == models.MemberQuarantined {
				return nil
			}
			if p := w.permit; p != nil && p.NodeID == m.ID && p.State == models.PermitOffered {
				effects, err := rollout.Leave(w.snapshot(f.incarnation(), ""), m.ID, false, w.now)
				if err != nil {
					return err
				}
				w.apply(effects)
			}
			before := m.Member
			m.Member = models.MemberQuarantined
			w.touchNode(m.ID)
			w.recordNode(ActionNodeQuarantined, m, before, quarantineNote{m.Member, how})
			w.settle(f.incarnation())
			return f.revoke(s.Tx(), n.ClusterID)
		})
	if err != nil {
		return err
	}
	return f.everywhere(ctx)
}

type quarantineNote struct {
	Member models.MemberState `json:"member"`
	Why    string             `json:"why"`
}
