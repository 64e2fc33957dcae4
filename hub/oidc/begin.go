package oidc

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/store"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Beginning is what a browser asks for.
type Beginning struct {
	Email    string
	ReturnTo string // a path of the console; empty for its first page
	Browser  string // what the browser's cookie holds from an earlier Begun; may be empty
}

// Begun is where the browser goes, and what its cookie must hold until it comes back.
type Begun struct {
	Location string
	Browser  string
}

// Begin sends a browser to the provider of the e-mail address's domain. The answer depends on the
// domain alone: it does not tell who exists.
func (o *OIDC) Begin(ctx context.Context, caller models.Actor, b Beginning) (Begun, error) {
	now := o.o.Now().UTC()
	if wait := o.begins.take(caller.Address, now); wait > 0 {
		return Begun{}, &models.Refusal{Kind: models.KindTooMany, Code: "too_many_attempts",
			RetryAfter: wait}
	}
	email := strings.ToLower(strings.TrimSpace(b.Email))
	_, domain, ok := strings.Cut(email, "@")
	if !ok || domain == "" || strings.Contains(domain, "@") {
		return Begun{}, models.Invalid("invalid_email", "email")
	}
	var p *models.OIDCProvider
	err := o.o.Store.View(ctx, func(tx *store.Tx) error {
		organization, err := tx.Hub().OrganizationByDomain(domain)
		if errors.Is(err, store.ErrNotFound) || organization.DisabledAt != nil {
			return nil
		}
		if err != nil {
			return err
		}
		p, err = tx.In(organization.ID).OIDCProvider()
		return err
	})
	if err != nil {
		return Begun{}, fmt.Errorf("cannot find the provider of a domain: %w", err)
	}
	if p == nil {
		return Begun{}, notConfigured()
	}
	return o.begin(ctx, *p, journey{hint: email, browser: b.Browser, now: now,
		login: models.OIDCLogin{Purpose: models.OIDCSignIn, ReturnTo: b.ReturnTo}})
}

// BeginStepUp sends the browser of somebody who is signed in to the provider to sign in again.
func (o *OIDC) BeginStepUp(ctx context.Context, a models.Actor, returnTo, browser string) (Begun,
	error) {
	now := o.o.Now().UTC()
	if wait := o.begins.take(a.Address, now); wait > 0 {
		return Begun{}, &models.Refusal{Kind: models.KindTooMany, Code: "too_many_attempts",
			RetryAfter: wait}
	}
	var p *models.OIDCProvider
	var user models.User
	err := o.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		if p, err = tx.In(a.Organization).OIDCProvider(); err != nil || p == nil {
			return err
		}
		user, err = tx.In(a.Organization).UserByID(a.UserID)
		return err
	})
	if err != nil {
		return Begun{}, fmt.Errorf("cannot find the provider of an organization: %w", err)
	}
	if p == nil {
		return Begun{}, notConfigured()
	}
	return o.begin(ctx, *p, journey{hint: user.Email, browser: browser, now: now,
		login: models.OIDCLogin{Purpose: models.OIDCStepUp, ReturnTo: returnTo,
			UserID: a.UserID, SessionHash: a.SessionHash}})
}

func notConfigured() error {
	return &models.Refusal{Kind: models.KindNotFound, Code: "oidc_not_configured"}
}

// journey is what a beginning is made of.
type journey struct {
	hint, browser string
	now           time.Time
	login         models.OIDCLogin
}

func (o *OIDC) begin(ctx context.Context, p models.OIDCProvider, j journey) (Begun, error) {
	if j.login.ReturnTo != "" && !validReturn(j.login.ReturnTo) {
		return Begun{}, models.Invalid("invalid_return_to", "return_to")
	}
	d, err := o.discovered(ctx, p)
	if err != nil {
		o.o.Log.WarnContext(ctx, "an organization's provider cannot be used", "organization",
			p.OrganizationID, "issuer", p.Issuer, "error", err)
		return Begun{}, &models.Refusal{Kind: models.KindUnavailable, Code: "oidc_unavailable"}
	}
	browser, known := j.browser, decoded(j.browser)
	if known == nil {
		if browser, err = random(); err != nil {
			return Begun{}, err
		}
	}
	state, err := random()
	if err != nil {
		return Begun{}, err
	}
	nonce, err := random()
	if err != nil {
		return Begun{}, err
	}
	verifier, err := verifierOf(browser, state)
	if err != nil {
		return Begun{}, err
	}
	l := j.login
	l.StateHash, l.BrowserHash, l.NonceHash = hashOf(state), hashOf(browser), hashOf(nonce)
	l.Issuer, l.ClientID = p.Issuer, p.ClientID
	l.BeganAt, l.ExpiresAt = j.now, j.now.Add(models.OIDCLoginTTL)
	err = o.o.Store.Update(ctx, func(tx *store.Tx) error {
		return tx.In(p.OrganizationID).CreateOIDCLogin(&l)
	})
	if err != nil {
		return Begun{}, fmt.Errorf("cannot begin a sign-in through a provider: %w", err)
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce),
		oauth2.SetAuthURLParam("login_hint", j.hint)}
	if l.Purpose == models.OIDCStepUp {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"),
			oauth2.SetAuthURLParam("max_age", "0"))
	}
	config := o.config(p, d, "")
	return Begun{Browser: browser, Location: config.AuthCodeURL(state, options...)}, nil
}

// config is how the hub presents itself to the provider.
func (o *OIDC) config(p models.OIDCProvider, d *discovered, secret string) *oauth2.Config {
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: secret, Endpoint: d.endpoint,
		RedirectURL: o.RedirectURL(p.OrganizationID),
		Scopes:      []string{oidc.ScopeOpenID, oidc.ScopeEmail, oidc.ScopeProfile}}
}

// maxReturn is the longest path that is returned to.
const maxReturn = 512

// validReturn says whether a path is one of the console's own, and nothing that a browser would
// take for another host.
func validReturn(text string) bool {
	if len(text) > maxReturn || !strings.HasPrefix(text, "/") ||
		strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }) {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return false
	}
	clean := path.Clean(u.Path)
	return (u.Path == clean || u.Path == clean+"/") && !strings.Contains(u.Path, `\`) &&
		!strings.ContainsFunc(u.Path, func(r rune) bool { return r < ' ' }) &&
		!strings.HasPrefix(clean, "/api/") && !strings.HasPrefix(clean, "/depot/")
}

// secretSize is the bytes of everything random here: 256 bits.
const secretSize = 32

func random() (string, error) {
	secret := make([]byte, secretSize)
	if _, err := rand.Read(secret); err != nil {
		return "", fmt.Errorf("cannot make a secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(secret), nil
}

// decoded is the secret in its bytes, or nil where it is none of this package's.
func decoded(text string) []byte {
	secret, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(secret) != secretSize {
		return nil
	}
	return secret
}

// verifierOf makes the PKCE verifier out of what only the browser has, so that it is stored nowhere
// and nobody else can redeem the code, whoever reads the database.
func verifierOf(browser, state string) (string, error) {
	key, err := hkdf.Key(sha256.New, decoded(browser), decoded(state),
		"connecthub oidc pkce verifier 1", secretSize)
	if err != nil {
		return "", fmt.Errorf("cannot make a PKCE verifier: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(key), nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
