package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/byhand"
	"connecthub/nodeclient/fetch"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/supervise"
	"connecthub/nodeclient/journal"
)

const (
	fetchBackoff    = time.Second
	maxFetchBackoff = 30 * time.Second
	confirmBackoff  = 500 * time.Millisecond
	maxConfirmPause = 5 * time.Second
	// slack is added to a bundle's own deadlines: the supervisor keeps them, the agent only waits.
	slack = 5 * time.Second
	// startWithin is how long a start may be refused before the old version is started instead.
	startWithin = 30 * time.Second
	// keepFree is the disk space that an installation leaves to the services.
	keepFree = 64 << 20
)

// Words that begin the detail of an outcome; docs/errors.md explains them.
const (
	detailNoSpace   = "no_space"
	detailDigest    = "wrong_digest"
	detailBundle    = "invalid_bundle"
	detailRefused   = "confirm_refused"
	detailNotReady  = "not_ready"
	detailSoak      = "failed_in_soak"
	detailUnusable  = "cannot_start"
	detailNoWayBack = "no_previous_version"
	detailOverruled = "permit_ended_by_hub"
	detailOldSick   = "previous_version_not_healthy"
)

// errNoTime: a yes that allows no time for the first stop is none.
var errNoTime = errors.New("the hub confirmed without time to begin")

func because(code string, err error) string { return fmt.Sprintf("%s: %v", code, err) }

// fetch brings the bundle to the disk (R25). What the network breaks is tried again for as long as
// the permit stands; what is wrong with the file or the disk ends the upgrade.
func (a *Agent) fetch(ctx context.Context, e journal.Entry) move {
	if _, err := a.opts.Slots.Manifest(e.To); err == nil {
		return next(journal.Unpacking)
	}
	a.makeRoom(e)
	source := func(ctx context.Context, header http.Header) (*http.Response, error) {
		return a.opts.Hub.Bundle(ctx, e.Digest, header)
	}
	opts := fetch.Options{BytesPerSecond: a.opts.BytesPerSecond, Reserve: 2*e.Size + keepFree,
		Free: a.opts.Free, Progress: func(done, total int64) {
			a.progress.Store(100 * done / max(total, 1))
			a.opts.At("during fetch")
		}}
	want := fetch.Want{Digest: e.Digest, Size: e.Size}
	backoff := fetchBackoff
	for {
		err := a.effect("fetch", func() error {
			return fetch.To(ctx, source, a.download(e), want, opts)
		})
		switch {
		case err == nil:
			return next(journal.Unpacking)
		case errors.Is(err, fetch.ErrNoSpace):
			return end(models.Failed, because(detailNoSpace, err))
		case errors.Is(err, fetch.ErrDigest), errors.Is(err, fetch.ErrSize):
			return end(models.Failed, because(detailDigest, err))
		}
		a.opts.Log.Warn("download interrupted", "err", err)
		pause := backoff
		var status *fetch.StatusError
		if errors.As(err, &status) {
			pause = max(pause, status.RetryAfter)
		}
		if !wait(ctx, jittered(pause), nil) {
			return next(journal.Fetching)
		}
		backoff = min(2*backoff, maxFetchBackoff)
	}
}

func (a *Agent) download(e journal.Entry) string {
	return filepath.Join(a.opts.Dir, downloads, e.Digest+".tar.zst")
}

// unpack installs the verified bundle into its slot beside the running one. It refuses a bundle that
// is not what the permit says, or that this node has no values for.
func (a *Agent) unpack(ctx context.Context, e journal.Entry) move {
	err := a.effect("unpack", func() error {
		if m, err := a.opts.Slots.Manifest(e.To); err == nil {
			return a.accept(e, m) // the node's values may have changed since it was unpacked
		}
		f, err := os.Open(a.download(e))
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = a.opts.Slots.Install(ctx, e.To, f, func(m bundle.Manifest) error {
			return a.accept(e, m)
		})
		if err != nil {
			return err
		}
		return a.opts.Slots.NoteDigest(e.To, e.Digest)
	})
	switch {
	case err == nil:
		return next(journal.Verified)
	case errors.Is(err, os.ErrNotExist):
		return next(journal.Fetching)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return end(models.Failed, because(detailNoSpace, err))
	default:
		if rm := os.Remove(a.download(e)); rm != nil {
			a.opts.Log.Warn("refused bundle not removed", "err", rm)
		}
		return end(models.Failed, because(detailBundle, err))
	}
}

