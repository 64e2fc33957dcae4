package agent_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/agent"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/hosttest"
	"connecthub/nodeclient/host/supervise"
	"connecthub/nodeclient/journal"
)

func (n *node) pid(t testing.TB) int {
	t.Helper()
	st, err := supervise.Client{Dir: n.dir}.Status(t.Context())
	if err != nil || len(st.Services) != 1 {
		t.Fatalf("%v %+v", err, st)
	}
	return st.Services[0].PID
}

// untouched fails unless the old process still serves and the permit ended with a detail.
func (n *node) untouched(t testing.TB, pid int, detail string) {
	t.Helper()
	if got := n.pid(t); got != pid || hosttest.Answer(n.port) != "1.0" {
		t.Fatalf("process %d became %d, %q answers", pid, got, hosttest.Answer(n.port))
	}
	n.hub.locked(func() {
		if !strings.HasPrefix(n.hub.detail, detail) {
			t.Fatalf("the detail is %q, want %q", n.hub.detail, detail)
		}
	})
	hosttest.Await(t, "the journal is closed", func() bool { return n.journal(t).Entry == nil })
}

func sampleNode(t *testing.T) *node {
	t.Helper()
	t.Parallel()
	return newNode(t, hosttest.Sample(t, "1.0", nil))
}

func TestAnUpgradeEndsOnTheNewVersionAndStepsAreReportedInOrder(t *testing.T) {
	n := sampleNode(t)
	s := scenario{next: hosttest.Sample(t, "2.0", nil), outcome: models.Succeeded}
	n.hub.offer("p1", 1, s.next)
	n.start(t)
	if wrong := n.afterwards(t, s); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	last := 0
	n.hub.locked(func() {
		for _, p := range n.hub.polls {
			for i, step := range models.Steps() {
				if p.Step == step && step != models.StepIdle {
					if i < last {
						t.Fatalf("step %s after %s", step, models.Steps()[last])
					}
					last = i
				}
			}
		}
	})
}

func TestTheHubIsAwayInMidUpgradeAndHearsOfItLater(t *testing.T) {
	n := sampleNode(t)
	next := hosttest.Sample(t, "2.0", nil)
	n.hub.offer("p1", 1, next)
	n.start(t)
	hosttest.Await(t, "the hub confirms", func() (yes bool) {
		n.hub.locked(func() {
			yes = n.hub.confirms > 0
			n.hub.down = yes
		})
		return yes
	})
	hosttest.Await(t, "the new version answers", func() bool { return hosttest.Answer(n.port) == "2.0" })
	hosttest.Await(t, "the end is journalled", func() bool {
		e := n.journal(t).Entry
		return e != nil && e.Outcome == string(models.Succeeded)
	})
	n.hub.locked(func() { n.hub.down = false })
	n.awaitOutcome(t, models.Succeeded)
}

func TestR20AWithdrawnPermitDisturbsNothingAndKeepsThePartialDownload(t *testing.T) {
	n := sampleNode(t)
	pid := n.pid(t)
	next := hosttest.Sample(t, "2.0", nil)
	n.hub.offer("p1", 1, next)
	n.hub.locked(func() { n.hub.bundle = next.Raw[:len(next.Raw)/2] })
	n.start(t)
	part := filepath.Join(n.dir, "downloads", next.Digest+".tar.zst.part")
	hosttest.Await(t, "half of it is there", func() bool {
		info, err := os.Stat(part)
		return err == nil && info.Size() > 0
	})
	n.hub.locked(func() { n.hub.state = models.PermitEnded })
	hosttest.Await(t, "the entry is closed", func() bool {
		st := n.journal(t)
		return st.Entry == nil && st.Fence.Counter == 1
	})
	if _, err := os.Stat(part); err != nil {
		t.Fatal("the partial download is gone")
	}
	n.untouched(t, pid, "")
	n.hub.offer("p2", 2, next)
	n.awaitOutcome(t, models.Succeeded)
}

