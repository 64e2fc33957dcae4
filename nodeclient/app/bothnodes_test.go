package app_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/conduct/standtest"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/host/hosttest"
)

// newShared are two control nodes with one deployment: what the publisher has goes to the subscriber by
// itself, and both keys are at the machines.
func newShared(t *testing.T) (pub, sub plant) {
	t.Helper()
	b := newTwo(t)
	own := map[*machine]ssh.PublicKey{}
	for _, m := range []*machine{b.pub, b.sub} {
		pair, err := keys.Own(m.dir)
		if err != nil {
			t.Fatal(err)
		}
		own[m] = pair.Signer().PublicKey()
	}
	specs := duplex(inventory.PeripheralGateway, "PG1")
	for i := range specs {
		specs[i].Work, specs[i].Reboot = 300*time.Millisecond, 300*time.Millisecond
	}
	shared := standtest.Start(t, own[b.pub], specs...)
	pub, sub = plant{place{dir: b.pub.dir}, shared}, plant{place{dir: b.sub.dir}, shared}
	pins := remote.OpenPins(b.pub.dir, time.Now)
	for _, m := range shared.Machines {
		f, err := os.OpenFile(m.AuthorizedKeys, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(ssh.MarshalAuthorizedKey(own[b.sub])); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		if err := pins.Confirm(m.Address, m.Key.Signer.PublicKey(), "test"); err != nil {
			t.Fatal(err)
		}
	}
	pub.imports(t)
	pub.wants(t, 0, "", "set", "orchestration", "ssh-port", strconv.Itoa(pub.Port))
	for _, p := range []plant{pub, sub} {
		p.offers(t, [3]string{"icm/ES4.exe", "UCCE", "12.6(1)ES4"})
	}
	hosttest.Await(t, "the subscriber has the deployment", func() bool {
		code, out, _ := sub.script(t, "utils", "deployment", "show", "status", "--all")
		return code == 0 && strings.Count(out, "12.6(1)") > 1 && !strings.Contains(out, "host key")
	})
	return pub, sub
}

// TestTwoControlNodesNeverDisturbBothMachinesOfAPair lets publisher and subscriber work on the two
// machines of a pair: at the same time, and one while the other one works.
func TestTwoControlNodesNeverDisturbBothMachinesOfAPair(t *testing.T) {
	t.Parallel()
	pub, sub := newShared(t)
	a, b := pub.Machines[0].Name, pub.Machines[1].Name
	patch := func(what, node string) []string {
		return []string{"utils", "patch-manager", what, "--node", node, "--maintenance", "without", "--yes"}
	}
	for _, what := range []string{"install", "rollback", "install"} {
		var wg sync.WaitGroup
		codes, said := [2]int{}, [2]string{}
		for i, p := range []plant{pub, sub} {
			wg.Go(func() {
				var out, e string
				codes[i], out, e = p.script(t, patch(what, []string{a, b}[i])...)
				said[i] = out + e
			})
		}
		wg.Wait()
		for i, p := range []plant{pub, sub} {
			switch {
			case codes[i] == 0:
			case !strings.Contains(said[i], "another control node, cc-"):
				t.Fatalf("%d %s", i, said[i])
			default:
				p.wants(t, 0, "", patch(what, []string{a, b}[i])...)
			}
		}
		if n := pub.BothDisturbed(t); n != 0 {
			t.Errorf("%s: both of a pair were disturbed %d times", what, n)
		}
	}
	for _, one := range []struct{ first, then plant }{{pub, sub}, {sub, pub}} {
		pub.Machines[0].Set(t, "workMillis", 12_000) // longer than the other one's command takes to ask
		one.first.wants(t, 0, "has begun", append(patch("rollback", a), "--no-wait")...)
		one.then.wants(t, 1, "another control node, cc-", patch("rollback", b)...)
		hosttest.Await(t, "the procedure ends", func() bool {
			_, busy, err := gate.Busy(one.first.dir, gate.Orchestration)
			return err == nil && !busy
		})
		pub.Machines[0].Set(t, "workMillis", 300)
		one.then.wants(t, 0, "", patch("install", a)...)
	}
	if n := pub.BothDisturbed(t); n != 0 {
		t.Errorf("both of a pair were disturbed %d times", n)
	}
}
