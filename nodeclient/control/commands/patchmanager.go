package commands

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/deployment"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/target"
)

// patchManager is "utils patch-manager …".
type patchManager struct {
	List      patchList     `cmd:"" help:"List the patches that machines may get."`
	Install   patchInstall  `cmd:"" help:"Install a patch on machines."`
	Rollback  patchRollback `cmd:"" help:"Take the latest patch of machines away."`
	MSPatches msPatches     `cmd:"" name:"ms-patches" help:"Microsoft's updates of Windows machines."`
	Export    patchExport   `cmd:"" help:"Write the patch levels to an SFTP server."`
}

type patchExport struct {
	Status exportStatus `cmd:"" help:"Write the patch levels of all machines to an SFTP server, as text."`
}

type msPatches struct {
	Install  msInstall  `cmd:"" help:"Run Windows Update on machines, all categories."`
	Rollback msRollback `cmd:"" help:"Take one update away, by its KB number."`
}

// offerView is what a machine may get.
type offerView struct {
	Name    string         `json:"name"`
	Version compat.Version `json:"version"`
	Offers  []offeredFile  `json:"offers"`
	Trouble string         `json:"trouble,omitempty"`
}

type offeredFile struct {
	Version compat.Version `json:"version"`
	Path    string         `json:"path"`
	Notes   string         `json:"notes,omitempty"`
	Refused []string       `json:"refused"` // why it cannot be installed now
}

// offers lists files for machines.
func (w *work) offers(none target.Reason, of func(deployment.Seen) []deployment.Offer) error {
	rows := []offerView{}
	for _, s := range w.seen {
		row := offerView{Name: s.Name, Version: s.Facts.Active.Level(), Offers: []offeredFile{}}
		for _, o := range of(s) {
			v := offeredFile{o.File.Version, o.File.Path, o.File.Notes, []string{}}
			for _, r := range o.Refused {
				v.Refused = append(v.Refused, r.Sentence(w.Lang))
			}
			row.Offers = append(row.Offers, v)
		}
		rows = append(rows, row)
	}
	for _, d := range w.dropped {
		rows = append(rows, offerView{Name: d.Name, Offers: []offeredFile{}, Trouble: d.Said(w.Lang)})
	}
	if w.flags.JSON {
		return w.JSON(rows)
	}
	for _, row := range rows {
		switch {
		case row.Trouble != "":
			w.Say("%s: %s", row.Name, row.Trouble)
			continue
		case len(row.Offers) == 0:
			w.Say("%s  %s: %s", row.Name, row.Version, none.Sentence(w.Lang))
			continue
		}
		w.Say("%s  %s:", row.Name, row.Version)
		for _, o := range row.Offers {
			w.Say("  %s  %s", o.Version, o.Path)
			if o.Notes != "" {
				w.Say("    %s", o.Notes)
			}
			for _, r := range o.Refused {
				w.Say("    not now: %s", r)
			}
		}
	}
	return nil
}

type patchList struct {
	nodeFlags
	JSON bool `help:"As JSON."`
}

// Run changes nothing.
func (c patchList) Run(s *console.Session) error {
	w, err := listing(s, "utils patch-manager list", c.nodeFlags, c.JSON)
	if err != nil {
		return err
	}
	defer w.end()
	return w.offers(target.Because("no_patch_available"), func(seen deployment.Seen) []deployment.Offer {
		return w.d.Patches(w.files, seen)
	})
}

// listing begins a command that only looks at what there is for machines.
func listing(s *console.Session, what string, nodes nodeFlags, asJSON bool) (*work, error) {
	w, err := look(s, what, nodes, asJSON)
	if err != nil {
		return nil, err
	}
	if err = w.software(); err == nil {
		err = w.choose("List for which of them", anyProduct)
	}
	if err != nil {
		w.end()
		return nil, err
	}
	return w, nil
}

