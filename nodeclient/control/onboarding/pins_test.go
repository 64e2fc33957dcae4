package onboarding_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/onboarding"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/vosapi"
)

func (n *node) removes(cluster, publisher string) {
	n.t.Helper()
	gone, err := n.desk.Remove(n.t.Context(), vosapi.Removal{Protocol: 1, Cluster: cluster,
		Publisher: publisher}, "somebody")
	if err != nil || !gone.Known {
		n.t.Fatalf("%+v %v", gone, err)
	}
}

// pinned is the key that is confirmed for a machine; empty where none is.
func (n *node) pinned(host string) string {
	n.t.Helper()
	key, err := remote.OpenPins(n.dir, time.Now).Of(host + ":1")
	if errors.Is(err, remote.ErrKeyUnknown) {
		return ""
	}
	if err != nil {
		n.t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func TestNobodySubstitutesTheHostKeyOfAnotherCluster(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	victim := cluster(t, "A", inventory.Finesse, "fin-a", "fin-b")
	truth := victim.Nodes[0].Facts.HostKeys[0]
	holds := func(when string) {
		t.Helper()
		if n.pinned("fin-a") != truth {
			t.Errorf("%s: the confirmed key is %q", when, n.pinned("fin-a"))
		}
	}
	n.adds(victim, false)
	evil := cluster(t, "B", inventory.Finesse, "fin-a", "fin-b")
	n.refuses(evil, false, "machine_onboarded_already")
	upper := cluster(t, "B", inventory.Finesse, "FIN-A", "fin-c")
	upper.Nodes[0].Facts.HostKeys[0] = truth
	if _, err := n.add(upper, false); err == nil {
		t.Error("a machine is taken over by writing its name in capitals")
	}
	n.removes(id("B"), "fin-a") // by the name, as after an installation of the machine
	holds("removed by its name")
	n.refuses(evil, false, "host_key_differs")
	holds("refused")

	// with the right key, which anybody may ask the machine for, and then on from there
	for i := range evil.Nodes {
		evil.Nodes[i].Facts.HostKeys[0] = victim.Nodes[i].Facts.HostKeys[0]
	}
	n.adds(evil, false)
	own := cluster(t, "B", inventory.Finesse, "fin-a", "fin-b")
	n.refuses(own, true, "host_key_differs")
	n.removes(id("B"), "fin-a")
	holds("onboarded with the right key and removed")
	n.refuses(own, false, "host_key_differs")

	// what an administrator of the control node forgets is free
	for _, host := range []string{"fin-a", "fin-b"} {
		if err := remote.OpenPins(n.dir, time.Now).Forget(host + ":1"); err != nil {
			t.Fatal(err)
		}
	}
	n.adds(own, false)
	if n.pinned("fin-a") != own.Nodes[0].Facts.HostKeys[0] {
		t.Error("a machine that was installed anew is not onboarded")
	}
}

func TestAKeyThatAnAdministratorHasConfirmedStaysWhateverAClusterDoes(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	o := cluster(t, "A", inventory.VVB, "vvb-1")
	truth := o.Nodes[0].Facts.HostKeys[0]
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(truth))
	if err == nil {
		err = remote.OpenPins(n.dir, time.Now).Confirm("vvb-1:1", key, "admin")
	}
	if err != nil {
		t.Fatal(err)
	}
	n.adds(o, false)
	n.refuses(cluster(t, "A", inventory.VVB, "vvb-1"), true, "host_key_differs")
	n.removes(id("A"), "vvb-1")
	if n.pinned("vvb-1") != truth {
		t.Errorf("%q", n.pinned("vvb-1"))
	}
}

func TestWhoeverIsRefusedLeavesNoHostKeyBehind(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.adds(cluster(t, "A", inventory.Finesse, "fin-a", "fin-b"), false)
	now := string(n.text())
	n.imports(strings.Replace(now, "    IdS: {}\n", "    IdS:\n      IdS-Cluster-1:\n        hosts:\n"+
		"        - name: \"ids-a\"\n          side: \"A\"\n          type: \"Publisher\"\n        - name: \"ids-b\"\n"+
		"          side: \"B\"\n          type: \"Subscriber\"\n", 1))
	for code, o := range map[models.Code]vosapi.Onboarding{
		"inventory_refuses":         cluster(t, "B", inventory.IdentityService, "future-rogger", "ids-b"),
		"machine_onboarded_already": cluster(t, "C", inventory.Finesse, "future-rogger", "fin-b"),
		"machine_in_inventory":      cluster(t, "D", inventory.VVB, "future-rogger", "ids-b"),
	} {
		n.refuses(o, false, code)
		if n.pinned("future-rogger") != "" {
			t.Errorf("%s: a key is confirmed", code)
		}
	}
	// one of two machines shows another key than is confirmed: neither is confirmed
	n.removes(id("Z"), "fin-a")
	n.refuses(cluster(t, "E", inventory.Finesse, "future-rogger", "fin-b"), false, "host_key_differs")
	if n.pinned("future-rogger") != "" {
		t.Error("a key is confirmed")
	}
}

func TestNobodyJoinsOrLeavesWhileMachinesAreOrchestrated(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	o := cluster(t, "A", inventory.VVB, "vvb-1")
	n.adds(o, false)
	hold, err := gate.Take(n.dir, gate.Orchestration, "patch-manager install", "admin", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	changed := cluster(t, "A", inventory.VVB, "vvb-1")
	n.refuses(changed, true, "orchestration_runs")
	n.refuses(cluster(t, "B", inventory.VVB, "vvb-2"), false, "orchestration_runs")
	_, err = n.desk.Remove(t.Context(), vosapi.Removal{Protocol: 1, Cluster: id("A"), Publisher: "vvb-1"}, "admin")
	var refusal *models.Refusal
	if !errors.As(err, &refusal) || refusal.Code != "orchestration_runs" ||
		!strings.Contains(refusal.Sentence("en"), "patch-manager install") {
		t.Errorf("%v", err)
	}
	if n.pinned("vvb-1") != o.Nodes[0].Facts.HostKeys[0] {
		t.Error("the key was changed under a procedure")
	}
	hold.Release()
	n.adds(changed, true)
	n.removes(id("A"), "vvb-1")
	if all, err := onboarding.Clusters(n.dir, time.Now); err != nil || len(all) > 0 || n.pinned("vvb-1") != "" {
		t.Errorf("%+v %v", all, err)
	}
}