func TestR20ARefusedConfirmGivesThePermitBack(t *testing.T) {
	n := sampleNode(t)
	pid := n.pid(t)
	n.hub.locked(func() { n.hub.refuse = models.ReasonPeerUnhealthy })
	n.hub.offer("p1", 1, hosttest.Sample(t, "2.0", nil))
	n.start(t)
	n.awaitOutcome(t, models.Abandoned)
	n.untouched(t, pid, "confirm_refused: peer_unhealthy")
}

func TestR20AfterARestartBeforeTheFirstStopTheHubIsAskedAgain(t *testing.T) {
	n := sampleNode(t)
	n.hub.offer("p1", 1, hosttest.Sample(t, "2.0", nil))
	<-n.start(t, crashVariable+"=after record draining").Done()
	n.start(t)
	n.awaitOutcome(t, models.Succeeded)
	n.hub.locked(func() {
		if n.hub.confirms != 2 {
			t.Fatalf("the hub was asked %d times", n.hub.confirms)
		}
	})
}

func TestR20TheHubsYesHoldsForItsTimeOnBothClocks(t *testing.T) {
	t.Parallel()
	minute := time.Minute
	for _, c := range []struct {
		mono, wall time.Duration
		want       bool
	}{
		{0, 0, true}, {minute - 1, minute - 1, true}, {minute, minute, false},
		{time.Second, 2 * minute, false}, {time.Second, -minute, false},
	} {
		if got := agent.Allowed(minute, c.mono, c.wall); got != c.want {
			t.Errorf("after %s monotonic, %s wall: %v", c.mono, c.wall, got)
		}
	}
}

func TestR25AWrongDigestEndsThePermitBeforeAnythingIsStopped(t *testing.T) {
	n := sampleNode(t)
	pid := n.pid(t)
	next := hosttest.Sample(t, "2.0", nil)
	next.Raw[len(next.Raw)/2] ^= 1
	n.hub.offer("p1", 1, next)
	n.start(t)
	n.awaitOutcome(t, models.Failed)
	n.untouched(t, pid, "wrong_digest")
}

func TestR25ABundleOfAnotherVersionOrWithoutItsValuesIsRefused(t *testing.T) {
	n := sampleNode(t)
	pid := n.pid(t)
	other := hosttest.Sample(t, "3.0", nil)
	other.Version = "2.0"
	n.hub.offer("p1", 1, other)
	n.start(t)
	n.awaitOutcome(t, models.Failed)
	n.untouched(t, pid, "invalid_bundle")
	n.hub.offer("p2", 2, hosttest.Sample(t, "2.0", func(m *bundle.Manifest) {
		m.Services[0].Environment["PEER"] = "${CONFIG:peer}"
	}))
	n.awaitOutcome(t, models.Failed)
	n.untouched(t, pid, "invalid_bundle")
}

func TestAFullDiskEndsThePermitInWords(t *testing.T) {
	n := sampleNode(t)
	pid := n.pid(t)
	n.hub.offer("p1", 1, hosttest.Sample(t, "2.0", nil))
	n.start(t, fullVariable+"=1")
	n.awaitOutcome(t, models.Failed)
	n.untouched(t, pid, "no_space")
}

func TestAPermitThatCannotBeWrittenDownIsGivenBackInWords(t *testing.T) {
	n := sampleNode(t)
	pid := n.pid(t)
	// A folder in its place refuses the journal its room, as a full disk does.
	room := filepath.Join(n.dir, journalName+".room")
	if err := os.Mkdir(room, 0o700); err != nil {
		t.Fatal(err)
	}
	n.hub.offer("p1", 1, hosttest.Sample(t, "2.0", nil))
	n.start(t)
	n.awaitOutcome(t, models.Failed)
	n.untouched(t, pid, "no_space")
	if err := os.Remove(room); err != nil {
		t.Fatal(err)
	}
	n.hub.offer("p2", 2, hosttest.Sample(t, "2.0", nil))
	n.awaitOutcome(t, models.Succeeded)
}

func TestAMachineWhosePackagesCannotBeListedIsUpgradedAllTheSame(t *testing.T) {
	n := sampleNode(t)
	n.hub.offer("p1", 1, hosttest.Sample(t, "2.0", nil))
	n.start(t, factsVariable+"=none")
	n.awaitOutcome(t, models.Succeeded)
}

