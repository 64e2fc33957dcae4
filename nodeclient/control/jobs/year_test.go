package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/jobs"
	"connecthub/scheduler/window"
)

const (
	days       = 400
	takes      = 20 * time.Minute // a download
	noLateness = time.Second
)

// zones are where 02:00 is odd, and where it is not: gaps and overlaps at, before and after it, by
// half an hour, by two hours, at midnight. With LONG=1 they are all that there are.
func zones() []string {
	if os.Getenv("LONG") == "1" {
		return window.ZoneNames()
	}
	return []string{"UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles",
		"America/St_Johns", "America/Havana", "America/Santiago", "America/Sao_Paulo", "America/Scoresbysund",
		"Africa/Cairo", "Africa/Casablanca", "Antarctica/Troll", "Asia/Beirut", "Asia/Kathmandu", "Asia/Tokyo",
		"Atlantic/Azores", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham"}
}

func load(t testing.TB, name string) window.Zone {
	t.Helper()
	zone, err := window.LoadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// begin is noon of the first day, on the zone's clock.
func begin(zone window.Zone) time.Time {
	return time.Date(2026, 1, 1, 12, 0, 0, 0, zone.Location())
}

// nights are the instants of 02:00 on each of the days after the first, found by looking at the clock
// every 15 minutes, which all offsets and jumps of these years are multiples of: the first instant that shows it, or where none does, when it would have been
// without the jump.
func nights(zone window.Zone, n int) []time.Time {
	var all []time.Time
	loc, at := zone.Location(), begin(zone)
	for day := at.AddDate(0, 0, 1); len(all) < n; day = day.AddDate(0, 0, 1) {
		y, m, d := day.Date()
		var last time.Time
		paper := time.Date(y, m, d, 2, 0, 0, 0, time.UTC)
		for u := paper.Add(-15 * time.Hour); ; u = u.Add(15 * time.Minute) {
			local := u.In(loc)
			shows := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), 0, 0, time.UTC)
			if shows.Equal(paper) {
				all = append(all, u)
				break
			}
			if shows.After(paper) { // it was jumped over
				_, offset := last.In(loc).Zone()
				all = append(all, paper.Add(-time.Duration(offset)*time.Second))
				break
			}
			last = u
		}
	}
	return all
}

// run is one download that was begun.
type run struct {
	due jobs.Due
	at  time.Time
}

// memory keeps what ran, for the many nights of a proof.
type memory struct {
	mu  sync.Mutex
	all map[jobs.Job]jobs.Ran
}

func (m *memory) Ran() (map[jobs.Job]jobs.Ran, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.all), nil
}

func (m *memory) Note(j jobs.Job, r jobs.Ran) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all[j] = r
	return nil
}

// node is a control node whose agent is started and killed under fake time.
type node struct {
	t       *testing.T
	dir     string
	zone    window.Zone
	decide  func(jobs.Moment) ([]jobs.Due, time.Time)
	records jobs.Records
	look    time.Duration

	mu      sync.Mutex
	runs    []run
	lives   [][2]time.Time
	others  int // of the other jobs
	met     int // orchestrations that were tried while a download ran
	refused int // and were refused, and admitted once it had ended
}

func (n *node) orchestration() error {
	hold, err := gate.Take(n.dir, gate.Orchestration, "utils patch-manager install", "ops", time.Now())
	if err == nil {
		hold.Release()
	}
	return err
}

// download is what the agent does: it holds the gate, and takes a while.
func (n *node) download() jobs.Task {
	return jobs.Task{
		Begin: func(context.Context) (func(), error) {
			hold, err := gate.Take(n.dir, gate.Download, "software download", "agent", time.Now())
			if err != nil {
				return nil, err
			}
			return hold.Release, nil
		},
		Run: func(ctx context.Context, d jobs.Due) (string, error) {
			err := n.orchestration()
			n.mu.Lock()
			n.runs = append(n.runs, run{d, time.Now()})
			n.met++
			if errors.Is(err, gate.ErrBusy) {
				n.refused++
			}
			n.mu.Unlock()
			select {
			case <-ctx.Done():
				return "", ctx.Err()
			case <-time.After(takes):
				return "3 files", nil
			}
		}}
}

