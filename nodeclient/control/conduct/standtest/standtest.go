// Package standtest starts a deployment of stand-ins for tests: each machine a real sshd with
// tools/winstand behind it. It watches from outside when a machine was disturbed, and knows no procedure.
package standtest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/remote/sftptest"
)

// Spec is one machine to be. What is empty is usual.
type Spec struct {
	Product   inventory.Product
	Group     string
	Side      inventory.Side
	Type      inventory.NodeType
	Version   string   // 12.6(1)
	Patches   []string // 12.6(1)ES1 …
	Inactive  string   // VOS
	Available []string // what Windows Update finds
	Updates   []string
	Packages  []string
	Work      time.Duration // of an operation
	Reboot    time.Duration
	Disk      int64
}

// Machine is one of them.
type Machine struct {
	*sftptest.Machine
	Spec
	Name string // its address, which is its name in the inventory
	Dir  string // its state

	shown string // the file of the host key that it shows
}

// Deployment is all of them; they listen at one port.
type Deployment struct {
	Port     int
	Machines []*Machine
}

const user = "admin@domain.local"

// Start needs root.
func Start(t testing.TB, key ssh.PublicKey, specs ...Spec) *Deployment {
	t.Helper()
	bin := build(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &Deployment{Port: l.Addr().(*net.TCPAddr).Port}
	_ = l.Close()
	a, b := 1+rand.IntN(250), rand.IntN(250)
	for i, s := range specs {
		m := &Machine{Spec: s, Name: fmt.Sprintf("127.%d.%d.%d", a, b, i+1)}
		m.Dir = state(t, m)
		m.Machine = (&sftptest.Machine{Listen: net.JoinHostPort(m.Name, strconv.Itoa(d.Port)), User: user,
			Keys: []ssh.PublicKey{key}, Path: bin, Env: []string{"WINSTAND=" + m.Dir},
			DownIf: filepath.Join(m.Dir, "down")}).Start(t)
		m.shown = m.Key.File // what the server reads; the key itself is kept beside it
		m.Key.File += ".own"
		m.keep(t)
		d.Machines = append(d.Machines, m)
	}
	t.Cleanup(d.end)
	return d
}

// build makes the stand-in, where another user may run it.
func build(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "winstand")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cmd := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o",
		filepath.Join(dir, "powershell.exe"), "connecthub/tools/winstand")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, err := range []error{os.Chmod(dir, 0o755), os.Link(filepath.Join(dir, "powershell.exe"),
		filepath.Join(dir, "connecthub-vos"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func state(t testing.TB, m *Machine) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "stand")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if m.Version == "" {
		m.Version = "12.6(1)"
	}
	if m.Disk == 0 {
		m.Disk = 100 << 30
	}
	type program struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	v := map[string]any{"name": m.Name, "product": m.Product, "boot": "1", "updates": m.Updates,
		"available": m.Available, "stopped": []string{}, "diskFree": m.Disk, "packages": m.Packages,
		"workMillis": m.Work.Milliseconds(), "downMillis": m.Reboot.Milliseconds()}
	programs := []program{{Name: "Cisco Unified " + string(m.Product) + " " + m.Version}}
	for _, p := range m.Patches {
		programs = append(programs, program{Name: "Cisco Unified " + string(m.Product) + " " + p})
	}
	v["software"] = programs
	if m.Product.VOS() {
		v["active"] = append([]string{m.Version}, m.Patches...)
		if m.Inactive != "" {
			v["inactive"] = []string{m.Inactive}
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "operations", "files", "faults"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(path, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	machine := filepath.Join(dir, "machine.json")
	if err := os.WriteFile(machine, text, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(machine, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

// end ends what the stand-ins left running.
func (d *Deployment) end() {
	for _, m := range d.Machines {
		m.end()
	}
}

func (m *Machine) end() {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		where, err := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		if err != nil || where != m.Dir {
			continue
		}
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
		}
	}
}

// Repair is somebody who goes to the machine, takes every fault away and restarts it.
func (m *Machine) Repair(t testing.TB) {
	t.Helper()
	m.end()
	faults, _ := filepath.Glob(filepath.Join(m.Dir, "faults", "*"))
	for _, f := range faults {
		_ = os.Remove(f)
	}
	boot, _ := strconv.Atoi(fmt.Sprint(m.State(t)["boot"]))
	m.Set(t, "boot", strconv.Itoa(boot+1))
	m.Set(t, "restartNeeded", false)
	_ = os.Remove(filepath.Join(m.Dir, "down"))
	written, err := os.Stat(filepath.Join(m.Dir, "machine.json")) // just now
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(m.Dir, "events"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, _ = fmt.Fprintf(log, "%d up\n", written.ModTime().UnixNano())
		_ = log.Close()
	}
}

func (m *Machine) keep(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(m.shown)
	if err == nil {
		err = os.WriteFile(m.Key.File, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// HostKey makes the machine show another key, or its own again.
func (m *Machine) HostKey(t testing.TB, k sftptest.Key) {
	t.Helper()
	text, err := os.ReadFile(k.File)
	if err == nil {
		err = os.WriteFile(m.shown, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Fault puts a fault of tools/winstand into a machine.
func (m *Machine) Fault(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.Dir, "faults", name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// Mend takes a fault away, and lets a machine that did not return come back.
func (m *Machine) Mend(t testing.TB, name string) {
	t.Helper()
	_ = os.Remove(filepath.Join(m.Dir, "faults", name))
}

// State is what the machine is now.
func (m *Machine) State(t testing.TB) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(m.Dir, "machine.json"))
	if err != nil {
		t.Fatal(err)
	}
	v := map[string]any{}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// WantsRestart says whether a flag of the machine or an operation of this boot wants a restart.
func (m *Machine) WantsRestart(t testing.TB) bool {
	t.Helper()
	state := m.State(t)
	wants := state["restartNeeded"] == true
	names, _ := filepath.Glob(filepath.Join(m.Dir, "operations", "*.json"))
	for _, name := range names {
		var o struct {
			Restart bool
			Boot    string
		}
		text, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(text, &o)
		}
		if err != nil {
			t.Fatal(err)
		}
		wants = wants || o.Restart && o.Boot == state["boot"]
	}
	return wants
}

// Set changes what the machine is.
func (m *Machine) Set(t testing.TB, key string, value any) {
	t.Helper()
	v := m.State(t)
	v[key] = value
	text, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(filepath.Join(m.Dir, "machine.json"), text, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Times is how often each operation was really done.
func (m *Machine) Times(t testing.TB) map[string]int {
	t.Helper()
	all := map[string]int{}
	names, err := filepath.Glob(filepath.Join(m.Dir, "operations", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		var o struct {
			Times int
			Work  struct{ Kind string }
		}
		if err == nil {
			err = json.Unmarshal(text, &o)
		}
		if err != nil {
			t.Fatal(err)
		}
		all[o.Work.Kind] += o.Times
	}
	return all
}

// Span is when a machine was disturbed; one that still is has no end.
type Span struct{ From, To int64 }

const never = 1<<63 - 1

// Disturbed are the spans of a machine.
func (m *Machine) Disturbed(t testing.TB) []Span {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(m.Dir, "events"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var spans []Span
	down := false
	for line := range strings.Lines(string(text)) {
		at, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		when, err := strconv.ParseInt(at, 10, 64)
		switch {
		case err != nil:
			t.Fatal(err)
		case what == "up" && down:
			spans[len(spans)-1].To, down = when, false
		case what != "up" && !down:
			spans, down = append(spans, Span{when, never}), true
		}
	}
	return spans
}

// BothDisturbed counts how often two machines of one pair or cluster were disturbed at the same time.
func (d *Deployment) BothDisturbed(t testing.TB) int {
	t.Helper()
	n := 0
	for i, a := range d.Machines {
		for _, b := range d.Machines[i+1:] {
			if a.Product != b.Product || a.Group != b.Group {
				continue
			}
			for _, x := range a.Disturbed(t) {
				for _, y := range b.Disturbed(t) {
					if x.From < y.To && y.From < x.To {
						n++
					}
				}
			}
		}
	}
	return n
}
