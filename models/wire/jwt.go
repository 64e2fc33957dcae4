package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
)

// Audience is the aud of everything a node signs for the hub.
const Audience = "connecthub"

// The typ headers of what is signed; nothing of one type passes for another.
const (
	TypeTicket    = "ticket+jwt"    // hub: a registration's ticket
	TypeJoin      = "join+jwt"      // hub: a member's join ticket
	TypeClaim     = "claim+jwt"     // node: Claim, header jwk
	TypeAssertion = "assertion+jwt" // node: AssertionClaims, header jwk
	TypeProof     = "dpop+jwt"      // node: ProofClaims, header jwk (RFC 9449)
	TypeRotation  = "rotation+jwt"  // node, by both keys: RotationClaims, header jwk
	TypeAccess    = "at+jwt"        // hub: an access token (RFC 9068)
	TypePermit    = "permit+jwt"    // hub: PermitClaims
	TypeStatement = "statement+jwt" // hub: StatementClaims
)

// ErrKey is the refusal of what is no Ed25519 public key.
var ErrKey = errors.New("not an Ed25519 public key")

// KeyOf writes a public key as a JWK.
func KeyOf(public ed25519.PublicKey) JWK {
	return JWK{Kty: "OKP", Crv: "Ed25519", X: base64.RawURLEncoding.EncodeToString(public)}
}

// Public reads the key; it refuses every other kind and length.
func (k JWK) Public() (ed25519.PublicKey, error) {
	if k.Kty != "OKP" || k.Crv != "Ed25519" || len(k.X) != 43 {
		return nil, ErrKey
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(k.X)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, ErrKey
	}
	return raw, nil
}

// Thumbprint is the RFC 7638 SHA-256 thumbprint, base64url.
func (k JWK) Thumbprint() string {
	sum := sha256.Sum256([]byte(`{"crv":"` + k.Crv + `","kty":"` + k.Kty + `","x":"` + k.X + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ComparisonCode is what both pages show (R3): it covers the ticket's secret and the node's key.
func ComparisonCode(secret []byte, thumbprint string) string {
	sum := sha256.Sum256(append(append([]byte{}, secret...), thumbprint...))
	text := base32.StdEncoding.EncodeToString(sum[:5])
	return text[:4] + "-" + text[4:]
}
