package models

import (
	"strings"
	"time"
)

// The code that "nodeclient register" prints: eight of twenty consonants, so that it can be read out
// and spells nothing. 20^8 of them, a handful of attempts and 15 minutes leave nothing to guess.
const (
	codeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	codeLength  = 8
)

// How a node asks whether its code was approved (RFC 8628).
const (
	HeadlessInterval = 5 * time.Second
	// HeadlessSlowDown is what is added each time that a node asks too soon.
	HeadlessSlowDown = 5 * time.Second
)

// HeadlessID names one request of a node to be registered from its shell.
type HeadlessID string

// HeadlessState is where such a request stands; all but pending and approved are absorbing.
type HeadlessState string

// The states of a headless request.
const (
	HeadlessPending  HeadlessState = "pending"
	HeadlessApproved HeadlessState = "approved" // a registration waits for the node's acceptance
	HeadlessDenied   HeadlessState = "denied"
	HeadlessRefused  HeadlessState = "refused" // at the node's shell
	HeadlessAccepted HeadlessState = "accepted"
	HeadlessExpired  HeadlessState = "expired"
)

// HeadlessRequest is a node that asks to be registered. It belongs to no organization until a full
// admin approves its code.
type HeadlessRequest struct {
	ID              HeadlessID `gorm:"primaryKey"`
	CodeHash        string     // keyed: the code itself is short
	SecretHash      string     // SHA-256 of the 256-bit secret that stays on the node
	KeyThumb        string
	FQDN            FQDN
	Claim           []byte // the claim as stored JSON
	Address         string // from where the node asked
	State           HeadlessState
	IntervalSeconds int
	PolledAt        *time.Time
	RegistrationID  RegistrationID // once approved
	CreatedAt       time.Time
	ExpiresAt       time.Time
	EndedAt         *time.Time
}

// Live says whether the request still counts at now.
func (r HeadlessRequest) Live(now time.Time) bool {
	return (r.State == HeadlessPending || r.State == HeadlessApproved) && now.Before(r.ExpiresAt)
}

// NewUserCode writes a code of random octets as XXXX-XXXX. Octets that would favour a letter are left
// out; it answers false when too few are left.
func NewUserCode(random []byte) (string, bool) {
	const even = 256 - 256%len(codeLetters)
	var b strings.Builder
	n := 0
	for _, r := range random {
		if int(r) >= even {
			continue
		}
		if n == codeLength/2 {
			b.WriteByte('-')
		}
		b.WriteByte(codeLetters[int(r)%len(codeLetters)])
		if n++; n == codeLength {
			return b.String(), true
		}
	}
	return "", false
}

// ParseUserCode reads a code as people type it: in any case, with or without its hyphen and spaces.
func ParseUserCode(text string) (string, error) {
	var b strings.Builder
	for _, r := range strings.ToUpper(text) {
		switch {
		case r == '-' || r == ' ' || r == '\u3000':
		case strings.ContainsRune(codeLetters, r) && b.Len() < codeLength+1:
			if b.Len() == codeLength/2 {
				b.WriteByte('-')
			}
			b.WriteRune(r)
		default:
			return "", Invalid("invalid_user_code", "code")
		}
	}
	if b.Len() != codeLength+1 {
		return "", Invalid("invalid_user_code", "code")
	}
	return b.String(), nil
}
