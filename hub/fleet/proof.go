package fleet

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"

	"connecthub/models"
	"connecthub/models/wire"
)

// maxProofID bounds the jti of a proof and of an assertion.
const maxProofID = 128

// Authenticate says which node sends a request: whose access token it is, and that the request was
// signed for this hub, now, once, with the key that the token is bound to (RFC 9449). A revoked one
// is refused with a signed statement where the node has lost its registration for good (R6).
func (f *Fleet) Authenticate(ctx context.Context, c wire.Credentials) (NodeIdentity, error) {
	if err := f.Serving(); err != nil {
		return NodeIdentity{}, err
	}
	if c.Token == "" {
		return NodeIdentity{}, models.Unauthorized("invalid_token")
	}
	now := f.now()
	var text [1024]byte // more than a token has, and not on the heap
	sum := sha256.Sum256(append(text[:0], c.Token...))
	v, known := f.tokens.find(sum)
	if !known {
		var err error
		if v, err = f.verifyAccess(c.Token, now); err != nil {
			return NodeIdentity{}, err
		}
	}
	if !now.Before(v.expires) {
		return NodeIdentity{}, models.Unauthorized("invalid_token")
	}
	fresh, err := f.checkProof(c, &v, sum)
	if err != nil {
		return NodeIdentity{}, err
	}
	if !known || fresh {
		f.tokens.keep(sum, v, now)
	}
	if f.current(v.node) {
		return v.node, nil
	}
	return v.node, f.lookAgain(ctx, v.node)
}

// checkProof refuses a request that the token's key has not signed. The one signature check comes
// last but for the list of used proofs, which only a good one may enter. Learned says that v now
// knows how this key's proofs begin.
func (f *Fleet) checkProof(c wire.Credentials, v *verified, token [sha256.Size]byte) (
	learned bool, err error) {
	invalid := models.Unauthorized("invalid_dpop_proof")
	scratch, _ := f.scratch.Get().(*wire.ProofScratch)
	defer f.scratch.Put(scratch)
	p, ok := wire.ReadProof(c.Proof, scratch)
	if !ok {
		return false, invalid
	}
	if p.Head != v.head {
		key, ok := wire.ReadProofHead(p.Head)
		public, err := key.Public()
		if !ok || err != nil || key.Thumbprint() != v.node.KeyThumb {
			return false, invalid
		}
		v.head, v.public, learned = p.Head, public, true
	}
	var hash [43]byte
	base64.RawURLEncoding.Encode(hash[:], token[:])
	if p.Claims.TokenHash != string(hash[:]) || p.Claims.Method != c.Method ||
		!c.Target(p.Claims.URI) || len(p.Claims.ID) < minProofID || len(p.Claims.ID) > maxProofID {
		return false, invalid
	}
	g := f.nonces.at(f.o.Now()).find(p.Claims.Nonce)
	if g == nil {
		return false, models.Unauthorized(wire.CodeUseNonce)
	}
	if !ed25519.Verify(v.public, p.Signed, p.Signature[:]) {
		return false, invalid
	}
	if !g.spend(spentIDOf("proof", v.node.KeyThumb, p.Claims.ID)) {
		return false, models.Unauthorized(wire.CodeProofReplayed)
	}
	return learned, nil
}
