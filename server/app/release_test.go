package app_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"connecthub/nodeclient/host/bundle"
)

// bundleFile builds a real bundle of one service.
func bundleFile(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	manifest := fmt.Sprintf(`{"format":1,"name":"sample","version":%q,"soak":"1s","services":[{
		"name":"web","command":["run"],"ports":["http"],"stop":{"signal":"TERM","deadline":"1s"},
		"health":{"tcp":"http","interval":"1s","timeout":"1s","ready_within":"1s","failures":3}}]}`,
		version)
	for name, content := range map[string]string{"manifest.json": manifest, "run": "#!/bin/sh\nexec sleep 1000\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if _, err := bundle.Build(dir, &out); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), version+".tar.zst")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAReleaseIsPublishedPausedResumedAndRecalledByCommand(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	file := bundleFile(t, "2.0.0")
	code, out, errOut := run(t, r.dir, "release", "publish", file, "--kind", "emergency", "--notes", "fix")
	if code != 0 || !regexp.MustCompile(`^published emergency 2\.0\.0 in stable \(\S+\), sha256:[0-9a-f]{64}\n$`).MatchString(out) {
		t.Fatalf("%d %q %q", code, out, errOut)
	}
	for _, step := range []struct{ word, state string }{
		{"pause", "paused"}, {"resume", "published"}, {"recall", "recalled"},
	} {
		if code, out, errOut := run(t, r.dir, "release", step.word, "2.0.0"); code != 0 || out != "2.0.0 is "+step.state+"\n" {
			t.Errorf("%s: %d %q %q", step.word, code, out, errOut)
		}
		if code, out, _ := run(t, r.dir, "release", "list"); code != 0 || !strings.Contains(out, " "+step.state+" ") {
			t.Errorf("%s: %d %q", step.word, code, out)
		}
	}
	if code, _, errOut := run(t, r.dir, "release", "resume", "2.0.0"); code != 1 || !strings.Contains(errOut, "invalid_release_state") {
		t.Errorf("a recalled release came back: %d %q", code, errOut)
	}
}

func TestAReleaseThatCannotBeTakenIsRefused(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	good := bundleFile(t, "1.0.0")
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string][]byte{"empty": {}, "rubbish": []byte("no bundle"), "half": text[:len(text)/2]}
	for name, content := range bad {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, errOut := run(t, r.dir, "release", "publish", file); code != 1 || !strings.Contains(errOut, "invalid_bundle") {
			t.Errorf("%s: %d %q", name, code, errOut)
		}
	}
	for _, c := range []struct {
		says string
		args []string
	}{
		{"invalid_kind", []string{"--kind", "urgent"}},
		{"invalid_channel", []string{"--channel", "No Channel"}},
	} {
		args := append([]string{"release", "publish", good}, c.args...)
		if code, _, errOut := run(t, r.dir, args...); code != 1 || !strings.Contains(errOut, c.says) {
			t.Errorf("%v: %d %q", c.args, code, errOut)
		}
	}
	for n, want := range []int{0, 1} {
		if code, _, errOut := run(t, r.dir, "release", "publish", good); code != want || (want == 1) != strings.Contains(errOut, "version_taken") {
			t.Errorf("publication %d: %d %q", n+1, code, errOut)
		}
	}
	if code, _, errOut := run(t, r.dir, "release", "pause", "9.9.9"); code != 1 || !strings.Contains(errOut, "0 match") {
		t.Errorf("%d %q", code, errOut)
	}
}
