package agent

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/byhand"
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/journal"
)

const (
	minPause     = 50 * time.Millisecond
	maxPause     = 5 * time.Minute
	firstBackoff = time.Second
	// openBackoff bounds the backoff while an upgrade is open: peers wait for its end.
	openBackoff = 15 * time.Second
	maxRetry    = time.Hour
	jitterPart  = 20 // a twentieth
	maxDetail   = 512
	factsFor    = time.Hour
)

var errWithdrawn = errors.New("the permit was withdrawn")

// pollLoop asks the hub at the times it names, at once when something changed, and ever more rarely
// while it does not answer.
func (a *Agent) pollLoop(ctx context.Context) error {
	backoff := firstBackoff
	for {
		pause, err := a.pollOnce(ctx)
		changed := a.changed
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the caller ended it
		case errors.Is(err, ErrDeregistered):
			a.deregistered()
			return ErrDeregistered
		case errors.Is(err, journal.ErrBroken):
			return err
		case err != nil:
			a.opts.Log.Warn("poll failed", "err", err)
			pause, backoff = a.afterError(err, backoff)
			changed = nil // what changed is told when the hub is back
		default:
			backoff = firstBackoff
		}
		if !wait(ctx, jittered(pause), changed) {
			return nil
		}
	}
}

func (a *Agent) afterError(err error, backoff time.Duration) (pause, next time.Duration) {
	limit := maxPause
	if a.opts.Journal.State().Entry != nil {
		limit = openBackoff
	}
	pause = min(backoff, limit)
	var retry *RetryError
	if errors.As(err, &retry) {
		pause = min(max(pause, retry.After), maxRetry)
	}
	return pause, min(2*backoff, maxPause)
}

// jittered keeps a fleet from asking in step.
func jittered(d time.Duration) time.Duration {
	//nolint:gosec // when a node asks is no secret
	return d + time.Duration(rand.Int64N(int64(d/jitterPart)+1))
}

// wait ends after d or with a change, though never sooner than minPause. It reports false at the
// end of ctx.
func wait(ctx context.Context, d time.Duration, changed <-chan struct{}) bool {
	for _, part := range []struct {
		d       time.Duration
		changed <-chan struct{}
	}{{min(d, minPause), nil}, {d - minPause, changed}} {
		if part.d <= 0 {
			continue
		}
		t := time.NewTimer(part.d)
		select {
		case <-ctx.Done():
			t.Stop()
			return false
		case <-t.C:
		case <-part.changed:
			t.Stop()
		}
	}
	return true
}

func (a *Agent) pollOnce(ctx context.Context) (time.Duration, error) {
	req, err := a.request(ctx)
	if err != nil {
		return 0, err
	}
	resp, err := a.opts.Hub.Poll(ctx, req)
	if err != nil {
		a.mu.Lock()
		a.trouble = err.Error()
		a.mu.Unlock()
		return 0, err
	}
	if err := a.take(req, resp); err != nil {
		return 0, err
	}
	pause := time.Duration(resp.NextPollMS) * time.Millisecond
	return min(max(pause, minPause), maxPause), nil
}

