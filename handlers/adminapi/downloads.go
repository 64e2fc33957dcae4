package adminapi

import (
	"net/http"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/software"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// GetDownloads handles GET /account/downloads.
func (a *API) GetDownloads(c echo.Context) error {
	all, err := a.o.Software.Overview(c.Request().Context(), handlers.Actor(c))
	return answer(c, http.StatusOK, all, err, downloadsOf)
}

func downloadsOf(o software.Overview) gen.Downloads {
	view := gen.Downloads{LapsesAt: o.LapsesAt,
		Entitlements: each(o.Entitlements, func(e models.Entitlement) gen.Entitlement {
			return gen.Entitlement{Id: string(e.ID), Kind: gen.EntitlementKind(e.Kind),
				Reference: e.Reference, Products: e.ProductList(), ExportCleared: e.ExportCleared,
				ValidUntil: e.ValidUntil.UTC()}
		}),
		Credentials: each(o.Credentials, func(d models.DownloadCredential) gen.DownloadCredential {
			return downloadOf(d, software.Holder{Credential: d, LapsesAt: o.LapsesAt})
		}),
		Files: each(o.Files, func(f models.SoftwareFile) gen.SoftwareFile {
			return gen.SoftwareFile{Repository: f.Repository, Path: f.Path, Product: f.Product,
				Version: f.Version, Restricted: f.Restricted, Size: f.Size, Notes: some(f.Notes),
				PublishedAt: f.PublishedAt.UTC()}
		})}
	if o.EULA != nil {
		view.Eula = &gen.Eula{Version: o.EULA.Version, Text: o.EULA.Text, AcceptedAt: o.AcceptedAt}
	}
	return view
}

func downloadOf(d models.DownloadCredential, h software.Holder) gen.DownloadCredential {
	return gen.DownloadCredential{Id: string(d.ID), Kind: gen.DownloadKind(d.Kind), Name: d.Name,
		LastFour: d.LastFour, CreatedAt: d.CreatedAt.UTC(), ExpiresAt: h.ExpiresAt().UTC(),
		LastUsedAt: d.LastUsedAt}
}

// AcceptEula handles POST /account/downloads/eula.
func (a *API) AcceptEula(c echo.Context) error {
	body, err := read[gen.AcceptEula](c)
	if err != nil {
		return err
	}
	return done(c, a.o.Software.AcceptEULA(c.Request().Context(), handlers.Actor(c), body.Version))
}

// GenerateDownloadCredential handles POST /account/downloads/credentials.
func (a *API) GenerateDownloadCredential(c echo.Context) error {
	body, err := read[gen.NewDownloadCredential](c)
	if err != nil {
		return err
	}
	wanted := software.NewCredential{Kind: models.DownloadKind(body.Kind), Name: body.Name}
	if body.Days != nil {
		wanted.Days = *body.Days
	}
	made, err := a.o.Software.Generate(c.Request().Context(), handlers.Actor(c), wanted)
	return answer(c, http.StatusCreated, made, err,
		func(g software.Generated) gen.GeneratedDownloadCredential {
			return gen.GeneratedDownloadCredential{Secret: g.Secret.Reveal(),
				Credential: downloadOf(g.Holder.Credential, g.Holder)}
		})
}

// RevokeDownloadCredential handles DELETE /account/downloads/credentials/:downloadId.
func (a *API) RevokeDownloadCredential(c echo.Context, id gen.DownloadId) error {
	return done(c, a.o.Software.Revoke(c.Request().Context(), handlers.Actor(c),
		models.DownloadCredentialID(id)))
}
