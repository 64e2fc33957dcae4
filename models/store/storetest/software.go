package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

const (
	knownEntitlement models.EntitlementID        = "known entitlement"
	knownDownload    models.DownloadCredentialID = "known download credential"
)

func (w World) entitlement() *models.Entitlement {
	return &models.Entitlement{Kind: models.EntitlementSWSS, Reference: "C-1", Products: "VVB",
		ValidFrom: w.Now, ValidUntil: w.Now.AddDate(1, 0, 0), CreatedAt: w.Now}
}

func (w World) downloadToken(hash string) *models.DownloadCredential {
	ends := w.Now.Add(time.Hour)
	return &models.DownloadCredential{UserID: w.User.ID, Kind: models.IdentityToken, Name: "Token",
		Prefix: "cht_", LastFour: "abcd", SecretHash: hash, Days: 1, CreatedAt: w.Now,
		ExpiresAt: &ends}
}

// storeSoftware gives the victim what the attacker knows of.
func (w World) storeSoftware(in *store.Scope) error {
	e, c := w.entitlement(), w.downloadToken(knownSecret)
	e.ID, c.ID = knownEntitlement, knownDownload
	return errors.Join(in.CreateEntitlement(e), in.CreateDownloadCredential(c))
}

// softwareKnown are arguments for the methods of this part of a scope.
func (k knowledge) softwareKnown() []any {
	e, c := k.entitlement(), k.downloadToken("q")
	e.OrganizationID, c.OrganizationID = k.Organization.ID, k.Organization.ID
	return []any{knownEntitlement, knownDownload, e, c, &models.EULAAcceptance{UserID: k.User.ID,
		OrganizationID: k.Organization.ID, Version: "q", AcceptedAt: k.Now}}
}

// dumpSoftware is everything of a tenant's that is about downloads.
func (w World) dumpSoftware(s *store.Store, text *strings.Builder) error {
	return w.in(s, func(in *store.Scope) error {
		e, err := in.Entitlements()
		c, err1 := in.DownloadCredentials(w.User.ID)
		a, err2 := in.EULAAcceptance(w.User.ID, "q")
		fmt.Fprintf(text, "%s\n%s\n%s\n", encode(e), encode(c), encode(a))
		return errors.Join(err, err1, err2)
	})
}

func softwareFiles(t *testing.T, s *store.Store) {
	f := models.SoftwareFile{Repository: "r", Path: "a/b.cop", Size: 1 << 40, SHA256: "digest",
		SHA1: "1", MD5: "5", Product: "VVB", Version: "1", Restricted: true, Notes: "n",
		PublishedAt: Start()}
	add := func() error {
		f.ID = ""
		return hub(s, func(h *store.Hub) error { return h.CreateSoftware(&f) })
	}
	must(t, add())
	first := f
	wantDuplicate(t, add(), store.SoftwarePath)
	must(t, hub(s, func(h *store.Hub) error {
		found, err := h.SoftwareByPath("r", "a/b.cop")
		want(t, "the file", found, first)
		return err
	}))
	withdraw := func() error {
		return hub(s, func(h *store.Hub) error { return h.WithdrawSoftware(first.ID, Start()) })
	}
	must(t, withdraw())
	wantErr(t, withdraw(), store.ErrUnchanged)
	wantErr(t, hub(s, func(h *store.Hub) error {
		_, err := h.SoftwareByPath("r", "a/b.cop")
		return err
	}), store.ErrNotFound)
	must(t, add())
	must(t, hub(s, func(h *store.Hub) error {
		all, err := h.Software("")
		want(t, "offered", len(all), 1)
		return err
	}))
}

func eulas(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	publish := func(version string, at time.Time) error {
		return hub(s, func(h *store.Hub) error {
			return h.PublishEULA(&models.EULA{Version: version, Text: "text", PublishedAt: at})
		})
	}
	must(t, publish("1", w.Now))
	wantDuplicate(t, publish("1", w.Now), store.EULAVersion)
	must(t, publish("0", w.Now.Add(time.Hour)))
	must(t, hub(s, func(h *store.Hub) error {
		e, err := h.EULA()
		want(t, "the newest", e.Version, "0")
		return err
	}))
	accept := func() error {
		return w.in(s, func(in *store.Scope) error {
			return in.AcceptEULA(&models.EULAAcceptance{UserID: w.User.ID, Version: "0",
				AcceptedAt: w.Now})
		})
	}
	must(t, accept())
	wantDuplicate(t, accept(), store.EULAAccepted)
}

func downloadCredentials(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	old, first := w.downloadToken("old"), w.downloadToken("first")
	do := func(fn func(in *store.Scope) error) error { return w.in(s, fn) }
	must(t, do(func(in *store.Scope) error {
		return errors.Join(in.CreateDownloadCredential(old), in.CreateDownloadCredential(first))
	}))
	succeed := func(was, next models.DownloadCredentialID) error {
		return do(func(in *store.Scope) error {
			return in.SucceedDownloadToken(old.ID, was, next, w.Now)
		})
	}
	won := race(t, 16, func(int) error { return succeed("", first.ID) }, store.ErrUnchanged)
	want(t, "rotations", won, 1)
	wantErr(t, succeed("", "other"), store.ErrUnchanged)
	must(t, do(func(in *store.Scope) error { return in.TouchDownloadCredential(first.ID, w.Now) }))
	wantErr(t, do(func(in *store.Scope) error { return in.ReplaceUnused(first.ID, w.Now) }),
		store.ErrUnchanged)
	revoke := func() error {
		return do(func(in *store.Scope) error {
			return in.RevokeDownloadCredential(w.User.ID, old.ID, w.Now)
		})
	}
	must(t, revoke())
	wantErr(t, revoke(), store.ErrUnchanged)
	must(t, do(func(in *store.Scope) error {
		all, err := in.DownloadCredentials(w.User.ID)
		want(t, "left", len(all), 1)
		return err
	}))
	must(t, hub(s, func(h *store.Hub) error {
		found, err := h.DownloadCredentialByHash("old")
		want(t, "whose", found.OrganizationID, w.Organization.ID)
		want(t, "revoked", found.RevokedAt != nil, true)
		return err
	}))
	must(t, hub(s, func(h *store.Hub) error {
		_, err := h.VoidSessions()
		return err
	}))
	must(t, do(func(in *store.Scope) error {
		all, err := in.DownloadCredentials(w.User.ID)
		want(t, "left by a restore", len(all), 0)
		return err
	}))
}
