package conduct

import (
	"context"
	"errors"
	"slices"
	"time"

	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/target"
)

const (
	firstPause = time.Second
	longPause  = 5 * time.Second
	noteEvery  = 5 * time.Second
)

// errFailed says that the failure is in the journal.
var errFailed = errors.New("the machine failed")

// job is one machine's way through its steps.
type job struct {
	*Conductor
	i    int
	plan procedure.Plan
	task procedure.Task
	m    target.Machine
}

func (c *Conductor) task(ctx context.Context, i int) error {
	s := c.Journal.State()
	j := &job{Conductor: c, i: i, plan: s.Plan, task: s.Plan.Tasks[i]}
	var err error
	if j.m, err = c.machine(j.task.Host); err != nil {
		return j.fail(ctx, s.Tasks[i].Step, err)
	}
	defer func() {
		for _, h := range append(slices.Clone(j.task.Peers), j.task.Host) {
			c.release(h) // nobody else of the unit is worked on meanwhile
		}
	}()
	for {
		t := c.Journal.State().Tasks[i]
		if t.Status == procedure.Done {
			return nil
		}
		if err := j.step(ctx, t); err != nil {
			return err
		}
	}
}

// step does one step: written down before and after. What was under way when this process last ended is
// asked about first.
func (j *job) step(ctx context.Context, t procedure.TaskState) error {
	step, again := j.task.Steps[t.Step], t.Begun
	ctx, cancel := context.WithTimeoutCause(ctx, j.plan.Limits.Of(step), errLate)
	defer cancel()
	begun := procedure.Event{At: j.Now(), What: procedure.Begun, Task: j.i, Step: t.Step}
	disturbs, err := j.willDisturb(ctx, step, t)
	if err == nil && disturbs && j.Turn != nil {
		err = j.Turn(ctx)
	}
	if err != nil {
		return j.fail(ctx, t.Step, err)
	}
	var f target.Facts
	if disturbs {
		if f, err = j.mayDisturb(ctx, t); err != nil {
			return j.fail(ctx, t.Step, err)
		}
		begun.Boot, begun.Disturbs = j.boot(step, t, f), !j.disturbs(step)
	}
	s, err := j.Journal.Add(begun)
	if errors.Is(err, procedure.ErrOrder) && disturbs {
		return errFailed // another machine failed meanwhile: this one is left as it is
	}
	if err != nil {
		return err
	}
	done, err := j.do(ctx, step, s.Tasks[j.i], f, again)
	if err != nil {
		return j.fail(ctx, t.Step, err)
	}
	done.At, done.What, done.Task, done.Step = j.Now(), procedure.Finished, j.i, t.Step
	_, err = j.Journal.Add(done)
	return err
}

// willDisturb says whether a step may stop the machine from serving: also one that usually does not, where
// a machine wants a restart after a failed try.
func (j *job) willDisturb(ctx context.Context, step procedure.Step, t procedure.TaskState) (bool, error) {
	if j.disturbs(step) || !j.triedBefore(step, t) {
		return j.disturbs(step), nil
	}
	f, err := j.facts(ctx, j.m)
	return f.RestartNeeded, err
}

// triedBefore says whether a step may find the machine as a failed try left it. Only VOS machines have to
// be restarted then before they do anything else.
func (j *job) triedBefore(step procedure.Step, t procedure.TaskState) bool {
	return t.Attempt > 1 && j.task.Product.VOS() && step.Do == procedure.Work
}

// boot is the one from which a restart is told: that in which the work before it was done, unless the
// machine asks for one now.
func (j *job) boot(step procedure.Step, t procedure.TaskState, f target.Facts) string {
	done := (t.Begun || t.Back) && j.there(step.Work, t, f)
	if step.Do == procedure.Restart {
		done = t.Begun || !f.RestartNeeded
	}
	if t.Boot != "" && done {
		return t.Boot
	}
	return f.Boot
}

var errLate = errors.New("it did not end in time")

// fail writes a failure down, unless it is this process that is to end.
func (j *job) fail(ctx context.Context, step int, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errLate) {
		return cause
	}
	why := target.Explain(err)
	var said *target.Failure
	e := procedure.Event{At: j.Now(), What: procedure.Broke, Task: j.i, Step: step, Final: errors.As(err, &said)}
	var other *target.Obstacle
	if !e.Final && !errors.As(err, &other) && errors.Is(context.Cause(ctx), errLate) {
		why = target.Because("timeout", why.Inner())
	}
	e.Code, e.About, e.Detail = why.Code, why.About, why.Say("en", err.Error())
	j.Log.Error("a machine failed", "machine", j.task.Name, "step", j.task.Steps[step], "error", err)
	if _, err := j.Journal.Add(e); err != nil {
		return err
	}
	return errFailed
}

