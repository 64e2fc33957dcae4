package store

import (
	"time"

	"connecthub/models"
)

// CreateSoftware stores a file's description; an empty ID is filled. It refuses a path that another
// file has (SoftwarePath).
func (h *Hub) CreateSoftware(f *models.SoftwareFile) error {
	if f.ID == "" {
		f.ID = NewID[models.SoftwareID](h.tx)
	}
	return create(h.handle, f)
}

// Software lists what is offered in a repository, by path; an empty repository is all.
func (h *Hub) Software(repository string) ([]models.SoftwareFile, error) {
	conditions := []where{is("withdrawn_at", nil)}
	if repository != "" {
		conditions = append(conditions, is("repository", repository))
	}
	return list[models.SoftwareFile](h.handle, by("repository", "path"), 0, conditions...)
}

// SoftwareByPath answers the file that is offered there, or ErrNotFound.
func (h *Hub) SoftwareByPath(repository, path string) (models.SoftwareFile, error) {
	return take[models.SoftwareFile](h.handle, is("repository", repository), is("path", path),
		is("withdrawn_at", nil))
}

// WithdrawSoftware offers a file no more; ErrUnchanged when that was so already.
func (h *Hub) WithdrawSoftware(id models.SoftwareID, now time.Time) error {
	return setOne[models.SoftwareFile](h.handle, values{"withdrawn_at": now}, is("id", id),
		is("withdrawn_at", nil))
}

// PublishEULA stores a version; EULAVersion where there is such a one.
func (h *Hub) PublishEULA(e *models.EULA) error { return create(h.handle, e) }

// EULA answers the newest version, or nil.
func (h *Hub) EULA() (*models.EULA, error) {
	all, err := list[models.EULA](h.handle, by("published_at", "version").newestFirst(), 1)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// DownloadCredentialByHash finds a credential whose tenant is not known yet, or answers ErrNotFound.
func (h *Hub) DownloadCredentialByHash(hash string) (models.DownloadCredential, error) {
	return take[models.DownloadCredential](h.handle, is("secret_hash", hash))
}

// AllEntitlements lists those of every organization, newest first.
func (h *Hub) AllEntitlements() ([]models.Entitlement, error) {
	return list[models.Entitlement](h.handle, by("id").newestFirst(), 0)
}

// CreateEntitlement stores a record of the organization; an empty ID is filled.
func (s *Scope) CreateEntitlement(e *models.Entitlement) error {
	if e.ID == "" {
		e.ID = NewID[models.EntitlementID](s.tx)
	}
	return create(s.handle, e)
}

// Entitlements lists the organization's records that were not ended, newest first.
func (s *Scope) Entitlements() ([]models.Entitlement, error) {
	return list[models.Entitlement](s.handle, by("id").newestFirst(), 0, is("ended_at", nil))
}

// EndEntitlement ends a record; ErrUnchanged when that was so already.
func (s *Scope) EndEntitlement(id models.EntitlementID, now time.Time) error {
	return setOne[models.Entitlement](s.handle, values{"ended_at": now}, is("id", id),
		is("ended_at", nil))
}

// AcceptEULA notes that one of the organization's users accepted a version; EULAAccepted where the
// user had.
func (s *Scope) AcceptEULA(a *models.EULAAcceptance) error { return create(s.handle, a) }

// EULAAcceptance answers when a user accepted a version, or nil.
func (s *Scope) EULAAcceptance(user models.UserID, version string) (*models.EULAAcceptance, error) {
	return takeAny[models.EULAAcceptance](s.handle, is("user_id", user), is("version", version))
}

// CreateDownloadCredential stores one of one of the organization's users; an empty ID is filled.
func (s *Scope) CreateDownloadCredential(c *models.DownloadCredential) error {
	if c.ID == "" {
		c.ID = NewID[models.DownloadCredentialID](s.tx)
	}
	return create(s.handle, c)
}

// DownloadCredentials lists a user's that were not revoked, newest first.
func (s *Scope) DownloadCredentials(user models.UserID) ([]models.DownloadCredential, error) {
	return list[models.DownloadCredential](s.handle, by("id").newestFirst(), 0,
		is("user_id", user), is("revoked_at", nil))
}

// DownloadCredential answers one of the organization's, or ErrNotFound.
func (s *Scope) DownloadCredential(id models.DownloadCredentialID) (models.DownloadCredential,
	error) {
	return take[models.DownloadCredential](s.handle, is("id", id))
}

// RevokeDownloadCredential ends a user's for good; ErrUnchanged when there is none that counts.
func (s *Scope) RevokeDownloadCredential(user models.UserID, id models.DownloadCredentialID,
	now time.Time) error {
	return setOne[models.DownloadCredential](s.handle, values{"revoked_at": now}, is("id", id),
		is("user_id", user), is("revoked_at", nil))
}

// TouchDownloadCredential notes when a credential was used; ErrUnchanged when it is revoked.
func (s *Scope) TouchDownloadCredential(id models.DownloadCredentialID, now time.Time) error {
	return setOne[models.DownloadCredential](s.handle, values{"last_used_at": now}, is("id", id),
		is("revoked_at", nil))
}

// ReplaceUnused revokes the token that a rotation made, where nobody has used it; else ErrUnchanged.
func (s *Scope) ReplaceUnused(id models.DownloadCredentialID, now time.Time) error {
	return setOne[models.DownloadCredential](s.handle, values{"revoked_at": now}, is("id", id),
		is("revoked_at", nil), is("last_used_at", nil))
}

// SucceedDownloadToken ends a token at an instant in favour of another; ErrUnchanged when it is
// revoked, or another has succeeded it than was read.
func (s *Scope) SucceedDownloadToken(id, was, next models.DownloadCredentialID,
	ends time.Time) error {
	return setOne[models.DownloadCredential](s.handle, values{"successor_id": next,
		"expires_at": ends}, is("id", id), is("successor_id", was), is("revoked_at", nil))
}
