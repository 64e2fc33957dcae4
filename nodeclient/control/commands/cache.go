package commands

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/deployment"
	"connecthub/nodeclient/control/settings"
)

type compatibilityCheck struct {
	Enforcement string `enum:"enable,disable," default:"" help:"enable or disable. Default: a list to choose from."`
	Yes         bool   `help:"Without asking."`
	JSON        bool   `help:"As JSON; changes nothing without --enforcement."`
}

// Run says whether the compatibility check can refuse upgrades, switches and rollbacks.
func (c compatibilityCheck) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	store := settings.Open(s.Dir, s.Now)
	on, err := deployment.Enforced(store)
	if err != nil {
		return err
	}
	if c.JSON && c.Enforcement == "" {
		return s.JSON(map[string]bool{"enforced": on})
	}
	if !c.JSON {
		s.Note("The compatibility check is %s.", enabled(on))
	}
	i, err := s.Choose("Compatibility check", "enforcement", filled(c.Enforcement), []console.Option{
		{Value: "enable", Text: "Enable"}, {Value: "disable", Text: "Disable"}}, console.One)
	if err != nil {
		return err
	}
	want := i[0] == 0
	if want != on {
		question := "Procedures will be refused where components do not fit together."
		if !want {
			question = "Procedures will go on even where components do not fit together."
		}
		if err := s.Confirm(question, "yes", c.Yes); err != nil {
			return err
		}
	}
	if err := deployment.SetEnforced(store, s.Who, want); err != nil {
		return err
	}
	if c.JSON {
		return s.JSON(map[string]bool{"enforced": want})
	}
	s.Say("The compatibility check is %s.", enabled(want))
	return nil
}

func enabled(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}

// deploymentCache is "utils deployment cache …".
type deploymentCache struct {
	Initiate cacheInitiate `cmd:"" help:"Ask the machines and remember what they have."`
	Status   cacheStatus   `cmd:"" help:"Show when they were asked, who was not reached and whose data are missing."`
}

type cacheInitiate struct {
	Type string `enum:"all,vos,windows,missing," default:"" help:"Which machines: all, vos, windows, missing. Default: a list to choose from."`
	JSON bool   `help:"As JSON."`
}

// Run refreshes what "all nodes" is answered from.
func (c cacheInitiate) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	i, err := s.Choose("Refresh", "type", filled(c.Type), []console.Option{
		{Value: "all", Text: "All nodes"}, {Value: "vos", Text: "VOS nodes"},
		{Value: "windows", Text: "Windows nodes"},
		{Value: "missing", Text: "Nodes that were not reached or whose data are missing"}}, console.One)
	if err != nil {
		return err
	}
	hold, err := s.Orchestrate("utils deployment cache initiate")
	if err != nil {
		return err
	}
	defer hold.Release()
	if _, err := inventoried(s); err != nil {
		return err
	}
	told := func(seen deployment.Seen) {
		if seen.Err != nil {
			s.Note("%s: %s", seen.Name, seen.Err)
		} else {
			s.Note("%s: %s", seen.Name, seen.Facts.Active.Level())
		}
	}
	cache, err := deployment.Update(s.Ctx, s.Dir, s.Who, deployment.Refreshes()[i[0]], s.Now, told)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.JSON(cacheViewOf(cache))
	}
	showCache(s, cache)
	return nil
}

type cacheStatus struct {
	JSON bool `help:"As JSON."`
}

// Run changes nothing.
func (c cacheStatus) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	cache, err := deployment.ReadCache(s.Dir)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.JSON(cacheViewOf(cache))
	}
	showCache(s, cache)
	return nil
}

type cacheView struct {
	Triggered   time.Time          `json:"triggered"`
	Type        deployment.Refresh `json:"type"`
	By          string             `json:"by"`
	Nodes       int                `json:"nodes"`
	Unreachable []string           `json:"unreachable"`
	Missing     []string           `json:"missing"`
}

