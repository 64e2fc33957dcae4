package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"connecthub/models"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/supervise"
	"connecthub/nodeclient/journal"
	"connecthub/nodeclient/localweb"
)

type statusCommand struct {
	dirFlag
	JSON bool `help:"As JSON."`
}

// report is what the command shows, read from disk and from the supervisor.
type report struct {
	FQDN         models.FQDN      `json:"fqdn"`
	Role         models.NodeRole  `json:"role,omitempty"`
	Registered   bool             `json:"registered"`
	Organization string           `json:"organization,omitempty"`
	Cluster      string           `json:"cluster,omitempty"`
	NodeID       models.NodeID    `json:"node_id,omitempty"`
	Version      models.Version   `json:"version"`
	Upgrade      string           `json:"upgrade,omitempty"` // step of an open journal entry
	Denied       []string         `json:"denied,omitempty"`
	Services     supervise.Status `json:"services"`
	Trouble      string           `json:"trouble,omitempty"`
	Events       []enroll.Event   `json:"registrations,omitempty"` // the latest, oldest first
}

// Run shows the node's state; it works whether or not the agent runs.
func (s statusCommand) Run(e *env) error {
	r, err := look(e.ctx, s.Dir)
	if err != nil {
		return err
	}
	if s.JSON {
		enc := json.NewEncoder(e.out)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	registered := "not registered"
	if r.Registered {
		registered = fmt.Sprintf("registered to %s as part of %q", r.Organization, r.Cluster)
	}
	health := "unhealthy: " + r.Services.Detail()
	if r.Services.Healthy() {
		health = "healthy"
	}
	if r.Trouble != "" {
		health = r.Trouble
	}
	_, err = fmt.Fprintf(e.out, "%s (%s)\n  %s\n  version   %s\n  services  %s\n", r.FQDN, r.Role,
		registered, r.Version, health)
	if err == nil && len(r.Denied) > 0 {
		_, err = fmt.Fprintf(e.out, "  denied    %s\n", strings.Join(r.Denied, ", "))
	}
	if err == nil && r.Upgrade != "" {
		_, err = fmt.Fprintf(e.out, "  upgrade   under way: %s\n", r.Upgrade)
	}
	for _, line := range localweb.EventLines(r.Events, "en") {
		if err == nil {
			_, err = fmt.Fprintf(e.out, "  %s\n", line)
		}
	}
	return err
}

func look(ctx context.Context, dir string) (report, error) {
	c, err := enroll.LoadConfig(dir)
	if err != nil {
		return report{}, err
	}
	r := report{FQDN: c.FQDN, Role: c.Role}
	identity, err := enroll.ReadIdentity(dir)
	if err != nil {
		return r, err
	}
	if identity != nil {
		r.Registered, r.Organization = true, identity.Organization
		r.Cluster, r.NodeID = identity.DisplayName, identity.NodeID
	}
	events, err := enroll.Trail(dir)
	if err != nil {
		r.Trouble = err.Error()
	}
	r.Events = events[max(0, len(events)-shownEvents):]
	slots, err := host.ViewSlots(dir)
	if err != nil {
		return r, err
	}
	r.Version = installedVersion(slots)
	state, err := journal.Peek(journalOf(dir))
	if err != nil {
		r.Trouble = err.Error()
	}
	r.Denied = state.Denied
	if e := state.Entry; e != nil && e.Step != journal.Ended {
		r.Upgrade = fmt.Sprintf("%s to %s", e.Step, e.Version)
	}
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	if r.Services, err = (supervise.Client{Dir: dir}).Status(ctx); err != nil {
		r.Trouble = "the supervisor does not answer"
	}
	return r, nil
}

// shownEvents is how much of the record of registrations is shown.
const shownEvents = 10

func journalOf(dir string) string { return filepath.Join(dir, journalFile) }

type resetCommand struct {
	dirFlag
	Confirm string `required:"" help:"This node's FQDN, typed."`
}

// Run forgets the registration on this node. It refuses during an upgrade, and while the agent
// runs the agent must be stopped first.
func (r resetCommand) Run(e *env) error {
	n, err := open(e, r.Dir)
	if err != nil {
		return err
	}
	defer n.close()
	if r.Confirm != string(n.enrollment.Config().FQDN) {
		return fmt.Errorf("type this node's name: --confirm %s", n.enrollment.Config().FQDN)
	}
	if n.journal.State().Entry != nil {
		return errors.New("an upgrade on this node has not ended; start the agent and let it end")
	}
	if err := n.journal.Reset(); err != nil {
		return err
	}
	return n.enrollment.Forget("reset on this node")
}

// status is what the node's own page shows.
func (n *node) status() localweb.Status {
	c := n.enrollment.Config()
	// best effort: the page shows what is known; whoever needs the members reads the error
	members, _ := enroll.Members(n.dir)
	s := localweb.Status{ClientVersion: n.e.version, Role: c.Role, Publisher: c.Publisher,
		Members: members, Identity: n.enrollment.Identity(), Claimed: n.enrollment.Claimed(),
		Said: n.enrollment.Said(), Version: installedVersion(n.slots), Health: models.HealthUnknown}
	if a := n.agent.Load(); a != nil {
		st := a.Status()
		s.Agent, s.Health, s.HealthDetail, s.Trouble = &st, st.Health, st.Detail, st.Trouble
		return s
	}
	ctx, cancel := context.WithTimeout(n.e.ctx, statusWait)
	defer cancel()
	services, err := supervise.Client{Dir: n.dir}.Status(ctx)
	switch {
	case err != nil:
		s.HealthDetail = "the supervisor does not answer"
	case services.Healthy():
		s.Health = models.Healthy
	default:
		s.Health, s.HealthDetail = models.Unhealthy, services.Detail()
	}
	n.trouble.Lock()
	defer n.trouble.Unlock()
	s.Trouble = n.trouble.text
	return s
}
