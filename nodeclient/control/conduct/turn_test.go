package conduct_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/conduct"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/target"
)

// TestAMachineIsNotDisturbedWhileAnotherControlNodeWorks lets another node begin before the first step
// that disturbs, and before the second machine.
func TestAMachineIsNotDisturbedWhileAnotherControlNodeWorks(t *testing.T) {
	t.Parallel()
	for _, allowed := range []int{0, 2} { // patch and restart of the first machine
		d := newDesk(t, pair(inventory.PeripheralGateway, "PG1", 10*time.Millisecond)...)
		j, err := procedure.Create(d.dir, d.plan(t, procedure.PatchInstall, "12.6(1)ES4", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		asked := 0
		c := &conduct.Conductor{Journal: j, Open: d.open(t.Context()), Now: time.Now,
			Local: func(f target.File) string { return d.files[f.SHA256] }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Turn: func(context.Context) error {
				if asked++; asked > allowed {
					return &target.Obstacle{Err: errors.New("it works"),
						Reason: target.Because("peer_orchestrates", "cc-sub.example.com", "Upgrade")}
				}
				return nil
			}}
		if err := c.Run(t.Context()); !errors.Is(err, conduct.ErrStopped) {
			t.Fatal(err)
		}
		s, at := j.State(), allowed/2
		if s.Tasks[at].Code != "peer_orchestrates" || len(d.Machines[at].Disturbed(t)) != 0 {
			t.Errorf("%d: %v\n%s", allowed, d.Machines[at].Disturbed(t), describe(s))
		}
		if s, err = d.resume(t, s.Plan.ID); err != nil || s.Status != procedure.Done {
			t.Errorf("resumed: %v\n%s", err, describe(s))
		}
	}
}