// live runs the agent for a while.
func (n *node) live(during time.Duration) {
	ctx, cancel := context.WithCancel(n.t.Context())
	other := jobs.Task{Run: func(context.Context, jobs.Due) (string, error) {
		n.mu.Lock()
		n.others++
		n.mu.Unlock()
		return "", nil
	}}
	r := &jobs.Runner{Now: time.Now, Publisher: func() bool { return true },
		Schedule: func() (jobs.Schedule, error) { return jobs.In(n.zone), nil }, Records: n.records,
		Log: slog.New(slog.DiscardHandler), Look: n.look,
		Tasks: map[jobs.Job]jobs.Task{jobs.Rotate: other, jobs.Notify: other, jobs.Cache: other, jobs.Download: n.download()}}
	if n.decide != nil {
		r.Deciding(n.decide)
	}
	from, done := time.Now(), make(chan error)
	go func() { done <- r.Run(ctx) }()
	time.Sleep(during)
	cancel()
	if err := <-done; err != nil {
		n.t.Error(err)
	}
	n.lives = append(n.lives, [2]time.Time{from, time.Now()})
	if err := n.orchestration(); err != nil {
		n.t.Errorf("the gate is still held: %v", err)
	}
}

// verdict is what became of the nights and the restarts.
type verdict struct{ nights, missed, doubled, late, restarts, restartsMissed int }

// judge compares what ran with what should have.
func (n *node) judge(expected []time.Time) (v verdict) {
	bySlot := map[int64][]run{}
	for _, r := range n.runs {
		if !r.due.Slot.IsZero() {
			bySlot[r.due.Slot.Unix()] = append(bySlot[r.due.Slot.Unix()], r)
		}
	}
	for _, slot := range expected {
		ran := bySlot[slot.Unix()]
		v.doubled += max(0, len(ran)-1)
		delete(bySlot, slot.Unix())
		for i, life := range n.lives {
			// A download that an earlier start of the agent asked for may still be running then.
			if slot.Before(life[0]) || !slot.Add(takes).Before(life[1]) {
				continue
			}
			v.nights++
			switch {
			case len(ran) == 0:
				v.missed++
			case i == 0 && ran[0].at.Sub(slot) > noLateness, ran[0].at.Sub(slot) > takes:
				v.late++
			}
		}
	}
	for _, strange := range bySlot { // for a time that is none
		v.doubled += len(strange)
	}
	for _, life := range n.lives {
		if life[1].Sub(life[0]) <= jobs.AfterRestart {
			continue
		}
		v.restarts++
		first, asked := time.Duration(-1), 0
		for _, r := range n.runs {
			if r.at.Before(life[0]) || !r.at.Before(life[1]) {
				continue
			}
			if first < 0 {
				first = r.at.Sub(life[0])
			}
			if r.due.Restart {
				asked++
			}
		}
		if first < 0 || first > jobs.AfterRestart+noLateness {
			v.restartsMissed++
		}
		v.doubled += max(0, asked-1)
	}
	return v
}

func (v *verdict) add(w verdict) {
	v.nights += w.nights
	v.missed += w.missed
	v.doubled += w.doubled
	v.late += w.late
	v.restarts += w.restarts
	v.restartsMissed += w.restartsMissed
}

func (v verdict) wrong() int { return v.missed + v.doubled + v.late + v.restartsMissed }

// lived runs a node through n nights in a zone, killed and started again as often as restarts says.
func lived(t *testing.T, name string, n, restarts int, seed uint64,
	decide func(jobs.Moment) ([]jobs.Due, time.Time)) (v verdict, x *node) {
	t.Helper()
	zone := load(t, name)
	expected := nights(zone, n)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		x = &node{t: t, dir: dir, zone: zone, decide: decide, look: 6 * time.Hour,
			records: &memory{all: map[jobs.Job]jobs.Ran{}}}
		time.Sleep(time.Until(begin(zone)))
		end := expected[n-1].Add(12 * time.Hour)
		chance := rand.New(rand.NewPCG(seed, 1))
		for range restarts {
			// Killed about a night's time, away for up to three hours.
			night := expected[chance.IntN(len(expected))]
			kill := night.Add(time.Duration(chance.IntN(240)-120) * time.Minute / 2)
			if during := time.Until(kill); during > 0 && kill.Before(end) {
				x.live(during)
				time.Sleep(time.Duration(chance.IntN(180)) * time.Minute)
			} else {
				x.live(time.Duration(chance.IntN(30)) * time.Minute)
			}
		}
		if rest := time.Until(end); rest > 0 {
			x.live(rest)
		}
		v = x.judge(expected)
	})
	return v, x
}

