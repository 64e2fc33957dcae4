package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"connecthub/models"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// skew is how far a provider's clock may be from the hub's.
const skew = time.Minute

// The most that is read of a code and of what a provider says of a person.
const (
	maxCode    = 4096
	maxSubject = 255
	maxEmail   = 254
)

// redemption is all that it takes to get an ID token for a code.
type redemption struct {
	p              models.OIDCProvider
	d              *discovered
	l              models.OIDCLogin
	secret, code   string
	browser, state string
}

// person is whom the provider vouches for.
type person struct {
	issuer, subject string
	email, name     string
	fresh           bool // signed in at the provider after the journey began
}

// claims are what is read of an ID token beside what go-oidc reads.
type claims struct {
	AuthorizedParty string          `json:"azp"`
	AuthTime        *float64        `json:"auth_time"`
	IssuedAt        *float64        `json:"iat"`
	Email           string          `json:"email"`
	EmailVerified   json.RawMessage `json:"email_verified"`
	Name            string          `json:"name"`
}

// redeem asks the provider for the ID token and checks it whole.
func (o *OIDC) redeem(ctx context.Context, r redemption) (person, error) {
	verifier, err := verifierOf(r.browser, r.state)
	if err != nil {
		return person{}, err
	}
	if len(r.code) > maxCode {
		return person{}, failf("oidc_failed", "the code is too long")
	}
	ctx = oidc.ClientContext(ctx, r.d.client)
	token, err := o.config(r.p, r.d, r.secret).Exchange(ctx, r.code,
		oauth2.VerifierOption(verifier))
	if err != nil {
		return person{}, fail(exchangeCode(err), short(err))
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return person{}, failf("oidc_failed", "the provider gave no ID token")
	}
	id, err := r.d.verifier.Verify(ctx, raw)
	if err != nil {
		return person{}, fail("oidc_failed", short(err))
	}
	var c claims
	if err := id.Claims(&c); err != nil {
		return person{}, fail("oidc_failed", short(err))
	}
	if err := o.checkToken(id, c, r); err != nil {
		return person{}, fail("oidc_failed", err)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return person{}, fail("oidc_failed", err)
		}
	}
	if c.Email == "" {
		if c, err = r.ask(ctx, id, token, c); err != nil {
			return person{}, err
		}
	}
	return o.whom(id, c, r.l)
}

// exchangeCode tells a provider that is away from one that refuses.
func exchangeCode(err error) models.Code {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil &&
		refused.Response.StatusCode < http.StatusInternalServerError {
		return "oidc_failed"
	}
	return "oidc_unavailable"
}

// checkToken is what go-oidc leaves to its caller.
func (o *OIDC) checkToken(id *oidc.IDToken, c claims, r redemption) error {
	now := o.o.Now()
	switch {
	case id.Issuer != r.p.Issuer:
		return fmt.Errorf("the ID token is of the issuer %.100q", id.Issuer)
	case subtle.ConstantTimeCompare([]byte(hashOf(id.Nonce)), []byte(r.l.NonceHash)) != 1:
		return errors.New("the ID token is of another sign-in: its nonce differs")
	case len(id.Audience) > 1 && c.AuthorizedParty == "":
		return errors.New("the ID token is for several, and does not say to whom it was given")
	case c.AuthorizedParty != "" && c.AuthorizedParty != r.p.ClientID:
		return errors.New("the ID token was given to another party")
	case c.IssuedAt == nil || id.IssuedAt.After(now.Add(skew)):
		return errors.New("the ID token is from the future, or from no time at all")
	case id.IssuedAt.Before(r.l.BeganAt.Add(-skew)):
		return errors.New("the ID token is older than the sign-in")
	case id.Subject == "" || len(id.Subject) > maxSubject || !utf8.ValidString(id.Subject) ||
		strings.ContainsFunc(id.Subject, func(r rune) bool { return r < ' ' }):
		return errors.New("the ID token names nobody")
	case c.AuthTime != nil && unix(*c.AuthTime).After(now.Add(skew)):
		return errors.New("the ID token says that somebody will sign in")
	}
	return nil
}

func unix(seconds float64) time.Time {
	if seconds < 0 || seconds > 1<<40 {
		return time.Unix(1<<40, 0)
	}
	return time.Unix(int64(seconds), 0)
}

// ask reads the person's e-mail address where the provider gives it out separately, as the standard
// has it. It must speak of the very same person.
func (r redemption) ask(ctx context.Context, id *oidc.IDToken, token *oauth2.Token, c claims) (
	claims, error) {
	if r.d.oidc.UserInfoEndpoint() == "" {
		return c, nil // no address: refused as not verified
	}
	info, err := r.d.oidc.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return c, fail("oidc_unavailable", short(err))
	}
	if info.Subject != id.Subject {
		return c, failf("oidc_failed", "the user info is of somebody else")
	}
	var more claims
	if err := info.Claims(&more); err != nil {
		return c, fail("oidc_failed", short(err))
	}
	c.Email, c.EmailVerified = more.Email, more.EmailVerified
	if c.Name == "" {
		c.Name = more.Name
	}
	return c, nil
}

// whom reads the person out of the claims.
func (o *OIDC) whom(id *oidc.IDToken, c claims, l models.OIDCLogin) (person, error) {
	verified := string(c.EmailVerified) == "true" || string(c.EmailVerified) == `"true"`
	if c.Email == "" || len(c.Email) > maxEmail || !verified || !plain(c.Email) {
		return person{}, failf("oidc_email_not_verified", "no verified e-mail address")
	}
	w := person{issuer: id.Issuer, subject: id.Subject, name: c.Name,
		email: strings.ToLower(strings.TrimSpace(c.Email))}
	if c.AuthTime != nil {
		w.fresh = !unix(*c.AuthTime).Before(l.BeganAt.Add(-skew))
	}
	return w, nil
}
