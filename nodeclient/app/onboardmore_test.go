package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/sshport"
	"connecthub/nodeclient/host/hosttest"
	"connecthub/nodeclient/vos/vostest"
)

// authority is a CA of this test's own.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example CA"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key, file: filepath.Join(t.TempDir(), "ca.pem")}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.write(a.file, "CERTIFICATE", der)
	return a
}

func (a *authority) write(path, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// shows gives a control node a certificate of this CA, for a name, as its administrator would.
func (a *authority) shows(c *controlNode, name string, until time.Time) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	// as files, for "set certificate" refuses what is expired or of another name
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})...)
	if err := os.WriteFile(filepath.Join(c.dir, "page.pem"), text, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// voiceBrowser is a VVB, a cluster of its own, ready to be onboarded but for its trust.
func voiceBrowser(t *testing.T, host string, port int, more ...string) *vostest.Target {
	t.Helper()
	x := vostest.New(t, vostest.Options{Host: host, Port: port, Product: "VVB", Program: program(t), More: more})
	x.Does("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path)
	x.Does("vos", "package", "record", "ucos.keymanagement.v02.cop.sgn")
	return x
}

func (c *controlNode) reaches(port int) {
	c.t.Helper()
	if err := sshport.Set(c.dir, time.Now, "test", port); err != nil {
		c.t.Fatal(err)
	}
}

func TestACAsCertificateIsTrustedAndAnExpiredOrForeignOneIsNamed(t *testing.T) {
	t.Parallel()
	pub, sub := controlNodes(t)
	ca, port, later := newAuthority(t), hosttest.FreePort(t), time.Now().Add(time.Hour)
	pub.reaches(port)
	x := voiceBrowser(t, "127.0.62.1", port, dials(pub, sub)...)
	out := x.Does("vos", "cert", "import", ca.file, "--yes")
	if !strings.Contains(out, "CN=Example CA") || !strings.Contains(out, "a CA, issued by") || !strings.Contains(out, "good from") {
		t.Error(out)
	}
	ca.shows(pub, pub.name, time.Now().Add(-time.Minute))
	ca.shows(sub, "other.example.com", later)
	code, _, e := pub.onboard(t, x, "initiate")
	wants(t, "expired", code, 1, e, "publisher cc-pub.example.com is good from", "no password was sent")
	ca.shows(pub, pub.name, later)
	code, _, e = pub.onboard(t, x, "initiate")
	wants(t, "another name", code, 1, e, "certificate of the control nodes' subscriber is not for cc-sub.example.com")
	ca.shows(sub, sub.name, later)
	code, out, e = pub.onboard(t, x, "initiate")
	wants(t, "initiate", code, 0, out+e, "VVB-Cluster-1 is onboarded")
	// the second of its kind stands on the other side, as in the published layouts
	y := voiceBrowser(t, "127.0.62.2", port, dials(pub, sub)...)
	y.Does("vos", "cert", "import", ca.file, "--yes")
	code, out, e = pub.onboard(t, y, "initiate")
	wants(t, "the second", code, 0, out+e, "VVB-Cluster-2 is onboarded")
	if all := pub.hosts(t, inventory.VVB); len(all) != 2 || all[0].Host.Side != "A" || all[1].Host.Side != "B" {
		t.Errorf("%+v", all)
	}
	for _, c := range []*controlNode{pub, sub} { // once it has replicated
		hosttest.Await(t, c.name+" signs in to both machines", func() bool {
			code, out, _ := call(t, "utils", "deployment", "test-connection", "--all", "--dir", c.dir)
			return code == 0 && strings.Contains(out, "2 machines: 2 success")
		})
	}
	code, _, e = sub.onboard(t, y, "remove", "--yes")
	wants(t, "the subscriber's name", code, 1, e, "Give the name of the publisher, cc-pub.example.com")
}

func TestAControlNodeThatWasInstalledAnewTakesTheClusterAgain(t *testing.T) {
	t.Parallel()
	pub, sub := controlNodes(t)
	port := hosttest.FreePort(t)
	pub.reaches(port)
	x := voiceBrowser(t, "127.0.63.1", port, dials(pub, sub)...)
	for _, c := range []*controlNode{pub, sub} {
		x.Does("vos", "cert", "import", c.certificate(), "--yes")
	}
	code, out, e := pub.onboard(t, x, "initiate")
	wants(t, "initiate", code, 0, out+e, "onboarded successfully")
	before := x.AuthorizedKeys()

	pub.stop()
	sub.stop()
	fresh, freshSub := controlNodes(t) // the same names, other certificates and keys
	fresh.reaches(port)
	config := filepath.Join(x.Dir, "vos.json")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for old, now := range map[*controlNode]*controlNode{pub: fresh, sub: freshSub} {
		text = []byte(strings.ReplaceAll(string(text), dials(old)[1][len(old.name)+1:], dials(now)[1][len(now.name)+1:]))
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, e = fresh.onboard(t, x, "update")
	wants(t, "its certificate is new", code, 1, e, "publisher cc-pub.example.com is missing in tomcat-trust")
	for _, c := range []*controlNode{fresh, freshSub} {
		x.Does("vos", "cert", "import", c.certificate(), "--yes")
	}
	code, _, e = fresh.onboard(t, x, "update")
	wants(t, "update", code, 1, e, "does not know the cluster test", "run remove, then initiate")
	code, out, e = fresh.onboard(t, x, "remove", "--yes")
	wants(t, "remove", code, 0, out+e, "cc-pub.example.com did not know this cluster", "The system was removed")
	code, out, e = fresh.onboard(t, x, "initiate")
	wants(t, "initiate again", code, 0, out+e, "onboarded successfully")
	if after := x.AuthorizedKeys(); after == before || strings.Count(after, "--peer control") != 2 {
		t.Errorf("%s", after)
	}
	// and a machine that was installed anew, with the same name and other keys
	x.Down()
	y := voiceBrowser(t, "127.0.63.1", port, dials(fresh, freshSub)...)
	for _, c := range []*controlNode{fresh, freshSub} {
		y.Does("vos", "cert", "import", c.certificate(), "--yes")
	}
	code, _, e = fresh.onboard(t, y, "initiate")
	wants(t, "another machine of that name", code, 1, e, "127.0.63.1 is onboarded as part of another cluster")
	code, out, e = fresh.onboard(t, y, "remove", "--yes")
	wants(t, "remove the former", code, 0, out+e, "The system was removed")
	// who removes by name alone cannot replace the key: the control node's administrator forgets it
	code, _, e = fresh.onboard(t, y, "initiate")
	wants(t, "another host key", code, 1, e, "127.0.63.1 has another SSH host key", "utils deployment host-key forget")
	keys := func(words ...string) string {
		t.Helper()
		code, out, e := call(t, append([]string{"utils", "deployment", "host-key", "--dir", fresh.dir}, words...)...)
		wants(t, "host-key "+words[0], code, 0, out+e)
		return out
	}
	if out := keys("list"); !strings.HasPrefix(out, fmt.Sprintf("127.0.63.1:%d  ssh-", port)) {
		t.Errorf("%s", out)
	}
	if out := keys("forget", "--node", "127.0.63.1", "--yes"); !strings.Contains(out, "forgotten") {
		t.Errorf("%s", out)
	}
	code, out, e = fresh.onboard(t, y, "initiate")
	wants(t, "initiate the new one", code, 0, out+e, "VVB-Cluster-1 is onboarded")
}

func TestOnboardingAtATerminal(t *testing.T) {
	t.Parallel()
	pub, sub := controlNodes(t)
	port := hosttest.FreePort(t)
	pub.reaches(port)
	machine := voiceBrowser(t, "127.0.64.1", port, dials(pub, sub)...)
	shell := atTerminal(t, "vos", "cert", "import", pub.certificate(), "--dir", machine.Dir)
	shell.waits("self-signed, for cc-pub.example.com")
	shell.says("Type yes to go on: ", "yes")
	if code, seen := shell.ends(); code != 0 {
		t.Fatalf("%d %s", code, seen)
	}
	machine.Does("vos", "cert", "import", sub.certificate(), "--yes")
	onboard := func(verb string) *terminal {
		return atTerminal(t, "utils", "system", "onboard", verb, "--dir", machine.Dir)
	}
	for typed, says := range map[string]string{"10.1.2.3": "“10.1.2.3” is an address", "cc-pub": "a short name"} {
		x := onboard("initiate")
		x.says("Cloud Connect FQDN: ", typed)
		if code, seen := x.ends(); code != 1 || !strings.Contains(seen, says) || strings.Contains(seen, "Password") {
			t.Errorf("%s: %d %s", typed, code, seen)
		}
	}
	for _, user := range []string{"administrator", "nobody"} { // which of the two is wrong is not told
		x := onboard("initiate")
		x.says("Cloud Connect FQDN: ", pub.name)
		x.says("Application Username: ", user)
		x.says("Password: ", "not the password")
		if code, seen := x.ends(); code != 1 || !strings.Contains(seen, "the name or the password of the application user is wrong") ||
			strings.Contains(seen, "not the password") || !strings.Contains(seen, "****") {
			t.Errorf("%d %s", code, seen)
		}
	}
	x := onboard("initiate")
	x.says("Cloud Connect FQDN: ", pub.name)
	x.says("Application Username: ", "administrator")
	x.says("Password: ", applicationPassword)
	if code, seen := x.ends(); code != 0 || !strings.Contains(seen, "The system was onboarded successfully") ||
		strings.Contains(seen, applicationPassword) {
		t.Fatalf("%d %s", code, seen)
	}
	x = onboard("update")
	x.says("Cloud Connect FQDN [cc-pub.example.com]: ", "")
	x.says("Application Username [administrator]: ", "")
	x.says("Password: ", applicationPassword)
	if code, seen := x.ends(); code != 0 || !strings.Contains(seen, "127.0.64.1 (Publisher): onboarded") {
		t.Errorf("%d %s", code, seen)
	}
	x = onboard("show")
	x.waits("VVB-Cluster-1 is onboarded")
	x.ends()
	for _, answer := range []string{"y", "yes"} {
		x = onboard("remove")
		x.says("Cloud Connect FQDN [cc-pub.example.com]: ", "")
		x.says("Application Username [administrator]: ", "")
		x.says("Password: ", applicationPassword)
		x.says("Type yes to go on: ", answer)
		code, seen := x.ends()
		if done := strings.Contains(seen, "The system was removed"); done != (answer == "yes") || (code == 0) != done {
			t.Errorf("%d %s", code, seen)
		}
	}
	x = atTerminal(t, "utils", "system", "onboard", "initiate", "--dir", pub.dir)
	if code, seen := x.ends(); code != 1 || !strings.Contains(seen, "this is a control node") {
		t.Errorf("%d %s", code, seen)
	}
}
