package wire

// What a JWS between node and hub is, by its "typ" header; the algorithm is always EdDSA. A
// verifier refuses every other typ, so that none can be passed off as another.
const (
	TypClaim     = "claim+jwt"                 // node's key over Claim; header jwk
	TypAssertion = "client-authentication+jwt" // node's key; RFC 7523, single use
	TypProof     = "dpop+jwt"                  // node's key; RFC 9449, header jwk
	TypPermit    = "permit+jwt"                // hub's key over PermitClaims
	TypStatement = "statement+jwt"             // hub's key over StatementClaims
)

// Audience is the "aud" of every assertion: a node does not know the hub's id before it is
// registered. The hub that may use it is decided by the TLS trust that set-up gave the node.
const Audience = "connect-hub"

// AssertionTTL is how long, in seconds on the hub's clock, an assertion lives at most; its claims
// are iss = sub (the node's id, or the registration's id for a status request), aud, jti, iat, exp.
const AssertionTTL = 60
