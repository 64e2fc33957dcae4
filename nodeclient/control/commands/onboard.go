package commands

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/vos"
	"connecthub/nodeclient/vos/onboard"
)

type onboardCommand struct {
	Initiate onboardInitiate `cmd:"" help:"Make this VOS cluster known to the control nodes; on its publisher."`
	Update   onboardUpdate   `cmd:"" help:"Bring what the control nodes know of it up to date, or repair partial errors."`
	Remove   onboardRemove   `cmd:"" help:"Make the control nodes forget it, and take their keys away."`
	Show     onboardShow     `cmd:"" help:"Show how this VOS cluster is onboarded."`
}

// applicationFlags say which control node, and as whom; what is not given is asked for at a terminal.
type applicationFlags struct {
	CloudConnect string `help:"FQDN of the Cloud Connect publisher." placeholder:"FQDN"`
	User         string `help:"Application user there."`
	PasswordFile string `help:"File with that user's password, one line; - for standard input. Default: a prompt." placeholder:"FILE"`
}

// openCluster opens the cluster whose publisher this machine is.
func openCluster(s *console.Session) (*onboard.Cluster, error) {
	if _, err := os.Stat(filepath.Join(s.Dir, "config.json")); err == nil {
		return nil, console.Refuse("not_a_vos_machine", "this is a control node; run this on the publisher "+
			"of the VOS cluster", "このマシンはコントロールノードです。VOS クラスタのパブリッシャで実行してください")
	}
	m, err := openVos(s)
	if errors.Is(err, vos.ErrNotSetUp) {
		return nil, console.Refuse("not_set_up", "%s is not set up for a VOS machine; run nodeclient vos setup first",
			"%s は VOS マシン用に設定されていません。先に nodeclient vos setup を実行してください", s.Dir)
	}
	if err != nil {
		return nil, err
	}
	return onboard.New(onboard.Options{Dir: s.Dir, Machine: m, Now: s.Now})
}

// login asks for the three things. A name that cannot be a publisher's is refused before a password is
// asked for.
func (a applicationFlags) login(s *console.Session) (onboard.Login, error) {
	l := onboard.Login{Language: s.Lang}
	last, _, err := onboard.Read(s.Dir)
	if err != nil {
		return l, err
	}
	typed, err := s.Ask("Cloud Connect FQDN", "cloud-connect", a.CloudConnect, last.Publisher)
	if err != nil {
		return l, err
	}
	if l.Publisher, err = onboard.ParseName(typed); err != nil {
		return l, err
	}
	if l.User, err = s.Ask("Application Username", "user", a.User, last.User); err != nil {
		return l, err
	}
	password, err := s.Secret("Password", "password-file", a.PasswordFile)
	l.Password = remote.Password(password)
	return l, err
}

func (a applicationFlags) onboard(s *console.Session, verb onboard.Verb, asJSON bool) error {
	c, err := openCluster(s)
	if err != nil {
		return err
	}
	if err := c.Ready(verb); err != nil {
		return err
	}
	l, err := a.login(s)
	if err != nil {
		return err
	}
	r, err := c.Onboard(s.Ctx, verb, l, func(line string) { s.Note("%s", line) })
	if err != nil {
		return err
	}
	if asJSON {
		err = s.JSON(r)
	} else {
		showOnboarding(s, r)
	}
	if err == nil && r.Partial {
		err = console.Refuse("partially_onboarded", "the cluster was onboarded with errors; fix their cause, then "+
			"run utils system onboard update", "クラスタは部分的なエラーを伴ってオンボードされました。原因を修正し、"+
			"utils system onboard update を実行してください")
	}
	return err
}

func showOnboarding(s *console.Session, r onboard.Record) {
	var names []string
	for _, k := range r.Keys {
		names = append(names, k.HostName+" ("+strings.ToLower(k.Category)+")")
	}
	s.Say("%s is onboarded, control nodes: %s", r.Group, strings.Join(names, ", "))
	for _, n := range r.Nodes {
		state := "onboarded"
		if n.Trouble != "" {
			state = "ERROR: " + n.Trouble
		}
		s.Say("    %s (%s): %s", n.Name, n.Type, state)
		if n.Advice != "" {
			s.Say("        %s", n.Advice)
		}
	}
	if !r.Partial && !r.Removing {
		s.Say("The system was onboarded successfully: inventory version %d of %s.", r.Inventory, r.Publisher)
	}
}

type onboardInitiate struct {
	applicationFlags
	JSON bool `help:"As JSON."`
}

// Run onboards the whole cluster.
func (o onboardInitiate) Run(s *console.Session) error { return o.onboard(s, onboard.Initiate, o.JSON) }

type onboardUpdate struct {
	applicationFlags
	JSON bool `help:"As JSON."`
}

// Run repairs and refreshes.
func (o onboardUpdate) Run(s *console.Session) error { return o.onboard(s, onboard.Update, o.JSON) }

type onboardRemove struct {
	applicationFlags
	Yes      bool `help:"Do not ask."`
	KeysOnly bool `help:"Only take the keys away here: for control nodes that are gone for good."`
	JSON     bool `help:"As JSON; needs --yes."`
}

// Run makes both sides forget. It works against a control node that never knew the cluster.
func (o onboardRemove) Run(s *console.Session) error {
	if o.JSON && !o.Yes {
		return console.Refuse("flag_needed", "--json asks nothing: give --yes, too",
			"--json では確認できません。--yes も指定してください")
	}
	c, err := openCluster(s)
	if err != nil {
		return err
	}
	var l *onboard.Login
	if !o.KeysOnly {
		asked, err := o.login(s)
		if err != nil {
			return err
		}
		l = &asked
	}
	err = s.Confirm("The control nodes will not orchestrate this cluster any more.", "--yes", o.Yes)
	if err != nil {
		return err
	}
	gone, err := c.Remove(s.Ctx, l, func(line string) { s.Note("%s", line) })
	if err != nil {
		return err
	}
	if o.JSON {
		err = s.JSON(gone)
	} else {
		if l != nil && !gone.Known {
			s.Say("%s did not know this cluster.", l.Publisher)
		}
		if len(gone.Left) == 0 {
			s.Say("The system was removed; initiate onboards it again.")
		}
	}
	if err == nil && len(gone.Left) > 0 {
		left := strings.Join(gone.Left, ", ")
		err = console.Refuse("keys_left", "the control nodes' keys are still on %s, which was not reached; run remove again",
			"%s に接続できなかったため、コントロールノードの鍵が残っています。remove をもう一度実行してください", left)
	}
	return err
}

type onboardShow struct {
	JSON bool `help:"As JSON."`
}

// Run shows what the last onboarding came to.
func (o onboardShow) Run(s *console.Session) error {
	if _, err := openCluster(s); err != nil {
		return err
	}
	r, known, err := onboard.Read(s.Dir)
	if err != nil {
		return err
	}
	switch {
	case o.JSON:
		return s.JSON(r)
	case !known:
		s.Say("This cluster is not onboarded.")
	default:
		showOnboarding(s, r)
	}
	return nil
}
