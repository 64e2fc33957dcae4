package jobs

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	look      = 30 * time.Second // how soon a changed schedule is followed
	breath    = time.Second      // between the end of a run and the next look, whatever is wrong
	maxDetail = 300
)

// Task is what a job does.
type Task struct {
	// Begin takes what the run needs for itself, a lock; where it cannot, the run is tried again soon.
	// May be nil.
	Begin func(ctx context.Context) (release func(), err error)
	// Run does it. It answers a sentence for the record; ErrSkip is no failure.
	Run func(ctx context.Context, d Due) (string, error)
}

// Runner begins jobs when they are due.
type Runner struct {
	Now       func() time.Time
	Publisher func() bool
	Schedule  func() (Schedule, error)
	Records   Records
	Tasks     map[Job]Task // a job without one is not run
	Log       *slog.Logger
	Look      time.Duration // zero: 30 seconds

	decide func(Moment) ([]Due, time.Time) // nil: Decide

	since  time.Time
	mu     sync.Mutex
	busy   map[Job]bool
	waits  map[Job]string // what a job waits for, so that it is said once
	ending chan struct{}
}

// Run works until ctx ends, and until what it began has ended.
func (r *Runner) Run(ctx context.Context) error {
	r.since, r.busy, r.waits = r.Now(), map[Job]bool{}, map[Job]string{}
	r.ending = make(chan struct{}, 1)
	if r.decide == nil {
		r.decide = Decide
	}
	every := r.Look
	if every <= 0 {
		every = look
	}
	var all sync.WaitGroup
	defer all.Wait()
	for ctx.Err() == nil {
		wait := every
		if wake := r.round(ctx, &all); !wake.IsZero() {
			wait = max(min(wait, wake.Sub(r.Now())), time.Millisecond)
		}
		r.pause(ctx, wait)
	}
	return nil
}

// pause ends early when a run has ended: its job may be due again.
func (r *Runner) pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-r.ending:
		timer.Reset(min(wait, breath))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
}

// round begins what is due and answers when to look again.
func (r *Runner) round(ctx context.Context, all *sync.WaitGroup) time.Time {
	schedule, err := r.Schedule()
	ran := map[Job]Ran(nil)
	if err == nil {
		ran, err = r.Records.Ran()
	}
	if err != nil {
		r.Log.Error("cannot look what is due", "error", err)
		return time.Time{}
	}
	due, wake := r.decide(Moment{Now: r.Now(), Since: r.since, Publisher: r.Publisher(),
		Schedule: schedule, Ran: ran})
	for _, d := range due {
		task, ok := r.Tasks[d.Job]
		if !ok || !r.take(d.Job) {
			continue
		}
		all.Go(func() {
			defer r.leave(d.Job)
			r.one(ctx, d, task, ran[d.Job])
		})
	}
	return wake
}

func (r *Runner) take(j Job) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[j] {
		return false
	}
	r.busy[j] = true
	return true
}

func (r *Runner) leave(j Job) {
	r.mu.Lock()
	r.busy[j] = false
	r.mu.Unlock()
}

// one runs one job. Its time is noted before: whatever happens then, it does not run twice for it.
func (r *Runner) one(ctx context.Context, d Due, task Task, before Ran) {
	if task.Begin != nil {
		release, err := task.Begin(ctx)
		if err != nil {
			r.waiting(d.Job, err.Error())
			return
		}
		defer release()
	}
	r.waiting(d.Job, "")
	ran := Ran{Slot: before.Slot, Started: r.Now().UTC(), Outcome: Running}
	if !d.Slot.IsZero() {
		ran.Slot = d.Slot.UTC()
	}
	if err := r.Records.Note(d.Job, ran); err != nil {
		r.Log.Error("cannot note a run; it is not begun", "job", d.Job, "error", err)
		return
	}
	r.Log.Info("begins", "job", d.Job, "scheduled", d.Slot, "restart", d.Restart)
	detail, err := task.Run(ctx, d)
	ran = ran.ended(r.Now(), detail, err)
	if err := r.Records.Note(d.Job, ran); err != nil {
		r.Log.Error("cannot note how a run ended", "job", d.Job, "error", err)
	}
	r.Log.Info("ended", "job", d.Job, "outcome", ran.Outcome, "detail", ran.Detail)
	select {
	case r.ending <- struct{}{}:
	default:
	}
}

// waiting says once what holds a job up.
func (r *Runner) waiting(j Job, what string) {
	r.mu.Lock()
	said := r.waits[j] == what
	r.waits[j] = what
	r.mu.Unlock()
	if !said && what != "" {
		r.Log.Info("waits", "job", j, "for", what)
	}
}

// ended is how a run came out.
func (r Ran) ended(now time.Time, detail string, err error) Ran {
	r.Ended, r.Outcome, r.Detail = now.UTC(), Done, detail
	switch {
	case errors.Is(err, ErrSkip):
		r.Outcome, r.Detail = Skipped, err.Error()
	case err != nil:
		r.Outcome, r.Detail = Failed, err.Error()
	}
	if len(r.Detail) > maxDetail {
		r.Detail = strings.ToValidUTF8(r.Detail[:maxDetail], "")
	}
	return r
}

// ByHand notes a run that a person asked for. The schedule's next time stays what it was, but nothing
// is owed to a restart any more.
func ByHand(records Records, j Job, now func() time.Time, run func() (string, error)) (string, error) {
	all, err := records.Ran()
	if err != nil {
		return "", err
	}
	ran := Ran{Slot: all[j].Slot, Started: now().UTC(), Outcome: Running}
	if err := records.Note(j, ran); err != nil {
		return "", err
	}
	detail, err := run()
	return detail, errors.Join(err, records.Note(j, ran.ended(now(), detail, err)))
}
