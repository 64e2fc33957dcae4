package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// How long a session lives: unused, and in all.
const (
	SessionIdle     = 30 * time.Minute
	SessionAbsolute = 12 * time.Hour
)

// touchAfter is how old the time of last use may be before it is written again.
const touchAfter = time.Minute

// Options are what an Identity needs.
type Options struct {
	Store *store.Store
	Now   func() time.Time
	Log   *slog.Logger
}

// Identity is everybody who may use the hub.
type Identity struct {
	o      Options
	hasher *hasher
	// Three allowances for wrong passwords: for one address, for one e-mail address from one
	// address, and for one e-mail address from everywhere.
	byAddress, byPair, byEmail *attempts
}

// New makes an Identity. It starts nothing.
func New(o Options) *Identity {
	return &Identity{o: o, hasher: newHasher(),
		byAddress: newAttempts(allowance{burst: 60, every: time.Second}),
		byPair:    newAttempts(allowance{burst: 10, every: 6 * time.Second}),
		byEmail:   newAttempts(allowance{burst: 100, every: 3 * time.Second})}
}

// Current is who is signed in, and until when.
type Current struct {
	User         models.User
	Organization models.Organization
	ExpiresAt    time.Time
}

// SignedIn is a new session. Its token is known to the browser alone.
type SignedIn struct {
	Token   string
	Current Current
}

// SignIn begins a session. Its answer, and the time it takes, do not tell whether it was the
// e-mail address or the password that was wrong; too many wrong ones are refused unread.
func (i *Identity) SignIn(ctx context.Context, caller models.Actor, email, password string) (
	SignedIn, error) {
	now, email := i.o.Now().UTC(), strings.ToLower(strings.TrimSpace(email))
	giveBack, err := i.attempt(caller.Address, email, now)
	if err != nil {
		return SignedIn{}, err
	}
	user, err := i.find(ctx, email)
	if err != nil {
		giveBack()
		return SignedIn{}, err
	}
	right, err := i.hasher.matches(ctx, limited(password), user.PasswordHash)
	if err != nil {
		giveBack()
		return SignedIn{}, fmt.Errorf("cannot check a password: %w", err)
	}
	if !right {
		i.o.Log.WarnContext(ctx, "sign-in refused", "address", caller.Address,
			"tracking_id", caller.TrackingID)
		return SignedIn{}, models.Unauthorized("wrong_credentials")
	}
	giveBack()
	return i.begin(ctx, caller, user, now)
}

// attempt takes one attempt from every allowance, or none.
func (i *Identity) attempt(address, email string, now time.Time) (giveBack func(), err error) {
	type taken struct {
		from *attempts
		key  string
	}
	all := []taken{{i.byAddress, address}, {i.byPair, address + " " + email}, {i.byEmail, email}}
	for n, t := range all {
		if wait := t.from.take(t.key, now); wait > 0 {
			for _, back := range all[:n] {
				back.from.giveBack(back.key)
			}
			return nil, &models.Refusal{Kind: models.KindTooMany, Code: "too_many_attempts",
				RetryAfter: wait}
		}
	}
	return func() {
		for _, t := range all {
			t.from.giveBack(t.key)
		}
	}, nil
}

// limited keeps what is hashed short: no longer password was ever accepted.
func limited(password string) string { return password[:min(len(password), 4*maxPassword+1)] }

// find gives the zero User for nobody, and for somebody who may not sign in.
func (i *Identity) find(ctx context.Context, email string) (user models.User, err error) {
	if _, err := parseEmail(email); err != nil {
		return models.User{}, nil // nobody has such an address
	}
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		user, err = tx.Hub().UserByEmail(email)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || user.DisabledAt != nil {
		return models.User{}, nil
	}
	return user, err
}

func (i *Identity) begin(ctx context.Context, caller models.Actor, user models.User,
	now time.Time) (SignedIn, error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return SignedIn{}, fmt.Errorf("cannot make a session: %w", err)
	}
	signedIn := SignedIn{Token: base64.RawURLEncoding.EncodeToString(secret)}
	session := models.Session{IDHash: hashOf(signedIn.Token), UserID: user.ID,
		OrganizationID: user.OrganizationID, CreatedAt: now, LastUsedAt: now,
		ExpiresAt: now.Add(SessionAbsolute)}
	actor := actorOf(caller, user, session)
	err := i.o.Store.Update(ctx, func(tx *store.Tx) error {
		scope := tx.In(user.OrganizationID)
		if err := scope.CreateSession(&session); err != nil {
			return err
		}
		organization, err := scope.Own()
		if err != nil {
			return err
		}
		signedIn.Current = Current{user, organization, endOf(session)}
		return i.audit(tx, actor, now, models.Change{Organization: user.OrganizationID,
			Action: "signed_in", TargetKind: "user", TargetID: string(user.ID),
			TargetName: user.Email})
	})
	if err != nil {
		return SignedIn{}, fmt.Errorf("cannot begin a session: %w", err)
	}
	return signedIn, nil
}

