package onboarding_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models"
	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/onboarding"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/sshport"
	"connecthub/nodeclient/control/vosapi"
)

// node is a control node's folder with nobody behind the machines' names.
type node struct {
	t    *testing.T
	dir  string
	self onboarding.Self
	desk *onboarding.Desk
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, dir: t.TempDir(), self: onboarding.Self{Name: "cc-pub.example.com", Role: models.Publisher,
		Subscribers: []models.FQDN{"cc-sub.example.com"}, Version: version(t, "12.6(1)ES4")}}
	n.desk = onboarding.New(onboarding.Options{Dir: n.dir, Now: time.Now,
		Self: func() (onboarding.Self, error) { return n.self, nil }})
	if err := sshport.Set(n.dir, time.Now, "test", 1); err != nil { // where nobody answers
		t.Fatal(err)
	}
	return n
}

func version(t *testing.T, text string) compat.Version {
	t.Helper()
	v, err := compat.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func hostKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func id(letter string) string { return strings.Repeat(letter, 26) }

// cluster is an application of machines 127.0.0.1, 127.0.0.2 … with all that is needed.
func cluster(t *testing.T, letter string, product inventory.Product, hosts ...string) vosapi.Onboarding {
	t.Helper()
	o := vosapi.Onboarding{Protocol: 1, Cluster: id(letter), Name: "cluster-" + letter, Product: product}
	for i, h := range hosts {
		kind := inventory.Subscriber
		if i == 0 {
			kind = inventory.Publisher
		}
		o.Nodes = append(o.Nodes, vosapi.Applicant{Name: h, Type: kind, User: "orchestration",
			Facts: &vosapi.Facts{Pong: vosapi.Pong{Name: h, Product: product, Type: kind},
				Active: vosapi.Side{Version: version(t, "12.6(1)")}, HostKeys: []string{hostKey(t)},
				Packages: []string{"ucos.keymanagement.cop.sgn"}}})
	}
	return o
}

func (n *node) add(o vosapi.Onboarding, update bool) (vosapi.Onboarded, error) {
	n.t.Helper()
	return n.desk.Add(n.t.Context(), o, update, "admin from 192.0.2.1")
}

func (n *node) adds(o vosapi.Onboarding, update bool) vosapi.Onboarded {
	n.t.Helper()
	done, err := n.add(o, update)
	if err != nil {
		n.t.Fatal(err)
	}
	return done
}

func (n *node) refuses(o vosapi.Onboarding, update bool, code models.Code) {
	n.t.Helper()
	before := n.text()
	if _, err := n.add(o, update); !errors.Is(err, &models.Refusal{Code: code}) {
		n.t.Errorf("%v, want %s", err, code)
	}
	if !bytes.Equal(n.text(), before) {
		n.t.Errorf("%s: the inventory was changed", code)
	}
}

func (n *node) text() []byte {
	n.t.Helper()
	now, err := machines.Open(n.dir, time.Now).Current()
	if err != nil {
		n.t.Fatal(err)
	}
	return now.Text
}

func (n *node) imports(text string) {
	n.t.Helper()
	store := machines.Open(n.dir, time.Now)
	now, err := store.Current()
	if err == nil {
		_, err = store.Import([]byte(text), now.Number, "admin", "test")
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

func TestSidesStayWhatSomebodyHasSet(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	o := cluster(t, "A", inventory.Finesse, "127.0.0.1", "127.0.0.2")
	done := n.adds(o, false)
	if !done.Partial || done.Group != "Finesse-Cluster-1" || len(done.Nodes) != 2 ||
		!strings.Contains(done.Nodes[0].Trouble, "the control node cannot sign in: the server cannot be reached") {
		t.Errorf("%+v", done)
	}
	text := string(n.text())
	if strings.Count(text, `side: "A"`) != 1 || strings.Count(text, `side: "B"`) != 1 {
		t.Fatal(text)
	}
	swapped := strings.NewReplacer(`side: "A"`, `side: "B"`, `side: "B"`, `side: "A"`).Replace(text) + "# mine\n"
	n.imports(swapped)
	if done := n.adds(o, true); done.Inventory != 2 || string(n.text()) != swapped {
		t.Errorf("%+v\n%s", done, n.text())
	}
	o.Nodes = append(o.Nodes, cluster(t, "A", inventory.Finesse, "127.0.0.9", "127.0.0.3").Nodes[1])
	n.adds(o, true)
	what, _ := inventory.Parse(n.text())
	all := what.Machines()
	if len(all) != 3 || all[0].Host.Side != "B" || all[1].Host.Side != "A" || all[2].Host.Side != "B" ||
		!strings.Contains(string(n.text()), "# mine") {
		t.Errorf("%s", n.text())
	}
}

func TestClustersAreNumberedAndTakenOutAlone(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	var groups []string
	for i, letter := range []string{"A", "B", "C"} {
		groups = append(groups, n.adds(cluster(t, letter, inventory.VVB, fmt.Sprintf("127.0.0.%d", i+1)), false).Group)
	}
	if strings.Join(groups, " ") != "VVB-Cluster-1 VVB-Cluster-2 VVB-Cluster-3" {
		t.Errorf("%v", groups)
	}
	pins := remote.OpenPins(n.dir, time.Now)
	if _, err := pins.Of("127.0.0.2:1"); err != nil {
		t.Error(err)
	}
	gone, err := n.desk.Remove(t.Context(), vosapi.Removal{Protocol: 1, Cluster: id("B"), Publisher: "127.0.0.2"}, "admin")
	if err != nil || !gone.Known {
		t.Errorf("%+v %v", gone, err)
	}
	if _, err := pins.Of("127.0.0.2:1"); !errors.Is(err, remote.ErrKeyUnknown) {
		t.Errorf("%v", err)
	}
	if text := string(n.text()); strings.Contains(text, "127.0.0.2") || !strings.Contains(text, "127.0.0.3") {
		t.Error(text)
	}
	if done := n.adds(cluster(t, "D", inventory.VVB, "127.0.0.4"), false); done.Group != "VVB-Cluster-2" {
		t.Errorf("%+v", done)
	}
	for range 2 { // one that was never known
		gone, err = n.desk.Remove(t.Context(), vosapi.Removal{Protocol: 1, Cluster: id("E"), Publisher: "127.0.0.5"}, "admin")
		if err != nil || gone.Known {
			t.Errorf("%+v %v", gone, err)
		}
	}
	clusters, err := onboarding.Clusters(n.dir, time.Now)
	if err != nil || len(clusters) != 3 {
		t.Errorf("%+v %v", clusters, err)
	}
	if _, err := n.add(cluster(t, "F", inventory.CUIC, "127.0.0.1"), false); err == nil {
		t.Error("one machine is of two products")
	}
}

func TestWhoeverLacksWhatIsNeededIsRefusedWithAllReasons(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	o := cluster(t, "A", inventory.LiveData, "127.0.0.1", "127.0.0.2")
	o.Nodes[0].Facts.Active.Version, o.Nodes[0].Facts.Packages = version(t, "12.5(1)"), nil
	o.Nodes[1].Facts.Active.Version = version(t, "11.6(1)")
	before := n.text()
	_, err := n.add(o, false)
	var unmet compat.Refusals
	if !errors.As(err, &unmet) || len(unmet) != 3 || !strings.Contains(err.Error(), "ucos.orchestration.enable-12.5.1.cop.sgn") ||
		!strings.Contains(err.Error(), "ucos.keymanagement.cop.sgn") || !strings.Contains(err.Error(), "127.0.0.2: ") {
		t.Errorf("%v", err)
	}
	n.self.Version = version(t, "12.6(1)ES2")
	if _, err := n.add(cluster(t, "A", inventory.VVB, "127.0.0.1"), false); err == nil ||
		!strings.Contains(err.Error(), "CloudConnect has 12.6(1)ES2 and needs 12.6(1)ES3 or later") {
		t.Errorf("%v", err)
	}
	if !bytes.Equal(n.text(), before) {
		t.Error("the inventory was changed")
	}
	n.self.Version = version(t, "12.6(1)ES3")
	n.adds(cluster(t, "A", inventory.VVB, "127.0.0.1"), false)
	n.self.Version = compat.Version{} // none is installed here
	n.adds(cluster(t, "B", inventory.VVB, "127.0.0.2"), false)
}

func TestAMachineIsNobodyElse(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.imports(strings.Replace(string(n.text()), "    PG: {}\n", "    PG:\n      PG1:\n        hosts:\n"+
		"        - name: \"127.0.0.7\"\n          side: \"A\"\n          user: \"a@b.c\"\n        - name: \"127.0.0.8\"\n"+
		"          side: \"B\"\n          user: \"a@b.c\"\n", 1))
	n.refuses(cluster(t, "A", inventory.VVB, "127.0.0.7"), false, "machine_in_inventory")
	n.adds(cluster(t, "A", inventory.VVB, "127.0.0.1"), false)
	n.refuses(cluster(t, "B", inventory.VVB, "127.0.0.1"), false, "machine_onboarded_already")
	n.refuses(cluster(t, "C", inventory.VVB, "127.0.0.3"), true, "cluster_not_onboarded")
	// somebody confirmed another key for a machine that is new here
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(hostKey(t)))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.OpenPins(n.dir, time.Now).Confirm("127.0.0.5:1", key, "admin"); err != nil {
		t.Fatal(err)
	}
	n.refuses(cluster(t, "D", inventory.VVB, "127.0.0.5"), false, "host_key_differs")
	if _, err := remote.OpenPins(n.dir, time.Now).Of("127.0.0.5:1"); err != nil {
		t.Error("the refusal took the confirmed key away")
	}
	// its own key may change by an update: it comes from the machine's own publisher
	again := cluster(t, "A", inventory.VVB, "127.0.0.1")
	n.adds(again, true)
	pinned, err := remote.OpenPins(n.dir, time.Now).Of("127.0.0.1:1")
	if err != nil || strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pinned))) != again.Nodes[0].Facts.HostKeys[0] {
		t.Errorf("%v", err)
	}
	n.self.Role, n.self.Publisher = models.Subscriber, "cc-pub.example.com"
	n.refuses(cluster(t, "E", inventory.VVB, "127.0.0.6"), false, "onboard_on_publisher")
}

