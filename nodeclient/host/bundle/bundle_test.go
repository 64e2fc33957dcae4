package bundle_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"connecthub/nodeclient/host/bundle"
)

func sample() bundle.Manifest {
	return bundle.Manifest{Format: 1, Name: "sample", Version: "2.0", Soak: bundle.Duration(time.Second),
		Services: []bundle.Service{{
			Name: "web", Command: []string{"bin/web", "-p", "${PORT:http}"}, Ports: []string{"http"},
			Environment: map[string]string{"NAME": "${NODE_FQDN}", "PEER": "${CONFIG:peer}"},
			Health: bundle.Health{HTTP: &bundle.HTTPCall{Path: "/healthz", Port: "http"},
				Interval: bundle.Duration(time.Second), Timeout: bundle.Duration(time.Second),
				ReadyWithin: bundle.Duration(time.Second), Failures: 3},
			Drain: &bundle.Drain{Signal: "USR2", Deadline: bundle.Duration(time.Second)},
			Stop:  bundle.Stop{Signal: "TERM", Deadline: bundle.Duration(time.Second)},
		}}}
}

func encode(t *testing.T, m bundle.Manifest) []byte {
	t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func folder(t *testing.T, m bundle.Manifest) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "manifest.json"), encode(t, m), 0o600)
	write(t, filepath.Join(dir, "bin", "web"), []byte("#!/bin/true\n"), 0o755)
	write(t, filepath.Join(dir, "share", "deep", "text"), []byte("text"), 0o640)
	return dir
}

func write(t *testing.T, name string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, mode); err != nil {
		t.Fatal(err)
	}
}

func build(t *testing.T, dir string) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := bundle.Build(dir, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatIsBuiltIsWhatIsUnpacked(t *testing.T) {
	t.Parallel()
	packed := build(t, folder(t, sample()))
	dest := filepath.Join(t.TempDir(), "slot")
	m, err := bundle.Extract(t.Context(), bytes.NewReader(packed), dest, bundle.DefaultLimits())
	if err != nil || m.Version != "2.0" {
		t.Fatalf("%v %+v", err, m)
	}
	info, err := os.Stat(filepath.Join(dest, "bin", "web"))
	if err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Fatalf("%v %v", err, info)
	}
	if got, _ := os.ReadFile(filepath.Join(dest, "share", "deep", "text")); string(got) != "text" {
		t.Fatalf("text is %q", got)
	}
	sum, err := bundle.Inspect(t.Context(), bytes.NewReader(packed), bundle.DefaultLimits())
	if err != nil || sum.Entries != 6 || sum.Manifest.Services[0].Name != "web" {
		t.Fatalf("%v %+v", err, sum)
	}
}

func TestTheSameFilesGiveTheSameBytes(t *testing.T) {
	t.Parallel()
	dir := folder(t, sample())
	one := build(t, dir)
	other := folder(t, sample())
	old := time.Unix(1_000_000, 0)
	if err := os.Chtimes(filepath.Join(other, "bin", "web"), old, old); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, build(t, other)) {
		t.Fatal("the bundles differ")
	}
}

