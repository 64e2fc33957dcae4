package vos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"connecthub/models/compat"
	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/bundle"
)

const (
	restartCommandLimit = 5 * time.Minute
	restartWait         = 30 * time.Minute
	cancelEvery         = 200 * time.Millisecond
	afterDeadline       = 10 * time.Minute // to put back what an operation that took too long has disturbed
)

// worker does one operation, from wherever an earlier one has left it.
type worker struct {
	*Machine
	r record
}

// Work does an operation to its end. Where another process is at it, there is nothing to do.
func (m *Machine) Work(ctx context.Context, id vosapi.OperationID) error {
	unlock, err := lock(m.path(workLock), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, errLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	r, err := m.record(id)
	if err != nil || r.State.Final() {
		return err
	}
	if m.slots, err = host.OpenSlots(m.dir); err != nil {
		return err
	}
	w := &worker{m, r}
	limit := r.Started.Add(r.Work.Kind.Deadline()).Sub(m.now())
	bounded, cancel := context.WithTimeoutCause(ctx, max(limit, 0),
		&vosapi.Refusal{Code: vosapi.TookTooLong, Detail: r.Work.Kind.Deadline().String()})
	defer cancel()
	err = w.do(bounded)
	if ctx.Err() != nil { // this process is ended; the next one goes on
		return ctx.Err()
	}
	return w.end(err)
}

func (w *worker) do(ctx context.Context) error {
	if w.r.Phase == phaseBegin && w.cancelled(w.r.ID) {
		return &vosapi.Refusal{Code: vosapi.WasCancelled}
	}
	switch w.r.Work.Kind {
	case vosapi.Install:
		return w.install(ctx)
	case vosapi.PatchInstall:
		if w.r.Phase == phaseBegin {
			if err := w.patch(ctx); err != nil {
				return err
			}
		}
		return w.swap(ctx)
	case vosapi.Switch, vosapi.Rollback, vosapi.PatchRollback:
		return w.swap(ctx)
	case vosapi.Restart:
		return w.restart(ctx)
	}
	return &vosapi.Refusal{Code: vosapi.Malformed}
}

// end writes how it ended. After a failed upgrade or rollback the machine wants a restart.
func (w *worker) end(err error) error {
	at := w.now().UTC()
	w.r.Ended, w.r.State, w.r.Percent = &at, vosapi.Done, 100
	if err != nil {
		var refusal *vosapi.Refusal
		if !errors.As(err, &refusal) {
			refusal = &vosapi.Refusal{Code: vosapi.Internal, Detail: vosapi.Plain(err.Error())}
		}
		w.r.State, w.r.Code, w.r.Detail = vosapi.Failed, refusal.Code, vosapi.Plain(refusal.Detail)
		if refusal.Code == vosapi.WasCancelled {
			w.r.State = vosapi.Cancelled
		}
		w.r.Percent = 0
	}
	if err := w.change(func(s *state) error { return w.leave(s) }); err != nil {
		return err
	}
	_ = os.Remove(w.path(operationsDir, string(w.r.ID)+cancelSuffix))
	if err := w.save(w.r); err != nil {
		return err
	}
	if w.r.Work.SHA256 != "" && spent(w.r) {
		w.drop(w.r.Work.SHA256)
	}
	return nil
}

// spent says whether a file will never be installed again. After a failure that is not the file's own it
// stays: whoever tries again has nothing to send.
func spent(r record) bool {
	if r.State != vosapi.Failed {
		return r.State == vosapi.Done
	}
	return slices.Contains([]vosapi.Code{vosapi.WrongDigest, vosapi.BadBundle, vosapi.WrongProduct,
		vosapi.WrongVersion, vosapi.NotUpgrade, vosapi.NotPatch, vosapi.Installed}, r.Code)
}

// leave notes what the end of the operation means for the machine.
func (w *worker) leave(s *state) error {
	k := w.r.Work.Kind
	upgrade := k == vosapi.Install && w.r.Step != stepVerify || k == vosapi.Switch || k == vosapi.Rollback
	if w.r.State == vosapi.Failed && upgrade {
		s.FailedBoot = w.r.Boot
	}
	if k == vosapi.Install && w.r.State == vosapi.Done {
		return nil
	}
	active, err := w.shown(s.Active)
	w.r.To = active.Level()
	return err
}

// The steps that an operation shows.
const (
	stepVerify  = "verify"
	stepUnpack  = "unpack"
	stepStop    = "stop services"
	stepStart   = "start services"
	stepBack    = "start the former version"
	stepRestart = "restart"
)

func (w *worker) step(name string, p phase, disturbing bool) error {
	w.r.Step, w.r.Phase, w.r.Percent = name, p, 0
	w.r.Disturbing = w.r.Disturbing || disturbing
	return w.save(w.r)
}

// install unpacks a version to the inactive side. Nothing that runs is touched.
func (w *worker) install(ctx context.Context) error {
	slot, v, err := w.unpack(ctx, func(v compat.Version, s state) error {
		active, err := w.shown(s.Active)
		switch {
		case err != nil:
			return err
		case v.ES > 0 || !active.Version.Less(v):
			return &vosapi.Refusal{Code: vosapi.NotUpgrade, Detail: v.String() + ", " + active.Version.String()}
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.r.To = v
	err = w.change(func(s *state) error { s.Inactive = side{slot}; return nil })
	if err != nil {
		return err
	}
	return w.prune()
}

// patch unpacks an engineering special of the active version; swap puts it on top.
func (w *worker) patch(ctx context.Context) error {
	slot, _, err := w.unpack(ctx, func(v compat.Version, s state) error {
		active, err := w.shown(s.Active)
		if err != nil {
			return err
		}
		base := v
		base.ES = 0
		switch pair := v.String() + ", " + active.Level().String(); {
		case v == active.Level():
			return &vosapi.Refusal{Code: vosapi.Installed, Detail: v.String()}
		case v.ES == 0 || base != active.Version || !active.Level().Less(v):
			return &vosapi.Refusal{Code: vosapi.NotPatch, Detail: pair}
		case len(s.Active) > vosapi.MaxPatches:
			return &vosapi.Refusal{Code: vosapi.NotPatch, Detail: "too many patches"}
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.r.After = sides{Active: append(slices.Clone(w.r.Before.Active), slot), Inactive: w.r.Before.Inactive}
	return nil
}

// unpack verifies a file and puts it into its slot; fits judges its version.
func (w *worker) unpack(ctx context.Context, fits func(compat.Version, state) error) (
	string, compat.Version, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go w.watch(ctx, cancel)
	if err := w.step(stepVerify, phaseBegin, false); err != nil {
		return "", compat.Version{}, err
	}
	digest := w.r.Work.SHA256
	got, err := digestOf(ctx, w.file(digest, ""))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", compat.Version{}, &vosapi.Refusal{Code: vosapi.NoFile}
	case err != nil:
		return "", compat.Version{}, err
	case got != digest:
		w.drop(digest)
		return "", compat.Version{}, &vosapi.Refusal{Code: vosapi.WrongDigest}
	}
	slot, v, err := w.judge(ctx, fits)
	if err != nil {
		return "", v, err
	}
	if err := w.step(stepUnpack, phaseBegin, false); err != nil {
		return "", v, err
	}
	if err := w.fill(ctx, w.file(digest, ""), slot); err != nil {
		return "", v, asBundle(ctx, err)
	}
	return slot, v, nil
}

// fill unpacks a verified bundle into its slot.
func (m *Machine) fill(ctx context.Context, path, slot string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot read the bundle: %w", err)
	}
	defer f.Close()
	values, err := host.LoadValues(m.dir)
	if err != nil {
		return err
	}
	_, err = m.slots.Install(ctx, slot, &until{ctx, f}, values.Check)
	return err
}

// judge says whether the file is what was announced, fits, and finds room.
func (w *worker) judge(ctx context.Context, fits func(compat.Version, state) error) (
	string, compat.Version, error) {
	slot, v, room, err := w.inspect(ctx, w.file(w.r.Work.SHA256, ""), w.r.Work.SHA256)
	if err != nil {
		return "", v, asBundle(ctx, err)
	}
	if want := w.r.Work.Version; !want.IsZero() && want != v {
		return "", v, &vosapi.Refusal{Code: vosapi.WrongVersion, Detail: v.String()}
	}
	s, err := w.state()
	if err == nil {
		err = fits(v, s)
	}
	if err == nil && !room {
		err = &vosapi.Refusal{Code: vosapi.NoSpace, Detail: "unpacked it is larger than what is free"}
	}
	return slot, v, err
}

// inspect reads a bundle once: its slot, its version, and whether the disk has room for what is in it.
// It refuses the bundle of another product.
func (m *Machine) inspect(ctx context.Context, path string, digest vosapi.Digest) (
	slot string, v compat.Version, room bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", v, false, fmt.Errorf("cannot read the bundle: %w", err)
	}
	defer f.Close()
	sum, err := bundle.Inspect(ctx, &until{ctx, f}, bundle.DefaultLimits())
	if err != nil {
		return "", v, false, err
	}
	if sum.Manifest.Name != strings.ToLower(string(m.Product)) {
		return "", v, false, &vosapi.Refusal{Code: vosapi.WrongProduct,
			Detail: vosapi.Plain(sum.Manifest.Name)}
	}
	if v, err = compat.FromRelease(sum.Manifest.Version); err != nil {
		return "", v, false, &vosapi.Refusal{Code: vosapi.BadBundle, Detail: vosapi.Plain(err.Error())}
	}
	free, err := m.room()
	if err != nil {
		return "", v, false, err
	}
	slot, err = host.SlotName(sum.Manifest.Version, string(digest))
	return slot, v, free >= sum.Bytes, err
}

// asBundle tells what is wrong with a file from what is wrong with the machine.
func asBundle(ctx context.Context, err error) error {
	var refusal *vosapi.Refusal
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return cause
	case errors.As(err, &refusal):
		return refusal
	case errors.Is(err, unix.ENOSPC):
		return &vosapi.Refusal{Code: vosapi.NoSpace, Detail: "the disk became full"}
	case errors.Is(err, bundle.ErrInvalid):
		return &vosapi.Refusal{Code: vosapi.BadBundle, Detail: vosapi.Plain(err.Error())}
	}
	return err
}

// watch ends what can still be cancelled.
func (w *worker) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(cancelEvery)
	defer tick.Stop()
	for {
		if w.cancelled(w.r.ID) {
			cancel(&vosapi.Refusal{Code: vosapi.WasCancelled})
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// prune removes the slots of no side.
func (m *Machine) prune() error {
	s, err := m.state()
	if err != nil {
		return err
	}
	return m.slots.Prune(slices.Concat(s.Active, s.Inactive)...)
}

// swap makes After the one that runs, or Before again where that does not serve. It is never both, and
// after a death anywhere it goes on to one of them.
func (w *worker) swap(ctx context.Context) error {
	if w.r.Phase == phaseBegin {
		if w.cancelled(w.r.ID) { // what was unpacked meanwhile is pruned with the next installation
			return &vosapi.Refusal{Code: vosapi.WasCancelled}
		}
		if err := w.step(stepStop, phaseStop, true); err != nil {
			return err
		}
	}
	if w.r.Phase == phaseStop {
		if err := w.halt(ctx, w.r.Before.Active); err != nil {
			return w.back(ctx, vosapi.StopFailed, err)
		}
		if err := w.step(stepStart, phaseStart, true); err != nil {
			return err
		}
	}
	if w.r.Phase == phaseStart {
		err := w.to(w.r.After)
		if err == nil {
			err = w.run(ctx, w.r.After.Active)
		}
		if err == nil {
			return w.prune()
		}
		return w.back(ctx, vosapi.Unhealthy, err)
	}
	return w.back(ctx, w.r.Code, errors.New(w.r.Detail))
}

func (w *worker) to(s sides) error {
	return w.change(func(now *state) error { now.sides = s; return nil })
}

// back starts what ran before. It is not bound by the operation's own deadline: what was disturbed is
// put right.
func (w *worker) back(ctx context.Context, code vosapi.Code, why error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, &vosapi.Refusal{Code: vosapi.TookTooLong}) {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterDeadline)
	defer cancel()
	w.r.Code, w.r.Detail = code, vosapi.Plain(why.Error())
	if err := w.step(stepBack, phaseBack, true); err != nil {
		return err
	}
	// what does not stop is ended by its supervisor when the former version starts
	stopped := w.halt(ctx, w.r.After.Active)
	if err := w.to(w.r.Before); err != nil {
		return err
	}
	if err := w.run(ctx, w.r.Before.Active); err != nil {
		return &vosapi.Refusal{Code: vosapi.StartFailed, Detail: vosapi.Plain(errors.Join(why, stopped, err).Error())}
	}
	if err := w.prune(); err != nil {
		return err
	}
	return &vosapi.Refusal{Code: code, Detail: w.r.Detail}
}

// restart runs the machine's own restart and waits for another boot.
func (w *worker) restart(ctx context.Context) error {
	if w.r.Phase == phaseBegin {
		if err := w.step(stepRestart, phaseRestart, true); err != nil {
			return err
		}
	}
	boot, err := w.bootID()
	if err != nil {
		return err
	}
	if w.r.Phase == phaseRestart && boot == w.r.Boot {
		if err := w.shutdown(ctx, w.r.Before.Active); err != nil {
			return w.stay(ctx, err)
		}
		if err := w.command(ctx); err != nil {
			return w.stay(ctx, err)
		}
		if err := w.awaitBoot(ctx); err != nil {
			return w.stay(ctx, err)
		}
	}
	if err := w.step(stepStart, phaseUp, true); err != nil {
		return err
	}
	if err := w.run(ctx, w.r.Before.Active); err != nil {
		return &vosapi.Refusal{Code: vosapi.StartFailed, Detail: vosapi.Plain(err.Error())}
	}
	return nil
}

// stay starts the services of a machine that did not restart.
func (w *worker) stay(ctx context.Context, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterDeadline)
	defer cancel()
	why = errors.Join(why, w.run(ctx, w.r.Before.Active))
	return &vosapi.Refusal{Code: vosapi.RestartFailed, Detail: vosapi.Plain(why.Error())}
}

func (w *worker) command(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, restartCommandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.RestartCommand[0], w.RestartCommand[1:]...)
	cmd.WaitDelay = time.Second
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", w.RestartCommand[0], err)
	}
	return nil
}

func (w *worker) awaitBoot(ctx context.Context) error {
	over := time.NewTimer(restartWait)
	defer over.Stop()
	tick := time.NewTicker(cancelEvery)
	defer tick.Stop()
	for {
		if boot, err := w.bootID(); err == nil && boot != w.r.Boot {
			return nil
		}
		select {
		case <-over.C:
			return fmt.Errorf("the restart command ended, and the machine has not restarted within %s", restartWait)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
