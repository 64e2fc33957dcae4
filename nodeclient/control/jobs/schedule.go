// Package jobs is when a control node's daily jobs run: their schedules on the civil clock, what ran,
// what is due, and the loop that begins it. It does not know what the jobs do.
package jobs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connecthub/nodeclient/control/settings"
	"connecthub/scheduler/window"
)

// Job is one daily job.
type Job string

// The jobs.
const (
	Rotate   Job = "token-rotation"
	Notify   Job = "software-mail"
	Download Job = "software-download"
	Cache    Job = "deployment-cache"
)

// All lists the jobs in the order of their default times.
func All() []Job { return []Job{Rotate, Notify, Download, Cache} }

// facts are what does not change about a job.
type facts struct {
	title     string
	at        window.TimeOfDay
	estimate  time.Duration
	late      time.Duration // how long after its time it still runs when the agent was not there
	publisher bool          // runs on a publisher only
}

func (j Job) facts() facts {
	switch j {
	case Rotate:
		return facts{"Auto-rotate Artifactory Token", window.TimeOfDay{Minute: 30}, 10 * time.Minute,
			23 * time.Hour, true}
	case Notify:
		// A publisher that is not there at that time sends no mail.
		return facts{"Software Update Email Notification", window.TimeOfDay{Hour: 1}, time.Hour, 0, true}
	case Download:
		// Being late is what the download after a restart is for.
		return facts{"Software Download from Artifactory", window.TimeOfDay{Hour: 2}, 3 * time.Hour, 0,
			false}
	case Cache:
		return facts{"Deployment Cache Update", window.TimeOfDay{Hour: 5}, 2 * time.Hour, 2 * time.Hour,
			true}
	}
	return facts{}
}

// Title is how the commands call a job.
func (j Job) Title() string { return j.facts().title }

// Default is its time where nobody has set another.
func (j Job) Default() window.TimeOfDay { return j.facts().at }

// Estimate is how long a run may take; no other job may be scheduled within it.
func (j Job) Estimate() time.Duration { return j.facts().estimate }

// PublisherOnly says whether the job runs on a publisher only.
func (j Job) PublisherOnly() bool { return j.facts().publisher }

// Find knows a job by its name.
func Find(name string) (Job, bool) {
	return Job(name), slices.Contains(All(), Job(name))
}

// entry is one job's schedule as it is stored. A time that was changed counts from then on.
type entry struct {
	At    string    `json:"at"`
	Since time.Time `json:"since"`
}

type stored struct {
	Zone string        `json:"zone,omitempty"`
	Jobs map[Job]entry `json:"jobs,omitempty"`
}

// Schedule is when each job runs on this node.
type Schedule struct {
	Zone    window.Zone // whose clock counts
	OwnZone bool        // the zone was set; else it is the machine's
	at      map[Job]window.TimeOfDay
	since   map[Job]time.Time
}

// At is a job's time.
func (s Schedule) At(j Job) window.TimeOfDay {
	if t, ok := s.at[j]; ok {
		return t
	}
	return j.Default()
}

// Next is the first run of a job after now.
func (s Schedule) Next(j Job, now time.Time) time.Time { return s.rule(j).Next(now.Add(1)).Start }

func (s Schedule) rule(j Job) window.Rule {
	return window.Rule{Time: s.At(j), Days: window.Daily, Zone: s.Zone, Length: window.MinLength}
}

// Load answers the schedule of a node. machine is the machine's zone.
func Load(store *settings.Store, machine window.Zone) (Schedule, error) {
	v, _, err := settings.Read[stored](store, settings.Schedules)
	if err != nil {
		return Schedule{}, err
	}
	return v.schedule(machine)
}

func (v stored) schedule(machine window.Zone) (Schedule, error) {
	s := Schedule{Zone: machine, at: map[Job]window.TimeOfDay{}, since: map[Job]time.Time{}}
	if v.Zone != "" {
		zone, err := window.LoadZone(v.Zone)
		if err != nil {
			return Schedule{}, fmt.Errorf("cannot use the schedule: %w", err)
		}
		s.Zone, s.OwnZone = zone, true
	}
	for j, e := range v.Jobs {
		at, err := window.ParseTimeOfDay(e.At)
		if _, known := Find(string(j)); !known || err != nil {
			return Schedule{}, fmt.Errorf("cannot use the schedule of %q at %.16q", j, e.At)
		}
		s.at[j], s.since[j] = at, e.Since
	}
	return s, nil
}

