package procedure_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/journal"
)

// planOf is a procedure over those of the machines that are picked.
func planOf(t *testing.T, kind procedure.Kind, all []procedure.Host, pick func(procedure.Host) bool) (procedure.Plan, error) {
	t.Helper()
	facts, err := compat.Load()
	if err != nil {
		t.Fatal(err)
	}
	var chosen []procedure.Chosen
	for _, h := range all {
		if pick(h) {
			chosen = append(chosen, procedure.Chosen{Host: h, To: compat.Version{Major: 12, Minor: 6, Maintenance: 2}})
		}
	}
	return procedure.Build(procedure.Plan{ID: "p1", Kind: kind, Created: at, Parallel: 10, DeploymentType: inventory.UCCE4000},
		facts, chosen, all)
}

// together answers which machines are disturbed at one moment, when all that may begin do; after it the
// most that ever were, on the way through.
func together(t *testing.T, p procedure.Plan) (first string, sides map[string]bool) {
	t.Helper()
	sides = map[string]bool{}
	walk(t, p, 1, false, func(s procedure.State) {
		var names []string
		both := map[string]map[inventory.Side]bool{}
		for i, task := range s.Tasks {
			if !task.Disturbs {
				continue
			}
			h := p.Tasks[i].Host
			names = append(names, h.Name)
			if both[p.Tasks[i].Family] == nil {
				both[p.Tasks[i].Family] = map[inventory.Side]bool{}
			}
			both[p.Tasks[i].Family][h.Side] = true
		}
		for family, of := range both {
			if len(of) > 1 {
				t.Fatalf("%s of both sides of %s are disturbed", names, family)
			}
		}
		sides[strings.Join(names, " ")] = true
	})
	s, err := procedure.Begin(p)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range s.Next(nil) {
		names = append(names, p.Tasks[i].Name)
	}
	return strings.Join(names, " "), sides
}

func everyone(procedure.Host) bool { return true }

func TestBothSidesOfAProductAreNeverDisturbedTogetherWhateverTheProcedure(t *testing.T) {
	t.Parallel()
	var vvbs []procedure.Host
	for i := range 8 {
		h := host(fmt.Sprint("vvb", i), inventory.VVB, fmt.Sprint("VVB-Cluster-", i+1), []inventory.Side{"A", "B"}[i%2])
		h.Type = inventory.Publisher
		vvbs = append(vvbs, h)
	}
	core := []procedure.Host{host("ra", inventory.Router, "R", "A"), host("rb", inventory.Router, "R", "B"),
		host("la", inventory.Logger, "L", "A"), host("lb", inventory.Logger, "L", "B")}
	crossed := []procedure.Host{host("p1", inventory.Finesse, "Finesse-Cluster-1", "A"), host("s1", inventory.Finesse, "Finesse-Cluster-1", "B"),
		host("p2", inventory.Finesse, "Finesse-Cluster-2", "B"), host("s2", inventory.Finesse, "Finesse-Cluster-2", "A")}
	for i := range crossed {
		crossed[i].Type = []inventory.NodeType{inventory.Publisher, inventory.Subscriber}[i%2]
	}
	for _, kind := range []procedure.Kind{procedure.PatchInstall, procedure.PatchRollback, procedure.MSInstall, procedure.Upgrade,
		procedure.SwitchForward, procedure.Rollback} {
		for _, c := range []struct {
			all   []procedure.Host
			pick  func(procedure.Host) bool
			first string
		}{
			{vvbs, everyone, "vvb0 vvb2 vvb4 vvb6"},
			{core, func(h procedure.Host) bool { return h.Name == "ra" || h.Name == "lb" }, "ra"},
			{core, everyone, "ra la"},
			{crossed, everyone, "p1"},
		} {
			p, err := planOf(t, kind, c.all, c.pick)
			if err != nil {
				t.Fatal(err)
			}
			if first, _ := together(t, p); first != c.first {
				t.Errorf("%s: %s begin, not %s", kind, first, c.first)
			}
		}
	}
	_, err := planOf(t, procedure.Maintenance, core, func(h procedure.Host) bool { return h.Name == "ra" || h.Name == "lb" })
	var both *procedure.TogetherError
	if !errors.As(err, &both) || both.Same || both.A != "ra" || both.B != "lb" {
		t.Errorf("maintenance: %v", err)
	}
	if _, err := planOf(t, procedure.Maintenance, core, func(h procedure.Host) bool { return h.Side == "A" }); err != nil {
		t.Error(err)
	}
}

func TestAMachineInTwoProductsIsKeptFromThePeersOfBoth(t *testing.T) {
	t.Parallel()
	all := []procedure.Host{host("m1", inventory.Rogger, "RGR", "A"), host("m2", inventory.Rogger, "RGR", "B"),
		host("M1", inventory.Distributor, "AW", "B"), host("m3", inventory.Distributor, "AW", "A")}
	p, err := planOf(t, procedure.PatchInstall, all, func(h procedure.Host) bool { return h.Name == "M1" || h.Name == "m2" })
	if err != nil {
		t.Fatal(err)
	}
	var peers []string
	for _, h := range p.Tasks[slices.IndexFunc(p.Tasks, func(t procedure.Task) bool { return t.Name == "M1" })].Peers {
		peers = append(peers, h.Name)
	}
	if fmt.Sprint(peers) != "[m2 m3]" {
		t.Errorf("%v", peers)
	}
	if first, moments := together(t, p); first != "m2" && first != "M1" || moments["m2 M1"] || moments["M1 m2"] {
		t.Errorf("%s, %v", first, moments)
	}
	if _, err := planOf(t, procedure.PatchInstall, all, func(h procedure.Host) bool { return strings.EqualFold(h.Name, "m1") }); err == nil {
		t.Error("one machine is in the plan twice")
	}
}

