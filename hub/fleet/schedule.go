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
		before := savedNote{schedulesOf(w.cluster), w.cluster.PostponedStart}
		setSchedules(&w.cluster, regular, emergency)
		w.cluster.ScheduleVersion++
		w.cluster.ScheduleFrom = changed.ValidFrom
		w.cluster.EmergencyFrom = changed.EmergencyValidFrom
		w.cluster.PostponedStart = timePtr(changed.Postponed)
		w.plan = changed
		w.touchCluster()
		w.recordCluster(ActionSchedulesSaved, before,
			savedNote{schedulesOf(w.cluster), w.cluster.PostponedStart})
		return nil
	})
}

// savedNote is what an audit record says of schedules.
type savedNote struct {
	Schedules
	Postponed *time.Time `json:"postponed,omitempty"`
}

// changedPlan is a plan under new rules. An open window of a schedule that stays as it is stays open
// (R13). A postponement moves to the next window of the new schedule where that begins before the
// skipped one would have ended; otherwise the change itself has moved the upgrade past it (R12).
func changedPlan(p window.Plan, regular, emergency window.Rule, now time.Time) window.Plan {
	if p.Emergency != emergency {
		p.Emergency, p.EmergencyValidFrom = emergency, now
	}
	if p.Regular == regular {
		return p
	}
	skipped := p.Postponed
	end := skipped.Add(p.Regular.Length)
	p.Regular, p.ValidFrom = regular, now
	if skipped.After(now) {
		p.Postponed = time.Time{}
		if next := regular.Next(now).Start; next.Before(end) {
			p.Postponed = next
		}
	}
	return p
}

// mayPutOff refuses a change that puts the pending upgrade off too far (R13), and keeps from when the
// next change counts.
func (f *Fleet) mayPutOff(w *work, changed window.Plan) error {
	release, pending := rollout.Pending(w.snapshot(f.incarnation(), ""), w.now)
	if !pending || w.cluster.FirstChance == nil {
		return nil
	}
	kind, chance := window.Kind(release.Kind), *w.cluster.FirstChance
	if window.PutsOffTooFar(w.plan, changed, kind, w.now, chance) {
		return models.Conflict("puts_off_too_far", "")
	}
	w.cluster.FirstChance = timePtr(w.plan.CountFrom(kind, w.now, chance))
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
