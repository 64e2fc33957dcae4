package vos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/vosapi"
)

const (
	keptOperations = 50
	cancelSuffix   = ".cancel"
	workLock       = "operations.lock"
)

// phase is where a worker goes on after its death; each may be done twice without harm.
type phase string

const (
	phaseBegin   phase = ""
	phaseStop    phase = "stop"    // the services of Before
	phaseStart   phase = "start"   // those of After
	phaseBack    phase = "back"    // to Before: After does not serve
	phaseRestart phase = "restart" // of the machine
	phaseUp      phase = "up"      // again, on another boot
)

// record is an operation as it is kept. Only its worker changes it.
type record struct {
	vosapi.Operation
	Boot   string `json:"boot"`
	Phase  phase  `json:"phase"`
	Before sides  `json:"before"`
	After  sides  `json:"after"`
}

func (m *Machine) recordPath(id vosapi.OperationID) string {
	return m.path(operationsDir, string(id)+noteSuffix)
}

func (m *Machine) record(id vosapi.OperationID) (record, error) {
	var r record
	err := atomicfile.ReadJSON(m.recordPath(id), maxConfig, &r)
	if errors.Is(err, os.ErrNotExist) {
		return r, &vosapi.Refusal{Code: vosapi.Unknown}
	}
	return r, err
}

func (m *Machine) save(r record) error { return atomicfile.WriteJSON(m.recordPath(r.ID), r) }

// records lists every operation that is kept, the oldest first.
func (m *Machine) records() ([]record, error) {
	entries, err := os.ReadDir(m.path(operationsDir))
	if err != nil {
		return nil, fmt.Errorf("cannot list the operations: %w", err)
	}
	var all []record
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), noteSuffix)
		if !ok || !vosapi.OperationID(name).Valid() {
			continue
		}
		r, err := m.record(vosapi.OperationID(name))
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b record) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// running is the operation under way. Whoever asks about it starts a worker that has died again: what was
// begun comes to its end, also where the one who began it never asks any more.
func (m *Machine) running() (vosapi.OperationID, error) {
	all, err := m.records()
	if err != nil {
		return "", err
	}
	for _, r := range all {
		if r.State.Final() {
			continue
		}
		o, err := m.look(r)
		if err != nil {
			m.log.Error("an operation's worker cannot be started", "operation", r.ID, "error", err)
		} else if o.State.Final() {
			continue
		}
		return r.ID, nil
	}
	return "", nil
}

// start begins an operation, or says how the one of that id stands. It refuses while another runs.
func (m *Machine) start(id vosapi.OperationID, w vosapi.Work) (vosapi.Operation, error) {
	unlock, err := lock(m.path("start.lock"), unix.LOCK_EX)
	if err != nil {
		return vosapi.Operation{}, err
	}
	defer unlock()
	known, err := m.record(id)
	switch {
	case err == nil && !same(known.Work, w):
		return vosapi.Operation{}, &vosapi.Refusal{Code: vosapi.Differs}
	case err == nil:
		return m.look(known)
	case !errors.Is(err, &vosapi.Refusal{Code: vosapi.Unknown}):
		return vosapi.Operation{}, err
	}
	running, err := m.running()
	if err != nil {
		return vosapi.Operation{}, err
	}
	if running != "" {
		return vosapi.Operation{}, &vosapi.Refusal{Code: vosapi.Busy, Detail: string(running)}
	}
	r, err := m.begin(id, w)
	if err != nil {
		return vosapi.Operation{}, err
	}
	if err := m.forget(); err != nil {
		return vosapi.Operation{}, err
	}
	if err := m.save(r); err != nil {
		return vosapi.Operation{}, err
	}
	if r.State.Final() {
		return r.Operation, nil
	}
	return r.Operation, m.spawn(id)
}

// same compares what is to be done. The boot may be another one: who asks again asks in a later one.
func same(a, b vosapi.Work) bool {
	a.Boot, b.Boot = "", ""
	return a == b
}

// begin judges what can be judged at once.
func (m *Machine) begin(id vosapi.OperationID, w vosapi.Work) (record, error) {
	s, err := m.state()
	if err != nil {
		return record{}, err
	}
	boot, err := m.bootID()
	if err != nil {
		return record{}, err
	}
	active, err := m.shown(s.Active)
	if err != nil {
		return record{}, err
	}
	r := record{Operation: vosapi.Operation{ID: id, Work: w, State: vosapi.Running, Step: "begin",
		Started: m.now().UTC(), From: active.Level(), To: active.Level()}, Boot: boot, Before: s.sides}
	if w.Active != active.Level() && !w.Active.IsZero() {
		return r, &vosapi.Refusal{Code: vosapi.WrongState, Detail: active.Level().String()}
	}
	needsRestart := w.Kind == vosapi.Install || w.Kind == vosapi.Switch || w.Kind == vosapi.Rollback
	if needsRestart && s.FailedBoot == boot {
		return r, &vosapi.Refusal{Code: vosapi.RestartNeeded}
	}
	switch w.Kind {
	case vosapi.Switch, vosapi.Rollback:
		return m.beginSwitch(r)
	case vosapi.PatchRollback:
		return m.beginPatchRollback(r, active)
	case vosapi.Install, vosapi.PatchInstall:
		if _, err := os.Stat(m.file(w.SHA256, "")); err != nil {
			return r, &vosapi.Refusal{Code: vosapi.NoFile}
		}
	case vosapi.Restart:
		if w.Boot != "" && w.Boot != boot { // it has happened
			r.State, r.Percent, r.Ended = vosapi.Done, 100, &r.Started
		}
	}
	return r, nil
}

