package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"time"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/vosapi"
)

// vos answers one request as a VOS machine does.
func (f folder) vos(text []byte) (any, error) {
	a := vosapi.Answer{Protocol: vosapi.Protocol}
	q, err := vosapi.ReadRequest(bytes.NewReader(text))
	if err == nil {
		err = f.answer(q, &a)
	}
	var r *vosapi.Refusal
	if errors.As(err, &r) {
		return vosapi.Answer{Protocol: vosapi.Protocol, Code: r.Code, Detail: r.Detail}, nil
	}
	return a, err
}

func (f folder) answer(q vosapi.Request, a *vosapi.Answer) error {
	m, err := f.read()
	if err != nil {
		return err
	}
	switch q.Verb {
	case vosapi.GetFacts:
		return f.view(func(m *machine) error {
			running, _, err := f.standing(m)
			if err == nil {
				a.Facts, err = f.vosFacts(*m, running)
			}
			return err
		})
	case vosapi.PutFile:
		return f.put(m, *q.File, a)
	case vosapi.PutDone:
		return f.putDone(*q.File, a)
	case vosapi.Start:
		return f.vosStart(m, q, a)
	case vosapi.Status:
		return f.vosStatus(string(q.Operation), a)
	case vosapi.Maintenance:
		if *q.Enter != m.Maintenance {
			f.event(map[bool]string{true: "down enter", false: "up"}[*q.Enter])
		}
		return f.change(func(m *machine) error { m.Maintenance = *q.Enter; return nil })
	case vosapi.Ping, vosapi.Cancel, vosapi.PutKeys:
	}
	return &vosapi.Refusal{Code: vosapi.UnknownVerb, Detail: string(q.Verb)}
}

func side(all []string) (vosapi.Side, error) {
	var s vosapi.Side
	for i, text := range all {
		v, err := compat.Parse(text)
		if err != nil {
			return s, err
		}
		if i == 0 {
			s.Version = v
		} else {
			s.Patches = append(s.Patches, v)
		}
	}
	return s, nil
}

func (f folder) vosFacts(m machine, running string) (*vosapi.Facts, error) {
	active, err := side(m.Active)
	if err != nil {
		return nil, err
	}
	facts := &vosapi.Facts{Pong: vosapi.Pong{Name: m.Name, Product: inventory.Product(m.Product), BootID: m.Boot},
		Active: active, Packages: m.Packages, Maintenance: m.Maintenance, RestartNeeded: m.RestartNeeded,
		Healthy: len(m.Stopped) == 0, DiskFree: f.free(m), Running: vosapi.OperationID(running)}
	if len(m.Inactive) > 0 {
		inactive, err := side(m.Inactive)
		if err != nil {
			return nil, err
		}
		facts.Inactive = &inactive
	}
	return facts, nil
}

// put announces a file, as the agent does: where to go on is told, whatever is there.
func (f folder) put(m machine, file vosapi.File, a *vosapi.Answer) error {
	path, there := f.path("files", string(file.SHA256)), int64(0)
	for _, name := range []string{path, path + ".part"} {
		if info, err := os.Stat(name); err == nil {
			there = info.Size()
			break
		}
	}
	if f.free(m) < file.Size-there {
		return &vosapi.Refusal{Code: vosapi.NoSpace}
	}
	a.Put = &vosapi.Put{Path: path, Offset: there}
	return f.write(filepath.Join("files", string(file.SHA256)+".json"), file)
}

func (f folder) putDone(file vosapi.File, a *vosapi.Answer) error {
	path := f.path("files", string(file.SHA256))
	if _, err := os.Stat(path + ".json"); err != nil {
		return &vosapi.Refusal{Code: vosapi.NoFile}
	}
	there, err := f.digest([]byte(`{"name":"` + string(file.SHA256) + `"}`))
	if err != nil {
		return err
	}
	if sums, _ := there.(map[string]string); sums["sha256"] != string(file.SHA256) {
		_ = os.Remove(path)
		return &vosapi.Refusal{Code: vosapi.WrongDigest}
	}
	a.Put = &vosapi.Put{Offset: file.Size}
	return nil
}

func (f folder) vosStart(m machine, q vosapi.Request, a *vosapi.Answer) error {
	id := string(q.Operation)
	known, err := f.operation(id)
	switch {
	case err == nil && known.text("kind") != string(q.Work.Kind):
		return &vosapi.Refusal{Code: vosapi.Differs}
	case err == nil:
		return f.vosStatus(id, a)
	}
	if err := f.judge(m, *q.Work); err != nil {
		return err
	}
	work := map[string]any{"id": id, "kind": string(q.Work.Kind), "version": q.Work.Version.String(),
		"sha256": string(q.Work.SHA256), "boot": q.Work.Boot}
	o, err := f.begin(id, work)
	if err != nil {
		return err
	}
	if o.State == "busy" {
		return &vosapi.Refusal{Code: vosapi.Busy, Detail: o.Detail}
	}
	return f.vosStatus(o.ID, a)
}

// judge is what the agent judges before anything is done.
func (f folder) judge(m machine, w vosapi.Work) error {
	active, err := side(m.Active)
	if err != nil {
		return err
	}
	inactive, err := side(m.Inactive)
	if err != nil {
		return err
	}
	refuse := func(c vosapi.Code) error { return &vosapi.Refusal{Code: c, Detail: active.Level().String()} }
	swaps := w.Kind == vosapi.Switch || w.Kind == vosapi.Rollback
	switch {
	case !w.Active.IsZero() && w.Active != active.Level():
		return refuse(vosapi.WrongState)
	case m.RestartNeeded && (swaps || w.Kind == vosapi.Install):
		return refuse(vosapi.RestartNeeded)
	case swaps && len(m.Inactive) == 0:
		return refuse(vosapi.NoInactive)
	case w.Kind == vosapi.Switch && !active.Level().Less(inactive.Level()):
		return refuse(vosapi.NotHigher)
	case w.Kind == vosapi.Rollback && !inactive.Level().Less(active.Level()):
		return refuse(vosapi.NotLower)
	case w.Kind == vosapi.PatchRollback && len(active.Patches) == 0:
		return refuse(vosapi.NoPatch)
	}
	if w.Kind == vosapi.Install || w.Kind == vosapi.PatchInstall {
		if _, err := os.Stat(f.path("files", string(w.SHA256))); err != nil {
			return refuse(vosapi.NoFile)
		}
	}
	return nil
}

func (f folder) vosStatus(id string, a *vosapi.Answer) error {
	var o operation
	err := f.view(func(m *machine) (err error) {
		o, err = f.look(m, id)
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return &vosapi.Refusal{Code: vosapi.Unknown}
	}
	if err != nil {
		return err
	}
	a.Operation = &vosapi.Operation{ID: vosapi.OperationID(id), State: vosapi.State(o.State), Started: o.Started,
		Work: vosapi.Work{Kind: vosapi.Kind(o.text("kind"))}, Detail: o.Detail, Code: vosapi.Code(o.Refusal)}
	if o.State != "running" {
		now := time.Now()
		a.Operation.Ended = &now
	}
	return nil
}
