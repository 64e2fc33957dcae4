package conduct_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/conduct"
	"connecthub/nodeclient/control/conduct/standtest"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/remote/sftptest"
	"connecthub/nodeclient/control/target"
)

const actAsWorker = "CONNECTHUB_TEST_ACT_AS_WORKER"

// TestMain is also a control node's worker, for tests that kill one.
func TestMain(m *testing.M) {
	if os.Getenv(actAsWorker) == "" {
		os.Exit(m.Run())
	}
	if err := worker(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// when says at which moment of a step a worker dies.
type when string

const (
	afterBegun     when = "after begun"     // it is written down that the step begins, and nothing is done
	inTheMiddle    when = "in the middle"   // something is being done
	beforeFinished when = "before finished" // it is done, and that is not written down
	afterFinished  when = "after finished"
	never          when = "never"
)

// mortal is a journal whose process dies at a moment of the first step that it meets.
type mortal struct {
	*procedure.Journal
	when when
}

func (m mortal) Add(e procedure.Event) (procedure.State, error) {
	die := func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }
	if (m.when == beforeFinished || m.when == inTheMiddle) && e.What == procedure.Finished {
		die() // a step that is over before its middle dies at its end
	}
	s, err := m.Journal.Add(e)
	switch {
	case m.when == afterBegun && e.What == procedure.Begun, m.when == afterFinished && e.What == procedure.Finished:
		die()
	case m.when == inTheMiddle && e.What == procedure.Begun:
		time.AfterFunc(60*time.Millisecond, die)
	}
	return s, err
}

func worker(dir, id, keyFile, dies string) error {
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return err
	}
	j, err := procedure.Open(dir, id)
	if err != nil {
		return err
	}
	if _, err := j.Add(procedure.Event{At: time.Now(), What: procedure.Resumed}); err != nil {
		return err
	}
	ctx := contextOf()
	d := &desk{dir: dir, signer: signer, pins: remote.OpenPins(dir, time.Now)}
	c := &conduct.Conductor{Journal: mortal{j, when(dies)}, Open: d.open(ctx), Now: time.Now,
		Local: func(f target.File) string { return filepath.Join(dir, f.SHA256) }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	err = c.Run(ctx)
	if errors.Is(err, conduct.ErrStopped) {
		return nil
	}
	return err
}

// spawn lets a process of its own go on with a procedure, and answers whether it was killed.
func (d *desk) spawn(t *testing.T, id string, dies when) (killed bool, peak int64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], d.dir, id, d.keyFile, string(dies))
	cmd.Env = append(os.Environ(), actAsWorker+"=1")
	out, err := cmd.CombinedOutput()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return true, usage.Maxrss
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false, usage.Maxrss
}

// killed goes through a plan with a worker that is killed at every moment of every step.
func (d *desk) killed(t *testing.T, p procedure.Plan) (kills int, s procedure.State) {
	t.Helper()
	j, err := procedure.Create(d.dir, p)
	if err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	moments := []when{afterBegun, inTheMiddle, beforeFinished, afterFinished}
	for n := 0; ; n++ {
		if n > 500 {
			t.Fatalf("it does not come to an end:\n%s", describe(s))
		}
		again, _ := d.spawn(t, p.ID, moments[n%len(moments)])
		if s, err = procedure.Load(d.dir, p.ID); err != nil {
			t.Fatal(err)
		}
		if s.Status == procedure.Failed {
			t.Fatalf("after %d kills:\n%s", kills, describe(s))
		}
		if !again && s.Status == procedure.Done {
			return kills, s
		}
		kills++
	}
}

func killTests(t *testing.T) (kills, steps, twice, both int) {
	t.Helper()
	d := newDesk(t, slices.Concat(pair(inventory.PeripheralGateway, "PG1", 100*time.Millisecond),
		pair(inventory.Finesse, "Finesse-Cluster-1", 100*time.Millisecond))...)
	plans := []func() procedure.Plan{func() procedure.Plan {
		return d.plan(t, procedure.PatchInstall, "12.6(1)ES4", func(p *procedure.Plan) { p.Parallel = 1 })
	}, func() procedure.Plan {
		return d.plan(t, procedure.PatchRollback, "", func(p *procedure.Plan) { p.Parallel, p.Drain = 1, true })
	}}
	if os.Getenv("LONG") == "" {
		plans = plans[:1]
	}
	for _, plan := range plans {
		n, s := d.killed(t, plan())
		kills += n
		for _, task := range s.Plan.Tasks {
			steps += len(task.Steps)
		}
		if left := s.Remaining(); len(left) > 0 {
			t.Errorf("forgotten: %v", left)
		}
	}
	for i, m := range d.Machines {
		want := []map[string]int{{"patch": 1, "restart": 1}, {"patch-install": 1}}[i/2]
		if len(plans) == 2 {
			want = []map[string]int{{"patch": 1, "restart": 2, "unpatch": 1}, {"patch-install": 1, "patch-rollback": 1}}[i/2]
		}
		for kind, times := range m.Times(t) {
			if kind != "enter" && kind != "leave" && times != want[kind] {
				t.Errorf("%s: %s was done %d times", m.Name, kind, times)
				twice++
			}
		}
	}
	return kills, steps, twice, d.BothDisturbed(t)
}

