package app_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/onboarding"
	"connecthub/nodeclient/control/sshport"
	"connecthub/nodeclient/host/hosttest"
	"connecthub/nodeclient/vos/vostest"
)

const applicationPassword = "a good password" // of newPlace

// controlNode is a running control node.
type controlNode struct {
	place
	t    *testing.T
	name string
	page int
	stop func()
}

// run starts the agent of a folder as a process of its own.
func (c *controlNode) run() {
	c.t.Helper()
	cmd := exec.Command(os.Args[0], "run", "--dir", c.dir)
	cmd.Env = append(os.Environ(), actAsNode+"=1")
	var log bytes.Buffer // read when the process has ended
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	c.stop = func() { _ = cmd.Process.Kill(); <-ended }
	c.t.Cleanup(func() { c.stop() })
	hosttest.Await(c.t, c.name+" serves its page", func() bool {
		select {
		case <-ended:
			c.t.Fatalf("%s has ended: %s", c.name, log.String())
		default:
		}
		return c.serves()
	})
}

// controlNodes are a publisher and its subscriber, as processes, with self-signed certificates.
func controlNodes(t *testing.T) (pub, sub *controlNode) {
	t.Helper()
	node := func(name string) *controlNode {
		c := &controlNode{place: newPlace(t), t: t, name: name, page: hosttest.FreePort(t)}
		if code, _, e := call(t, c.setup("--fqdn", name, "--listen", fmt.Sprintf("127.0.0.1:%d", c.page))...); code != 0 {
			t.Fatal(e)
		}
		return c
	}
	pub, sub = node("cc-pub.example.com"), node("cc-sub.example.com")
	peer := hosttest.FreePort(t)
	if code, _, e := call(t, "cluster", "init", "--dir", pub.dir, "--peer-listen", fmt.Sprintf("127.0.0.1:%d", peer),
		"--secret-file", pub.secret); code != 0 {
		t.Fatal(e)
	}
	pub.run()
	join := []string{"cluster", "join", "--dir", sub.dir, "--publisher", pub.name, "--secret-file", pub.secret,
		"--peer-listen", fmt.Sprintf("127.0.0.1:%d", hosttest.FreePort(t)), "--dial", fmt.Sprintf("%s=127.0.0.1:%d", pub.name, peer)}
	hosttest.Await(t, "the subscriber joins", func() bool { code, _, _ := call(t, join...); return code == 0 })
	sub.run()
	hosttest.Await(t, "the publisher has heard of the subscriber's key", func() bool {
		peers, err := keys.Peers(pub.dir)
		return err == nil && len(peers) == 1
	})
	return pub, sub
}

// certificate is what the page shows itself with.
func (c *controlNode) certificate() string { return filepath.Join(c.dir, "page.crt") }

// dials are flags that tell a machine where the control nodes are.
func dials(nodes ...*controlNode) []string {
	var flags []string
	for _, c := range nodes {
		flags = append(flags, "--dial", fmt.Sprintf("%s=127.0.0.1:%d", c.name, c.page))
	}
	return flags
}

// finesse is a cluster of two machines behind real SSH servers, reachable by the control nodes.
func finesse(t *testing.T, net int, pub *controlNode, more ...string) (first, second *vostest.Target) {
	t.Helper()
	self, port := program(t), hosttest.FreePort(t)
	if err := sshport.Set(pub.dir, time.Now, "test", port); err != nil {
		t.Fatal(err)
	}
	first = vostest.New(t, vostest.Options{Host: fmt.Sprintf("127.0.%d.1", net), Port: port, Product: "Finesse",
		Cluster: "agents", Program: self, More: more})
	join := filepath.Join(t.TempDir(), "join.json")
	first.Does("vos", "cluster", "join-file", join)
	second = vostest.New(t, vostest.Options{Host: fmt.Sprintf("127.0.%d.2", net), Port: port, Product: "Finesse",
		Join: join, Program: self})
	bundle := vostest.Pack(t, "Finesse", "12.6(1)", false)
	for _, x := range []*vostest.Target{first, second} {
		x.Does("vos", "install", bundle.Path)
	}
	first.Does("vos", "cluster", "add", second.Host, "--user", second.User, "--address", second.Address(),
		"--host-key", second.Fingerprint())
	return first, second
}

// onboard runs one of the commands with everything in flags.
func (c *controlNode) onboard(t *testing.T, x *vostest.Target, verb string, more ...string) (int, string, string) {
	t.Helper()
	return call(t, append([]string{"utils", "system", "onboard", verb, "--dir", x.Dir, "--cloud-connect", c.name,
		"--user", "administrator", "--password-file", c.password}, more...)...)
}

func (c *controlNode) hosts(t *testing.T, product inventory.Product) []inventory.Machine {
	t.Helper()
	now, err := machines.Open(c.dir, time.Now).Current()
	if err != nil {
		t.Fatal(err)
	}
	what, found := inventory.Parse(now.Text)
	if len(found) > 0 {
		t.Fatal(found)
	}
	var all []inventory.Machine
	for _, m := range what.Machines() {
		if m.Product == product {
			all = append(all, m)
		}
	}
	return all
}

func wants(t *testing.T, what string, code, wantCode int, text string, sentences ...string) {
	t.Helper()
	if code != wantCode {
		t.Fatalf("%s: exit code %d, want %d: %s", what, code, wantCode, text)
	}
	for _, s := range sentences {
		if !strings.Contains(text, s) {
			t.Fatalf("%s: %q is missing in: %s", what, s, text)
		}
	}
	if strings.Contains(text, applicationPassword) {
		t.Errorf("%s: the password was shown", what)
	}
}