type drainFlags struct {
	Maintenance string `enum:"with,without," default:"" help:"with or without maintenance mode, where the versions know it."`
	Reason      int    `help:"Why a Router or Rogger goes into maintenance, 1 to 7."`
}

type patchInstall struct {
	procedureFlags
	drainFlags
	Patch string `help:"The patch, such as 12.6(1)ES4. Default: the newest that a machine may get." placeholder:"VERSION"`
}

// Run keeps only the machines that have a patch, and asks whether to go on with them.
func (c patchInstall) Run(s *console.Session) error {
	wanted, err := versionFlag("patch", c.Patch)
	if err != nil {
		return err
	}
	w, err := c.begin(s, procedure.PatchInstall)
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.software(); err != nil {
		return err
	}
	if err := w.choose("Install a patch on which of them", anyProduct); err != nil {
		return err
	}
	chosen := w.best(target.Because("no_patch_available"), func(seen deployment.Seen) []deployment.Offer {
		return w.d.Patches(w.files, seen)
	}, wanted)
	if err := w.kept(chosen, "a patch"); err != nil {
		return err
	}
	if err := w.drain(c.Maintenance, c.Reason, chosen); err != nil {
		return err
	}
	if err := w.build(chosen, true); err != nil {
		return err
	}
	return w.run(fmt.Sprintf("The patch will be installed on %s.", plural(len(chosen), "node")),
		"The machines will be restarted where the patch asks for it.")
}

func versionFlag(flag, text string) (compat.Version, error) {
	if text == "" {
		return compat.Version{}, nil
	}
	v, err := compat.Parse(text)
	if err != nil {
		return v, console.Refuse("bad_version", "--%s %s is no version such as 12.6(1)ES4",
			"--%s %s はバージョンではありません(例: 12.6(1)ES4)", flag, text)
	}
	return v, nil
}

// best gives each machine its offer, and drops those without one.
func (w *work) best(none target.Reason, of func(deployment.Seen) []deployment.Offer,
	wanted compat.Version) []procedure.Chosen {
	var chosen []procedure.Chosen
	for _, s := range w.seen {
		offers := of(s)
		o, ok := deployment.Best(offers, wanted)
		if !ok {
			why := none
			for _, refused := range offers {
				if len(refused.Refused) > 0 && (wanted.IsZero() || refused.File.Version == wanted) {
					why = target.Incompatible(refused.Refused[0])
				}
			}
			w.drop(s.Name, why)
			continue
		}
		chosen = append(chosen, procedure.Chosen{Host: s.Host, Facts: s.Facts, To: o.File.Version, File: o.Target()})
	}
	return chosen
}

type patchRollback struct {
	procedureFlags
	drainFlags
}

// Run takes the latest applied patch of each machine away.
func (c patchRollback) Run(s *console.Session) error {
	w, err := c.begin(s, procedure.PatchRollback)
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.choose("Roll back a patch on which of them", anyProduct); err != nil {
		return err
	}
	var chosen []procedure.Chosen
	for _, seen := range w.seen {
		patches := seen.Facts.Active.Patches
		if len(patches) == 0 {
			w.drop(seen.Name, target.Because("no_patch_installed"))
			continue
		}
		to := seen.Facts.Active.Version
		if len(patches) > 1 {
			to = patches[len(patches)-2]
		}
		chosen = append(chosen, procedure.Chosen{Host: seen.Host, Facts: seen.Facts, To: to})
	}
	if err := w.kept(chosen, "a patch to roll back"); err != nil {
		return err
	}
	if err := w.drain(c.Maintenance, c.Reason, chosen); err != nil {
		return err
	}
	if err := w.build(chosen, true); err != nil {
		return err
	}
	return w.run(fmt.Sprintf("The latest patch will be taken away on %s.", plural(len(chosen), "node")),
		"The machines will be restarted.")
}

type msInstall struct {
	procedureFlags
	drainFlags
}