// pack makes a bundle that Build would refuse to make.
func pack(t *testing.T, headers ...*tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	enc, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	tw := tar.NewWriter(enc)
	for _, h := range headers {
		body := bytes.Repeat([]byte{'x'}, int(h.Size))
		if h.Name == "manifest.json" && h.Typeflag == tar.TypeReg {
			body = encode(t, sample())
			h.Size = int64(len(body))
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := tw.Write(body); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(tw.Close(), enc.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestHostileArchivesAreRefusedAndNothingEscapes(t *testing.T) {
	t.Parallel()
	manifest := func() *tar.Header {
		return &tar.Header{Name: "manifest.json", Typeflag: tar.TypeReg, Mode: 0o644}
	}
	file := func(name string) *tar.Header {
		return &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: 3}
	}
	tests := map[string][]*tar.Header{
		"empty":                     {},
		"no manifest first":         {file("bin/web"), manifest()},
		"manifest twice":            {manifest(), manifest()},
		"parent":                    {manifest(), file("../evil")},
		"hidden parent":             {manifest(), file("bin/../../evil")},
		"absolute":                  {manifest(), file("/tmp/evil")},
		"dot":                       {manifest(), file("./bin/web")},
		"backslash":                 {manifest(), file(`..\evil`)},
		"symbolic link":             {manifest(), {Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc"}},
		"hard link":                 {manifest(), {Name: "l", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}},
		"device":                    {manifest(), {Name: "d", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}},
		"fifo":                      {manifest(), {Name: "f", Typeflag: tar.TypeFifo}},
		"same file twice":           {manifest(), file("bin/web"), file("bin/web")},
		"file as folder":            {manifest(), file("bin"), file("bin/web")},
		"long name":                 {manifest(), file(strings.Repeat("a", 300))},
		"deep name":                 {manifest(), file(strings.Repeat("a/", 40) + "b")},
		"command is not there":      {manifest(), file("bin/other")},
		"command is not executable": {manifest(), {Name: "bin/web", Typeflag: tar.TypeReg, Mode: 0o644}},
	}
	for name, headers := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outer := t.TempDir()
			dest := filepath.Join(outer, "slot")
			_, err := bundle.Extract(t.Context(), bytes.NewReader(pack(t, headers...)), dest,
				bundle.DefaultLimits())
			if err == nil {
				t.Fatal("it was unpacked")
			}
			entries, _ := os.ReadDir(outer)
			if len(entries) > 1 {
				t.Fatalf("something escaped: %v", entries)
			}
		})
	}
}

func TestLimitsOfCountSizeAndRatioAreKept(t *testing.T) {
	t.Parallel()
	packed := build(t, folder(t, sample()))
	for name, limits := range map[string]bundle.Limits{
		"entries": {Entries: 3, Bytes: 1 << 20, Ratio: 100},
		"bytes":   {Entries: 100, Bytes: 64, Ratio: 100},
	} {
		if _, err := bundle.Inspect(t.Context(), bytes.NewReader(packed), limits); !errors.Is(err, bundle.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := folder(t, sample())
	write(t, filepath.Join(dir, "zeros"), make([]byte, 80<<20), 0o644)
	bomb := build(t, dir)
	_, err := bundle.Inspect(t.Context(), bytes.NewReader(bomb), bundle.DefaultLimits())
	if !errors.Is(err, bundle.ErrInvalid) || !strings.Contains(err.Error(), "times its size") {
		t.Fatalf("bomb of %d bytes: %v", len(bomb), err)
	}
}

func TestEveryCutAndDamagedBundleIsRefused(t *testing.T) {
	t.Parallel()
	packed := build(t, folder(t, sample()))
	for n := range packed {
		if _, err := bundle.Inspect(t.Context(), bytes.NewReader(packed[:n]), bundle.DefaultLimits()); err == nil {
			t.Fatalf("%d of %d bytes were accepted", n, len(packed))
		}
	}
}

func TestACancelledReaderStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := bundle.Inspect(ctx, bytes.NewReader(build(t, folder(t, sample()))), bundle.DefaultLimits())
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestAManifestThatSaysTooMuchIsRefused(t *testing.T) {
	t.Parallel()
	change := func(f func(*bundle.Manifest)) []byte {
		m := sample()
		f(&m)
		return encode(t, m)
	}
	svc := func(f func(*bundle.Service)) []byte {
		return change(func(m *bundle.Manifest) { f(&m.Services[0]) })
	}
	tests := map[string][]byte{
		"unknown field":   bytes.Replace(encode(t, sample()), []byte(`"format"`), []byte(`"install":"x","format"`), 1),
		"trailing":        append(encode(t, sample()), []byte("{}")...),
		"format":          change(func(m *bundle.Manifest) { m.Format = 2 }),
		"version":         change(func(m *bundle.Manifest) { m.Version = "new" }),
		"name":            change(func(m *bundle.Manifest) { m.Name = "../x" }),
		"no service":      change(func(m *bundle.Manifest) { m.Services = nil }),
		"service twice":   change(func(m *bundle.Manifest) { m.Services = append(m.Services, m.Services[0]) }),
		"order":           change(func(m *bundle.Manifest) { m.Order = "random" }),
		"soak":            change(func(m *bundle.Manifest) { m.Soak = -1 }),
		"outside command": svc(func(s *bundle.Service) { s.Command[0] = "/bin/sh" }),
		"climbing":        svc(func(s *bundle.Service) { s.Command[0] = "../sh" }),
		"template":        svc(func(s *bundle.Service) { s.Command[1] = "${HOME}" }),
		"open template":   svc(func(s *bundle.Service) { s.Command[1] = "${PORT:http" }),
		"foreign port":    svc(func(s *bundle.Service) { s.Command[2] = "${PORT:ssh}" }),
		"mark":            svc(func(s *bundle.Service) { s.Environment["CONNECTHUB_SLOT"] = "x" }),
		"no health":       svc(func(s *bundle.Service) { s.Health.HTTP = nil }),
		"two healths":     svc(func(s *bundle.Service) { s.Health.TCP = "http" }),
		"busy health":     svc(func(s *bundle.Service) { s.Health.Interval = 1 }),
		"no deadline":     svc(func(s *bundle.Service) { s.Stop.Deadline = 0 }),
		"kill":            svc(func(s *bundle.Service) { s.Stop.Signal = "KILL" }),
		"two drains":      svc(func(s *bundle.Service) { s.Drain.Command = []string{"bin/web"} }),
		"negative disk":   change(func(m *bundle.Manifest) { m.Requires.DiskBytes = -1 }),
		"large":           append(encode(t, sample()), bytes.Repeat([]byte(" "), bundle.MaxManifest)...),
	}
	for name, raw := range tests {
		if _, err := bundle.ParseManifest(raw); !errors.Is(err, bundle.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := bundle.ParseManifest(encode(t, sample())); err != nil {
		t.Fatal(err)
	}
}

func TestANodeThatWasGivenNoValueRefusesTheManifest(t *testing.T) {
	t.Parallel()
	v := bundle.Values{FQDN: "a.example.com", Ports: map[string]int{"http": 8081}}
	if err := v.Check(sample()); err == nil || !strings.Contains(err.Error(), `"peer"`) {
		t.Fatalf("got %v", err)
	}
	v.Config = map[string]string{"peer": "${SLOT_DIR}"}
	if err := v.Check(sample()); err != nil {
		t.Fatal(err)
	}
	got, err := v.Expand("${CONFIG:peer}:${PORT:http}@${SLOT_DIR}", "/s")
	if err != nil || got != "${SLOT_DIR}:8081@/s" {
		t.Fatalf("%q %v: a value must not be expanded again", got, err)
	}
}

func TestBuildRefusesALink(t *testing.T) {
	t.Parallel()
	dir := folder(t, sample())
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.Build(dir, io.Discard); !errors.Is(err, bundle.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
}

func TestTheManifestsOfTheSampleAreValid(t *testing.T) {
	t.Parallel()
	var versions []string
	for _, v := range []string{"v1", "v2"} {
		raw, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", "sample", v, "manifest.json"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := bundle.ParseManifest(raw)
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, string(m.Version))
	}
	if versions[0] != "1.0.0" || versions[1] != "2.0.0" {
		t.Fatalf("versions %v", versions)
	}
}
