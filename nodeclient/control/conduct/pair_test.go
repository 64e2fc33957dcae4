package conduct_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/conduct"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/target"
)

// script is a machine of a few lines: what it says, and what an operation does to it.
type script struct {
	mu   sync.Mutex
	f    target.Facts
	done []string
	ops  map[string]func() (target.Outcome, error) // by id: what it answers again
	put  int
	does func(m *script, w target.Work) (target.Outcome, error)
}

func (m *script) Facts(context.Context) (target.Facts, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.f, nil
}

func (m *script) Put(context.Context, target.File, func(int64)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put++
	return nil
}

func (m *script) Close() {}

// Do answers an operation that it knows as it ended.
func (m *script) Do(_ context.Context, w target.Work) (target.Outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if again, ok := m.ops[w.ID]; ok {
		return again()
	}
	m.done = append(m.done, string(w.Kind))
	o, err := m.does(m, w)
	m.ops[w.ID] = func() (target.Outcome, error) { return o, err }
	return o, err
}

// usual is a machine on which everything works; a patch asks for a restart by its exit code only.
func usual(m *script, w target.Work) (target.Outcome, error) {
	switch w.Kind {
	case target.Patch:
		m.f.Active.Patches = []compat.Version{w.Version}
		return target.Outcome{Restart: true}, nil
	case target.Restart:
		m.f.Boot += "+"
		m.f.RestartNeeded, m.f.Serving, m.f.Maintenance = false, true, false
	case target.Enter:
		m.f.Maintenance, m.f.Serving = true, false
	case target.Leave:
		m.f.Maintenance, m.f.Serving = false, true
	case target.Unpatch, target.Install, target.Switch, target.Back, target.Updates, target.RemoveUpdate, target.Services:
	}
	return target.Outcome{}, nil
}

// duo is a pair of scripts; the procedures here are for the first.
type duo struct {
	a, b *script
	j    *procedure.Journal
}

func newDuo(t *testing.T, product inventory.Product, kind procedure.Kind, change func(d *duo, p *procedure.Plan)) *duo {
	t.Helper()
	facts, err := compat.Load()
	if err != nil {
		t.Fatal(err)
	}
	d := &duo{}
	for _, m := range []**script{&d.a, &d.b} {
		*m = &script{ops: map[string]func() (target.Outcome, error){}, does: usual, f: target.Facts{Boot: "1", Serving: true,
			Active: target.Side{Version: version(t, "12.6(1)")}, DiskFree: 1 << 30}}
	}
	hosts := []procedure.Host{{Name: "a", Product: product, Group: "G", Side: "A"}, {Name: "b", Product: product, Group: "G", Side: "B"}}
	p := procedure.Plan{ID: "p-duo-1", Kind: kind, Parallel: 4, DeploymentType: inventory.UCCE2000, Limits: quick()}
	p.Limits.Retry = time.Millisecond
	if change != nil {
		change(d, &p)
	}
	c := procedure.Chosen{Host: hosts[0], Facts: d.a.f}
	if kind == procedure.PatchInstall {
		c.To, c.File = version(t, "12.6(1)ES4"), &target.File{Path: "x/p.exe", Size: 1}
	}
	if p, err = procedure.Build(p, facts, []procedure.Chosen{c}, hosts); err != nil {
		t.Fatal(err)
	}
	if d.j, err = procedure.Create(t.TempDir(), p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.j.Close() })
	return d
}

// run answers how the machine stands, with the code of its failure.
func (d *duo) run(t *testing.T) string {
	t.Helper()
	c := &conduct.Conductor{Journal: d.j, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Local: func(target.File) string { return "" },
		Open: func(h procedure.Host) (target.Machine, error) {
			return map[string]*script{"a": d.a, "b": d.b}[h.Name], nil
		}}
	_ = c.Run(t.Context())
	s := d.j.State().Tasks[0]
	return strings.TrimSpace(string(s.Status) + " " + s.Code)
}

func (d *duo) add(t *testing.T, all ...procedure.Event) {
	t.Helper()
	for _, e := range all {
		e.At = time.Now()
		if _, err := d.j.Add(e); err != nil {
			t.Fatal(err)
		}
	}
}

func (d *duo) resume(t *testing.T) string {
	t.Helper()
	d.add(t, procedure.Event{What: procedure.Resumed})
	return d.run(t)
}

