package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"connecthub/models"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// How long what a provider says of itself is believed, how long when it cannot be asked again, and
// how long a failure is remembered instead of asking at once.
const (
	refreshAfter = time.Hour
	staleAfter   = 24 * time.Hour
	failureRests = 3 * time.Second
)

// algorithms are what an ID token may be signed with: no "none", and nothing with a shared secret.
func algorithms() []string {
	return []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512,
		oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}
}

// discovered is what one provider says of itself, checked.
type discovered struct {
	oidc     *oidc.Provider
	verifier *oidc.IDTokenVerifier
	endpoint oauth2.Endpoint
	client   *http.Client
	namesIss bool // it promises its issuer in every answer (RFC 9207)
}

// metadata is the part of a discovery document that go-oidc does not show.
type metadata struct {
	JWKS       string   `json:"jwks_uri"`
	NamesIss   bool     `json:"authorization_response_iss_parameter_supported"`
	Challenges []string `json:"code_challenge_methods_supported"`
	TokenAuth  []string `json:"token_endpoint_auth_methods_supported"`
	Algorithms []string `json:"id_token_signing_alg_values_supported"`
}

// discover asks the provider who it is, and refuses what it may not be.
func (o Options) discover(ctx context.Context, p models.OIDCProvider) (*discovered, error) {
	allowed, err := policyOf(p.Issuer, p.HostList(), o.Loopback)
	if err != nil {
		return nil, err
	}
	d := &discovered{client: o.client(allowed)}
	ctx, cancel := within(ctx)
	defer cancel()
	d.oidc, err = oidc.NewProvider(oidc.ClientContext(ctx, d.client), p.Issuer)
	if err != nil {
		return nil, fmt.Errorf("cannot read the provider's discovery document: %w", short(err))
	}
	var m metadata
	if err := d.oidc.Claims(&m); err != nil {
		return nil, fmt.Errorf("cannot read the provider's discovery document: %w", short(err))
	}
	d.endpoint, d.namesIss = d.oidc.Endpoint(), m.NamesIss
	if err := d.allowed(allowed, m); err != nil {
		return nil, err
	}
	if d.endpoint.AuthStyle, err = m.authStyle(); err != nil {
		return nil, err
	}
	signed, err := m.algorithms()
	if err != nil {
		return nil, err
	}
	// The key set outlives the request; the client bounds each of its calls.
	own := oidc.ClientContext(context.WithoutCancel(ctx), d.client)
	d.verifier = d.oidc.VerifierContext(own, &oidc.Config{ClientID: p.ClientID,
		SupportedSigningAlgs: signed, Now: o.Now})
	return d, nil
}

// allowed refuses endpoints where the operator did not expect them.
func (d *discovered) allowed(by policy, m metadata) error {
	var wrong []error
	for _, one := range []struct{ what, address string }{
		{"authorization endpoint", d.endpoint.AuthURL}, {"token endpoint", d.endpoint.TokenURL},
		{"key set", m.JWKS}, {"user info endpoint", d.oidc.UserInfoEndpoint()}} {
		if one.address == "" && one.what == "user info endpoint" {
			continue
		}
		if err := by.check(one.address); err != nil {
			wrong = append(wrong, fmt.Errorf("cannot use the provider's %s: %w", one.what, err))
		}
	}
	return errors.Join(wrong...)
}

func (m metadata) authStyle() (oauth2.AuthStyle, error) {
	switch {
	case len(m.TokenAuth) == 0, slices.Contains(m.TokenAuth, "client_secret_basic"):
		return oauth2.AuthStyleInHeader, nil
	case slices.Contains(m.TokenAuth, "client_secret_post"):
		return oauth2.AuthStyleInParams, nil
	}
	return 0, errors.New("cannot use the provider: it takes no client secret at its token endpoint")
}

func (m metadata) algorithms() ([]string, error) {
	if len(m.Challenges) > 0 && !slices.Contains(m.Challenges, "S256") {
		return nil, errors.New("cannot use the provider: it does not know PKCE with S256")
	}
	var both []string
	for _, one := range algorithms() {
		if len(m.Algorithms) == 0 || slices.Contains(m.Algorithms, one) {
			both = append(both, one)
		}
	}
	if len(both) == 0 {
		return nil, errors.New("cannot use the provider: it signs with no algorithm that is safe")
	}
	return both, nil
}

// settingsKey is what the answer of a provider depends on.
type settingsKey struct{ issuer, clientID, hosts string }

// provider keeps what one organization's provider said of itself.
type provider struct {
	mu       sync.Mutex
	of       settingsKey
	known    *discovered
	askedAt  time.Time
	failed   error
	failedAt time.Time
}

// discovered answers from memory, and asks when that is old or the settings have changed. A provider
// that cannot be asked again is believed for a day.
func (o *OIDC) discovered(ctx context.Context, p models.OIDCProvider) (*discovered, error) {
	o.mu.Lock()
	one := o.providers[p.OrganizationID]
	if one == nil {
		one = &provider{}
		o.providers[p.OrganizationID] = one
	}
	o.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	now := o.o.Now()
	if of := (settingsKey{p.Issuer, p.ClientID, p.Hosts}); one.of != of {
		one.of, one.known, one.failed = of, nil, nil
	}
	age := now.Sub(one.askedAt)
	switch {
	case one.known != nil && age < refreshAfter:
		return one.known, nil
	case one.failed != nil && now.Sub(one.failedAt) < failureRests:
		return one.last(age)
	}
	known, err := o.o.discover(ctx, p)
	if err != nil {
		one.failed, one.failedAt = err, now
		return one.last(age)
	}
	one.known, one.askedAt, one.failed = known, now, nil
	return known, nil
}

func (p *provider) last(age time.Duration) (*discovered, error) {
	if p.known != nil && age < staleAfter {
		return p.known, nil
	}
	return nil, p.failed
}

// maxCause is how much of what went wrong at a provider is repeated.
const maxCause = 300

// short bounds an error that may repeat what a provider answered, and leaves out what the token
// endpoint said but for its error's name.
func short(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		status := 0
		if refused.Response != nil {
			status = refused.Response.StatusCode
		}
		return fmt.Errorf("the token endpoint answered %d %.64q", status, refused.ErrorCode)
	}
	if text := err.Error(); len(text) > maxCause {
		return fmt.Errorf("%.*q…", maxCause, text) //nolint:errorlint // the rest is the provider's
	}
	return err
}
