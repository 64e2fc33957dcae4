package cloudview_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/models/wire"
	"connecthub/nodeclient/control/cloudview"
	"connecthub/nodeclient/control/conntest"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/settings"
)

const canary = "canary"

type node struct {
	t       *testing.T
	dir     string
	at      time.Time
	cluster models.ClusterID
	hub     *models.CloudDocument // what the hub holds
	asked   int
	fails   error
}

func newNode(t *testing.T) *node {
	t.Helper()
	return &node{t: t, dir: t.TempDir(), at: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), cluster: "tokyo"}
}

func (n *node) now() time.Time { return n.at }

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) sender() cloudview.Sender {
	return cloudview.Sender{Dir: n.dir, Now: n.now, Log: slog.New(slog.DiscardHandler),
		Cluster: func() models.ClusterID { return n.cluster },
		Send: func(_ context.Context, r wire.CloudViewRequest) (wire.CloudViewResponse, error) {
			n.asked++
			if n.fails != nil {
				return wire.CloudViewResponse{}, n.fails
			}
			if n.hub = r.Document; n.hub != nil && !n.hub.Valid() {
				n.t.Errorf("no hub would take this: %+v", n.hub)
			}
			return wire.CloudViewResponse{Kept: r.Document != nil}, nil
		}}
}

func (n *node) once() error { return n.sender().Once(n.t.Context()) }

func (n *node) choose(cluster models.ClusterID) {
	n.t.Helper()
	n.must(cloudview.Enable(settings.Open(n.dir, n.now), "admin", cluster))
}

// works gives the node an inventory with users, a procedure that failed, and a connection test.
func (n *node) works(count int) {
	n.t.Helper()
	i, err := inventory.Sample(inventory.UCCE2000)
	n.must(err)
	for s := range i.Windows {
		for g := range i.Windows[s].Groups {
			for h := range i.Windows[s].Groups[g].Hosts {
				i.Windows[s].Groups[g].Hosts[h].User = canary + "@domain.local"
			}
		}
	}
	_, err = machines.Open(n.dir, n.now).Import(inventory.Format(i), 0, canary, "sftp://"+canary)
	n.must(err)
	var results []conntest.Result
	all := i.Machines()
	for _, m := range all {
		results = append(results, conntest.Result{Product: m.Product, Group: m.Group, Name: m.Host.Name, Side: m.Host.Side,
			Address: canary + ":22", User: canary, Status: conntest.Broken, Tested: n.at, HostKey: canary,
			Hints: []conntest.Hint{{Code: conntest.SignInFailed, Subject: canary, File: canary}}})
	}
	n.must(conntest.Save(n.dir, canary, all, results, n.at))
	version := func(text string) (v compat.Version) {
		n.must(v.UnmarshalText([]byte(text)))
		return v
	}
	for k := range count {
		p := procedure.Plan{ID: fmt.Sprintf("p-%04d", k), Kind: procedure.Upgrade, By: canary, Created: n.at, Server: canary,
			DeploymentType: inventory.UCCE2000, Parallel: 1, Stages: []procedure.Stage{{Number: 5}}}
		for _, m := range all {
			p.Tasks = append(p.Tasks, procedure.Task{Host: procedure.Host{Name: m.Host.Name, Address: canary + ":22", User: canary,
				Product: m.Product, Group: m.Group, Side: m.Host.Side}, From: version("12.5(1)ES66"), To: version("12.6(1)"),
				Steps: []procedure.Step{{Do: procedure.Check}}})
		}
		j, err := procedure.Create(n.dir, p)
		n.must(err)
		_, err = j.Add(procedure.Event{At: n.at, What: procedure.Begun, Boot: canary})
		n.must(err)
		_, err = j.Add(procedure.Event{At: n.at, What: procedure.Broke, Code: "Exit code " + canary, Detail: canary, Final: true})
		n.must(err)
		_, err = j.Add(procedure.Event{At: n.at, What: procedure.Ended})
		n.must(err)
		n.must(j.Close())
	}
}

