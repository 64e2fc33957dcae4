package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// installer is what the files of a test say at their beginning: what they install, and how they end.
type installer struct {
	Installs string `json:"installs"`
	Exit     int    `json:"exit"`
}

func readInstaller(path string) (installer, bool) {
	f, err := os.Open(path)
	if err != nil {
		return installer{}, false
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, _ := f.Read(head)
	var i installer
	err = json.NewDecoder(bytes.NewReader(head[:n])).Decode(&i)
	return i, err == nil && i.Installs != ""
}

// work is the process of one operation. It lives on when the connection that began it is gone.
func (f folder) work(id string) error {
	o, m, mine, err := f.mine(id)
	if err != nil || !mine {
		return err
	}
	kind := o.text("kind")
	if boot := o.text("boot"); kind == "restart" && boot != "" && boot != m.Boot {
		o.State = "done"
		return f.save(o)
	}
	if disturbs(kind, m.vos()) {
		f.event("down " + kind)
	}
	if _, ok := f.fault("hang"); ok {
		forever()
	}
	_, dies := f.fault("die")
	if _, ok := f.fault("crash"); ok || dies {
		time.Sleep(time.Duration(m.WorkMillis/2) * time.Millisecond)
		if dies {
			return nil
		}
		return f.restart(m)
	}
	o.Times++
	if kind == "restart" { // it is done when the boot is another one
		if err := f.save(o); err != nil {
			return err
		}
		return f.restart(m)
	}
	time.Sleep(time.Duration(m.WorkMillis) * time.Millisecond)
	return f.finish(o, m, kind)
}

// finish is the end of run.ps1.
func (f folder) finish(o operation, m machine, kind string) error {
	whole := false
	err := f.change(func(m *machine) error {
		o.State = "done"
		f.effect(&o, m, kind)
		if m.vos() {
			f.leave(&o, m, kind)
		}
		if err := f.save(o); err != nil {
			return err
		}
		_, restart, err := f.standing(m)
		whole = !restart && !m.RestartNeeded && !m.Maintenance
		return err
	})
	switch {
	case err != nil:
		return err
	case o.State == "done" && o.Code == 1641:
		return f.restart(m)
	case whole:
		f.event("up")
	}
	return nil
}

// leave is what the agent of a VOS machine does after an operation: a failed upgrade, switch or rollback
// wants a restart, and a file stays until it is installed.
func (f folder) leave(o *operation, m *machine, kind string) {
	o.Restart = false
	if o.State == "failed" && o.Boot == m.Boot && slices.Contains([]string{"install", "switch", "rollback"}, kind) {
		m.RestartNeeded = true
	}
	if digest := o.text("sha256"); digest != "" && o.State == "done" {
		_ = os.Remove(f.path("files", digest))
		_ = os.Remove(f.path("files", digest+".json"))
	}
}

// forever waits for somebody who ends this process.
func forever() {
	for {
		time.Sleep(time.Hour)
	}
}

func disturbs(kind string, vos bool) bool {
	return kind != "services" && kind != "leave" && (kind != "install" || !vos)
}

func (f folder) effect(o *operation, m *machine, kind string) {
	said := 0
	if text, ok := f.fault("exit"); ok {
		said, _ = strconv.Atoi(text)
	}
	if good := said == 0 || said == 3010 || said == 1641; good {
		f.succeed(o, m, kind)
	}
	if said != 0 {
		o.Code = said
	}
	switch o.Code {
	case 0:
	case 3010, 1641:
		o.Restart = true
	default:
		o.State, o.Detail, o.Refusal = "failed", "the installer failed", "internal"
	}
}

func (f folder) succeed(o *operation, m *machine, kind string) {
	file, _ := o.Work["file"].(map[string]any)
	name, _ := file["name"].(string)
	switch kind {
	case "patch", "install":
		if m.vos() {
			m.Inactive = []string{o.text("version")}
			return
		}
		i, ok := readInstaller(f.path("files", filepath.Base(name)))
		if !ok {
			o.Code = 1619
			return
		}
		o.Code = i.Exit
		if i.Exit == 0 || i.Exit == 3010 || i.Exit == 1641 {
			m.Software = append(m.Software, software{Name: "Cisco Unified " + m.Product + " " + i.Installs})
		}
	case "unpatch", "back":
		left := slices.DeleteFunc(slices.Clone(m.Software), func(s software) bool { return s.Name == o.text("name") })
		if len(left) == len(m.Software) {
			o.Code = 1605
			return
		}
		m.Software, o.Code = left, 3010
	case "updates":
		m.Updates, m.Available, o.Restart = append(m.Updates, m.Available...), nil, len(m.Available) > 0
		m.RestartNeeded = m.RestartNeeded || o.Restart
	case "remove-update":
		m.Updates, m.RestartNeeded, o.Code = without(m.Updates, o.text("kb")), true, 3010
	case "services":
		m.Stopped = nil
	case "enter":
		reason, _ := o.Work["reason"].(float64)
		m.Maintenance, m.Reason, m.Stopped = true, int(reason), services()
	case "leave":
		m.Maintenance, m.Stopped = false, nil
	case "patch-install":
		m.Active = append(m.Active, o.text("version"))
	case "patch-rollback":
		m.Active = m.Active[:len(m.Active)-1]
	case "switch", "rollback":
		m.Active, m.Inactive = m.Inactive, m.Active
	}
}

// restart takes the machine away for a while: nobody gets in, and whoever is in is thrown out.
func (f folder) restart(m machine) error {
	f.event("down restart")
	if err := os.WriteFile(f.path("down"), nil, 0o666); err != nil {
		return err
	}
	time.Sleep(20 * time.Millisecond) // the answer is on its way
	f.cut()
	if _, ok := f.fault("no-return"); ok {
		forever()
	}
	time.Sleep(time.Duration(m.DownMillis) * time.Millisecond)
	err := f.change(func(m *machine) error {
		n, _ := strconv.Atoi(m.Boot)
		m.Boot, m.RestartNeeded, m.Stopped = strconv.Itoa(n+1), false, nil
		return nil
	})
	if err != nil {
		return err
	}
	f.event("up")
	return os.Remove(f.path("down"))
}
