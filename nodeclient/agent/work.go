package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/host/supervise"
	"connecthub/nodeclient/journal"
)

// recordRetry is the pause before a record that met a full disk is tried again.
const recordRetry = time.Second

// move is what follows a step: another step, or an outcome.
type move struct {
	to      journal.Step
	outcome models.Outcome
	detail  string
	deny    bool
	// confirmed is remembered with the step, for a hub that was restored from a backup (R34).
	confirmed bool
	// unpermitted: it goes on without the hub's yes. request takes the place of the entry's own.
	unpermitted bool
	request     string
}

func next(step journal.Step) move { return move{to: step} }

func end(outcome models.Outcome, detail string) move {
	return move{to: journal.Ended, outcome: outcome, detail: detail}
}

// work runs whatever entry is open, and keeps the active slot running while none is.
func (a *Agent) work(ctx context.Context) error {
	for ctx.Err() == nil {
		e := a.opts.Journal.State().Entry
		if e != nil && e.Step != journal.Ended {
			if err := a.upgrade(ctx, *e); err != nil {
				return err
			}
			continue
		}
		if e != nil && e.Permit == "" {
			if err := a.closeUnpermitted(*e); err != nil {
				return err
			}
			continue
		}
		if a.isGone() {
			return a.forgetAll(e)
		}
		if e == nil {
			begun, err := a.pickUp(ctx)
			if err != nil {
				return err
			}
			if begun {
				continue
			}
		}
		a.keepRunning(ctx)
		if !wait(ctx, a.opts.Watch, a.wake) {
			break
		}
	}
	return nil
}

func (a *Agent) isGone() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.gone
}

// forgetAll closes the journal for a node that is no longer registered (R6).
func (a *Agent) forgetAll(e *journal.Entry) error {
	if e != nil {
		if err := a.opts.Journal.Forget(e.Permit); err != nil {
			return err
		}
	}
	return a.opts.Journal.Reset()
}

// upgrade takes an entry from the step it stands at to its end. Each step is on disk before it is
// done, and each can be done again.
func (a *Agent) upgrade(ctx context.Context, e journal.Entry) error {
	log := a.opts.Log.With("permit", e.Permit, "version", e.Version)
	for e.Step != journal.Ended {
		log.Info("step", "step", e.Step)
		m := a.step(ctx, e)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the journal knows where to go on
		}
		if err := a.record(ctx, &e, m); err != nil {
			return err
		}
		signal(a.changed)
	}
	a.report(e)
	log.Info("upgrade ended", "outcome", e.Outcome, "detail", e.Detail)
	a.progress.Store(0)
	a.tidy(e)
	debug.FreeOSMemory() // what unpacking took is not needed at rest
	return nil
}

// record puts a move on disk. A full disk is waited for; a broken journal ends the agent, so that
// the next one reads what is really there.
func (a *Agent) record(ctx context.Context, e *journal.Entry, m move) error {
	edit := func(e *journal.Entry) {
		e.Step, e.Boot = m.to, a.opts.BootID
		e.Confirmed = e.Confirmed || m.confirmed
		e.Hand.Unpermitted = e.Hand.Unpermitted || m.unpermitted
		if m.request != "" {
			e.Hand.Request = m.request
		}
		if m.detail != "" {
			e.Detail = m.detail
		}
	}
	change := func() error {
		if m.to == journal.Ended {
			return a.opts.Journal.Finish(string(m.outcome), m.detail, m.deny, a.opts.Now())
		}
		return a.opts.Journal.Update(a.opts.Now(), edit)
	}
	a.opts.At("before record " + string(m.to))
	for {
		err := a.write(change)
		if err == nil {
			break
		}
		if errors.Is(err, journal.ErrBroken) || errors.Is(err, journal.ErrNone) {
			return err
		}
		a.opts.Log.Error("step not written", "step", m.to, "err", err)
		if !wait(ctx, recordRetry, nil) {
			return nil
		}
	}
	edit(e)
	e.Outcome = string(m.outcome)
	a.tell(*e)
	a.opts.At("after record " + string(m.to))
	return nil
}