// Authenticate finds who has the token of a living session, and counts it as a use.
func (i *Identity) Authenticate(ctx context.Context, token string, caller models.Actor) (
	models.Actor, error) {
	if token == "" || len(token) > 64 {
		return models.Actor{}, models.Unauthorized("signed_out")
	}
	hash, now := hashOf(token), i.o.Now().UTC()
	session, user, err := i.session(ctx, hash, now)
	if err != nil {
		return models.Actor{}, err
	}
	if now.Sub(session.LastUsedAt) >= touchAfter {
		err := i.o.Store.Update(ctx, func(tx *store.Tx) error {
			return tx.In(session.OrganizationID).TouchSession(hash, now)
		})
		// ErrUnchanged: it ended meanwhile; the next request will say so.
		if err != nil && !errors.Is(err, store.ErrUnchanged) {
			return models.Actor{}, fmt.Errorf("cannot extend a session: %w", err)
		}
	}
	return actorOf(caller, user, session), nil
}

// Alive refuses a session that has ended. It is no use of the session.
func (i *Identity) Alive(ctx context.Context, hash string) error {
	_, _, err := i.session(ctx, hash, i.o.Now().UTC())
	return err
}

func (i *Identity) session(ctx context.Context, hash string, now time.Time) (
	session models.Session, user models.User, err error) {
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		if session, err = tx.Hub().SessionByHash(hash); err != nil {
			return err
		}
		user, err = tx.In(session.OrganizationID).UserByID(session.UserID)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return session, user, models.Unauthorized("signed_out")
	case err != nil:
		return session, user, fmt.Errorf("cannot look a session up: %w", err)
	case user.DisabledAt != nil || !now.Before(endOf(session)):
		return session, user, models.Unauthorized("signed_out")
	}
	return session, user, nil
}

// endOf is when a session ends if it is not used again.
func endOf(s models.Session) time.Time {
	if idle := s.LastUsedAt.Add(SessionIdle); idle.Before(s.ExpiresAt) {
		return idle
	}
	return s.ExpiresAt
}

// Current tells who the actor of a session is.
func (i *Identity) Current(ctx context.Context, a models.Actor) (current Current, err error) {
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		scope := tx.In(a.Organization)
		session, err := tx.Hub().SessionByHash(a.SessionHash)
		if err != nil {
			return err
		}
		current.ExpiresAt = endOf(session)
		if current.User, err = scope.UserByID(a.UserID); err != nil {
			return err
		}
		current.Organization, err = scope.Own()
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return Current{}, models.Unauthorized("signed_out")
	}
	return current, err
}

// SignOut ends the actor's session.
func (i *Identity) SignOut(ctx context.Context, a models.Actor) error {
	return i.o.Store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.In(a.Organization).DeleteSession(a.SessionHash); err != nil {
			return err
		}
		return i.audit(tx, a, i.o.Now().UTC(), models.Change{Organization: a.Organization,
			Action: "signed_out", TargetKind: "user", TargetID: string(a.UserID),
			TargetName: a.Name})
	})
}

// PurgeSessions forgets the sessions that have ended.
func (i *Identity) PurgeSessions(ctx context.Context) error {
	now := i.o.Now().UTC()
	return i.o.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Hub().PurgeSessions(now, now.Add(-SessionIdle))
		return err
	})
}

func (i *Identity) audit(tx *store.Tx, a models.Actor, now time.Time, c models.Change) error {
	record := a.Audit(store.NewID[models.AuditID](tx), now, c)
	return tx.In(c.Organization).AppendAudit(&record)
}

// actorOf is a person in a session, from where the caller is.
func actorOf(caller models.Actor, u models.User, s models.Session) models.Actor {
	caller.Kind, caller.UserID, caller.Name = models.ActorUser, u.ID, u.Email
	caller.Organization, caller.Role, caller.SessionHash = u.OrganizationID, u.Role, s.IDHash
	return caller
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
