package store

import (
	"time"

	"connecthub/models"
)

// CreatePasskey stores a passkey of one of the organization's users; an empty ID is filled. It
// refuses a credential that the hub knows already (PasskeyCredential).
func (s *Scope) CreatePasskey(p *models.Passkey) error {
	if p.ID == "" {
		p.ID = NewID[models.PasskeyID](s.tx)
	}
	return create(s.handle, p)
}

// Passkeys lists a user's passkeys, oldest first.
func (s *Scope) Passkeys(user models.UserID) ([]models.Passkey, error) {
	return list[models.Passkey](s.handle, by("created_at", "id"), 0, is("user_id", user))
}

// AllPasskeys lists those of everybody in the organization.
func (s *Scope) AllPasskeys() ([]models.Passkey, error) {
	return list[models.Passkey](s.handle, by("id"), 0)
}

// UsePasskey moves the counter from the value that was read; ErrUnchanged when it is another
// meanwhile.
func (s *Scope) UsePasskey(id models.PasskeyID, was, count int64, now time.Time) error {
	return setOne[models.Passkey](s.handle, values{"sign_count": count, "last_used_at": now},
		is("id", id), is("sign_count", was))
}

// DeletePasskey removes a user's passkey; ErrUnchanged when there is none of that id.
func (s *Scope) DeletePasskey(user models.UserID, id models.PasskeyID) error {
	return exactlyOne(remove[models.Passkey](s.handle, is("user_id", user), is("id", id)))
}

// DeletePasskeysOfUser removes all of a user.
func (s *Scope) DeletePasskeysOfUser(user models.UserID) (int64, error) {
	return remove[models.Passkey](s.handle, is("user_id", user))
}

// ReplaceRecoveryCodes stores the user's new codes in place of the old ones; none is none left.
func (s *Scope) ReplaceRecoveryCodes(user models.UserID, codes []models.RecoveryCode) error {
	if _, err := remove[models.RecoveryCode](s.handle, is("user_id", user)); err != nil {
		return err
	}
	for i := range codes {
		if err := create(s.handle, &codes[i]); err != nil {
			return err
		}
	}
	return nil
}

// UseRecoveryCode uses a code up; ErrUnchanged when it is not the user's, or was used before.
func (s *Scope) UseRecoveryCode(user models.UserID, hash string, now time.Time) error {
	return setOne[models.RecoveryCode](s.handle, values{"used_at": now}, is("id_hash", hash),
		is("user_id", user), is("used_at", nil))
}

// RecoveryCodesLeft counts the user's codes that were not used.
func (s *Scope) RecoveryCodesLeft(user models.UserID) (int, error) {
	left, err := list[models.RecoveryCode](s.handle, nil, 0, is("user_id", user),
		is("used_at", nil))
	return len(left), err
}

// CreateChallenge stores what a browser was asked.
func (s *Scope) CreateChallenge(c *models.SignInChallenge) error { return create(s.handle, c) }

// TryChallenge counts a try from the number that was read; ErrUnchanged when the challenge was
// used, has expired at now, or was tried meanwhile.
func (s *Scope) TryChallenge(hash string, was int, now time.Time) error {
	return setOne[models.SignInChallenge](s.handle, values{"tries": was + 1},
		is("id_hash", hash), is("tries", was), is("used_at", nil), after("expires_at", now))
}

// UseChallenge uses a challenge up; ErrUnchanged when it was used before, or has expired at now.
func (s *Scope) UseChallenge(hash string, now time.Time) error {
	return setOne[models.SignInChallenge](s.handle, values{"used_at": now},
		is("id_hash", hash), is("used_at", nil), after("expires_at", now))
}

// DeleteChallengesOfUser makes every question that the user was asked worthless.
func (s *Scope) DeleteChallengesOfUser(user models.UserID) (int64, error) {
	return remove[models.SignInChallenge](s.handle, is("user_id", user))
}

// ChallengeByHash finds a challenge whose tenant is not known yet, or answers ErrNotFound.
func (h *Hub) ChallengeByHash(hash string) (models.SignInChallenge, error) {
	return take[models.SignInChallenge](h.handle, is("id_hash", hash))
}

// PurgeChallenges forgets those that have expired.
func (h *Hub) PurgeChallenges(now time.Time) (int64, error) {
	return remove[models.SignInChallenge](h.handle, atMost("expires_at", now))
}

