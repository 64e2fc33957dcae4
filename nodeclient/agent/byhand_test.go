package agent_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/byhand"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/hosttest"
	"connecthub/nodeclient/host/supervise"
	"connecthub/nodeclient/journal"
)

// asks leaves a request as a command does.
func (n *node) asks(t testing.TB, work models.HandWork, without bool) byhand.Request {
	t.Helper()
	r, err := byhand.Ask(n.dir, byhand.Request{Work: work, WithoutPermit: without, Who: "root",
		At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (n *node) answered(t testing.TB, r byhand.Request, want byhand.State) (a byhand.Answer) {
	t.Helper()
	hosttest.Await(t, "the request is answered", func() bool {
		var ok bool
		a, ok, _ = byhand.Answered(n.dir, r.ID)
		return ok && a.State.Final()
	})
	if a.State != want {
		n.agent.Kill()
		t.Fatalf("answered %+v, want %s\n%s", a, want, n.agent.Output())
	}
	return a
}

// two has 1.0 active and 2.0, from a known bundle, inactive.
func two(t testing.TB) (*node, hosttest.Bundle) {
	t.Helper()
	n := newNode(t, hosttest.Sample(t, "1.0", nil))
	next := hosttest.Sample(t, "2.0", nil)
	n.stage(t, next)
	return n, next
}

func (n *node) stage(t testing.TB, b hosttest.Bundle) {
	t.Helper()
	slots, err := host.OpenSlots(n.dir)
	if err != nil {
		t.Fatal(err)
	}
	accept := func(bundle.Manifest) error { return nil }
	if _, err := slots.Install(t.Context(), b.Slot, strings.NewReader(string(b.Raw)), accept); err != nil {
		t.Fatal(err)
	}
	if err := slots.NoteDigest(b.Slot, b.Digest); err != nil {
		t.Fatal(err)
	}
	if err := slots.Stage(b.Slot); err != nil {
		t.Fatal(err)
	}
}

func TestR33ServicesStoppedByHandStayStoppedUnderAPermitUntilTheyAreStarted(t *testing.T) {
	n := sampleNode(t)
	n.start(t)
	n.answered(t, n.asks(t, models.HandStop, false), byhand.Stopped)
	if hosttest.Answer(n.port) != "" {
		t.Error("the service still answers")
	}
	n.agent.Kill() // it comes back, and leaves them down
	n.start(t)
	polls := 0
	n.hub.locked(func() { polls = len(n.hub.polls) })
	hosttest.Await(t, "it polls in that state", func() (ok bool) {
		n.hub.locked(func() {
			last := n.hub.polls[len(n.hub.polls)-1]
			ok = len(n.hub.polls) > polls+2 && last.Step == models.StepStopping && last.Permit != nil
		})
		return ok
	})
	busy := n.answered(t, n.asks(t, models.HandRollback, false), byhand.Refused)
	if busy.Code != byhand.Busy || hosttest.Answer(n.port) != "" {
		t.Errorf("%+v, %q answers", busy, hosttest.Answer(n.port))
	}
	n.hub.locked(func() { n.hub.down = true }) // starting never needs the hub
	if a := n.answered(t, n.asks(t, byhand.Start, false), byhand.Ended); a.Outcome != models.Succeeded {
		t.Errorf("%+v", a)
	}
	if hosttest.Answer(n.port) != "1.0" {
		t.Error("it does not serve")
	}
	n.hub.locked(func() { n.hub.down = false })
	n.awaitOutcome(t, models.Succeeded)
	hosttest.Await(t, "the journal is closed", func() bool { return n.journal(t).Entry == nil })
}

func TestR33ARollbackByHandDeniesWhatItCameFrom(t *testing.T) {
	t.Parallel()
	n, next := two(t)
	n.start(t)
	if a := n.answered(t, n.asks(t, models.HandRollback, false), byhand.Refused); a.Code != byhand.NotLower {
		t.Errorf("%+v", a)
	}
	n.answered(t, n.asks(t, models.HandSwitch, false), byhand.Ended)
	n.hub.locked(func() {
		if q := n.hub.asked[0]; q.What != models.HandUpgrade || q.Digest != next.Digest || q.Version != "2.0" {
			t.Errorf("asked for %+v", q)
		}
	})
	if hosttest.Answer(n.port) != "2.0" || n.active(t) != next.Slot {
		t.Fatalf("%q answers", hosttest.Answer(n.port))
	}
	n.awaitOutcome(t, models.Succeeded)
	hosttest.Await(t, "the journal is closed", func() bool { return n.journal(t).Entry == nil })
	if a := n.answered(t, n.asks(t, models.HandRollback, false), byhand.Ended); a.Outcome != models.Succeeded {
		t.Errorf("%+v", a)
	}
	if j := n.journal(t); hosttest.Answer(n.port) != "1.0" || len(j.Denied) != 1 || j.Denied[0] != "2.0" {
		t.Errorf("%q answers, denied %v", hosttest.Answer(n.port), j.Denied)
	}
	n.hub.locked(func() {
		if q := n.hub.asked[1]; q.What != models.HandRollback || q.Digest != "" {
			t.Errorf("asked for %+v", q)
		}
	})
}

func TestR33WhatTheHubHoldsDisturbsNothing(t *testing.T) {
	n := sampleNode(t)
	pid := n.pid(t)
	n.hub.locked(func() { n.hub.refuse = models.ReasonPeerUnhealthy })
	n.start(t)
	// The hub has said no: no flag goes on against that.
	a := n.answered(t, n.asks(t, models.HandStop, true), byhand.Refused)
	if a.Code != byhand.Held || a.Reason != models.ReasonPeerUnhealthy || a.Subject != "cc-sub.example.com" {
		t.Errorf("%+v", a)
	}
	if n.pid(t) != pid || n.journal(t).Entry != nil {
		t.Error("something was disturbed")
	}
}

// TestR33WithTheHubAwayOnlyATypedWordGoesOn stops and starts without the hub, which hears of it later.
func TestR33WithTheHubAwayOnlyATypedWordGoesOn(t *testing.T) {
	n := sampleNode(t)
	pid := n.pid(t)
	n.hub.locked(func() { n.hub.down, n.hub.unheard = true, true })
	n.start(t)
	if a := n.answered(t, n.asks(t, models.HandStop, false), byhand.Refused); a.Code != byhand.NoHub || n.pid(t) != pid {
		t.Errorf("%+v", a)
	}
	if a := n.answered(t, n.asks(t, models.HandStop, true), byhand.Stopped); !a.Unpermitted {
		t.Errorf("%+v", a)
	}
	start := n.asks(t, byhand.Start, false)
	n.answered(t, start, byhand.Ended)
	n.hub.locked(func() { n.hub.down = false })
	hosttest.Await(t, "the journal is closed", func() bool { return n.journal(t).Entry == nil })
	n.agent.Kill()
	n.hub.locked(func() { n.hub.unheard = false })
	n.start(t)
	var heard []wire.HandReport
	hosttest.Await(t, "the hub hears of it", func() bool {
		n.hub.locked(func() { heard = n.hub.reports })
		return len(heard) > 0
	})
	if r := heard[0]; r.What != models.HandStop || r.Outcome != models.Succeeded || r.BegunAt.After(r.EndedAt) {
		t.Errorf("%+v", r)
	}
	hosttest.Await(t, "it is told no more", func() bool {
		left, err := byhand.Reports(n.dir)
		return err == nil && len(left) == 0
	})
}

func TestR33ALocalPermitThatNobodyWantsIsGivenBack(t *testing.T) {
	n := sampleNode(t)
	n.hub.locked(func() {
		n.hub.permit = &wire.Permit{ID: "left", Kind: models.PermitLocal, Fence: models.Fence{Incarnation: 1, Counter: 3}}
		n.hub.state = models.PermitOffered
	})
	n.start(t)
	n.awaitOutcome(t, models.Abandoned)
}

func TestARequestThatNobodyTookInTimeIsNeverBegun(t *testing.T) {
	n := sampleNode(t)
	r, err := byhand.Ask(n.dir, byhand.Request{Work: models.HandStop, Who: "root", At: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	n.start(t)
	if a := n.answered(t, r, byhand.Refused); a.Code != byhand.Lapsed || hosttest.Answer(n.port) != "1.0" {
		t.Errorf("%+v", a)
	}
}

// handScenario is work by hand, and what it leaves.
type handScenario struct {
	name  string
	works []models.HandWork
	ends  string // the version that answers
}

func handScenarios() []handScenario {
	return []handScenario{
		{"stop", []models.HandWork{models.HandStop, byhand.Start}, "1.0"},
		{"switch", []models.HandWork{models.HandSwitch}, "2.0"},
	}
}

// TestR33ACrashAnywhereInWorkByHandLeavesNothingForgotten kills the agent at every record and effect:
// nothing stops without a confirmed permit, the permit ends, and the node serves again.
func TestR33ACrashAnywhereInWorkByHandLeavesNothingForgotten(t *testing.T) {
	var tried, failed atomic.Int64
	t.Run("all", func(t *testing.T) {
		for _, s := range handScenarios() {
			for _, point := range handPoints(t, s) {
				t.Run(s.name+" "+point, func(t *testing.T) {
					t.Parallel()
					tried.Add(1)
					defer func() {
						if t.Failed() {
							failed.Add(1)
						}
					}()
					handCrash(t, s, point)
				})
			}
		}
	})
	fmt.Printf("proof 4.9-hand tried=%d failed=%d\n", tried.Load(), failed.Load())
	if tried.Load() < 20 {
		t.Errorf("%d crash points only", tried.Load())
	}
}

func handPoints(t *testing.T, s handScenario) []string {
	t.Helper()
	n, _ := two(t)
	trace := filepath.Join(t.TempDir(), "trace")
	n.start(t, traceVariable+"="+trace)
	for _, work := range s.works {
		want := byhand.Ended
		if work == models.HandStop {
			want = byhand.Stopped
		}
		n.answered(t, n.asks(t, work, false), want)
	}
	n.awaitOutcome(t, models.Succeeded)
	n.agent.Kill()
	return traced(t, trace)
}

func handCrash(t *testing.T, s handScenario, point string) {
	t.Helper()
	n, _ := two(t)
	p := n.start(t, crashVariable+"="+point)
	for _, work := range s.works {
		select {
		case <-p.Done():
		default:
			r := n.asks(t, work, false)
			hosttest.Await(t, "it ends or crashes", func() bool {
				a, ok, _ := byhand.Answered(n.dir, r.ID)
				return dead(p) || ok && a.State.Final()
			})
		}
	}
	hosttest.Await(t, "the crash", func() bool { return dead(p) })
	j := n.journal(t)
	st, err := supervise.Client{Dir: n.dir}.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	confirmed := j.Entry != nil && j.Entry.Confirmed || n.hub.isConfirmed()
	if st.Goal != supervise.Running && !confirmed {
		t.Fatal("services were stopped without a confirmed permit")
	}
	n.start(t)
	n.resume(t, s)
	n.hub.locked(func() {
		if len(n.hub.broken) > 0 {
			t.Error(n.hub.broken)
		}
	})
}

// resume is what an administrator does who finds the node so: it is started, or asked again.
func (n *node) resume(t *testing.T, s handScenario) {
	t.Helper()
	hosttest.Await(t, "it comes to rest", func() bool {
		e := n.journal(t).Entry
		_, waits, err := byhand.Pending(n.dir) // a request of before the crash
		return err == nil && !waits && (e == nil || e.Step == journal.Stopped)
	})
	last := s.works[len(s.works)-1]
	if e := n.journal(t).Entry; last == byhand.Start && e != nil && e.Step == journal.Stopped {
		n.answered(t, n.asks(t, byhand.Start, false), byhand.Ended)
	}
	if last == models.HandSwitch && hosttest.Answer(n.port) != s.ends {
		n.answered(t, n.asks(t, models.HandSwitch, false), byhand.Ended)
	}
	hosttest.Await(t, "it serves", func() bool { return hosttest.Answer(n.port) == s.ends })
	hosttest.Await(t, "the journal is closed", func() bool { return n.journal(t).Entry == nil })
	hosttest.Await(t, "the permit has ended", func() bool {
		open := false
		n.hub.locked(func() { open = n.hub.permit != nil && n.hub.state != models.PermitEnded })
		return !open
	})
}

func (h *hub) isConfirmed() (yes bool) {
	h.locked(func() { yes = h.state == models.PermitConfirmed })
	return yes
}

func dead(p *hosttest.Process) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// TestR33AMachineThatStartsAgainServesAgain: what was stopped by hand before, and what was about to be.
func TestR33AMachineThatStartsAgainServesAgain(t *testing.T) {
	n := sampleNode(t)
	n.start(t)
	n.answered(t, n.asks(t, models.HandStop, false), byhand.Stopped)
	n.agent.Kill()
	n.start(t, bootVariable+"=second")
	n.awaitOutcome(t, models.Succeeded)
	hosttest.Await(t, "it serves", func() bool { return hosttest.Answer(n.port) == "1.0" })
	hosttest.Await(t, "the journal is closed", func() bool { return n.journal(t).Entry == nil })
	n.agent.Kill()
	pid := n.pid(t)
	p := n.start(t, bootVariable+"=second", crashVariable+"=after record begin")
	r := n.asks(t, models.HandStop, false)
	<-p.Done()
	n.start(t, bootVariable+"=third")
	n.awaitOutcome(t, models.Abandoned)
	if a := n.answered(t, r, byhand.Refused); a.Code != byhand.Restarted || n.pid(t) != pid {
		t.Errorf("%+v", a)
	}
}
