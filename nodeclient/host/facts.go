package host

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	maxFacts     = 256
	maxFactName  = 160
	maxFactValue = 256
	packagesCall = 10 * time.Second
	// diskStep rounds free space, so that facts do not change with every log line.
	diskStep = 1 << 28
)

// Machine is where facts are read; every field has a usable zero value.
type Machine struct {
	// DataDir is the folder whose disk is measured.
	DataDir string
	// Packages are the names to report; without any, all are, as far as they fit.
	Packages []string
	// List prints the installed packages as "name<tab>version" lines; nil asks dpkg or rpm.
	List func(ctx context.Context) ([]byte, error)
}

// Facts are what the node states about its machine, sorted by name.
func (m Machine) Facts(ctx context.Context) ([]models.Fact, error) {
	facts := []models.Fact{
		{Name: "os", Value: osName()}, {Name: "arch", Value: runtime.GOARCH},
		{Name: "cpus", Value: strconv.Itoa(runtime.NumCPU())},
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(m.DataDir, &st); err != nil {
		return nil, fmt.Errorf("cannot measure disk: %w", err)
	}
	free := int64(st.Bavail) * st.Bsize / diskStep * diskStep
	facts = append(facts,
		models.Fact{Name: "disk_bytes", Value: strconv.FormatInt(int64(st.Blocks)*st.Bsize, 10)},
		models.Fact{Name: "disk_free_bytes", Value: strconv.FormatInt(free, 10)})
	var si syscall.Sysinfo_t
	if err := syscall.Sysinfo(&si); err != nil {
		return nil, fmt.Errorf("cannot measure memory: %w", err)
	}
	facts = append(facts, models.Fact{Name: "memory_bytes",
		Value: strconv.FormatUint(si.Totalram*uint64(si.Unit), 10)})
	installed, err := m.installed(ctx, maxFacts-len(facts))
	if err != nil {
		return nil, err
	}
	facts = append(facts, installed...)
	slices.SortFunc(facts, func(a, b models.Fact) int { return strings.Compare(a.Name, b.Name) })
	return facts, nil
}

func (m Machine) installed(ctx context.Context, room int) ([]models.Fact, error) {
	list := m.List
	if list == nil {
		list = listPackages
	}
	raw, err := list(ctx)
	if err != nil {
		return nil, err
	}
	var facts []models.Fact
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() && len(facts) < room {
		name, version, ok := strings.Cut(lines.Text(), "\t")
		wanted := len(m.Packages) == 0 || slices.Contains(m.Packages, name)
		if !ok || !wanted || version == "" || len(name) > maxFactName || len(version) > maxFactValue {
			continue
		}
		facts = append(facts, models.Fact{Name: "package:" + name, Value: version})
	}
	return facts, nil
}

// listPackages asks the machine's own package tool; a machine without one has no packages.
func listPackages(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, packagesCall)
	defer cancel()
	for _, argv := range [][]string{
		{"dpkg-query", "-W", "-f", "${Package}\t${Version}\n"},
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
		return out, nil
	}
	return nil, nil
}

// FactsDigest is equal exactly when two lists of facts are.
func FactsDigest(facts []models.Fact) string {
	sum := sha256.New()
	for _, f := range facts {
		fmt.Fprintf(sum, "%d:%s=%d:%s\n", len(f.Name), f.Name, len(f.Value), f.Value)
	}
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
