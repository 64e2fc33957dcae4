package main

import (
	"bytes"
	"errors"
	"os"
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
		a.Facts, err = f.vosFacts(m)
		return err
	case vosapi.PutFile:
		return f.put(m, *q.File, a)
	case vosapi.PutDone:
		return f.putDone(*q.File, a)
	case vosapi.Start:
		return f.vosStart(m, q, a)
	case vosapi.Status:
		return f.vosStatus(m, string(q.Operation), a)
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

func (f folder) vosFacts(m machine) (*vosapi.Facts, error) {
	active, err := side(m.Active)
	if err != nil {
		return nil, err
	}
	facts := &vosapi.Facts{Pong: vosapi.Pong{Name: m.Name, Product: inventory.Product(m.Product), BootID: m.Boot},
		Active: active, Packages: m.Packages, Maintenance: m.Maintenance, RestartNeeded: m.RestartNeeded,
		Healthy: len(m.Stopped) == 0, DiskFree: f.free(m), Running: vosapi.OperationID(f.running(m.Boot))}
	if len(m.Inactive) > 0 {
		inactive, err := side(m.Inactive)
		if err != nil {
			return nil, err
		}
		facts.Inactive = &inactive
	}
	return facts, nil
}

func (f folder) put(m machine, file vosapi.File, a *vosapi.Answer) error {
	path := f.path("files", string(file.SHA256))
	if _, err := os.Stat(path + ".whole"); err == nil {
		a.Put = &vosapi.Put{}
		return nil
	}
	if f.free(m) < file.Size {
		return &vosapi.Refusal{Code: vosapi.NoSpace}
	}
	a.Put = &vosapi.Put{Path: path}
	return nil
}

func (f folder) putDone(file vosapi.File, a *vosapi.Answer) error {
	path := f.path("files", string(file.SHA256))
	there, err := f.digest([]byte(`{"name":"` + string(file.SHA256) + `"}`))
	if err != nil {
		return err
	}
	if sums, _ := there.(map[string]string); sums["sha256"] != string(file.SHA256) {
		_ = os.Remove(path)
		return &vosapi.Refusal{Code: vosapi.WrongDigest}
	}
	a.Put = &vosapi.Put{}
	return os.Rename(path, path+".whole")
}

func (f folder) vosStart(m machine, q vosapi.Request, a *vosapi.Answer) error {
	if _, err := f.operation(string(q.Operation)); err != nil { // it was never started
		active, err := side(m.Active)
		switch {
		case err != nil:
			return err
		case m.RestartNeeded && q.Work.Kind != vosapi.Restart:
			return &vosapi.Refusal{Code: vosapi.RestartNeeded}
		case !q.Work.Active.IsZero() && q.Work.Active != active.Level():
			return &vosapi.Refusal{Code: vosapi.WrongState, Detail: active.Level().String()}
		}
	}
	work := map[string]any{"id": string(q.Operation), "kind": string(q.Work.Kind),
		"version": q.Work.Version.String()}
	o, err := f.begin(string(q.Operation), work)
	if err != nil {
		return err
	}
	if o.State == "busy" {
		return &vosapi.Refusal{Code: vosapi.Busy, Detail: o.Detail}
	}
	return f.vosStatus(m, o.ID, a)
}

func (f folder) vosStatus(m machine, id string, a *vosapi.Answer) error {
	o, err := f.operation(id)
	if err != nil {
		return &vosapi.Refusal{Code: vosapi.Unknown}
	}
	a.Operation = &vosapi.Operation{ID: vosapi.OperationID(id), State: vosapi.State(o.State), Started: o.Started,
		Work: vosapi.Work{Kind: vosapi.Kind(o.text("kind"))}, Detail: o.Detail, Code: vosapi.Code(o.Refusal)}
	if o.State == "running" && o.Boot != m.Boot {
		a.Operation.State, a.Operation.Code = vosapi.Failed, vosapi.Internal
	}
	if o.State != "running" {
		now := time.Now()
		a.Operation.Ended = &now
	}
	return nil
}
