package vos_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/vos/vostest"
)

// workers are the processes that do this machine's operations.
func workers(t *testing.T, dir string) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if words := bytes.Split(line, []byte{0}); err == nil && len(words) > 4 && string(words[1]) == "vos" &&
			string(words[2]) == "work" && slices.ContainsFunc(words, func(w []byte) bool { return string(w) == dir }) {
			all = append(all, pid)
		}
	}
	return all
}

func TestAnOperationOutlivesItsConnectionAndItsWorker(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{})
	x.Does("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path)
	c := newControl(t, x)
	patch := vostest.Pack(t, "VVB", "12.6(1)ES1", false)
	c.put(patch)
	killed := 0
	for n, w := range []vosapi.Work{{Kind: vosapi.PatchInstall, SHA256: vosapi.Digest(patch.SHA256)},
		{Kind: vosapi.PatchRollback}, {Kind: vosapi.Restart}} {
		id := c.start(w)
		c.client.Close() // the control node dies
		for range 5 + 3*n {
			for _, pid := range workers(t, x.Dir) {
				if syscall.Kill(pid, syscall.SIGKILL) == nil {
					killed++
				}
			}
			c.dial()
			again := c.ask(vosapi.Request{Verb: vosapi.Start, Operation: id, Work: &w}) // the same id starts nothing new
			if again.Operation.ID != id {
				t.Fatalf("%+v", again.Operation)
			}
			c.client.Close()
		}
		c.dial()
		if o := c.ends(id); o.State != vosapi.Done {
			t.Fatalf("%+v: %v", o, o.Err())
		}
		if f := c.facts(); !f.Healthy || levels(f) != []string{"12.6(1)ES1", "12.6(1)", "12.6(1)"}[n] {
			t.Fatalf("%+v", f)
		}
		c.refused(vosapi.Request{Verb: vosapi.Start, Operation: id, Work: &vosapi.Work{Kind: vosapi.Switch}}, vosapi.Differs)
	}
	t.Logf("%d workers were killed", killed)
	c.refused(vosapi.Request{Verb: vosapi.Status, Operation: "never-begun"}, vosapi.Unknown)
}

