// Package vosdriver talks to onboarded VOS machines: requests of vosapi over SSH, files over SFTP. It
// knows no procedure.
package vosdriver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/target"
	"connecthub/nodeclient/control/vosapi"
)

const maxText = 512

// Machine is one VOS machine.
type Machine struct{ link *remote.Link }

var _ target.Machine = (*Machine)(nil)

// New connects to nothing yet.
func New(link *remote.Link) *Machine { return &Machine{link} }

// Close ends the connection.
func (m *Machine) Close() { m.link.Close() }

func (m *Machine) ask(ctx context.Context, q vosapi.Request) (vosapi.Answer, error) {
	q.Protocol = vosapi.Protocol
	var text bytes.Buffer
	if err := vosapi.Write(&text, q); err != nil {
		return vosapi.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, q.Verb.Deadline())
	defer cancel()
	var r remote.Result
	err := m.link.Use(ctx, func(c *remote.Client) (err error) {
		r, err = c.Run(ctx, vosapi.Command, &text)
		return err
	})
	if err != nil {
		return vosapi.Answer{}, target.Away(err)
	}
	a, err := vosapi.ReadAnswer(bytes.NewReader(r.Stdout))
	if err != nil {
		return a, target.Unclear("answer", fmt.Sprintf("exit %d: %s", r.Exit, r.Stderr))
	}
	return a, failure(a.Err())
}

// failure is the machine's refusal as the contract has it.
func failure(err error) error {
	var r *vosapi.Refusal
	if !errors.As(err, &r) {
		return err
	}
	return &target.Failure{Reason: target.Refused(r)}
}

// Facts asks the machine.
func (m *Machine) Facts(ctx context.Context) (target.Facts, error) {
	a, err := m.ask(ctx, vosapi.Request{Verb: vosapi.GetFacts})
	if err != nil {
		return target.Facts{}, err
	}
	if a.Facts == nil {
		return target.Facts{}, target.Unclear("answer", "facts")
	}
	f := target.Facts{Boot: a.Facts.BootID, Active: side(a.Facts.Active), Packages: a.Facts.Packages,
		Maintenance: a.Facts.Maintenance, Serving: a.Facts.Healthy && !a.Facts.Maintenance,
		Trouble: a.Facts.HealthDetail, RestartNeeded: a.Facts.RestartNeeded, DiskFree: a.Facts.DiskFree,
		Running: string(a.Facts.Running)}
	if a.Facts.Inactive != nil {
		inactive := side(*a.Facts.Inactive)
		f.Inactive = &inactive
	}
	return f, nil
}

func side(s vosapi.Side) target.Side { return target.Side{Version: s.Version, Patches: s.Patches} }

// Put announces the file, sends what is missing, and lets the machine verify all of it.
func (m *Machine) Put(ctx context.Context, f target.File, progress func(int64)) error {
	file := &vosapi.File{SHA256: vosapi.Digest(f.SHA256), Size: f.Size}
	for tries := 0; ; tries++ {
		a, err := m.ask(ctx, vosapi.Request{Verb: vosapi.PutFile, File: file})
		if err != nil {
			return err
		}
		if a.Put == nil || a.Put.Path == "" {
			return nil
		}
		err = m.link.Use(ctx, func(c *remote.Client) error {
			return target.Away(c.Copy(ctx, remote.Upload{Local: f.Local, Remote: a.Put.Path, SHA256: f.SHA256,
				Size: f.Size, Progress: progress,
				// the machine reads it itself, at the end
				Verify: func(context.Context, string) (string, error) { return f.SHA256, nil }}))
		})
		if err != nil {
			return err
		}
		_, err = m.ask(ctx, vosapi.Request{Verb: vosapi.PutDone, File: file})
		var failed *target.Failure
		if tries == 0 && errors.As(err, &failed) && failed.Code == string(vosapi.WrongDigest) {
			continue // what an earlier copy had left was something else; the machine has removed it
		}
		return err
	}
}

// Do starts an operation of that id, unless it was started, and asks until it has ended.
func (m *Machine) Do(ctx context.Context, w target.Work) (target.Outcome, error) {
	if w.Kind == target.Enter || w.Kind == target.Leave {
		enter := w.Kind == target.Enter
		_, err := m.ask(ctx, vosapi.Request{Verb: vosapi.Maintenance, Enter: &enter})
		return target.Outcome{}, err
	}
	kind, ok := kinds(w.Kind)
	if !ok {
		return target.Outcome{}, target.Fail("unknown")
	}
	work := &vosapi.Work{Kind: kind, Version: w.Version, Active: w.Active}
	if w.File != nil {
		work.SHA256 = vosapi.Digest(w.File.SHA256)
	}
	if w.Kind == target.Restart {
		work.Boot = w.Boot
	}
	id := vosapi.OperationID(w.ID)
	a, err := m.ask(ctx, vosapi.Request{Verb: vosapi.Start, Operation: id, Work: work})
	waited := time.Duration(0)
	for {
		if err != nil {
			return target.Outcome{}, err
		}
		if a.Operation == nil {
			return target.Outcome{}, target.Unclear("answer", "operation")
		}
		if a.Operation.State.Final() {
			return end(*a.Operation)
		}
		pause := target.Pause(waited)
		if err := sleep(ctx, pause); err != nil {
			return target.Outcome{}, target.Away(err)
		}
		waited += pause
		a, err = m.ask(ctx, vosapi.Request{Verb: vosapi.Status, Operation: id})
	}
}

func end(o vosapi.Operation) (target.Outcome, error) {
	if o.State == vosapi.Done {
		return target.Outcome{Detail: target.Plain(o.Detail, maxText)}, nil
	}
	err := failure(o.Err())
	if err == nil {
		err = target.Fail(string(o.State), o.Detail)
	}
	return target.Outcome{}, err
}

func kinds(k target.Kind) (vosapi.Kind, bool) {
	switch k {
	case target.Patch:
		return vosapi.PatchInstall, true
	case target.Unpatch:
		return vosapi.PatchRollback, true
	case target.Install:
		return vosapi.Install, true
	case target.Switch:
		return vosapi.Switch, true
	case target.Back:
		return vosapi.Rollback, true
	case target.Restart:
		return vosapi.Restart, true
	case target.Updates, target.RemoveUpdate, target.Enter, target.Leave, target.Services:
	}
	return "", false
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
