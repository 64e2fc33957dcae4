package walk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/remote/sftptest"
	"connecthub/nodeclient/vos/vostest"
)

const (
	sshPort     = 2222
	windowsUser = "administrator"
)

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
	cvp := w.stepWindows(publisher, subscriber)
	w.stepInventory(publisher, subscriber)
	w.stepTest(publisher, subscriber, cvp, vvb.Host)

	server := w.stepMail(publisher)
	w.stepDownload(publisher)
	w.stepPatch(publisher, cvp)
	w.stepUpgrade(publisher, vvb, server)
	fmt.Printf("proof 4.1 steps=6 administration=4 commands=%d refusals=%d failed=0\n", w.done.Load(),
		w.refused.Load())
}

// stepDownloadKey is step 1: the vendor publishes, the administrator makes a key.
func (w *world) stepDownloadKey(h *hub) string {
	h.vendor("software", "publish-eula", "2026-01", w.file("eula.txt", "Be excellent.\n"))
	h.vendor("entitlement", "add", organization, "--reference", "C-4711", "--kind", "swss",
		"--product", "VVB", "--product", "CVPSERVER", "--from", "2026-01-01", "--until", "2099-12-31")
	w.publishUpgrade(h)
	h.vendor("software", "add", w.file("es1.exe", `{"installs": "12.6(1)ES1"}`+"\n"), "--path",
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

// stepInventory is step 5: the file goes out over SFTP, two CVP servers are written into it, once with a
// mistake, and it comes back.
func (w *world) stepInventory(publisher, subscriber *control) {
	t := w.t
	server := sftptest.StartOpenSSH(t)
	over := func(verb string, more ...string) []string {
		return append([]string{"utils", "system", "inventory", verb, "--server", server.Address, "--user",
			sftptest.User, "--password-file", "-", "--directory", server.Home, "--accept-host-key",
			server.Key.Fingerprint()}, more...)
	}
	password, path := sftptest.Password+"\n", filepath.Join(server.Home, "inventory.conf")
	subscriber.refuses(password, publisher.name, over("export")...)
	publisher.does(password, over("export")...)
	exported, err := os.ReadFile(path)
	if err != nil || !contains(string(exported), w.ip(10), `deploymentType: "UCCE-2000-Agents"`) {
		t.Fatalf("%v\n%s", err, exported)
	}
	pair := "    CVPSERVER:\n      CVPCALLSERVER:\n        hosts:\n"
	for i, side := range []string{"A", "B"} {
		pair += fmt.Sprintf("        - name: %q\n          side: %q\n          user: %q\n", w.ip(20+i), side, windowsUser)
	}
	edited := strings.Replace(string(exported), "    CVPSERVER: {}\n", pair, 1)
	edited = strings.Replace(edited, "  deploymentType:", "  deploymentName: \"Walk\"\n  deploymentType:", 1)
	for text, wanted := range map[string]string{
		strings.Replace(edited, `side: "B"`, `side: "b"`, 1): "column",
		strings.ReplaceAll(edited, "\n", "\r\n"):             "line",
	} {
		w.write(path, text)
		publisher.refuses(password, wanted, over("import", "--yes")...)
	}
	w.write(path, edited)
	if out := publisher.does(password, over("import", "--yes")...); !contains(out, "CVPCALLSERVER", "3 machines") {
		t.Fatal(out)
	}
	w.eventually("the subscriber has the inventory", 30*time.Second, func() bool {
		now, err := machines.Open(subscriber.dir, time.Now).Current()
		return err == nil && string(now.Text) == edited
	})
}