// do does it; f is what the machine said just before, where the step disturbs it.
func (j *job) do(ctx context.Context, step procedure.Step, t procedure.TaskState, f target.Facts,
	again bool) (procedure.Event, error) {
	switch step.Do {
	case procedure.Check:
		return j.check(ctx)
	case procedure.Put:
		return procedure.Event{}, j.put(ctx)
	case procedure.Restart:
		return procedure.Event{}, j.restart(ctx, t, f)
	case procedure.Verify:
		return j.verify(ctx, t)
	case procedure.Work:
	}
	if t.Back { // another try: ask before anything is done a second time
		if found, e, err := j.found(ctx, step.Work, t, again); found || err != nil {
			return e, err
		}
	}
	if f.RestartNeeded && j.triedBefore(step, t) {
		if err := j.afresh(ctx, t, f); err != nil {
			return procedure.Event{}, err
		}
	}
	var o target.Outcome
	w := j.work(step.Work, t)
	err := j.retry(ctx, func() (err error) {
		o, err = j.m.Do(ctx, w)
		return err
	})
	if again && forgotten(err) { // the same operation answers what became of it, unless that is lost
		if found, e, err := j.found(ctx, step.Work, t, true); found || err != nil {
			return e, err
		}
	}
	return procedure.Event{Wants: o.Restart, Detail: o.Detail}, err
}

// found says whether an operation's effect is to be seen without its outcome. Where that may have been to
// restart, and the machine was not restarted, it is.
func (j *job) found(ctx context.Context, k target.Kind, t procedure.TaskState, ran bool) (bool, procedure.Event,
	error) {
	f, err := j.facts(ctx, j.m)
	if err != nil || !j.there(k, t, f) {
		return false, procedure.Event{}, err
	}
	return true, procedure.Event{Wants: f.RestartNeeded || ran && f.Boot == t.Boot}, nil
}

func forgotten(err error) bool {
	var failed *target.Failure
	return errors.As(err, &failed) && (failed.Code == "lost" || failed.Code == "unknown")
}

func (j *job) work(k target.Kind, t procedure.TaskState) target.Work {
	w := target.Work{ID: j.plan.Operation(j.i, t.Step, t.Attempt), Kind: k}
	switch k {
	case target.Patch, target.Install:
		w.File, w.Version, w.Active = j.task.File, j.task.To, t.From
	case target.Unpatch:
		w.Version, w.Active = t.From, t.From
	case target.Back:
		w.Version, w.Active = j.task.To, t.From
	case target.Switch:
		w.Version, w.Active = j.task.To, t.From
	case target.RemoveUpdate:
		w.KB = j.plan.KB
	case target.Enter:
		w.Reason = j.plan.Reason
	case target.Restart, target.Updates, target.Leave, target.Services:
	}
	return w
}

// there says whether an operation's effect is to be seen already.
func (j *job) there(k target.Kind, t procedure.TaskState, f target.Facts) bool {
	level := f.Active.Level()
	switch k {
	case target.Patch:
		return level == j.task.To
	case target.Unpatch:
		return level != t.From && !slices.Contains(f.Active.Patches, t.From)
	case target.Install:
		if j.task.Product.VOS() {
			return f.Inactive != nil && f.Inactive.Level() == j.task.To || level == j.task.To
		}
		return level == j.task.To
	case target.Switch, target.Back:
		return !j.task.To.IsZero() && level == j.task.To || level != t.From
	case target.RemoveUpdate:
		return !slices.Contains(f.Updates, j.plan.KB)
	case target.Enter:
		return f.Maintenance
	case target.Leave:
		return !f.Maintenance
	case target.Services:
		return f.Serving
	case target.Updates, target.Restart:
	}
	return false
}

// facts asks until the machine answers or the step's time is over.
func (j *job) facts(ctx context.Context, m target.Machine) (f target.Facts, err error) {
	err = j.retry(ctx, func() error {
		f, err = m.Facts(ctx)
		return err
	})
	return f, err
}

// retry goes on asking a machine that is away. Whatever a machine says is final.
func (j *job) retry(ctx context.Context, call func() error) error {
	for waited := time.Duration(0); ; {
		err := call()
		if err == nil || !isAway(err) {
			return err
		}
		pause := min(max(j.pause(), waited/20), longPause)
		if !sleep(ctx, pause) {
			return err
		}
		waited += pause
	}
}

func (j *job) pause() time.Duration {
	if j.plan.Limits.Retry > 0 {
		return j.plan.Limits.Retry
	}
	return firstPause
}

func isAway(err error) bool { return errors.Is(err, target.ErrAway) }

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
