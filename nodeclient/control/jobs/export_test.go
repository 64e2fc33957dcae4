package jobs

import (
	"time"

	"connecthub/scheduler/window"
)

// Deciding makes a runner decide by another function, for mutants.
func (r *Runner) Deciding(decide func(Moment) ([]Due, time.Time)) { r.decide = decide }

// In is the default schedule on the clock of a zone.
func In(zone window.Zone) Schedule { return Schedule{Zone: zone} }
