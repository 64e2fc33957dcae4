package adminapi

import (
	"net/http"
	"time"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// GetCloudView handles GET /clusters/:clusterId/cloud-view.
func (a *API) GetCloudView(c echo.Context, id gen.ClusterId) error {
	v, err := a.o.Fleet.Shown(c.Request().Context(), handlers.Actor(c), models.ClusterID(id))
	return answer(c, http.StatusOK, v, err, cloudViewOf)
}

func cloudViewOf(v *models.CloudView) gen.CloudView {
	if v == nil {
		v = &models.CloudView{}
	}
	d := &v.Document
	return gen.CloudView{
		Enabled: v.ClusterID != "", EnabledAt: when(v.EnabledAt), ReceivedAt: when(v.ReceivedAt),
		TakenAt: when(d.TakenAt), DeploymentName: some(d.DeploymentName),
		DeploymentType: some(d.DeploymentType), InventoryVersion: &d.Version, Omitted: d.Omitted,
		Machines: each(d.Machines, func(m models.CloudMachine) gen.CloudMachine {
			return gen.CloudMachine{Product: m.Product, Group: m.Group, Name: m.Name, Side: m.Side,
				Type: some(m.Type)}
		}),
		Procedures: each(d.Procedures, func(p models.CloudProcedure) gen.CloudProcedure {
			return gen.CloudProcedure{Kind: p.Kind, Status: p.Status, BeganAt: p.BeganAt.UTC(),
				EndedAt: when(p.EndedAt), Machines: each(p.Machines, cloudOutcomeOf)}
		}),
		Connections: each(d.Connections, cloudOutcomeOf),
	}
}

func cloudOutcomeOf(o models.CloudOutcome) gen.CloudOutcome {
	return gen.CloudOutcome{Name: o.Name, Status: o.Status, Code: some(o.Code), From: some(o.From),
		To: some(o.To), At: when(o.At)}
}

// when leaves out an instant that there is none of.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return utc(&t)
}
