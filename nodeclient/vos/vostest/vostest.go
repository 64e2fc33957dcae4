// Package vostest gives tests VOS machines: a real sshd of its own on a loopback address for each, with
// this program as its forced command, and bundles small enough to be installed in a moment. It is linked
// into tests only.
package vostest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models/compat"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/hosttest"
)

const patience = 60 * time.Second

// Main runs tests with the program built for them.
func Main(m *testing.M) int {
	name := programFile()
	defer os.Remove(name)
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", name, "connecthub/nodeclient")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build nodeclient: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// programFile is this test run's own build.
func programFile() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("connecthub-nodeclient-%d", os.Getpid()))
}

// Options say what kind of machine it is; all have a usable zero value.
type Options struct {
	Host     string // a loopback address; 127.0.0.1
	Port     int    // of its sshd; 0 is any free one
	Name     string // of the machine; its address
	Product  string // VVB
	Cluster  string
	Join     string   // the publisher's join file, on a subscriber
	Program  string   // what stands for nodeclient; of Main otherwise
	KeepFree string   // as the flag takes it; 0KiB
	More     []string // further flags of the set-up
	NoSetup  bool     // the test sets it up
}

// Target is one machine.
type Target struct {
	t       testing.TB
	Options Options
	Dir     string // its folder
	Host    string
	Port    int
	User    string
	HostKey ssh.Signer
	Keys    string // its authorized_keys
	folder  string

	mu       sync.Mutex
	listener net.Listener
	sessions map[*os.Process]bool
	log      bytes.Buffer
	open     sync.WaitGroup
}

// New starts a machine and sets it up; its SSH server and its services end with the test.
func New(t testing.TB, o Options) *Target {
	t.Helper()
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	if o.Product == "" {
		o.Product = "VVB"
	}
	if o.Program == "" {
		o.Program = programFile()
	}
	if o.KeepFree == "" {
		o.KeepFree = "0KiB"
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	x := &Target{t: t, Options: o, Host: o.Host, Port: o.Port, User: me.Username,
		sessions: map[*os.Process]bool{}}
	if x.Port == 0 { // one that stays free while the machine is down
		x.Port = hosttest.FreePort(t)
	}
	if x.folder, err = os.MkdirTemp("", "vos"); err != nil {
		t.Fatal(err)
	}
	x.Dir, x.Keys = filepath.Join(x.folder, "d"), filepath.Join(x.folder, "keys")
	t.Cleanup(func() { x.end() })
	x.sshd()
	x.Up()
	if !o.NoSetup {
		x.setup()
	}
	return x
}

func (x *Target) end() {
	x.Down()
	_ = exec.Command(x.Options.Program, "stop-services", "--dir", x.Dir).Run()
	_ = os.RemoveAll(x.folder)
}

func (x *Target) path(name string) string { return filepath.Join(x.folder, name) }

// Write puts a file beside the machine's folder.
func (x *Target) Write(name, text string, mode os.FileMode) string {
	x.t.Helper()
	if err := os.WriteFile(x.path(name), []byte(text), mode); err != nil {
		x.t.Fatal(err)
	}
	return x.path(name)
}

// sshd writes what its SSH server needs: a host key, and a configuration that takes keys only.
func (x *Target) sshd() {
	x.t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		x.t.Fatal(err)
	}
	if x.HostKey, err = ssh.NewSignerFromKey(private); err != nil {
		x.t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		x.t.Fatal(err)
	}
	key := x.Write("host_key", string(pem.EncodeToMemory(block)), 0o600)
	x.Write("host_key.pub", string(ssh.MarshalAuthorizedKey(x.HostKey.PublicKey())), 0o644)
	config := x.Write("sshd_config", fmt.Sprintf("HostKey %s\nAuthorizedKeysFile %s\nStrictModes no\n"+
		"UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"+
		"PidFile none\nUseDNS no\nLogLevel VERBOSE\nSubsystem sftp internal-sftp\nPrintMotd no\n", key, x.Keys), 0o644)
	x.Write("start", fmt.Sprintf("set -e\nmount -t tmpfs tmpfs /run\nmkdir -m 755 /run/sshd\n"+
		"exec /usr/sbin/sshd -i -e -f %s\n", config), 0o644)
	x.Write("boot_id", "1\n", 0o644)
	x.Write("restart", fmt.Sprintf("#!/bin/sh\n[ ! -e %[1]s/no-restart ] || exit 7\n"+
		"echo restarted >> %[1]s/restarts\necho $(($(cat %[1]s/boot_id) + 1)) > %[1]s/boot_id.new\n"+
		"mv %[1]s/boot_id.new %[1]s/boot_id\n", x.folder), 0o755)
}

func (x *Target) setup() {
	x.t.Helper()
	args := []string{"vos", "setup"}
	args = append(args, x.SetupFlags()...)
	if code, out := x.Run(args...); code != 0 {
		x.t.Fatalf("%d %s", code, out)
	}
}

// SetupFlags are the flags of "vos setup" for this machine.
func (x *Target) SetupFlags() []string {
	o := x.Options
	name := o.Name
	if name == "" {
		name = x.Host
	}
	args := []string{"--product", o.Product, "--fqdn", name, "--authorized-keys", x.Keys, "--host-key",
		x.path("host_key.pub"), "--program", o.Program, "--restart-command", x.path("restart"),
		"--boot-id-file", x.path("boot_id"), "--keep-free", o.KeepFree}
	if o.Join == "" {
		cluster := o.Cluster
		if cluster == "" {
			cluster = "test"
		}
		args = append(args, "--cluster", cluster)
	} else {
		args = append(args, "--node-type", "subscriber", "--join", o.Join)
	}
	return append(args, o.More...)
}

