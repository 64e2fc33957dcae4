package adminapi

import (
	"net/http"
	"strings"
	"time"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/fleet"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// What a maintenance lasts when nobody says so, and the most that makes sense of a number (R22).
const (
	defaultMaintenance    = 4 * time.Hour
	maxMaintenanceMinutes = 7 * 24 * 60
)

// maxReason is the most characters a reason may have.
const maxReason = 500

// EnterMaintenance handles PUT /clusters/:clusterId/nodes/:nodeId/maintenance.
func (a *API) EnterMaintenance(c echo.Context, id gen.ClusterId, node gen.NodeId) error {
	body, err := read[gen.EnterMaintenance](c)
	if err != nil {
		return err
	}
	length := defaultMaintenance
	if body.Minutes != nil {
		if *body.Minutes < 1 || *body.Minutes > maxMaintenanceMinutes {
			return models.Invalid("invalid_duration", "minutes")
		}
		length = time.Duration(*body.Minutes) * time.Minute
	}
	reason := strings.TrimSpace(body.Reason)
	if reason == "" || len([]rune(reason)) > maxReason {
		return models.Invalid("reason_required", "reason")
	}
	v, err := a.o.Fleet.EnterMaintenance(c.Request().Context(), handlers.Actor(c),
		models.ClusterID(id), models.NodeID(node), length, reason)
	return cluster(c, v, err)
}

// LeaveMaintenance handles DELETE /clusters/:clusterId/nodes/:nodeId/maintenance.
func (a *API) LeaveMaintenance(c echo.Context, id gen.ClusterId, node gen.NodeId) error {
	v, err := a.o.Fleet.LeaveMaintenance(c.Request().Context(), handlers.Actor(c),
		models.ClusterID(id), models.NodeID(node))
	return cluster(c, v, err)
}

// RemoveNode handles POST /clusters/:clusterId/nodes/:nodeId/remove.
func (a *API) RemoveNode(c echo.Context, id gen.ClusterId, node gen.NodeId) error {
	body, err := read[gen.TypedName](c)
	if err != nil {
		return err
	}
	v, err := a.o.Fleet.RemoveNode(c.Request().Context(), handlers.Actor(c),
		models.ClusterID(id), models.NodeID(node), fleet.TypedName(body.TypedName))
	return cluster(c, v, err)
}

// ReplaceNode handles POST /clusters/:clusterId/nodes/:nodeId/replace.
func (a *API) ReplaceNode(c echo.Context, id gen.ClusterId, node gen.NodeId) error {
	v, err := a.o.Fleet.ReplaceNode(c.Request().Context(), handlers.Actor(c),
		models.ClusterID(id), models.NodeID(node))
	return answer(c, http.StatusCreated, v, err, registrationOf)
}

// AdmitNode handles POST /clusters/:clusterId/nodes/:nodeId/admit.
func (a *API) AdmitNode(c echo.Context, id gen.ClusterId, node gen.NodeId) error {
	v, err := a.o.Fleet.AdmitNode(c.Request().Context(), handlers.Actor(c),
		models.ClusterID(id), models.NodeID(node))
	return cluster(c, v, err)
}

// AdoptVersion handles POST /clusters/:clusterId/nodes/:nodeId/adopt-version.
func (a *API) AdoptVersion(c echo.Context, id gen.ClusterId, node gen.NodeId) error {
	v, err := a.o.Fleet.AdoptVersion(c.Request().Context(), handlers.Actor(c),
		models.ClusterID(id), models.NodeID(node))
	return cluster(c, v, err)
}

// UpgradeDespite handles POST /clusters/:clusterId/nodes/:nodeId/upgrade-despite.
func (a *API) UpgradeDespite(c echo.Context, id gen.ClusterId, node gen.NodeId) error {
	body, err := read[gen.TypedName](c)
	if err != nil {
		return err
	}
	v, err := a.o.Fleet.UpgradeDespite(c.Request().Context(), handlers.Actor(c),
		models.ClusterID(id), models.NodeID(node), fleet.TypedName(body.TypedName))
	return cluster(c, v, err)
}