// step does one step and says what follows. It is the whole state machine.
func (a *Agent) step(ctx context.Context, e journal.Entry) move {
	switch e.Step {
	case journal.Fetching:
		return a.givable(ctx, e, a.fetch)
	case journal.Unpacking:
		return a.givable(ctx, e, a.unpack)
	case journal.Verified:
		return next(journal.Confirming)
	case journal.Confirming:
		return a.confirm(ctx, e)
	case journal.Draining:
		return a.drain(ctx, e)
	case journal.Stopping:
		return a.stop(ctx, e)
	case journal.Stopped:
		return a.stopped(ctx, e)
	case journal.Switching:
		return a.switchTo(ctx, e.To, e.From, journal.Starting)
	case journal.Starting:
		return a.start(ctx, e)
	case journal.Checking:
		return a.check(ctx, e)
	case journal.Soaking:
		return a.soak(ctx, e)
	case journal.BackStopping:
		return a.backStop(ctx, e)
	case journal.BackSwitching:
		return a.switchTo(ctx, e.From, previousOf(e), journal.BackStarting)
	case journal.BackStarting:
		return a.backStart(ctx, e)
	case journal.BackChecking:
		return a.backCheck(ctx, e)
	case journal.Ended:
		return move{to: journal.Ended}
	default:
		panic("unknown step " + string(e.Step))
	}
}

// givable runs a step that disturbs nothing, and gives the permit back when it is withdrawn.
func (a *Agent) givable(ctx context.Context, e journal.Entry,
	do func(context.Context, journal.Entry) move,
) move {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a.mu.Lock()
	a.cancelEntry = cancel
	gone := a.gone
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.cancelEntry = nil
		a.mu.Unlock()
	}()
	if gone {
		return end(models.Abandoned, "deregistered")
	}
	m := do(inner, e)
	if ctx.Err() == nil && inner.Err() != nil {
		return end(models.Abandoned, "withdrawn")
	}
	return m
}

// effect frames what touches the world, for the crash proof.
func (a *Agent) effect(name string, do func() error) error {
	a.opts.At("before effect " + name)
	err := do()
	a.opts.At("after effect " + name)
	return err
}

// keepRunning starts the active slot when nothing runs: after a first installation, or when the
// supervisor was told to stop and nobody told it to start.
func (a *Agent) keepRunning(ctx context.Context) {
	st, err := a.services.Status(ctx)
	a.saw(st, err)
	if errors.Is(err, supervise.ErrAway) {
		if err := a.opts.Revive(ctx); err != nil {
			a.opts.Log.Error("supervisor not revived", "err", err)
		}
		return
	}
	slot, slotErr := a.opts.Slots.Active()
	if err != nil || slotErr != nil || slot == "" {
		return
	}
	switch {
	case st.Goal == supervise.Running && len(st.Services) > 0:
		return
	case st.Goal == supervise.Draining:
		_, err = a.services.Stop(ctx)
	case st.Goal == supervise.Running || st.Ended():
		_, err = a.services.Start(ctx, slot)
	}
	if err != nil {
		a.opts.Log.Error("services not started", "slot", slot, "err", err)
	}
}

// until looks at the services until cond holds or the time is over (zero: no limit).
func (a *Agent) until(ctx context.Context, limit time.Duration,
	cond func(supervise.Status) bool,
) (supervise.Status, bool) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	tick := time.NewTicker(a.opts.Tick)
	defer tick.Stop()
	var st supervise.Status // the last that was seen
	for {
		now, err := a.services.Status(ctx)
		if ctx.Err() != nil {
			return st, false
		}
		a.saw(now, err)
		if err == nil {
			st = now
		}
		if errors.Is(err, supervise.ErrAway) {
			err = a.opts.Revive(ctx)
		} else if err == nil && cond(st) {
			return st, true
		}
		if err != nil {
			a.opts.Log.Error("services not seen", "err", err)
		}
		select {
		case <-ctx.Done():
			return st, false
		case <-tick.C:
		}
	}
}

// makeRoom removes what earlier releases left that did not come to an end: a bundle and a slot each.
// The partial download of this one stays. Best effort: what is missing is said by the download.
func (a *Agent) makeRoom(e journal.Entry) {
	err := a.opts.Slots.Prune(e.From, e.To)
	files, listErr := os.ReadDir(filepath.Join(a.opts.Dir, downloads))
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), e.Digest) {
			err = errors.Join(err, os.Remove(filepath.Join(a.opts.Dir, downloads, f.Name())))
		}
	}
	if err = errors.Join(err, listErr); err != nil {
		a.opts.Log.Warn("old files not removed", "err", err)
	}
}

// tidy removes what is no longer needed. Best effort: the next upgrade tries again.
func (a *Agent) tidy(e journal.Entry) {
	if models.Outcome(e.Outcome) != models.Succeeded {
		return
	}
	err := a.effect("prune", func() error { return a.opts.Slots.Prune() })
	files, listErr := os.ReadDir(filepath.Join(a.opts.Dir, downloads))
	for _, f := range files {
		err = errors.Join(err, os.Remove(filepath.Join(a.opts.Dir, downloads, f.Name())))
	}
	if err = errors.Join(err, listErr); err != nil {
		a.opts.Log.Warn("old files not removed", "err", err)
	}
}