func TestOneMachineUnderTwoNamesIsRefused(t *testing.T) {
	t.Parallel()
	all := []procedure.Host{host("rgr1", inventory.Rogger, "RGR", "A"), host("rgr1.example.com", inventory.Distributor, "AW", "B")}
	all[0].Key, all[1].Key = "SHA256:abc", "SHA256:abc"
	_, err := planOf(t, procedure.PatchInstall, all, func(h procedure.Host) bool { return h.Name == "rgr1" })
	var same *procedure.TogetherError
	if !errors.As(err, &same) || !same.Same || !strings.Contains(err.Error(), "rgr1 and rgr1.example.com show the same host key") {
		t.Errorf("%v", err)
	}
	all[1].Key = "SHA256:def"
	if _, err := planOf(t, procedure.PatchInstall, all, everyone); err != nil {
		t.Error(err)
	}
}

func TestAClockThatWasSetBackLosesNoJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	begin := func(now time.Time) procedure.Plan {
		t.Helper()
		id, err := procedure.NextID(dir, now)
		if err != nil {
			t.Fatal(err)
		}
		p := build(t, procedure.PatchInstall, func(p *procedure.Plan) { p.ID = id })
		j, err := procedure.Create(dir, p)
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		if last, err := procedure.Last(dir); err != nil || last.Plan.ID != id {
			t.Fatalf("%s is not the last: %s, %v", id, last.Plan.ID, err)
		}
		if _, err := j.Add(procedure.Event{At: now, What: procedure.GivenUp}); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for i := range 55 {
		begin(at.Add(-time.Duration(i) * time.Minute))
	}
	begin(at.Add(-24 * time.Hour))
	begin(at.Add(-24 * time.Hour))
	p := begin(at.Add(time.Hour))
	if want := at.Add(time.Hour).Format("20060102-150405"); !strings.HasPrefix(p.ID, want) {
		t.Errorf("%s, not %s", p.ID, want)
	}
	if ids, err := procedure.List(dir); err != nil || len(ids) != 50 {
		t.Errorf("%d %v", len(ids), err)
	}
}

func TestWhatFailedGoesBackToTheFileAndItsRestartIsNotForgotten(t *testing.T) {
	t.Parallel()
	p := build(t, procedure.PatchInstall, nil)
	var steps []string
	for _, s := range p.Tasks[0].Steps {
		steps = append(steps, s.String())
	}
	for failed, wants := range map[string]bool{"patch": false, "restart": true, "verify": false} {
		s, err := procedure.Begin(p)
		if err != nil {
			t.Fatal(err)
		}
		apply := func(e procedure.Event) {
			t.Helper()
			if s, err = s.Apply(e); err != nil {
				t.Fatal(err)
			}
		}
		for i, step := range steps {
			apply(procedure.Event{What: procedure.Begun, Step: i, Boot: "1"})
			if step == failed {
				apply(procedure.Event{What: procedure.Broke, Step: i, Final: true, Code: "x"})
				break
			}
			apply(procedure.Event{What: procedure.Finished, Step: i, Wants: step == "patch"})
		}
		apply(procedure.Event{What: procedure.Resumed})
		got := s.Tasks[0]
		if steps[got.Step] != "copy" || got.Begun || !got.Back || got.Wants != wants || (got.Boot != "") != wants {
			t.Errorf("%s: %+v", failed, got)
		}
	}
}

func TestADamagedJournalIsSaidAndPutAside(t *testing.T) {
	t.Parallel()
	for name, tail := range map[string]string{"not ours": "abc\n", "out of order": "", "too large": strings.Repeat("x", 65<<20)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := build(t, procedure.PatchInstall, nil)
			j, err := procedure.Create(dir, p)
			if err != nil {
				t.Fatal(err)
			}
			_ = j.Close()
			if tail == "" {
				tail = string(journal.Line([]byte(`{"what":"finished","task":3}`)))
			}
			where := filepath.Join(procedure.Folder(dir), p.ID+".journal")
			f, err := os.OpenFile(where, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteString(tail)
			}
			if err != nil || f.Close() != nil {
				t.Fatal(err)
			}
			if _, err := procedure.Last(dir); !errors.Is(err, journal.ErrDamaged) {
				t.Fatalf("%v", err)
			}
			aside, err := procedure.SetAside(dir)
			if _, missing := os.Stat(aside); err != nil || missing != nil {
				t.Error(aside, err)
			}
			if _, err := procedure.Last(dir); !errors.Is(err, procedure.ErrNone) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestNotesDoNotFillAJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := procedure.Create(dir, build(t, procedure.PatchInstall, nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Add(procedure.Event{At: at, What: procedure.Begun}); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	where := filepath.Join(procedure.Folder(dir), "p1.journal")
	line := journal.Line([]byte(`{"what":"note","detail":"` + strings.Repeat("x", 1000) + `"}`))
	f, err := os.OpenFile(where, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.Write([]byte(strings.Repeat(string(line), 33<<20/len(line))))
	}
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	if j, err = procedure.Open(dir, "p1"); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	before, _ := os.Stat(where)
	if _, err := j.Add(procedure.Event{At: at, What: procedure.Noted, Detail: "dropped"}); err != nil {
		t.Error(err)
	}
	if after, _ := os.Stat(where); after.Size() != before.Size() {
		t.Error("a note was written")
	}
	if s, err := j.Add(procedure.Event{At: at, What: procedure.Finished}); err != nil || s.Tasks[0].Step != 1 {
		t.Error(err)
	}
}
