package window_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/scheduler/window"
)

func TestR10OnlyAZoneOfTheDatabaseIsAZone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"UTC", "Europe/Berlin", "Asia/Tokyo", "US/Pacific", "America/Argentina/ComodRivadavia",
	} {
		if z, err := window.LoadZone(name); err != nil || z.Name() != name {
			t.Errorf("%q: %v, %v", name, z, err)
		}
	}
	for _, name := range []string{
		"", "Local", "local", "utc", "europe/berlin", "Europe/Berlin ", "Europe", "Europe/",
		"/Europe/Berlin", "Europe//Berlin", "./UTC", "../UTC", "Europe/../UTC", "CEST", "+09:00",
		"UTC+9", "CET-1CEST,M3.5.0,M10.5.0/3", ":Europe/Berlin", "Factory", "posixrules",
		"Europe\\Berlin", "Europe/Berlin\x00", "zones.tar.gz", strings.Repeat("A", 1<<16),
	} {
		z, err := window.LoadZone(name)
		if !errors.Is(err, window.ErrZone) || z != (window.Zone{}) || len(err.Error()) > 400 {
			t.Errorf("%.20q: %v, %v", name, z, err)
		}
	}
}

func TestZonesOfOneNameAreEqual(t *testing.T) {
	t.Parallel()
	if tokyo := zone(t, "Asia/Tokyo"); tokyo != zone(t, "Asia/Tokyo") {
		t.Error("Tokyo is not Tokyo")
	}
	if zone(t, "Asia/Tokyo") == zone(t, "Japan") {
		t.Error("a link is taken for its target")
	}
}

func TestTheZeroZoneIsNone(t *testing.T) {
	t.Parallel()
	var z window.Zone
	if z.Name() != "" || z.Location() != time.UTC {
		t.Errorf("it is %q at %v", z.Name(), z.Location())
	}
}

func TestEveryZoneLoads(t *testing.T) {
	t.Parallel()
	names := window.ZoneNames()
	if len(names) < 590 || !slices.IsSorted(names) {
		t.Errorf("%d zones", len(names))
	}
	for _, name := range names {
		if got := zone(t, name).Location().String(); got != name {
			t.Errorf("%s is %s", name, got)
		}
	}
}

func TestR10TheZoneDataBearTheirVersion(t *testing.T) {
	t.Parallel()
	if v := window.ZoneDataVersion(); !regexp.MustCompile(`^20\d\d[a-z]$`).MatchString(v) {
		t.Errorf("the version is %q", v)
	}
}

// TestR10TheMachinesZoneDataAreNeverRead looks at the source: what is not called is not read.
// time.LoadLocation prefers the machine's files, and time.Local is one of them.
func TestR10TheMachinesZoneDataAreNeverRead(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	forbidden := []string{"LoadLocation", "Local", "ParseInLocation", "Now"}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(forbidden, s.Sel.Name) {
				t.Errorf("%s uses %s", name, s.Sel.Name)
			}
			return true
		})
	}
}

// TestR10ALyingMachineChangesNothing runs this test binary once more where every zone that the
// time package finds is Tokyo's.
func TestR10ALyingMachineChangesNothing(t *testing.T) {
	t.Parallel()
	const answer = "2026-11-23T02:00:00Z"
	if os.Getenv("LYING_MACHINE") == "1" {
		lie, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		at := utc(t, answer)
		if _, offset := at.In(lie).Zone(); offset != 9*60*60 {
			t.Fatalf("the machine tells the truth: %d", offset)
		}
		if got := berlin(t).Regular.Next(at); !got.Start.Equal(at) {
			t.Fatalf("the next window is %v", got)
		}
		return
	}
	lies := filepath.Join(t.TempDir(), "Europe")
	if err := os.Mkdir(lies, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(lies, "Berlin"), tokyo, 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	again := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.count=1")
	again.Env = append(os.Environ(), "LYING_MACHINE=1", "ZONEINFO="+filepath.Dir(lies))
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// tokyo is a zone of nine hours and no jumps, in the form of RFC 8536.
var tokyo = []byte("TZif2" + strings.Repeat("\x00", 15) +
	strings.Repeat("\x00", 12) + "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x04" +
	"\x00\x00\x7e\x90\x00\x00JST\x00" +
	"TZif2" + strings.Repeat("\x00", 15) +
	strings.Repeat("\x00", 12) + "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x04" +
	"\x00\x00\x7e\x90\x00\x00JST\x00" + "\nJST-9\n")
