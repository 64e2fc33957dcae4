package deployment_test

import (
	"errors"
	"testing"
	"time"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/deployment"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/control/target"
)

func version(t *testing.T, text string) compat.Version {
	t.Helper()
	v, err := compat.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func open(t *testing.T) (*deployment.Deployment, string) {
	t.Helper()
	dir := t.TempDir()
	what, err := inventory.Sample(inventory.UCCE2000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := machines.Open(dir, time.Now).Import(inventory.Format(what), 0, "t", "t"); err != nil {
		t.Fatal(err)
	}
	d, err := deployment.Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return d, dir
}

func (s seen) at(t *testing.T, h procedure.Host, v string) deployment.Seen {
	t.Helper()
	if own, ok := s[h.Product]; ok {
		v = own
	}
	level := version(t, v)
	side := target.Side{Version: level.Base()}
	if level.ES > 0 {
		side.Patches = []compat.Version{level}
	}
	return deployment.Seen{Host: h, Facts: target.Facts{Active: side, Packages: []string{"ucos.keymanagement.v02.cop.sgn",
		"ucos.orchestration.enable-12.5.1.cop.sgn"}}}
}

type seen map[inventory.Product]string

func TestAMachineIsOfferedWhatFollowsItsVersion(t *testing.T) {
	t.Parallel()
	d, _ := open(t)
	file := func(path, product, v string) catalogue.File {
		return catalogue.File{Path: path, Product: product, Version: version(t, v), Kind: catalogue.KindOf(path, version(t, v))}
	}
	all := []catalogue.File{file("a.exe", "UCCE", "12.5(1)ES55"), file("b.exe", "ICM", "12.5(1)ES66"), file("c.exe", "UCCE", "12.6(1)ES1"),
		file("d.iso", "UCCE", "12.6(1)"), file("e.iso", "UCCE", "12.5(2)"), file("f.exe", "CVP", "12.5(1)ES66"),
		file("g.cop.sgn", "cuic", "12.6(1)ES2")}
	pg := procedure.Host{Name: "pg", Product: inventory.PeripheralGateway}
	patches := d.Patches(all, seen{}.at(t, pg, "12.5(1)"))
	if len(patches) != 2 || len(patches[0].Refused) != 0 || len(patches[1].Refused) != 1 {
		t.Errorf("%+v", patches)
	}
	if best, ok := deployment.Best(patches, compat.Version{}); !ok || best.File.Path != "a.exe" {
		t.Errorf("%+v", best)
	}
	if _, ok := deployment.Best(patches, version(t, "12.5(1)ES66")); ok {
		t.Error("ES66 without ES55")
	}
	ids := procedure.Host{Name: "ids", Product: inventory.IdentityService}
	if got := d.Patches(all, seen{}.at(t, ids, "12.6(1)")); len(got) != 1 {
		t.Errorf("IdS counts as CUIC: %+v", got)
	}
	up := d.Upgrades(all, seen{}.at(t, pg, "12.5(2)"), compat.Version{})
	if len(up) != 1 || len(up[0].Refused) == 0 || up[0].Refused[0].Code != compat.PathRefused {
		t.Errorf("12.5(2) to 12.6(1): %+v", up)
	}
}

// plan goes to one version on every machine of the products.
func plan(t *testing.T, d *deployment.Deployment, to string, withSwitch bool, products ...inventory.Product) procedure.Plan {
	t.Helper()
	p := procedure.Plan{ID: "p", Kind: procedure.Upgrade, Parallel: 1, DeploymentType: d.Inventory.DeploymentType, Switch: withSwitch}
	var chosen []procedure.Chosen
	for _, h := range d.Hosts {
		for _, product := range products {
			if h.Product == product {
				chosen = append(chosen, procedure.Chosen{Host: h, To: version(t, to)})
			}
		}
	}
	p, err := procedure.Build(p, d.Facts, chosen, d.Hosts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPlanIsJudgedTaskByTask(t *testing.T) {
	t.Parallel()
	d, _ := open(t)
	all := func(s seen) []deployment.Seen {
		var states []deployment.Seen
		for _, h := range d.Hosts {
			states = append(states, s.at(t, h, "12.6(1)"))
		}
		return states
	}
	before := []inventory.Product{inventory.CVPServer, inventory.CVPReporting, inventory.CVPOAMP, inventory.VVB, inventory.Finesse, inventory.CUICCoResident}
	if found := d.Check(plan(t, d, "12.6(2)", true, inventory.Rogger), all(nil)); len(found) == 0 {
		t.Error("a Rogger went first")
	}
	if found := d.Check(plan(t, d, "12.6(2)", true, append(before, inventory.Rogger)...), all(nil)); len(found) != 0 {
		t.Errorf("with all before it in the plan: %v", found)
	}
	if found := d.Check(plan(t, d, "12.6(2)", false, append(before, inventory.Rogger)...), all(nil)); len(found) == 0 {
		t.Error("VOS machines that do not switch are where they were")
	}
	ready := seen{}
	for _, p := range before {
		ready[p] = "12.6(2)"
	}
	if found := d.Check(plan(t, d, "12.6(2)", true, inventory.Rogger), all(ready)); len(found) != 0 {
		t.Errorf("%v", found)
	}
	if found := d.Requirements(all(seen{inventory.PeripheralGateway: "12.5(1)"})); len(found) == 0 {
		t.Error("a PG of 12.5(1) without ES66")
	}
}

func TestMaintenanceModeIsKnownFromAVersionOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		product inventory.Product
		version string
		want    bool
	}{
		{inventory.PeripheralGateway, "12.6(1)", true}, {inventory.PeripheralGateway, "12.5(2)", false},
		{inventory.Finesse, "12.6(2)", true}, {inventory.VVB, "15.0(1)", false}, {inventory.Logger, "15.0(1)", false},
		{inventory.Rogger, "12.6(2)", false}, {inventory.Rogger, "12.6(2)ES67", false}, {inventory.Rogger, "12.6(2)ES68", true},
		{inventory.Router, "15.0(1)", true}, {inventory.Router, "12.6(1)ES99", false},
	} {
		if got := deployment.MayDrain(c.product, version(t, c.version)); got != c.want {
			t.Errorf("%s %s: %v", c.product, c.version, got)
		}
	}
}

func TestSettingsOfProceduresHaveTheirDefaultsAndLimits(t *testing.T) {
	t.Parallel()
	store := settings.Open(t.TempDir(), time.Now)
	if n, err := deployment.Parallel(store); n != 10 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	var wrong *deployment.RangeError
	for _, n := range []int{-1, 13} {
		if err := deployment.SetParallel(store, "t", n, 12); !errors.As(err, &wrong) || wrong.Most != 12 {
			t.Errorf("%d: %v", n, err)
		}
	}
	if err := deployment.SetParallel(store, "t", 12, 12); err != nil {
		t.Error(err)
	}
	if on, err := deployment.Enforced(store); !on || err != nil {
		t.Errorf("%v %v", on, err)
	}
	if err := deployment.SetEnforced(store, "t", false); err != nil {
		t.Error(err)
	}
	if on, _ := deployment.Enforced(store); on {
		t.Error("it is still enforced")
	}
}

func TestTheCacheKeepsWhatItKnewOfMachinesThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	d, dir := open(t)
	h := d.Hosts[0]
	first := seen{}.at(t, h, "12.6(1)")
	first.At = time.Now()
	gone := deployment.Seen{Host: d.Hosts[1], Err: errors.New("away"), At: time.Now()}
	if _, err := d.Remember(deployment.RefreshAll, "t", time.Now(), []deployment.Seen{first, gone}); err != nil {
		t.Fatal(err)
	}
	first.Err = errors.New("away\x1b")
	if _, err := d.Remember(deployment.RefreshVOS, "t", time.Now(), []deployment.Seen{first}); err != nil {
		t.Fatal(err)
	}
	c, err := deployment.ReadCache(dir)
	m, ok := c.Find(h.Name)
	if err != nil || !ok || m.Facts.Active.Version.IsZero() || m.Trouble != "it failed: away" || m.Sentence("ja") != "失敗しました: away" || len(c.Machines) != 2 ||
		!c.Wants(deployment.RefreshMissing, h.Name, h.Product) || c.Wants(deployment.RefreshWindows, h.Name, inventory.VVB) ||
		!c.Wants(deployment.RefreshMissing, "never", inventory.VVB) {
		t.Errorf("%+v %v", c, err)
	}
}
