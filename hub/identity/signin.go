package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// SignIn begins a session, or asks for the second factor. Its answer, and the time it takes, do not
// tell whether it was the e-mail address or the password that was wrong, nor whether the person or
// the organization is disabled; too many wrong ones are refused unread.
func (i *Identity) SignIn(ctx context.Context, caller models.Actor, email, password string) (
	SignedIn, error) {
	now, email := i.o.Now().UTC(), strings.ToLower(strings.TrimSpace(email))
	giveBack, err := i.attempt(caller.Address, email, now)
	if err != nil {
		return SignedIn{}, err
	}
	found, err := i.find(ctx, email)
	if err != nil {
		giveBack()
		return SignedIn{}, err
	}
	right, err := i.hasher.matches(ctx, limited(password), found.user.PasswordHash)
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
	if len(found.keys) > 0 {
		return i.askToSignIn(ctx, found, now)
	}
	var in SignedIn
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		in, err = i.begin(tx, caller, found.user, models.MethodPassword, now)
		return err
	})
	if err != nil {
		return SignedIn{}, fmt.Errorf("cannot begin a session: %w", err)
	}
	return in, nil
}

func (i *Identity) askToSignIn(ctx context.Context, p person, now time.Time) (SignedIn, error) {
	browser, err := newSecret()
	if err != nil {
		return SignedIn{}, err
	}
	question, err := i.ask(ctx, p, models.ChallengeSignIn, hashOf(browser), now)
	if err != nil {
		return SignedIn{}, err
	}
	question.Browser = browser
	return SignedIn{Question: &question}, nil
}

// FinishSignIn begins the session after the second factor. It takes the answer from the browser
// that was asked, once, within minutes.
func (i *Identity) FinishSignIn(ctx context.Context, caller models.Actor, browser string,
	answer Answer) (in SignedIn, err error) {
	now := i.o.Now().UTC()
	err = i.answer(ctx, caller, question{purpose: models.ChallengeSignIn, browser: hashOf(browser),
		now: now, then: func(tx *store.Tx, p person) error {
			in, err = i.begin(tx, caller, p.user, models.MethodPassword, now)
			return err
		}}, answer)
	return in, err
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

// person is somebody with what signing in needs to know.
type person struct {
	user         models.User
	organization models.Organization
	keys         []models.Passkey
}

// active says whether the person may sign in at all.
func (p person) active() bool {
	return p.user.ID != "" && p.user.DisabledAt == nil && p.organization.DisabledAt == nil
}

func personIn(tx *store.Tx, u models.User) (p person, err error) {
	scope := tx.In(u.OrganizationID)
	p.user = u
	if p.organization, err = scope.Own(); err != nil {
		return p, err
	}
	p.keys, err = scope.Passkeys(u.ID)
	return p, err
}

// find gives nobody for nobody, and for somebody who may not sign in.
func (i *Identity) find(ctx context.Context, email string) (p person, err error) {
	if !isEmail(email) {
		return person{}, nil // nobody has such an address
	}
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		user, err := tx.Hub().UserByEmail(email)
		if err != nil {
			return err
		}
		p, err = personIn(tx, user)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return person{}, nil
	case err != nil:
		return person{}, err
	case !p.active():
		return person{}, nil
	}
	return p, nil
}

// begin stores a session. Signing in is as good as confirming it.
func (i *Identity) begin(tx *store.Tx, caller models.Actor, user models.User,
	method models.SignInMethod, now time.Time) (SignedIn, error) {
	return i.beginConfirmed(tx, caller, user, method, now, now)
}

// passwordAllowed refuses where the organization's provider is the only way in.
func passwordAllowed(scope *store.Scope) error {
	provider, err := scope.OIDCProvider()
	if err == nil && provider != nil && provider.Required {
		err = &models.Refusal{Kind: models.KindForbidden, Code: "oidc_required"}
	}
	return err
}

func (i *Identity) beginConfirmed(tx *store.Tx, caller models.Actor, user models.User,
	method models.SignInMethod, now, confirmed time.Time) (in SignedIn, err error) {
	if in.Token, err = newSecret(); err != nil {
		return SignedIn{}, err
	}
	session := models.Session{IDHash: hashOf(in.Token), UserID: user.ID,
		OrganizationID: user.OrganizationID, CreatedAt: now, LastUsedAt: now,
		ExpiresAt: now.Add(SessionAbsolute), ConfirmedAt: confirmed, Method: method,
		Address: caller.Address, UserAgent: caller.UserAgent}
	scope := tx.In(user.OrganizationID)
	if err := scope.CreateSession(&session); err != nil {
		return SignedIn{}, err
	}
	if err := scope.SignedIn(user.ID, now); err != nil {
		return SignedIn{}, err
	}
	p, err := personIn(tx, user)
	if err != nil {
		return SignedIn{}, err
	}
	if !p.active() { // disabled meanwhile
		return SignedIn{}, models.Unauthorized("wrong_credentials")
	}
	if method == models.MethodPassword {
		if err := passwordAllowed(scope); err != nil {
			return SignedIn{}, err
		}
	}
	in.Current = currentOf(p, session)
	change := personChange(user, "signed_in")
	change.After = map[string]string{"method": string(method)}
	return in, i.audit(tx, actorOf(caller, user, session), now, change)
}
