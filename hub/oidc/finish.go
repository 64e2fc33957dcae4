package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"connecthub/hub/seal"
	"connecthub/models"
	"connecthub/models/store"
)

// Return is a browser that comes back from a provider, with whatever it says.
type Return struct {
	Organization models.OrganizationID // whose address it came to
	State, Code  string
	Error        string
	Issuer       string // RFC 9207; empty when the provider does not name itself
	Browser      string // what its cookie holds
}

// Done is where the browser goes next, and the session's token where one has begun.
type Done struct {
	Location string
	Token    string
}

// signInPage shows the sentence of a problem.
const signInPage = "/sign-in"

// Finish ends a journey: it checks everything, once, and signs in, or confirms the session that
// began the journey. Whatever is wrong, the browser is sent to a page that says so.
func (o *OIDC) Finish(ctx context.Context, caller models.Actor, r Return) Done {
	ctx, cancel := within(ctx)
	defer cancel()
	login, err := o.use(ctx, r)
	done := Done{}
	if err == nil {
		done, err = o.finish(ctx, caller, login, r)
	}
	if err == nil {
		return done
	}
	refused := o.refused(ctx, caller, login, err)
	return Done{Location: problemAt(login, refused.Code)}
}

// failure is a refusal with what was wrong, for the log; people read the refusal.
type failure struct {
	refusal *models.Refusal
	email   string
	cause   error
}

func (f *failure) Error() string {
	if f.cause == nil {
		return f.refusal.Error()
	}
	return fmt.Sprintf("%s: %v", f.refusal.Code, f.cause)
}

func (f *failure) Unwrap() error { return f.refusal }

func fail(code models.Code, cause error) *failure {
	return &failure{refusal: models.Unauthorized(code), cause: cause}
}

func failf(code models.Code, format string, args ...any) *failure {
	return fail(code, fmt.Errorf(format, args...))
}

// refused records why a journey did not end well, where it is known whose it was (R30).
func (o *OIDC) refused(ctx context.Context, caller models.Actor, l models.OIDCLogin,
	err error) *models.Refusal {
	var f *failure
	var refusal *models.Refusal
	switch {
	case errors.As(err, &f):
		refusal = f.refusal
	case errors.As(err, &refusal):
	default:
		refusal = models.Unauthorized("oidc_failed")
	}
	o.o.Log.WarnContext(ctx, "sign-in through a provider refused", "organization",
		l.OrganizationID, "code", refusal.Code, "error", short(err), "address", caller.Address,
		"tracking_id", caller.TrackingID)
	if l.OrganizationID == "" {
		return refusal
	}
	change := models.Change{Organization: l.OrganizationID, Action: "sign_in_refused",
		TargetKind: "user", TargetID: string(l.UserID),
		After: map[string]string{"method": string(models.MethodOIDC), "purpose": string(l.Purpose),
			"reason": string(refusal.Code)}}
	if f != nil {
		change.TargetName = f.email
	}
	caller.Kind = models.ActorUser
	// The person has gone away, or the time is up: what was refused is recorded all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callDeadline)
	defer cancel()
	err = o.o.Store.Update(ctx, func(tx *store.Tx) error {
		return o.audit(tx, caller, change)
	})
	if err != nil {
		o.o.Log.ErrorContext(ctx, "cannot record a refused sign-in", "error", err)
	}
	return refusal
}

func (o *OIDC) audit(tx *store.Tx, a models.Actor, c models.Change) error {
	record := a.Audit(store.NewID[models.AuditID](tx), o.o.Now().UTC(), c)
	return tx.In(c.Organization).AppendAudit(&record)
}

// problemAt is the page that shows a problem: where the person was, or else the sign-in page.
func problemAt(l models.OIDCLogin, code models.Code) string {
	page := signInPage
	if l.Purpose == models.OIDCStepUp {
		page = returnTo(l)
	}
	path, query, _ := strings.Cut(page, "?")
	query, _, _ = strings.Cut(query, "#")
	path, _, _ = strings.Cut(path, "#")
	values, err := url.ParseQuery(query)
	if err != nil {
		values = url.Values{}
	}
	values.Set("problem", string(code))
	return path + "?" + values.Encode()
}

