package sftptest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Machine is a real sshd that takes keys and runs commands as a user of its own, one process a
// connection. The zero value of a field leaves that out.
type Machine struct {
	Listen string          // address to listen at; empty is 127.0.0.1:0
	User   string          // empty is User
	Keys   []ssh.PublicKey // who may sign in
	Path   string          // folder that stands first on the commands' PATH
	Env    []string        // NAME=VALUE for the commands
	Key    Key             // host key; made when empty
	DownIf string          // no connection is taken while this file is there

	Address        string
	Home           string // a folder that the user may write
	AuthorizedKeys string // the file, to be spoilt by tests

	log     OpenSSH
	mu      sync.Mutex
	down    bool
	running map[*net.TCPConn]int
}

// Log is what the server wrote so far.
func (m *Machine) Log() string { return m.log.Log() }

// Down lets the machine take no connection any more, or again; Cut ends those that are open.
func (m *Machine) Down(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// Cut breaks every open connection, and answers how many there were.
func (m *Machine) Cut() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.running {
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
		}
	}
	return len(m.running)
}

// Kill ends every process of the server, even one that was stopped.
func (m *Machine) Kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = true
	for _, pid := range m.running {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
}

// Start needs root, as StartOpenSSH does.
func (m *Machine) Start(t testing.TB) *Machine {
	t.Helper()
	if err := exec.Command("unshare", "-m", "true").Run(); err != nil {
		t.Skipf("only root can give sshd a user of its own: %v", err)
	}
	if m.User == "" {
		m.User = User
	}
	if m.Key.Signer == nil {
		m.Key = NewKey(t)
	}
	m.running = map[*net.TCPConn]int{}
	dir, err := os.MkdirTemp("", "machine")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	m.Home, m.AuthorizedKeys = filepath.Join(dir, "home"), filepath.Join(dir, "authorized_keys")
	script := m.write(t, dir)
	m.Address = listenAt(t, m.Listen, func(c *net.TCPConn) { m.serve(c, script) })
	t.Cleanup(m.Kill)
	return m
}

func (m *Machine) isDown() bool {
	if m.DownIf == "" {
		return false
	}
	_, err := os.Stat(m.DownIf)
	return err == nil
}

func (m *Machine) serve(c *net.TCPConn, script string) {
	f, err := c.File()
	if err != nil {
		return
	}
	defer f.Close()
	cmd := exec.Command("unshare", "-m", "sh", script)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, &m.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // what a command left behind may hold the log
	m.mu.Lock()
	if m.down || m.isDown() || cmd.Start() != nil {
		m.mu.Unlock()
		return
	}
	m.running[c] = cmd.Process.Pid
	m.mu.Unlock()
	_ = cmd.Wait()
	m.mu.Lock()
	delete(m.running, c)
	m.mu.Unlock()
}

func (m *Machine) write(t testing.TB, dir string) (script string) {
	t.Helper()
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	var keys strings.Builder
	for _, k := range m.Keys {
		_, _ = keys.Write(ssh.MarshalAuthorizedKey(k))
	}
	env := "SetEnv PATH=" + strings.TrimPrefix(m.Path+":/usr/bin:/bin", ":")
	for _, e := range m.Env {
		env += " " + e
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	script = at("start")
	for name, text := range map[string]string{
		"passwd": fmt.Sprintf("%s\n%s:x:%d:%d::%s:/bin/sh\n", strings.TrimSpace(string(passwd)),
			m.User, uid, uid, m.Home),
		"authorized_keys": keys.String(),
		"config": fmt.Sprintf("HostKey %s\nUsePAM no\nPasswordAuthentication no\n"+
			"KbdInteractiveAuthentication no\nAuthorizedKeysFile %s\nStrictModes no\n"+
			"PidFile none\nLogLevel VERBOSE\nUseDNS no\nMaxSessions 100\n"+
			"Subsystem sftp internal-sftp\n%s\n", m.Key.File, m.AuthorizedKeys, env),
		"start": fmt.Sprintf("set -e\ncd %s\nmount --bind passwd /etc/passwd\n"+
			"mount -t tmpfs tmpfs /run\nmkdir -m 755 /run/sshd\n"+
			"exec /usr/sbin/sshd -i -e -f config\n", dir),
	} {
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{os.Chmod(dir, 0o755), os.Mkdir(m.Home, 0o755),
		os.Chown(m.Home, uid, uid)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return script
}
