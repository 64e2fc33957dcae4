// Package sftptest starts SSH servers for tests: Debian's OpenSSH with a user and a password or keys
// of its own, and one in Go that counts what it is told. It knows nothing of the product.
package sftptest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// User and Password sign in to every server of this package.
const (
	User     = "inventory"
	Password = "canary of a password"
	salt     = "connecthub"
	uid      = 54321
)

// Key is a host key, and the file that holds it.
type Key struct {
	Signer ssh.Signer
	File   string
}

// Fingerprint is SHA256:…
func (k Key) Fingerprint() string { return ssh.FingerprintSHA256(k.Signer.PublicKey()) }

// NewKey makes a host key.
func NewKey(t testing.TB) Key {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	k := Key{signer, filepath.Join(t.TempDir(), "host_key")}
	if err := os.WriteFile(k.File, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return k
}

// listen answers connections until the test ends.
func listen(t testing.TB, serve func(*net.TCPConn)) string { return listenAt(t, "", serve) }

func listenAt(t testing.TB, address string, serve func(*net.TCPConn)) string {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				serve(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String()
}

// OpenSSH is a real sshd with internal-sftp, one process a connection.
type OpenSSH struct {
	Address string
	Key     Key
	Home    string // a directory that the user may write
	mu      sync.Mutex
	log     strings.Builder
}

// Log is what the server wrote so far.
func (s *OpenSSH) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Write takes the server's log.
func (s *OpenSSH) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

// StartOpenSSH needs root: the user and its password exist in a mount namespace of the server's own.
func StartOpenSSH(t testing.TB) *OpenSSH {
	t.Helper()
	if err := exec.Command("unshare", "-m", "true").Run(); err != nil {
		t.Skipf("only root can give sshd a user of its own: %v", err)
	}
	s := &OpenSSH{Key: NewKey(t)}
	dir, err := os.MkdirTemp("", "sshd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s.Home = filepath.Join(dir, "home")
	script := accounts(t, dir, s)
	s.Address = listen(t, func(c *net.TCPConn) {
		f, err := c.File()
		if err != nil {
			return
		}
		defer f.Close()
		cmd := exec.Command("unshare", "-m", "sh", script)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, s
		_ = c.Close() // the process has its own
		_ = cmd.Run()
	})
	return s
}

// accounts writes the server's configuration and the script that begins it.
func accounts(t testing.TB, dir string, s *OpenSSH) (script string) {
	t.Helper()
	hash, err := exec.Command("openssl", "passwd", "-6", "-salt", salt, Password).Output()
	if err != nil {
		t.Fatal(err)
	}
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	script = at("start")
	for name, text := range map[string]string{
		"passwd": fmt.Sprintf("%s\n%s:x:%d:%d::%s:/bin/false\n", strings.TrimSpace(string(passwd)),
			User, uid, uid, s.Home),
		"shadow": fmt.Sprintf("%s:%s:19000:0:99999:7:::\n", User, strings.TrimSpace(string(hash))),
		"config": fmt.Sprintf("HostKey %s\nUsePAM no\nPasswordAuthentication yes\n"+
			"PidFile none\nLogLevel VERBOSE\nUseDNS no\nMaxAuthTries 3\n"+
			"Subsystem sftp internal-sftp\nForceCommand internal-sftp\n", s.Key.File),
		"start": fmt.Sprintf("set -e\ncd %s\nmount --bind passwd /etc/passwd\n"+
			"mount --bind shadow /etc/shadow\nmount -t tmpfs tmpfs /run\n"+
			"mkdir -m 755 /run/sshd\nexec /usr/sbin/sshd -i -e -f config\n", dir),
	} {
		if err := os.WriteFile(at(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{os.Chmod(dir, 0o755), os.Mkdir(s.Home, 0o755),
		os.Chown(s.Home, uid, uid)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return script
}

// Counting is a server in Go that shows a key and counts what reaches it.
type Counting struct {
	Address   string
	Attempts  atomic.Int64 // authentications, of whatever method
	Passwords atomic.Int64
	Sessions  atomic.Int64
}

// StartCounting serves a directory, or without one says nothing after the sign-in; keyboard lets it ask for the password by a question instead.
func StartCounting(t testing.TB, key Key, dir string, keyboard bool) *Counting {
	t.Helper()
	s := &Counting{}
	check := func(user, password string) (*ssh.Permissions, error) {
		s.Passwords.Add(1)
		if user != User || password != Password {
			return nil, fmt.Errorf("refused")
		}
		return nil, nil
	}
	config := &ssh.ServerConfig{
		AuthLogCallback: func(ssh.ConnMetadata, string, error) { s.Attempts.Add(1) }}
	if keyboard {
		config.KeyboardInteractiveCallback = func(c ssh.ConnMetadata,
			ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || len(answers) != 1 {
				return nil, fmt.Errorf("refused")
			}
			return check(c.User(), answers[0])
		}
	} else {
		config.PasswordCallback = func(c ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
			return check(c.User(), string(p))
		}
	}
	config.AddHostKey(key.Signer)
	s.Address = listen(t, func(c *net.TCPConn) { s.serve(c, config, dir) })
	return s
}

func (s *Counting) serve(c net.Conn, config *ssh.ServerConfig, dir string) {
	_, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for asked := range channels {
		channel, inner, err := asked.Accept()
		if err != nil {
			return
		}
		s.Sessions.Add(1)
		go func() {
			for r := range inner {
				_ = r.Reply(r.Type == "subsystem", nil)
			}
		}()
		if dir == "" {
			continue
		}
		server, err := sftp.NewServer(channel, sftp.WithServerWorkingDirectory(dir))
		if err != nil {
			return
		}
		_ = server.Serve()
		_ = channel.Close()
	}
}

// StartSilent takes connections and says nothing, until the test ends or the other side goes.
func StartSilent(t testing.TB) string {
	t.Helper()
	return listen(t, func(c *net.TCPConn) { _, _ = c.Read(make([]byte, 1<<10)); _, _ = c.Read(make([]byte, 1)) })
}
