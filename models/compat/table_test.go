package compat_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"connecthub/models/compat"
	"connecthub/models/inventory"
)

func version(text string) compat.Version {
	var v compat.Version
	if err := v.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return v
}

func state(p inventory.Product, v string, packages ...string) compat.State {
	return compat.State{Machine: strings.ToLower(string(p)), Product: p, Version: version(v),
		Packages: packages}
}

// said is what came out, in the form of the tables below: codes, or what is there, parted by spaces.
func said(r compat.Refusals) string {
	words := make([]string, len(r))
	for i, one := range r {
		words[i] = string(one.Code)
		if one.Code == compat.NotOnboarded || strings.HasPrefix(string(one.Code), "must_") {
			words[i] += ":" + one.Product
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

const (
	enable = "ucos.orchestration.enable-12.5.1.cop.sgn"
	key1   = "ucos.keymanagement.v01.cop.sgn"
	key2   = "ucos.keymanagement.v02.cop.sgn"
	key    = "ucos.keymanagement.cop.sgn"
)

// requirements is written from the documents' table, not from the data file.
var requirements = []struct {
	products string
	version  string
	packages []string
	want     string
}{
	{"CloudConnect", "12.5(1)", nil, "needs_version"},
	{"CloudConnect", "12.6(1)", nil, "needs_version"},
	{"CloudConnect", "12.6(1)ES2", nil, "needs_version"},
	{"CloudConnect", "12.6(1)ES3", nil, ""},
	{"CloudConnect", "12.6(1)ES4", nil, ""},
	{"CloudConnect", "12.6(2)", nil, ""},
	{"CloudConnect", "15.0(1)", nil, ""},
	{"LOGGER ROUTER ROGGER DISTRIBUTOR PG", "12.0(1)", nil, "release_too_old"},
	{"LOGGER ROUTER ROGGER DISTRIBUTOR PG", "12.5(1)", nil, "needs_patches"},
	{"LOGGER ROUTER ROGGER DISTRIBUTOR PG", "12.5(1)ES55", nil, "needs_patches"},
	{"LOGGER ROUTER ROGGER DISTRIBUTOR PG", "12.5(1)ES65", nil, "needs_patches"},
	{"LOGGER ROUTER ROGGER DISTRIBUTOR PG", "12.5(1)ES66", nil, ""},
	{"LOGGER ROUTER ROGGER DISTRIBUTOR PG", "12.5(1)ES70", nil, ""},
	{"LOGGER ROUTER ROGGER DISTRIBUTOR PG", "12.5(2)", nil, ""},
	{"LOGGER ROUTER ROGGER DISTRIBUTOR PG", "12.6(1)", nil, ""},
	{"LOGGER ROUTER ROGGER DISTRIBUTOR PG", "", nil, "version_unknown"},
	{"Finesse CUIC CUIC_LiveData_IdS LiveData IdS VVB", "12.5(1)", nil, "needs_package needs_package"},
	{"Finesse CUIC CUIC_LiveData_IdS LiveData IdS VVB", "12.5(1)ES9", []string{enable}, "needs_package"},
	{"Finesse CUIC CUIC_LiveData_IdS LiveData IdS VVB", "12.5(1)", []string{key}, "needs_package"},
	{"Finesse CUIC CUIC_LiveData_IdS LiveData IdS VVB", "12.5(1)", []string{key, enable}, ""},
	{"Finesse CUIC CUIC_LiveData_IdS LiveData IdS VVB", "12.5(1)", []string{enable, key1}, ""},
	{"Finesse CUIC CUIC_LiveData_IdS LiveData IdS VVB", "12.5(1)", []string{enable, key2}, ""},
	{"Finesse CUIC CUIC_LiveData_IdS LiveData IdS VVB", "12.5(1)",
		[]string{"ucos.orchestration.enable-12.5.2.cop.sgn", "ucos.keymanagement.cop.sgn.bak"}, "needs_package needs_package"},
	{"Finesse CUIC CUIC_LiveData_IdS LiveData IdS VVB", "12.6(1)", nil, "needs_package"},
	{"Finesse CUIC CUIC_LiveData_IdS LiveData IdS VVB", "12.6(1)", []string{"my-" + key1}, "needs_package"},
	{"Finesse CUIC CUIC_LiveData_IdS LiveData IdS VVB", "12.6(1)", []string{key1}, ""},
	{"Finesse CUIC CUIC_LiveData_IdS LiveData IdS VVB", "12.6(2)", nil, ""},
	{"Finesse CUIC CUIC_LiveData_IdS LiveData IdS VVB", "12.0(1)", []string{enable, key}, "release_too_old"},
	{"CVPOAMP CVPREPORTING CVPSERVER", "12.5(1)", nil, "needs_version"},
	{"CVPOAMP CVPREPORTING CVPSERVER", "12.5(1)ES22", nil, "needs_version"},
	{"CVPOAMP CVPREPORTING CVPSERVER", "12.5(1)ES23", nil, ""},
	{"CVPOAMP CVPREPORTING CVPSERVER", "12.6(1)", nil, ""},
	{"CTIOS ECE UCM CUBE CVPserver", "12.6(1)", nil, "not_orchestrated"},
}

// ways: every pair of these releases is tried; what is not here is "path_unknown".
var releases = []string{"12.0(1)", "12.5(1)", "12.5(2)", "12.6(1)", "12.6(2)", "15.0(1)"}

var ways = map[string]string{
	"12.5(1) 12.5(2)": "", "12.5(1) 12.6(1)": "", "12.5(1) 12.6(2)": "", "12.5(2) 12.6(2)": "",
	"12.6(1) 12.6(2)": "", "12.5(2) 15.0(1)": "", "12.6(1) 15.0(1)": "", "12.6(2) 15.0(1)": "",
	"12.5(2) 12.6(1)": "path_refused",
}

var notAllNodes = []string{"12.5(1) 12.5(2)", "12.5(2) 15.0(1)", "12.6(1) 15.0(1)", "12.6(2) 15.0(1)"}

type tally struct {
	tried int
	wrong []string
}

func (y *tally) same(what, got, want string) {
	y.tried++
	if got != want {
		y.wrong = append(y.wrong, fmt.Sprintf("%s: %q, want %q", what, got, want))
	}
}

func tryRequirements(f *compat.Facts, y *tally) {
	for _, row := range requirements {
		for p := range strings.FieldsSeq(row.products) {
			got := f.Requirements(state(inventory.Product(p), row.version, row.packages...))
			y.same(fmt.Sprint(p, " ", row.version, row.packages), said(got), row.want)
		}
	}
	for v, want := range map[string]string{"12.6(1)ES3": "advised_version", "12.6(1)ES4": "", "12.6(2)": ""} {
		y.same("advice "+v, said(f.Advice(state(compat.CloudConnect, v))), want)
	}
	for v, want := range map[string]string{"12.6(1)ES2": "needs_version", "12.6(1)ES3": ""} {
		y.same("proxy "+v, said(f.Supports(compat.FeatureProxy, state(compat.CloudConnect, v))), want)
	}
	for _, row := range []struct{ has, patch, want string }{
		{"12.5(1)", "12.5(1)ES55", ""}, {"12.5(1)", "12.5(1)ES66", "needs_patch_before"},
		{"12.5(1)ES54", "12.5(1)ES66", "needs_patch_before"}, {"12.5(1)ES55", "12.5(1)ES66", ""},
		{"12.5(1)ES66", "12.5(1)ES66", "already_there"}, {"12.5(1)ES66", "12.5(1)ES55", "would_go_back"},
		{"12.6(1)", "12.5(1)ES66", "other_release"}, {"12.6(1)", "12.6(2)", "not_a_patch"},
		{"12.6(1)", "12.6(1)ES1", ""}, {"15.0(1)", "15.0(1)SU1", ""},
		{"15.0(1)", "15.0(1)SU1ES1", "needs_patch_before"}, {"15.0(1)SU1", "15.0(1)SU1ES1", ""},
	} {
		y.same("patch "+row.has+" "+row.patch, said(f.Patch(state(inventory.Rogger, row.has),
			version(row.patch))), row.want)
	}
}

func tryPaths(f *compat.Facts, y *tally) {
	for _, from := range releases {
		for _, to := range releases {
			for _, es := range []string{"", "ES66"} {
				way := from + " " + to
				want, listed := ways[way]
				switch compat.Version.Compare(version(from), version(to)) {
				case 1:
					want = "would_go_back"
				case 0:
					if want = "already_there"; es != "" {
						want = "would_go_back"
					}
				default:
					if !listed {
						want = "path_unknown"
					}
				}
				y.same("path "+way+es, said(f.Upgrade(state(inventory.Rogger, from+es), version(to))), want)
			}
			if _, ok := ways[from+" "+to]; ok {
				got := f.AllNodes(inventory.UCCE2000, []compat.State{state(inventory.Rogger, from)}, version(to))
				want := ""
				if slices.Contains(notAllNodes, from+" "+to) {
					want = "not_all_nodes_path"
				}
				y.same("all nodes "+from+" "+to, said(got), want)
			}
		}
	}
	disk := func(gib int64) compat.State {
		s := state(compat.CloudConnect, "12.5(1)", key)
		s.Disk = gib << 30
		return s
	}
	none := disk(246)
	none.Packages = nil
	for _, row := range []struct {
		s        compat.State
		to, want string
	}{
		{disk(146), "12.6(1)", "needs_disk"}, {disk(245), "12.6(1)", "needs_disk"}, {disk(246), "12.6(1)", ""},
		{none, "12.6(1)", "needs_package"}, {disk(146), "12.5(2)", ""},
		{state(inventory.Finesse, "12.6(1)", key1), "12.6(2)", "needs_package"},
		{state(inventory.VVB, "12.6(1)", key), "15.0(1)", "needs_package"},
		{state(inventory.LiveData, "12.6(1)", key2), "12.6(2)", ""},
		{state(inventory.Finesse, "12.5(1)", key1, enable), "12.6(1)", ""},
		{state(inventory.Rogger, "12.6(1)"), "12.6(1)ES4", "is_a_patch"},
	} {
		y.same(fmt.Sprint("way ", row.s, row.to), said(f.Upgrade(row.s, version(row.to))), row.want)
	}
	for _, row := range []struct{ control, to, want string }{
		{"12.5(1)", "12.6(1)", "cloud_connect_too_old"}, {"12.6(1)ES3", "12.5(1)ES70", ""},
		{"12.6(1)ES3", "12.6(1)", ""}, {"12.6(1)ES4", "12.6(2)", "cloud_connect_too_old"},
		{"12.6(2)", "12.6(2)", ""}, {"12.6(2)", "15.0(1)", "cloud_connect_too_old"}, {"15.0(1)SU1", "15.0(1)SU1", ""},
	} {
		y.same("reach "+row.control+" "+row.to, said(f.Orchestrated(inventory.UCCE2000, version(row.control),
			inventory.Rogger, version(row.to))), row.want)
	}
}

// deployment is a whole one, each product at its own version; "-" is not onboarded.
func deployment(at map[inventory.Product]string, rest string, standalone bool) []compat.State {
	all := []inventory.Product{inventory.CVPOAMP, inventory.CVPReporting, inventory.CVPServer, inventory.VVB,
		inventory.Finesse, inventory.Rogger, inventory.Distributor, inventory.PeripheralGateway}
	if standalone {
		all = append(all, inventory.CUIC, inventory.LiveData, inventory.IdentityService)
	} else {
		all = append(all, inventory.CUICCoResident)
	}
	var states []compat.State
	for _, p := range all {
		v, ok := at[p]
		if !ok {
			v = rest
		}
		if v != "-" {
			states = append(states, state(p, v))
		}
	}
	return states
}

// tryTheRogger is the documents' own example, to both releases, in both sizes: Finesse, CVP, VVB and
// CUIC (with Live Data and the Identity Service) are there first, the PG may stay behind.
func tryTheRogger(f *compat.Facts, y *tally) {
	first := map[bool][]inventory.Product{
		false: {inventory.Finesse, inventory.CVPServer, inventory.VVB, inventory.CUICCoResident},
		true: {inventory.Finesse, inventory.CVPServer, inventory.VVB, inventory.CUIC, inventory.LiveData,
			inventory.IdentityService},
	}
	for _, to := range []struct{ to, from, pg string }{
		{"12.6(1)", "12.5(1)ES66", "12.0(1) 12.5(1) 12.6(1)"}, {"12.6(2)", "12.5(2)", "12.5(2) 12.6(1) 12.6(2)"}} {
		for _, t := range inventory.DeploymentTypes() {
			big := strings.Contains(string(t), "4000")
			begin := map[inventory.Product]string{inventory.Rogger: to.from, inventory.Distributor: to.from}
			check := func(at map[inventory.Product]string) string {
				return said(f.Check(t, deployment(at, to.to, big), inventory.Rogger, version(to.to)))
			}
			for _, pg := range releases {
				want := "must_catch_up:PG"
				if slices.Contains(strings.Fields(to.pg), pg) {
					want = ""
				} else if version(to.to).Less(version(pg)) {
					want = "must_go_back_first:PG"
				}
				begin[inventory.PeripheralGateway] = pg
				y.same(fmt.Sprint("Rogger ", t, " ", to.to, " PG ", pg), check(begin), want)
			}
			begin[inventory.PeripheralGateway] = to.from
			y.same(fmt.Sprint("Rogger ", t, to.to), check(begin), "")
			for _, p := range first[big] {
				begin[p] = "12.5(1)"
				y.same(fmt.Sprint("Rogger ", t, to.to, p), check(begin), "must_go_first:"+string(p))
				begin[p] = "-"
				y.same(fmt.Sprint("Rogger ", t, to.to, "no ", p), check(begin), "not_onboarded:"+string(p))
				begin[p] = ""
				y.same(fmt.Sprint("Rogger ", t, to.to, "some ", p), check(begin), "version_unknown")
				delete(begin, p)
			}
			begin[inventory.PeripheralGateway] = "-"
			y.same(fmt.Sprint("Rogger ", t, to.to, " no PG"), check(begin), "not_onboarded:PG")
		}
	}
}

func tryChecks(f *compat.Facts, y *tally) {
	const cvp, rogger, pg = inventory.CVPServer, inventory.Rogger, inventory.PeripheralGateway
	for _, row := range []struct {
		name, rest string
		at         map[inventory.Product]string
		p          inventory.Product
		to, want   string
	}{
		{"the first of all", "12.5(1)", nil, cvp, "12.6(1)", ""},
		{"CVP to 12.6(2)", "12.5(1)", nil, cvp, "12.6(2)", ""},
		{"the order inside CVP is not checked", "12.5(1)", map[inventory.Product]string{inventory.CVPOAMP: "12.0(1)"}, cvp, "12.6(1)", ""},
		{"the last of all", "12.6(1)", map[inventory.Product]string{pg: "12.5(1)"}, pg, "12.6(1)", ""},
		{"PG before anything else", "12.5(1)", nil, pg, "12.6(1)", "must_go_first:CUIC_LiveData_IdS must_go_first:CVPOAMP " +
			"must_go_first:CVPREPORTING must_go_first:CVPSERVER must_go_first:DISTRIBUTOR must_go_first:Finesse must_go_first:ROGGER must_go_first:VVB"},
		{"UCCE's maintenance release alone", "12.5(1)", nil, rogger, "12.5(2)", ""},
		{"Rogger back before the PG", "12.6(1)", nil, rogger, "12.5(1)", "must_go_back_first:DISTRIBUTOR must_go_back_first:PG"},
		{"PG back", "12.6(1)", nil, pg, "12.5(1)", ""},
		{"CVP back before the rest", "12.6(1)", map[inventory.Product]string{rogger: "12.5(1)", pg: "12.5(1)", inventory.Distributor: "12.5(1)"},
			cvp, "12.5(1)", "must_go_back_first:CUIC_LiveData_IdS must_go_back_first:Finesse must_go_back_first:VVB"},
		{"Finesse with CUIC, in either order", "12.5(1)", map[inventory.Product]string{cvp: "12.6(1)", inventory.CVPOAMP: "12.6(1)",
			inventory.CVPReporting: "12.6(1)", inventory.VVB: "12.6(1)"}, inventory.Finesse, "12.6(1)", ""},
	} {
		y.same(row.name, said(f.Check(inventory.UCCE2000, deployment(row.at, row.rest, false), row.p,
			version(row.to))), row.want)
	}
	mixed := deployment(map[inventory.Product]string{rogger: "12.5(2)"}, "12.5(1)", false)
	y.same("all nodes, mixed", said(f.AllNodes(inventory.UCCE2000, mixed, version("12.6(2)"))), "not_all_nodes_mixed")
	for _, t := range []inventory.DeploymentType{inventory.PCCE2000, inventory.PCCE4000} {
		y.same("all nodes of PCCE", said(f.AllNodes(t, mixed[:1], version("12.6(1)"))), "not_all_nodes")
		y.same("CVPOAMP of PCCE", said(f.Orchestrated(t, version("15.0(1)"), inventory.CVPOAMP,
			version("12.6(1)"))), "not_orchestrated_here")
	}
	y.same("CVPOAMP of UCCE", said(f.Orchestrated(inventory.UCCE4000, version("15.0(1)"), inventory.CVPOAMP,
		version("12.6(1)"))), "")
	for _, row := range []struct{ active, inactive, forward, back string }{
		{"12.5(1)", "12.6(1)", "", "not_lower"}, {"12.6(1)", "12.5(1)", "not_higher", ""},
		{"12.6(1)", "12.6(1)", "not_higher", "not_lower"}, {"12.6(1)", "", "version_unknown", "version_unknown"},
	} {
		s := state(inventory.Finesse, row.active)
		y.same("forward "+row.active, said(f.SwitchForward(s, version(row.inactive))), row.forward)
		y.same("back "+row.active, said(f.Rollback(s, version(row.inactive))), row.back)
	}
}

// stages is the documents' table of stages, by what the inventory knows.
var stages = map[string]string{
	"2000": "1:CloudConnect 2:CVPOAMP,CVPREPORTING,CVPSERVER 3:VVB 4:CUIC,CUIC_LiveData_IdS,DISTRIBUTOR,Finesse,IdS,LOGGER,LiveData,ROGGER,ROUTER 5:PG 6: 7:",
	"4000": "1:CloudConnect 2:CVPOAMP,CVPREPORTING,CVPSERVER 3:VVB 4:IdS 5:Finesse 6:CUIC,CUIC_LiveData_IdS 7:DISTRIBUTOR,LOGGER,LiveData,ROGGER,ROUTER 8:PG 9: 10: 11:",
}

func tryStages(f *compat.Facts, y *tally) {
	for _, t := range inventory.DeploymentTypes() {
		all, err := f.Stages(t)
		if err != nil {
			y.same(string(t), err.Error(), "")
		}
		words := []string{}
		for _, s := range all {
			var names []string
			for _, step := range s.Steps {
				for _, p := range step {
					names = append(names, string(p))
					if n, _, ok := f.StageOf(t, p); !ok || n != s.Number {
						y.same(fmt.Sprint("stage of ", p), fmt.Sprint(n), fmt.Sprint(s.Number))
					}
				}
			}
			slices.Sort(names)
			words = append(words, fmt.Sprintf("%d:%s", s.Number, strings.Join(names, ",")))
		}
		y.same(string(t), strings.Join(words, " "), stages[strings.TrimSuffix(string(t)[len(t)-11:], "-Agents")])
	}
	y.same("sides", fmt.Sprint(f.CentralController()), "[{A [LOGGER ROUTER ROGGER] [DISTRIBUTOR] [] side_a_in_service} "+
		"{B [LOGGER ROUTER ROGGER] [] [DISTRIBUTOR] duplex}]")
	y.same("cluster", fmt.Sprint(f.ClusterOrder()), "[Publisher Subscriber]")
}

func tryDeploymentTypes(f *compat.Facts, y *tally) {
	judge := func(name string) string {
		t, err := f.DeploymentType(name)
		if err == nil && string(t) == name {
			return ""
		}
		var r compat.Refusal
		if errors.As(err, &r) {
			return strings.TrimSpace(string(r.Code) + " " + r.Needs)
		}
		return fmt.Sprint(t, err)
	}
	for _, kind := range []string{"UCCE", "PCCE", "HCS-CC"} {
		for _, size := range []string{"2000", "4000"} {
			exact := kind + "-" + size + "-Agents"
			y.same(exact, judge(exact), "")
			for _, other := range []string{strings.ToLower(exact), strings.ToUpper(exact), kind + "-" + size + "-agents"} {
				y.same(other, judge(other), "deployment_type_case "+exact)
			}
			for _, other := range []string{exact + " ", " " + exact, kind + size + "Agents", kind + "-" + size,
				kind + " - " + size + "-Agents", kind + "-" + size + " – エージェント", exact + "\n"} {
				y.same(other, judge(other), "deployment_type")
			}
		}
		for _, size := range []string{"12000", "24000", "26000", "36000"} {
			y.same(kind+size, judge(kind+"-"+size+"-Agents"), "deployment_type_unsupported")
		}
	}
	for _, name := range []string{"HCS-SCC", "HCS-SCC-Agents", "hcs-scc"} {
		y.same(name, judge(name), "deployment_type_unsupported")
	}
	y.same("none", judge(""), "deployment_type")
}

func tryAll(f *compat.Facts) *tally {
	y := &tally{}
	for _, try := range []func(*compat.Facts, *tally){tryRequirements, tryPaths, tryTheRogger, tryChecks, tryStages,
		tryDeploymentTypes} {
		try(f, y)
	}
	return y
}

// mutants change one fact each; the tables must notice every one.
var mutants = []struct{ file, from, to string }{
	{"requirements", `"12.6(1)ES3"], "advised"`, `"12.6(1)ES2"], "advised"`},
	{"requirements", `["12.5(1)ES55", "12.5(1)ES66"]`, `["12.5(1)ES55"]`},
	{"requirements", `["12.5(1)ES23"]`, `["12.5(1)ES22"]`},
	{"requirements", `[{"name": "ucos.orchestration.enable"}, `, `[`},
	{"requirements", `"least": 2`, `"least": 1`},
	{"requirements", `"disk_gib": 246`, `"disk_gib": 146`},
	{"requirements", `"after": "12.5(1)ES55"`, `"after": "12.5(1)ES54"`},
	{"products", `"LiveData", "IdS"]`, `"IdS"]}, {"family": "LD", "products": ["LiveData"]`},
	{"products", `["PCCE-2000-Agents", "PCCE-4000-Agents"]`, `["PCCE-2000-Agents"]`},
	{"products", `"to": "12.6(1)"`, `"to": "12.6(2)"`},
	{"paths", `{"from": "12.5(2)", "to": "12.6(1)", "why"`, `{"from": "12.5(2)", "to": "12.6(3)", "why"`},
	{"paths", `"to": "12.5(2)", "all_nodes": false`, `"to": "12.5(2)", "all_nodes": true`},
	{"paths", `"later_may_be": ["12.5(2)", "12.6(1)"], "why": "stated`, `"later_may_be": ["12.5(1)", "12.5(2)", "12.6(1)"], "why": "stated`},
	{"paths", `"later_may_be": ["12.0(1)", "12.5(1)"], "why": "stated`, `"later_may_be": ["12.5(1)"], "why": "stated`},
	{"deployments", `[["PG"]]`, `[]`},
	{"deployments", `"PCCE-4000-Agents", "stages": "4000", "all_nodes": false`, `"PCCE-4000-Agents", "stages": "4000", "all_nodes": true`},
	{"stages", `["LiveData"], ["LOGGER", "ROUTER", "ROGGER"]`, `["LOGGER", "ROUTER", "ROGGER", "LiveData"]`},
	{"stages", `["IdS"]], "by_hand": []},
      {"number": 5, "steps": [["Finesse"]]`, `["Finesse"]], "by_hand": []},
      {"number": 5, "steps": [["IdS"]]`},
	{"stages", `["Publisher", "Subscriber"]`, `["Subscriber", "Publisher"]`},
}

func TestTheTablesOfFactsAreKept(t *testing.T) {
	t.Parallel()
	f, err := compat.Load()
	if err != nil {
		t.Fatal(err)
	}
	y := tryAll(f)
	for _, wrong := range y.wrong {
		t.Error(wrong)
	}
	caught := 0
	for _, m := range mutants {
		tree, changed := fstest.MapFS{}, false
		names, _ := filepath.Glob("facts/*.json")
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if name == "facts/"+m.file+".json" {
				changed = strings.Contains(string(text), m.from)
				text = []byte(strings.ReplaceAll(string(text), m.from, m.to))
			}
			tree[name] = &fstest.MapFile{Data: text}
		}
		other, err := compat.LoadFrom(tree)
		if err != nil || !changed {
			t.Fatalf("%s: %q changes nothing: %v", m.file, m.from, err)
		}
		if len(tryAll(other).wrong) > 0 {
			caught++
		} else {
			t.Errorf("nobody noticed %q instead of %q", m.to, m.from)
		}
	}
	fmt.Println("proof 4.7", fmt.Sprintf("tried=%d failed=%d releases=%d types=%d mutants_caught=%d/%d", y.tried,
		len(y.wrong), len(releases), len(inventory.DeploymentTypes()), caught, len(mutants)))
}
