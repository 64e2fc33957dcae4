package walk_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	node "connecthub/nodeclient/app"
	server "connecthub/server/app"
)

const actAs = "CONNECTHUB_WALK_ACT_AS"

// TestMain is also the hub's program and the node's.
func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch os.Getenv(actAs) {
	case "server":
		os.Exit(server.Main(ctx, os.Args[1:], "1.0", os.Stdout, os.Stderr))
	case "nodeclient":
		os.Exit(node.Main(ctx, "1.0", os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// world is everything that the walk starts, below one folder and on one network of loopback addresses
// of its own.
type world struct {
	t       *testing.T
	dir     string
	network string // 127.A.B

	done, refused atomic.Int64 // commands at control nodes
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "walk") // short: sockets are to fit in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // the users of the machines go through it
		t.Fatal(err)
	}
	return &world{t: t, dir: dir,
		network: fmt.Sprintf("127.%d.%d", 64+rand.IntN(128), rand.IntN(250))}
}

func (w *world) path(names ...string) string {
	return filepath.Join(append([]string{w.dir}, names...)...)
}

func (w *world) address(host, port int) string {
	return net.JoinHostPort(w.ip(host), fmt.Sprint(port))
}

func (w *world) ip(host int) string { return fmt.Sprintf("%s.%d", w.network, host) }

func (w *world) file(name, text string) string {
	w.t.Helper()
	path := w.path(name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// output is what a program prints, while it prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// begin starts a program that runs until the test ends.
func (w *world) begin(program string, args ...string) *output {
	w.t.Helper()
	out := &output{}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), actAs+"="+program)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		insist := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer insist.Stop()
		_ = cmd.Wait()
		if w.t.Failed() {
			w.t.Logf("%s %v\n%s", program, args, out)
		}
	})
	return out
}

// runs is one command to its end, with what is typed at its standard input.
func (w *world) runs(program, typed string, args ...string) (code int, out string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), actAs+"="+program)
	cmd.Stdin = strings.NewReader(typed)
	text, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

// does is a command that must be done.
func (w *world) does(program, typed string, args ...string) string {
	w.t.Helper()
	code, out := w.runs(program, typed, args...)
	if code != 0 {
		w.t.Fatalf("%s %v: %d\n%s", program, args, code, out)
	}
	return out
}

// program is a file that other programs start: one of ours, by its name.
func (w *world) program(name string) string {
	w.t.Helper()
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		w.t.Fatal(err)
	}
	path := w.path(name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+actAs+"="+name+" exec "+self+" \"$@\"\n"), 0o755); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) eventually(what string, limit time.Duration, holds func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(limit)
	for !holds() {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: not within %s", what, limit)
		}
		select {
		case <-w.t.Context().Done():
			w.t.Fatal(w.t.Context().Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func answers(address string) bool {
	res, err := http.Get(address) //nolint:gosec,noctx // an address of this test
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}
