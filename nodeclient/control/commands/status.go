package commands

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/deployment"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/target"
)

type showStatus struct {
	nodeFlags
	JSON bool `help:"As JSON."`
}

// statusView is one machine.
type statusView struct {
	Name        string            `json:"name"`
	Product     inventory.Product `json:"product"`
	Group       string            `json:"group"`
	Side        inventory.Side    `json:"side"`
	Version     compat.Version    `json:"version"`
	Patches     []compat.Version  `json:"patches"`
	Inactive    compat.Version    `json:"inactive"`
	Updates     []string          `json:"updates"`
	Maintenance bool              `json:"maintenance"`
	Serving     bool              `json:"serving"`
	Trouble     string            `json:"trouble,omitempty"`
}

func statusOf(s deployment.Seen, language string) statusView {
	v := statusView{Name: s.Name, Product: s.Product, Group: s.Group, Side: s.Side, Patches: []compat.Version{},
		Updates: []string{}}
	if s.Err != nil {
		v.Trouble = target.Explain(s.Err).Sentence(language)
		return v
	}
	v.Version, v.Maintenance, v.Serving = s.Facts.Active.Version, s.Facts.Maintenance, s.Facts.Serving
	v.Patches = append(v.Patches, s.Facts.Active.Patches...)
	v.Updates = append(v.Updates, s.Facts.Updates...)
	v.Trouble = s.Facts.Trouble
	if s.Facts.Inactive != nil {
		v.Inactive = s.Facts.Inactive.Level()
	}
	return v
}

// lines are a machine as text.
func (v statusView) lines() []string {
	if v.Version.IsZero() && v.Trouble != "" {
		return []string{fmt.Sprintf("%s (%s / %s, side %s): %s", v.Name, v.Product, v.Group, v.Side, v.Trouble)}
	}
	head := fmt.Sprintf("%s (%s / %s, side %s)  %s", v.Name, v.Product, v.Group, v.Side, v.Version)
	if !v.Inactive.IsZero() {
		head += "  inactive " + v.Inactive.String()
	}
	if v.Maintenance {
		head += "  in maintenance"
	}
	all := []string{head}
	if len(v.Patches) == 0 {
		all = append(all, "  No patch installed")
	}
	for _, p := range v.Patches {
		all = append(all, "  "+p.String())
	}
	if len(v.Updates) > 0 {
		all = append(all, "  Microsoft: "+strings.Join(v.Updates, " "))
	}
	if v.Trouble != "" {
		all = append(all, "  "+v.Trouble)
	}
	return all
}

// Run asks the machines; nothing is changed.
func (c showStatus) Run(s *console.Session) error {
	w, err := look(s, "utils deployment show status", c.nodeFlags, c.JSON)
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.choose("Show the status of which of them", anyProduct); err != nil {
		return err
	}
	views := []statusView{}
	for _, seen := range w.seen {
		views = append(views, statusOf(seen, s.Lang))
	}
	for _, d := range w.dropped {
		v := statusView{Name: d.Name, Trouble: d.Said(s.Lang), Patches: []compat.Version{}, Updates: []string{}}
		for _, h := range w.d.Hosts {
			if h.Name == d.Name {
				v.Product, v.Group, v.Side = h.Product, h.Group, h.Side
			}
		}
		views = append(views, v)
	}
	if c.JSON {
		return s.JSON(views)
	}
	for _, v := range views {
		for _, line := range v.lines() {
			s.Say("%s", line)
		}
	}
	return nil
}

type showInProgress struct {
	Follow bool `help:"Stay until the procedure ends."`
	JSON   bool `help:"As JSON."`
}

// Run works beside everything else, on both control nodes.
func (c showInProgress) Run(s *console.Session) error {
	_, busy, err := gate.Busy(s.Dir, gate.Orchestration)
	if err != nil {
		return err
	}
	state, err := procedure.Last(s.Dir)
	if errors.Is(err, procedure.ErrNone) {
		if c.JSON {
			return s.JSON(nil)
		}
		s.Say("No procedure is in progress, and none was run on this node.")
		return nil
	}
	if err != nil {
		return err
	}
	if c.Follow && busy && state.Status == procedure.Running {
		return followProcedure(s, state.Plan.ID, 0, c.JSON)
	}
	if c.JSON {
		return s.JSON(procedureViewOf(s, state, busy))
	}
	if state.Status == procedure.Running && busy {
		s.Say("In progress:")
	} else {
		s.Say("No procedure is in progress. The last one:")
	}
	tell(s, state, busy)
	if state.Open() && !busy {
		s.Say("Go on with it: utils deployment resume. Give it up: utils deployment abandon.")
	}
	return nil
}

