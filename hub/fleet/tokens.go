package fleet

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/hub/keys"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

// TokenTTL is how long an access token is good for.
const TokenTTL = 10 * time.Minute

// clockSlack is how far a node's clock may be off in what it signs before it has heard the hub.
const clockSlack = 24 * time.Hour

// maxTokens bounds the memory of verified tokens.
const maxTokens = 100_000

// tokens are the access tokens that were verified, by their SHA-256. A signature is checked once;
// revocation is asked each time.
type tokens struct {
	mu    sync.RWMutex
	known map[[sha256.Size]byte]verified
}

type verified struct {
	node    NodeIdentity
	expires time.Time
	// head is how the proofs of the token's key begin, and public that key, once one has come.
	head   string
	public ed25519.PublicKey
}

type accessClaims struct {
	jwt.RegisteredClaims
	Cluster      models.ClusterID      `json:"cluster"`
	Organization models.OrganizationID `json:"org"`
	Confirmation struct {
		Thumb string `json:"jkt"`
	} `json:"cnf"`
}

func (f *Fleet) verifyAccess(accessToken string, now time.Time) (verified, error) {
	var claims accessClaims
	err := keys.Verify(accessToken, f.o.Keys.Verifier(), keys.Want{Type: wire.TypeAccess,
		Issuer: f.hubID(), Audience: wire.Audience, Now: now}, &claims)
	if err != nil || claims.Subject == "" {
		return verified{}, models.Unauthorized("invalid_token")
	}
	return verified{expires: claims.ExpiresAt.Time, node: NodeIdentity{
		Node: models.NodeID(claims.Subject), Cluster: claims.Cluster,
		Organization: claims.Organization, KeyThumb: claims.Confirmation.Thumb}}, nil
}

func (t *tokens) find(sum [sha256.Size]byte) (verified, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	v, ok := t.known[sum]
	return v, ok
}

func (t *tokens) keep(sum [sha256.Size]byte, v verified, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = map[[sha256.Size]byte]verified{}
	}
	if len(t.known) >= maxTokens {
		t.drop(now)
	}
	if len(t.known) < maxTokens {
		t.known[sum] = v
	}
}

func (t *tokens) drop(now time.Time) {
	for sum, v := range t.known {
		if !now.Before(v.expires) {
			delete(t.known, sum)
		}
	}
}

// current says whether the roster has the node with that key, and not in quarantine.
func (f *Fleet) current(n NodeIdentity) bool {
	c := f.find(n.Cluster)
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.rows.member(n.Node)
	return m != nil && m.KeyThumb == n.KeyThumb && m.Member != models.MemberQuarantined
}

// lookAgain asks the stored rows where the roster does not have a node.
func (f *Fleet) lookAgain(ctx context.Context, n NodeIdentity) error {
	if !f.Ready() {
		return f.absent()
	}
	if err := f.revoked(ctx, n.Node, n.KeyThumb); err != nil {
		return err
	}
	return f.reload(ctx, n.Cluster)
}

// standing is what the hub knows of a node and of one of its keys.
type standing struct {
	node models.Node
	gone string // what a statement says where the registration has ended for good
	next string // the key that came after the one asked for
}

// stand looks a node and a key up in the stored rows. To a key that never was the node's the hub says
// what it says of a node that does not exist (R29).
func (f *Fleet) stand(ctx context.Context, id models.NodeID, thumb string) (standing, error) {
	var s standing
	var owner models.Cluster
	former := false
	err := f.o.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		if s.node, err = tx.Hub().NodeByID(id); err != nil {
			return err
		}
		if s.next, former, err = tx.Hub().FormerKey(id, thumb); err != nil {
			return err
		}
		owner, err = tx.Hub().ClusterByID(s.node.ClusterID)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s, models.Unauthorized("not_registered")
	case err != nil:
		return s, err
	case s.node.KeyThumb != thumb && !former:
		return s, models.Unauthorized("not_registered")
	case !owner.Living():
		s.gone = "deregistered"
	case s.node.Member == models.MemberRemoved:
		s.gone = "removed"
	case s.node.KeyThumb != thumb && s.next == "":
		s.gone = "replaced"
	}
	return s, nil
}

// revoked refuses a key that is no living member's: with the statement that says why, where that is
// for good (R6).
func (f *Fleet) revoked(ctx context.Context, id models.NodeID, thumb string) error {
	s, err := f.stand(ctx, id, thumb)
	switch {
	case err != nil:
		return err
	case s.gone != "":
		return f.stated(s, thumb)
	case s.node.Member == models.MemberQuarantined:
		return quarantined()
	case s.node.KeyThumb != thumb:
		return models.Unauthorized("invalid_token") // of the key before
	}
	return nil
}

// stated is the refusal with the signed word that a node's registration has ended.
func (f *Fleet) stated(s standing, thumb string) error {
	refusal := models.Unauthorized("not_registered")
	var err error
	refusal.Statement, err = f.o.Keys.SignValue(wire.TypeStatement, wire.StatementClaims{
		Node: s.node.ID, Cluster: s.node.ClusterID, Says: s.gone, At: f.now().Unix(), KeyThumb: thumb})
	if err != nil {
		return err
	}
	return refusal
}

