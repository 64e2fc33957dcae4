package supervise_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/hosttest"
	"connecthub/nodeclient/host/supervise"
)

func TestMain(m *testing.M) { os.Exit(hosttest.Main(m, time.Now, os.Getenv, nil)) }

type node struct {
	dir    string
	port   int
	client supervise.Client
	sup    *hosttest.Process
}

func newNode(t *testing.T, edit func(*bundle.Manifest)) (*node, hosttest.Bundle) {
	t.Helper()
	dir, port := hosttest.Dir(t)
	b := hosttest.Sample(t, "1.0", edit)
	hosttest.Install(t, dir, b)
	n := &node{dir: dir, port: port, client: supervise.Client{Dir: dir}}
	n.sup = hosttest.Supervise(t, dir)
	return n, b
}

func (n *node) status(t *testing.T) supervise.Status {
	t.Helper()
	st, err := n.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func (n *node) awaitHealthy(t *testing.T) supervise.Status {
	t.Helper()
	hosttest.Await(t, "the services are healthy", func() bool { return n.status(t).Healthy() })
	return n.status(t)
}

func TestR26TheActiveSlotRunsAndStopsGracefully(t *testing.T) {
	t.Parallel()
	n, b := newNode(t, nil)
	st := n.awaitHealthy(t)
	if st.Slot != b.Slot || hosttest.Answer(n.port) != "1.0" {
		t.Fatalf("%+v answers %q", st, hosttest.Answer(n.port))
	}
	slow := make(chan int, 1)
	go func() { // a request that is in flight while the service drains
		resp, err := http.Get("http://127.0.0.1:" + strconv.Itoa(n.port) + "/?delay=400ms")
		if err != nil {
			slow <- 0
			return
		}
		_ = resp.Body.Close()
		slow <- resp.StatusCode
	}()
	hosttest.Await(t, "it drains", func() bool {
		_, err := n.client.Drain(t.Context())
		return err == nil && n.status(t).Drained()
	})
	if _, err := n.client.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	hosttest.Await(t, "it ends", func() bool { return n.status(t).Ended() })
	if code := <-slow; code != http.StatusOK {
		t.Fatalf("R26: the request in flight got %d", code)
	}
	if _, err := n.client.Start(t.Context(), b.Slot); err != nil {
		t.Fatal(err)
	}
	n.awaitHealthy(t)
}

func TestADeadSupervisorStopsNothingAndTheNextOneAdopts(t *testing.T) {
	t.Parallel()
	n, _ := newNode(t, nil)
	before := n.awaitHealthy(t).Services[0].PID
	for _, lost := range []bool{false, true} { // with and without its own record of the process
		n.sup.Kill()
		if hosttest.Answer(n.port) != "1.0" {
			t.Fatal("the service ended with its supervisor")
		}
		if lost {
			if err := os.Remove(filepath.Join(n.dir, "run", "supervisor.json")); err != nil {
				t.Fatal(err)
			}
		}
		n.sup = hosttest.Supervise(t, n.dir)
		if st := n.awaitHealthy(t); st.Services[0].PID != before || st.Restarts() != 0 {
			t.Fatalf("pid %d became %+v", before, st)
		}
	}
	if _, err := n.client.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	hosttest.Await(t, "the adopted service ends", func() bool { return n.status(t).Ended() })
	if err := syscall.Kill(before, 0); err == nil && hosttest.Answer(n.port) != "" {
		t.Fatal("it still runs")
	}
}

func TestASupervisorThatDiedWhileStoppingGoesOnStopping(t *testing.T) {
	t.Parallel()
	n, b := newNode(t, nil)
	n.awaitHealthy(t)
	if _, err := n.client.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.sup.Kill()
	n.sup = hosttest.Supervise(t, n.dir)
	hosttest.Await(t, "it ends", func() bool { return n.status(t).Ended() })
	if hosttest.Answer(n.port) != "" {
		t.Fatal("it still answers")
	}
	if _, err := n.client.Start(t.Context(), b.Slot); err != nil {
		t.Fatal(err)
	}
	n.awaitHealthy(t)
}

func TestACrashedServiceIsStartedAgain(t *testing.T) {
	t.Parallel()
	n, _ := newNode(t, nil)
	pid := n.awaitHealthy(t).Services[0].PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	hosttest.Await(t, "it runs again", func() bool {
		st := n.status(t)
		return st.Healthy() && st.Services[0].PID != pid && st.Restarts() == 1
	})
}

func TestAnUnhealthyServiceIsStartedAgain(t *testing.T) {
	t.Parallel()
	n, _ := newNode(t, func(m *bundle.Manifest) {
		m.Services[0].Environment["FAIL_AFTER"] = "300ms"
	})
	hosttest.Await(t, "it was restarted", func() bool { return n.status(t).Restarts() >= 1 })
}

func TestAServiceThatIgnoresItsSignalIsKilledWithItsChildren(t *testing.T) {
	t.Parallel()
	dir, _ := hosttest.Dir(t)
	d := bundle.Duration(100 * time.Millisecond)
	script := "#!/bin/sh\ntrap '' TERM\nsleep 1000 &\necho $! > \"$1/child\"\nwait\nsleep 1000\n"
	b := hosttest.Pack(t, bundle.Manifest{Format: 1, Name: "deaf", Version: "1.0",
		Services: []bundle.Service{{Name: "deaf", Command: []string{"bin/deaf", "${DATA_DIR}"},
			Health: bundle.Health{Command: []string{"bin/ok"}, Interval: d, Timeout: 20 * d,
				ReadyWithin: 100 * d, Failures: 2},
			Stop: bundle.Stop{Signal: "TERM", Deadline: 2 * d}}}},
		map[string][]byte{"bin/deaf": []byte(script), "bin/ok": []byte("#!/bin/sh\nexit 0\n")})
	hosttest.Install(t, dir, b)
	n := &node{dir: dir, client: supervise.Client{Dir: dir}, sup: hosttest.Supervise(t, dir)}
	n.awaitHealthy(t)
	var child int
	hosttest.Await(t, "its child is known", func() bool {
		raw, err := os.ReadFile(filepath.Join(dir, "child"))
		if err != nil {
			return false
		}
		child, err = strconv.Atoi(strings.TrimSpace(string(raw)))
		return err == nil
	})
	if _, err := n.client.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	hosttest.Await(t, "it ends", func() bool { return n.status(t).Ended() })
	hosttest.Await(t, "its child ends", func() bool {
		raw, err := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat")
		return err != nil || strings.Contains(string(raw), ") Z ")
	})
}

func TestOnlyTheActiveSlotIsStarted(t *testing.T) {
	t.Parallel()
	n, b := newNode(t, nil)
	n.awaitHealthy(t)
	if _, err := n.client.Start(t.Context(), "9.0-0123456789abcdef"); !errors.Is(err, supervise.ErrNotActive) {
		t.Fatalf("got %v", err)
	}
	if _, err := n.client.Start(t.Context(), b.Slot); err != nil {
		t.Fatalf("a repeated start: %v", err)
	}
}

func TestASecondSupervisorIsRefused(t *testing.T) {
	t.Parallel()
	n, _ := newNode(t, nil)
	second := hosttest.Start(t, "supervise", n.dir)
	if out := second.Output(); !strings.Contains(out, "running already") {
		t.Fatalf("it said %q", out)
	}
}

func TestAShutdownStopsAndTheNextSupervisorStartsAgain(t *testing.T) {
	t.Parallel()
	n, _ := newNode(t, nil)
	n.awaitHealthy(t)
	if _, err := n.client.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-n.sup.Done()
	if hosttest.Answer(n.port) != "" {
		t.Fatal("the service still answers")
	}
	n.sup = hosttest.Supervise(t, n.dir)
	n.awaitHealthy(t)
}

func TestASlotWithoutItsPortIsRefusedInWords(t *testing.T) {
	t.Parallel()
	n, b := newNode(t, nil)
	n.awaitHealthy(t)
	if _, err := n.client.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	hosttest.Await(t, "it ends", func() bool { return n.status(t).Ended() })
	if err := host.SaveValues(n.dir, bundle.Values{FQDN: "a.example.com"}); err != nil {
		t.Fatal(err)
	}
	_, err := n.client.Start(t.Context(), b.Slot)
	if !errors.Is(err, supervise.ErrUnusable) || !strings.Contains(err.Error(), "no port") {
		t.Fatalf("got %v", err)
	}
}
