package adminapi

import (
	"net/http"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/fleet"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// SaveSchedules handles PUT /clusters/:clusterId/schedules.
func (a *API) SaveSchedules(c echo.Context, id gen.ClusterId) error {
	body, err := read[gen.SaveSchedules](c)
	if err != nil {
		return err
	}
	v, err := a.o.Fleet.SaveSchedules(c.Request().Context(), handlers.Actor(c),
		models.ClusterID(id), body.Version, fleetSchedules(body.Schedules))
	return cluster(c, v, err)
}

// PreviewSchedules handles POST /clusters/:clusterId/schedules/preview.
func (a *API) PreviewSchedules(c echo.Context, id gen.ClusterId) error {
	body, err := read[gen.Schedules](c)
	if err != nil {
		return err
	}
	v, err := a.o.Fleet.PreviewSchedules(c.Request().Context(), handlers.Actor(c),
		models.ClusterID(id), fleetSchedules(body))
	return answer(c, http.StatusOK, v, err, func(v fleet.SchedulePreview) gen.SchedulePreview {
		upcoming := each(v.Upcoming, windowOf)
		return gen.SchedulePreview{Current: nextUpgradeOf(v.Current),
			Resulting: nextUpgradeOf(v.Resulting), Upcoming: &upcoming}
	})
}

// Postpone handles POST /clusters/:clusterId/postponement.
func (a *API) Postpone(c echo.Context, id gen.ClusterId) error {
	v, err := a.o.Fleet.Postpone(c.Request().Context(), handlers.Actor(c), models.ClusterID(id))
	return cluster(c, v, err)
}

// UndoPostponement handles DELETE /clusters/:clusterId/postponement.
func (a *API) UndoPostponement(c echo.Context, id gen.ClusterId) error {
	v, err := a.o.Fleet.UndoPostponement(c.Request().Context(), handlers.Actor(c),
		models.ClusterID(id))
	return cluster(c, v, err)
}

func fleetSchedules(s gen.Schedules) fleet.Schedules {
	return fleet.Schedules{
		Zone: s.Zone,
		Regular: fleet.RegularSchedule{Time: s.Regular.Time, Days: s.Regular.Days,
			LengthMinutes: s.Regular.LengthMinutes},
		Emergency: fleet.EmergencySchedule{Time: s.Emergency.Time,
			LengthMinutes: s.Emergency.LengthMinutes},
	}
}

func schedulesOf(s fleet.Schedules) gen.Schedules {
	out := gen.Schedules{Zone: s.Zone}
	out.Regular.Time, out.Regular.Days = s.Regular.Time, s.Regular.Days
	out.Regular.LengthMinutes = s.Regular.LengthMinutes
	out.Emergency.Time = s.Emergency.Time
	out.Emergency.LengthMinutes = s.Emergency.LengthMinutes
	return out
}
