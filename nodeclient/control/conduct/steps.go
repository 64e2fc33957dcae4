package conduct

import (
	"context"
	"fmt"
	"slices"

	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/target"
)

// maxTries is how often a machine that serves is asked whether it has what it was to have.
const maxTries = 30

// mayDisturb asks the machine itself and every other one of its unit. Where this one serves, all the
// others must, too; where it does not, it cannot be made worse.
func (j *job) mayDisturb(ctx context.Context) (target.Facts, error) {
	f, err := j.facts(ctx, j.m)
	if err != nil || !f.Serving {
		return f, err
	}
	return f, j.peersServe(ctx)
}

func (j *job) peersServe(ctx context.Context) error {
	if j.plan.Kind == procedure.Services {
		return nil
	}
	for _, p := range j.task.Peers {
		if err := j.serves(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) serves(ctx context.Context, p procedure.Host) error {
	m, err := j.machine(p)
	if err != nil {
		return err
	}
	f, err := j.facts(ctx, m)
	switch {
	case err != nil:
		return &target.Obstacle{Err: err, Reason: target.Because("peer_away", j.task.Name, p.Group, p.Name,
			target.Explain(err).Inner())}
	case f.Maintenance:
		return target.Fail("peer_in_maintenance", j.task.Name, p.Name)
	case !f.Serving:
		return target.Fail("peer_down", j.task.Name, p.Name, f.Trouble)
	}
	return nil
}

// check looks whether the machine is what the plan was made for. One that is where it is to go already
// is done.
func (j *job) check(ctx context.Context) (procedure.Event, error) {
	f, err := j.facts(ctx, j.m)
	if err != nil {
		return procedure.Event{}, err
	}
	found := procedure.Event{From: f.Active.Level(), Boot: f.Boot}
	level := f.Active.Level()
	switch {
	case f.Running != "":
		return found, target.Fail("busy", f.Running)
	case j.arrived(f):
		there := target.Because("there_already")
		found.All, found.To, found.Code, found.Detail = true, level, there.Code, there.Sentence("en")
		return found, nil
	case j.plan.Kind != procedure.Maintenance && j.plan.Kind != procedure.Services &&
		!j.task.From.IsZero() && level != j.task.From:
		return found, target.Fail("changed", level.String(), j.task.From.String())
	case j.task.File != nil && f.DiskFree < j.task.File.Size:
		return found, target.Fail(target.DiskFull,
			fmt.Sprintf("%d < %d", f.DiskFree, j.task.File.Size))
	case f.Serving && slices.ContainsFunc(j.task.Steps, j.disturbs):
		return found, j.peersServe(ctx)
	}
	return found, nil
}

func (j *job) disturbs(s procedure.Step) bool { return s.Disturbs(j.task.Product) }

// arrived says whether there is nothing to do.
func (j *job) arrived(f target.Facts) bool {
	if f.RestartNeeded || !f.Serving {
		return false
	}
	level := f.Active.Level()
	switch j.plan.Kind {
	case procedure.PatchInstall, procedure.Upgrade, procedure.SwitchForward:
		return level == j.task.To
	case procedure.Services:
		return true
	case procedure.PatchRollback, procedure.MSInstall, procedure.MSRollback, procedure.Rollback,
		procedure.Maintenance:
	}
	return false
}

func (j *job) put(ctx context.Context) error {
	f := *j.task.File
	f.Local = j.Local(f)
	last := j.Now()
	return j.retry(ctx, func() error {
		return j.m.Put(ctx, f, func(done int64) {
			if now := j.Now(); now.Sub(last) >= noteEvery && f.Size > 0 {
				last = now
				j.note(fmt.Sprintf("%d %%", done*100/f.Size))
			}
		})
	})
}

// note is best effort: progress that is not seen does no harm.
func (j *job) note(detail string) {
	t := j.Journal.State().Tasks[j.i]
	if _, err := j.Journal.Add(procedure.Event{At: j.Now(), What: procedure.Noted, Task: j.i, Step: t.Step,
		Detail: detail}); err != nil {
		j.Log.Debug("cannot note the progress", "error", err)
	}
}

// restart restarts a machine that asks for it, once: the machine does nothing where it is not in the
// boot any more in which it was asked. It ends when the machine answers from another boot.
func (j *job) restart(ctx context.Context, t procedure.TaskState, f target.Facts) error {
	if f.Boot != t.Boot || !t.Wants && !f.RestartNeeded {
		return nil
	}
	w := target.Work{ID: j.plan.Operation(j.i, t.Step, t.Attempt), Kind: target.Restart, Boot: t.Boot}
	for {
		_, err := j.m.Do(ctx, w)
		if err != nil && !isAway(err) {
			return err
		}
		f, err := j.facts(ctx, j.m)
		if err != nil {
			return err
		}
		if f.Boot != t.Boot {
			return nil
		}
		if !sleep(ctx, j.pause()) {
			return target.ErrAway
		}
	}
}

// verify waits until the machine has what it was to have, and serves.
func (j *job) verify(ctx context.Context, t procedure.TaskState) (procedure.Event, error) {
	for tries := 0; ; tries++ {
		f, err := j.facts(ctx, j.m)
		if err != nil {
			return procedure.Event{}, err
		}
		wrong := j.judge(t, f)
		if wrong == nil {
			to := f.Active.Level()
			if j.plan.Kind == procedure.Upgrade && !j.plan.Switch && f.Inactive != nil {
				to = f.Inactive.Level()
			}
			return procedure.Event{To: to}, nil
		}
		if !f.Serving {
			tries = 0 // starting takes its time; what serves with another version will not change
		}
		if tries >= maxTries || !sleep(ctx, j.pause()) {
			return procedure.Event{}, wrong
		}
	}
}

// judge says what is not as it is to be.
func (j *job) judge(t procedure.TaskState, f target.Facts) *target.Failure {
	last := t.Step == len(j.task.Steps)-1
	switch {
	case j.plan.Kind == procedure.Maintenance:
		if !f.Maintenance {
			return target.Fail("not_in_maintenance")
		}
		return nil
	case !f.Serving:
		return target.Fail("not_serving", f.Trouble)
	case !last: // after the restart that a failed try asks for
		return nil
	}
	for _, s := range j.task.Steps {
		if s.Do == procedure.Work && s.Work != target.Updates && s.Work != target.Enter &&
			!j.there(s.Work, t, f) {
			return target.Fail("not_verified", f.Active.Level().String(), s.String())
		}
	}
	return nil
}
