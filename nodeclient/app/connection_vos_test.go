package app_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/onboarding"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/vos/vostest"
)

// program is this test as a program that an SSH server can start.
func program(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "nodeclient")
	script := "#!/bin/sh\n" + actAsNode + "=1 exec " + self + " \"$@\"\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheConnectionTestAsksTheAgentOfAVOSMachine(t *testing.T) {
	t.Parallel()
	p := setUp(t)
	pair := hasKey(t, p.dir, ownKey)
	x := vostest.New(t, vostest.Options{Host: loopback(61), Product: "VVB", Program: program(t)})
	x.Admit("cc-pub.example.com", pair.Signer().PublicKey())
	f := field{place: p}
	what := inventory.Empty()
	what.VOS = []inventory.Section{{Product: inventory.VVB, Groups: []inventory.Group{
		{Name: "VVB-Cluster-1", Hosts: []inventory.Host{{Name: x.Host, Side: "A", Type: inventory.Publisher}}},
		{Name: "VVB-Cluster-2", Hosts: []inventory.Host{{Name: loopback(62), Side: "B", Type: inventory.Publisher}}}}}}
	if _, err := machines.Open(p.dir, time.Now).Import(inventory.Format(what), 0, "test", "test"); err != nil {
		t.Fatal(err)
	}
	type record struct {
		Clusters []onboarding.Cluster `json:"clusters"`
	}
	_, err := settings.Update(settings.Open(p.dir, time.Now), settings.Onboarding, "test", func(r *record) error {
		r.Clusters = []onboarding.Cluster{{ID: strings.Repeat("A", 26), Name: "test", Product: inventory.VVB,
			Nodes: []onboarding.Node{{Name: x.Host, Type: inventory.Publisher, User: x.User,
				HostKey: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(x.HostKey.PublicKey())))}}}}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if code, _, e := call(t, "set", "orchestration", "ssh-port", strconv.Itoa(x.Port), "--dir", p.dir); code != 0 {
		t.Fatal(e)
	}
	code, v, e := f.tests(t, "--all")
	if code != 1 || v.OK != 1 || v.codes(0) != "" || v.codes(1) != "not_onboarded" {
		t.Errorf("%d %+v %s\n%s", code, v, e, x.Log())
	}
	if err := os.WriteFile(x.Keys, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, v, e = f.tests(t, "--node", x.Host)
	if code != 1 || v.codes(0) != "own_key_refused onboard_update" {
		t.Errorf("%d %+v %s", code, v, e)
	}
	x.Down()
	code, v, e = f.tests(t, "--node", x.Host)
	if code != 1 || v.codes(0) != "connection_refused" || !strings.Contains(v.Nodes[0].Hints[0].Sentence, net.JoinHostPort(x.Host, strconv.Itoa(x.Port))) {
		t.Errorf("%d %+v %s", code, v, e)
	}
}
