package commands

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/deployment"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/control/target"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/host"
)

// procedureFlags are those of every command that begins a procedure.
type procedureFlags struct {
	nodeFlags
	turnFlags
	Yes    bool `help:"Go on with the nodes that remain, and through every confirmation, without asking."`
	NoWait bool `help:"Begin the procedure and do not wait for its end; see show in-progress."`
	JSON   bool `help:"As JSON; needs --yes."`
}

// work is one command on its way to a procedure.
type work struct {
	*console.Session
	flags   procedureFlags
	hold    *gate.Hold
	d       *deployment.Deployment
	plan    procedure.Plan
	files   []catalogue.File
	dropped []procedure.Dropped
	seen    []deployment.Seen // those that were chosen
	every   bool              // all machines of the inventory were chosen
	control compat.Version    // of this node; zero where nothing is installed
}

// begin takes the node's lock; it refuses while a procedure is half done. What is begun is ended by end,
// unless a worker took the lock.
func (f procedureFlags) begin(s *console.Session, kind procedure.Kind) (*work, error) {
	if f.JSON && !f.Yes {
		return nil, console.Refuse("yes_needed", "--json asks nothing: give --yes, too",
			"--json では確認を行いません。--yes も指定してください")
	}
	w, err := f.open(s, strings.ToLower(kind.Title("en")), kind)
	if err != nil {
		return nil, err
	}
	if err := notInterrupted(s); err != nil {
		w.end()
		return nil, err
	}
	if err := f.takeTurn(s, w.hold); err != nil {
		w.end()
		return nil, err
	}
	return w, nil
}

// look begins a command that asks machines and changes nothing.
func look(s *console.Session, what string, nodes nodeFlags, asJSON bool) (*work, error) {
	return procedureFlags{nodeFlags: nodes, JSON: asJSON, Yes: true}.open(s, what, procedure.PatchInstall)
}

func (f procedureFlags) open(s *console.Session, what string, kind procedure.Kind) (*work, error) {
	hold, err := s.Orchestrate(what)
	if err != nil {
		return nil, err
	}
	w := &work{Session: s, flags: f, hold: hold}
	if err := w.open(kind); err != nil {
		hold.Release()
		return nil, err
	}
	return w, nil
}

func (w *work) end() {
	if w.hold != nil {
		w.hold.Release()
	}
}

func (w *work) open(kind procedure.Kind) error {
	c, err := enroll.LoadConfig(w.Dir)
	if err != nil {
		return err
	}
	if w.d, err = deployment.Open(w.Dir, w.Now); err != nil {
		return err
	}
	store := settings.Open(w.Dir, w.Now)
	at, err := deployment.Parallel(store)
	if err != nil {
		return err
	}
	enforced, err := deployment.Enforced(store)
	if err != nil {
		return err
	}
	w.control = ownVersion(w.Dir)
	now := w.Now().UTC()
	id, err := procedure.NextID(w.Dir, now)
	if err != nil {
		return err
	}
	w.plan = procedure.Plan{ID: id, Kind: kind, By: w.Who, Created: now, Server: string(c.FQDN),
		DeploymentName: w.d.Inventory.DeploymentName, DeploymentType: w.d.Inventory.DeploymentType,
		Parallel: at, Enforced: enforced}
	return w.ownRequirements()
}

// notInterrupted refuses to begin something while something else is half done; whoever asks has the lock.
func notInterrupted(s *console.Session) error {
	last, err := procedure.Last(s.Dir)
	switch {
	case errors.Is(err, procedure.ErrNone):
		return nil
	case errors.Is(err, procedure.ErrDamaged):
		return setAside(s, err)
	case err == nil && last.Status == procedure.Failed:
		return console.Refuse("procedure_stopped", "the last procedure (%s) stopped at a failure, and %s remain; first "+
			"run: utils deployment resume, or utils deployment abandon", "前回の手順(%s)が失敗で停止し、%s が残っています。"+
			"先に utils deployment resume または utils deployment abandon を実行してください", last.Plan.Kind,
			strings.Join(last.Remaining(), ", "))
	case err == nil && last.Status == procedure.Running:
		return console.Refuse("procedure_interrupted", "the last procedure (%s) was interrupted; first run: "+
			"utils deployment resume, or utils deployment abandon", "前回の手順(%s)が中断されています。先に utils "+
			"deployment resume または utils deployment abandon を実行してください", last.Plan.Kind)
	}
	return err
}