// OverlapError refuses a time at which another job is likely to run.
type OverlapError struct{ Job, Other Job }

// Error is the English sentence.
func (o *OverlapError) Error() string { return o.Sentence("en") }

// Sentence answers in "ja" or English.
func (o *OverlapError) Sentence(language string) string {
	if language == "ja" {
		return fmt.Sprintf("スケジュール「%s」は「%s」の予想実行時間と重なるため、設定できません。",
			o.Job.Title(), o.Other.Title())
	}
	return fmt.Sprintf("The schedule of %q overlaps the estimated run of %q; nothing was changed.",
		o.Job.Title(), o.Other.Title())
}

// overlap looks for two jobs that would run at one time of the day.
func (s Schedule) overlap(j Job) error {
	const day = 24 * 60
	minutes := func(t window.TimeOfDay) int { return t.Hour*60 + t.Minute }
	for _, other := range All() {
		if other == j {
			continue
		}
		mine, its := minutes(s.At(j)), minutes(s.At(other))
		if (its-mine+day)%day < int(j.Estimate().Minutes()) ||
			(mine-its+day)%day < int(other.Estimate().Minutes()) {
			return &OverlapError{j, other}
		}
	}
	return nil
}

// Set changes a job's time, from now on.
func Set(store *settings.Store, by string, j Job, at window.TimeOfDay, now time.Time) error {
	return change(store, by, func(v *stored) error {
		s, err := v.schedule(window.Zone{})
		if err != nil {
			return err
		}
		if s.At(j) == at {
			return nil
		}
		s.at[j] = at
		if err := s.overlap(j); err != nil {
			return err
		}
		if v.Jobs == nil {
			v.Jobs = map[Job]entry{}
		}
		v.Jobs[j] = entry{At: at.String(), Since: now.UTC()}
		return nil
	})
}

// Reset gives jobs their default times back, all at once.
func Reset(store *settings.Store, by string, which []Job, now time.Time) error {
	return change(store, by, func(v *stored) error {
		s, err := v.schedule(window.Zone{})
		if err != nil {
			return err
		}
		for _, j := range which {
			if s.At(j) != j.Default() {
				s.at[j] = j.Default()
				v.Jobs[j] = entry{At: j.Default().String(), Since: now.UTC()}
			}
		}
		for _, j := range which {
			if err := s.overlap(j); err != nil {
				return err
			}
		}
		return nil
	})
}

// SetZone says whose clock counts; an empty name is the machine's.
func SetZone(store *settings.Store, by, name string) error {
	if name != "" {
		if _, err := window.LoadZone(name); err != nil {
			return err
		}
	}
	return change(store, by, func(v *stored) error { v.Zone = name; return nil })
}

func change(store *settings.Store, by string, f func(*stored) error) error {
	_, err := settings.Update(store, settings.Schedules, by, f)
	return err
}

// MachineZone is the zone of the machine's clock by what stands in a folder such as /etc. Where that is
// no zone that is known, it is UTC.
func MachineZone(etc string) window.Zone {
	var names []string
	if target, err := os.Readlink(filepath.Join(etc, "localtime")); err == nil {
		if _, name, ok := strings.Cut(target, "zoneinfo/"); ok {
			names = append(names, name)
		}
	}
	if text, err := os.ReadFile(filepath.Join(etc, "timezone")); err == nil && len(text) < 256 {
		names = append(names, strings.TrimSpace(string(text)))
	}
	for _, name := range append(names, "Etc/UTC", "UTC") {
		if zone, err := window.LoadZone(name); err == nil {
			return zone
		}
	}
	return window.Zone{}
}

// ErrSkip is what a job ends with that had nothing to do.
var ErrSkip = errors.New("nothing to do")
