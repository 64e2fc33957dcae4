package vos_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/vos/vostest"
)

func TestMain(m *testing.M) { os.Exit(vostest.Main(m)) }

const patience = 3 * time.Minute

// control is a control node that one machine has admitted.
type control struct {
	t      *testing.T
	target *vostest.Target
	client *remote.Client
	signer ssh.Signer
	pins   *remote.Pins
	n      int
}

func newControl(t *testing.T, x *vostest.Target) *control {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &control{t: t, target: x, pins: remote.OpenPins(t.TempDir(), time.Now)}
	if c.signer, err = ssh.NewSignerFromKey(private); err != nil {
		t.Fatal(err)
	}
	x.Admit("cc-pub.example.com", c.signer.PublicKey())
	if err := c.pins.Confirm(x.Address(), x.HostKey.PublicKey(), "test"); err != nil {
		t.Fatal(err)
	}
	c.dial()
	return c
}

func (c *control) dial() {
	c.t.Helper()
	client, err := remote.Dial(c.t.Context(), c.pins, remote.Target{Address: c.target.Address(),
		User: c.target.User, Signers: []ssh.Signer{c.signer}})
	if err != nil {
		c.t.Fatalf("%v\n%s", err, c.target.Log())
	}
	c.client = client
	c.t.Cleanup(client.Close)
}

// try asks, and answers the refusal too.
func (c *control) try(q vosapi.Request) (vosapi.Answer, error) {
	c.t.Helper()
	q.Protocol = vosapi.Protocol
	var text bytes.Buffer
	if err := vosapi.Write(&text, q); err != nil {
		c.t.Fatal(err)
	}
	r, err := c.client.Run(c.t.Context(), vosapi.Command, &text)
	if err != nil || r.Exit != 0 {
		c.t.Fatalf("%v %d %s\n%s", err, r.Exit, r.Stderr, c.target.Log())
	}
	a, err := vosapi.ReadAnswer(bytes.NewReader(r.Stdout))
	if err != nil {
		c.t.Fatalf("%v: %s", err, r.Stdout)
	}
	return a, a.Err()
}

func (c *control) ask(q vosapi.Request) vosapi.Answer {
	c.t.Helper()
	a, err := c.try(q)
	if err != nil {
		c.t.Fatalf("%+v: %v", q, err)
	}
	return a
}

func (c *control) refused(q vosapi.Request, want vosapi.Code) {
	c.t.Helper()
	if _, err := c.try(q); !errors.Is(err, &vosapi.Refusal{Code: want}) {
		c.t.Errorf("%+v: %v, want %s", q, err, want)
	}
}

func (c *control) facts() vosapi.Facts {
	c.t.Helper()
	return *c.ask(vosapi.Request{Verb: vosapi.GetFacts}).Facts
}

// put copies a bundle over, as the driver of a control node does.
func (c *control) put(b vostest.Bundle) {
	c.t.Helper()
	f := &vosapi.File{SHA256: vosapi.Digest(b.SHA256), Size: b.Size}
	p := c.ask(vosapi.Request{Verb: vosapi.PutFile, File: f}).Put
	err := c.client.Copy(c.t.Context(), remote.Upload{Local: b.Path, Remote: p.Path, SHA256: b.SHA256, Size: b.Size,
		Verify: func(context.Context, string) (string, error) {
			_, err := c.try(vosapi.Request{Verb: vosapi.PutDone, File: f})
			return b.SHA256, err
		}})
	if err != nil {
		c.t.Fatalf("%v\n%s", err, c.target.Log())
	}
}

func (c *control) id() vosapi.OperationID {
	c.n++
	return vosapi.OperationID(fmt.Sprintf("operation-%d", c.n))
}

// start begins an operation under a new id.
func (c *control) start(w vosapi.Work) vosapi.OperationID {
	c.t.Helper()
	id := c.id()
	c.ask(vosapi.Request{Verb: vosapi.Start, Operation: id, Work: &w})
	return id
}

// ends waits for the end of an operation.
func (c *control) ends(id vosapi.OperationID) vosapi.Operation {
	c.t.Helper()
	var o vosapi.Operation
	c.until(fmt.Sprintf("the end of %s", id), func() bool {
		o = *c.ask(vosapi.Request{Verb: vosapi.Status, Operation: id}).Operation
		return o.State.Final()
	})
	return o
}

func (c *control) until(what string, done func() bool) {
	c.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline.C:
			c.t.Fatalf("waited in vain: %s\n%s", what, c.target.Log())
		case <-tick.C:
		}
	}
}

// does starts an operation and wants it done.
func (c *control) does(w vosapi.Work) vosapi.Operation {
	c.t.Helper()
	o := c.ends(c.start(w))
	if o.State != vosapi.Done {
		c.t.Fatalf("%+v: %v", o, o.Err())
	}
	return o
}

func (c *control) install(kind vosapi.Kind, b vostest.Bundle) vosapi.Operation {
	c.t.Helper()
	c.put(b)
	return c.does(vosapi.Work{Kind: kind, SHA256: vosapi.Digest(b.SHA256), Version: b.Version})
}

