package adminapi

import (
	"net/http"
	"unicode/utf8"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/fleet"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// maxSearch is the most characters a search may have: as many as a display name.
const maxSearch = 128

// ListClusters handles GET /clusters.
func (a *API) ListClusters(c echo.Context, params gen.ListClustersParams) error {
	search := ""
	if params.Search != nil {
		search = *params.Search
	}
	if utf8.RuneCountInString(search) > maxSearch {
		return models.Invalid("invalid_display_name", "search")
	}
	items, err := a.o.Fleet.Clusters(c.Request().Context(), handlers.Actor(c), search)
	return answer(c, http.StatusOK, items, err, func(v []fleet.ClusterSummary) gen.ClusterList {
		return gen.ClusterList{Items: each(v, summaryOf)}
	})
}

// GetCluster handles GET /clusters/:clusterId.
func (a *API) GetCluster(c echo.Context, id gen.ClusterId) error {
	v, err := a.o.Fleet.Cluster(c.Request().Context(), handlers.Actor(c), models.ClusterID(id))
	return cluster(c, v, err)
}

// UpgradeNow handles POST /clusters/:clusterId/upgrade-now.
func (a *API) UpgradeNow(c echo.Context, id gen.ClusterId) error {
	body, err := read[gen.TypedName](c)
	if err != nil {
		return err
	}
	v, err := a.o.Fleet.UpgradeNow(c.Request().Context(), handlers.Actor(c),
		models.ClusterID(id), fleet.TypedName(body.TypedName))
	return cluster(c, v, err)
}

// RetryRollout handles POST /clusters/:clusterId/retry.
func (a *API) RetryRollout(c echo.Context, id gen.ClusterId) error {
	v, err := a.o.Fleet.Retry(c.Request().Context(), handlers.Actor(c), models.ClusterID(id))
	return cluster(c, v, err)
}

// Deregister handles POST /clusters/:clusterId/deregister.
func (a *API) Deregister(c echo.Context, id gen.ClusterId) error {
	body, err := read[gen.TypedName](c)
	if err != nil {
		return err
	}
	err = a.o.Fleet.Deregister(c.Request().Context(), handlers.Actor(c), models.ClusterID(id),
		fleet.TypedName(body.TypedName))
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// ListHistory handles GET /clusters/:clusterId/history.
func (a *API) ListHistory(c echo.Context, id gen.ClusterId) error {
	language := handlers.Language(c)
	items, err := a.o.Fleet.History(c.Request().Context(), handlers.Actor(c), models.ClusterID(id))
	return answer(c, http.StatusOK, items, err, func(v []fleet.HistoryView) gen.HistoryList {
		return gen.HistoryList{Items: each(v, func(h fleet.HistoryView) gen.HistoryItem {
			return historyOf(h, language)
		})}
	})
}

// OverridePermit handles POST /clusters/:clusterId/permits/:permitId/override.
func (a *API) OverridePermit(c echo.Context, id gen.ClusterId, permit gen.PermitId) error {
	body, err := read[gen.TypedName](c)
	if err != nil {
		return err
	}
	v, err := a.o.Fleet.OverridePermit(c.Request().Context(), handlers.Actor(c),
		models.ClusterID(id), models.PermitID(permit), fleet.TypedName(body.TypedName))
	return cluster(c, v, err)
}