func (a *Agent) accept(e journal.Entry, m bundle.Manifest) error {
	if string(m.Version) != e.Version {
		return fmt.Errorf("%w: it holds version %s, the permit is for %s", bundle.ErrInvalid, m.Version,
			e.Version)
	}
	if e.From != "" {
		old, err := a.opts.Slots.Manifest(e.From)
		if err == nil && old.Name != m.Name {
			return fmt.Errorf("%w: it holds %s, this node runs %s", bundle.ErrInvalid, m.Name, old.Name)
		}
	}
	values, err := host.LoadValues(a.opts.Dir)
	if err != nil {
		return err
	}
	return values.Check(m)
}

// confirm asks the hub for the first stop until there is an answer. Nothing has been stopped, so a
// refusal gives the permit back (R20).
func (a *Agent) confirm(ctx context.Context, e journal.Entry) move {
	backoff, began := confirmBackoff, a.opts.Now()
	if e.ByHand() {
		if m, known := a.unasked(e); known {
			return m
		}
	}
	for {
		if a.isGone() {
			return end(models.Abandoned, "deregistered")
		}
		asked := a.opts.Now()
		var resp wire.ConfirmResponse
		err := a.effect("confirm", func() (err error) {
			resp, err = a.askConfirm(ctx, e)
			return err
		})
		switch {
		case err == nil && resp.Confirmed && resp.StopWithinMS <= 0:
			err = errNoTime
		case err == nil && resp.Confirmed:
			within := min(time.Duration(resp.StopWithinMS)*time.Millisecond, maxAllowance)
			a.allowance = allowance{permit: e.Permit, at: asked, within: within}
			return move{to: journal.Draining, confirmed: true}
		case err == nil:
			return end(models.Abandoned, fmt.Sprintf("%s: %s %s", detailRefused, resp.Reason, resp.Subject))
		case errors.Is(err, ErrDeregistered):
			a.deregistered()
			return end(models.Abandoned, "deregistered")
		}
		a.opts.Log.Warn("confirm not answered", "err", err)
		if e.ByHand() && asked.Sub(began) >= handPatience {
			return unanswered(e)
		}
		if !wait(ctx, jittered(backoff), nil) {
			return next(journal.Confirming)
		}
		backoff = min(2*backoff, maxConfirmPause)
	}
}

func (a *Agent) askConfirm(ctx context.Context, e journal.Entry) (wire.ConfirmResponse, error) {
	a.observe(ctx)
	poll, err := a.request(ctx)
	if err != nil {
		return wire.ConfirmResponse{}, err
	}
	return a.opts.Hub.Confirm(ctx, models.PermitID(e.Permit), wire.ConfirmRequest{
		Fence: models.Fence(e.Fence), BootID: a.opts.BootID, Poll: poll})
}

// drain is the first step that disturbs. Where nothing was disturbed yet and the hub's yes is old,
// or was given to an earlier life of this agent, it asks again.
func (a *Agent) drain(ctx context.Context, e journal.Entry) move {
	if e.ByHand() && e.Boot != a.opts.BootID && a.serves(ctx) {
		return end(models.Abandoned, byhand.Restarted)
	}
	return a.disturb(ctx, e, "drain", a.services.Drain, supervise.Status.Drained,
		a.longest(e.From, func(s bundle.Service) time.Duration {
			if s.Drain == nil {
				return 0
			}
			return s.Drain.Deadline.D()
		}), journal.Stopping)
}