func TestWhatIsNoApplicationIsRefused(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for name, change := range map[string]func(*vosapi.Onboarding){
		"a protocol":         func(o *vosapi.Onboarding) { o.Protocol = 2 },
		"an id":              func(o *vosapi.Onboarding) { o.Cluster = "../x" },
		"a product":          func(o *vosapi.Onboarding) { o.Product = "PG" },
		"no machine":         func(o *vosapi.Onboarding) { o.Nodes = nil },
		"two publishers":     func(o *vosapi.Onboarding) { o.Nodes[1].Type = inventory.Publisher },
		"a machine twice":    func(o *vosapi.Onboarding) { o.Nodes[1].Name = o.Nodes[0].Name },
		"another's facts":    func(o *vosapi.Onboarding) { o.Nodes[1].Facts.Name = "127.0.0.9" },
		"a name":             func(o *vosapi.Onboarding) { o.Nodes[1].Name = "a b"; o.Nodes[1].Facts.Name = "a b" },
		"a user":             func(o *vosapi.Onboarding) { o.Nodes[1].User = "-oProxyCommand=x" },
		"no host key":        func(o *vosapi.Onboarding) { o.Nodes[1].Facts.HostKeys = nil },
		"a host key":         func(o *vosapi.Onboarding) { o.Nodes[1].Facts.HostKeys = []string{"ssh-rsa x"} },
		"control characters": func(o *vosapi.Onboarding) { o.Nodes[1].Trouble = "\x1b[2J" },
	} {
		o := cluster(t, "A", inventory.Finesse, "127.0.0.1", "127.0.0.2")
		change(&o)
		before := n.text()
		if _, err := n.add(o, false); !errors.Is(err, &models.Refusal{Code: "onboarding_malformed"}) ||
			!bytes.Equal(n.text(), before) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := n.desk.Remove(t.Context(), vosapi.Removal{Protocol: 1, Cluster: "x", Publisher: "y"}, "admin"); err == nil {
		t.Error("a removal of nothing is taken")
	}
	if clusters, err := onboarding.Clusters(n.dir, time.Now); err != nil || len(clusters) > 0 {
		t.Errorf("%+v %v", clusters, err)
	}
}

func TestASubscriberKnowsTheMachinesKeysFromTheRecord(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	o := cluster(t, "A", inventory.Finesse, "127.0.0.1", "127.0.0.2")
	o.Nodes[1].Facts, o.Nodes[1].Trouble = nil, "it was away"
	n.adds(o, false)
	if err := sshport.Set(n.dir, time.Now, "test", 2); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := onboarding.Pin(n.dir, time.Now); err != nil {
			t.Fatal(err)
		}
	}
	pinned, err := remote.OpenPins(n.dir, time.Now).Of("127.0.0.1:2")
	if err != nil || strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pinned))) != o.Nodes[0].Facts.HostKeys[0] {
		t.Errorf("%v", err)
	}
	if _, err := remote.OpenPins(n.dir, time.Now).Of("127.0.0.2:2"); !errors.Is(err, remote.ErrKeyUnknown) {
		t.Errorf("%v", err)
	}
	begin, err := n.desk.Begin()
	if err != nil || begin.Check() != nil || begin.Category != "PUBLISHER" || begin.Subscribers[0] != "cc-sub.example.com" {
		t.Errorf("%+v %v", begin, err)
	}
	if own, err := keys.Own(n.dir); err != nil || string(own.Line()) != begin.PublicKey {
		t.Errorf("%v", err)
	}
}