// fault is one thing that goes wrong at one machine, and what the procedure says of it; code is empty
// where it is to go on by itself.
type fault struct {
	name, code string
	arm        func(t *testing.T, m *standtest.Machine)
}

func put(name, text string) func(*testing.T, *standtest.Machine) {
	return func(t *testing.T, m *standtest.Machine) { m.Fault(t, name, text) }
}

// on is what the fault comes to on a machine: an agent has no exit codes and ends by itself what it has
// begun, and the stand-in of one is not restarted for a patch.
func (f fault) on(m *standtest.Machine) fault {
	switch vos := m.Product.VOS(); {
	case vos && (f.code == "lost" || f.name == "reboot that never returns"):
		f.code = ""
	case vos && f.code == "exit_1603":
		f.code = "internal"
	case !vos && f.code == "internal":
		f.code = "exit_1"
	}
	return f
}

// faults are one for each of the fourteen machines.
func faults() []fault {
	return []fault{
		{"wrong exit code", "exit_1603", put("exit", "1603")},
		{"connection cut at the start of an operation", "", put("cut", "")},
		{"reboot that never returns", "timeout", put("no-return", "")},
		{"an installer that restarts by itself", "", put("exit", "1641")},
		{"an operation that never ends", "timeout", put("hang", "")},
		{"disk full", target.DiskFull, put("disk-full", "")},
		{"wrong host key", "host_key_changed", func(t *testing.T, m *standtest.Machine) { m.HostKey(t, sftptest.NewKey(t)) }},
		{"lost in the middle of an operation", "lost", put("crash", "")},
		{"an operation whose runner dies alone", "lost", put("die", "")},
		{"an operation that is written down and not begun", "lost", put("not-begun", "")},
		{"connection cut at the start of an operation (VOS)", "", put("cut", "")},
		{"disk full (VOS)", target.DiskFull, put("disk-full", "")},
		{"failed operation (VOS)", "internal", put("exit", "1")},
		{"machine away for a while", "", func(t *testing.T, m *standtest.Machine) {
			m.Down(true)
			time.AfterFunc(500*time.Millisecond, func() { m.Down(false) })
		}},
	}
}

// fourteen are five Windows pairs, a cluster and two machines that stand alone.
func fourteen() []standtest.Spec {
	const work = 50 * time.Millisecond
	return slices.Concat(pair(inventory.PeripheralGateway, "PG1", work), pair(inventory.PeripheralGateway, "PG2", work),
		pair(inventory.CVPServer, "CVP1", work), pair(inventory.Rogger, "RGR1", work),
		pair(inventory.PeripheralGateway, "PG3", work),
		pair(inventory.Finesse, "Finesse-Cluster-1", work), pair(inventory.VVB, "VVB-Cluster-1", work)[:1],
		pair(inventory.VVB, "VVB-Cluster-2", work)[:1])
}

// faulty runs a plan over fourteen machines with a fault at each, and mends one after the other as
// somebody would who reads what the procedure says.
func (d *desk) faulty(t *testing.T, round int, all []fault) (survived int) {
	t.Helper()
	p := d.plan(t, procedure.PatchInstall, fmt.Sprintf("12.6(1)ES%d", round+1), func(p *procedure.Plan) {
		p.ID = fmt.Sprintf("faults-%d", round)
		p.Limits.Check, p.Limits.Work, p.Limits.Restart = 4*time.Second, 4*time.Second, 4*time.Second
	})
	armed := map[string]fault{}
	for i, m := range d.Machines {
		f := all[(i+round)%len(all)].on(m)
		armed[m.Name] = f
		f.arm(t, m)
	}
	s, err := d.run(t, p)
	for tries := 0; err != nil || s.Status != procedure.Done; tries++ {
		if !errors.Is(err, conduct.ErrStopped) || tries > 3*len(all) {
			t.Fatalf("%v\n%s", err, describe(s))
		}
		survived += d.mend(t, s, armed)
		s, err = d.resume(t, p.ID)
	}
	for i, task := range s.Tasks {
		m := d.Machines[indexOf(d, s.Plan.Tasks[i].Name)]
		if state := m.State(t); m.WantsRestart(t) || task.To != p.Tasks[i].To {
			t.Errorf("%s: %+v %v", s.Plan.Tasks[i].Name, task, state)
		}
	}
	for name, f := range armed { // what was left armed did no harm
		if f.code == "" {
			survived++
		}
		d.Machines[indexOf(d, name)].Mend(t, "no-return") // nor does it in the next round
	}
	return survived
}

