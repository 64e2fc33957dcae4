package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The marks in a process's environment by which it is known again.
const (
	markDir     = "CONNECTHUB_DIR"
	markSlot    = "CONNECTHUB_SLOT"
	markService = "CONNECTHUB_SERVICE"
	searchPath  = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	adoptEvery  = 50 * time.Millisecond
)

// process is a running service: a child, or one that an earlier supervisor started.
type process struct {
	handle
	exited chan struct{}
	state  string // how it ended; to be read after exited
}

func (p *process) outcome() string {
	if p.state == "" {
		return "ended"
	}
	return p.state
}

// start runs the service in a process group of its own with its log as output. The log is a plain
// file, so that the service can write it when no supervisor lives.
func (k *keeper) start(ctx context.Context) (*process, error) {
	argv, env, err := k.prepare(k.svc.Command)
	if err != nil {
		return nil, err
	}
	env = append(env, markDir+"="+k.sup.opts.Dir, markSlot+"="+k.slot, markService+"="+k.svc.Name)
	out, err := os.OpenFile(k.sup.logFile(k.svc.Name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if errors.Is(err, syscall.ENOSPC) {
		out, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0) // serving matters more than its log
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open log: %w", err)
	}
	defer out.Close()
	cmd := &exec.Cmd{Path: argv[0], Args: argv, Env: env, Dir: k.sup.slots.Path(k.slot),
		Stdout: out, Stderr: out, SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", k.svc.Name, err)
	}
	p := &process{handle: handle{PID: cmd.Process.Pid}, exited: make(chan struct{})}
	if st, ok := readStat(p.PID); ok {
		p.Start = st.start
	}
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // how it ended is in ProcessState
		if ctx.Err() == nil {
			p.state = cmd.ProcessState.String()
		}
	}()
	return p, nil
}

// prepare fills the node's values into a command of the bundle and its environment.
func (k *keeper) prepare(words []string) (argv, env []string, err error) {
	dir := k.sup.slots.Path(k.slot)
	argv = []string{filepath.Join(dir, filepath.FromSlash(words[0]))}
	for _, word := range words[1:] {
		text, err := k.values.Expand(word, dir)
		if err != nil {
			return nil, nil, err
		}
		argv = append(argv, text)
	}
	env = []string{"PATH=" + searchPath, "HOME=" + k.sup.opts.Dir, "LANG=C.UTF-8"}
	for name, value := range k.svc.Environment {
		text, err := k.values.Expand(value, dir)
		if err != nil {
			return nil, nil, err
		}
		env = append(env, name+"="+text)
	}
	return argv, env, nil
}

// adopt watches a process that is not our child.
func adopt(ctx context.Context, h handle) *process {
	p := &process{handle: h, exited: make(chan struct{})}
	go func() {
		tick := time.NewTicker(adoptEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if !h.alive() {
					close(p.exited)
					return
				}
			}
		}
	}()
	return p
}

func (h handle) alive() bool {
	st, ok := readStat(h.PID)
	return ok && st.start == h.Start && st.state != 'Z' && st.state != 'X'
}

// signal reaches only the very process: a pid that was given to another one is left alone.
func (h handle) signal(sig syscall.Signal) {
	if h.alive() {
		_ = syscall.Kill(h.PID, sig) // it may have ended in this moment
	}
}

// killGroup ends what is left of the process and its children.
func (h handle) killGroup() {
	if st, ok := readStat(h.PID); ok && st.start != h.Start {
		return
	}
	_ = syscall.Kill(-h.PID, syscall.SIGKILL) // nobody left is what we want
}

func signalNumber(name string) syscall.Signal {
	switch name {
	case "INT":
		return syscall.SIGINT
	case "QUIT":
		return syscall.SIGQUIT
	case "HUP":
		return syscall.SIGHUP
	case "USR1":
		return syscall.SIGUSR1
	case "USR2":
		return syscall.SIGUSR2
	case "WINCH":
		return syscall.SIGWINCH
	default:
		return syscall.SIGTERM // the manifest allows nothing else
	}
}

type stat struct {
	state byte
	group int
	start uint64
}

// readStat reads /proc/PID/stat; the name in it may hold anything, so it is read from behind.
func readStat(pid int) (stat, bool) {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return stat{}, false
	}
	end := bytes.LastIndexByte(raw, ')')
	fields := strings.Fields(string(raw[end+1:]))
	if end < 0 || len(fields) < 20 {
		return stat{}, false
	}
	group, err1 := strconv.Atoi(fields[2])
	start, err2 := strconv.ParseUint(fields[19], 10, 64)
	return stat{state: fields[0][0], group: group, start: start}, err1 == nil && err2 == nil
}

type stray struct {
	handle
	slot, service string
}

// marked lists the leaders of process groups that bear the marks of this folder.
func marked(dir string) []stray {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []stray
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		st, ok := readStat(pid)
		if !ok || st.group != pid || st.state == 'Z' {
			continue
		}
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil {
			continue // not ours to look into
		}
		marks := map[string]string{}
		for entry := range strings.SplitSeq(string(env), "\x00") {
			if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, "CONNECTHUB_") {
				marks[name] = value
			}
		}
		if marks[markDir] == dir && marks[markService] != "" {
			found = append(found, stray{handle: handle{PID: pid, Start: st.start},
				slot: marks[markSlot], service: marks[markService]})
		}
	}
	return found
}