// request is what the node says of itself at this moment.
func (a *Agent) request(ctx context.Context) (wire.PollRequest, error) {
	st := a.opts.Journal.State()
	a.refreshFacts(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	health, detail := a.health()
	busy, err := a.opts.Orchestrating() != "", error(nil) // before the clock is read
	req := wire.PollRequest{Orchestrating: busy, Protocol: wire.Protocol, ClientVersion: a.opts.ClientVersion,
		Version: a.version(), Step: wireStep(st.Entry), StepPercent: int(a.progress.Load()),
		HighestFence: models.Fence(st.Fence), Health: health, HealthDetail: cut(detail),
		Maintenance: a.maintenance, FactsDigest: a.facts.Digest, BootID: a.opts.BootID,
		Counter: a.counter.Add(1), Clock: a.opts.Now().UTC()}
	if req.ByHand, err = byhand.Reports(a.opts.Dir); err != nil {
		a.opts.Log.Error("work without a permit not told", "err", err)
	}
	for _, v := range st.Denied {
		req.Denied = append(req.Denied, models.Version(v))
	}
	switch { // one of these: together they may be more than a poll can hold
	case len(req.ByHand) > 0:
	case a.sendFacts:
		req.Facts = a.facts.List
	case a.sendAll && a.facts.Digest != "":
		req.Packages = &a.facts.Packages
	}
	if st.Entry == nil {
		req.Permit = a.declined
	}
	if e := st.Entry; e != nil && e.Permit != "" {
		req.Permit = &wire.PermitReport{ID: models.PermitID(e.Permit), Fence: models.Fence(e.Fence),
			Outcome: models.Outcome(e.Outcome), Detail: cut(e.Detail)}
		if e.Step != journal.Ended {
			req.Journal = &wire.JournalEntry{Permit: models.PermitID(e.Permit),
				Fence: models.Fence(e.Fence), Version: models.Version(e.Version), Confirmed: e.Confirmed}
			if e.ByHand() {
				req.Journal.Version = "" // work by hand is no upgrade to it
			}
		}
	}
	return req, nil
}

// refreshFacts looks at the machine again now and then, and when the hub asks. A machine that cannot
// be looked at keeps its old facts: it must not fall silent, least of all in an upgrade.
func (a *Agent) refreshFacts(ctx context.Context) {
	now := a.opts.Now()
	a.mu.Lock()
	fresh := !a.sendFacts && a.facts.Digest != "" && now.Sub(a.factsAt) < factsFor
	a.mu.Unlock()
	if fresh {
		return
	}
	facts, err := a.opts.Machine.Facts(ctx)
	if err != nil {
		a.opts.Log.Warn("facts not read", "err", err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.facts, a.factsAt = facts, now
}

func cut(text string) string { return text[:min(len(text), maxDetail)] }

// take acts on an answer. It never touches a service: that is the worker's.
func (a *Agent) take(req wire.PollRequest, resp wire.PollResponse) error {
	now := a.opts.Now()
	a.mu.Lock()
	a.clock = clock{hub: resp.Now, local: now}
	a.decision, a.maintenance, a.lastPoll, a.trouble = resp.Decision, resp.Maintenance, now, ""
	a.sendFacts, a.sendAll = resp.SendFacts, resp.SendPackages
	asked := a.facts.Digest != "" && (resp.SendFacts && len(req.Facts) == 0 ||
		resp.SendPackages && req.Packages == nil)
	a.mu.Unlock()
	if asked {
		signal(a.changed)
	}
	var allow []string
	for _, v := range resp.ForgetDenied {
		allow = append(allow, string(v))
	}
	if err := a.opts.Journal.Allow(allow...); err != nil {
		return err
	}
	if err := byhand.Heard(a.opts.Dir, resp.ByHandHeard); err != nil {
		a.opts.Log.Error("heard reports not forgotten", "err", err)
	}
	a.opts.PermitOpen(req.Orchestrating, resp.PermitOpen, req.Clock)
	if resp.PermitEnded != "" {
		if err := a.permitEnded(string(resp.PermitEnded)); err != nil {
			return err
		}
	}
	if resp.Permit != nil {
		return a.offered(*resp.Permit)
	}
	return nil
}

// permitEnded closes what was reported, and gives up what has disturbed nothing yet. What has is
// brought to an end without stopping anything more (R20).
func (a *Agent) permitEnded(id string) error {
	e := a.opts.Journal.State().Entry
	switch {
	case e == nil || e.Permit != id:
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.declined != nil && string(a.declined.ID) == id {
			a.declined = nil
		}
		return nil
	case e.Step == journal.Ended:
		a.opts.Log.Info("permit closed", "permit", id, "outcome", e.Outcome)
		return a.opts.Journal.Forget(id)
	case e.Step.Disruptive():
		if e.PermitGone {
			return nil
		}
		a.opts.Log.Error("permit ended by the hub while a service was down", "permit", id)
		return a.opts.Journal.Update(a.opts.Now(), func(e *journal.Entry) {
			e.PermitGone = e.Step.Disruptive()
		})
	default:
		a.withdraw()
		return nil
	}
}

// withdraw ends the present step, unless the worker is past the point where it can be given up.
func (a *Agent) withdraw() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cancelEntry != nil {
		a.cancelEntry(errWithdrawn)
	}
}

// offered begins an upgrade. It refuses a fence older than one seen (R21), a downgrade (R23), and a
// version that was rolled back here (R28).
func (a *Agent) offered(p wire.Permit) error {
	st := a.opts.Journal.State()
	log := a.opts.Log.With("permit", p.ID, "version", p.Version)
	current := a.version()
	switch {
	case st.Entry != nil && st.Entry.Permit == string(p.ID):
		return nil
	case st.Entry != nil:
		if !st.Entry.Step.Disruptive() && st.Entry.Step != journal.Ended {
			a.withdraw()
		}
		return nil // the next poll brings the new permit again
	case p.State == models.PermitEnded || a.hasDeclined(p.ID) || a.isAsking():
		return nil
	case p.Kind != models.PermitUpgrade: // nobody here wants it any more
		a.decline(p, models.Abandoned, "nobody asks for it")
		return nil
	case p.Fence.Less(models.Fence(st.Fence)):
		log.Error("permit refused: its fence is older than one seen", "fence", p.Fence.Counter)
		return nil
	case current != "" && !current.Less(p.Version):
		log.Error("permit refused: not newer than what runs", "running", current)
		return nil
	}
	for _, v := range st.Denied {
		if models.Version(v) == p.Version {
			log.Error("permit refused: this version was rolled back here")
			return nil
		}
	}
	return a.begin(p, current)
}

func (a *Agent) begin(p wire.Permit, current models.Version) error {
	to, err := host.SlotName(p.Version, p.Digest)
	if err != nil {
		a.decline(p, models.Failed, because(detailBundle, err))
		return nil
	}
	from, err := a.opts.Slots.Active()
	if err != nil {
		return err
	}
	e := journal.Entry{Permit: string(p.ID), Fence: journal.Fence(p.Fence), Version: string(p.Version),
		FromVersion: string(current), Digest: p.Digest, Size: p.Size, From: from, To: to,
		Boot: a.opts.BootID}
	a.opts.At("before record begin")
	err = a.opts.Journal.Begin(e, a.opts.Now())
	if errors.Is(err, journal.ErrBroken) {
		return err
	}
	if err != nil {
		a.decline(p, models.Failed, because(detailNoSpace, err))
		return nil
	}
	a.opts.At("after record begin")
	signal(a.wake)
	signal(a.changed)
	return nil
}

// decline gives back a permit that cannot even be written down. It is told from memory, and again
// after a restart, when the hub offers it once more.
func (a *Agent) decline(p wire.Permit, outcome models.Outcome, detail string) {
	a.opts.Log.Error("permit refused", "permit", p.ID, "detail", detail)
	a.mu.Lock()
	a.declined = &wire.PermitReport{ID: p.ID, Fence: p.Fence, Outcome: outcome,
		Detail: cut(detail)}
	a.mu.Unlock()
	signal(a.changed)
}

func (a *Agent) hasDeclined(id models.PermitID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.declined != nil && a.declined.ID == id
}

// deregistered stops polling for good. An upgrade that disturbed nothing is given up; another one
// ends first (R6).
func (a *Agent) deregistered() {
	a.mu.Lock()
	a.gone = true
	a.mu.Unlock()
	a.withdraw()
	signal(a.wake)
}

// wireStep is the hub's word for a journalled step.
func wireStep(e *journal.Entry) models.Step {
	if e == nil {
		return models.StepIdle
	}
	switch e.Step {
	case journal.Fetching, journal.Unpacking:
		return models.StepFetching
	case journal.Verified:
		return models.StepVerified
	case journal.Confirming:
		return models.StepConfirming
	case journal.Draining:
		return models.StepDraining
	case journal.Stopping, journal.Stopped:
		return models.StepStopping
	case journal.Switching:
		return models.StepSwitching
	case journal.Starting:
		return models.StepStarting
	case journal.Checking:
		return models.StepChecking
	case journal.Soaking:
		return models.StepSoaking
	case journal.BackStopping, journal.BackSwitching, journal.BackStarting, journal.BackChecking:
		return models.StepRollingBack
	case journal.Ended:
		return models.StepIdle
	default:
		panic("unknown step " + string(e.Step))
	}
}
