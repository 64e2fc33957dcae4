package fleet

import (
	"errors"
	"slices"
	"time"

	"connecthub/models"
	"connecthub/scheduler/window"
)

// planOf is what decides when a cluster may be upgraded. It refuses a stored schedule that this
// build cannot read, which only a damaged row can be.
func planOf(c models.Cluster) (window.Plan, error) {
	regular, emergency, err := rulesOf(schedulesOf(c))
	if err != nil {
		return window.Plan{}, err
	}
	p := window.Plan{Regular: regular, Emergency: emergency,
		ValidFrom: c.ScheduleFrom, EmergencyValidFrom: c.EmergencyFrom}
	if c.PostponedStart != nil {
		p.Postponed = *c.PostponedStart
	}
	if c.ExtraStart != nil && c.ExtraEnd != nil {
		p.Extra = window.Window{Start: *c.ExtraStart, End: *c.ExtraEnd}
		p.ExtraKind = window.Kind(c.ExtraKind)
	}
	return p, nil
}

// rulesOf reads schedules as a person wrote them; each refusal names its field (R9).
func rulesOf(s Schedules) (regular, emergency window.Rule, err error) {
	zone, err := window.LoadZone(s.Zone)
	if err != nil {
		return regular, emergency, models.Invalid("invalid_zone", "zone")
	}
	days, err := window.ParseDays(s.Regular.Days)
	if err != nil {
		return regular, emergency, models.Invalid("invalid_days", "regular.days")
	}
	regular, err = ruleOf("regular", s.Regular.Time, days, zone, s.Regular.LengthMinutes)
	if err != nil {
		return regular, emergency, err
	}
	emergency, err = ruleOf("emergency", s.Emergency.Time, window.Daily, zone,
		s.Emergency.LengthMinutes)
	return regular, emergency, err
}

func ruleOf(field, clock string, days window.Days, zone window.Zone, minutes int,
) (window.Rule, error) {
	at, err := window.ParseTimeOfDay(clock)
	if err != nil {
		return window.Rule{}, models.Invalid("invalid_time", field+".time")
	}
	if minutes < 0 || minutes > 24*60 {
		return window.Rule{}, models.Invalid("invalid_length", field+".length_minutes")
	}
	rule, err := window.NewRule(at, days, zone, time.Duration(minutes)*time.Minute)
	switch {
	case errors.Is(err, window.ErrLength):
		return rule, models.Invalid("invalid_length", field+".length_minutes")
	case errors.Is(err, window.ErrDays):
		return rule, models.Invalid("invalid_days", field+".days")
	case err != nil:
		return rule, err
	}
	return rule, nil
}

func schedulesOf(c models.Cluster) Schedules {
	return Schedules{
		Zone: c.Zone,
		Regular: RegularSchedule{Time: c.RegularTime, Days: window.Days(c.RegularDays).Names(),
			LengthMinutes: c.RegularMinutes},
		Emergency: EmergencySchedule{Time: c.EmergencyTime, LengthMinutes: c.EmergencyMinutes},
	}
}

// setSchedules writes schedules that rulesOf has read into the row.
func setSchedules(c *models.Cluster, regular, emergency window.Rule) {
	c.Zone = regular.Zone.Name()
	c.RegularTime, c.RegularDays = regular.Time.String(), uint8(regular.Days)
	c.RegularMinutes = int(regular.Length / time.Minute)
	c.EmergencyTime = emergency.Time.String()
	c.EmergencyMinutes = int(emergency.Length / time.Minute)
}

// nextOf is the next upgrade as it is shown (R11).
func nextOf(p window.Plan, now time.Time) NextUpgrade {
	n := NextUpgrade{
		Regular:   viewOf(p.NextOpen(window.Regular, now)),
		Emergency: viewOf(p.NextOpen(window.Emergency, now)),
		Open:      []models.Kind{},
	}
	for _, kind := range []models.Kind{models.Regular, models.Emergency} {
		if _, open := p.Open(window.Kind(kind), now); open {
			n.Open = append(n.Open, kind)
		}
	}
	if !p.Postponed.IsZero() && p.Postponed.After(now) {
		at := p.Postponed
		n.Skipped = &at
	}
	if !p.Extra.IsZero() && p.Extra.End.After(now) {
		extra := viewOf(p.Extra)
		n.Extra = &extra
	}
	return n
}

func viewOf(w window.Window) WindowView { return WindowView{Start: w.Start, End: w.End} }

// upcoming are the next regular windows, the postponed one left out.
func upcoming(p window.Plan, now time.Time, n int) []WindowView {
	views := make([]WindowView, 0, n)
	for at := now; len(views) < n; {
		w := p.NextOpen(window.Regular, at)
		if w.IsZero() {
			break
		}
		views, at = append(views, viewOf(w)), w.Start
	}
	return slices.Clip(views)
}
