package walk_test

import (
	"fmt"
	"testing"
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
	fmt.Println("proof 4.1 steps=2")
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
