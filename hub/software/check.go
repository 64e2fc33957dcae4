package software

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// touchAfter is how exact the last use of a credential is noted.
const touchAfter = 5 * time.Minute

// Holder is who holds a credential that counts now, and what it is good for.
type Holder struct {
	Credential   models.DownloadCredential
	User         models.User
	Entitlements []models.Entitlement // those that are valid today
	EULA         string               // the version that the person accepted, and that is asked for
	LapsesAt     time.Time            // six months after the person's last sign-in
}

func refused(kind models.RefusalKind, code models.Code) error {
	return &models.Refusal{Kind: kind, Code: code}
}

// Enter finds who has the secret and checks everything that does not depend on the file: the
// credential, its person and organization, the last sign-in, the contracts and the agreement.
func (s *Software) Enter(ctx context.Context, kind models.DownloadKind, secret string) (Holder, error) {
	var h Holder
	err := s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		h, err = enter(tx, kind, secret, s.now())
		return err
	})
	if err != nil {
		return Holder{}, err
	}
	return h, s.touch(ctx, h.Credential)
}

func enter(tx *store.Tx, kind models.DownloadKind, secret string, now time.Time) (Holder, error) {
	void := models.Unauthorized("invalid_download_credential")
	if !wellFormed(secret, kind) {
		return Holder{}, void
	}
	c, err := tx.Hub().DownloadCredentialByHash(hashOf(secret))
	if errors.Is(err, store.ErrNotFound) {
		return Holder{}, void
	}
	if err != nil {
		return Holder{}, fmt.Errorf("cannot look a download credential up: %w", err)
	}
	h, scope := Holder{Credential: c}, tx.In(c.OrganizationID)
	if h.User, err = scope.UserByID(c.UserID); err != nil {
		return Holder{}, err
	}
	organization, err := scope.Own()
	if err != nil {
		return Holder{}, err
	}
	switch {
	case c.Kind != kind || c.RevokedAt != nil || h.User.DisabledAt != nil ||
		organization.DisabledAt != nil || h.User.LastSignedInAt == nil:
		return Holder{}, void
	case c.ExpiresAt != nil && !now.Before(*c.ExpiresAt):
		return Holder{}, models.Unauthorized("download_token_expired")
	}
	if h.LapsesAt = models.LapsesAt(*h.User.LastSignedInAt); !now.Before(h.LapsesAt) {
		return Holder{}, models.Unauthorized("download_key_lapsed")
	}
	return h, h.comply(tx, now)
}

// comply asks for a contract and for the agreement.
func (h *Holder) comply(tx *store.Tx, now time.Time) (err error) {
	scope := tx.In(h.User.OrganizationID)
	if h.Entitlements, err = valid(scope, h.User.ID, now); err != nil {
		return err
	}
	if len(h.Entitlements) == 0 {
		return refused(models.KindForbidden, "not_entitled")
	}
	agreement, err := tx.Hub().EULA()
	if err != nil {
		return err
	}
	if agreement == nil { // without one there is nothing that somebody could have accepted
		return refused(models.KindForbidden, "eula_not_accepted")
	}
	accepted, err := scope.EULAAcceptance(h.User.ID, agreement.Version)
	if err != nil {
		return err
	}
	if accepted == nil {
		return refused(models.KindForbidden, "eula_not_accepted")
	}
	h.EULA = agreement.Version
	return nil
}

// valid are the records that count for a person now.
func valid(scope *store.Scope, user models.UserID, now time.Time) ([]models.Entitlement, error) {
	all, err := scope.Entitlements()
	return slices.DeleteFunc(all, func(e models.Entitlement) bool {
		return !e.ValidAt(user, now)
	}), err
}

