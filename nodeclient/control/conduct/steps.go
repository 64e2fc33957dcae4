package conduct

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/target"
)

// maxTries is how often a machine that serves is asked whether it has what it was to have.
const maxTries = 30

// mayDisturb asks the machine itself and every other one of its pair or cluster. One that this procedure
// has drained serves again where it may not be disturbed any more.
func (j *job) mayDisturb(ctx context.Context, t procedure.TaskState) (target.Facts, error) {
	f, err := j.facts(ctx, j.m)
	if err != nil {
		return f, err
	}
	err = j.peersAllow(ctx, f)
	if err == nil || !f.Maintenance || !j.drained(t) {
		return f, err
	}
	return f, j.undrain(ctx, t, err)
}

// undrain brings a machine back that was drained and may not be disturbed any more. What kept it from that
// is final: it is drained again before anything else is done to it.
func (j *job) undrain(ctx context.Context, t procedure.TaskState, why error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errLate) {
		return cause
	}
	leave := procedure.Step{Do: procedure.Work, Work: target.Leave}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), j.plan.Limits.Of(leave))
	defer cancel()
	w := target.Work{ID: j.aside(t, 2), Kind: target.Leave}
	if err := j.retry(ctx, func() error {
		_, err := j.m.Do(ctx, w)
		return err
	}); err != nil {
		j.Log.Error("a machine cannot leave maintenance", "machine", j.task.Name, "error", err)
	}
	return &target.Failure{Reason: target.Explain(why)}
}

// drained says whether this procedure has put the machine into maintenance, or has begun to.
func (j *job) drained(t procedure.TaskState) bool {
	steps := j.task.Steps[:t.Step]
	if t.Begun {
		steps = j.task.Steps[:t.Step+1]
	}
	return j.plan.Drain && slices.Contains(steps, procedure.Step{Do: procedure.Work, Work: target.Enter})
}

// aside names an operation that is no step of the plan.
func (j *job) aside(t procedure.TaskState, nth int) string {
	return j.plan.Operation(j.i, nth*len(j.task.Steps)+t.Step, t.Attempt)
}

// peersAllow asks the others: each must be left alone by everybody, and serve. Only where this machine is
// down itself, one that is merely down, too, does not keep it from being repaired.
func (j *job) peersAllow(ctx context.Context, f target.Facts) error {
	repair := !f.Serving && !f.Maintenance
	for _, p := range j.task.Peers {
		if err := j.allows(ctx, p, repair); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) allows(ctx context.Context, p procedure.Host, repair bool) error {
	m, err := j.machine(p)
	if err != nil {
		return err
	}
	f, err := j.facts(ctx, m)
	switch {
	case err != nil:
		return &target.Obstacle{Err: err, Reason: target.Because("peer_away", j.task.Name, p.Group, p.Name,
			target.Explain(err).Inner())}
	case f.Running != "":
		return target.Fail("peer_busy", j.task.Name, p.Name, f.Running)
	case f.Maintenance:
		return target.Fail("peer_in_maintenance", j.task.Name, p.Name)
	case !f.Serving && !repair:
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
	case slices.ContainsFunc(j.task.Steps, j.disturbs):
		return found, j.peersAllow(ctx, f)
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
// boot any more in which it was asked.
func (j *job) restart(ctx context.Context, t procedure.TaskState, f target.Facts) error {
	if f.Boot != t.Boot || !t.Wants && !f.RestartNeeded {
		return nil
	}
	return j.reboot(ctx, target.Work{ID: j.plan.Operation(j.i, t.Step, t.Attempt), Kind: target.Restart,
		Boot: t.Boot})
}

// afresh restarts a machine that wants it after a failed try, before the next one, and waits until it
// serves.
func (j *job) afresh(ctx context.Context, t procedure.TaskState, f target.Facts) error {
	if err := j.reboot(ctx, target.Work{ID: j.aside(t, 1), Kind: target.Restart, Boot: f.Boot}); err != nil {
		return err
	}
	for {
		f, err := j.facts(ctx, j.m)
		if err != nil || f.Serving {
			return err
		}
		if !sleep(ctx, j.pause()) {
			return target.Fail("not_serving", f.Trouble)
		}
	}
}

// reboot ends when the machine answers from another boot.
func (j *job) reboot(ctx context.Context, w target.Work) error {
	for {
		_, err := j.m.Do(ctx, w)
		if err != nil && !isAway(err) {
			return err
		}
		f, err := j.facts(ctx, j.m)
		if err != nil {
			return err
		}
		if f.Boot != w.Boot {
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
