package wire

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"connecthub/models"
)

// PathKeys is where a node gets its next key.
const PathKeys = "/api/node/v1/keys"

// The headers of RFC 9449.
const (
	SchemeDPoP  = "DPoP"       // of the Authorization header
	HeaderProof = "DPoP"       // a proof, one to a request
	HeaderNonce = "DPoP-Nonce" // what the next proof must bear
)

// The refusals that a node acts upon by itself.
const (
	CodeUseNonce        = "use_dpop_nonce"
	CodeProofReplayed   = "proof_replayed"
	CodeStaleCredential = "stale_credential" //nolint:gosec // a word, no secret
)

// strict reads base64url whose every bit counts. It is never changed.
var strict = base64.RawURLEncoding.Strict()

// MaxProof bounds a proof's text.
const MaxProof = 2048

// ProofClaims is what a node's key signs over one request (typ "dpop+jwt", header jwk). IssuedAt is
// by the node's clock and is not judged: the nonce makes a proof fresh (R35).
type ProofClaims struct {
	TokenHash string `json:"ath"` // base64url SHA-256 of the access token
	Method    string `json:"htm"`
	URI       string `json:"htu"` // without query and fragment
	IssuedAt  int64  `json:"iat"`
	ID        string `json:"jti"`
	Nonce     string `json:"nonce,omitempty"`
}

// Prover signs proofs with one key. Their form is always the same, which is what makes the hub's
// check of them cheap.
type Prover struct {
	private ed25519.PrivateKey
	head    string
}

// NewProver makes a Prover of a key.
func NewProver(private ed25519.PrivateKey) Prover {
	key := KeyOf(private.Public().(ed25519.PublicKey))
	head := `{"alg":"EdDSA","jwk":{"kty":"` + key.Kty + `","crv":"` + key.Crv + `","x":"` + key.X +
		`"},"typ":"` + TypeProof + `"}`
	return Prover{private: private, head: base64.RawURLEncoding.EncodeToString([]byte(head))}
}

// Sign makes the proof of one request.
func (p Prover) Sign(c ProofClaims) (string, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("cannot sign a proof: %w", err)
	}
	text := p.head + "." + base64.RawURLEncoding.EncodeToString(body)
	signature := ed25519.Sign(p.private, []byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// Proof is a proof taken apart; nothing in it has been checked.
type Proof struct {
	Head      string // its first part, as it stands
	Signed    []byte // what the signature covers; it lies in the scratch
	Signature [ed25519.SignatureSize]byte
	Claims    ProofClaims
}

// ProofScratch is where a proof is taken apart; it serves one proof at a time.
type ProofScratch struct{ text, body [MaxProof]byte }

// ReadProof takes a proof apart. It refuses what is not of the form of RFC 9449, and claims that are
// not text or a number as they should be.
func ReadProof(text string, scratch *ProofScratch) (Proof, bool) {
	var p Proof
	cut := strings.LastIndexByte(text, '.')
	if cut < 0 || len(text) > MaxProof ||
		strict.DecodedLen(len(text)-cut-1) != ed25519.SignatureSize {
		return p, false
	}
	whole := scratch.text[:copy(scratch.text[:], text)]
	if n, err := strict.Decode(p.Signature[:], whole[cut+1:]); err != nil || n != len(p.Signature) {
		return p, false
	}
	p.Signed = whole[:cut]
	head := strings.IndexByte(text, '.')
	if head == cut || strings.IndexByte(text[head+1:cut], '.') >= 0 {
		return p, false
	}
	p.Head = text[:head]
	n, err := strict.Decode(scratch.body[:], whole[head+1:cut])
	if err != nil {
		return p, false
	}
	if readUsualClaims(scratch.body[:n], &p.Claims) {
		return p, true
	}
	return p, json.Unmarshal(scratch.body[:n], &p.Claims) == nil
}

// readUsualClaims reads what Sign writes, where no text needs an escape. What it reads, encoding/json
// reads as the same.
func readUsualClaims(text []byte, into *ProofClaims) bool {
	var c ProofClaims
	s := scan{rest: text, ok: true}
	c.TokenHash = s.word(`{"ath":"`)
	c.Method = s.word(`,"htm":"`)
	c.URI = s.word(`,"htu":"`)
	c.IssuedAt = int64(s.number(`,"iat":`)) //nolint:gosec // at most 18 digits
	c.ID = s.word(`,"jti":"`)
	c.Nonce = s.word(`,"nonce":"`)
	s.skip(`}`)
	if !s.ok || len(s.rest) > 0 {
		return false
	}
	*into = c
	return true
}

// proofHead is the JOSE header of a proof.
type proofHead struct {
	Alg  string `json:"alg"`
	Typ  string `json:"typ"`
	Crit any    `json:"crit"`
	JWK  struct {
		JWK
		Private string `json:"d"`
	} `json:"jwk"`
}

// ReadProofHead answers the key that a proof's first part names. It refuses another type or
// algorithm, an extension that must be understood, and a key that brings its private half.
func ReadProofHead(head string) (JWK, bool) {
	raw, err := strict.DecodeString(head)
	var h proofHead
	if err != nil || json.Unmarshal(raw, &h) != nil || h.Alg != "EdDSA" || h.Typ != TypeProof ||
		h.Crit != nil || h.JWK.Private != "" {
		return JWK{}, false
	}
	return h.JWK.JWK, true
}

// Credentials are what a request of a node says of who sends it, and what a proof must be over.
type Credentials struct {
	Token  string // of the scheme DPoP; no other counts
	Proof  string // the one DPoP header
	Method string
	Host   string
	Path   string
}

// Target says whether a proof's URI is that of the request.
func (c Credentials) Target(uri string) bool {
	const scheme = "https://"
	if len(uri) != len(scheme)+len(c.Host)+len(c.Path) || uri[:len(scheme)] != scheme {
		return false
	}
	uri = uri[len(scheme):]
	return uri[:len(c.Host)] == c.Host && uri[len(c.Host):] == c.Path
}

// RotateRequest gives a node a new key. Both texts are a JWS (typ "rotation+jwt", header jwk) over
// the same RotationClaims, one by the old key and one by the new.
type RotateRequest struct {
	ByOld string `json:"by_old"`
	ByNew string `json:"by_new"`
}

// RotationClaims is what both keys sign.
type RotationClaims struct {
	Node  models.NodeID `json:"sub"`
	Aud   string        `json:"aud"`
	ID    string        `json:"jti"`
	Nonce string        `json:"nonce"`
	Old   string        `json:"old"` // thumbprints
	New   string        `json:"new"`
}

// RotateResponse says which key counts now.
type RotateResponse struct {
	KeyThumb string    `json:"jkt"`
	Now      time.Time `json:"now"`
}

// AssertionClaims is an RFC 7523 client assertion (typ "assertion+jwt", header jwk). The nonce makes
// it fresh; its times are by the node's clock and are not judged (R35). Generation rises with every
// token that the node asks for, and Mark is drawn anew with it: two machines that share a key cannot
// both be the next.
type AssertionClaims struct {
	Issuer     string `json:"iss"`
	Subject    string `json:"sub"`
	Audience   string `json:"aud"`
	ID         string `json:"jti"`
	IssuedAt   int64  `json:"iat"`
	ExpiresAt  int64  `json:"exp"`
	Nonce      string `json:"nonce,omitempty"`
	Generation uint64 `json:"gen,omitempty"`
	Mark       string `json:"mark,omitempty"`
}
