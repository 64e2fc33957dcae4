package conntest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/nodeclient/atomicfile"
)

const (
	folder    = "control"
	lastFile  = "connection-test.json"
	lastLimit = 4 << 20
)

// Report is the last result of every machine that was tested, in the order of the inventory.
type Report struct {
	From  models.FQDN `json:"from"` // the control node that tested
	Time  time.Time   `json:"time"` // of the latest test
	Nodes []Result    `json:"nodes"`
}

// Last answers what the latest tests found; a zero time where nothing was tested yet.
func Last(dir string) (Report, error) {
	var r Report
	err := atomicfile.ReadJSON(filepath.Join(dir, folder, lastFile), lastLimit, &r)
	if errors.Is(err, os.ErrNotExist) {
		return Report{}, nil
	}
	return r, err
}

type place struct {
	product inventory.Product
	group   string
	name    string
}

// Save puts fresh results beside those of machines that were not tested this time. Machines that are
// no longer in the inventory go.
func Save(dir string, from models.FQDN, machines []inventory.Machine, fresh []Result, now time.Time) error {
	last, err := Last(dir)
	if err != nil {
		return err
	}
	known := map[place]Result{}
	for _, r := range append(last.Nodes, fresh...) {
		known[place{r.Product, r.Group, r.Name}] = r
	}
	report := Report{From: from, Time: now.UTC(), Nodes: []Result{}}
	for _, m := range machines {
		if r, ok := known[place{m.Product, m.Group, m.Host.Name}]; ok {
			report.Nodes = append(report.Nodes, r)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
		return fmt.Errorf("cannot keep the connection test: %w", err)
	}
	return atomicfile.WriteJSON(filepath.Join(dir, folder, lastFile), report)
}
