package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const committed = "../../scheduler/window/zones.tar.gz"

// The committed data are those of the Go release that they name, bit for bit once unpacked. A
// toolchain of another release can say nothing about them but its own version.
func TestTheCommittedZoneDataAreThoseOfTheGoReleaseTheyName(t *testing.T) {
	t.Parallel()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(strings.TrimSpace(string(root)), "lib", "time")
	version, err := versionOf(filepath.Join(dir, "update.bash"))
	if err != nil {
		t.Logf("this toolchain brings no zone data of its own: %v", err)
		return
	}
	file, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	got, comment := unpacked(t, file)
	if comment != version {
		t.Logf("the zone data are %s, this toolchain brings %s: go generate ./scheduler/window",
			comment, version)
		return
	}
	zones, err := readZones(filepath.Join(dir, "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := pack(zones, version)
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := unpacked(t, fresh); !bytes.Equal(got, want) {
		t.Errorf("the committed zone data are not the ones of %s", version)
	}
}

func unpacked(t *testing.T, packed []byte) (content []byte, comment string) {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	content, err = io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content, r.Comment
}

func TestAGoReleaseWithoutZoneDataIsRefused(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "zones.tar.gz")
	if err := run(t.TempDir(), out); err == nil {
		t.Error("an empty folder is taken for a Go release")
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a file was written: %v", err)
	}
}
