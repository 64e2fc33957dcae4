package walk_test

import (
	"fmt"
	"testing"

	"connecthub/nodeclient/vos/vostest"
)

const sshPort = 2222

// TestTheSixStepsOfTheDocument goes the way of docs/orchestration.md as an administrator does, refusals
// on the way included.
func TestTheSixStepsOfTheDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.hub()
	key := w.stepDownloadKey(h)
	publisher, subscriber := w.controlNodes(h)
	w.stepRepository(h, key, publisher, subscriber)
	vvb := w.stepOnboard(publisher, subscriber)
	_ = vvb
	fmt.Println("proof 4.1 steps=3")
}

// stepDownloadKey is step 1: the vendor publishes, the administrator makes a key.
func (w *world) stepDownloadKey(h *hub) string {
	h.vendor("software", "publish-eula", "2026-01", w.file("eula.txt", "Be excellent.\n"))
	h.vendor("entitlement", "add", organization, "--reference", "C-4711", "--kind", "swss",
		"--product", "VVB", "--product", "CVPSERVER", "--from", "2026-01-01", "--until", "2099-12-31")
	h.vendor("software", "add", w.file("es1.exe", "MZ an installer\n"), "--path",
		"cvp/12.6/CVP_ES1.exe", "--product", "CVPSERVER", "--version", "12.6(1)ES1")
	return h.downloadKey("production")
}

// stepRepository is step 2: the publisher is told where software comes from. The agreement is accepted
// only after the first refusal, as people do.
func (w *world) stepRepository(h *hub, key string, publisher, subscriber *control) {
	set := []string{"utils", "image-repository", "set", "--url", "https://" + h.nodes + "/binaries",
		"--repository", "ent-platform-release-external", "--key-file", "-", "--export", "unrestricted"}
	publisher.refuses(key+"\n", "not compliant with the End User License Agreement", set...)
	h.acceptEULA("2026-01")
	publisher.refuses("chk_wrong\n", "key", set...)
	subscriber.refuses(key+"\n", publisher.name, set...)
	if out := publisher.does(key+"\n", set...); !contains(out, "The config details updated successfully.") ||
		contains(out, key) {
		w.t.Fatal(out)
	}
	out := publisher.does("", "utils", "image-repository", "show")
	if !contains(out, "/binaries", "ent-platform-release-external", key[len(key)-4:]) || contains(out, key) {
		w.t.Fatal(out)
	}
	subscriber.refuses("", publisher.name, "utils", "image-repository", "show")
}

// stepOnboard is step 3: a VVB, whose trust store knows neither control node at first.
func (w *world) stepOnboard(publisher, subscriber *control) *vostest.Target {
	t := w.t
	publisher.does("", "set", "orchestration", "ssh-port", fmt.Sprint(sshPort))
	vvb := vostest.New(t, vostest.Options{Host: w.ip(10), Port: sshPort, Product: "VVB",
		Cluster: "speech", Program: w.program("nodeclient"), More: append(publisher.dial(),
			subscriber.dial()...)})
	vvb.Does("vos", "install", vostest.Pack(t, "VVB", "12.6(1)", false).Path)
	vvb.Does("vos", "package", "record", "ucos.keymanagement.cop.sgn")
	onboard := func(verb string, more ...string) (int, string) {
		return vvb.Run(append([]string{"utils", "system", "onboard", verb, "--user", applicationUser,
			"--password-file", publisher.password, "--cloud-connect", publisher.name}, more...)...)
	}
	for _, missing := range []*control{publisher, subscriber} {
		code, out := onboard("initiate")
		if code != 1 || !contains(out, missing.name+" is missing in tomcat-trust") {
			t.Fatalf("%d %s", code, out)
		}
		vvb.Does("vos", "cert", "import", missing.file("page.crt"), "--yes")
	}
	for asked, why := range map[string]string{w.ip(2): "FQDN", "cc-pub": "FQDN",
		subscriber.name: "publisher"} {
		if code, out := onboard("initiate", "--cloud-connect", asked); code != 1 || !contains(out, why) {
			t.Fatalf("%s: %d %s", asked, code, out)
		}
	}
	code, out := onboard("initiate")
	if code != 0 || !contains(out, "VVB-Cluster-1 is onboarded") {
		t.Fatalf("%d %s", code, out)
	}
	return vvb
}