// stage puts an operation on the disk as a worker that was killed there has left it.
func (c *control) stage(id vosapi.OperationID, change func(map[string]any)) {
	c.t.Helper()
	path := filepath.Join(c.target.Dir, "operations", string(id)+".json")
	text, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	var r map[string]any
	if err := json.Unmarshal(text, &r); err != nil {
		c.t.Fatal(err)
	}
	delete(r, "ended")
	delete(r, "code")
	r["state"] = "running"
	change(r)
	if text, err = json.Marshal(r); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// A worker may die between any two steps: what it has begun is ended, with one version that serves.
func TestEveryStepCanBeTheLastOfAWorker(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{})
	x.Does("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path)
	c := newControl(t, x)
	c.install(vosapi.Install, vostest.Pack(t, "VVB", "12.6(2)", false))
	id := c.start(vosapi.Work{Kind: vosapi.Switch})
	c.ends(id)
	for phase, want := range map[string]string{"stop": "12.6(2) 12.6(1)", "start": "12.6(2) 12.6(1)", "back": "12.6(1) 12.6(2)"} {
		c.stage(id, func(r map[string]any) {
			r["phase"] = phase
			if phase == "back" {
				r["code"], r["detail"] = "unhealthy", "it did not serve"
			}
		})
		o := c.ends(id)
		if f := c.facts(); levels(f) != want || !f.Healthy || (o.State == vosapi.Done) != (phase != "back") {
			t.Fatalf("%s: %+v %+v", phase, o, f)
		}
		if phase == "back" { // and for the next round: neither a failure nor the other version
			c.does(vosapi.Work{Kind: vosapi.Restart})
			c.does(vosapi.Work{Kind: vosapi.Switch})
		}
	}
}

func TestWhatHasDisturbedNothingCanBeCancelled(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{})
	x.Does("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path)
	c := newControl(t, x)
	next := vostest.Pack(t, "VVB", "12.6(2)", false)
	c.put(next)
	id := c.start(vosapi.Work{Kind: vosapi.Install, SHA256: vosapi.Digest(next.SHA256)})
	if o := c.ends(id); o.State != vosapi.Done {
		t.Fatalf("%+v", o)
	}
	c.refused(vosapi.Request{Verb: vosapi.Cancel, Operation: id}, vosapi.TooLate)
	c.put(next)
	c.stage(id, func(r map[string]any) { r["phase"], r["disturbing"] = "", false })
	c.ask(vosapi.Request{Verb: vosapi.Cancel, Operation: id})
	if o := c.ends(id); o.State != vosapi.Cancelled || o.Code != vosapi.WasCancelled {
		t.Errorf("%+v", o)
	}
	if a := c.ask(vosapi.Request{Verb: vosapi.Cancel, Operation: id}); a.Operation.State != vosapi.Cancelled {
		t.Errorf("%+v", a.Operation)
	}
	if f := c.facts(); !f.Healthy || f.RestartNeeded {
		t.Errorf("%+v", f)
	}
}

func TestMaintenanceStopsTheServicesAndEndsWithThem(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{Product: "Finesse"})
	x.Does("vos", "install", vostest.Pack(t, "Finesse", "12.6(1)", false).Path)
	c := newControl(t, x)
	enter := func(b bool) { c.ask(vosapi.Request{Verb: vosapi.Maintenance, Enter: &b}) }
	for range 2 {
		enter(true)
	}
	if f := c.facts(); !f.Maintenance || f.Healthy {
		t.Errorf("%+v", f)
	}
	c.install(vosapi.PatchInstall, vostest.Pack(t, "Finesse", "12.6(1)ES2", false))
	if f := c.facts(); !f.Maintenance {
		t.Errorf("%+v", f)
	}
	for range 2 {
		enter(false)
	}
	if f := c.facts(); f.Maintenance || !f.Healthy {
		t.Errorf("%+v", f)
	}
	enter(true)
	enter(false)
	if f := c.facts(); f.Maintenance || !f.Healthy {
		t.Errorf("%+v", f)
	}
}

func TestAClustersPublisherReachesItsSubscribersAndNobodyElseDoes(t *testing.T) {
	t.Parallel()
	first := vostest.New(t, vostest.Options{Host: "127.0.71.1", Product: "CUIC", Cluster: "reports"})
	join := filepath.Join(t.TempDir(), "join.json")
	first.Does("vos", "cluster", "join-file", join)
	second := vostest.New(t, vostest.Options{Host: "127.0.71.2", Product: "CUIC", Join: join})
	line := second.AuthorizedKeys()
	if !strings.HasPrefix(line, "restrict,command=\"") || strings.Count(line, "--peer cluster --name 127.0.71.1") != 1 {
		t.Errorf("%s", line)
	}
	add := []string{"vos", "cluster", "add", "127.0.71.2", "--user", second.User, "--address", second.Address(), "--host-key"}
	for _, one := range []struct {
		args []string
		says string
	}{
		{append(slices.Clone(add), first.Fingerprint()), "not the key that was given"},
		{[]string{"vos", "cluster", "add", "127.0.71.9", "--user", second.User, "--address", second.Address(), "--host-key",
			second.Fingerprint()}, "is not the subscriber 127.0.71.9 of this cluster"},
	} {
		if code, out := first.Run(one.args...); code != 1 || !strings.Contains(out, one.says) {
			t.Errorf("%d %s", code, out)
		}
	}
	first.Does(append(slices.Clone(add), second.Fingerprint())...)
	if out := first.Does("vos", "cluster", "list"); !strings.Contains(out, "127.0.71.2 ("+second.User+" at "+second.Address()+")") {
		t.Error(out)
	}
	for _, args := range [][]string{{"vos", "cluster", "list"}, {"vos", "cluster", "join-file", join}} {
		if code, out := second.Run(args...); code != 1 || !strings.Contains(out, "publisher") {
			t.Errorf("%v: %d %s", args, code, out)
		}
	}
	first.Does("vos", "cluster", "remove", "127.0.71.2")
	if out := first.Does("vos", "cluster", "list"); strings.Contains(out, "127.0.71.2") {
		t.Error(out)
	}
}

