package scheduler_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"connecthub/scheduler"
)

func always(context.Context, string) (bool, error) { return true, nil }

// runFor runs the jobs for a span of the bubble's time and returns when all has ended.
func runFor(t *testing.T, span time.Duration, lease scheduler.Lease, jobs ...scheduler.Job) {
	t.Helper()
	s, err := scheduler.New(slog.New(slog.DiscardHandler), lease, jobs...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestAJobRunsAtEachOfItsIntervals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		runFor(t, 10*time.Minute+time.Second, always, scheduler.Job{Name: "count",
			Every: time.Minute, Do: func(context.Context) error { runs.Add(1); return nil }})
		if got := runs.Load(); got != 10 {
			t.Errorf("%d runs in ten minutes", got)
		}
	})
}

func TestAJobNeverRunsTwiceAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most, runs atomic.Int64
		runFor(t, time.Minute+time.Second, always, scheduler.Job{Name: "slow", Every: time.Second,
			Do: func(context.Context) error {
				most.Store(max(most.Load(), now.Add(1)))
				runs.Add(1)
				time.Sleep(2500 * time.Millisecond)
				now.Add(-1)
				return nil
			}})
		if most.Load() != 1 || runs.Load() < 15 {
			t.Errorf("%d at once, %d runs", most.Load(), runs.Load())
		}
	})
}

func TestAJobThatPanicsOrFailsComesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		runFor(t, 6*time.Second+time.Millisecond, always, scheduler.Job{Name: "bad",
			Every: time.Second, Do: func(context.Context) error {
				if runs.Add(1)%2 == 0 {
					return errors.New("broken")
				}
				panic("worse")
			}})
		if got := runs.Load(); got != 6 {
			t.Errorf("%d runs in six seconds", got)
		}
	})
}

func TestOnlyTheHolderOfTheLeaseRunsAJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var led, everywhere atomic.Int64
		lease := func(_ context.Context, job string) (bool, error) {
			if job != "led" {
				t.Errorf("asked for a lease on %q", job)
			}
			return false, nil
		}
		runFor(t, 5*time.Second, lease,
			scheduler.Job{Name: "led", Every: time.Second,
				Do: func(context.Context) error { led.Add(1); return nil }},
			scheduler.Job{Name: "own", Every: time.Second, Everywhere: true,
				Do: func(context.Context) error { everywhere.Add(1); return nil }})
		if led.Load() != 0 || everywhere.Load() == 0 {
			t.Errorf("led %d, everywhere %d", led.Load(), everywhere.Load())
		}
	})
}

func TestRunReturnsOnlyWhenTheLastJobHasEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		runFor(t, 1500*time.Millisecond, always, scheduler.Job{Name: "long", Every: time.Second,
			Do: func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Second) // it tidies up
				ended.Store(true)
				return ctx.Err()
			}})
		if !ended.Load() {
			t.Error("Run returned while a job was running")
		}
	})
}

func TestAJobThatCannotBeMeantIsRefused(t *testing.T) {
	t.Parallel()
	do := func(context.Context) error { return nil }
	for name, jobs := range map[string][]scheduler.Job{
		"no name":         {{Every: time.Second, Do: do}},
		"a name twice":    {{Name: "a", Every: time.Second, Do: do}, {Name: "a", Every: time.Second, Do: do}},
		"no interval":     {{Name: "a", Do: do}},
		"half a second":   {{Name: "a", Every: 500 * time.Millisecond, Do: do}},
		"a broken second": {{Name: "a", Every: 1500 * time.Millisecond, Do: do}},
		"nothing to do":   {{Name: "a", Every: time.Second}},
	} {
		if _, err := scheduler.New(slog.New(slog.DiscardHandler), always, jobs...); !errors.Is(err, scheduler.ErrJob) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