// setAside lets nobody begin over a journal that cannot be read before somebody has heard of it.
func setAside(s *console.Session, damage error) error {
	where, err := procedure.SetAside(s.Dir)
	if err != nil {
		return err
	}
	r := console.Refuse("procedure_damaged", "the journal of the last procedure is damaged and was put aside as %s. "+
		"Nobody knows how far it was: look at the machines with utils deployment show status, then run this again",
		"前回の手順のジャーナルが破損していたため、%s に退避しました。どこまで進んだか不明です。utils deployment show status で"+
			"マシンの状態を確認してから再実行してください", where)
	r.Err = damage
	return r
}

// ownVersion is Cloud Connect's on this node, as the compatibility facts see it.
func ownVersion(dir string) compat.Version {
	slots, err := host.ViewSlots(dir)
	if err != nil {
		return compat.Version{}
	}
	active, err := slots.Active()
	if err != nil || active == "" {
		return compat.Version{}
	}
	m, err := slots.Manifest(active)
	if err != nil {
		return compat.Version{}
	}
	v, err := compat.FromRelease(m.Version)
	if err != nil {
		return compat.Version{}
	}
	return v
}

// ownRequirements is what Cloud Connect itself needs before it orchestrates.
func (w *work) ownRequirements() error {
	if w.control.IsZero() {
		return nil
	}
	self := compat.State{Machine: w.plan.Server, Product: compat.CloudConnect, Version: w.control}
	for _, r := range w.d.Facts.Advice(self) {
		w.Note("%s", r.Sentence(w.Lang))
	}
	return incompatible(w.Session, w.d.Facts.Requirements(self))
}

// incompatible lists what speaks against it.
func incompatible(s *console.Session, found compat.Refusals) error {
	if len(found) == 0 {
		return nil
	}
	for _, r := range found {
		s.Note("  %s", r.Sentence(s.Lang))
	}
	return console.Refuse("not_compatible", "%d things speak against it; nothing was begun. Put them right and "+
		"run it again", "実行できない理由が %d 件あります。何も開始していません。解消してから再実行してください", len(found))
}

// software needs a download.
func (w *work) software() error {
	c, err := catalogue.Read(w.Dir)
	if err != nil {
		return err
	}
	w.files = c.Files
	if errors.Is(c.Check(), catalogue.ErrNothing) {
		r := console.Refuse("nothing_downloaded", "no software has been downloaded yet; wait for the download of the "+
			"night or run: utils initiate software-download", "ソフトウェアがまだダウンロードされていません。夜間のダウンロードを"+
			"待つか、utils initiate software-download を実行してください")
		r.Err = catalogue.ErrNothing
		return r
	}
	return w.exportKind(c)
}

// choose lets machines be picked and asks them. Those of other products are not offered.
func (w *work) choose(prompt string, offered func(inventory.Product) bool) error {
	all, err := inventoried(w.Session)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(m inventory.Machine) bool { return !offered(m.Product) })
	if len(all) == 0 {
		return console.Refuse("no_such_machine", "the inventory has no machine that this is for",
			"対象となるマシンがインベントリにありません")
	}
	picked, err := w.flags.pick(w.Session, prompt, all)
	if err != nil {
		return err
	}
	w.every = len(picked) == len(all) && len(w.d.Hosts) == len(all)
	var hosts []procedure.Host
	for _, h := range w.d.Hosts {
		if slices.ContainsFunc(picked, func(m inventory.Machine) bool {
			return m.Host.Name == h.Name && m.Product == h.Product
		}) {
			hosts = append(hosts, h)
		}
	}
	w.Note("Asking %s ...", plural(len(hosts), "machine"))
	seen, err := w.d.Ask(w.Ctx, hosts, nil)
	if err != nil {
		return err
	}
	for _, s := range seen {
		if s.Err != nil {
			w.drop(s.Name, target.Explain(s.Err))
		} else {
			w.seen = append(w.seen, s)
		}
	}
	return nil
}

