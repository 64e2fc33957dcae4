package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"connecthub/models"
	"connecthub/models/store"

	"github.com/go-webauthn/webauthn/webauthn"
)

// Options are what an Identity needs.
type Options struct {
	Store *store.Store
	Now   func() time.Time
	Log   *slog.Logger
	// PublicURL is the console's address in a browser, without a slash at its end: passkeys are
	// bound to its host, and the links of invitations lead there.
	PublicURL string
}

// Identity is everybody who may use the hub.
type Identity struct {
	o      Options
	hasher *hasher
	// Three allowances for wrong passwords: for one address, for one e-mail address from one
	// address, and for one e-mail address from everywhere.
	byAddress, byPair, byEmail *attempts
	// party is nil where the public address has no name: passkeys need one.
	party *webauthn.WebAuthn
}

// New makes an Identity. It starts nothing.
func New(o Options) *Identity {
	return &Identity{o: o, hasher: newHasher(), party: newParty(o.PublicURL),
		byAddress: newAttempts(allowance{burst: 60, every: time.Second}),
		byPair:    newAttempts(allowance{burst: 10, every: 6 * time.Second}),
		byEmail:   newAttempts(allowance{burst: 100, every: 3 * time.Second})}
}

// At is the same Identity at another public address: the port may be known late.
func (i *Identity) At(publicURL string) *Identity {
	moved := *i
	moved.o.PublicURL, moved.party = publicURL, newParty(publicURL)
	return &moved
}

// Current is who is signed in, how, and until when.
type Current struct {
	User         models.User
	Organization models.Organization
	ExpiresAt    time.Time
	// ConfirmedUntil is until when what asks to sign in again passes.
	ConfirmedUntil time.Time
	// SecondFactorMissing: the organization demands a second factor and the person has none.
	SecondFactorMissing bool
	Method              models.SignInMethod
	// Token is the API token in use; nil in a session.
	Token *models.APIToken
}

// SignedIn is a new session, or the question for the second factor.
type SignedIn struct {
	// Token of the new session, known to the browser alone; empty while there is a Question.
	Token   string
	Current Current
	// Question is what must be answered first; nil: nothing.
	Question *Question
}

func (i *Identity) audit(tx *store.Tx, a models.Actor, now time.Time, c models.Change) error {
	record := a.Audit(store.NewID[models.AuditID](tx), now, c)
	return tx.In(c.Organization).AppendAudit(&record)
}

// personChange is a change of a person.
func personChange(u models.User, action string) models.Change {
	return models.Change{Organization: u.OrganizationID, Action: action, TargetKind: "user",
		TargetID: string(u.ID), TargetName: u.Email}
}

// personOf is a person, from where the caller is.
func personOf(caller models.Actor, u models.User) models.Actor {
	caller.Kind, caller.UserID, caller.Name, caller.Email = models.ActorUser, u.ID, u.Email, u.Email
	caller.Organization, caller.Role = u.OrganizationID, u.Role
	return caller
}

// actorOf is a person in a session, from where the caller is.
func actorOf(caller models.Actor, u models.User, s models.Session) models.Actor {
	caller = personOf(caller, u)
	caller.SessionHash = s.IDHash
	return caller
}

// newSecret is what only its receiver knows; the hub keeps its hash.
func newSecret() (string, error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", fmt.Errorf("cannot make a secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(secret), nil
}

// maxSecret is longer than any secret that newSecret makes.
const maxSecret = 64

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
