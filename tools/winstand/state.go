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
	RestartNeeded bool       `json:"restartNeeded"`
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
	Work    map[string]any `json:"work"`
	Times   int            `json:"times"` // how often it was really done
	Started time.Time      `json:"started"`
}

func (w operation) text(key string) string {
	s, _ := w.Work[key].(string)
	return s
}

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

func (f folder) read() (machine, error) {
	var m machine
	err := f.change(func(now *machine) error { m = *now; return errLook })
	if errors.Is(err, errLook) {
		err = nil
	}
	return m, err
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

// running is the operation under way in this boot.
func (f folder) running(boot string) string {
	names, _ := filepath.Glob(f.path("operations", "*.json"))
	for _, name := range names {
		o, err := f.operation(strings.TrimSuffix(filepath.Base(name), ".json"))
		if err == nil && o.State == "running" && o.Boot == boot {
			return o.ID
		}
	}
	return ""
}

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

// begin starts an operation in a process of its own, unless it was started, and answers how it stands.
func (f folder) begin(id string, work map[string]any) (operation, error) {
	var o operation
	cut := false
	err := f.change(func(m *machine) error {
		var err error
		if o, err = f.operation(id); err == nil {
			return nil
		}
		if other := f.running(m.Boot); other != "" {
			o = operation{ID: id, State: "busy", Detail: other}
			return nil
		}
		o = operation{ID: id, State: "running", Boot: m.Boot, Work: work, Started: time.Now()}
		if err := f.save(o); err != nil {
			return err
		}
		_, cut = f.fault("cut")
		self, err := os.Executable()
		if err != nil {
			return err
		}
		process, err := os.StartProcess(self, []string{"winstand", "run", id}, &os.ProcAttr{
			Env: os.Environ(), Dir: string(f), Sys: &syscall.SysProcAttr{Setsid: true}})
		if err != nil {
			return err
		}
		return process.Release()
	})
	if cut {
		f.cut()
	}
	return o, err
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