func TestAnAgentTellsFactsAndAllPackagesWhenAskedAndNeverInOnePoll(t *testing.T) {
	n := sampleNode(t)
	n.hub.locked(func() { n.hub.asks = true })
	n.start(t, factsVariable+"=many")
	hosttest.Await(t, "both are told", func() (told bool) {
		n.hub.locked(func() { told = n.hub.facts != "" && n.hub.packages == n.hub.facts })
		return told
	})
	n.hub.locked(func() {
		for _, p := range n.hub.polls {
			if len(p.Facts) > 0 && p.Packages != nil {
				t.Error("a poll with facts and packages")
			}
			if p.Packages != nil && (p.Packages.Names.Len() != 5000 || !p.Packages.Names.Has("package-4999")) {
				t.Errorf("%d packages", p.Packages.Names.Len())
			}
		}
	})
}

func TestAReleaseThatFailedTakesNoRoomFromTheNext(t *testing.T) {
	n := sampleNode(t)
	bad := hosttest.Sample(t, "2.0", func(m *bundle.Manifest) {
		m.Services[0].Health.HTTP.Path = "/nothing"
		m.Services[0].Health.ReadyWithin = bundle.Duration(200 * time.Millisecond)
	})
	n.hub.offer("p1", 1, bad)
	n.start(t)
	n.awaitOutcome(t, models.RolledBack)
	hosttest.Await(t, "the journal is closed", func() bool { return n.journal(t).Entry == nil })
	next := hosttest.Sample(t, "3.0", nil)
	next.Raw[len(next.Raw)/2] ^= 1
	n.hub.offer("p2", 2, next)
	n.awaitOutcome(t, models.Failed)
	for _, left := range []string{filepath.Join("slots", bad.Slot),
		filepath.Join("downloads", bad.Digest+".tar.zst")} {
		if _, err := os.Stat(filepath.Join(n.dir, left)); err == nil {
			t.Errorf("%s is still there", left)
		}
	}
}