func (d *duo) did(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(d.a.done, want) {
		t.Errorf("%v, not %v", d.a.done, want)
	}
	if len(d.b.done) > 0 {
		t.Errorf("the other one, which is not in the plan: %v", d.b.done)
	}
}

func TestAMachineIsLeftAloneUnlessItsPeerServesAndIsLeftAlone(t *testing.T) {
	t.Parallel()
	down := func(f *target.Facts) { f.Serving = false }
	drained := func(f *target.Facts) { f.Serving, f.Maintenance = false, true }
	busy := func(f *target.Facts) { f.Running = "another-1" }
	for i, c := range []struct {
		kind procedure.Kind
		a, b func(*target.Facts)
		want string
	}{
		{procedure.PatchInstall, nil, busy, "failed peer_busy"},
		{procedure.PatchInstall, nil, down, "failed peer_down"},
		{procedure.PatchInstall, nil, drained, "failed peer_in_maintenance"},
		{procedure.PatchInstall, down, busy, "failed peer_busy"},
		{procedure.PatchInstall, down, drained, "failed peer_in_maintenance"},
		{procedure.PatchInstall, down, func(f *target.Facts) { down(f); busy(f) }, "failed peer_busy"},
		{procedure.PatchInstall, down, down, "done"}, // a repair: nobody serves who could stop
		{procedure.PatchInstall, drained, down, "failed peer_down"},
		{procedure.Maintenance, down, drained, "failed peer_in_maintenance"},
		{procedure.PatchInstall, drained, nil, "done"},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			d := newDuo(t, inventory.Rogger, c.kind, func(d *duo, _ *procedure.Plan) {
				for _, x := range []struct {
					m *script
					f func(*target.Facts)
				}{{d.a, c.a}, {d.b, c.b}} {
					if x.f != nil {
						x.f(&x.m.f)
					}
				}
			})
			if got := d.run(t); got != c.want {
				t.Errorf("%s, not %s", got, c.want)
			}
			if c.want != "done" {
				d.did(t)
			}
		})
	}
}

func TestADrainedMachineServesAgainWhenItsPeerStopsAndIsDrainedAgainLater(t *testing.T) {
	t.Parallel()
	d := newDuo(t, inventory.PeripheralGateway, procedure.PatchInstall, func(d *duo, p *procedure.Plan) {
		p.Drain = true
		d.a.does = func(m *script, w target.Work) (target.Outcome, error) {
			if w.Kind == target.Enter && len(m.done) == 1 {
				d.b.mu.Lock()
				d.b.f.Serving = false
				d.b.mu.Unlock()
			}
			return usual(m, w)
		}
	})
	if got := d.run(t); got != "failed peer_down" {
		t.Error(got)
	}
	d.did(t, "enter", "leave")
	if !d.a.f.Serving || d.a.f.Maintenance {
		t.Errorf("%+v", d.a.f)
	}
	d.b.f.Serving = true
	if got := d.resume(t); got != "done" {
		t.Error(got)
	}
	d.did(t, "enter", "leave", "enter", "patch", "restart") // which has ended the maintenance
}

// died is a control node's crash after the patch was begun in boot 1.
func (d *duo) died(t *testing.T) {
	t.Helper()
	d.add(t, procedure.Event{What: procedure.Begun}, procedure.Event{What: procedure.Finished},
		procedure.Event{What: procedure.Begun, Step: 1}, procedure.Event{What: procedure.Finished, Step: 1},
		procedure.Event{What: procedure.Begun, Step: 2, Boot: "1"})
}

// patched lets the operation that was under way come to its end meanwhile.
func (d *duo) patched(t *testing.T) {
	t.Helper()
	_, err := d.a.Do(t.Context(), target.Work{ID: d.j.State().Plan.Operation(0, 2, 1), Kind: target.Patch,
		Version: version(t, "12.6(1)ES4")})
	if err != nil {
		t.Fatal(err)
	}
}