type resumeCommand struct {
	turnFlags
	Yes    bool `help:"Without asking."`
	NoWait bool `help:"Do not wait for the end; see show in-progress."`
	JSON   bool `help:"As JSON; needs --yes."`
}

// Run goes on with the last procedure: machines that are done stay as they are, those that were being
// worked on are asked what is, and what failed is tried again.
func (c resumeCommand) Run(s *console.Session) error {
	f := procedureFlags{Yes: c.Yes, NoWait: c.NoWait, JSON: c.JSON}
	if c.JSON && !c.Yes {
		return console.Refuse("yes_needed", "--json asks nothing: give --yes, too",
			"--json では確認を行いません。--yes も指定してください")
	}
	hold, err := s.Orchestrate("resume")
	if err != nil {
		return err
	}
	w := &work{Session: s, flags: f, hold: hold}
	defer w.end()
	state, err := lastOpen(s)
	if err != nil {
		return err
	}
	if err := c.takeTurn(s, hold); err != nil {
		return err
	}
	if !c.JSON {
		tell(s, state, false)
	}
	if err := s.Confirm("The procedure goes on with: "+strings.Join(state.Remaining(), ", ")+".", "yes",
		c.Yes); err != nil {
		return err
	}
	return w.hand(state.Plan.ID, true)
}

// lastOpen is the last procedure, if something of it is left; whoever asks has the lock.
func lastOpen(s *console.Session) (procedure.State, error) {
	state, err := procedure.Last(s.Dir)
	if errors.Is(err, procedure.ErrNone) || err == nil && !state.Open() {
		return state, console.Refuse("nothing_open", "there is no procedure that was interrupted or has failed",
			"中断または失敗した手順はありません")
	}
	if errors.Is(err, procedure.ErrDamaged) {
		return state, setAside(s, err)
	}
	return state, err
}

type abandonCommand struct {
	Yes  bool `help:"Without asking."`
	JSON bool `help:"As JSON."`
}

// Run closes the last procedure; what remains is listed, and stays as it is.
func (c abandonCommand) Run(s *console.Session) error {
	hold, err := s.Orchestrate("abandon")
	if err != nil {
		return err
	}
	defer hold.Release()
	state, err := lastOpen(s)
	if err != nil {
		return err
	}
	if !c.JSON {
		tell(s, state, false)
	}
	if err := s.Confirm("What remains will not be done: "+strings.Join(state.Remaining(), ", ")+".", "yes",
		c.Yes); err != nil {
		return err
	}
	j, err := procedure.Open(s.Dir, state.Plan.ID)
	if err != nil {
		return err
	}
	state, err = j.Add(procedure.Event{At: s.Now(), What: procedure.GivenUp, By: s.Who})
	if err := errors.Join(err, j.Close()); err != nil {
		return err
	}
	if c.JSON {
		return s.JSON(procedureViewOf(s, state, false))
	}
	s.Say("The procedure was abandoned. What remains: %s.", strings.Join(state.Remaining(), ", "))
	return nil
}

type exportStatus struct {
	serverFlags
	JSON bool `help:"As JSON."`
}

// Run asks all machines and writes what they have as a text file.
func (c exportStatus) Run(s *console.Session) error {
	w, err := look(s, "utils deployment export-status", nodeFlags{}, c.JSON)
	if err != nil {
		return err
	}
	defer w.end()
	if _, err := inventoried(s); err != nil {
		return err
	}
	p, err := c.place(s)
	if err != nil {
		return err
	}
	session, err := c.connect(s, p)
	if err != nil {
		return err
	}
	defer session.Close()
	s.Note("Asking %s ...", plural(len(w.d.Hosts), "machine"))
	seen, err := w.d.Ask(s.Ctx, w.d.Hosts, nil)
	if err != nil {
		return err
	}
	var text strings.Builder
	now := s.Now()
	fmt.Fprintf(&text, "Patch levels of %s (%s), %s\n\n", orDash(w.plan.DeploymentName), w.plan.DeploymentType,
		console.Moment(now))
	for _, one := range seen {
		for _, line := range statusOf(one, s.Lang).lines() {
			fmt.Fprintln(&text, console.Printable(line))
		}
	}
	name := "patch-status-" + now.UTC().Format("20060102-150405") + ".txt"
	if err := session.Write(p.directory, name, []byte(text.String())); err != nil {
		return err
	}
	where := "sftp://" + p.login.Address + path.Join(p.directory, name)
	if err := p.remember(s.Dir); err != nil {
		return err
	}
	if c.JSON {
		return s.JSON(struct {
			Where string `json:"where"`
			Nodes int    `json:"nodes"`
		}{where, len(seen)})
	}
	s.Say("The status was exported to %s.", where)
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