func quarantined() error {
	return &models.Refusal{Kind: models.KindForbidden, Code: "node_quarantined"}
}

// Token gives an access token for an assertion that the node has signed with its key, over the hub's
// nonce: it counts once, whatever the node's clock says (R35).
func (f *Fleet) Token(ctx context.Context, r wire.TokenRequest) (wire.TokenResponse, error) {
	if err := f.Serving(); err != nil {
		return wire.TokenResponse{}, err
	}
	a, err := f.readAssertion(r.Assertion)
	if err != nil {
		return wire.TokenResponse{}, err
	}
	s, err := f.stand(ctx, models.NodeID(a.Subject), a.thumb)
	if err != nil {
		return wire.TokenResponse{}, err
	}
	switch {
	case s.gone != "":
		return wire.TokenResponse{}, f.stated(s, a.thumb)
	case s.node.Member == models.MemberQuarantined:
		return wire.TokenResponse{}, quarantined()
	case s.node.KeyThumb != a.thumb:
		return wire.TokenResponse{}, f.copied(ctx, s.node, a.thumb, a.live, copyOldKey)
	case a.Generation == 0 || len(a.Mark) < minProofID || len(a.Mark) > maxProofID:
		return wire.TokenResponse{}, models.Unauthorized("invalid_assertion")
	}
	if err := f.raiseGeneration(ctx, s.node, a); err != nil {
		return wire.TokenResponse{}, err
	}
	return f.issue(s.node, f.now())
}

// raiseGeneration lets a node be the next holder of its key. The same request again is no other one.
func (f *Fleet) raiseGeneration(ctx context.Context, n models.Node, a assertion) error {
	err := f.o.Store.Update(ctx, func(tx *store.Tx) error {
		err := tx.In(n.OrganizationID).RaiseGeneration(n.ID, a.thumb,
			store.Holding{Generation: a.Generation, Mark: a.Mark}, f.proof(f.now()))
		if !errors.Is(err, store.ErrUnchanged) {
			return err
		}
		stored, err := tx.In(n.OrganizationID).NodeByID(n.ID)
		if err != nil {
			return err
		}
		if stored.KeyThumb == a.thumb && stored.Generation == a.Generation &&
			stored.GenerationMark == a.Mark {
			return nil
		}
		return store.ErrUnchanged
	})
	if errors.Is(err, store.ErrUnchanged) {
		return f.copied(ctx, n, a.thumb, a.live, copyBehind)
	}
	return err
}

// proof is that somebody holds a key now, in this life of the hub.
func (f *Fleet) proof(now time.Time) store.Proof {
	return store.Proof{Incarnation: f.incarnation(), At: now}
}

// assertion is one whose signature, nonce and single use were checked.
type assertion struct {
	assertionClaims
	key   wire.JWK
	thumb string
	live  bool // it answers a challenge: it was made after the hub asked
}

type assertionClaims struct {
	jwt.RegisteredClaims
	Nonce      string `json:"nonce"`
	Generation uint64 `json:"gen"`
	Mark       string `json:"mark"`
}

// readAssertion takes an assertion that brings its key; whose key that is, the caller asks.
func (f *Fleet) readAssertion(text string) (assertion, error) {
	invalid := models.Unauthorized("invalid_assertion")
	var a assertion
	key, err := keys.VerifyOwn(text, keys.Want{Type: wire.TypeAssertion, Audience: wire.Audience,
		Untimed: true}, &a.assertionClaims)
	if err != nil || a.Subject == "" || len(a.Subject) > maxWord || a.Issuer != a.Subject ||
		len(a.ID) < minProofID || len(a.ID) > maxProofID {
		return a, invalid
	}
	a.key, a.thumb = key, key.Thumbprint()
	a.live, err = f.spendNonce(a.Nonce, challenge{models.NodeID(a.Subject), a.thumb}, a.ID)
	return a, err
}

// spendNonce refuses a statement whose nonce is not this replica's, and one that was used before.
// Live: it answers a challenge to this very holder.
func (f *Fleet) spendNonce(nonce string, from challenge, jti string) (live bool, err error) {
	p := f.nonces.at(f.o.Now())
	if p.asked(nonce, from) {
		return true, nil
	}
	g := p.find(nonce)
	if g == nil {
		return false, models.Unauthorized(wire.CodeUseNonce)
	}
	if !g.spend(spentIDOf("assertion", from.thumb, jti)) {
		return false, models.Unauthorized("assertion_replayed")
	}
	return false, nil
}

func (f *Fleet) issue(node models.Node, now time.Time) (wire.TokenResponse, error) {
	claims := accessClaims{Cluster: node.ClusterID, Organization: node.OrganizationID,
		RegisteredClaims: jwt.RegisteredClaims{Issuer: f.hubID(), Subject: string(node.ID),
			Audience: jwt.ClaimStrings{wire.Audience}, IssuedAt: jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(TokenTTL))}}
	claims.Confirmation.Thumb = node.KeyThumb
	token, err := f.o.Keys.Sign(wire.TypeAccess, claims)
	if err != nil {
		return wire.TokenResponse{}, err
	}
	return wire.TokenResponse{AccessToken: token, TokenType: wire.SchemeDPoP,
		ExpiresIn: int(TokenTTL / time.Second), Now: now}, nil
}
