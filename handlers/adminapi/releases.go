package adminapi

import (
	"net/http"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// ListReleases handles GET /releases.
func (a *API) ListReleases(c echo.Context) error {
	items, err := a.o.Depot.Releases(c.Request().Context(), handlers.Actor(c))
	return answer(c, http.StatusOK, items, err, func(v []models.Release) gen.ReleaseList {
		return gen.ReleaseList{Items: each(v, releaseOf)}
	})
}

// SetReleaseState handles PUT /releases/:releaseId/state.
func (a *API) SetReleaseState(c echo.Context, id gen.ReleaseId) error {
	body, err := read[gen.SetReleaseState](c)
	if err != nil {
		return err
	}
	v, err := a.o.Depot.SetState(c.Request().Context(), handlers.Actor(c), models.ReleaseID(id),
		models.ReleaseState(body.State))
	return answer(c, http.StatusOK, v, err, releaseOf)
}

func releaseOf(r models.Release) gen.Release {
	return gen.Release{
		Id: string(r.ID), Version: string(r.Version), Kind: gen.Kind(r.Kind),
		State: gen.ReleaseState(r.State), Channel: r.Channel, Digest: r.Digest, Size: r.Size,
		CreatedAt: r.CreatedAt.UTC(), PublishedAt: utc(r.PublishedAt),
	}
}