func TestARestartIsNeitherLostNorDoubledAroundACrash(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meanwhile func(t *testing.T, d *duo)
		want      []string
	}{
		"the patch ended with 3010": {func(t *testing.T, d *duo) { d.patched(t) }, []string{"patch", "restart"}},
		"the patch ended with 3010, and somebody restarted the machine": {func(t *testing.T, d *duo) {
			d.patched(t)
			d.a.f.Boot = "2"
		}, []string{"patch"}},
		"the patch was never begun": {nil, []string{"patch", "restart"}},
		"the patch was never begun, and the machine was restarted": {func(_ *testing.T, d *duo) {
			d.a.f.Boot = "2"
		}, []string{"patch", "restart"}},
		"nobody knows how the patch ended": {func(t *testing.T, d *duo) {
			d.patched(t)
			d.a.ops[d.j.State().Plan.Operation(0, 2, 1)] = func() (target.Outcome, error) { return target.Outcome{}, target.Fail("lost") }
		}, []string{"patch", "restart"}},
		"nobody knows how the patch ended, and the machine was restarted": {func(t *testing.T, d *duo) {
			d.patched(t)
			d.a.f.Boot = "2"
			d.a.ops[d.j.State().Plan.Operation(0, 2, 1)] = func() (target.Outcome, error) { return target.Outcome{}, target.Fail("lost") }
		}, []string{"patch"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDuo(t, inventory.Rogger, procedure.PatchInstall, nil)
			d.died(t)
			if c.meanwhile != nil {
				c.meanwhile(t, d)
			}
			if got := d.resume(t); got != "done" {
				t.Error(got)
			}
			d.did(t, c.want...)
		})
	}
}

func TestAnInstallerThatRestartsTheMachineItselfIsOneRestart(t *testing.T) {
	t.Parallel()
	d := newDuo(t, inventory.Rogger, procedure.PatchInstall, func(d *duo, _ *procedure.Plan) {
		d.a.does = func(m *script, w target.Work) (target.Outcome, error) {
			o, err := usual(m, w)
			if w.Kind == target.Patch { // 1641
				m.f.Boot = "2"
			}
			return o, err
		}
	})
	if got := d.run(t); got != "done" {
		t.Error(got)
	}
	d.did(t, "patch")
}

func TestAnotherTryDoesNotKeepTheRestartOfTheOneBefore(t *testing.T) {
	t.Parallel()
	tries := 0
	d := newDuo(t, inventory.Rogger, procedure.PatchInstall, func(d *duo, _ *procedure.Plan) {
		d.a.does = func(m *script, w target.Work) (target.Outcome, error) {
			o, err := usual(m, w)
			if w.Kind == target.Patch {
				if tries++; tries == 1 { // something else is there after the restart
					m.f.Active.Patches[0].ES = 3
				} else {
					o.Restart = false
				}
			}
			return o, err
		}
	})
	if got := d.run(t); got != "failed not_verified" {
		t.Error(got)
	}
	if got := d.resume(t); got != "done" {
		t.Errorf("%s\n%s", got, describe(d.j.State()))
	}
	d.did(t, "patch", "restart", "patch")
}

func TestARestartThatMayNotBeYetIsNotForgottenByTheNextTry(t *testing.T) {
	t.Parallel()
	d := newDuo(t, inventory.Rogger, procedure.PatchInstall, func(d *duo, _ *procedure.Plan) {
		d.a.does = func(m *script, w target.Work) (target.Outcome, error) {
			d.b.mu.Lock()
			d.b.f.Serving = w.Kind != target.Patch
			d.b.mu.Unlock()
			return usual(m, w)
		}
	})
	if got := d.run(t); got != "failed peer_down" {
		t.Error(got)
	}
	d.did(t, "patch")
	d.b.f.Serving = true
	if got := d.resume(t); got != "done" {
		t.Error(got)
	}
	d.did(t, "patch", "restart")
}

func TestAVOSMachineThatFailedIsSentTheFileAgainAndRestartedFirst(t *testing.T) {
	t.Parallel()
	d := newDuo(t, inventory.Finesse, procedure.PatchInstall, func(d *duo, _ *procedure.Plan) {
		fails := true
		d.a.does = func(m *script, w target.Work) (target.Outcome, error) {
			if w.Kind != target.Patch {
				return usual(m, w)
			}
			defer func() { fails = false }()
			switch {
			case fails: // it drops the file, and wants a restart
				m.f.RestartNeeded, m.put = true, 0
				return target.Outcome{}, target.Fail("internal")
			case m.put == 0:
				return target.Outcome{}, target.Fail("no_file")
			case m.f.RestartNeeded:
				return target.Outcome{}, target.Fail("restart_first")
			}
			_, err := usual(m, w)
			return target.Outcome{}, err
		}
	})
	if got := d.run(t); got != "failed internal" {
		t.Error(got)
	}
	if got := d.resume(t); got != "done" {
		t.Error(got)
	}
	d.did(t, "patch", "restart", "patch")
}
