package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/json"
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

// clockSlack is how far a node's clock may be off and still sign assertions that count: each counts
// once, and a node whose clock is wrong must be able to say so (R35).
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
}

type accessClaims struct {
	jwt.RegisteredClaims
	Cluster      models.ClusterID      `json:"cluster"`
	Organization models.OrganizationID `json:"org"`
	Confirmation struct {
		Thumb string `json:"jkt"`
	} `json:"cnf"`
}

// Authenticate says whose access token it is. A revoked one is refused with a signed statement where
// the node has lost its registration for good (R6).
func (f *Fleet) Authenticate(ctx context.Context, accessToken string) (NodeIdentity, error) {
	now := f.now()
	var text [1024]byte // more than a token has, and not on the heap
	sum := sha256.Sum256(append(text[:0], accessToken...))
	f.tokens.mu.RLock()
	v, ok := f.tokens.known[sum]
	f.tokens.mu.RUnlock()
	if !ok {
		var err error
		if v, err = f.verifyAccess(accessToken, now); err != nil {
			return NodeIdentity{}, err
		}
		f.tokens.keep(sum, v, now)
	}
	if !now.Before(v.expires) {
		return NodeIdentity{}, models.Unauthorized("invalid_token")
	}
	if f.current(v.node) {
		return v.node, nil
	}
	return v.node, f.lookAgain(ctx, v.node)
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

// current says whether the roster has the node with that key.
func (f *Fleet) current(n NodeIdentity) bool {
	c := f.find(n.Cluster)
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.rows.member(n.Node)
	return m != nil && m.KeyThumb == n.KeyThumb
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

// revoked refuses a key that is no living member's, with the statement that says why.
func (f *Fleet) revoked(ctx context.Context, id models.NodeID, thumb string) error {
	var node models.Node
	var owner models.Cluster
	err := f.o.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		if node, err = tx.Hub().NodeByID(id); err != nil {
			return err
		}
		owner, err = tx.Hub().ClusterByID(node.ClusterID)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return models.Unauthorized("not_registered")
	}
	if err != nil {
		return err
	}
	says := ""
	switch {
	case !owner.Living():
		says = "deregistered"
	case node.Member == models.MemberRemoved:
		says = "removed"
	case node.KeyThumb != thumb:
		says = "replaced"
	default:
		return nil
	}
	refusal := models.Unauthorized("not_registered")
	refusal.Statement, err = f.o.Keys.SignValue(wire.TypeStatement, wire.StatementClaims{
		Node: node.ID, Cluster: node.ClusterID, Says: says, At: f.now().Unix(), KeyThumb: thumb})
	if err != nil {
		return err
	}
	return refusal
}

// Token gives an access token for an assertion that the node has signed with its key. An assertion
// counts once.
func (f *Fleet) Token(ctx context.Context, r wire.TokenRequest) (wire.TokenResponse, error) {
	invalid := models.Unauthorized("invalid_assertion")
	subject, err := unverifiedSubject(r.Assertion)
	if err != nil {
		return wire.TokenResponse{}, invalid
	}
	var node models.Node
	err = f.o.Store.View(ctx, func(tx *store.Tx) error {
		node, err = tx.Hub().NodeByID(models.NodeID(subject))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return wire.TokenResponse{}, models.Unauthorized("not_registered")
	}
	if err != nil {
		return wire.TokenResponse{}, err
	}
	now := f.now()
	claims, thumb, err := checkAssertion(r.Assertion, node, now)
	if err != nil {
		return wire.TokenResponse{}, invalid
	}
	if err := f.revoked(ctx, node.ID, thumb); err != nil {
		return wire.TokenResponse{}, err
	}
	err = f.o.Store.Update(ctx, func(tx *store.Tx) error {
		return tx.Hub().SpendAssertion(string(node.ID)+":"+claims.ID,
			claims.ExpiresAt.Add(clockSlack+time.Minute))
	})
	if errors.Is(err, store.ErrUnchanged) {
		return wire.TokenResponse{}, models.Unauthorized("assertion_replayed")
	}
	if err != nil {
		return wire.TokenResponse{}, err
	}
	return f.issue(node, now)
}

// checkAssertion answers whose key signed. Besides the node's present key, an assertion may bring
// its own: it proves who asks, and gains a statement about itself at most.
func checkAssertion(text string, node models.Node, now time.Time,
) (jwt.RegisteredClaims, string, error) {
	want := keys.Want{Type: wire.TypeAssertion, Issuer: string(node.ID), Audience: wire.Audience,
		Now: now, Leeway: clockSlack}
	var claims jwt.RegisteredClaims
	var key wire.JWK
	err := json.Unmarshal([]byte(node.PublicKey), &key)
	if err == nil {
		public, keyErr := key.Public()
		err = keyErr
		if err == nil {
			err = keys.Verify(text, public, want, &claims)
		}
	}
	if err != nil {
		claims = jwt.RegisteredClaims{}
		if key, err = keys.VerifyOwn(text, want, &claims); err != nil {
			return claims, "", err
		}
	}
	if claims.ID == "" || len(claims.ID) > maxWord || claims.Subject != string(node.ID) ||
		claims.ExpiresAt.After(now.Add(clockSlack+TokenTTL)) {
		return claims, "", keys.ErrToken
	}
	return claims, key.Thumbprint(), nil
}

// unverifiedSubject is whose assertion it claims to be: the key to check it with depends on that.
func unverifiedSubject(text string) (string, error) {
	var claims jwt.RegisteredClaims
	_, _, err := jwt.NewParser().ParseUnverified(text, &claims)
	if err != nil || claims.Subject == "" || len(claims.Subject) > maxWord {
		return "", keys.ErrToken
	}
	return claims.Subject, nil
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
	return wire.TokenResponse{AccessToken: token, TokenType: "DPoP",
		ExpiresIn: int(TokenTTL / time.Second), Now: now}, nil
}
