// Package mailtest starts an SMTP server, tools/mailsink, as a process of its own for tests and reads
// what it was given. It knows nothing of the product.
package mailtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// User and Password sign in where a server asks for it.
const (
	User     = "cloud connect"
	Password = "canary of an smtp password"
)

// Server is a running mailsink.
type Server struct {
	Address string // HOST:PORT
	CA      string // file with the certificate that vouches for it
	dir     string
	t       testing.TB
}

// Mail is one mail as the server kept it.
type Mail struct {
	From   string   `json:"from"`
	To     []string `json:"to"`
	User   string   `json:"user"` // who signed in
	TLS    bool     `json:"tls"`
	HELO   string   `json:"helo"`
	Header netmail.Header
	Title  string // the subject, decoded
	Body   string // decoded
	Raw    []byte
}

// Start runs a server until the test ends. Protection is starttls, implicit or none; with auth it
// takes mail from User only.
func Start(t testing.TB, protection string, auth bool) *Server {
	t.Helper()
	s := &Server{dir: t.TempDir(), t: t}
	s.CA = filepath.Join(s.dir, "ca.pem")
	args := []string{"-dir", s.dir, "-tls", protection, "-ca-out", s.CA}
	if auth {
		file := filepath.Join(s.dir, "password")
		if err := os.WriteFile(file, []byte(Password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-user", User, "-password-file", file)
	}
	cmd := exec.Command("go", append([]string{"run", "connecthub/tools/mailsink"}, args...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	s.Address = strings.TrimSpace(line)
	return s
}

// Fault makes the server misbehave from the next connection on, as mailsink says; an empty one ends it.
func (s *Server) Fault(what string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "fault"), []byte(what), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// Mails is what arrived, in its order.
func (s *Server) Mails() []Mail {
	s.t.Helper()
	names, _ := filepath.Glob(filepath.Join(s.dir, "*.json"))
	slices.Sort(names)
	var all []Mail
	for _, name := range names {
		all = append(all, s.read(name))
	}
	return all
}

// Waits answers what arrived as soon as there are that many.
func (s *Server) Waits(many int) []Mail {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if all := s.Mails(); len(all) >= many {
			return all
		}
		select {
		case <-deadline:
			s.t.Fatalf("%d mails arrived, %d were expected", len(s.Mails()), many)
		case <-tick.C:
		}
	}
}

func (s *Server) read(name string) Mail {
	s.t.Helper()
	var m Mail
	about, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(about, &m)
	}
	if err == nil {
		m.Raw, err = os.ReadFile(strings.TrimSuffix(name, ".json") + ".eml")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	parsed, err := netmail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		s.t.Fatalf("this is no mail: %v\n%s", err, m.Raw)
	}
	m.Header = parsed.Header
	if m.Title, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		s.t.Fatal(err)
	}
	body := parsed.Body
	if strings.EqualFold(m.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		s.t.Fatal(err)
	}
	m.Body = strings.ReplaceAll(string(text), "\r\n", "\n")
	return m
}
