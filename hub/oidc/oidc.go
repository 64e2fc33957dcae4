package oidc

import (
	"crypto/x509"
	"log/slog"
	"sync"
	"time"

	"connecthub/hub/identity"
	"connecthub/hub/seal"
	"connecthub/models"
	"connecthub/models/store"
)

// Options are what signing in through providers needs.
type Options struct {
	Store    *store.Store
	Identity *identity.Identity
	Sealer   *seal.Sealer
	Now      func() time.Time
	Log      *slog.Logger
	// PublicURL is the console's address in a browser, without a slash at its end.
	PublicURL string
	// Loopback allows providers on this machine, by plain HTTP too: for development and tests.
	Loopback bool
	// Deadline of one call to a provider; default 5 s.
	Deadline time.Duration
	// Roots are the certificate authorities that are believed; nil: the system's.
	Roots *x509.CertPool
}

// OIDC lets people in whom the provider of their organization vouches for.
type OIDC struct {
	o      Options
	begins *limiter

	mu        sync.Mutex
	providers map[models.OrganizationID]*provider
}

// New makes an OIDC. It starts nothing and connects to nothing.
func New(o Options) *OIDC {
	if o.Deadline == 0 {
		o.Deadline = callDeadline
	}
	return &OIDC{o: o, begins: newLimiter(), providers: make(map[models.OrganizationID]*provider)}
}

// callbackPath is where providers send browsers back to; the organization follows.
const callbackPath = "/api/admin/v1/session/oidc/callback/"

// RedirectURL is what the provider of an organization must be told to send browsers back to. Each
// organization has its own, so that the code of one provider is never taken for one of another.
func (o *OIDC) RedirectURL(id models.OrganizationID) string {
	return o.o.PublicURL + callbackPath + string(id)
}
