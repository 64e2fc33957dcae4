package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/host"
)

// listed is a machine with these "name<tab>version" lines.
func listed(t *testing.T, lines ...string) host.Machine {
	t.Helper()
	text := strings.Join(lines, "\n") + "\n"
	return host.Machine{DataDir: t.TempDir(),
		List: func(context.Context) ([]byte, error) { return []byte(text), nil }}
}

func factsOf(t *testing.T, m host.Machine) host.Facts {
	t.Helper()
	facts, err := m.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func valueOf(facts host.Facts, name string) string {
	for _, f := range facts.List {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func TestFactsNameDiskMemoryAndPackages(t *testing.T) {
	t.Parallel()
	facts := factsOf(t, listed(t, "openssl\t3.5.1-1", "libc6\t2.41", "libc6\t2.41", "odd line", "broken\t"))
	for _, name := range []string{"os", "arch", "disk_bytes", "disk_free_bytes", "memory_bytes",
		"package:openssl", "package:libc6"} {
		if valueOf(facts, name) == "" {
			t.Errorf("no %s in %v", name, facts)
		}
	}
	if valueOf(facts, models.PackagesFact) != "2" || !slices.IsSortedFunc(facts.List,
		func(a, b models.Fact) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("%v", facts.List)
	}
	if !(models.Node{Facts: facts.List}).NamesAllPackages() {
		t.Error("they name not all packages")
	}
	if same := factsOf(t, listed(t, "libc6\t2.41", "openssl\t3.5.1-1")); same.Digest != facts.Digest {
		t.Error("another digest of the same facts")
	}
	if fewer := factsOf(t, listed(t, "libc6\t2.41")); fewer.Digest == facts.Digest {
		t.Error("the same digest of other facts")
	}
}

func TestOfFiveThousandPackagesFactsNameTheFirstAndTheSetNamesAll(t *testing.T) {
	t.Parallel()
	lines := make([]string, 5000)
	for i := range lines {
		lines[i] = fmt.Sprintf("lib-%04d\t1.%d", 4999-i, i)
	}
	facts := factsOf(t, listed(t, lines...))
	node := models.Node{Facts: facts.List}
	if len(facts.List) != models.MaxFacts || valueOf(facts, models.PackagesFact) != "5000" ||
		valueOf(facts, "package:lib-0000") == "" || node.NamesAllPackages() {
		t.Fatalf("%d facts", len(facts.List))
	}
	for i := range 5000 {
		if name := fmt.Sprintf("lib-%04d", i); !facts.Packages.Names.Has(name) {
			t.Fatalf("no %s", name)
		}
	}
	if facts.Packages.More || facts.Packages.Names.Has("lib-5000") {
		t.Error("it names too many")
	}
	lines[0] = "other\t1" // lib-4999 was, far beyond what the facts name
	if other := factsOf(t, listed(t, lines...)); other.Digest == facts.Digest {
		t.Error("the same digest of other packages")
	}
}

// The longest names and values, and more of them than anything can hold.
func TestAPollWithFactsAndAPollWithPackagesStayWithinTheLimit(t *testing.T) {
	t.Parallel()
	lines := make([]string, 2*models.MaxPackages)
	for i := range lines {
		lines[i] = fmt.Sprintf("%05d-%s\t%s", i, strings.Repeat("<", 140), strings.Repeat("&", 256))
	}
	facts := factsOf(t, listed(t, lines...))
	if !facts.Packages.More || facts.Packages.Names.Len() != models.MaxPackages {
		t.Errorf("%d names, more: %t", facts.Packages.Names.Len(), facts.Packages.More)
	}
	poll := wire.PollRequest{FactsDigest: facts.Digest, HealthDetail: strings.Repeat("x", 512)}
	for range 64 {
		poll.Denied = append(poll.Denied, models.Version(strings.Repeat("1", 64)))
	}
	for _, more := range []func(p *wire.PollRequest){
		func(p *wire.PollRequest) { p.Facts = facts.List },
		func(p *wire.PollRequest) { p.Packages = &facts.Packages },
	} {
		one := poll
		more(&one)
		text, err := json.Marshal(wire.ConfirmRequest{Poll: one})
		if err != nil || len(text) > wire.MaxBody {
			t.Errorf("%d octets: %v", len(text), err)
		}
	}
}

func TestThisMachineHasFactsWithinTheLimits(t *testing.T) {
	t.Parallel()
	facts := factsOf(t, host.Machine{DataDir: t.TempDir()})
	if len(facts.List) < 7 || len(facts.List) > models.MaxFacts || !facts.Packages.Names.Valid() {
		t.Fatalf("%d facts", len(facts.List))
	}
	if boot, err := host.BootID(); err != nil || len(boot) != 36 {
		t.Fatalf("%q %v", boot, err)
	}
}

func TestARemovedPackageWhoseConfigurationIsLeftIsNotInstalled(t *testing.T) {
	t.Parallel()
	got := host.Configured([]byte("installed\ta\t1\nconfig-files\tb\t2\nunpacked\tc\t3\n" +
		"triggers-pending\td\t4\ne\t5\n"))
	if string(got) != "a\t1\nd\t4\ne\t5\n" {
		t.Errorf("%q", got)
	}
}
