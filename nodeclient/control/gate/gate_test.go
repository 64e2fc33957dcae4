package gate_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"connecthub/nodeclient/control/gate"
)

const actAsHolder = "CONNECTHUB_TEST_HOLDS_A_LOCK"

// TestMain is also a worker that inherited a lock and never frees it by itself.
func TestMain(m *testing.M) {
	if os.Getenv(actAsHolder) != "" {
		if _, err := gate.Inherit(os.Getenv(actAsHolder), 3, gate.Orchestration); err != nil {
			os.Exit(1)
		}
		_, _ = os.Stdout.WriteString("held\n")
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func take(t *testing.T, dir string, kind gate.Kind, what string) *gate.Hold {
	t.Helper()
	h, err := gate.Take(dir, kind, what, "ada", noon)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestOneOrchestrationAtATimeAndTheOtherOneIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := take(t, dir, gate.Orchestration, "patch-manager install")
	_, err := gate.Take(dir, gate.Orchestration, "x", "bob", noon)
	if !errors.Is(err, gate.ErrBusy) || !strings.Contains(err.Error(),
		"Previous operation is still in progress. Please retry after sometime (patch-manager install, by ada,"+
			" since 2026-11-22T12:00:00Z)") {
		t.Errorf("%v", err)
	}
	if n, busy, err := gate.Busy(dir, gate.Orchestration); err != nil || !busy || n.Who != "ada" {
		t.Errorf("%v %v %v", n, busy, err)
	}
	if _, busy, err := gate.Busy(dir, gate.Download); err != nil || busy {
		t.Errorf("%v %v", busy, err)
	}
	if _, err := gate.Take(dir, gate.Download, "nightly", "x", noon); !errors.Is(err, gate.ErrBusy) {
		t.Errorf("a download began while an orchestration ran: %v", err)
	}
	h.Release()
	d := take(t, dir, gate.Download, "nightly")
	_, err = gate.Take(dir, gate.Orchestration, "x", "bob", noon)
	if !errors.Is(err, gate.ErrBusy) || !strings.Contains(err.Error(), "is being downloaded on this node") {
		t.Errorf("an orchestration began while a download ran: %v", err)
	}
	d.Release()
	take(t, dir, gate.Orchestration, "again").Release()
	if _, busy, err := gate.Busy(dir, gate.Orchestration); err != nil || busy {
		t.Errorf("%v %v", busy, err)
	}
}

func TestOfManyOnlyOneGetsTheLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	var got atomic.Int64
	holds := make([]*gate.Hold, 40)
	for i := range holds {
		wg.Go(func() {
			var err error
			if holds[i], err = gate.Take(dir, gate.Download, "d", "x", noon); err == nil {
				got.Add(1)
			} else if !errors.Is(err, gate.ErrBusy) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got.Load() != 1 {
		t.Errorf("%d have it", got.Load())
	}
	for _, h := range holds {
		if h != nil {
			h.Release()
		}
	}
}

func TestAWorkerKeepsTheLockAfterItsParentAndFreesItWhenItIsKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := take(t, dir, gate.Orchestration, "upgrade")
	worker := exec.Command(os.Args[0])
	worker.Env = append(os.Environ(), actAsHolder+"="+dir)
	worker.ExtraFiles = []*os.File{h.File()}
	in, err := worker.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := worker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 5)
	if _, err := out.Read(said); err != nil || string(said) != "held\n" {
		t.Fatalf("%q %v", said, err)
	}
	h.Leave()
	if n, busy, err := gate.Busy(dir, gate.Orchestration); err != nil || !busy || n.What != "upgrade" {
		t.Errorf("%v %v %v", n, busy, err)
	}
	if err := worker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = worker.Wait()
	take(t, dir, gate.Orchestration, "next").Release()
}

func TestLookingNeverKeepsAnybodyFromTheLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	take(t, dir, gate.Download, "first").Release()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, err := gate.Busy(dir, gate.Download); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2000 {
		take(t, dir, gate.Download, "d").Release()
	}
	close(stop)
	wg.Wait()
}

func TestAnOrchestrationAndADownloadNeverRunTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	var inside atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			for range 300 {
				h, err := gate.Take(dir, gate.Kinds()[i%2], "w", "x", noon)
				if err != nil {
					continue
				}
				if inside.Add(1) > 1 {
					t.Error("two are inside")
				}
				inside.Add(-1)
				h.Release()
			}
		})
	}
	wg.Wait()
}

func TestALockThatIsNotHeldCannotBeInherited(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := gate.Inherit(dir, 1<<20, gate.Download); err == nil {
		t.Error("a file that is not open passed for a lock")
	}
	take(t, dir, gate.Orchestration, "x").Release()
	take(t, dir, gate.Download, "x").Release()
	for _, other := range []string{filepath.Join(dir, "other"), filepath.Join(dir, "control", "download.lock")} {
		fd, err := unix.Open(other, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gate.Inherit(dir, uintptr(fd), gate.Orchestration); err == nil {
			t.Errorf("%s passed for the lock", other)
		}
	}
}

// TestANoteIsReadWholeOrNotAtAll reads while a holder goes on.
func TestANoteIsReadWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := take(t, dir, gate.Orchestration, strings.Repeat("patch install ", 100))
	if !h.Held() {
		t.Error("what is held is not held")
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(stop)
		for i := range 3000 {
			if err := h.Mark([]gate.Procedure{gate.Asked, gate.Begun, ""}[i%3]); err != nil {
				t.Error(err)
			}
		}
	})
	for done := false; !done; {
		select {
		case <-stop:
			done = true
		default:
		}
		if n, busy, err := gate.Busy(dir, gate.Orchestration); err != nil || !busy || n.Who != "ada" {
			t.Fatalf("%v %v %v", n, busy, err)
		}
	}
	wg.Wait()
	h.Release()
	if h.Held() {
		t.Error("what was released is still held")
	}
}
