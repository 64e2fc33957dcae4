package commands

import (
	"time"

	"connecthub/models"
	"connecthub/nodeclient/control/cloudview"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/enroll"
)

type cloudViewCommand struct {
	Enable  cloudViewEnable  `cmd:"" help:"Let the hub's console show inventory, last procedures and connection test of this deployment."`
	Disable cloudViewDisable `cmd:"" help:"Show nothing any more; the hub deletes what it holds."`
	Show    cloudViewShow    `cmd:"" help:"Show whether it is enabled, and what the console gets."`
}

// cloudViewState is the choice, and how far the hub knows it.
type cloudViewState struct {
	Enabled      bool                  `json:"enabled"`
	Registered   bool                  `json:"registered"`
	Organization string                `json:"organization,omitempty"`
	Held         bool                  `json:"held"` // the hub may hold something
	SentAt       *time.Time            `json:"sent_at,omitempty"`
	Trouble      string                `json:"trouble,omitempty"`
	Document     *models.CloudDocument `json:"document,omitempty"`
}

func cloudViewOf(s *console.Session) (cloudViewState, models.ClusterID, error) {
	var v cloudViewState
	identity, err := enroll.ReadIdentity(s.Dir)
	if err != nil {
		return v, "", err
	}
	cluster := models.ClusterID("")
	if identity != nil {
		v.Registered, v.Organization, cluster = true, identity.Organization, identity.ClusterID
	}
	if v.Enabled, err = cloudview.Enabled(settings.Open(s.Dir, s.Now), cluster); err != nil {
		return v, "", err
	}
	sent, err := cloudview.Last(s.Dir)
	if err != nil {
		return v, "", err
	}
	v.Held, v.Trouble = sent.Cluster != "" && sent.Cluster == cluster, sent.Trouble
	if v.Held && !sent.At.IsZero() {
		v.SentAt = &sent.At
	}
	return v, cluster, nil
}

type cloudViewEnable struct {
	jsonFlag
	Yes bool `help:"Do not ask."`
}

// Run says what will be seen, and by whom, before it asks.
func (c cloudViewEnable) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	v, cluster, err := cloudViewOf(s)
	if err != nil {
		return err
	}
	if !v.Registered {
		return console.Refuse("not_registered", "this node is not registered: there is no console that could show anything",
			"このノードは登録されていないため、表示先のコンソールがありません")
	}
	s.Note("The console of %s will show, read-only: the deployment's name and type, its machines (product, group, name, side), "+
		"the last procedures and connection tests with their outcome. User names, keys, passwords and messages of machines stay here.",
		v.Organization)
	if err := s.Confirm("This data leaves the node.", "yes", c.Yes); err != nil {
		return err
	}
	if err := cloudview.Enable(settings.Open(s.Dir, s.Now), s.Who, cluster); err != nil {
		return err
	}
	v.Enabled = true
	if c.JSON {
		return s.JSON(v)
	}
	s.Say("Enabled: a running agent tells the hub within seconds.")
	return nil
}

type cloudViewDisable struct{ jsonFlag }

// Run asks nothing: it takes data back, and works whether or not the node is registered.
func (c cloudViewDisable) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	if err := cloudview.Enable(settings.Open(s.Dir, s.Now), s.Who, ""); err != nil {
		return err
	}
	v, _, err := cloudViewOf(s)
	if err != nil {
		return err
	}
	if c.JSON {
		return s.JSON(v)
	}
	if v.Held {
		s.Say("Disabled: a running agent has the hub delete what it holds, as soon as it answers. See: utils cloud-view show")
		return nil
	}
	s.Say("Disabled: the hub holds nothing.")
	return nil
}

type cloudViewShow struct {
	jsonFlag
	Document bool `help:"Also what the console gets, as JSON: all of it."`
}

// Run shows the same document that is sent.
func (c cloudViewShow) Run(s *console.Session) error {
	if err := s.Publisher(); err != nil {
		return err
	}
	v, _, err := cloudViewOf(s)
	if err != nil {
		return err
	}
	if c.Document {
		d, err := cloudview.Build(s.Dir, s.Now)
		if err != nil {
			return err
		}
		v.Document = &d
	}
	if c.JSON || c.Document {
		return s.JSON(v)
	}
	s.Say("Cloud view : %s", map[bool]string{true: "enabled", false: "disabled"}[v.Enabled])
	switch {
	case v.SentAt != nil:
		s.Say("The hub holds what was sent at %s.", s.Moment(*v.SentAt))
	case v.Held:
		s.Say("The hub may hold something; this node has had no answer yet.")
	default:
		s.Say("The hub holds nothing.")
	}
	if v.Trouble != "" {
		s.Say("It could not be told: %s", v.Trouble)
	}
	return nil
}
