package procedure_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/target"
	"connecthub/nodeclient/journal"
)

var at = time.Unix(1_800_000_000, 0).UTC()

func host(name string, p inventory.Product, group string, side inventory.Side) procedure.Host {
	h := procedure.Host{Name: name, Address: name + ":22", User: "u", Product: p, Group: group, Side: side}
	if p.VOS() {
		h.Type = map[inventory.Side]inventory.NodeType{"A": inventory.Publisher, "B": inventory.Subscriber}[side]
	}
	return h
}

func hosts() []procedure.Host {
	return []procedure.Host{
		host("f-sub", inventory.Finesse, "Finesse-Cluster-1", "B"), host("f-pub", inventory.Finesse, "Finesse-Cluster-1", "A"),
		host("vvb1", inventory.VVB, "VVB-Cluster-1", "A"), host("vvb2", inventory.VVB, "VVB-Cluster-2", "A"),
		host("cvp1", inventory.CVPServer, "CVP1", "A"), host("cvp2", inventory.CVPServer, "CVP1", "B"),
		host("pgb", inventory.PeripheralGateway, "PG1", "B"), host("pga", inventory.PeripheralGateway, "PG1", "A"),
		host("rgrb", inventory.Rogger, "RGR1", "B"), host("rgra", inventory.Rogger, "RGR1", "A"),
	}
}