func cacheViewOf(c deployment.Cache) cacheView {
	v := cacheView{c.Triggered, c.Type, c.By, len(c.Machines), []string{}, []string{}}
	for _, m := range c.Machines {
		if m.Trouble != "" {
			v.Unreachable = append(v.Unreachable, m.Name)
		} else if m.Missing() {
			v.Missing = append(v.Missing, m.Name)
		}
	}
	return v
}

func showCache(s *console.Session, c deployment.Cache) {
	v := cacheViewOf(c)
	if v.Triggered.IsZero() {
		s.Say("The cache was never refreshed.")
		return
	}
	s.Say("Triggered at : %s (%s, by %s)", s.Moment(v.Triggered), v.Type, v.By)
	s.Say("Nodes : %d", v.Nodes)
	list := func(title string, names []string, why func(string) string) {
		s.Say("%s : %d", title, len(names))
		for _, n := range names {
			s.Say("  %s%s", n, why(n))
		}
	}
	list("Unreachable nodes", v.Unreachable, func(n string) string {
		m, _ := c.Find(n)
		return ": " + m.Say(s.Lang, m.Trouble)
	})
	list("Nodes with missing data", v.Missing, func(string) string { return "" })
}

// utilsSet is "utils set …".
type utilsSet struct {
	SoftwareDownload setSoftwareDownload `cmd:"" help:"When and how fast this node downloads software."`
	Orchestration    setProcedures       `cmd:"" help:"How many machines are worked on at once."`
}

type setProcedures struct {
	MaxParallelTasks setParallel `cmd:"" name:"max-parallel-tasks" help:"Say how many machines are worked on at once."`
}

type setParallel struct {
	Number string `arg:"" optional:"" help:"1 to the number of onboarded nodes. Default: a prompt."`
	JSON   bool   `help:"As JSON."`
}

// Run takes 1 to the number of onboarded nodes. One of a pair at a time is kept whatever is set.
func (c setParallel) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	all, err := inventoried(s)
	if err != nil {
		return err
	}
	store := settings.Open(s.Dir, s.Now)
	now, err := deployment.Parallel(store)
	if err != nil {
		return err
	}
	if c.Number == "" && !s.Terminal() {
		return console.Refuse("number_needed", "give the number: utils set orchestration max-parallel-tasks N",
			"数を指定してください: utils set orchestration max-parallel-tasks N")
	}
	typed, err := s.Ask(fmt.Sprintf("Parallel tasks (1 to %d)", len(all)), "", c.Number, strconv.Itoa(now))
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(typed)
	if err != nil || n < 1 {
		n = -1
	}
	var wrong *deployment.RangeError
	if err := deployment.SetParallel(store, s.Who, n, len(all)); errors.As(err, &wrong) {
		return console.Refuse("parallel_range", "give a number from 1 to %d, the number of onboarded nodes",
			"1~%d(オンボードされたノード数)の数を指定してください", wrong.Most)
	} else if err != nil {
		return err
	}
	return sayParallel(s, store, c.JSON)
}

func sayParallel(s *console.Session, store *settings.Store, asJSON bool) error {
	n, err := deployment.Parallel(store)
	if err != nil {
		return err
	}
	if asJSON {
		return s.JSON(map[string]int{"max_parallel_tasks": n})
	}
	s.Say("Maximum parallel tasks : %d", n)
	return nil
}

// utilsOrchestration is "utils orchestration …".
type utilsOrchestration struct {
	MaxParallelTasks parallelTasks `cmd:"" name:"max-parallel-tasks" help:"How many machines are worked on at once."`
}

type parallelTasks struct {
	ResetToDefault resetParallel `cmd:"" name:"reset-to-default" help:"Go back to the usual number."`
}

type resetParallel struct {
	JSON bool `help:"As JSON."`
}

// Run forgets what was set.
func (c resetParallel) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	store := settings.Open(s.Dir, s.Now)
	if err := deployment.SetParallel(store, s.Who, 0, 0); err != nil {
		return err
	}
	return sayParallel(s, store, c.JSON)
}