func TestAVOSClusterIsOnboardedRepairedAndRemoved(t *testing.T) {
	t.Parallel()
	pub, sub := controlNodes(t)
	first, second := finesse(t, 61, pub, dials(pub, sub)...)

	code, _, e := pub.onboard(t, second, "initiate")
	wants(t, "on a subscriber", code, 1, e, "run this on the publisher of this machine's cluster, 127.0.61.1")
	code, _, e = pub.onboard(t, first, "update")
	wants(t, "update first", code, 1, e, "not onboarded; run initiate")
	code, _, e = pub.onboard(t, first, "initiate")
	wants(t, "no certificate", code, 1, e, "the certificate of the control nodes' publisher cc-pub.example.com is missing in tomcat-trust")
	first.Does("vos", "cert", "import", pub.certificate(), "--yes")
	code, _, e = pub.onboard(t, first, "initiate")
	wants(t, "one certificate", code, 1, e, "the certificate of the control nodes' subscriber cc-sub.example.com is missing in tomcat-trust")
	first.Does("vos", "cert", "import", sub.certificate(), "--yes")

	code, _, e = pub.onboard(t, first, "initiate")
	wants(t, "no package", code, 1, e, "127.0.61.1: Finesse 12.6(1) needs the package ucos.keymanagement.cop.sgn",
		"127.0.61.2: Finesse 12.6(1) needs the package", "open a new CLI session")
	if keys := first.AuthorizedKeys() + second.AuthorizedKeys(); strings.Contains(keys, "--peer control") {
		t.Errorf("a refused cluster has the keys: %s", keys)
	}
	for _, x := range []*vostest.Target{first, second} {
		x.Does("vos", "package", "record", "ucos.keymanagement.cop.sgn")
	}
	sub.stop()
	code, _, e = pub.onboard(t, first, "initiate")
	wants(t, "subscriber away", code, 1, e, "subscriber cc-sub.example.com cannot be reached", "nothing was changed")
	sub.run()

	code, out, e := pub.onboard(t, first, "initiate", "--json")
	wants(t, "initiate", code, 0, out+e, `"partial": false`, `"group": "Finesse-Cluster-1"`)
	for _, x := range []*vostest.Target{first, second} {
		keys := x.AuthorizedKeys()
		if strings.Count(keys, "--peer control --name cc-pub.example.com\" ssh-rsa") != 1 ||
			strings.Count(keys, "--peer control --name cc-sub.example.com\" ssh-rsa") != 1 {
			t.Errorf("%s", keys)
		}
	}
	all := pub.hosts(t, inventory.Finesse)
	if len(all) != 2 || all[0].Host.Name != "127.0.61.1" || all[0].Host.Side != "A" || all[0].Host.Type != inventory.Publisher ||
		all[1].Host.Name != "127.0.61.2" || all[1].Host.Side != "B" || all[1].Host.Type != inventory.Subscriber {
		t.Errorf("%+v", all)
	}
	pub.repaired(t, first, second)
	pub.removed(t, first, second)
}

// repaired goes on with a cluster that is onboarded: trouble of one machine is its own.
func (c *controlNode) repaired(t *testing.T, first, second *vostest.Target) {
	t.Helper()
	code, _, e := c.onboard(t, first, "initiate")
	wants(t, "initiate again", code, 1, e, "onboarded to cc-pub.example.com already; run update")
	second.Down()
	code, out, e := c.onboard(t, first, "update")
	wants(t, "partial", code, 1, out+e, "127.0.61.1 (Publisher): onboarded", "127.0.61.2 (Subscriber): ERROR",
		"the server cannot be reached", "then run utils system onboard update")
	code, _, e = c.onboard(t, first, "initiate")
	wants(t, "initiate after partial", code, 1, e, "onboarded to cc-pub.example.com with errors", "run update instead of initiate")
	code, out, _ = call(t, "utils", "system", "onboard", "show", "--dir", first.Dir)
	wants(t, "show", code, 0, out, "127.0.61.2 (Subscriber): ERROR")
	clusters, err := onboarding.Clusters(c.dir, time.Now)
	if n, ok := onboarding.Find(clusters, "127.0.61.2"); err != nil || !ok || n.Trouble == "" || n.Version.String() != "12.6(1)" {
		t.Errorf("%+v %v", n, err)
	}
	second.Up()
	code, out, e = c.onboard(t, first, "update")
	wants(t, "repaired", code, 0, out+e, "127.0.61.2 (Subscriber): onboarded", "onboarded successfully")
	if all := c.hosts(t, inventory.Finesse); len(all) != 2 {
		t.Errorf("%+v", all)
	}
}

func (c *controlNode) removed(t *testing.T, first, second *vostest.Target) {
	t.Helper()
	second.Down()
	code, out, e := c.onboard(t, first, "remove", "--yes")
	wants(t, "remove with one away", code, 1, out+e, "keys are still on 127.0.61.2", "run remove again")
	code, _, e = c.onboard(t, first, "initiate")
	wants(t, "initiate meanwhile", code, 1, e, "run remove again first")
	second.Up()
	code, out, e = c.onboard(t, first, "remove", "--yes", "--json")
	var gone struct {
		Known bool
		Left  []string
	}
	if err := json.Unmarshal([]byte(out), &gone); err != nil || code != 0 || gone.Known || len(gone.Left) > 0 {
		t.Errorf("%d %s %s %v", code, out, e, err)
	}
	if keys := first.AuthorizedKeys() + second.AuthorizedKeys(); strings.Contains(keys, "--peer control") {
		t.Errorf("%s", keys)
	}
	if all := c.hosts(t, inventory.Finesse); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	code, out, e = c.onboard(t, first, "initiate")
	wants(t, "after removal", code, 0, out+e, "Finesse-Cluster-1 is onboarded")
}

// serves says whether the page answers.
func (c *controlNode) serves() bool {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	res, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d/", c.page))
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}