func (m *Machine) beginSwitch(r record) (record, error) {
	if len(r.Before.Inactive) == 0 {
		return r, &vosapi.Refusal{Code: vosapi.NoInactive}
	}
	inactive, err := m.shown(r.Before.Inactive)
	if err != nil {
		return r, err
	}
	to, pair := inactive.Level(), fmt.Sprintf("%s, %s", r.From, inactive.Level())
	switch {
	case r.Work.Kind == vosapi.Switch && !r.From.Less(to):
		return r, &vosapi.Refusal{Code: vosapi.NotHigher, Detail: pair}
	case r.Work.Kind == vosapi.Rollback && !to.Less(r.From):
		return r, &vosapi.Refusal{Code: vosapi.NotLower, Detail: pair}
	case !r.Work.Version.IsZero() && r.Work.Version != to && r.Work.Version != inactive.Version:
		return r, &vosapi.Refusal{Code: vosapi.WrongState, Detail: pair}
	}
	r.After = sides{Active: r.Before.Inactive, Inactive: r.Before.Active}
	return r, nil
}

func (m *Machine) beginPatchRollback(r record, active vosapi.Side) (record, error) {
	n := len(r.Before.Active)
	switch {
	case len(active.Patches) == 0:
		return r, &vosapi.Refusal{Code: vosapi.NoPatch}
	case !r.Work.Version.IsZero() && r.Work.Version != active.Level():
		return r, &vosapi.Refusal{Code: vosapi.WrongState, Detail: active.Level().String()}
	}
	r.After = sides{Active: r.Before.Active[:n-1], Inactive: r.Before.Inactive}
	return r, nil
}

// forget keeps the latest operations only.
func (m *Machine) forget() error {
	all, err := m.records()
	if err != nil {
		return err
	}
	for len(all) >= keptOperations {
		_ = os.Remove(m.path(operationsDir, string(all[0].ID)+cancelSuffix))
		if err := atomicfile.Remove(m.recordPath(all[0].ID)); err != nil {
			return err
		}
		all = all[1:]
	}
	return nil
}

// status says how an operation stands. A worker that has died is started again: it goes on where it was.
func (m *Machine) status(id vosapi.OperationID) (vosapi.Operation, error) {
	r, err := m.record(id)
	if err != nil {
		return vosapi.Operation{}, err
	}
	return m.look(r)
}

func (m *Machine) look(r record) (vosapi.Operation, error) {
	if r.State.Final() {
		return r.Operation, nil
	}
	unlock, err := lock(m.path(workLock), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, errLocked) {
		return r.Operation, nil
	}
	if err != nil {
		return r.Operation, err
	}
	unlock()
	if r, err = m.record(r.ID); err != nil || r.State.Final() {
		return r.Operation, err
	}
	return r.Operation, m.spawn(r.ID)
}

// cancel ends an operation that has not disturbed anything yet.
func (m *Machine) cancel(id vosapi.OperationID) (vosapi.Operation, error) {
	r, err := m.record(id)
	if err != nil {
		return vosapi.Operation{}, err
	}
	if r.State == vosapi.Cancelled {
		return r.Operation, nil
	}
	if r.State.Final() || r.Disturbing {
		return r.Operation, &vosapi.Refusal{Code: vosapi.TooLate}
	}
	path := m.path(operationsDir, string(id)+cancelSuffix)
	if err := atomicfile.Write(path, nil, 0o600); err != nil {
		return r.Operation, err
	}
	return m.look(r)
}

func (m *Machine) cancelled(id vosapi.OperationID) bool {
	_, err := os.Stat(m.path(operationsDir, string(id)+cancelSuffix))
	return err == nil
}

// spawn starts the worker of an operation apart from this process: it outlives the connection.
func (m *Machine) spawn(id vosapi.OperationID) error {
	out, err := os.OpenFile(m.path("logs", "vos-work.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open the worker's log: %w", err)
	}
	defer out.Close()
	cmd := exec.Command(m.Program, "vos", "work", "--dir", m.dir, string(id)) //nolint:noctx // it outlives this process on purpose
	cmd.Dir = filepath.Dir(m.dir)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the operation: %w", err)
	}
	return cmd.Process.Release()
}

// Operations lists what was done on this machine, the latest first.
func (m *Machine) Operations(context.Context) ([]vosapi.Operation, error) {
	all, err := m.records()
	if err != nil {
		return nil, err
	}
	shown := make([]vosapi.Operation, 0, len(all))
	for _, r := range slices.Backward(all) {
		shown = append(shown, r.Operation)
	}
	return shown, nil
}