// Run does not list what Windows Update will find: only the machine knows.
func (c msInstall) Run(s *console.Session) error {
	w, err := c.begin(s, procedure.MSInstall)
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.choose("Run Windows Update on which of them", onWindows); err != nil {
		return err
	}
	chosen := w.seenAll()
	if err := w.kept(chosen, "Windows Update"); err != nil {
		return err
	}
	if err := w.drain(c.Maintenance, c.Reason, chosen); err != nil {
		return err
	}
	if err := w.build(chosen, true); err != nil {
		return err
	}
	return w.run("All categories of updates will be installed: Application, Connectors, DefinitionUpdates, "+
		"DeveloperKits, FeaturePacks, Guidance, ServicePacks, Tools, UpdateRollups, CriticalUpdates, SecurityUpdates, "+
		"Updates.", "The machines will be restarted where the updates ask for it.")
}

// seenAll keeps every machine that answered as it is.
func (w *work) seenAll() []procedure.Chosen {
	var chosen []procedure.Chosen
	for _, s := range w.seen {
		chosen = append(chosen, procedure.Chosen{Host: s.Host, Facts: s.Facts})
	}
	return chosen
}

type msRollback struct {
	procedureFlags
	drainFlags
	KB string `help:"The update's number, such as KB5031364." placeholder:"KB"`
}

var kbPattern = regexp.MustCompile(`^(?:KB)?([0-9]{6,8})$`)

// Run keeps only the machines that have the update.
func (c msRollback) Run(s *console.Session) error {
	w, err := c.begin(s, procedure.MSRollback)
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.choose("Take an update away on which of them", onWindows); err != nil {
		return err
	}
	typed, err := s.Ask("KB number", "kb", c.KB, "")
	if err != nil {
		return err
	}
	number := kbPattern.FindStringSubmatch(strings.ToUpper(typed))
	if number == nil {
		return console.Refuse("bad_kb", "a KB number is KB and 6 to 8 digits, such as KB5031364",
			"KB 番号は KB と 6~8 桁の数字です(例: KB5031364)")
	}
	w.plan.KB = "KB" + number[1]
	var chosen []procedure.Chosen
	for _, seen := range w.seenAll() {
		if slices.Contains(seen.Facts.Updates, w.plan.KB) {
			chosen = append(chosen, seen)
		} else {
			w.drop(seen.Name, target.Because("update_missing", w.plan.KB))
		}
	}
	if err := w.kept(chosen, w.plan.KB); err != nil {
		return err
	}
	if err := w.drain(c.Maintenance, c.Reason, chosen); err != nil {
		return err
	}
	if err := w.build(chosen, true); err != nil {
		return err
	}
	return w.run(fmt.Sprintf("%s will be taken away on %s.", w.plan.KB, plural(len(chosen), "node")),
		"The machines will be restarted.")
}

// versions are what any of the machines may go to.
func (w *work) versions(chosen []deployment.Seen, of func(deployment.Seen) []deployment.Offer) []catalogue.File {
	var all []catalogue.File
	for _, s := range chosen {
		for _, o := range of(s) {
			if !slices.ContainsFunc(all, func(f catalogue.File) bool { return f.Version == o.File.Version }) {
				all = append(all, o.File)
			}
		}
	}
	slices.SortFunc(all, func(a, b catalogue.File) int { return a.Version.Compare(b.Version) })
	return all
}

// sideOnly keeps the machines of one side.
func (w *work) sideOnly(side string) {
	if side == "" {
		return
	}
	w.seen = slices.DeleteFunc(w.seen, func(s deployment.Seen) bool { return s.Side != inventory.Side(side) })
	w.dropped = slices.DeleteFunc(w.dropped, func(d procedure.Dropped) bool {
		i := slices.IndexFunc(w.d.Hosts, func(h procedure.Host) bool { return h.Name == d.Name })
		return i >= 0 && w.d.Hosts[i].Side != inventory.Side(side)
	})
}
