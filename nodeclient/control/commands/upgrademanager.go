package commands

import (
	"fmt"
	"slices"

	"connecthub/models/compat"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/deployment"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/target"
)

// upgradeManager is "utils upgrade-manager …".
type upgradeManager struct {
	List          upgradeList     `cmd:"" help:"List the releases that machines may go to."`
	Upgrade       upgradeRun      `cmd:"" help:"Upgrade machines, stage by stage."`
	SwitchForward upgradeSwitch   `cmd:"" help:"VOS: switch to the inactive, higher version."`
	Rollback      upgradeRollback `cmd:"" help:"Go back to the version before."`
}

type upgradeList struct {
	nodeFlags
	JSON bool `help:"As JSON."`
}

// Run changes nothing. For all nodes it answers from what was remembered at 05:00.
func (c upgradeList) Run(s *console.Session) error {
	if c.All {
		return c.remembered(s)
	}
	w, err := listing(s, "utils upgrade-manager list", c.nodeFlags, c.JSON)
	if err != nil {
		return err
	}
	defer w.end()
	return w.offers(target.Because("latest_version"), w.upgrades)
}

func (w *work) upgrades(s deployment.Seen) []deployment.Offer {
	return w.d.Upgrades(w.files, s, w.control)
}

func (c upgradeList) remembered(s *console.Session) error {
	w, err := look(s, "utils upgrade-manager list", nodeFlags{}, c.JSON)
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.software(); err != nil {
		return err
	}
	cache, err := deployment.ReadCache(s.Dir)
	if err != nil {
		return err
	}
	if cache.Triggered.IsZero() {
		return console.Refuse("no_cache", "the cache of the components was never made; wait for the refresh of the "+
			"night or run: utils deployment cache initiate", "コンポーネントのキャッシュがまだありません。夜間の更新を待つか "+
			"utils deployment cache initiate を実行してください")
	}
	s.Note("As of %s.", s.Moment(cache.Triggered))
	for _, h := range w.d.Hosts {
		m, ok := cache.Find(h.Name)
		switch {
		case !ok:
			w.drop(h.Name, target.Because("not_in_the_cache"))
		case m.Trouble != "":
			w.dropped = append(w.dropped, procedure.Dropped{Name: h.Name, Reason: m.Reason, Why: m.Trouble})
		default:
			w.seen = append(w.seen, deployment.Seen{Host: h, Facts: m.Facts, At: m.At})
		}
	}
	return w.offers(target.Because("latest_version"), w.upgrades)
}

type upgradeRun struct {
	procedureFlags
	Side          string `enum:"A,B," default:"" help:"All machines of side A or B, without the compatibility check."`
	To            string `help:"The version, such as 12.6(2). Default: a list to choose from." placeholder:"VERSION"`
	SwitchForward string `enum:"yes,no," default:"" help:"VOS: switch to the new version at the end, yes or no."`
}

// Run upgrades stage by stage; the first failure stops the stages that follow.
func (c upgradeRun) Run(s *console.Session) error {
	wanted, err := versionFlag("to", c.To)
	if err != nil {
		return err
	}
	if c.Side != "" {
		c.All = true
	}
	w, err := c.begin(s, procedure.Upgrade)
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.software(); err != nil {
		return err
	}
	if err := w.choose("Upgrade which of them", anyProduct); err != nil {
		return err
	}
	w.sideOnly(c.Side)
	if wanted, err = w.target(wanted); err != nil {
		return err
	}
	if w.every && c.Side == "" {
		var states []compat.State
		for _, seen := range w.seen {
			states = append(states, seen.State())
		}
		if err := incompatible(s, w.d.Facts.AllNodes(w.plan.DeploymentType, states, wanted)); err != nil {
			return err
		}
	}
	chosen := w.best(target.Because("no_way_to", wanted.String()), w.upgrades, wanted)
	if err := w.kept(chosen, "this upgrade"); err != nil {
		return err
	}
	if err := w.switches(c.SwitchForward, chosen); err != nil {
		return err
	}
	if err := w.build(chosen, c.Side == ""); err != nil {
		return err
	}
	return w.run(fmt.Sprintf("%s will be upgraded to %s. Back up the machines first.",
		plural(len(chosen), "node"), wanted), "The machines will be restarted.")
}

