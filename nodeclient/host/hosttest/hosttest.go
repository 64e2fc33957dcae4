// Package hosttest gives tests a real machine in small: the sample service built once, bundles of
// it, a supervisor in a process of its own. It is linked into tests only.
package hosttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/supervise"
)

const (
	roleVariable = "HOSTTEST_ROLE"
	dirVariable  = "HOSTTEST_DIR"
	lookEvery    = 10 * time.Millisecond
	parallel     = "6"
	// Patience is how long Await waits for something that should come at once.
	Patience = 30 * time.Second
)

// Role is what a test binary does when it is started again by a test.
type Role func(ctx context.Context, dir string) error

// Main runs the tests with the sample built, or the role this process was started for. The role
// "supervise" is there always. Clock and environment are the caller's.
func Main(m *testing.M, now func() time.Time, env func(string) string, roles map[string]Role) int {
	role := env(roleVariable)
	if role == "" {
		return withSample(m)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	run, ok := roles[role]
	if role == "supervise" {
		run, ok = func(ctx context.Context, dir string) error {
			return supervise.Run(ctx, supervise.Options{Dir: dir, Now: now, Log: Log(os.Stderr)})
		}, true
	}
	if !ok {
		fmt.Fprintln(os.Stderr, "no such role", role)
		return 2
	}
	if err := run(ctx, env(dirVariable)); err != nil {
		fmt.Fprintln(os.Stderr, role, err)
		return 1
	}
	return 0
}

func withSample(m *testing.M) int {
	remove, err := BuildSample()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer remove()
	flag.Parse()
	// These tests wait for processes far more than they compute.
	if err := flag.Set("test.parallel", parallel); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// BuildSample builds the sample service, for a package whose TestMain is its own.
func BuildSample() (remove func(), err error) {
	name := sampleFile()
	cmd := exec.Command("go", "build", "-o", name, "connecthub/deploy/sample")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot build the sample: %w\n%s", err, out)
	}
	return func() { _ = os.Remove(name) }, nil
}

// sampleFile is this test run's own build of the sample service.
func sampleFile() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("connecthub-sample-%d", os.Getpid()))
}

// Log is a logger for a process of a test.
func Log(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// Process is a started role.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	out  *bytes.Buffer
}

// Start runs this test binary in a role for a data folder.
func Start(t testing.TB, role, dir string, env ...string) *Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{cmd: exec.Command(self), done: make(chan struct{}), out: &bytes.Buffer{}}
	p.cmd.Env = append(append(os.Environ(), roleVariable+"="+role, dirVariable+"="+dir), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(p.Kill)
	return p
}

// Kill ends the process as a crash would.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// PID is the id of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Killed says whether it was ended by SIGKILL. It is to be asked after Done.
func (p *Process) Killed() bool {
	ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
}

// Output is what it wrote; to be read after Done.
func (p *Process) Output() string {
	<-p.done
	return p.out.String()
}

// Await looks until cond holds.
func Await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline.C:
			t.Fatalf("waited %s in vain: %s", Patience, what)
		case <-tick.C:
		}
	}
}

// Dir is a data folder with values and a short path; its services end with the test.
func Dir(t testing.TB) (dir string, port int) {
	t.Helper()
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port = FreePort(t)
	if err := host.SaveValues(dir, bundle.Values{FQDN: "cc-pub.example.com", DataDir: dir,
		Ports: map[string]int{"http": port}}); err != nil {
		t.Fatal(err)
	}
	return dir, port
}

// Supervise starts a supervisor for dir. At the end of the test its services are stopped.
func Supervise(t testing.TB, dir string) *Process {
	t.Helper()
	p := Start(t, "supervise", dir)
	client := supervise.Client{Dir: dir}
	Await(t, "the supervisor answers", func() bool {
		_, err := client.Status(t.Context())
		return err == nil
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if _, err := client.Shutdown(ctx); err == nil {
			<-p.done
		}
	})
	return p
}

// FreePort is a port that was free a moment ago, below the range that clients are given.
func FreePort(t testing.TB) int {
	t.Helper()
	for port := 20_000 + os.Getpid()%5_000*2; port < 32_000; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		if !claim(t, port) {
			_ = l.Close()
			continue
		}
		_ = l.Close()
		return port
	}
	t.Fatal("no free port")
	return 0
}

// claim keeps parallel tests of several packages off each other's ports.
func claim(t testing.TB, port int) bool {
	f, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("connecthub-port-%d.lock", port)),
		os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		_ = f.Close()
		return false
	}
	t.Cleanup(func() { _ = os.Remove(f.Name()); _ = f.Close() })
	return true
}

// Bundle is a packed bundle and what a permit says of it.
type Bundle struct {
	Version models.Version
	Raw     []byte
	Digest  string
	Slot    string
}

// Sample packs the sample service with its real manifest, changed by edit.
func Sample(t testing.TB, version models.Version, edit func(*bundle.Manifest)) Bundle {
	t.Helper()
	d := func(d time.Duration) bundle.Duration { return bundle.Duration(d) }
	m := bundle.Manifest{Format: 1, Name: "sample", Version: version, Soak: d(300 * time.Millisecond),
		Services: []bundle.Service{{
			Name: "web", Command: []string{"bin/sample"}, Ports: []string{"http"},
			Environment: map[string]string{"PORT": "${PORT:http}", "NODE_NAME": "${NODE_FQDN}",
				"VERSION": string(version)},
			Health: bundle.Health{HTTP: &bundle.HTTPCall{Path: "/healthz", Port: "http"},
				Interval: d(30 * time.Millisecond), Timeout: d(2 * time.Second),
				ReadyWithin: d(20 * time.Second), Failures: 3},
			Drain: &bundle.Drain{HTTP: &bundle.HTTPCall{Path: "/drain", Port: "http"},
				Deadline: d(5 * time.Second)},
			Stop: bundle.Stop{Signal: "TERM", Deadline: d(5 * time.Second)},
		}}}
	if edit != nil {
		edit(&m)
	}
	return Pack(t, m, nil)
}

// Pack packs a manifest with the sample service and further files.
func Pack(t testing.TB, m bundle.Manifest, files map[string][]byte) Bundle {
	t.Helper()
	dir := t.TempDir()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, bundle.ManifestName), raw, 0o644)
	sample, err := os.ReadFile(sampleFile())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "bin", "sample"), sample, 0o755)
	for name, data := range files {
		write(t, filepath.Join(dir, name), data, 0o755)
	}
	var out bytes.Buffer
	if _, err := bundle.Build(dir, &out); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(out.Bytes())
	b := Bundle{Version: m.Version, Raw: out.Bytes(), Digest: hex.EncodeToString(sum[:])}
	if b.Slot, err = host.SlotName(m.Version, b.Digest); err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, name string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, mode); err != nil {
		t.Fatal(err)
	}
}

// Install puts a bundle into its slot and makes it the active one.
func Install(t testing.TB, dir string, b Bundle) {
	t.Helper()
	slots, err := host.OpenSlots(dir)
	if err != nil {
		t.Fatal(err)
	}
	accept := func(bundle.Manifest) error { return nil }
	if _, err := slots.Install(t.Context(), b.Slot, bytes.NewReader(b.Raw), accept); err != nil {
		t.Fatal(err)
	}
	if err := slots.Switch(b.Slot, ""); err != nil {
		t.Fatal(err)
	}
}

// Answer is the version that the service on port states, empty when it does not answer.
func Answer(port int) string {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/version", port))
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 100))
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return strings.TrimSpace(string(raw))
}
