package jobs

import (
	"time"

	"connecthub/nodeclient/control/settings"
)

const (
	// AfterRestart is how long after the start of the agent software is downloaded.
	AfterRestart = 10 * time.Minute

	lookBack = 49 * time.Hour // a zone may skip a civil day
	nonsense = 48 * time.Hour // a run so far ahead was noted under a wrong clock
)

// Ran is what is kept of a job's last run.
type Ran struct {
	Slot    time.Time `json:"slot,omitzero"` // the time of its schedule that it ran for; zero: only by hand
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	Outcome Outcome   `json:"outcome"`
	Detail  string    `json:"detail,omitempty"`
}

// Outcome is how a run ended.
type Outcome string

// The outcomes.
const (
	Running Outcome = "running" // or cut off, where no process runs it any more
	Done    Outcome = "done"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped"
)

// Moment is all that is looked at.
type Moment struct {
	Now       time.Time
	Since     time.Time // when the agent started
	Publisher bool
	Schedule  Schedule
	Ran       map[Job]Ran
}

// Due is a run that is to begin now.
type Due struct {
	Job     Job
	Slot    time.Time // zero where it is not the schedule that asks
	Restart bool      // the agent was restarted AfterRestart ago
}

// Decide answers what is to begin now, and the next instant at which that can change by time alone.
//
// A time of the schedule is run for once: it is noted before the run begins. Of several that have
// passed while nobody could look, the last one counts.
func Decide(m Moment) (due []Due, wake time.Time) {
	for _, j := range All() {
		if j.PublisherOnly() && !m.Publisher {
			continue
		}
		d, any := m.decide(j)
		if any {
			due = append(due, d)
		}
		next := m.Schedule.Next(j, m.Now)
		if after := m.Since.Add(AfterRestart); j == Download && m.restart(j) && after.After(m.Now) &&
			after.Before(next) {
			next = after
		}
		if wake.IsZero() || next.Before(wake) {
			wake = next
		}
	}
	return due, wake
}

func (m Moment) decide(j Job) (Due, bool) {
	d := Due{Job: j}
	if slot := m.last(j); !slot.IsZero() && slot.After(m.ran(j).Slot) && m.counts(j, slot) {
		d.Slot = slot
	}
	d.Restart = j == Download && m.restart(j) && m.Now.Sub(m.Since) >= AfterRestart
	return d, d.Restart || !d.Slot.IsZero()
}

// ran forgets what was noted while the clock was far ahead: else nothing would run until then.
func (m Moment) ran(j Job) Ran {
	r := m.Ran[j]
	if r.Slot.Sub(m.Now) > nonsense {
		r.Slot = time.Time{}
	}
	if r.Started.Sub(m.Now) > nonsense {
		r.Started = time.Time{}
	}
	return r
}

// last is the latest time of the schedule that has come.
func (m Moment) last(j Job) time.Time {
	var slot time.Time
	rule := m.Schedule.rule(j)
	for next := rule.Next(m.Now.Add(-lookBack)).Start; !next.IsZero() && !next.After(m.Now); {
		slot = next
		next = rule.Next(next.Add(1)).Start
	}
	return slot
}

// counts says whether a time of the schedule was one when it came, and is not too long ago.
func (m Moment) counts(j Job, slot time.Time) bool {
	return !slot.Before(m.Schedule.since[j]) &&
		(!slot.Before(m.Since) || m.Now.Sub(slot) < j.facts().late)
}

// restart says whether nothing was downloaded since the agent started.
func (m Moment) restart(j Job) bool { return m.ran(j).Started.Before(m.Since) }

// Records keeps what ran.
type Records interface {
	// Ran answers the last run of each job.
	Ran() (map[Job]Ran, error)
	// Note replaces what is kept of one job.
	Note(j Job, r Ran) error
}

// Disk keeps what ran in a node's folder.
type Disk struct{ store *settings.Store }

// OnDisk are the records of a node's folder.
func OnDisk(store *settings.Store) Disk { return Disk{store} }

// Ran is Records'.
func (d Disk) Ran() (map[Job]Ran, error) {
	all, _, err := settings.Read[map[Job]Ran](d.store, settings.JobsRan)
	return all, err
}

// Note is Records'.
func (d Disk) Note(j Job, r Ran) error {
	_, err := settings.Update(d.store, settings.JobsRan, "", func(all *map[Job]Ran) error {
		if *all == nil {
			*all = map[Job]Ran{}
		}
		(*all)[j] = r
		return nil
	})
	return err
}
