package agent_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"connecthub/models"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/hosttest"
	"connecthub/nodeclient/host/supervise"
	"connecthub/nodeclient/journal"
)

// scenario is an upgrade that ends in a known way when nothing crashes.
type scenario struct {
	name    string
	next    hosttest.Bundle
	outcome models.Outcome
}

func scenarios(t *testing.T) (hosttest.Bundle, []scenario) {
	t.Helper()
	return hosttest.Sample(t, "1.0", nil), []scenario{
		{"forward", hosttest.Sample(t, "2.0", nil), models.Succeeded},
		{"back", hosttest.Sample(t, "2.1", func(m *bundle.Manifest) {
			m.Services[0].Environment["FAIL_AFTER"] = "150ms"
			m.Soak *= 20
		}), models.RolledBack},
	}
}

// points runs an upgrade once without a crash and returns the points it passes.
func points(t *testing.T, old hosttest.Bundle, s scenario) []string {
	t.Helper()
	n := newNode(t, old)
	n.hub.offer("p1", 1, s.next)
	trace := filepath.Join(t.TempDir(), "trace")
	n.start(t, traceVariable+"="+trace)
	n.awaitOutcome(t, s.outcome)
	n.agent.Kill()
	return traced(t, trace)
}

// unannounced says what was observed after a crash that the journal on disk did not announce.
func unannounced(st supervise.Status, active string, j journal.State, from, to string) string {
	var step journal.Step
	confirmed := false
	if j.Entry != nil {
		step, confirmed = j.Entry.Step, j.Entry.Confirmed
	}
	disrupted := step.Disruptive() || step == journal.Ended
	switch {
	case st.Goal != supervise.Running && (!disrupted || !confirmed):
		return fmt.Sprintf("services were stopped at journalled step %q", step)
	case active == to && (!disrupted || step == journal.Draining || step == journal.Stopping):
		return fmt.Sprintf("the link was switched at journalled step %q", step)
	case st.Slot == to && step == journal.Switching:
		return fmt.Sprintf("the new version was started at journalled step %q", step)
	case st.Slot == to && st.Goal != supervise.Running && !step.Back():
		return fmt.Sprintf("the new version was stopped at journalled step %q", step)
	case st.Slot == from && step.Back() && st.Goal == supervise.Running && step == journal.BackSwitching:
		return fmt.Sprintf("the old version was started at journalled step %q", step)
	}
	return ""
}

// crashOnce crashes an upgrade at a point, looks at what the crash left, starts the agent again and
// returns what is wrong, if anything.
func crashOnce(t *testing.T, old hosttest.Bundle, s scenario, point string, env ...string) []string {
	t.Helper()
	n := newNode(t, old)
	n.hub.offer("p1", 1, s.next)
	p := n.start(t, append(env, crashVariable+"="+point)...)
	hosttest.Await(t, "the crash", func() bool {
		select {
		case <-p.Done():
			return true
		default:
			return false
		}
	})
	if !p.Killed() {
		return []string{"it did not crash: " + p.Output()}
	}
	var wrong []string
	st, err := supervise.Client{Dir: n.dir}.Status(t.Context())
	if err != nil {
		return []string{err.Error()}
	}
	// An entry is forgotten when the hub has the end, which may be before the old slots are pruned.
	j, told := n.journal(t), false
	n.hub.locked(func() { told = n.hub.outcome != "" })
	if j.Entry != nil || !told {
		if bad := unannounced(st, n.active(t), j, n.old.Slot, s.next.Slot); bad != "" {
			wrong = append(wrong, bad)
		}
	}
	if len(env) > 0 {
		return wrong // a mutant: only what it left counts
	}
	n.start(t)
	return append(wrong, n.afterwards(t, s)...)
}

// afterwards waits for the end and checks it from outside: the outcome, the version that answers,
// the active slot, a closed journal, and the hub's own book.
func (n *node) afterwards(t *testing.T, s scenario) []string {
	t.Helper()
	var wrong []string
	n.awaitOutcome(t, s.outcome)
	want, slot := string(s.next.Version), s.next.Slot
	if s.outcome != models.Succeeded {
		want, slot = string(n.old.Version), n.old.Slot
	}
	hosttest.Await(t, "the journal is closed", func() bool { return n.journal(t).Entry == nil })
	if got := hosttest.Answer(n.port); got != want {
		wrong = append(wrong, fmt.Sprintf("version %q answers, want %q", got, want))
	}
	if got := n.active(t); got != slot {
		wrong = append(wrong, fmt.Sprintf("slot %s is active, want %s", got, slot))
	}
	n.hub.locked(func() { wrong = append(wrong, n.hub.broken...) })
	if denied := n.journal(t).Denied; (s.outcome == models.RolledBack) != (len(denied) == 1) {
		wrong = append(wrong, fmt.Sprintf("the deny list is %v", denied))
	}
	return wrong
}

func TestR27ACrashAnywhereEndsOnTheOldOrTheNewVersion(t *testing.T) {
	old, all := scenarios(t)
	var tried, survived atomic.Int64
	t.Run("all", func(t *testing.T) {
		for _, s := range all {
			for _, point := range points(t, old, s) {
				t.Run(s.name+" "+point, func(t *testing.T) {
					t.Parallel()
					tried.Add(1)
					if wrong := crashOnce(t, old, s, point); len(wrong) > 0 {
						t.Fatalf("%v", wrong)
					}
					survived.Add(1)
				})
			}
		}
	})
	fmt.Printf("proof 2.5-agent crash_points=%d survived=%d\n", tried.Load(), survived.Load())
	if tried.Load() < 50 || tried.Load() != survived.Load() {
		t.Fatalf("%d of %d crash points survived", survived.Load(), tried.Load())
	}
}

// The proof must be able to fail: an agent that writes its steps after doing them is found out.
func TestTheCrashProofFindsAJournalThatIsWrittenTooLate(t *testing.T) {
	t.Parallel()
	old, all := scenarios(t)
	found := 0
	for _, point := range []string{"after effect drain", "after effect switch", "after effect start"} {
		found += len(crashOnce(t, old, all[0], point, lateVariable+"=1"))
		if right := crashOnce(t, old, all[0], point); len(right) > 0 {
			t.Fatalf("the agent itself at %s: %v", point, right)
		}
	}
	if found == 0 {
		t.Fatal("the mutant was not found out")
	}
}
