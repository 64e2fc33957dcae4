package host_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/hosttest"
)

func TestMain(m *testing.M) { os.Exit(hosttest.Main(m, time.Now, os.Getenv, nil)) }

func open(t *testing.T, dir string) *host.Slots {
	t.Helper()
	s, err := host.OpenSlots(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func accept(bundle.Manifest) error { return nil }

func TestR27ASlotBearsItsNameOnlyWhenItIsComplete(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	b := hosttest.Sample(t, "1.0", nil)
	if _, err := s.Install(t.Context(), b.Slot, bytes.NewReader(b.Raw[:len(b.Raw)-9]), accept); err == nil {
		t.Fatal("half a bundle was installed")
	}
	refusal := errors.New("not this one")
	_, err := s.Install(t.Context(), b.Slot, bytes.NewReader(b.Raw),
		func(bundle.Manifest) error { return refusal })
	if !errors.Is(err, refusal) {
		t.Fatalf("got %v", err)
	}
	if _, err := s.Manifest(b.Slot); !errors.Is(err, host.ErrNoSlot) {
		t.Fatalf("got %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "slots")); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
	if err := s.Switch(b.Slot, ""); !errors.Is(err, host.ErrNoSlot) {
		t.Fatalf("switched to a slot that is not there: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "slots", ".part-"+b.Slot), 0o755); err != nil {
		t.Fatal(err) // what a crash leaves
	}
	if m, err := open(t, dir).Install(t.Context(), b.Slot, bytes.NewReader(b.Raw), accept); err != nil ||
		m.Version != "1.0" {
		t.Fatalf("%v %+v", err, m)
	}
}

func TestSwitchingRemembersThePreviousSlotAndPruningKeepsBoth(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	var slots []string
	for _, v := range []models.Version{"1.0", "2.0", "3.0"} {
		b := hosttest.Sample(t, v, nil)
		if _, err := s.Install(t.Context(), b.Slot, bytes.NewReader(b.Raw), accept); err != nil {
			t.Fatal(err)
		}
		slots = append(slots, b.Slot)
	}
	for range 2 { // repeated, as after a crash
		if err := errors.Join(s.Switch(slots[1], ""), s.Switch(slots[2], slots[1])); err != nil {
			t.Fatal(err)
		}
	}
	active, err1 := s.Active()
	previous, err2 := s.Previous()
	if err := errors.Join(err1, err2, s.Prune()); err != nil || active != slots[2] || previous != slots[1] {
		t.Fatalf("%v: %s after %s", err, active, previous)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "slots"))
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v: %v", err, entries)
	}
}

func TestASlotIsNamedByAVersionAndADigestOnly(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("ab", 32)
	if name, err := host.SlotName("15.0.1.10000-21", digest); err != nil || name != "15.0.1.10000-21-abababababababab" {
		t.Fatalf("%q %v", name, err)
	}
	for _, c := range [][2]string{{"../1", digest}, {"1.0", "xyz"}, {"1.0", strings.ToUpper(digest)}, {"", digest}} {
		if name, err := host.SlotName(models.Version(c[0]), c[1]); err == nil {
			t.Errorf("%v became %q", c, name)
		}
	}
	s := open(t, t.TempDir())
	for _, bad := range []string{"", "..", "../x", "1.0-abababababababab/.."} {
		if _, err := s.Manifest(bad); !errors.Is(err, host.ErrNoSlot) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestValuesAreReadBackAsTheyWereSaved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := bundle.Values{FQDN: "a.example.com", DataDir: dir, Ports: map[string]int{"http": 8081},
		Config: map[string]string{"peer": "b.example.com"}}
	if err := host.SaveValues(dir, v); err != nil {
		t.Fatal(err)
	}
	got, err := host.LoadValues(dir)
	if err != nil || got.Ports["http"] != 8081 || got.Config["peer"] != "b.example.com" {
		t.Fatalf("%v %+v", err, got)
	}
	if err := os.WriteFile(filepath.Join(dir, "values.json"), []byte(`{"script":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := host.LoadValues(dir); err == nil {
		t.Fatal("an unknown field was accepted")
	}
}