func TestWhatIsShownHoldsNoUserNoKeyAndNothingThatAMachineWrote(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.works(1)
	d, err := cloudview.Build(n.dir, n.now)
	n.must(err)
	text, err := json.Marshal(d)
	n.must(err)
	if strings.Contains(string(text), canary) {
		t.Errorf("it leaves the node: %s", text)
	}
	if d.DeploymentName != "UnifiedCCE" || d.DeploymentType != "UCCE-2000-Agents" || d.Version != 1 || len(d.Machines) < 10 ||
		d.Machines[0].Group == "" || len(d.Connections) != len(d.Machines) || d.Omitted != 0 {
		t.Errorf("%s", text)
	}
	if c := d.Connections[0]; c.Status != "failed" || c.Code != "sign_in_failed" || !c.At.Equal(n.at) {
		t.Errorf("%+v", c)
	}
	p := d.Procedures[0]
	if p.Kind != "upgrade" || p.Status != "failed" || p.Machines[0].Status != "failed" || p.Machines[0].Code != "other" ||
		p.Machines[0].From != "12.5(1)ES66" || p.Machines[1].Status != "pending" {
		t.Errorf("%+v", p)
	}
}

func TestAnEmptyNodeShowsAnEmptyInventory(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	d, err := cloudview.Build(n.dir, n.now)
	if err != nil || d.Version != 0 || len(d.Machines)+len(d.Procedures)+len(d.Connections) != 0 || !d.Valid() {
		t.Errorf("%+v %v", d, err)
	}
}

func TestAProcedureWhoseWorkerIsGoneIsInterrupted(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	j, err := procedure.Create(n.dir, procedure.Plan{ID: "p", Kind: procedure.Upgrade, Created: n.at, DeploymentType: inventory.UCCE2000,
		Parallel: 1, Stages: make([]procedure.Stage, 1), Tasks: []procedure.Task{{Host: procedure.Host{Name: "a"},
			Steps: []procedure.Step{{Do: procedure.Check}}}}})
	n.must(err)
	n.must(j.Close())
	if d, err := cloudview.Build(n.dir, n.now); err != nil || d.Procedures[0].Status != "interrupted" || !d.Procedures[0].EndedAt.IsZero() {
		t.Errorf("%+v %v", d, err)
	}
	n.must(os.WriteFile(filepath.Join(procedure.Folder(n.dir), "q.journal"), []byte("damaged\n"), 0o600))
	if d, err := cloudview.Build(n.dir, n.now); err != nil || len(d.Procedures) != 1 {
		t.Errorf("beside a damaged one: %+v %v", d, err)
	}
}

// A full house: hundreds of machines with names as long as names may be.
func TestAnythingAnInventoryMayHoldFitsIntoOneRequest(t *testing.T) {
	t.Parallel()
	for _, length := range []int{20, 60, 253} {
		n := newNode(t)
		var section inventory.Section
		section.Product = inventory.Distributor
		label := strings.Repeat("x", 50)
		for k := range 600 {
			name := fmt.Sprintf("h%03d.%s", k, strings.Repeat(label+".", 5))
			section.Groups = append(section.Groups, inventory.Group{Name: fmt.Sprint("G", k), Hosts: []inventory.Host{
				{Name: strings.TrimRight(name[:length], "."), Side: inventory.SideA, User: "u"}}})
		}
		i, err := inventory.Sample(inventory.UCCE2000)
		n.must(err)
		for k := range i.Windows {
			if i.Windows[k].Product == section.Product {
				i.Windows[k] = section
			}
		}
		text := inventory.Format(i)
		for len(text) > inventory.MaxBytes || strings.Count(string(text), "\n") > 2400 {
			for k := range i.Windows {
				if i.Windows[k].Product == section.Product {
					i.Windows[k].Groups = i.Windows[k].Groups[:len(i.Windows[k].Groups)-10]
				}
			}
			text = inventory.Format(i)
		}
		_, err = machines.Open(n.dir, n.now).Import(text, 0, "t", "t")
		n.must(err)
		d, err := cloudview.Build(n.dir, n.now)
		n.must(err)
		body, err := json.Marshal(wire.CloudViewRequest{Document: &d})
		if err != nil || len(body) > wire.MaxBody || !d.Valid() || len(d.Machines)+d.Omitted != len(i.Machines()) ||
			len(d.Machines) < 100 {
			t.Errorf("%d: %d bytes, %d machines, %d omitted, valid %v", length, len(body), len(d.Machines), d.Omitted, d.Valid())
		}
	}
	n := newNode(t)
	n.works(30)
	d, err := cloudview.Build(n.dir, n.now)
	if err != nil || len(d.Procedures) != models.MaxCloudProcedures || !d.Valid() {
		t.Errorf("%d procedures, %v", len(d.Procedures), err)
	}
}