func (a *Agent) stop(ctx context.Context, e journal.Entry) move {
	then := journal.Switching
	if e.Hand.Work == string(models.HandStop) {
		then = journal.Stopped
	}
	return a.disturb(ctx, e, "stop", a.services.Stop, supervise.Status.Ended, 0, then)
}

// disturb tells the supervisor once and waits until it is so. The supervisor keeps the bundle's
// deadlines; limit only keeps a drain from waiting for ever.
func (a *Agent) disturb(ctx context.Context, e journal.Entry, name string,
	tell func(context.Context) (supervise.Status, error), done func(supervise.Status) bool,
	limit time.Duration, then journal.Step,
) move {
	var undisturbed bool
	_, told := a.until(ctx, 0, func(st supervise.Status) bool {
		undisturbed = st.Goal == supervise.Running && len(st.Services) > 0
		if undisturbed && !e.Hand.Unpermitted && !a.allowance.holds(e.Permit, a.opts.Now()) {
			return true
		}
		err := a.effect(name, func() error { _, err := tell(ctx); return err })
		if err != nil {
			a.opts.Log.Error("services not told", "to", name, "err", err)
		}
		undisturbed = undisturbed && err != nil
		return err == nil
	})
	switch {
	case !told:
		return next(e.Step) // ctx ended
	case undisturbed:
		return next(journal.Confirming)
	}
	a.until(ctx, limit, done)
	return next(then)
}

// longest is the longest of the deadlines of a slot's services, with some slack.
func (a *Agent) longest(slot string, of func(bundle.Service) time.Duration) time.Duration {
	d := slack
	m, err := a.opts.Slots.Manifest(slot)
	if err != nil {
		return d
	}
	for _, s := range m.Services {
		d = max(d, of(s)+slack)
	}
	return d
}

// switchTo moves the one link. It is tried until it holds: a version that could start is on either
// side of it (R27).
func (a *Agent) switchTo(ctx context.Context, slot, previous string, then journal.Step) move {
	for {
		err := a.effect("switch", func() error { return a.opts.Slots.Switch(slot, previous) })
		if err == nil {
			return next(then)
		}
		a.opts.Log.Error("slot not switched", "slot", slot, "err", err)
		if errors.Is(err, host.ErrNoSlot) && then == journal.Starting {
			return next(journal.BackSwitching)
		}
		if !wait(ctx, recordRetry, nil) {
			return next(then)
		}
	}
}

// start runs the new version; starting never needs the hub (R20).
func (a *Agent) start(ctx context.Context, e journal.Entry) move {
	var refused error
	_, ok := a.until(ctx, startWithin, func(supervise.Status) bool {
		refused = a.effect("start", func() error { _, err := a.services.Start(ctx, e.To); return err })
		return refused == nil || errors.Is(refused, supervise.ErrUnusable)
	})
	if ok && refused == nil {
		return next(journal.Checking)
	}
	return a.goBack(e, because(detailUnusable, refused))
}

// check is the health gate: every service serves within its own deadline.
func (a *Agent) check(ctx context.Context, e journal.Entry) move {
	limit := a.longest(e.To, func(s bundle.Service) time.Duration { return s.Health.ReadyWithin.D() })
	st, ok := a.until(ctx, limit, func(st supervise.Status) bool {
		a.startAgain(ctx, st, e.To)
		return st.Healthy() && st.Slot == e.To
	})
	if ok {
		return next(journal.Soaking)
	}
	return a.goBack(e, detailNotReady+": "+st.Detail())
}

// startAgain covers a supervisor that forgot what it was told.
func (a *Agent) startAgain(ctx context.Context, st supervise.Status, slot string) {
	if st.Goal == supervise.Running && len(st.Services) > 0 {
		return
	}
	if _, err := a.services.Start(ctx, slot); err != nil {
		a.opts.Log.Error("services not started", "slot", slot, "err", err)
	}
}

