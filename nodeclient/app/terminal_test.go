package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"connecthub/nodeclient/app"
)

const actAsNode = "CONNECTHUB_TEST_ACT_AS_NODE"

// TestMain is also the program itself, for tests that need one at a terminal.
func TestMain(m *testing.M) {
	if os.Getenv(actAsNode) != "" {
		os.Exit(app.Main(context.Background(), "1.0", os.Args[1:], os.Stdout, os.Stderr))
	}
	code := m.Run()
	if code == 0 {
		code = everyCommandWasDriven()
	}
	os.Exit(code)
}

// terminal is the program at a pseudo-terminal.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	seen   bytes.Buffer
}

func atTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	drives.at("terminal", args)
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	var number, unlock int32
	for request, argument := range map[uintptr]*int32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &unlock} {
		_, _, failed := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(argument)))
		if failed != 0 {
			t.Fatal(failed)
		}
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), actAsNode+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	kill := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() { kill.Stop() })
	return &terminal{t: t, master: master, cmd: cmd}
}

// says waits for a text, and types a line.
func (x *terminal) says(text, typed string) {
	x.t.Helper()
	x.waits(text)
	x.types(typed + "\n")
}

func (x *terminal) waits(text string) {
	x.t.Helper()
	from := x.seen.Len()
	one := make([]byte, 1)
	for !strings.Contains(x.seen.String()[from:], text) {
		if _, err := x.master.Read(one); err != nil {
			x.t.Fatalf("waited for %q: %v\n%s", text, err, x.seen.String())
		}
		x.seen.Write(one)
	}
}

func (x *terminal) types(keys string) {
	x.t.Helper()
	if _, err := io.WriteString(x.master, keys); err != nil {
		x.t.Fatal(err)
	}
}

// admin waits for the prompt and gives it a command.
func (x *terminal) admin(line string) {
	x.t.Helper()
	drives.at("terminal", strings.Fields(line))
	x.says("admin:", line)
}

func (x *terminal) ends() (int, string) {
	x.t.Helper()
	_, _ = io.Copy(&x.seen, x.master) // a terminal that nobody holds ends with an error
	var failed *exec.ExitError
	if err := x.cmd.Wait(); err != nil && !errors.As(err, &failed) {
		x.t.Fatal(err)
	}
	return x.cmd.ProcessState.ExitCode(), x.seen.String()
}