func version(t *testing.T, text string) compat.Version {
	t.Helper()
	v, err := compat.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func levels(f vosapi.Facts) string {
	s := f.Active.Level().String()
	if f.Inactive != nil {
		s += " " + f.Inactive.Level().String()
	}
	return s
}

func TestAMachineIsUpgradedSwitchedPatchedAndTakenBack(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{})
	c := newControl(t, x)
	if f := c.facts(); f.Product != inventory.VVB || f.Type != inventory.Publisher || !f.Active.Version.IsZero() ||
		f.Healthy || f.Name != "127.0.0.1" || len(f.HostKeys) != 1 {
		t.Errorf("%+v", f)
	}
	x.Does("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path)
	x.Does("vos", "package", "record", "ucos.keymanagement.v02.cop.sgn")
	if f := c.facts(); levels(f) != "12.6(1)" || !f.Healthy || len(f.Packages) != 1 {
		t.Errorf("%+v", f)
	}
	c.refused(vosapi.Request{Verb: vosapi.Start, Operation: c.id(), Work: &vosapi.Work{Kind: vosapi.Switch}}, vosapi.NoInactive)
	c.refused(vosapi.Request{Verb: vosapi.Start, Operation: c.id(), Work: &vosapi.Work{Kind: vosapi.PatchRollback}}, vosapi.NoPatch)
	for _, es := range []string{"12.6(1)ES3", "12.6(1)ES4"} {
		if o := c.install(vosapi.PatchInstall, vostest.Pack(t, "VVB", es, false)); o.To.String() != es {
			t.Errorf("%+v", o)
		}
	}
	upgrade := vostest.Pack(t, "VVB", "12.6(2)", false)
	if o := c.install(vosapi.Install, upgrade); o.From != version(t, "12.6(1)ES4") || o.To != upgrade.Version || o.Disturbing {
		t.Errorf("%+v", o)
	}
	if f := c.facts(); levels(f) != "12.6(1)ES4 12.6(2)" || !f.Healthy {
		t.Errorf("%+v", f)
	}
	c.refused(vosapi.Request{Verb: vosapi.Start, Operation: c.id(), Work: &vosapi.Work{Kind: vosapi.Rollback}}, vosapi.NotLower)
	c.refused(vosapi.Request{Verb: vosapi.Start, Operation: c.id(), Work: &vosapi.Work{Kind: vosapi.Switch,
		Active: version(t, "12.6(1)")}}, vosapi.WrongState)
	if o := c.does(vosapi.Work{Kind: vosapi.Switch, Version: upgrade.Version, Active: version(t, "12.6(1)ES4")}); o.To != upgrade.Version || !o.Disturbing {
		t.Errorf("%+v", o)
	}
	if f := c.facts(); levels(f) != "12.6(2) 12.6(1)ES4" || !f.Healthy {
		t.Errorf("%+v", f)
	}
	c.refused(vosapi.Request{Verb: vosapi.Start, Operation: c.id(), Work: &vosapi.Work{Kind: vosapi.Switch}}, vosapi.NotHigher)
	c.does(vosapi.Work{Kind: vosapi.Rollback})
	if f := c.facts(); levels(f) != "12.6(1)ES4 12.6(2)" || !f.Healthy {
		t.Errorf("%+v", f)
	}
	if o := c.does(vosapi.Work{Kind: vosapi.PatchRollback, Version: version(t, "12.6(1)ES4")}); o.To.String() != "12.6(1)ES3" {
		t.Errorf("%+v", o)
	}
	if f := c.facts(); levels(f) != "12.6(1)ES3 12.6(2)" || !f.Healthy || len(f.Active.Patches) != 1 {
		t.Errorf("%+v", f)
	}
	if out := x.Does("vos", "show"); !strings.Contains(out, "12.6(1) with ES3") || !strings.Contains(out, "serve") {
		t.Error(out)
	}
	if out := x.Does("vos", "operations"); !strings.Contains(out, "patch-rollback done      12.6(1)ES4 → 12.6(1)ES3") {
		t.Error(out)
	}
}

func TestAVersionThatDoesNotServeGivesWayToTheOneBeforeAndWantsARestart(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{})
	x.Does("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path)
	c := newControl(t, x)
	patch := vostest.Pack(t, "VVB", "12.6(1)ES9", true)
	c.put(patch)
	o := c.ends(c.start(vosapi.Work{Kind: vosapi.PatchInstall, SHA256: vosapi.Digest(patch.SHA256)}))
	if o.State != vosapi.Failed || o.Code != vosapi.Unhealthy || o.To.String() != "12.6(1)" {
		t.Errorf("%+v", o)
	}
	if f := c.facts(); levels(f) != "12.6(1)" || !f.Healthy || f.RestartNeeded {
		t.Errorf("%+v", f)
	}
	c.install(vosapi.Install, vostest.Pack(t, "VVB", "12.6(2)", true))
	o = c.ends(c.start(vosapi.Work{Kind: vosapi.Switch}))
	if o.State != vosapi.Failed || o.Code != vosapi.Unhealthy {
		t.Errorf("%+v", o)
	}
	if f := c.facts(); levels(f) != "12.6(1) 12.6(2)" || !f.Healthy || !f.RestartNeeded {
		t.Errorf("%+v", f)
	}
	next := vostest.Pack(t, "VVB", "15.0(1)", false)
	c.put(next)
	again := vosapi.Work{Kind: vosapi.Install, SHA256: vosapi.Digest(next.SHA256)}
	c.refused(vosapi.Request{Verb: vosapi.Start, Operation: c.id(), Work: &again}, vosapi.RestartNeeded)
	x.Break(true)
	if o := c.ends(c.start(vosapi.Work{Kind: vosapi.Restart})); o.Code != vosapi.RestartFailed || x.Boots() != 0 {
		t.Errorf("%+v %d", o, x.Boots())
	}
	if f := c.facts(); !f.Healthy || !f.RestartNeeded {
		t.Errorf("%+v", f)
	}
	x.Break(false)
	before := c.facts().BootID
	c.does(vosapi.Work{Kind: vosapi.Restart})
	if f := c.facts(); !f.Healthy || f.RestartNeeded || f.BootID == before || x.Boots() != 1 {
		t.Errorf("%+v %d", f, x.Boots())
	}
	c.does(again)
	if f := c.facts(); levels(f) != "12.6(1) 15.0(1)" {
		t.Errorf("%+v", f)
	}
}