// soak watches the new version for as long as its manifest says. One restart or one failure in it
// is enough to go back (R28). After a restart of the agent it begins anew.
func (a *Agent) soak(ctx context.Context, e journal.Entry) move {
	m, err := a.opts.Slots.Manifest(e.To)
	if err != nil {
		return a.goBack(e, because(detailUnusable, err))
	}
	pids := map[string]int{}
	bad := func(st supervise.Status) bool {
		if len(st.Services) == 0 {
			return true // a supervisor that was restarted and cannot run the slot any more
		}
		for _, s := range st.Services {
			if s.PID != 0 && pids[s.Name] == 0 {
				pids[s.Name] = s.PID
			}
			// A supervisor that was restarted meanwhile says "starting" of what it adopted.
			steady := s.State == supervise.ServiceReady || s.State == supervise.ServiceStarting
			if !steady || s.PID != pids[s.Name] {
				return true
			}
		}
		return st.Goal != supervise.Running || st.Slot != e.To
	}
	st, failed := a.until(ctx, max(m.Soak.D(), a.opts.Tick), bad)
	if !failed {
		st, failed = a.until(ctx, 0, func(st supervise.Status) bool { return bad(st) || st.Healthy() })
		failed = failed && !st.Healthy()
	}
	if failed {
		return a.goBack(e, detailSoak+": "+st.Detail())
	}
	done := end(models.Succeeded, "")
	done.deny = e.ByHand() && e.Digest == "" // where it is back from is not tried again (R33)
	return done
}

// goBack begins the rollback under the same permit. Without a version to go back to, or once the hub
// has ended the permit, nothing is stopped any more: the hub is told, and people decide.
func (a *Agent) goBack(e journal.Entry, detail string) move {
	running := e.Step == journal.Checking || e.Step == journal.Soaking
	a.opts.Log.Error("new version fails", "step", e.Step, "detail", detail)
	m := move{to: journal.BackStopping, detail: cut(detail)}
	switch {
	case e.From == "" || e.From == e.To:
		m = end(models.Failed, cut(detailNoWayBack+": "+detail))
		m.deny = true
	case running && a.permitGone():
		m = end(models.Failed, cut(detailOverruled+": "+detail))
		m.deny = true
	}
	return m
}

func (a *Agent) permitGone() bool {
	e := a.opts.Journal.State().Entry
	return e != nil && e.PermitGone
}

func (a *Agent) backStop(ctx context.Context, e journal.Entry) move {
	var overruled bool
	_, told := a.until(ctx, 0, func(st supervise.Status) bool {
		overruled = st.Goal == supervise.Running && st.Slot == e.To && a.permitGone()
		if overruled {
			return true
		}
		err := a.effect("stop new", func() error { _, err := a.services.Stop(ctx); return err })
		return err == nil
	})
	switch {
	case !told:
		return next(journal.BackStopping)
	case overruled:
		m := end(models.Failed, cut(detailOverruled+": "+e.Detail))
		m.deny = true
		return m
	}
	a.until(ctx, 0, supervise.Status.Ended)
	return next(journal.BackSwitching)
}

func (a *Agent) backStart(ctx context.Context, e journal.Entry) move {
	a.until(ctx, 0, func(supervise.Status) bool {
		err := a.effect("start old", func() error { _, err := a.services.Start(ctx, e.From); return err })
		if err != nil {
			a.opts.Log.Error("old version not started", "slot", e.From, "err", err)
		}
		return err == nil
	})
	return next(journal.BackChecking)
}

// backCheck ends the rollback. The version joins the deny list with the outcome (R28).
func (a *Agent) backCheck(ctx context.Context, e journal.Entry) move {
	limit := a.longest(e.From, func(s bundle.Service) time.Duration { return s.Health.ReadyWithin.D() })
	st, ok := a.until(ctx, limit, func(st supervise.Status) bool {
		a.startAgain(ctx, st, e.From)
		return st.Healthy() && st.Slot == e.From
	})
	m := end(models.RolledBack, e.Detail)
	if !ok {
		m = end(models.Failed, detailOldSick+": "+st.Detail()+"; "+e.Detail)
	}
	m.deny = true
	return m
}
