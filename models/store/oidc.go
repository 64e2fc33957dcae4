package store

import (
	"errors"
	"time"

	"connecthub/models"
)

// OIDCProvider answers the organization's provider, or nil where it has none.
func (s *Scope) OIDCProvider() (*models.OIDCProvider, error) {
	return takeAny[models.OIDCProvider](s.handle)
}

// SetOIDCProvider makes it the organization's one provider, in the place of another.
func (s *Scope) SetOIDCProvider(p models.OIDCProvider) error {
	err := saveOne(s.handle, &p, []string{"issuer", "client_id", "sealed_secret", "hosts",
		"required", "set_at"}, is("organization_id", s.organization))
	if errors.Is(err, ErrUnchanged) {
		return create(s.handle, &p)
	}
	return err
}

// RemoveOIDCProvider takes it away; ErrUnchanged where there is none.
func (s *Scope) RemoveOIDCProvider() error {
	return exactlyOne(remove[models.OIDCProvider](s.handle, is("organization_id", s.organization)))
}

// EndPasswordSessions ends the organization's sessions that began with a password, and answers how
// many.
func (s *Scope) EndPasswordSessions() (int64, error) {
	return remove[models.Session](s.handle, is("method", models.MethodPassword))
}

// CreateOIDCLogin stores the beginning of a journey to the provider.
func (s *Scope) CreateOIDCLogin(l *models.OIDCLogin) error { return create(s.handle, l) }

// UseOIDCLogin uses a state up: once, in its time, in the browser that began it; else ErrUnchanged.
func (s *Scope) UseOIDCLogin(stateHash, browserHash string, now time.Time) error {
	if stateHash == "" || browserHash == "" {
		return ErrUnchanged
	}
	return setOne[models.OIDCLogin](s.handle, values{"used_at": now}, is("state_hash", stateHash),
		is("browser_hash", browserHash), is("used_at", nil), after("expires_at", now))
}

// OIDCSubject answers whom the provider calls so, or nil.
func (s *Scope) OIDCSubject(issuer, subject string) (*models.OIDCSubject, error) {
	return takeAny[models.OIDCSubject](s.handle, is("issuer", issuer), is("subject", subject))
}

// OIDCSubjectOfUser answers what the provider calls the user, or nil.
func (s *Scope) OIDCSubjectOfUser(id models.UserID, issuer string) (*models.OIDCSubject, error) {
	return takeAny[models.OIDCSubject](s.handle, is("user_id", id), is("issuer", issuer))
}

// BindOIDCSubject stores it. It refuses a subject that is another person's (OIDCSubjectTaken), and
// a second subject of one person (OIDCSubjectOfUser).
func (s *Scope) BindOIDCSubject(b *models.OIDCSubject) error { return create(s.handle, b) }

// ForgetOIDCSubjects unbinds a person from every provider, and answers how many there were.
func (s *Scope) ForgetOIDCSubjects(id models.UserID) (int64, error) {
	return remove[models.OIDCSubject](s.handle, is("user_id", id))
}

// OIDCLoginByState finds what a returning browser is about, or answers ErrNotFound.
func (h *Hub) OIDCLoginByState(hash string) (models.OIDCLogin, error) {
	if hash == "" {
		return models.OIDCLogin{}, ErrNotFound
	}
	return take[models.OIDCLogin](h.handle, is("state_hash", hash))
}

// PurgeOIDCLogins forgets the journeys that can no longer end.
func (h *Hub) PurgeOIDCLogins(now time.Time) (int64, error) {
	return remove[models.OIDCLogin](h.handle, atMost("expires_at", now))
}
