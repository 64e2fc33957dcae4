// Package scheduler is the pulse of the hub: named jobs at fixed intervals, on one replica at a
// time. It knows no local time and nothing of what its jobs do; when an upgrade may start is the
// business of scheduler/window alone.
package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/robfig/cron/v3"
)

// ErrJob is the refusal of a job that could not run as it is described.
var ErrJob = errors.New("a job needs a name of its own, whole seconds and something to do")

// Job is one thing to do again and again.
type Job struct {
	Name  string
	Every time.Duration // whole seconds
	// Everywhere: on each replica, lease or not, because it is about the replica's own memory.
	Everywhere bool
	Do         func(ctx context.Context) error
}

// Lease says whether this replica may run the job now. Nobody else may while it holds.
type Lease func(ctx context.Context, job string) (bool, error)

// Scheduler runs jobs until it is told to end.
type Scheduler struct {
	log   *slog.Logger
	lease Lease
	jobs  []Job
}

// New refuses a job without a name of its own, an interval in whole seconds or something to do. It
// starts nothing.
func New(log *slog.Logger, lease Lease, jobs ...Job) (*Scheduler, error) {
	named := make(map[string]bool, len(jobs))
	for _, j := range jobs {
		if j.Name == "" || named[j.Name] || j.Every < time.Second || j.Every%time.Second != 0 ||
			j.Do == nil {
			return nil, fmt.Errorf("cannot schedule job %q: %w", j.Name, ErrJob)
		}
		named[j.Name] = true
	}
	return &Scheduler{log: log, lease: lease, jobs: jobs}, nil
}

// Run runs every job at its interval, never twice at once, until ctx ends; it returns when the
// last job that was running has. A job that fails or panics is logged and comes again.
func (s *Scheduler) Run(ctx context.Context) error {
	logger := cronLog{s.log}
	pulse := cron.New(cron.WithLocation(time.UTC), cron.WithLogger(logger))
	for _, j := range s.jobs {
		// Recover stays inside: a panic that passed SkipIfStillRunning would leave the job marked
		// as running for ever.
		chain := cron.NewChain(cron.SkipIfStillRunning(logger), cron.Recover(logger))
		pulse.Schedule(cron.Every(j.Every), chain.Then(cron.FuncJob(func() { s.run(ctx, j) })))
	}
	pulse.Start()
	<-ctx.Done()
	<-pulse.Stop().Done()
	return nil
}

// run gives a job at most as long as nine of its intervals, so that one that hangs is seen.
func (s *Scheduler) run(ctx context.Context, j Job) {
	if ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, max(time.Minute, 9*j.Every))
	defer cancel()
	if !j.Everywhere {
		mine, err := s.lease(ctx, j.Name)
		if err != nil && ctx.Err() == nil {
			s.log.Warn("cannot ask for the lease", "job", j.Name, "error", err)
		}
		if err != nil || !mine {
			return
		}
	}
	if err := j.Do(ctx); err != nil && !errors.Is(err, context.Canceled) {
		s.log.Error("job failed", "job", j.Name, "error", err)
	}
}

// cronLog writes cron's own messages to the hub's log; its every heartbeat is none of them.
type cronLog struct{ log *slog.Logger }

func (l cronLog) Info(msg string, keysAndValues ...any) {
	l.log.Debug("cron: "+msg, keysAndValues...)
}

func (l cronLog) Error(err error, msg string, keysAndValues ...any) {
	l.log.Error("cron: "+msg, append(keysAndValues, "error", err)...)
}