// target lets a version be chosen.
func (w *work) target(wanted compat.Version) (compat.Version, error) {
	files := w.versions(w.seen, w.upgrades)
	if len(files) == 0 {
		return wanted, console.Refuse("latest_already", "every chosen node is at the latest version that was "+
			"downloaded", "選択したノードはすべて、ダウンロード済みの最新バージョンです")
	}
	var options []console.Option
	for _, f := range files {
		options = append(options, console.Option{Value: f.Version.String(), Text: f.Version.String() + "  " + f.Notes})
	}
	i, err := w.Choose("Upgrade to", "to", filled(wanted.String()), options, console.One)
	if err != nil {
		return wanted, err
	}
	return files[i[0]].Version, nil
}

// switches asks whether VOS machines switch at the end.
func (w *work) switches(given string, chosen []procedure.Chosen) error {
	if !slices.ContainsFunc(chosen, func(c procedure.Chosen) bool { return c.Product.VOS() }) {
		return nil
	}
	i, err := w.Choose("Switch VOS machines to the new version at the end", "switch-forward", filled(given),
		[]console.Option{{Value: "yes", Text: "Yes, each after its install"},
			{Value: "no", Text: "No, later with switch-forward"}}, console.One)
	if err == nil {
		w.plan.Switch = i[0] == 0
	}
	return err
}

type upgradeSwitch struct{ procedureFlags }

// Run shows the active and the inactive version of each machine; the inactive one must be the higher.
func (c upgradeSwitch) Run(s *console.Session) error {
	w, err := c.begin(s, procedure.SwitchForward)
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.choose("Switch which of them", onVOS); err != nil {
		return err
	}
	return w.swap("an inactive version that is higher", w.d.Facts.SwitchForward,
		"The machines will be switched to their inactive version and restarted.")
}

type upgradeRollback struct{ procedureFlags }

// Run takes machines back; what last went forward goes back first.
func (c upgradeRollback) Run(s *console.Session) error {
	w, err := c.begin(s, procedure.Rollback)
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.choose("Roll back which of them", anyProduct); err != nil {
		return err
	}
	return w.swap("a lower version to go back to", w.d.Facts.Rollback,
		"The machines will go back to the version before (Windows: the upgrade is uninstalled) and be restarted.")
}

// swap goes to the version that is there beside the active one.
func (w *work) swap(what string, fits func(compat.State, compat.Version) compat.Refusals,
	question string) error {
	if w.every && w.groups() > 1 {
		return console.Refuse("not_all_nodes", "this is not done to all nodes at once; choose a group or nodes",
			"全ノード一括では実行できません。グループまたはノードを選択してください")
	}
	var chosen []procedure.Chosen
	for _, s := range w.seen {
		inactive := compat.Version{}
		if s.Facts.Inactive != nil {
			inactive = s.Facts.Inactive.Level()
		}
		w.Note("%s: active %s, inactive %s", s.Name, s.Facts.Active.Level(), orNone(inactive.String()))
		if inactive.IsZero() {
			w.drop(s.Name, target.Because("no_inactive_version"))
			continue
		}
		if refused := fits(s.State(), inactive); len(refused) > 0 {
			w.drop(s.Name, target.Incompatible(refused[0]))
			continue
		}
		chosen = append(chosen, procedure.Chosen{Host: s.Host, Facts: s.Facts, To: inactive})
	}
	if err := w.kept(chosen, what); err != nil {
		return err
	}
	if err := w.build(chosen, true); err != nil {
		return err
	}
	return w.run(question)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func (w *work) groups() int {
	units := map[string]bool{}
	for _, h := range w.d.Hosts {
		units[h.Unit()] = true
	}
	return len(units)
}
