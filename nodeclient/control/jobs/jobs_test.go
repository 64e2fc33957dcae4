package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"connecthub/nodeclient/control/jobs"
	"connecthub/nodeclient/control/settings"
	"connecthub/scheduler/window"
)

func clock(hour, minute int) time.Time { return time.Date(2026, 11, 22, hour, minute, 0, 0, time.UTC) }

func due(m jobs.Moment) (all []jobs.Job) {
	found, _ := jobs.Decide(m)
	for _, d := range found {
		all = append(all, d.Job)
	}
	return all
}

func moment(t *testing.T, now, since time.Time) jobs.Moment {
	t.Helper()
	return jobs.Moment{Now: now, Since: since, Publisher: true, Schedule: jobs.In(load(t, "UTC")), Ran: map[jobs.Job]jobs.Ran{
		jobs.Download: {Started: since}, jobs.Rotate: {Slot: clock(0, 30)}, jobs.Notify: {Slot: clock(1, 0)}}}
}

func TestWhatIsDueIsDecidedByTheMomentAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what   string
		change func(m *jobs.Moment)
		want   []jobs.Job
	}{
		{"a minute before", func(m *jobs.Moment) { m.Now = clock(1, 59) }, nil},
		{"at its time", func(*jobs.Moment) {}, []jobs.Job{jobs.Download}},
		{"it has begun", func(m *jobs.Moment) { m.Ran[jobs.Download] = jobs.Ran{Slot: clock(2, 0), Started: m.Now} }, nil},
		{"the agent came later", func(m *jobs.Moment) {
			m.Now, m.Since = clock(2, 6), clock(2, 1)
			m.Ran[jobs.Download] = jobs.Ran{Started: clock(1, 0)}
		}, nil},
		{"ten minutes after", func(m *jobs.Moment) {
			m.Now, m.Since = clock(2, 11), clock(2, 1)
			m.Ran[jobs.Download] = jobs.Ran{Started: clock(1, 0)}
		}, []jobs.Job{jobs.Download}},
		{"a subscriber", func(m *jobs.Moment) { m.Publisher, m.Ran = false, nil }, []jobs.Job{jobs.Download}},
		{"held up for two hours", func(m *jobs.Moment) { m.Now = clock(4, 0) }, []jobs.Job{jobs.Download}},
		{"held up until the next job", func(m *jobs.Moment) { m.Now = clock(5, 0) }, []jobs.Job{jobs.Download, jobs.Cache}},
		{"the clock was in 2036", func(m *jobs.Moment) {
			m.Ran[jobs.Download] = jobs.Ran{Slot: clock(2, 0).AddDate(10, 0, 0), Started: m.Since}
		}, []jobs.Job{jobs.Download}},
		{"the clock went back an hour", func(m *jobs.Moment) {
			m.Now = clock(1, 30)
			m.Ran[jobs.Download] = jobs.Ran{Slot: clock(2, 0), Started: clock(2, 0)}
		}, nil},
		{"asleep for three days", func(m *jobs.Moment) { m.Now = clock(2, 30).AddDate(0, 0, 3) },
			[]jobs.Job{jobs.Rotate, jobs.Notify, jobs.Download, jobs.Cache}},
		{"a rotation is made up for, a mail is not", func(m *jobs.Moment) {
			m.Now, m.Since = clock(1, 31), clock(1, 30)
			m.Ran = map[jobs.Job]jobs.Ran{jobs.Download: {Started: clock(1, 30)}}
		}, []jobs.Job{jobs.Rotate}},
	} {
		m := moment(t, clock(2, 0), clock(0, 0))
		c.change(&m)
		if got := due(m); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

func TestAScheduleThatOverlapsAnEstimatedRunIsRefused(t *testing.T) {
	t.Parallel()
	store := settings.Open(t.TempDir(), time.Now)
	set := func(j jobs.Job, hour, minute int) error {
		return jobs.Set(store, "ops", j, window.TimeOfDay{Hour: hour, Minute: minute}, clock(12, 0))
	}
	for _, c := range []struct {
		job          jobs.Job
		hour, minute int
		other        jobs.Job
	}{{jobs.Download, 2, 1, jobs.Cache}, {jobs.Download, 22, 0, jobs.Rotate}, {jobs.Download, 1, 59, jobs.Notify},
		{jobs.Rotate, 0, 51, jobs.Notify}, {jobs.Rotate, 6, 59, jobs.Cache}, {jobs.Cache, 4, 59, jobs.Download},
		{jobs.Cache, 23, 0, jobs.Rotate}, {jobs.Notify, 0, 39, jobs.Rotate}} {
		var o *jobs.OverlapError
		if err := set(c.job, c.hour, c.minute); !errors.As(err, &o) || o.Other != c.other || o.Sentence("ja") == o.Sentence("en") {
			t.Errorf("%v: %v", c, err)
		}
	}
	for _, c := range []struct {
		job          jobs.Job
		hour, minute int
	}{{jobs.Download, 21, 30}, {jobs.Rotate, 0, 50}, {jobs.Cache, 7, 0}, {jobs.Download, 4, 0}} {
		if err := set(c.job, c.hour, c.minute); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
	s, err := jobs.Load(store, load(t, "UTC"))
	if err != nil || s.At(jobs.Download).String() != "04:00" || s.At(jobs.Notify).String() != "01:00" {
		t.Errorf("%v %v", s, err)
	}
	var o *jobs.OverlapError
	if err := jobs.Reset(store, "ops", []jobs.Job{jobs.Cache}, clock(13, 0)); !errors.As(err, &o) {
		t.Errorf("a default time overlaps: %v", err)
	}
	if err := jobs.Reset(store, "ops", jobs.All(), clock(13, 0)); err != nil {
		t.Error(err)
	}
	if s, err = jobs.Load(store, load(t, "UTC")); err != nil || s.At(jobs.Cache).String() != "05:00" {
		t.Errorf("%v %v", s, err)
	}
	// A time that was set at noon did not come in the morning.
	if got := due(jobs.Moment{Now: clock(13, 0), Since: clock(1, 30), Schedule: s,
		Ran: map[jobs.Job]jobs.Ran{jobs.Download: {Slot: clock(1, 0), Started: clock(1, 40)}}}); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestTheZoneIsTheMachinesOrASetting(t *testing.T) {
	t.Parallel()
	etc := t.TempDir()
	if got := jobs.MachineZone(etc).Name(); got != "Etc/UTC" {
		t.Error(got)
	}
	if err := os.WriteFile(filepath.Join(etc, "timezone"), []byte("Asia/Tokyo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := jobs.MachineZone(etc).Name(); got != "Asia/Tokyo" {
		t.Error(got)
	}
	if err := os.Symlink("../usr/share/zoneinfo/Europe/Berlin", filepath.Join(etc, "localtime")); err != nil {
		t.Fatal(err)
	}
	machine := jobs.MachineZone(etc)
	if machine.Name() != "Europe/Berlin" {
		t.Error(machine)
	}
	store := settings.Open(t.TempDir(), time.Now)
	if err := jobs.SetZone(store, "ops", "Mars/Olympus"); !errors.Is(err, window.ErrZone) {
		t.Error(err)
	}
	if err := jobs.SetZone(store, "ops", "America/New_York"); err != nil {
		t.Error(err)
	}
	s, err := jobs.Load(store, machine)
	if err != nil || !s.OwnZone || s.Zone.Name() != "America/New_York" ||
		!s.Next(jobs.Download, clock(0, 0)).Equal(clock(7, 0)) {
		t.Errorf("%v %v %v", s, err, s.Next(jobs.Download, clock(0, 0)))
	}
	if err := jobs.SetZone(store, "ops", ""); err != nil {
		t.Error(err)
	}
	if s, err = jobs.Load(store, machine); err != nil || s.OwnZone || !s.Next(jobs.Download, clock(0, 0)).Equal(clock(1, 0)) {
		t.Errorf("%v %v", s, err)
	}
}

func TestARunThatIsHeldUpBeginsWhenItCanAndOnlyOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	zone := load(t, "UTC")
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(clock(0, 0)))
		store := settings.Open(dir, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		free, begun := clock(3, 0), []time.Time{}
		r := &jobs.Runner{Now: time.Now, Publisher: func() bool { return false },
			Schedule: func() (jobs.Schedule, error) { return jobs.Load(store, zone) }, Records: jobs.OnDisk(store),
			Log: slog.New(slog.DiscardHandler), Tasks: map[jobs.Job]jobs.Task{jobs.Download: {
				Begin: func(context.Context) (func(), error) {
					if time.Now().Before(free) {
						return nil, errors.New("an upgrade is running")
					}
					return func() {}, nil
				},
				Run: func(context.Context, jobs.Due) (string, error) {
					begun = append(begun, time.Now())
					return "", []error{jobs.ErrSkip, errors.New("no way")}[len(begun)-1]
				}}}}
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(25 * time.Hour)
		all, err := jobs.OnDisk(store).Ran()
		if err != nil || len(begun) != 1 || begun[0].Sub(free) > time.Minute ||
			all[jobs.Download].Outcome != jobs.Skipped || !all[jobs.Download].Slot.Equal(clock(2, 0)) {
			t.Errorf("%v %v %v", begun, all, err)
		}
		if err := jobs.Set(store, "ops", jobs.Download, window.TimeOfDay{Hour: 1, Minute: 59}, time.Now()); err == nil {
			t.Error("an overlap was stored")
		}
		time.Sleep(2 * time.Hour)
		all, err = jobs.OnDisk(store).Ran()
		if err != nil || len(begun) != 2 || all[jobs.Download].Outcome != jobs.Failed || all[jobs.Download].Detail != "no way" {
			t.Errorf("%v %v %v", begun, all, err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
