package fleet

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/hub/keys"
	"connecthub/models"
	"connecthub/models/wire"
)

// ticketSlack is more than the second by which a token's expiry is rounded: the stored row alone
// says when a registration ends (R2).
const ticketSlack = time.Minute

// ticketClaims is what a ticket says: for which node of which hub, environment and registration, with
// the secret that counts once.
type ticketClaims struct {
	jwt.RegisteredClaims
	FQDN        models.FQDN `json:"fqdn"`
	Environment string      `json:"env"`
	Secret      string      `json:"secret"`
}

// secretOf is the one-time secret of a registration. It is derived, so that Open again can make the
// ticket anew while the rows keep only its hash.
func (f *Fleet) secretOf(id models.RegistrationID) []byte {
	return f.o.Keys.Secret("registration", string(id))
}

func (f *Fleet) ticketOf(r models.Registration) (string, error) {
	return f.o.Keys.Sign(wire.TypeTicket, ticketClaims{FQDN: r.FQDN,
		Environment: f.o.Environment, Secret: base64.RawURLEncoding.EncodeToString(f.secretOf(r.ID)),
		RegisteredClaims: jwt.RegisteredClaims{Issuer: f.hubID(), Subject: string(r.ID),
			Audience:  jwt.ClaimStrings{wire.Audience},
			ExpiresAt: jwt.NewNumericDate(r.ExpiresAt.Add(ticketSlack))}})
}

// openURL is the page of the node to go to; the fragment reaches no log.
func (f *Fleet) openURL(r models.Registration) (string, error) {
	ticket, err := f.ticketOf(r)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("https://%s:%d/register#%s", r.FQDN, f.o.NodePagePort(r.FQDN), ticket), nil
}

// ticket is a ticket that this hub made; whether it still counts, the rows say.
type ticket struct {
	id     models.RegistrationID
	fqdn   models.FQDN
	secret []byte
}

// readTicket refuses what this hub did not make. A ticket that is only old is read: the refusal is
// to say so.
func (f *Fleet) readTicket(text string) (ticket, error) {
	var claims ticketClaims
	err := keys.Verify(text, f.o.Keys.Verifier(), keys.Want{Type: wire.TypeTicket,
		Issuer: f.hubID(), Audience: wire.Audience, Now: f.now(), Leeway: 100 * 365 * 24 * time.Hour},
		&claims)
	if err != nil || claims.Subject == "" || claims.Environment != f.o.Environment {
		return ticket{}, models.Invalid("invalid_ticket", "ticket")
	}
	secret, err := base64.RawURLEncoding.DecodeString(claims.Secret)
	if err != nil || len(secret) != sha256.Size {
		return ticket{}, models.Invalid("invalid_ticket", "ticket")
	}
	return ticket{id: models.RegistrationID(claims.Subject), fqdn: claims.FQDN, secret: secret}, nil
}

func hashOf(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}

func hashText(text string) string { return hashOf([]byte(text)) }

// ended is the refusal of a registration that cannot be claimed any more, by its state and time.
func ended(r models.Registration, now time.Time) error {
	gone := func(code models.Code) error {
		return &models.Refusal{Kind: models.KindGone, Code: code, Subject: r.DisplayName}
	}
	switch r.State {
	case models.RegistrationPending:
		if r.Claimable(now) {
			return nil
		}
		return gone("registration_expired")
	case models.RegistrationExpired:
		return gone("registration_expired")
	case models.RegistrationClaimed, models.RegistrationCompleted:
		return gone("registration_used")
	case models.RegistrationDenied:
		return gone("registration_denied")
	case models.RegistrationSuperseded:
		return gone("registration_superseded")
	case models.RegistrationCancelled:
		return gone("registration_cancelled")
	case models.RegistrationBurned:
		return gone("registration_burned")
	}
	return gone("registration_used")
}
