package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// restLimit is what an agent at rest may hold resident, in MiB.
const restLimit = 40

// atRest measures the agents and their supervisors after their work, and fails when an agent holds
// too much and does not give it back.
func (c *cluster) atRest(ctx context.Context) error {
	var agent, supervisor float64
	err := eventually(ctx, 10*time.Second, "the agents are at rest", func() (bool, error) {
		var err error
		agent, supervisor, err = c.resident()
		return err == nil && agent < restLimit, err
	})
	if err != nil && agent == 0 {
		return err
	}
	fmt.Printf("proof 2.8-rest agent_mib=%.1f supervisor_mib=%.1f limit=%d\n", agent, supervisor,
		restLimit)
	if agent >= restLimit {
		return fmt.Errorf("an agent at rest holds %.1f MiB, less than %d are allowed", agent, restLimit)
	}
	return nil
}

// resident is the most that an agent and a supervisor hold.
func (c *cluster) resident() (agent, supervisor float64, err error) {
	for _, n := range c.nodes {
		own, err := resident(n.process.cmd.Process.Pid)
		if err != nil {
			return 0, 0, err
		}
		pid, err := supervisorOf(n.dir)
		if err != nil {
			return 0, 0, err
		}
		other, err := resident(pid)
		if err != nil {
			return 0, 0, err
		}
		agent, supervisor = max(agent, own), max(supervisor, other)
	}
	return agent, supervisor, nil
}

// resident is VmRSS of a process in MiB.
func resident(pid int) (float64, error) {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, fmt.Errorf("cannot measure process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("process %d states no VmRSS", pid)
}

// supervisorOf is the process that supervises a node's folder.
func supervisorOf(dir string) (int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, fmt.Errorf("cannot list processes: %w", err)
	}
	tail := []byte("\x00supervise\x00--dir\x00" + dir + "\x00")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// A process may end while it is looked at.
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && bytes.HasSuffix(line, tail) {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("no supervisor of %s runs", dir)
}
