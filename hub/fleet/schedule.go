package fleet

import (
	"context"
	"errors"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/scheduler/rollout"
	"connecthub/scheduler/window"
)

// SaveSchedules stores both schedules as a new version, which holds for windows that start at or
// after its commit (R13). Saving the same values makes none.
func (f *Fleet) SaveSchedules(ctx context.Context, a Actor, id models.ClusterID, version int,
	schedules Schedules,
) (ClusterView, error) {
	regular, emergency, err := rulesOf(schedules)
	if err != nil {
		return ClusterView{}, err
	}
	return f.act(ctx, a, id, func(w *work, _ *store.Scope) error {
		if version != w.cluster.ScheduleVersion {
			return models.Conflict("schedule_changed", "")
		}
		if w.plan.Regular == regular && w.plan.Emergency == emergency {
			return nil
		}
		changed := changedPlan(w.plan, regular, emergency, w.now)
		if err := f.mayPutOff(w, changed); err != nil {
			return err
		}
		before := schedulesOf(w.cluster)
		setSchedules(&w.cluster, regular, emergency)
		w.cluster.ScheduleVersion++
		w.cluster.ScheduleFrom = w.now
		w.cluster.PostponedStart = timePtr(changed.Postponed)
		w.plan = changed
		w.touchCluster()
		w.recordCluster(ActionSchedulesSaved, before, schedulesOf(w.cluster))
		return nil
	})
}

// changedPlan is a plan under new rules. A postponement stays where the new schedule has that very
// window; another one it cannot skip.
func changedPlan(p window.Plan, regular, emergency window.Rule, now time.Time) window.Plan {
	p.Regular, p.Emergency = regular, emergency
	p.ValidFrom, p.EmergencyValidFrom = now, now
	if !p.Postponed.IsZero() && !regular.Next(p.Postponed).Start.Equal(p.Postponed) {
		p.Postponed = time.Time{}
	}
	return p
}

// mayPutOff refuses a change that puts the pending upgrade off too far (R13).
func (f *Fleet) mayPutOff(w *work, changed window.Plan) error {
	release, pending := rollout.Pending(w.snapshot(f.incarnation(), ""), w.now)
	if !pending || w.cluster.FirstChance == nil {
		return nil
	}
	if window.PutsOffTooFar(w.plan, changed, window.Kind(release.Kind), w.now,
		*w.cluster.FirstChance) {
		return models.Conflict("puts_off_too_far", "")
	}
	return nil
}

// PreviewSchedules says what saving would give.
func (f *Fleet) PreviewSchedules(_ context.Context, a Actor, id models.ClusterID,
	schedules Schedules,
) (SchedulePreview, error) {
	regular, emergency, err := rulesOf(schedules)
	if err != nil {
		return SchedulePreview{}, err
	}
	c := f.find(id)
	if c == nil {
		return SchedulePreview{}, models.NotFound()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known || c.rows.cluster.OrganizationID != a.Organization {
		return SchedulePreview{}, models.NotFound()
	}
	now := f.now()
	plan := c.rows.plan
	if plan.Regular != regular || plan.Emergency != emergency {
		plan = changedPlan(plan, regular, emergency, now)
	}
	return SchedulePreview{Current: nextOf(c.rows.plan, now), Resulting: nextOf(plan, now),
		Upcoming: upcoming(plan, now, 5)}, nil
}

// mayPostpone refuses a second postponement (R12).
func mayPostpone(r *rows, now time.Time) error {
	c := &r.cluster
	if c.PostponedStart != nil && now.Before(c.PostponedStart.Add(r.plan.Regular.Length)) {
		return models.Conflict("already_postponed", c.DisplayName)
	}
	if c.PostponeSpent {
		return models.Conflict("postponement_spent", c.DisplayName)
	}
	return nil
}

// Postpone skips exactly the next regular window (R12).
func (f *Fleet) Postpone(ctx context.Context, a Actor, id models.ClusterID) (ClusterView, error) {
	return f.act(ctx, a, id, func(w *work, _ *store.Scope) error {
		if err := mayPostpone(&w.rows, w.now); err != nil {
			return err
		}
		plan := w.plan
		plan.Postponed = time.Time{}
		plan, err := plan.Postpone(w.now)
		if err != nil {
			return err
		}
		w.plan = plan
		w.cluster.PostponedStart = timePtr(plan.Postponed)
		w.cluster.PostponeSpent = w.cluster.PendingSince != nil
		w.touchCluster()
		w.recordCluster(ActionPostponed, nil, plan.Postponed)
		return nil
	})
}

// UndoPostponement takes it back, until the window that it skips would have opened (R12).
func (f *Fleet) UndoPostponement(ctx context.Context, a Actor, id models.ClusterID,
) (ClusterView, error) {
	return f.act(ctx, a, id, func(w *work, _ *store.Scope) error {
		plan, err := w.plan.TakeBack(w.now)
		switch {
		case errors.Is(err, window.ErrNotPostponed):
			return models.Conflict("not_postponed", "")
		case errors.Is(err, window.ErrTooLate):
			return models.Conflict("too_late_to_undo", "")
		case err != nil:
			return err
		}
		before := w.plan.Postponed
		w.plan = plan
		w.cluster.PostponedStart, w.cluster.PostponeSpent = nil, false
		w.touchCluster()
		w.recordCluster(ActionPostponementUndone, before, nil)
		return nil
	})
}