func indexOf(d *desk, name string) int {
	return slices.IndexFunc(d.Machines, func(m *standtest.Machine) bool { return m.Name == name })
}

// mend looks at the machines that failed, and takes their faults away.
func (d *desk) mend(t *testing.T, s procedure.State, armed map[string]fault) (survived int) {
	t.Helper()
	for i, task := range s.Tasks {
		if task.Status != procedure.Failed {
			continue
		}
		name := s.Plan.Tasks[i].Name
		m, f := d.Machines[indexOf(d, name)], armed[name]
		if !slices.Contains(s.Remaining(), name) {
			t.Errorf("%s failed and is not listed", name)
		}
		other := slices.ContainsFunc(s.Plan.Tasks[i].Peers, func(p procedure.Host) bool { return armed[p.Name].code != "" })
		switch {
		case f.code != "" && task.Code == f.code:
			survived++
			f.code = "mended"
		case f.code == "mended", other: // what its peer has, or what is left of it after the first repair
		default:
			t.Errorf("%s (%s) failed with %s %s", name, f.name, task.Code, task.Detail)
		}
		armed[name] = f
		for _, h := range append(s.Plan.Tasks[i].Peers, s.Plan.Tasks[i].Host) {
			if peer := d.Machines[indexOf(d, h.Name)]; h.Name == name || armed[h.Name].name == "wrong host key" && task.Code == "peer_away" {
				if h.Name != name && armed[h.Name].code == "host_key_changed" {
					survived++
					armed[h.Name] = fault{name: "wrong host key", code: "mended"}
				}
				peer.HostKey(t, peer.Key)
			}
		}
		m.Repair(t)
	}
	return survived
}

// mutant takes the pair rule away: every machine is a unit of its own. The watch must see it.
func mutant(t *testing.T) (caught bool) {
	t.Helper()
	d := newDesk(t, pair(inventory.PeripheralGateway, "PG1", 700*time.Millisecond)...)
	p := d.plan(t, procedure.PatchInstall, "12.6(1)ES4", nil)
	for i := range p.Tasks {
		p.Tasks[i].Group, p.Tasks[i].Side, p.Tasks[i].Peers = p.Tasks[i].Name, inventory.SideA, nil
	}
	s, err := d.run(t, p)
	if err != nil {
		t.Fatalf("%v\n%s", err, describe(s))
	}
	return d.BothDisturbed(t) > 0
}

// Proof 4.5: procedures with faults, and a control node that is killed at every step.
func TestNothingDisturbsBothOfAPairWhateverGoesWrong(t *testing.T) {
	t.Parallel()
	kills, steps, twice, both := killTests(t)
	d := newDesk(t, fourteen()...)
	all, rounds := faults(), 1
	if os.Getenv("LONG") != "" {
		rounds = len(all)
	}
	survived := 0
	for round := range rounds {
		survived += d.faulty(t, round, all)
	}
	both += d.BothDisturbed(t)
	tried := rounds * len(all)
	caught := mutant(t)
	if survived != tried || both != 0 || twice != 0 || !caught || kills != 4*steps {
		t.Errorf("survived %d of %d, both disturbed %d, twice %d, mutant caught %v, %d kills in %d steps", survived, tried,
			both, twice, caught, kills, steps)
	}
	failed := 0
	if t.Failed() {
		failed = 1
	}
	fmt.Printf("proof 4.5 targets=%d faults=%d survived=%d steps=%d killed_at_four_moments_of_each=%d done_twice=%d both_of_a_pair=%d mutant_without_pair_rule=%s tried=%d failed=%d\n",
		len(d.Machines), tried, survived, steps, kills, twice, both, strings.TrimSpace(map[bool]string{true: "caught", false: "missed"}[caught]), tried+kills, failed)
}