// returnTo is checked again: what is stored is no more to be believed than what was asked for.
func returnTo(l models.OIDCLogin) string {
	if !validReturn(l.ReturnTo) {
		return "/"
	}
	return l.ReturnTo
}

// use finds the journey of a state and uses it up, before anything else is looked at. What it
// answers beside an error is only for the record.
func (o *OIDC) use(ctx context.Context, r Return) (models.OIDCLogin, error) {
	if decoded(r.State) == nil {
		return models.OIDCLogin{}, failf("oidc_state_invalid", "the state is none of the hub's")
	}
	var login models.OIDCLogin
	err := o.o.Store.Update(ctx, func(tx *store.Tx) (err error) {
		login, err = tx.Hub().OIDCLoginByState(hashOf(r.State))
		if err != nil {
			return err
		}
		if login.OrganizationID != r.Organization || decoded(r.Browser) == nil {
			return store.ErrUnchanged
		}
		return tx.In(login.OrganizationID).UseOIDCLogin(login.StateHash, hashOf(r.Browser),
			o.o.Now().UTC())
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return models.OIDCLogin{}, failf("oidc_state_invalid", "nobody began this")
	case errors.Is(err, store.ErrUnchanged):
		return forRecord(login), failf("oidc_state_invalid",
			"the state is used, late, of another browser, or at another's address")
	case err != nil:
		return models.OIDCLogin{}, fmt.Errorf("cannot use a state: %w", err)
	}
	return login, nil
}

// forRecord leaves whose journey it was, and nothing that would lead the browser anywhere.
func forRecord(l models.OIDCLogin) models.OIDCLogin {
	return models.OIDCLogin{OrganizationID: l.OrganizationID}
}

func (o *OIDC) finish(ctx context.Context, caller models.Actor, l models.OIDCLogin, r Return) (
	Done, error) {
	p, err := o.provider(ctx, l)
	if err != nil {
		return Done{}, err
	}
	d, err := o.discovered(ctx, p)
	if err != nil {
		return Done{}, fail("oidc_unavailable", err)
	}
	switch {
	case r.Issuer != "" && r.Issuer != p.Issuer:
		return Done{}, failf("oidc_failed", "the answer names the issuer %.100q", r.Issuer)
	case r.Issuer == "" && d.namesIss:
		return Done{}, failf("oidc_failed", "the answer names no issuer, and this one promised to")
	case r.Error == "access_denied":
		return Done{}, failf("oidc_denied", "the provider let nobody in")
	case r.Error != "":
		return Done{}, failf("oidc_failed", "the provider answered %.64q", r.Error)
	case r.Code == "":
		return Done{}, failf("oidc_failed", "the provider gave no code")
	}
	secret, err := o.o.Sealer.Open(place(l.OrganizationID), p.SealedSecret)
	if err != nil {
		return Done{}, err
	}
	who, err := o.redeem(ctx, redemption{p: p, d: d, l: l, secret: string(secret), code: r.Code,
		browser: r.Browser, state: r.State})
	if err != nil {
		return Done{}, err
	}
	if l.Purpose == models.OIDCStepUp {
		return o.confirm(ctx, caller, l, who)
	}
	return o.signIn(ctx, caller, l, who)
}

// place is where a client secret is sealed for.
func place(id models.OrganizationID) seal.Place {
	return seal.Place{Purpose: seal.OIDCClientSecret, Organization: id, Row: string(id)}
}

// provider answers the settings of now, as long as they are those of the beginning.
func (o *OIDC) provider(ctx context.Context, l models.OIDCLogin) (models.OIDCProvider, error) {
	var p *models.OIDCProvider
	err := o.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		p, err = tx.In(l.OrganizationID).OIDCProvider()
		return err
	})
	switch {
	case err != nil:
		return models.OIDCProvider{}, fmt.Errorf("cannot read a provider: %w", err)
	case p == nil || p.Issuer != l.Issuer || p.ClientID != l.ClientID:
		return models.OIDCProvider{}, failf("oidc_state_invalid",
			"the provider was changed meanwhile")
	}
	return *p, nil
}

// PurgeLogins forgets the journeys that can no longer end.
func (o *OIDC) PurgeLogins(ctx context.Context) error {
	return o.o.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Hub().PurgeOIDCLogins(o.o.Now().UTC().Add(-time.Minute))
		return err
	})
}