// Address is HOST:PORT of its SSH server.
func (x *Target) Address() string { return net.JoinHostPort(x.Host, strconv.Itoa(x.Port)) }

// Fingerprint is of its host key.
func (x *Target) Fingerprint() string { return ssh.FingerprintSHA256(x.HostKey.PublicKey()) }

// Run runs nodeclient on the machine, with its folder.
func (x *Target) Run(args ...string) (int, string) {
	x.t.Helper()
	cmd := exec.Command(x.Options.Program, append(args, "--dir", x.Dir)...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		x.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// Does is Run that must succeed.
func (x *Target) Does(args ...string) string {
	x.t.Helper()
	code, out := x.Run(args...)
	if code != 0 {
		x.t.Fatalf("%v: %d %s", args, code, out)
	}
	return out
}

// Boots is how often the machine has restarted.
func (x *Target) Boots() int {
	text, err := os.ReadFile(x.path("restarts"))
	if err != nil {
		return 0
	}
	return bytes.Count(text, []byte("\n"))
}

// Break makes the next restarts fail, or work again.
func (x *Target) Break(broken bool) {
	x.t.Helper()
	if broken {
		x.Write("no-restart", "", 0o600)
		return
	}
	_ = os.Remove(x.path("no-restart"))
}

// AuthorizedKeys is the file as it stands.
func (x *Target) AuthorizedKeys() string {
	text, err := os.ReadFile(x.Keys)
	if err != nil {
		return ""
	}
	return string(text)
}

// Admit lets a key in as a control node's, as onboarding does.
func (x *Target) Admit(name string, key ssh.PublicKey) {
	x.t.Helper()
	line := fmt.Sprintf("restrict,command=\"%s vos serve --dir %s --peer control --name %s\" %s", x.Options.Program,
		x.Dir, name, ssh.MarshalAuthorizedKey(key))
	if err := os.WriteFile(x.Keys, []byte(x.AuthorizedKeys()+line), 0o600); err != nil {
		x.t.Fatal(err)
	}
}

// Up lets its SSH server answer, one process a connection.
func (x *Target) Up() {
	x.t.Helper()
	l, err := net.Listen("tcp", x.Address())
	if err != nil {
		x.t.Fatal(err)
	}
	x.mu.Lock()
	x.listener = l
	x.mu.Unlock()
	x.open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			x.open.Go(func() { x.answer(c.(*net.TCPConn)) })
		}
	})
}

// Down cuts every connection and lets nobody connect any more.
func (x *Target) Down() {
	x.mu.Lock()
	l := x.listener
	x.listener = nil
	x.mu.Unlock()
	if l == nil {
		return
	}
	_ = l.Close()
	x.mu.Lock()
	for p := range x.sessions {
		_ = p.Kill() // it may have ended
	}
	x.mu.Unlock()
	x.open.Wait()
}

func (x *Target) answer(c *net.TCPConn) {
	f, err := c.File()
	_ = c.Close() // the process has its own
	if err != nil {
		return
	}
	defer f.Close()
	cmd := exec.Command("/usr/sbin/sshd", "-i", "-e", "-f", x.path("sshd_config"))
	if os.Geteuid() == 0 {
		cmd = exec.Command("unshare", "-m", "sh", x.path("start"))
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, (*logOf)(x)
	cmd.WaitDelay = time.Second
	x.mu.Lock()
	err = errors.New("the machine is down")
	if x.listener != nil {
		err = cmd.Start()
	}
	if err == nil {
		x.sessions[cmd.Process] = true
	}
	x.mu.Unlock()
	if err != nil {
		return
	}
	_ = cmd.Wait() // how a session ended is in its log
	x.mu.Lock()
	delete(x.sessions, cmd.Process)
	x.mu.Unlock()
}

// Write takes the SSH server's log.
func (x *logOf) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.log.Write(b)
}

// Log is what its SSH server wrote so far.
func (x *Target) Log() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.log.String()
}

type logOf Target

// Bundle is a file that can be installed on a VOS machine.
type Bundle struct {
	Version compat.Version
	Path    string
	SHA256  string
	Size    int64
}

// Pack makes a bundle of a product in a version. A sick one installs and never serves.
func Pack(t testing.TB, product, version string, sick bool) Bundle {
	t.Helper()
	v, err := compat.Parse(version)
	if err != nil {
		t.Fatal(err)
	}
	d := func(d time.Duration) bundle.Duration { return bundle.Duration(d) }
	m := bundle.Manifest{Format: 1, Name: strings.ToLower(product), Version: v.Release(), Soak: d(100 * time.Millisecond),
		Services: []bundle.Service{{Name: "main", Command: []string{"bin/main"},
			Health: bundle.Health{Command: []string{"bin/health"}, Interval: d(50 * time.Millisecond),
				Timeout: d(10 * time.Second), ReadyWithin: d(patience), Failures: 3},
			Stop: bundle.Stop{Signal: "TERM", Deadline: d(10 * time.Second)}}}}
	health := "exit 0"
	if sick {
		m.Services[0].Health.ReadyWithin, health = d(300*time.Millisecond), "exit 1"
	}
	dir := t.TempDir()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"manifest.json": string(raw),
		"bin/main":   "#!/bin/sh\n# " + version + "\ntrap 'exit 0' TERM\nwhile :; do sleep 60 & wait $!; done\n",
		"bin/health": "#!/bin/sh\n" + health + "\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if _, err := bundle.Build(dir, &out); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(out.Bytes())
	b := Bundle{Version: v, Path: filepath.Join(t.TempDir(), strings.ToLower(product)+".bundle"),
		SHA256: hex.EncodeToString(sum[:]), Size: int64(out.Len())}
	if err := os.WriteFile(b.Path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return b
}