// The service's start is made impossible while it soaks and its supervisor dies: nothing is left
// that could fail or serve.
func TestR28ASlotThatCannotRunAnyMoreInItsSoakIsRolledBack(t *testing.T) {
	n := sampleNode(t)
	next := hosttest.Sample(t, "2.0", func(m *bundle.Manifest) { m.Soak *= 20 })
	n.hub.offer("p1", 1, next)
	n.start(t)
	hosttest.Await(t, "it soaks", func() bool {
		e := n.journal(t).Entry
		return e != nil && e.Step == journal.Soaking
	})
	if err := os.WriteFile(filepath.Join(n.dir, "slots", next.Slot, bundle.ManifestName),
		[]byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.supervisor.Kill()
	n.supervisor = hosttest.Supervise(t, n.dir)
	n.awaitOutcome(t, models.RolledBack)
	hosttest.Await(t, "the old version answers", func() bool { return hosttest.Answer(n.port) == "1.0" })
}

func TestR21R23R28PermitsThatMayNotBeUsedAreLeftAlone(t *testing.T) {
	n := sampleNode(t)
	pid := n.pid(t)
	j, err := journal.Open(filepath.Join(n.dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{j.Saw(journal.Fence{Incarnation: 1, Counter: 5}), j.Deny("2.0"), j.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	n.start(t)
	for _, c := range []struct {
		counter uint64
		version models.Version
	}{{4, "2.1"}, {6, "2.0"}, {6, "0.9"}, {6, "1.0"}} {
		n.hub.offer("p1", c.counter, hosttest.Sample(t, c.version, nil))
		var before, after int
		n.hub.locked(func() { before = len(n.hub.polls) })
		hosttest.Await(t, "it polls again", func() bool {
			n.hub.locked(func() { after = len(n.hub.polls) })
			return after >= before+3
		})
		if st := n.journal(t); st.Entry != nil || st.Fence.Counter != 5 {
			t.Fatalf("%+v was taken: %+v", c, st)
		}
	}
	n.untouched(t, pid, "")
}

func TestR28AVersionThatIsNeverReadyIsRolledBackAndNotTriedAgain(t *testing.T) {
	n := sampleNode(t)
	s := scenario{outcome: models.RolledBack, next: hosttest.Sample(t, "2.0", func(m *bundle.Manifest) {
		m.Services[0].Health.HTTP.Path = "/nothing"
		m.Services[0].Health.ReadyWithin = bundle.Duration(200 * time.Millisecond)
	})}
	n.hub.offer("p1", 1, s.next)
	n.start(t)
	if wrong := n.afterwards(t, s); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	n.hub.locked(func() {
		if !strings.HasPrefix(n.hub.detail, "not_ready") {
			t.Fatalf("the detail is %q", n.hub.detail)
		}
		last := n.hub.polls[len(n.hub.polls)-1]
		if len(last.Denied) != 1 || last.Denied[0] != "2.0" {
			t.Fatalf("the poll says denied %v", last.Denied)
		}
	})
}

func TestR20OnceTheHubEndedThePermitNothingIsStoppedAnyMore(t *testing.T) {
	n := sampleNode(t)
	next := hosttest.Sample(t, "2.0", func(m *bundle.Manifest) {
		m.Services[0].Environment["FAIL_AFTER"] = "1s"
		m.Soak *= 100
	})
	n.hub.offer("p1", 1, next)
	n.start(t)
	hosttest.Await(t, "it soaks", func() bool {
		e := n.journal(t).Entry
		return e != nil && e.Step == journal.Soaking
	})
	n.hub.locked(func() { n.hub.state = models.PermitEnded }) // an admin's override
	hosttest.Await(t, "the entry is closed", func() bool { return n.journal(t).Entry == nil })
	if n.active(t) != next.Slot {
		t.Fatal("it went back without a permit")
	}
}

func TestR6OnlyASignedStatementDeregisters(t *testing.T) {
	n := sampleNode(t)
	n.hub.locked(func() { n.hub.unsigned = true })
	p := n.start(t)
	hosttest.Await(t, "it backs off", func() bool {
		_, err := os.Stat(filepath.Join(n.dir, journalName))
		return err == nil
	})
	n.hub.locked(func() { n.hub.unsigned = false })
	n.hub.offer("p1", 1, hosttest.Sample(t, "2.0", nil))
	n.awaitOutcome(t, models.Succeeded)
	hosttest.Await(t, "the journal is closed", func() bool { return n.journal(t).Entry == nil })
	n.hub.locked(func() { n.hub.signed = true })
	if out := p.Output(); !strings.Contains(out, agent.ErrDeregistered.Error()) {
		t.Fatalf("the agent said %s", out)
	}
	if st := n.journal(t); st.Fence.Counter != 0 {
		t.Fatalf("it still remembers %+v", st)
	}
	if hosttest.Answer(n.port) != "2.0" {
		t.Fatal("the service ended with the registration")
	}
}

func TestTheAgentInstallsInConstantMemory(t *testing.T) {
	n := sampleNode(t)
	size := 64 << 20
	if os.Getenv("LONG") == "1" {
		size = 1 << 30
	}
	blob := make([]byte, size)
	source := rand.NewChaCha8([32]byte{7})
	_, _ = source.Read(blob)
	var m bundle.Manifest
	hosttest.Sample(t, "2.0", func(sample *bundle.Manifest) { m = *sample })
	next := hosttest.Pack(t, m, map[string][]byte{"share/blob": blob})
	n.hub.offer("p1", 1, next)
	n.start(t)
	n.awaitOutcome(t, models.Succeeded)
	peak, rest := memory(t, n.agent.PID(), "VmHWM"), memory(t, n.agent.PID(), "VmRSS")
	fmt.Printf("proof 2.8-agent bundle_mib=%d peak_mib=%d resident_mib=%d\n", size>>20, peak>>20, rest>>20)
	if peak >= 64<<20 {
		t.Fatalf("installing %d MiB took %d MiB", size>>20, peak>>20)
	}
}

func memory(t *testing.T, pid int, field string) int64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatalf("no %s", field)
	return 0
}

var _ agent.Hub = (*httpHub)(nil)
