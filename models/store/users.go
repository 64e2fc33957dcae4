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
func (s *Scope) SetPassword(id models.UserID, hash string, now time.Time) error {
	return setOne[models.User](s.handle, values{"password_hash": hash,
		"password_changed_at": now}, is("id", id))
}

// SetRole changes the role from the one that was read; ErrUnchanged when it is another meanwhile.
func (s *Scope) SetRole(id models.UserID, was, next models.Role) error {
	return setOne[models.User](s.handle, values{"role": next}, is("id", id), is("role", was))
}

// FullAdmins are those who could sign in as full admins now.
func (s *Scope) FullAdmins() ([]models.User, error) {
	return list[models.User](s.handle, by("email"), 0, is("role", models.FullAdmin),
		is("disabled_at", nil))
}

// SignedIn notes when a user signed in last.
func (s *Scope) SignedIn(id models.UserID, now time.Time) error {
	return setOne[models.User](s.handle, values{"last_signed_in_at": now}, is("id", id))
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

// CreateSession stores a session of one of the organization's users; an empty ID is filled.
func (s *Scope) CreateSession(session *models.Session) error {
	if session.ID == "" {
		session.ID = NewID[models.SessionID](s.tx)
	}
	return create(s.handle, session)
}

// TouchSession moves the session's last use forward; ErrUnchanged when it is gone.
func (s *Scope) TouchSession(idHash string, now time.Time) error {
	return setOne[models.Session](s.handle, values{"last_used_at": now}, is("id_hash", idHash))
}

// Sessions lists a user's sessions, newest first.
func (s *Scope) Sessions(id models.UserID) ([]models.Session, error) {
	return list[models.Session](s.handle, by("created_at", "id").newestFirst(), 0,
		is("user_id", id))
}

// SessionOf answers a user's session while it lives, or ErrNotFound.
func (s *Scope) SessionOf(user models.UserID, idHash string) (models.Session, error) {
	return take[models.Session](s.handle, is("user_id", user), is("id_hash", idHash))
}

// ConfirmSession notes that the session's person was there at now; ErrUnchanged when it is gone.
func (s *Scope) ConfirmSession(idHash string, now time.Time) error {
	return setOne[models.Session](s.handle, values{"confirmed_at": now}, is("id_hash", idHash))
}

// EndSession ends the user's session of that id; ErrUnchanged when there is none.
func (s *Scope) EndSession(user models.UserID, id models.SessionID) error {
	return exactlyOne(remove[models.Session](s.handle, is("user_id", user), is("id", id)))
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

// VoidSessions ends every session of the hub, and what else lets somebody in: API tokens,
// download keys, invitations and half-done sign-ins, whose end may be younger than the backup (R34).
func (h *Hub) VoidSessions() (int64, error) {
	if _, err := remove[models.APIToken](h.handle, isNot("id", "")); err != nil {
		return 0, err
	}
	if _, err := remove[models.Invitation](h.handle, isNot("id", "")); err != nil {
		return 0, err
	}
	if _, err := remove[models.SignInChallenge](h.handle, isNot("id_hash", "")); err != nil {
		return 0, err
	}
	if _, err := remove[models.OIDCLogin](h.handle, isNot("state_hash", "")); err != nil {
		return 0, err
	}
	if _, err := remove[models.DownloadCredential](h.handle, isNot("id", "")); err != nil {
		return 0, err
	}
	return remove[models.Session](h.handle, isNot("id_hash", ""))
}
