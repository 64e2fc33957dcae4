package vosdriver_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/conduct/standtest"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/remote/sftptest"
	"connecthub/nodeclient/control/target"
	"connecthub/nodeclient/control/vosdriver"
	"connecthub/nodeclient/vos/vostest"
)

// until does it through restarts of the machine.
func until(t *testing.T, do func() error) error {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		err := do()
		if !errors.Is(err, target.ErrAway) || time.Now().After(deadline) {
			return err
		}
	}
}

// answers are what a machine with 12.6(1) says to a procedure's ways of going wrong. Fails makes the next
// switch fail.
func answers(t *testing.T, m target.Machine, install target.File, fails func()) []string {
	t.Helper()
	var all []string
	n := 0
	do := func(w target.Work) {
		t.Helper()
		n++
		w.ID = fmt.Sprintf("operation-%d", n)
		err := until(t, func() error { _, err := m.Do(t.Context(), w); return err })
		code := "done"
		if failed := (*target.Failure)(nil); errors.As(err, &failed) {
			code = failed.Code
		} else if err != nil {
			t.Fatalf("%s: %v", w.Kind, err)
		}
		if code == "unhealthy" || code == "internal" { // why it fails is the test's own
			code = "failed"
		}
		all = append(all, string(w.Kind)+" "+code)
	}
	facts := func() (f target.Facts) {
		t.Helper()
		err := until(t, func() (err error) { f, err = m.Facts(t.Context()); return err })
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s restart %v running %q", f.Active.Level(), f.RestartNeeded, f.Running))
		return f
	}
	put := func() {
		t.Helper()
		if err := m.Put(t.Context(), install, nil); err != nil {
			t.Fatal(err)
		}
	}
	boot := facts().Boot
	do(target.Work{Kind: target.Restart, Boot: "another"})
	if facts().Boot != boot {
		t.Error("it was restarted in another boot than it was asked for")
	}
	do(target.Work{Kind: target.Install, File: &install, Version: install.Target})
	do(target.Work{Kind: target.Back})
	do(target.Work{Kind: target.Unpatch})
	put()
	put() // whatever is there: a control node goes back to it
	do(target.Work{Kind: target.Install, File: &install, Version: install.Target})
	do(target.Work{Kind: target.Install, File: &install, Version: install.Target}) // it went when it was installed
	do(target.Work{Kind: target.Back})
	do(target.Work{Kind: target.Switch, Active: install.Target})
	fails()
	do(target.Work{Kind: target.Switch})
	boot = facts().Boot
	do(target.Work{Kind: target.Switch})
	put()
	do(target.Work{Kind: target.Install, File: &install, Version: install.Target})
	do(target.Work{Kind: target.Restart, Boot: boot})
	if facts().Boot == boot {
		t.Error("it was not restarted")
	}
	return all
}

// Proof 4.5 is about stand-ins; it proves as much as they are like the agent.
func TestTheStandInAnswersAsTheRealAgentDoes(t *testing.T) {
	t.Parallel()
	to := compat.Version{Major: 12, Minor: 6, Maintenance: 2}
	c := newControl(t)
	c.x.Does("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path)
	agent, err := c.open(procedure.Host{})
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	broken := vostest.Pack(t, "VVB", "12.6(2)", true)
	want := answers(t, agent, target.File{SHA256: broken.SHA256, Size: broken.Size, Local: broken.Path, Target: to}, func() {})

	key := sftptest.NewKey(t).Signer
	stand := standtest.Start(t, key.PublicKey(), standtest.Spec{Product: inventory.VVB, Group: "VVB-Cluster-1", Side: inventory.SideA,
		Type: inventory.Publisher}).Machines[0]
	pins := remote.OpenPins(t.TempDir(), time.Now)
	if err := pins.Confirm(stand.Address, stand.Key.Signer.PublicKey(), "test"); err != nil {
		t.Fatal(err)
	}
	m := vosdriver.New(remote.NewLink(context.WithoutCancel(t.Context()), pins, remote.Target{Address: stand.Address, User: stand.User,
		Signers: []ssh.Signer{key}}))
	defer m.Close()
	text := []byte(`{"installs":"12.6(2)"}`)
	sum := sha256.Sum256(text)
	local := filepath.Join(t.TempDir(), "bundle")
	if err := os.WriteFile(local, text, 0o600); err != nil {
		t.Fatal(err)
	}
	got := answers(t, m, target.File{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text)), Local: local, Target: to},
		func() { stand.Fault(t, "exit", "1") })
	if !slices.Equal(got, want) || len(want) < 16 {
		t.Errorf("the stand-in\n%q\nthe agent\n%q", got, want)
	}
}
