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
	o, err := f.operation(id)
	if err != nil {
		return err
	}
	m, err := f.read()
	if err != nil {
		return err
	}
	kind := o.text("kind")
	if disturbs(kind, len(m.Active) > 0) {
		f.event("down " + kind)
	}
	if _, ok := f.fault("hang"); ok {
		select {}
	}
	if _, ok := f.fault("crash"); ok {
		time.Sleep(time.Duration(m.WorkMillis/2) * time.Millisecond)
		return f.restart(m)
	}
	if kind != "restart" {
		time.Sleep(time.Duration(m.WorkMillis) * time.Millisecond)
	}
	o.Times++
	whole := false
	err = f.change(func(m *machine) error {
		o.State = "done"
		f.effect(&o, m, kind)
		if o.State == "failed" && len(m.Active) > 0 && slices.Contains([]string{"install", "switch", "rollback"}, kind) {
			m.RestartNeeded = true
		}
		m.RestartNeeded = m.RestartNeeded || o.Restart
		whole = !m.RestartNeeded && !m.Maintenance
		return f.save(o)
	})
	if err != nil {
		return err
	}
	if o.State == "done" && (kind == "restart" && o.text("boot") != "skip" || o.Code == 1641) {
		return f.restart(m)
	}
	if whole && kind != "restart" {
		f.event("up")
	}
	return nil
}

func disturbs(kind string, vos bool) bool {
	return kind != "services" && kind != "leave" && (kind != "install" || !vos)
}

func (f folder) effect(o *operation, m *machine, kind string) {
	said := 0
	if text, ok := f.fault("exit"); ok && kind != "restart" {
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
		if len(m.Active) > 0 { // VOS
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
	case "remove-update":
		m.Updates, o.Code = without(m.Updates, o.text("kb")), 3010
	case "services":
		m.Stopped = nil
	case "enter":
		reason, _ := o.Work["reason"].(float64)
		m.Maintenance, m.Reason = true, int(reason)
	case "leave":
		m.Maintenance = false
	case "patch-install":
		m.Active = append(m.Active, o.text("version"))
	case "patch-rollback":
		m.Active = m.Active[:len(m.Active)-1]
	case "switch", "rollback":
		m.Active, m.Inactive = m.Inactive, m.Active
	case "restart":
		if boot := o.text("boot"); boot != "" && boot != m.Boot {
			o.Work["boot"] = "skip"
		}
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
		select {}
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
