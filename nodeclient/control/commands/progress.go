package commands

import (
	"connecthub/models"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/replica"
	"connecthub/nodeclient/enroll"
)

// deploymentShows is "utils deployment show …".
type deploymentShows struct {
	Status     showStatus     `cmd:"" help:"Show versions and patches of machines, as they are now."`
	InProgress showInProgress `cmd:"" name:"in-progress" help:"Show the procedure under way, or how the last one ended."`
	ProgressHA progressHA     `cmd:"" name:"progress-HA" help:"Show the last known operation of the other control node."`
}

type progressHA struct {
	JSON bool `help:"As JSON."`
}

// progressView is the other node as it was last heard, and on a subscriber what it has of the
// publisher.
type progressView struct {
	Role    models.NodeRole                  `json:"role"`
	Peer    *replica.Status                  `json:"peer"` // null: it was never heard
	Heard   string                           `json:"heard,omitempty"`
	Trouble string                           `json:"trouble,omitempty"`
	Items   map[replica.Name]replica.HeldRow `json:"replicated,omitempty"`
}

// Run shows a snapshot: what the other node said when it was last heard.
func (p progressHA) Run(s *console.Session) error {
	c, err := enroll.LoadConfig(s.Dir)
	if err != nil {
		return err
	}
	if c.Role == "" {
		return console.Refuse("no_cluster", "this node has no other control node: it is in no cluster",
			"このノードはクラスタに属していないため、もう一方の制御ノードはありません")
	}
	held, err := replica.Of(s.Dir)
	if err != nil {
		return err
	}
	view := progressView{Role: c.Role, Trouble: held.Trouble, Items: held.Items}
	if !held.At.IsZero() {
		view.Peer, view.Heard = &held.Peer, held.At.Format(shownTime)
	}
	if p.JSON {
		return s.JSON(view)
	}
	if view.Peer == nil {
		s.Say("The other control node was not heard yet.")
	} else {
		sayPeer(s, held)
	}
	if held.Trouble != "" {
		s.Say("Trouble      : %s", held.Trouble)
	}
	for _, name := range replica.Names() {
		if row, ok := held.Items[name]; ok {
			s.Say("Replicated   : %s, revision %d, %s", name, row.Revision, row.At.Format(shownTime))
		}
	}
	return nil
}

// shownTime is how a moment is written here.
const shownTime = "2006-01-02 15:04:05 MST"

func sayPeer(s *console.Session, held replica.Held) {
	s.Say("Node         : %s (version %s)\nLast heard   : %s", held.Peer.Node, orNone(string(held.Peer.Version)),
		held.At.Format(shownTime))
	o := held.Peer.Operation
	if o == nil {
		s.Say("Operation    : none")
		return
	}
	s.Say("Operation    : %s (%s), by %s, began %s", o.What, o.Status, orNone(o.Who), o.Began.Format(shownTime))
	if !o.Ended.IsZero() {
		s.Say("Ended        : %s", o.Ended.Format(shownTime))
	}
	for _, t := range o.Tasks {
		s.Say("  %-40s %-10s %s", t.Machine, t.Status, t.Detail)
	}
}
