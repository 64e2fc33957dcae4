package audit

import (
	"crypto/ed25519"
	"fmt"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/hub/keys"
	"connecthub/models"
)

// The typ headers of what the hub signs about a log; they never leave for a node.
const (
	typeCheckpoint = "checkpoint+jwt"
	typeCut        = "auditcut+jwt"
)

// claims say where a chain stood, or up to where it was removed.
type claims struct {
	jwt.RegisteredClaims
	Organization models.OrganizationID `json:"organization"`
	// Number counts the checkpoints of an organization; of a cut, those that went with it.
	Number   int64     `json:"number"`
	Sequence int64     `json:"sequence"`
	Hash     string    `json:"hash"`
	At       time.Time `json:"at"`
	// Incarnation is the life of the hub in which it signed, and Restored the record with which the
	// log goes on after a backup was put back: what older lives signed from there on is not in it.
	Incarnation uint64 `json:"incarnation,omitempty"`
	Restored    int64  `json:"restored,omitempty"`
}

func (c claims) same(o claims) bool {
	return c.Organization == o.Organization && c.Number == o.Number && c.Sequence == o.Sequence &&
		c.Hash == o.Hash && c.At.Equal(o.At)
}

func sign(k *keys.Hub, hub, typ string, c claims) (string, error) {
	c.Issuer = hub
	text, err := k.Sign(typ, c)
	if err != nil {
		return "", fmt.Errorf("cannot sign where the audit log stands: %w", err)
	}
	return text, nil
}

// Verifier checks logs against what one hub has signed. It is safe for concurrent use.
type Verifier struct {
	hub  string
	life uint64 // the hub's incarnation
	key  ed25519.PublicKey
	seen sync.Map // statement → claims: a signature is checked once
	off  guard    // for mutants in tests: what is not checked
}

// guard is one of the checks that make a change evident.
type guard uint8

const (
	guardHash   guard = 1 << iota // a record is as its hash says
	guardLink                     // a record follows the one before it
	guardPlace                    // places have no gaps
	guardEnd                      // the log ends where its head says
	guardSigned                   // the log is the one that was signed, here and elsewhere
	guardCount                    // no signature is missing or made up
)

func (v *Verifier) keeps(g guard) bool { return v.off&g == 0 }

// NewVerifier trusts that key of that hub and no other.
func NewVerifier(hub string, key ed25519.PublicKey) *Verifier {
	return &Verifier{hub: hub, key: key}
}

func (v *Verifier) open(typ, statement string) (claims, error) {
	if known, ok := v.seen.Load(typ + statement); ok {
		return known.(claims), nil
	}
	var c claims
	// The clock does not matter: a checkpoint counts for ever.
	err := keys.Verify(statement, v.key, keys.Want{Type: typ, Issuer: v.hub, NoExpiry: true}, &c)
	if err != nil {
		return claims{}, err
	}
	v.seen.Store(typ+statement, c)
	return c, nil
}