// TestANightlyDownloadIsNeitherMissedNorDoubled is the figure of the issue: 400 nights in 20 zones.
func TestANightlyDownloadIsNeitherMissedNorDoubled(t *testing.T) {
	t.Parallel()
	var all, restarted verdict
	met, refused, others := 0, 0, 0
	for i, name := range zones() {
		v, x := lived(t, name, days, 0, 0, nil)
		all.add(v)
		met, refused, others = met+x.met, refused+x.refused, others+x.others
		if v.wrong() > 0 || v.nights != days || x.others != 3*days+1 { // and the rotation that an agent makes up for
			t.Errorf("%s: %+v, other jobs %d", name, v, x.others)
		}
		v, x = lived(t, name, days, 60, uint64(i), nil)
		restarted.add(v)
		met, refused = met+x.met, refused+x.refused
		if v.wrong() > 0 || v.restarts < 20 {
			t.Errorf("%s with restarts: %+v", name, v)
		}
	}
	if met != refused {
		t.Errorf("%d of %d orchestrations met a download", met-refused, met)
	}
	caught := 0
	for what, mutant := range mutants(t) {
		if v, _ := lived(t, "Europe/Berlin", days, 20, 7, mutant); v.wrong() == 0 {
			t.Errorf("the mutant %q was not found", what)
		} else {
			caught++
		}
	}
	if !t.Failed() {
		fmt.Printf("proof 4.4 tried=%d failed=%d days=%d zones=%d missed=%d doubled=%d late=%d restarts=%d "+
			"restarts_missed=%d orchestrations_met=%d refused=%d other_jobs=%d mutants_caught=%d/%d\n", all.nights+restarted.nights,
			all.wrong()+restarted.wrong(), days, len(zones()), all.missed+restarted.missed, all.doubled+restarted.doubled,
			all.late+restarted.late, restarted.restarts, restarted.restartsMissed, met, refused, others, caught, len(mutants(t)))
	}
}

// mutants are deciding wrongly: by a clock that never jumps, without memory for long, without a
// restart's download, and with a pulse of 24 hours.
func mutants(t *testing.T) map[string]func(jobs.Moment) ([]jobs.Due, time.Time) {
	t.Helper()
	winter := load(t, "Etc/GMT-1")
	forget := func(m jobs.Moment, change func(*jobs.Ran)) ([]jobs.Due, time.Time) {
		r := m.Ran[jobs.Download]
		change(&r)
		m.Ran = maps.Clone(m.Ran)
		m.Ran[jobs.Download] = r
		return jobs.Decide(m)
	}
	return map[string]func(jobs.Moment) ([]jobs.Due, time.Time){
		"a clock without summer": func(m jobs.Moment) ([]jobs.Due, time.Time) {
			m.Schedule.Zone = winter
			return jobs.Decide(m)
		},
		"memory of three hours": func(m jobs.Moment) ([]jobs.Due, time.Time) {
			return forget(m, func(r *jobs.Ran) {
				if m.Now.Sub(r.Started) > 3*time.Hour {
					r.Slot = time.Time{}
				}
			})
		},
		"no download after a restart": func(m jobs.Moment) ([]jobs.Due, time.Time) {
			return forget(m, func(r *jobs.Ran) { r.Started = m.Now })
		},
		"every 24 hours": func(m jobs.Moment) ([]jobs.Due, time.Time) {
			due, wake := jobs.Decide(m)
			for i, d := range due {
				if last := m.Ran[jobs.Download].Slot; d.Job == jobs.Download && !d.Slot.IsZero() && !last.IsZero() &&
					m.Now.Sub(last) < 24*time.Hour {
					due[i].Slot = time.Time{}
					return append(due[:i], due[i+1:]...), wake
				}
			}
			return due, wake
		},
	}
}