func TestNothingIsSentBeforeAYesAndAgainAfterANo(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.works(1)
	n.must(n.once())
	if n.asked != 0 {
		t.Fatal("something left the node before anybody said yes")
	}
	n.choose("tokyo")
	n.must(n.once())
	n.must(n.once())
	if n.asked != 1 || n.hub == nil || len(n.hub.Machines) == 0 {
		t.Fatalf("told %d times: %+v", n.asked, n.hub)
	}
	n.at = n.at.Add(59 * time.Minute)
	n.must(n.once())
	if n.asked != 1 {
		t.Error("told again although nothing changed")
	}
	n.at = n.at.Add(time.Minute) // a hub that was restored would have lost it
	n.must(n.once())
	if n.asked != 2 {
		t.Error("not told again within the hour")
	}
	n.works2()
	n.must(n.once())
	if n.asked != 3 || n.hub.DeploymentName != "Another" {
		t.Errorf("a change was not told: %+v", n.hub)
	}
	n.choose("")
	n.fails = errors.New("no way to the hub")
	if err := n.once(); err == nil {
		t.Error("a no that did not arrive went unnoticed")
	}
	if s, err := cloudview.Last(n.dir); err != nil || s.Cluster != "tokyo" || s.Trouble != "no way to the hub" {
		t.Errorf("%+v %v", s, err)
	}
	n.fails = nil
	n.must(n.once())
	if n.hub != nil {
		t.Error("the hub holds what was taken back")
	}
	n.must(n.once())
	if s, err := cloudview.Last(n.dir); n.asked != 5 || s != (cloudview.Sent{}) {
		t.Errorf("asked %d times, %+v %v", n.asked, s, err)
	}
}

// works2 is another inventory.
func (n *node) works2() {
	n.t.Helper()
	i := inventory.Empty()
	i.DeploymentName = "Another"
	_, err := machines.Open(n.dir, n.now).Import(inventory.Format(i), 1, "t", "t")
	n.must(err)
}

func TestANoAfterACrashReachesAHubThatMayHoldSomething(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.choose("tokyo")
	n.fails = errors.New("the answer was lost")
	if n.once() == nil {
		t.Fatal("a lost answer went unnoticed")
	}
	n.choose("")
	n.fails = nil
	n.must(n.once())
	if n.asked != 2 {
		t.Error("the hub was not told to delete what it may hold")
	}
}

func TestAYesHoldsForOneRegistrationOnly(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.choose("tokyo")
	n.must(n.once())
	n.cluster = "" // deregistered: the hub deleted what it held
	n.must(n.once())
	n.cluster = "of another organization"
	n.must(n.once())
	n.must(n.once())
	if n.asked != 1 {
		t.Error("another organization was shown what nobody allowed it")
	}
	if on, err := cloudview.Enabled(settings.Open(n.dir, n.now), n.cluster); on || err != nil {
		t.Error(on, err)
	}
}

func TestTheSenderTriesUntilItEnds(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n.sender().Run(ctx) // returns
}
