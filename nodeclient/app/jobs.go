package app

import (
	"context"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/control/download"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/jobs"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/nightly"
	"connecthub/nodeclient/control/permits"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/control/wayout"
)

// jobs is the loop of the daily jobs.
func (n *node) jobs() *jobs.Runner {
	store := settings.Open(n.dir, n.e.now)
	log := logs.To(n.dir, logs.Jobs)
	night := &nightly.Night{Dir: n.dir, Store: store, Now: n.e.now, Log: log, Box: n.mail()}
	return &jobs.Runner{Now: n.e.now, Log: log, Records: jobs.OnDisk(store), Tasks: night.Tasks(n.begin),
		Schedule: func() (jobs.Schedule, error) { return jobs.Load(store, jobs.MachineZone("/etc")) },
		Publisher: func() bool {
			return n.enrollment.Config().Role != models.Subscriber
		}}
}

// dropOtherKind removes software of the export kind that is not chosen any more. While somebody else
// holds the gate it leaves that to the next download, and commands refuse such software.
func (n *node) dropOtherKind(ctx context.Context) {
	store := settings.Open(n.dir, n.e.now)
	other, err := download.OtherKind(n.dir, store)
	if err == nil && other {
		err = n.drop(ctx, store)
	}
	if err != nil {
		n.e.log.Warn("software of the other export kind is still here", "error", err)
	}
}

func (n *node) drop(ctx context.Context, store *settings.Store) error {
	release, err := n.begin(ctx, gate.Download, "removal of software")
	if err != nil {
		return err
	}
	defer release()
	removed, err := download.DropOtherKind(n.dir, store)
	if removed > 0 {
		n.e.log.Info("software of the other export kind was removed", "files", removed)
	}
	return err
}

// begin takes the gate as a command does: not while a permit of the cluster is open.
func (n *node) begin(ctx context.Context, kind gate.Kind, what string) (func(), error) {
	hold, err := permits.Begin(ctx, permits.Request{Dir: n.dir, Kind: kind, What: what, Who: "agent",
		Registered: n.enrollment.Identity() != nil, Node: n.enrollment.Config().FQDN, Now: n.e.now})
	if err != nil {
		return nil, err
	}
	return hold.Release, nil
}

// followProxy makes a subscriber use the proxy that its publisher was told.
func (n *node) followProxy(ctx context.Context) {
	store := settings.Open(n.dir, n.e.now)
	tick := time.NewTicker(wayout.Every)
	defer tick.Stop()
	for {
		changed, err := wayout.Follow(n.dir, store)
		if err != nil {
			n.e.log.Warn("cannot use the publisher's proxy", "error", err)
		}
		if changed {
			n.e.log.Info("the proxy is the one that the publisher was told")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
