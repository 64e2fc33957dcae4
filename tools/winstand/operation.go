package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The rules of this file are the scripts' own, and those of the agent of a VOS machine; the table in
// docs/drivers.md puts them side by side.

const keptOperations = 50

// lives is Lives of common.ps1: a process id is used again, so that what runs there must be a runner.
func lives(pid int) bool {
	if pid <= 0 {
		return false
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && bytes.HasPrefix(line, []byte("winstand\x00run\x00"))
}

// look is Look of common.ps1; on a VOS machine, whoever asks starts a worker that has died again. The
// machine must be held.
func (f folder) look(m *machine, id string) (operation, error) {
	o, err := f.operation(id)
	if err != nil || o.State != "running" || o.Boot == m.Boot && lives(o.PID) {
		return o, err
	}
	switch {
	case o.Boot != m.Boot && o.text("kind") == "restart":
		o.State = "done"
	case m.vos() && lives(o.PID): // the machine restarts in the middle of it
		return o, nil
	case m.vos():
		return f.spawn(o)
	default:
		o.State = "lost"
	}
	return o, f.save(o)
}

// all looks at every operation.
func (f folder) all(m *machine) ([]operation, error) {
	names, err := filepath.Glob(f.path("operations", "*.json"))
	if err != nil {
		return nil, err
	}
	var all []operation
	for _, name := range names {
		o, err := f.look(m, strings.TrimSuffix(filepath.Base(name), ".json"))
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// standing is what the operations say of the machine: the one under way, and whether one that was done
// in this boot wants a restart.
func (f folder) standing(m *machine) (running string, restart bool, err error) {
	all, err := f.all(m)
	for _, o := range all {
		if o.State == "running" {
			running = o.ID
		}
		restart = restart || o.Restart && o.Boot == m.Boot
	}
	return running, restart, err
}

// begin is start.ps1: it starts an operation in a process of its own, unless it was started, and answers
// how it stands.
func (f folder) begin(id string, work map[string]any) (operation, error) {
	var o operation
	cut := false
	err := f.change(func(m *machine) error {
		var err error
		if o, err = f.look(m, id); err == nil {
			return nil
		}
		all, err := f.all(m)
		if err != nil {
			return err
		}
		n := 1
		for _, other := range all {
			if other.State == "running" {
				o = operation{ID: id, State: "busy", Detail: other.ID}
				return nil
			}
			n = max(n, other.N+1)
		}
		for _, other := range all {
			if other.N <= n-keptOperations {
				_ = os.Remove(f.path("operations", other.ID+".json"))
			}
		}
		o = operation{ID: id, State: "running", Boot: m.Boot, Work: work, N: n, Started: time.Now()}
		if err := f.save(o); err != nil {
			return err
		}
		if _, cut = f.fault("not-begun"); cut {
			return nil
		}
		_, cut = f.fault("cut")
		o, err = f.spawn(o)
		return err
	})
	if cut {
		f.cut()
	}
	return o, err
}

// spawn starts the runner. It waits until the machine is not held any more.
func (f folder) spawn(o operation) (operation, error) {
	self, err := os.Executable()
	if err != nil {
		return o, err
	}
	process, err := os.StartProcess(self, []string{"winstand", "run", o.ID}, &os.ProcAttr{
		Env: os.Environ(), Dir: string(f), Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return o, err
	}
	o.PID = process.Pid
	if err := f.save(o); err != nil {
		return o, err
	}
	return o, process.Release()
}

// mine is the beginning of run.ps1: an operation belongs to one runner, and one that comes late does
// nothing.
func (f folder) mine(id string) (o operation, m machine, mine bool, err error) {
	err = f.change(func(now *machine) error {
		m = *now
		if o, err = f.operation(id); err != nil {
			return err
		}
		if mine = o.State == "running" && (o.PID <= 0 || o.PID == os.Getpid()); !mine {
			return nil
		}
		o.PID = os.Getpid()
		return f.save(o)
	})
	return o, m, mine, err
}
