package store

import (
	"strings"
	"time"

	"connecthub/models"
)

// CreateUser stores a user of the scope's organization; an empty ID is filled. It refuses an
// e-mail address that is taken anywhere in the hub (UserEmail).
func (s *Scope) CreateUser(u *models.User) error {
	if u.ID == "" {
		u.ID = NewID[models.UserID](s.tx)
	}
	u.Email = strings.ToLower(u.Email)
	return create(s.handle, u)
}

// UserByID answers the user or ErrNotFound.
func (s *Scope) UserByID(id models.UserID) (models.User, error) {
	return take[models.User](s.handle, is("id", id))
}

// Users lists the organization's users by e-mail address.
func (s *Scope) Users() ([]models.User, error) {
	return list[models.User](s.handle, by("email"), 0)
}

// SetPassword replaces the hash; ErrUnchanged when there is no such user.
func (s *Scope) SetPassword(id models.UserID, hash string) error {
	return setOne[models.User](s.handle, values{"password_hash": hash}, is("id", id))
}

// DisableUser locks the user out from now on; ErrUnchanged when that was so already.
func (s *Scope) DisableUser(id models.UserID, now time.Time) error {
	return setOne[models.User](s.handle, values{"disabled_at": now},
		is("id", id), is("disabled_at", nil))
}

// EnableUser lets a disabled user in again; ErrUnchanged when he was not disabled.
func (s *Scope) EnableUser(id models.UserID) error {
	return setOne[models.User](s.handle, values{"disabled_at": nil},
		is("id", id), isNot("disabled_at", nil))
}

// UserByEmail finds who signs in, in any organization, or answers ErrNotFound.
func (h *Hub) UserByEmail(email string) (models.User, error) {
	return take[models.User](h.handle, is("email", strings.ToLower(email)))
}

// CreateSession stores a session of one of the organization's users.
func (s *Scope) CreateSession(session *models.Session) error {
	return create(s.handle, session)
}

// TouchSession moves the session's last use forward; ErrUnchanged when it is gone.
func (s *Scope) TouchSession(idHash string, now time.Time) error {
	return setOne[models.Session](s.handle, values{"last_used_at": now}, is("id_hash", idHash))
}

// DeleteSession ends a session; that it is gone already is no error.
func (s *Scope) DeleteSession(idHash string) error {
	_, err := remove[models.Session](s.handle, is("id_hash", idHash))
	return err
}

// DeleteSessionsOfUser ends all sessions of a user but the one named (which may be empty).
func (s *Scope) DeleteSessionsOfUser(id models.UserID, except string) (int64, error) {
	return remove[models.Session](s.handle, is("user_id", id), isNot("id_hash", except))
}

// SessionByHash finds a session whose tenant is not known yet, or answers ErrNotFound.
func (h *Hub) SessionByHash(idHash string) (models.Session, error) {
	return take[models.Session](h.handle, is("id_hash", idHash))
}

// PurgeSessions removes those that have expired, or were last used at or before idle.
func (h *Hub) PurgeSessions(now, idle time.Time) (int64, error) {
	expired, err := remove[models.Session](h.handle, atMost("expires_at", now))
	if err != nil {
		return 0, err
	}
	idled, err := remove[models.Session](h.handle, atMost("last_used_at", idle))
	return expired + idled, err
}

// VoidSessions ends every session of the hub (R34).
func (h *Hub) VoidSessions() (int64, error) {
	return remove[models.Session](h.handle, isNot("id_hash", ""))
}
