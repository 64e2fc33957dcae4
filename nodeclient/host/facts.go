package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"connecthub/models"
)

const (
	maxFactName  = 160
	maxFactValue = 256
	// maxNamed bounds the JSON of the packages that facts name: a poll must stay below its limit.
	maxNamed     = 32 << 10
	packagesCall = 10 * time.Second
	// diskStep rounds free space, so that facts do not change with every log line.
	diskStep = 1 << 28
)

// Machine is where facts are read; every field has a usable zero value.
type Machine struct {
	// DataDir is the folder whose disk is measured.
	DataDir string
	// List prints the installed packages as "name<tab>version" lines; nil asks dpkg or rpm.
	List func(ctx context.Context) ([]byte, error)
}

// Facts are what the node states about its machine.
type Facts struct {
	// List is sorted by name. Of many packages it has the first only, and their number.
	List []models.Fact
	// Packages names all of them.
	Packages models.Packages
	// Digest is equal exactly when the rest is.
	Digest string
}

// Facts looks at the machine.
func (m Machine) Facts(ctx context.Context) (Facts, error) {
	list := []models.Fact{
		{Name: "os", Value: osName()}, {Name: "arch", Value: runtime.GOARCH},
		{Name: "cpus", Value: strconv.Itoa(runtime.NumCPU())},
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(m.DataDir, &st); err != nil {
		return Facts{}, fmt.Errorf("cannot measure disk: %w", err)
	}
	free := int64(st.Bavail) * st.Bsize / diskStep * diskStep
	list = append(list,
		models.Fact{Name: "disk_bytes", Value: strconv.FormatInt(int64(st.Blocks)*st.Bsize, 10)},
		models.Fact{Name: "disk_free_bytes", Value: strconv.FormatInt(free, 10)})
	var si syscall.Sysinfo_t
	if err := syscall.Sysinfo(&si); err != nil {
		return Facts{}, fmt.Errorf("cannot measure memory: %w", err)
	}
	list = append(list, models.Fact{Name: "memory_bytes",
		Value: strconv.FormatUint(si.Totalram*uint64(si.Unit), 10)})
	installed, err := m.installed(ctx)
	if err != nil {
		return Facts{}, err
	}
	list = append(list, models.Fact{Name: models.PackagesFact, Value: strconv.Itoa(len(installed))})
	list = append(list, thatFit(installed, models.MaxFacts-len(list))...)
	slices.SortFunc(list, func(a, b models.Fact) int { return strings.Compare(a.Name, b.Name) })
	facts := Facts{List: list}
	names := make([]string, len(installed))
	for i, f := range installed {
		names[i] = strings.TrimPrefix(f.Name, models.PackageFact)
	}
	facts.Packages.Names, facts.Packages.More = models.NewPackageSet(names)
	facts.Digest = digest(list, facts.Packages)
	return facts, nil
}

// installed is a fact a package, by name.
func (m Machine) installed(ctx context.Context) ([]models.Fact, error) {
	list := m.List
	if list == nil {
		list = listPackages
	}
	raw, err := list(ctx)
	if err != nil {
		return nil, err
	}
	var facts []models.Fact
	for line := range bytes.Lines(raw) {
		name, version, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), "\t")
		if ok && name != "" && version != "" {
			facts = append(facts, models.Fact{Name: models.PackageFact + name, Value: version})
		}
	}
	slices.SortFunc(facts, func(a, b models.Fact) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(facts, // a package for two architectures is one
		func(a, b models.Fact) bool { return a.Name == b.Name }), nil
}

// thatFit are the first of the packages, as many as there is room for in a poll.
func thatFit(installed []models.Fact, room int) []models.Fact {
	var fit []models.Fact
	size := 0
	for _, f := range installed {
		if len(f.Name) > maxFactName || len(f.Value) > maxFactValue {
			continue
		}
		text, err := json.Marshal(f)
		if size += len(text) + 1; err != nil || size > maxNamed || len(fit) == room {
			break
		}
		fit = append(fit, f)
	}
	return fit
}

// listPackages asks the machine's own package tool; a machine without one has no packages.
func listPackages(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, packagesCall)
	defer cancel()
	for _, argv := range [][]string{
		{"dpkg-query", "-W", "-f", "${db:Status-Status}\t${Package}\t${Version}\n"},
		{"rpm", "-qa", "--qf", "%{NAME}\t%{VERSION}-%{RELEASE}\n"},
	} {
		path, err := exec.LookPath(argv[0])
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, path, argv[1:]...).Output()
		if err != nil {
			return nil, fmt.Errorf("cannot list packages with %s: %w", argv[0], err)
		}
		return configured(out), nil
	}
	return nil, nil
}

// configured leaves out the packages that dpkg knows and that do not work: of a removed one the
// configuration may be left.
func configured(out []byte) []byte {
	var kept []byte
	for line := range bytes.Lines(out) {
		status, rest, _ := bytes.Cut(line, []byte("\t"))
		switch {
		case !bytes.ContainsRune(rest, '\t'): // rpm lists what is installed
			kept = append(kept, line...)
		case string(status) == "installed" || bytes.HasPrefix(status, []byte("triggers-")):
			kept = append(kept, rest...)
		}
	}
	return kept
}

func digest(list []models.Fact, packages models.Packages) string {
	sum := sha256.New()
	for _, f := range list {
		fmt.Fprintf(sum, "%d:%s=%d:%s\n", len(f.Name), f.Name, len(f.Value), f.Value)
	}
	fmt.Fprintf(sum, "%t%x\n", packages.More, []byte(packages.Names))
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// BootID changes with every boot of the machine.
func BootID() (string, error) {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("cannot read boot id: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

func osName() string {
	raw, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return runtime.GOOS
	}
	for line := range strings.SplitSeq(string(raw), "\n") {
		if v, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			name := strings.Trim(v, `"'`)
			return name[:min(len(name), maxFactValue)]
		}
	}
	return runtime.GOOS
}