// touch notes the use. A credential that was never used and is gone meanwhile was replaced by
// another rotation: it does not count.
func (s *Software) touch(ctx context.Context, c models.DownloadCredential) error {
	now := s.now()
	if c.LastUsedAt != nil && now.Sub(*c.LastUsedAt) < touchAfter {
		return nil
	}
	err := s.o.Store.Update(ctx, func(tx *store.Tx) error {
		return tx.In(c.OrganizationID).TouchDownloadCredential(c.ID, now)
	})
	if errors.Is(err, store.ErrUnchanged) {
		return models.Unauthorized("invalid_download_credential")
	}
	return err
}

// ExportCleared says whether any contract of the holder allows export-restricted software.
func (h Holder) ExportCleared() bool {
	return slices.ContainsFunc(h.Entitlements, func(e models.Entitlement) bool {
		return e.ExportCleared
	})
}

// Products are what the holder's contracts cover, each once.
func (h Holder) Products() []string {
	var all []string
	for _, e := range h.Entitlements {
		all = append(all, e.ProductList()...)
	}
	if slices.Contains(all, models.AllProducts) {
		return []string{models.AllProducts}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// May refuses a file that no contract of the holder covers, or that is export-restricted where none
// that covers it has clearance.
func (h Holder) May(f models.SoftwareFile) error { return may(h.Entitlements, f) }

func may(entitlements []models.Entitlement, f models.SoftwareFile) error {
	covered := false
	for _, e := range entitlements {
		if !e.Covers(f.Product) {
			continue
		}
		if !f.Restricted || e.ExportCleared {
			return nil
		}
		covered = true
	}
	if covered {
		return refused(models.KindForbidden, "export_restricted")
	}
	return refused(models.KindForbidden, "product_not_entitled")
}

// ExpiresAt is when the holder's credential ends unless something happens: a key with its person's
// six months, a token with its own end where that is earlier.
func (h Holder) ExpiresAt() time.Time {
	if e := h.Credential.ExpiresAt; e != nil && e.Before(h.LapsesAt) {
		return *e
	}
	return h.LapsesAt
}

// File answers the file there, if the holder may have it.
func (s *Software) File(ctx context.Context, h Holder, repository, path string) (
	models.SoftwareFile, error) {
	var f models.SoftwareFile
	err := s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		if f, err = tx.Hub().SoftwareByPath(repository, path); err != nil {
			return err
		}
		releases, err := tx.Hub().ReleasesByDigest(f.SHA256)
		if err == nil && len(releases) > 0 { // R14, whoever made a release of it later
			return store.ErrNotFound
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return models.SoftwareFile{}, models.NotFound()
	}
	if err == nil {
		err = h.May(f)
	}
	return f, err
}

// Files are all of a repository that the holder may have, by path. A repository without any file is
// not found.
func (s *Software) Files(ctx context.Context, h Holder, repository string) (
	[]models.SoftwareFile, error) {
	var all []models.SoftwareFile
	err := s.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		all, err = offered(tx, repository)
		return err
	})
	if err == nil && len(all) == 0 {
		err = models.NotFound()
	}
	return mine(all, h.Entitlements), err
}

// offered is what a repository has, without what is a release of the hub's (R14).
func offered(tx *store.Tx, repository string) ([]models.SoftwareFile, error) {
	all, err := tx.Hub().Software(repository)
	if err != nil {
		return nil, err
	}
	releases, err := tx.Hub().Releases("")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(f models.SoftwareFile) bool {
		return slices.ContainsFunc(releases, func(r models.Release) bool {
			return r.Digest == f.SHA256
		})
	}), nil
}

func mine(all []models.SoftwareFile, entitlements []models.Entitlement) []models.SoftwareFile {
	return slices.DeleteFunc(all, func(f models.SoftwareFile) bool {
		return may(entitlements, f) != nil
	})
}

// Below are the files in a folder at any depth; an empty folder is the root.
func Below(all []models.SoftwareFile, folder string) []models.SoftwareFile {
	return slices.DeleteFunc(slices.Clone(all), func(f models.SoftwareFile) bool {
		return folder != "" && !strings.HasPrefix(f.Path, folder+"/")
	})
}