func (w *work) drop(name string, why target.Reason) {
	w.dropped = append(w.dropped, procedure.Dropped{Name: name, Reason: why, Why: why.Sentence("en")})
}

func anyProduct(inventory.Product) bool { return true }

func onVOS(p inventory.Product) bool { return p.VOS() }

func onWindows(p inventory.Product) bool { return !p.VOS() }

// kept asks whether to go on when fewer machines are left than were chosen.
func (w *work) kept(chosen []procedure.Chosen, what string) error {
	w.plan.Dropped = w.dropped
	for _, d := range w.dropped {
		w.Note("  %s: %s", d.Name, d.Said(w.Lang))
	}
	total := len(chosen) + len(w.dropped)
	if len(chosen) == 0 {
		return console.Refuse("nothing_to_do", "none of the %d chosen nodes has %s; nothing was begun",
			"選択した %d ノードのいずれにも対象(%s)がありません。何も開始していません", total, what)
	}
	if len(w.dropped) == 0 {
		return nil
	}
	return w.Confirm(fmt.Sprintf("Only %d of the %d chosen nodes has %s, and the others are left out. Continue "+
		"with %s?", len(chosen), total, what, hostNames(chosen)), "yes", w.flags.Yes)
}

func hostNames(chosen []procedure.Chosen) string {
	var all []string
	for _, c := range chosen {
		all = append(all, c.Name)
	}
	return strings.Join(all, ", ")
}

// build makes the plan, shows it, and judges it.
func (w *work) build(chosen []procedure.Chosen, check bool) error {
	var seen []deployment.Seen
	for _, c := range chosen {
		seen = append(seen, deployment.Seen{Host: c.Host, Facts: c.Facts})
	}
	if w.plan.Kind.Required() {
		if err := incompatible(w.Session, w.d.Requirements(seen)); err != nil {
			return err
		}
	}
	var err error
	if w.plan, err = procedure.Build(w.plan, w.d.Facts, chosen, w.d.Hosts); err != nil {
		return together(err)
	}
	showPlan(w.Session, w.plan)
	if !check || !w.plan.Kind.Checked() {
		return nil
	}
	w.Note("Checking compatibility ...")
	all, err := w.d.Ask(w.Ctx, w.d.Hosts, nil)
	if err != nil {
		return err
	}
	found := w.d.Check(w.plan, all)
	if len(found) > 0 && !w.plan.Enforced {
		for _, r := range found {
			w.Note("  %s", r.Sentence(w.Lang))
		}
		w.Note("The compatibility check is not enforced: this does not stop the procedure.")
		return nil
	}
	return incompatible(w.Session, found)
}

// together says which machines cannot be in one plan.
func together(err error) error {
	var t *procedure.TogetherError
	switch {
	case !errors.As(err, &t):
		return err
	case t.Same:
		return console.Refuse("same_machine", "%s and %s show the same host key: they are one machine under two names, or "+
			"one is a copy of the other. Give each machine one name and a key of its own", "%s と %s のホスト鍵が同じです。"+
			"1 台のマシンに 2 つの名前があるか、一方が他方の複製です。マシンごとに 1 つの名前と固有の鍵を設定してください", t.A, t.B)
	}
	return console.Refuse("both_sides", "%s and %s are of both sides of one product: only one side can be in maintenance",
		"%s と %s は同じ製品の両サイドです。同時にメンテナンスにできるのは片方のサイドだけです", t.A, t.B)
}