// The control node that began it may have given it up: it never asks any more.
func TestWhatADeadWorkerHasLeftIsEndedWhoeverAsks(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{})
	x.Does("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path)
	c := newControl(t, x)
	patch := vostest.Pack(t, "VVB", "12.6(1)ES1", false)
	c.put(patch)
	id := c.start(vosapi.Work{Kind: vosapi.PatchInstall, SHA256: vosapi.Digest(patch.SHA256)})
	c.ends(id)
	dead := func() {
		c.stage(id, func(r map[string]any) { r["phase"], r["disturbing"] = "stop", true })
	}
	dead()
	c.until("facts that name no operation", func() bool { return c.facts().Running == "" })
	dead()
	next := c.id()
	c.until("the start of another operation", func() bool {
		_, err := c.try(vosapi.Request{Verb: vosapi.Start, Operation: next, Work: &vosapi.Work{Kind: vosapi.PatchRollback}})
		return err == nil
	})
	if o := c.ends(next); o.State != vosapi.Done || levels(c.facts()) != "12.6(1)" {
		t.Errorf("%+v", o)
	}
}

// Whoever resumes after a failure starts the operation again under another id.
func TestAFileStaysUntilItIsInstalledOrIsNoneForThisMachine(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{})
	x.Does("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path)
	c := newControl(t, x)
	there := func(b vostest.Bundle) bool {
		_, err := os.Stat(filepath.Join(x.Dir, "incoming", b.SHA256))
		return err == nil
	}
	broken := vostest.Pack(t, "VVB", "12.6(1)ES9", true)
	c.put(broken)
	w := vosapi.Work{Kind: vosapi.PatchInstall, SHA256: vosapi.Digest(broken.SHA256)}
	for range 2 { // as it is, and after the control node has put it again
		if o := c.ends(c.start(w)); o.Code != vosapi.Unhealthy || !there(broken) {
			t.Fatalf("%+v", o)
		}
		c.put(broken)
	}
	older := vostest.Pack(t, "VVB", "12.5(1)", false)
	c.put(older)
	if o := c.ends(c.start(vosapi.Work{Kind: vosapi.Install, SHA256: vosapi.Digest(older.SHA256)})); o.Code != vosapi.NotUpgrade || there(older) {
		t.Errorf("%+v", o)
	}
	good := vostest.Pack(t, "VVB", "12.6(1)ES10", false)
	c.install(vosapi.PatchInstall, good)
	if there(good) {
		t.Error("what is installed is still there")
	}
}

func TestARestartHappensOnlyInTheBootThatItNames(t *testing.T) {
	t.Parallel()
	x := vostest.New(t, vostest.Options{})
	x.Does("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path)
	c := newControl(t, x)
	if o := c.does(vosapi.Work{Kind: vosapi.Restart, Boot: "of-before"}); x.Boots() != 0 || o.Disturbing {
		t.Errorf("%+v: %d restarts", o, x.Boots())
	}
	boot := c.facts().BootID
	w := vosapi.Work{Kind: vosapi.Restart, Boot: boot}
	id := c.start(w)
	if o := c.ends(id); o.State != vosapi.Done || x.Boots() != 1 {
		t.Errorf("%+v: %d restarts", o, x.Boots())
	}
	w.Boot = c.facts().BootID // asked again in the boot after it
	if o := c.ask(vosapi.Request{Verb: vosapi.Start, Operation: id, Work: &w}).Operation; o.State != vosapi.Done || x.Boots() != 1 {
		t.Errorf("%+v: %d restarts", o, x.Boots())
	}
	c.refused(vosapi.Request{Verb: vosapi.Start, Operation: c.id(), Work: &vosapi.Work{Kind: vosapi.Switch, Boot: boot}}, vosapi.Malformed)
}