func build(t *testing.T, kind procedure.Kind, change func(*procedure.Plan)) procedure.Plan {
	t.Helper()
	facts, err := compat.Load()
	if err != nil {
		t.Fatal(err)
	}
	p := procedure.Plan{ID: "p1", Kind: kind, Created: at, DeploymentType: inventory.UCCE2000, Parallel: 10}
	if change != nil {
		change(&p)
	}
	var chosen []procedure.Chosen
	for _, h := range hosts() {
		chosen = append(chosen, procedure.Chosen{Host: h, To: compat.Version{Major: 12, Minor: 6, Maintenance: 2},
			File: &target.File{Path: "x/y.exe", Size: 1}})
	}
	p, err = procedure.Build(p, facts, chosen, hosts())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func order(p procedure.Plan) string {
	var b strings.Builder
	for i, t := range p.Tasks {
		if i > 0 && t.Stage != p.Tasks[i-1].Stage {
			b.WriteString("| ")
		}
		b.WriteString(t.Name + " ")
	}
	return strings.TrimSpace(b.String())
}

func TestAPlanGoesStageByStageWithPublisherAndSideAFirst(t *testing.T) {
	t.Parallel()
	for kind, want := range map[procedure.Kind]string{
		procedure.Upgrade:      "cvp1 cvp2 | vvb1 vvb2 | f-pub f-sub | rgra | rgrb | pga pgb",
		procedure.Rollback:     "pga pgb | rgra | rgrb | f-pub f-sub | vvb1 vvb2 | cvp1 cvp2",
		procedure.PatchInstall: "f-pub vvb1 vvb2 cvp1 pga rgra f-sub cvp2 pgb rgrb",
	} {
		if got := order(build(t, kind, nil)); got != want {
			t.Errorf("%s: %s", kind, got)
		}
	}
	steps := map[string]string{}
	for _, task := range build(t, procedure.Upgrade, func(p *procedure.Plan) { p.Switch = true }).Tasks {
		steps[task.Name] = fmt.Sprint(task.Steps)
	}
	if steps["f-pub"] != "[check copy install switch verify]" || steps["pga"] != "[check copy install restart verify]" {
		t.Errorf("%v", steps)
	}
	bad := build(t, procedure.Upgrade, nil)
	bad.Tasks[1].Name = bad.Tasks[0].Name
	if bad.Check() == nil {
		t.Error("a machine is in the plan twice")
	}
}

// walk applies random events that Next allows, and fails tasks now and then; watch sees every state.
func walk(t *testing.T, p procedure.Plan, seed uint64, fails bool, watch func(procedure.State)) procedure.State {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	s, err := procedure.Begin(p)
	if err != nil {
		t.Fatal(err)
	}
	active := map[int]bool{}
	for range 5000 {
		for _, i := range s.Next(active) {
			active[i] = true
		}
		if len(active) == 0 {
			break
		}
		var all []int
		for i := range active {
			all = append(all, i)
		}
		slices.Sort(all)
		i := all[r.IntN(len(all))]
		e := procedure.Event{At: at, What: procedure.Begun, Task: i, Step: s.Tasks[i].Step}
		if s.Tasks[i].Begun {
			if e.What = procedure.Finished; fails && r.IntN(20) == 0 {
				e.What, e.Final = procedure.Broke, true
			}
		}
		next, err := s.Apply(e)
		if errors.Is(err, procedure.ErrOrder) && e.What == procedure.Begun { // another one failed
			delete(active, i)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s = next
		if s.Tasks[i].Status == procedure.Done || s.Tasks[i].Status == procedure.Failed {
			delete(active, i)
		}
		watch(s)
	}
	return s
}

func TestNoWayThroughAPlanDisturbsTwoOfAUnitOrANextStage(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		p := build(t, procedure.Kinds()[seed%7], func(p *procedure.Plan) { p.Parallel = int(1 + seed%10) })
		failed := false
		s := walk(t, p, seed, seed%3 > 0, func(s procedure.State) {
			running, units := 0, map[string]int{}
			for i, task := range s.Tasks {
				if task.Disturbs {
					units[p.Tasks[i].Unit()]++
				}
				if task.Status == procedure.Running {
					running++
				}
				for j := range s.Tasks {
					if p.Tasks[j].Stage < p.Tasks[i].Stage && task.Status != procedure.Pending && s.Tasks[j].Status != procedure.Done {
						t.Fatalf("%s was begun before %s was done", p.Tasks[i].Name, p.Tasks[j].Name)
					}
				}
				failed = failed || task.Status == procedure.Failed
			}
			for unit, n := range units {
				if n > 1 {
					t.Fatalf("%d of %s are disturbed", n, unit)
				}
			}
			if !failed && running > p.Parallel {
				t.Fatalf("%d at once, not %d", running, p.Parallel)
			}
		})
		end, err := s.Apply(procedure.Event{At: at, What: procedure.Ended})
		if err != nil || (end.Status == procedure.Failed) != failed || (end.Status == procedure.Done) != (len(end.Remaining()) == 0) {
			t.Fatalf("%v %v %s %v", seed, err, end.Status, end.Remaining())
		}
	}
}

func TestTheJournalRefusesToDisturbTheOtherOfAPair(t *testing.T) {
	t.Parallel()
	p := build(t, procedure.PatchInstall, nil)
	s, err := procedure.Begin(p)
	if err != nil {
		t.Fatal(err)
	}
	a := slices.IndexFunc(p.Tasks, func(t procedure.Task) bool { return t.Name == "pga" })
	b := slices.IndexFunc(p.Tasks, func(t procedure.Task) bool { return t.Name == "pgb" })
	apply := func(task int, what string) error {
		next, err := s.Apply(procedure.Event{At: at, What: what, Task: task, Step: s.Tasks[task].Step})
		if err == nil {
			s = next
		}
		return err
	}
	for range 2 { // check, copy
		for _, i := range []int{a, b} {
			if err := errors.Join(apply(i, procedure.Begun), apply(i, procedure.Finished)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := apply(a, procedure.Begun); err != nil {
		t.Fatal(err)
	}
	if err := apply(b, procedure.Begun); !errors.Is(err, procedure.ErrPair) {
		t.Errorf("%v", err)
	}
	if err := apply(a, procedure.Broke); err != nil {
		t.Fatal(err)
	}
	if err := apply(b, procedure.Begun); !errors.Is(err, procedure.ErrPair) && !errors.Is(err, procedure.ErrOrder) {
		t.Errorf("after a failure: %v", err)
	}
	if err := apply(a, procedure.Finished); !errors.Is(err, procedure.ErrOrder) {
		t.Errorf("a failed step was finished: %v", err)
	}
}

func TestWhatFailedIsTriedAgainAsAnotherOperationAndWhatIsUnknownAsTheSame(t *testing.T) {
	t.Parallel()
	p := build(t, procedure.PatchInstall, nil)
	for final, attempt := range map[bool]int{true: 2, false: 1} {
		s, err := procedure.Begin(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []procedure.Event{{What: procedure.Begun}, {What: procedure.Finished}, {What: procedure.Begun, Step: 1},
			{What: procedure.Broke, Step: 1, Final: final, Code: "x"}, {What: procedure.Ended}, {What: procedure.Resumed}} {
			if s, err = s.Apply(e); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.Tasks[0]; got.Attempt != attempt || got.Step != 1 || got.Status != procedure.Running || s.Status != procedure.Running || s.Runs != 2 {
			t.Errorf("%v: %+v", final, got)
		}
		if _, err := s.Apply(procedure.Event{What: procedure.GivenUp}); err != nil {
			t.Error(err)
		}
	}
}

func TestAJournalIsWhatItWasAfterATornLineAndRefusesAChangedOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := procedure.Last(dir); !errors.Is(err, procedure.ErrNone) {
		t.Errorf("%v", err)
	}
	p := build(t, procedure.PatchInstall, nil)
	j, err := procedure.Create(dir, p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := procedure.Create(dir, p); err == nil {
		t.Error("one procedure was begun twice")
	}
	for _, what := range []string{procedure.Begun, procedure.Finished} {
		if _, err := j.Add(procedure.Event{At: at, What: what}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Add(procedure.Event{At: at, What: procedure.Finished}); !errors.Is(err, procedure.ErrOrder) {
		t.Errorf("%v", err)
	}
	_ = j.Close()
	path := filepath.Join(procedure.Folder(dir), "p1.journal")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len("12345678 {") {
		if err := os.WriteFile(path, append(slices.Clone(whole), journal.Line([]byte(`{"what":"begun","step":1}`))[:cut]...), 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := procedure.Open(dir, "p1")
		if err != nil || j.State().Tasks[0].Step != 1 {
			t.Fatalf("%d: %v", cut, err)
		}
		if _, err := j.Add(procedure.Event{At: at, What: procedure.Begun, Step: 1}); err != nil {
			t.Fatal(err)
		}
		_ = j.Close()
		if s, err := procedure.Load(dir, "p1"); err != nil || !s.Tasks[0].Begun {
			t.Fatalf("%d: %v", cut, err)
		}
	}
	spoilt := slices.Clone(whole)
	spoilt[len(spoilt)/2] ^= 1
	if err := os.WriteFile(path, spoilt, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := procedure.Load(dir, "p1"); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("%v", err)
	}
	if _, err := procedure.Load(dir, "../p1"); !errors.Is(err, procedure.ErrNone) {
		t.Errorf("%v", err)
	}
}

func TestTheOldestJournalsGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 60 {
		p := build(t, procedure.PatchInstall, func(p *procedure.Plan) { p.ID = procedure.NewID(at.Add(time.Duration(i) * time.Second)) })
		j, err := procedure.Create(dir, p)
		if err != nil {
			t.Fatal(err)
		}
		if i != 5 { // what may be gone on with stays
			if _, err := j.Add(procedure.Event{At: at, What: procedure.GivenUp}); err != nil {
				t.Fatal(err)
			}
		}
		_ = j.Close()
	}
	ids, err := procedure.List(dir)
	if err != nil || len(ids) != 51 || !strings.HasPrefix(ids[0], at.Add(59*time.Second).Format("20060102-150405")) {
		t.Errorf("%d %v %v", len(ids), ids[:1], err)
	}
}
