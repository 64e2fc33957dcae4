package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// folder is one machine.
type folder string

// software is an installed program, as a list of programs shows it.
type software struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// machine is what the machine is.
type machine struct {
	Name          string     `json:"name"`
	Product       string     `json:"product"`
	Boot          string     `json:"boot"`
	Software      []software `json:"software"`           // Windows: the oldest first
	Updates       []string   `json:"updates"`            // installed KBs
	Available     []string   `json:"available"`          // what Windows Update will find
	Active        []string   `json:"active"`             // VOS: version and its patches
	Inactive      []string   `json:"inactive,omitempty"` // VOS
	Packages      []string   `json:"packages,omitempty"`
	Maintenance   bool       `json:"maintenance"`
	Reason        int        `json:"reason"`
	Stopped       []string   `json:"stopped"`
	RestartNeeded bool       `json:"restartNeeded"` // Windows: its own flags; VOS: a failed upgrade in this boot
	DiskFree      int64      `json:"diskFree"`
	WorkMillis    int        `json:"workMillis"` // how long an operation takes
	DownMillis    int        `json:"downMillis"` // how long a restart takes
}

// operation is one file of operations/.
type operation struct {
	ID      string         `json:"id"`
	State   string         `json:"state"`
	Code    int            `json:"code"`
	Refusal string         `json:"refusal,omitempty"` // VOS
	Detail  string         `json:"detail"`
	Restart bool           `json:"restart"`
	Boot    string         `json:"boot"`
	PID     int            `json:"pid"` // of its runner
	N       int            `json:"n"`   // the highest is the latest
	Work    map[string]any `json:"work"`
	Times   int            `json:"times"` // how often it was really done
	Started time.Time      `json:"started"`
}

func (w operation) text(key string) string {
	s, _ := w.Work[key].(string)
	return s
}

func (m machine) vos() bool { return len(m.Active) > 0 }

func (f folder) path(parts ...string) string {
	return filepath.Join(append([]string{string(f)}, parts...)...)
}

// change reads the machine, and writes it when do says nothing against it.
func (f folder) change(do func(*machine) error) error {
	lock, err := os.OpenFile(f.path("lock"), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	var m machine
	text, err := os.ReadFile(f.path("machine.json"))
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err == nil {
		err = do(&m)
	}
	if err == nil {
		err = f.write("machine.json", m)
	}
	return err
}

func (f folder) read() (m machine, err error) {
	return m, f.view(func(now *machine) error { m = *now; return nil })
}

// view holds the machine and leaves it as it is; its operations may be written.
func (f folder) view(do func(*machine) error) error {
	err := f.change(func(now *machine) error {
		if err := do(now); err != nil {
			return err
		}
		return errLook
	})
	if errors.Is(err, errLook) {
		err = nil
	}
	return err
}

var errLook = errors.New("nothing is changed")

func (f folder) write(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	part := f.path(name + "." + rand.Text())
	if err := os.WriteFile(part, text, 0o666); err != nil {
		return err
	}
	return os.Rename(part, f.path(name))
}

func (f folder) operation(id string) (operation, error) {
	var o operation
	text, err := os.ReadFile(f.path("operations", id+".json"))
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	return o, err
}

func (f folder) save(o operation) error { return f.write(filepath.Join("operations", o.ID+".json"), o) }

// fault takes a fault away, and answers what it says.
func (f folder) fault(name string) (string, bool) {
	text, err := os.ReadFile(f.path("faults", name))
	if err != nil || os.Remove(f.path("faults", name)) != nil {
		return "", false
	}
	return strings.TrimSpace(string(text)), true
}

// event writes down when the machine was disturbed, and when it was whole again.
func (f folder) event(what string) {
	log, err := os.OpenFile(f.path("events"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return
	}
	defer log.Close()
	fmt.Fprintf(log, "%d %s\n", time.Now().UnixNano(), what)
}

// remember notes the server of this connection, so that a restart can end it.
func (f folder) remember() {
	pid := os.Getppid()
	for range 4 {
		name, parent, uid := about(pid)
		if name == "sshd" && uid == os.Getuid() {
			log, err := os.OpenFile(f.path("sessions"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
			if err == nil {
				fmt.Fprintln(log, pid)
				log.Close()
			}
			return
		}
		pid = parent
	}
}

func about(pid int) (name string, parent, uid int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.SplitSeq(string(text), "\n") {
		key, value, _ := strings.Cut(line, ":")
		words := strings.Fields(value)
		if len(words) == 0 {
			continue
		}
		switch key {
		case "Name":
			name = words[0]
		case "PPid":
			parent, _ = strconv.Atoi(words[0])
		case "Uid":
			uid, _ = strconv.Atoi(words[0])
		}
	}
	return name, parent, uid
}

// cut ends the connections that are open.
func (f folder) cut() {
	text, _ := os.ReadFile(f.path("sessions"))
	_ = os.Remove(f.path("sessions"))
	for word := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(word)
		if name, _, uid := about(pid); err == nil && name == "sshd" && uid == os.Getuid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}
