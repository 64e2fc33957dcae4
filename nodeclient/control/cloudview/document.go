// Package cloudview is what a control node shows of its contact center in the hub's console, while its
// administrator lets it: the choice, the document, and the sending. It decides nothing and asks no
// machine.
package cloudview

import (
	"encoding/json"
	"errors"
	"regexp"
	"time"

	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/conntest"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/procedure"
)

// room is how large a document may be, so that the request stays below the hub's 64 KiB.
const room = 60 << 10

// interrupted is a procedure whose worker is gone; it can be resumed.
const interrupted = "interrupted"

// Build makes the document of what is on disk now. User names, addresses, keys and whatever a machine
// wrote stay here: of a failure only its code goes.
func Build(dir string, now func() time.Time) (models.CloudDocument, error) {
	d := models.CloudDocument{TakenAt: now().UTC()}
	current, err := machines.Open(dir, now).Current()
	if err != nil {
		return d, err
	}
	what, _ := inventory.Parse(current.Text) // judged when it was imported
	d.DeploymentName, d.DeploymentType = what.DeploymentName, string(what.DeploymentType)
	d.Version = current.Number
	for _, m := range what.Machines() {
		d.Machines = append(d.Machines, models.CloudMachine{Product: string(m.Product), Group: m.Group,
			Name: m.Host.Name, Side: string(m.Host.Side), Type: string(m.Host.Type)})
	}
	if d.Procedures, err = procedures(dir); err != nil {
		return d, err
	}
	report, err := conntest.Last(dir)
	if err != nil {
		return d, err
	}
	for _, r := range report.Nodes {
		o := models.CloudOutcome{Name: r.Name, Status: string(r.Status), At: r.Tested.UTC()}
		if len(r.Hints) > 0 {
			o.Code = code(string(r.Hints[0].Code))
		}
		d.Connections = append(d.Connections, o)
	}
	fit(&d)
	return d, nil
}

func procedures(dir string) ([]models.CloudProcedure, error) {
	ids, err := procedure.List(dir)
	if err != nil {
		return nil, err
	}
	_, busy, err := gate.Busy(dir, gate.Orchestration)
	if err != nil {
		return nil, err
	}
	var all []models.CloudProcedure
	for _, id := range ids {
		if len(all) == models.MaxCloudProcedures {
			break
		}
		s, err := procedure.Load(dir, id)
		if errors.Is(err, procedure.ErrNone) || errors.Is(err, procedure.ErrDamaged) { // pruned, or unreadable
			continue
		}
		if err != nil {
			return nil, err
		}
		p := models.CloudProcedure{Kind: string(s.Plan.Kind), Status: string(s.Status), BeganAt: s.Began.UTC()}
		if !s.Ended.IsZero() {
			p.EndedAt = s.Ended.UTC()
		}
		if s.Status == procedure.Running && (!busy || len(all) > 0) {
			p.Status = interrupted
		}
		for i, t := range s.Tasks {
			p.Machines = append(p.Machines, models.CloudOutcome{Name: s.Plan.Tasks[i].Name,
				Status: string(t.Status), Code: code(t.Code), From: t.From.String(), To: t.To.String()})
		}
		all = append(all, p)
	}
	return all, nil
}

var word = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// code lets only words of our own out.
func code(text string) string {
	if text == "" || word.MatchString(text) {
		return text
	}
	return "other"
}

// fit leaves out what has no room: the machines of old procedures first, then whole procedures, then
// machines from the end of the inventory, with what was found out about them.
func fit(d *models.CloudDocument) {
	if over := len(d.Machines) - models.MaxCloudMachines; over > 0 {
		d.Omitted, d.Machines = over, d.Machines[:models.MaxCloudMachines]
	}
	d.Connections = d.Connections[:min(len(d.Connections), models.MaxCloudMachines)]
	for size(d) > room {
		switch n := len(d.Procedures); {
		case n > 0 && len(d.Procedures[n-1].Machines) > 0:
			for i := n - 1; i >= 0 && size(d) > room; i-- {
				d.Procedures[i].Machines = nil
			}
		case n > 0:
			d.Procedures = d.Procedures[:n-1]
		default:
			cut := (len(d.Machines) + 9) / 10
			d.Machines, d.Omitted = d.Machines[:len(d.Machines)-cut], d.Omitted+cut
			d.Connections = d.Connections[:min(len(d.Connections), len(d.Machines))]
		}
	}
}

func size(d *models.CloudDocument) int {
	text, err := json.Marshal(d)
	if err != nil {
		return 0
	}
	return len(text)
}