// PurgePeople forgets the invitations and API tokens that ended before an instant by their age.
func (h *Hub) PurgePeople(ended time.Time) (int64, error) {
	invitations, err := remove[models.Invitation](h.handle, atMost("expires_at", ended))
	if err != nil {
		return 0, err
	}
	tokens, err := remove[models.APIToken](h.handle, atMost("expires_at", ended))
	return invitations + tokens, err
}

// CreateInvitation stores an invitation; an empty ID is filled. It refuses a second open one of an
// address (OneOpenInvitation).
func (s *Scope) CreateInvitation(i *models.Invitation) error {
	if i.ID == "" {
		i.ID = NewID[models.InvitationID](s.tx)
	}
	return create(s.handle, i)
}

// Invitations lists those that wait at now, newest first.
func (s *Scope) Invitations(now time.Time) ([]models.Invitation, error) {
	return list[models.Invitation](s.handle, by("id").newestFirst(), 0, is("ended_at", nil),
		after("expires_at", now))
}

// InvitationsSince counts those that were made after an instant, whatever became of them.
func (s *Scope) InvitationsSince(since time.Time) (int, error) {
	all, err := list[models.Invitation](s.handle, nil, 0, after("created_at", since))
	return len(all), err
}

// InvitationByID answers the invitation or ErrNotFound.
func (s *Scope) InvitationByID(id models.InvitationID) (models.Invitation, error) {
	return take[models.Invitation](s.handle, is("id", id))
}

// OpenInvitation answers the one of an address that waits at now, or nil.
func (s *Scope) OpenInvitation(email string, now time.Time) (*models.Invitation, error) {
	return takeAny[models.Invitation](s.handle, is("email", email), is("ended_at", nil),
		after("expires_at", now))
}

// AcceptInvitation uses an invitation up for a user; ErrUnchanged when it has ended or has
// expired at now.
func (s *Scope) AcceptInvitation(id models.InvitationID, user models.UserID, now time.Time) error {
	return setOne[models.Invitation](s.handle, values{"ended_at": now, "user_id": user},
		is("id", id), is("ended_at", nil), after("expires_at", now))
}

// EndInvitation withdraws an invitation; ErrUnchanged when it has ended.
func (s *Scope) EndInvitation(id models.InvitationID, now time.Time) error {
	return setOne[models.Invitation](s.handle, values{"ended_at": now}, is("id", id),
		is("ended_at", nil))
}

// EndInvitationsOf withdraws those of an address, expired ones too.
func (s *Scope) EndInvitationsOf(email string, now time.Time) (int64, error) {
	return set[models.Invitation](s.handle, values{"ended_at": now}, is("email", email),
		is("ended_at", nil))
}

// InvitationByToken finds an invitation whose tenant is not known yet, or answers ErrNotFound.
func (h *Hub) InvitationByToken(hash string) (models.Invitation, error) {
	return take[models.Invitation](h.handle, is("token_hash", hash))
}

// CreateAPIToken stores a token of one of the organization's users; an empty ID is filled.
func (s *Scope) CreateAPIToken(t *models.APIToken) error {
	if t.ID == "" {
		t.ID = NewID[models.APITokenID](s.tx)
	}
	return create(s.handle, t)
}

// APITokens lists a user's tokens that were not revoked, newest first.
func (s *Scope) APITokens(user models.UserID) ([]models.APIToken, error) {
	return list[models.APIToken](s.handle, by("id").newestFirst(), 0, is("user_id", user),
		is("revoked_at", nil))
}

// RevokeAPIToken ends a user's token; ErrUnchanged when there is none of that id.
func (s *Scope) RevokeAPIToken(user models.UserID, id models.APITokenID, now time.Time) error {
	return setOne[models.APIToken](s.handle, values{"revoked_at": now}, is("user_id", user),
		is("id", id), is("revoked_at", nil))
}

// RevokeAPITokensOfUser ends all of a user.
func (s *Scope) RevokeAPITokensOfUser(user models.UserID, now time.Time) (int64, error) {
	return set[models.APIToken](s.handle, values{"revoked_at": now}, is("user_id", user),
		is("revoked_at", nil))
}

// TouchAPIToken moves the token's last use forward; ErrUnchanged when it is gone.
func (s *Scope) TouchAPIToken(id models.APITokenID, now time.Time) error {
	return setOne[models.APIToken](s.handle, values{"last_used_at": now}, is("id", id),
		is("revoked_at", nil))
}

// APITokenByHash finds a token whose tenant is not known yet, or answers ErrNotFound.
func (h *Hub) APITokenByHash(hash string) (models.APIToken, error) {
	return take[models.APIToken](h.handle, is("secret_hash", hash), is("revoked_at", nil))
}
