package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/hub/keys"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

// JoinTTL is how long a join ticket is good for.
const JoinTTL = 15 * time.Minute

type joinClaims struct {
	jwt.RegisteredClaims
	FQDN         models.FQDN           `json:"fqdn"`
	Organization models.OrganizationID `json:"org"`
	Incarnation  uint64                `json:"inc"` // a restore voids tickets (R34)
}

// JoinTickets gives the publisher one short-lived ticket for each member that it names.
func (f *Fleet) JoinTickets(ctx context.Context, _ Actor, n NodeIdentity, r wire.TicketsRequest,
) (wire.TicketsResponse, error) {
	if len(r.Members) == 0 || len(r.Members) > maxMembers {
		return wire.TicketsResponse{}, invalidClaim("members")
	}
	err := f.o.Store.View(ctx, func(tx *store.Tx) error {
		node, err := tx.In(n.Organization).NodeByID(n.Node)
		if err != nil {
			return notFound(err)
		}
		if node.Role != models.Publisher || node.KeyThumb != n.KeyThumb {
			return &models.Refusal{Kind: models.KindForbidden, Code: "not_publisher"}
		}
		return nil
	})
	if err != nil {
		return wire.TicketsResponse{}, err
	}
	expires := f.now().Add(JoinTTL)
	answer := wire.TicketsResponse{Tickets: []wire.JoinTicket{}}
	for _, name := range r.Members {
		fqdn, err := models.ParseFQDN(string(name))
		if err != nil {
			return wire.TicketsResponse{}, err
		}
		text, err := f.o.Keys.Sign(wire.TypeJoin, joinClaims{FQDN: fqdn,
			Organization: n.Organization, Incarnation: f.incarnation(),
			RegisteredClaims: jwt.RegisteredClaims{
				Issuer: f.hubID(), Subject: string(n.Cluster), ID: newCode(),
				Audience:  jwt.ClaimStrings{wire.Audience},
				ExpiresAt: jwt.NewNumericDate(expires)}})
		if err != nil {
			return wire.TicketsResponse{}, err
		}
		answer.Tickets = append(answer.Tickets,
			wire.JoinTicket{FQDN: fqdn, Ticket: text, ExpiresAt: expires})
	}
	return answer, nil
}

// Join takes a subscriber with a key of its own in. One that the publisher named when it registered
// is active; any other waits for a full admin (R32).
func (f *Fleet) Join(ctx context.Context, a Actor, r wire.JoinRequest) (wire.JoinResponse, error) {
	var t joinClaims
	err := keys.Verify(r.Ticket, f.o.Keys.Verifier(), keys.Want{Type: wire.TypeJoin,
		Issuer: f.hubID(), Audience: wire.Audience, Now: f.now()}, &t)
	if err != nil || t.ID == "" || t.Incarnation != f.incarnation() {
		return wire.JoinResponse{}, models.Invalid("invalid_ticket", "ticket")
	}
	claim, err := f.readClaim(r.Ticket, r.Claim)
	if err != nil {
		return wire.JoinResponse{}, err
	}
	if claim.Claim.FQDN != t.FQDN {
		return wire.JoinResponse{}, models.Conflict("wrong_fqdn", string(t.FQDN))
	}
	a.Kind, a.Name = models.ActorNode, string(t.FQDN)
	a.Organization = t.Organization
	id := models.ClusterID(t.Subject)
	var answer wire.JoinResponse
	err = f.change(ctx, a, t.Organization, id, func(w *work, s *store.Scope) error {
		node, err := f.admitKey(w, s, t, claim)
		if err != nil {
			return err
		}
		w.recordNode(ActionNodeJoined, &node, nil, node.Member)
		org, err := s.Own()
		if err != nil {
			return err
		}
		answer.Identity = wire.Identity{HubID: f.hubID(), Organization: org.Name, ClusterID: id,
			DisplayName: w.cluster.DisplayName, NodeID: node.ID, Role: node.Role,
			HubKey: f.o.Keys.Public(), Fence: w.cluster.Fence()}
		return nil
	})
	if err != nil {
		return wire.JoinResponse{}, err
	}
	f.follow(ctx, id)
	return answer, nil
}

// admitKey gives an expected member its key, or adds a waiting one.
func (f *Fleet) admitKey(w *work, s *store.Scope, t joinClaims, c storedClaim,
) (models.Node, error) {
	tx := s.Tx()
	if err := keyIsFree(tx, c.Key.Thumbprint()); err != nil {
		return models.Node{}, err
	}
	err := tx.Hub().SpendAssertion("join:"+t.ID, t.ExpiresAt.Add(time.Minute))
	if errors.Is(err, store.ErrUnchanged) {
		return models.Node{}, &models.Refusal{Kind: models.KindGone, Code: "registration_used"}
	}
	if err != nil {
		return models.Node{}, err
	}
	for i := range w.members {
		n := &w.members[i]
		if n.Name != t.FQDN {
			continue
		}
		if n.Member != models.MemberExpected {
			return models.Node{}, models.Conflict("node_registered_already", "")
		}
		fresh, err := joined(*n, c, w.now)
		if err != nil {
			return models.Node{}, err
		}
		*n = fresh
		w.touchNode(n.ID)
		return fresh, s.SetNodeKey(n.ID, "", store.Joined{KeyThumb: fresh.KeyThumb,
			PublicKey: fresh.PublicKey, At: w.now, Member: models.MemberActive})
	}
	if len(w.members) >= maxMembers {
		return models.Node{}, invalidClaim("members")
	}
	fresh, err := joined(newMember(tx, w.cluster, t.FQDN, models.Subscriber), c, w.now)
	if err != nil {
		return models.Node{}, err
	}
	fresh.Member = models.MemberWaiting
	row := fresh
	return fresh, s.CreateNode(&row)
}