// showPlan is what will be done, in its order.
func showPlan(s *console.Session, p procedure.Plan) {
	s.Note("%s, at most %d at once, one of a pair or cluster at a time:", p.Kind.Title(s.Lang), p.Parallel)
	last := -1
	for _, t := range p.Tasks {
		if stage := p.Stages[t.Stage]; t.Stage != last && stage.Number > 0 {
			by := ""
			if len(stage.ByHand) > 0 {
				by = "  (by hand in this stage: " + strings.Join(stage.ByHand, ", ") + ")"
			}
			s.Note("Stage %s%s", stageName(stage), by)
		}
		last = t.Stage
		to := ""
		if !t.To.IsZero() {
			to = " → " + t.To.String()
		}
		var steps []string
		for _, step := range t.Steps {
			steps = append(steps, step.String())
		}
		s.Note("  %s (%s / %s, side %s)  %s%s  [%s]", t.Name, t.Product, t.Group, t.Side, t.From, to,
			strings.Join(steps, ", "))
	}
}

func stageName(s procedure.Stage) string {
	name := fmt.Sprintf("%d.%d", s.Number, s.Step)
	if s.Side != "" {
		name += " side " + string(s.Side)
	}
	return name
}

// run hands the plan to a worker and follows it.
func (w *work) run(questions ...string) error {
	for _, q := range questions {
		if err := w.Confirm(q, "yes", w.flags.Yes); err != nil {
			return err
		}
	}
	j, err := procedure.Create(w.Dir, w.plan)
	if err != nil {
		return err
	}
	if err := j.Close(); err != nil {
		return err
	}
	return w.hand(w.plan.ID, false)
}

// hand starts the worker, which has the lock from then on.
func (w *work) hand(id string, resume bool) error {
	before := 0
	if events, err := procedure.Events(w.Dir, id); err == nil && resume {
		before = len(events)
	}
	if err := startWorker(w.Session, w.hold, id, resume); err != nil {
		return err
	}
	w.hold = nil
	if w.flags.NoWait {
		w.Note("The procedure has begun; see: utils deployment show in-progress")
		if w.flags.JSON {
			return w.JSON(struct {
				ID string `json:"id"`
			}{id})
		}
		return nil
	}
	return followProcedure(w.Session, id, before, w.flags.JSON)
}

// drain asks for the maintenance mode where every machine knows it, and Router and Rogger for a reason.
func (w *work) drain(given string, reason int, chosen []procedure.Chosen) error {
	able := !slices.ContainsFunc(chosen, func(c procedure.Chosen) bool {
		return !deployment.MayDrain(c.Product, c.Facts.Active.Level())
	})
	if !able {
		if given == "with" {
			return console.Refuse("no_maintenance_mode", "not every chosen node knows maintenance mode",
				"メンテナンスモードに対応していないノードが含まれています")
		}
		return nil
	}
	i, err := w.Choose("Maintenance mode", "maintenance", filled(given), []console.Option{
		{Value: "with", Text: "With maintenance mode"}, {Value: "without", Text: "Without maintenance mode"}},
		console.One)
	if err != nil {
		return err
	}
	if w.plan.Drain = i[0] == 0; !w.plan.Drain {
		return nil
	}
	return w.reason(reason, chosen)
}

func filled(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func (w *work) reason(given int, chosen []procedure.Chosen) error {
	if !slices.ContainsFunc(chosen, func(c procedure.Chosen) bool { return deployment.AsksReason(c.Product) }) {
		return nil
	}
	var options []console.Option
	for i, r := range target.Reasons() {
		options = append(options, console.Option{Value: fmt.Sprint(i + 1), Text: r})
	}
	var values []string
	if given > 0 {
		values = []string{fmt.Sprint(given)}
	}
	i, err := w.Choose("Reason for the maintenance", "reason", values, options, console.One)
	if err == nil {
		w.plan.Reason = i[0] + 1
	}
	return err
}
