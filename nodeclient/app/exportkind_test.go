package app_test

import (
	"os"
	"strings"
	"testing"

	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/host/hosttest"
)

func TestSoftwareOfTheOtherExportKindIsInstalledByNobodyAndGoesWithTheNextStart(t *testing.T) {
	t.Parallel()
	d := newDepot(t, "--listen", "127.0.0.1:0")
	list := func(words ...string) {
		t.Helper()
		code, _, e := d.script(t, "utils", "patch-manager", "list", "--all")
		if code != 1 {
			t.Errorf("exit code %d", code)
		}
		for _, w := range words {
			if !strings.Contains(e, w) {
				t.Errorf("%q lacks %q", e, w)
			}
		}
	}
	if code, _, e := d.set(t, "unrestricted"); code != 0 {
		t.Fatal(e)
	}
	if code, _, e := d.script(t, "utils", "initiate", "software-download"); code != 0 {
		t.Fatal(e)
	}
	list("no machine in the inventory") // it is not the software that is in the way
	code, _, e := d.set(t, "restricted")
	wants(t, "set", code, 0, e, "The unrestricted software is removed when the agent starts the next time")
	list("the software here is export unrestricted and export restricted was chosen since")
	d.lists(t, "vvb/12.6/vvb-es4.cop.sgn")
	d.hub.EULA("2") // the next download cannot be: what is not chosen goes all the same

	agent := nodeProgram("run", "--dir", d.dir)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = agent.Process.Signal(os.Interrupt)
		_ = agent.Wait()
	}()
	hosttest.Await(t, "the agent removes what is not chosen any more", func() bool {
		c, err := catalogue.Read(d.dir)
		left, errLeft := os.ReadDir(catalogue.Folder(d.dir))
		return err == nil && errLeft == nil && c.Restricted && len(c.Files) == 0 && len(left) == 0
	})
	d.free(t) // of the removal
	list("no software has been downloaded yet")
}
