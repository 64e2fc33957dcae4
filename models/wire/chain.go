package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"connecthub/models"
)

// PathChain is where a node shows how it came from a key that the hub knows to its present one: a hub
// that was restored from a backup knows an older one (R34).
const PathChain = "/api/node/v1/keys/chain"

// The typ headers of a chain.
const (
	TypeLink  = "keylink+jwt"  // node, by both keys: LinkClaims, header jwk
	TypeChain = "keychain+jwt" // node, by its present key: ChainClaims, header jwk
)

// MaxChain is how many changes of its key a node remembers, the newest: at one a day, two months.
const MaxChain = 64

// CodeNotRegistered refuses a key that the hub does not know as a node's.
const CodeNotRegistered = "not_registered"

// Link is one change of a node's key, as both keys have signed it.
type Link struct {
	ByOld string `json:"by_old"` // a JWS over LinkClaims
	// ByNew is a JWS over the same bytes, its payload left out (RFC 7515, appendix F).
	ByNew string `json:"by_new"`
	// At is when the hub took the new key, by its own clock, in seconds; 0 where that is not known.
	At int64 `json:"at,omitempty"`
}

// LinkClaims is what both keys sign.
type LinkClaims struct {
	Node models.NodeID `json:"sub"`
	Aud  string        `json:"aud"`
	Old  string        `json:"old"` // thumbprints
	New  string        `json:"new"`
}

// ChainRequest shows the links, oldest first; Proof is a JWS over ChainClaims.
type ChainRequest struct {
	Links []Link `json:"links"`
	Proof string `json:"proof"`
}

// ChainClaims says that the sender holds the key at the end of the chain now, and how often it has
// asked for a token.
type ChainClaims struct {
	Node       models.NodeID `json:"sub"`
	Aud        string        `json:"aud"`
	ID         string        `json:"jti"`
	Nonce      string        `json:"nonce"`
	Links      string        `json:"links"` // HashLinks
	Generation uint64        `json:"gen"`
	Mark       string        `json:"mark"`
}

// HashLinks covers every byte of the links.
func HashLinks(links []Link) string {
	h := sha256.New()
	for _, l := range links {
		for _, part := range []string{l.ByOld, l.ByNew} {
			sum := sha256.Sum256([]byte(part))
			h.Write(sum[:])
		}
		var at [8]byte
		for i := range at {
			at[i] = byte(uint64(l.At) >> (8 * i)) //nolint:gosec // every bit as it is
		}
		h.Write(at[:])
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Detach leaves the payload out of a JWS; false where it is none, or over other bytes than of.
func Detach(text, of string) (string, bool) {
	parts, other := strings.Split(text, "."), strings.Split(of, ".")
	if len(parts) != 3 || len(other) != 3 || parts[1] != other[1] {
		return "", false
	}
	return parts[0] + ".." + parts[2], true
}

// Attach puts the payload of another JWS in; false where there is no place for it.
func Attach(text, of string) (string, bool) {
	parts, other := strings.Split(text, "."), strings.Split(of, ".")
	if len(parts) != 3 || len(other) != 3 || parts[1] != "" {
		return "", false
	}
	return parts[0] + "." + other[1] + "." + parts[2], true
}
