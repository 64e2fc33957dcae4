package vosdriver_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/conduct"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/target"
	"connecthub/nodeclient/control/vosdriver"
	"connecthub/nodeclient/vos/vostest"
)

func TestMain(m *testing.M) { os.Exit(vostest.Main(m)) }

// control is a control node with one real VOS machine: the agent behind a forced command.
type control struct {
	t    *testing.T
	x    *vostest.Target
	pins *remote.Pins
	key  ssh.Signer
	dir  string
	n    int
}

func newControl(t *testing.T) *control {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &control{t: t, x: vostest.New(t, vostest.Options{}), dir: t.TempDir()}
	c.pins = remote.OpenPins(c.dir, time.Now)
	if c.key, err = ssh.NewSignerFromKey(private); err != nil {
		t.Fatal(err)
	}
	c.x.Admit("cc-pub.example.com", c.key.PublicKey())
	if err := c.pins.Confirm(c.x.Address(), c.x.HostKey.PublicKey(), "test"); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *control) open(procedure.Host) (target.Machine, error) {
	return vosdriver.New(remote.NewLink(c.t.Context(), c.pins, remote.Target{Address: c.x.Address(), User: c.x.User,
		Signers: []ssh.Signer{c.key}})), nil
}

func (c *control) facts() target.Facts {
	c.t.Helper()
	m, _ := c.open(procedure.Host{})
	defer m.Close()
	f, err := m.Facts(c.t.Context())
	if err != nil {
		c.t.Fatalf("%v\n%s", err, c.x.Log())
	}
	return f
}

func shown(f target.Facts) string {
	text := f.Active.Level().String()
	if f.Inactive != nil {
		text += " | " + f.Inactive.Level().String()
	}
	return fmt.Sprintf("%s serves %v restart %v", text, f.Serving, f.RestartNeeded)
}

// run goes through a procedure on the machine.
func (c *control) run(kind procedure.Kind, b *vostest.Bundle, to compat.Version) (procedure.State, error) {
	c.t.Helper()
	facts, err := compat.Load()
	if err != nil {
		c.t.Fatal(err)
	}
	c.n++
	h := procedure.Host{Name: "vvb", Address: c.x.Address(), User: c.x.User, Product: inventory.VVB, Group: "VVB-Cluster-1",
		Side: inventory.SideA, Type: inventory.Publisher}
	chosen := procedure.Chosen{Host: h, Facts: c.facts(), To: to}
	if b != nil {
		chosen.File = &target.File{Path: "vvb/" + b.SHA256, SHA256: b.SHA256, Size: b.Size, Target: to}
	}
	p, err := procedure.Build(procedure.Plan{ID: fmt.Sprintf("real-machine-%d", c.n), Kind: kind, Created: time.Now(), Parallel: 1,
		DeploymentType: inventory.UCCE2000, Limits: procedure.Limits{Retry: 100 * time.Millisecond, Verify: time.Minute}}, facts,
		[]procedure.Chosen{chosen}, []procedure.Host{h})
	if err != nil {
		c.t.Fatal(err)
	}
	j, err := procedure.Create(c.dir, p)
	if err != nil {
		c.t.Fatal(err)
	}
	defer j.Close()
	err = (&conduct.Conductor{Journal: j, Open: c.open, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Local: func(target.File) string { return b.Path }}).Run(c.t.Context())
	return j.State(), err
}

func (c *control) does(kind procedure.Kind, b *vostest.Bundle, to, want string) {
	c.t.Helper()
	v, err := compat.Parse(to)
	if err != nil {
		c.t.Fatal(err)
	}
	s, err := c.run(kind, b, v)
	if err != nil || s.Status != procedure.Done {
		c.t.Fatalf("%s: %v %+v\n%s", kind, err, s.Tasks, c.x.Log())
	}
	if got := shown(c.facts()); got != want {
		c.t.Errorf("%s: %s, want %s", kind, got, want)
	}
}

func TestProceduresWorkOnTheRealAgent(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	c.x.Does("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path)
	patch, upgrade := vostest.Pack(t, "VVB", "12.6(1)ES4", false), vostest.Pack(t, "VVB", "12.6(2)", false)
	c.does(procedure.PatchInstall, &patch, "12.6(1)ES4", "12.6(1)ES4 serves true restart false")
	c.does(procedure.PatchRollback, nil, "12.6(1)", "12.6(1) serves true restart false")
	c.does(procedure.Upgrade, &upgrade, "12.6(2)", "12.6(1) | 12.6(2) serves true restart false")
	c.does(procedure.SwitchForward, nil, "12.6(2)", "12.6(2) | 12.6(1) serves true restart false")
	c.does(procedure.Rollback, nil, "12.6(1)", "12.6(1) | 12.6(2) serves true restart false")
	c.does(procedure.Maintenance, nil, "12.6(1)", "12.6(1) | 12.6(2) serves false restart false")
	c.does(procedure.Services, nil, "12.6(1)", "12.6(1) | 12.6(2) serves true restart false")
}

func TestAFailedUpgradeOfTheRealAgentBeginsTheNextTryWithARestart(t *testing.T) {
	t.Parallel()
	c := newControl(t)
	c.x.Does("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path)
	broken, good := vostest.Pack(t, "VVB", "12.6(2)", true), vostest.Pack(t, "VVB", "15.0(1)", false)
	c.does(procedure.Upgrade, &broken, "12.6(2)", "12.6(1) | 12.6(2) serves true restart false")
	s, err := c.run(procedure.SwitchForward, nil, compat.Version{Major: 12, Minor: 6, Maintenance: 2})
	if !errors.Is(err, conduct.ErrStopped) || s.Tasks[0].Code != "unhealthy" {
		t.Fatalf("%v %+v", err, s.Tasks)
	}
	if got := shown(c.facts()); got != "12.6(1) | 12.6(2) serves true restart true" {
		t.Errorf("%s", got)
	}
	boots := c.x.Boots()
	c.does(procedure.Upgrade, &good, "15.0(1)", "12.6(1) | 15.0(1) serves true restart false")
	if c.x.Boots() != boots+1 {
		t.Errorf("%d restarts", c.x.Boots()-boots)
	}
}
