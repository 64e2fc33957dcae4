package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/byhand"
	"connecthub/nodeclient/host/supervise"
	"connecthub/nodeclient/journal"
)

// handPatience is how long work by hand waits for the hub's yes: somebody sits in front of it.
const handPatience = 20 * time.Second

func (a *Agent) isAsking() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asking
}

// givesBack says whether a permit is being given back of which the hub has not heard yet.
func (a *Agent) givesBack() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.declined != nil
}

func (a *Agent) setAsking(yes bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asking = yes
}

// pickUp begins what somebody asks for by hand (R33), or answers why not.
func (a *Agent) pickUp(ctx context.Context) (bool, error) {
	if a.givesBack() {
		return false, nil // the hub would give out once more what it is being given back
	}
	r, ok, err := byhand.Take(a.opts.Dir, a.opts.Now())
	if err != nil {
		a.opts.Log.Error("request by hand not read", "err", err)
	}
	if !ok {
		return false, nil
	}
	e, code := a.planned(r)
	if code != "" {
		a.refuse(r.ID, byhand.Answer{Code: code, Version: models.Version(e.Version)})
		return false, nil
	}
	a.setAsking(true)
	defer a.setAsking(false)
	if no := a.permitted(ctx, r, &e); no != nil {
		a.refuse(r.ID, *no)
		return false, nil
	}
	a.opts.At("before record begin")
	if err := a.opts.Journal.Begin(e, a.opts.Now()); err != nil {
		if errors.Is(err, journal.ErrBroken) {
			return false, err
		}
		a.refuse(r.ID, byhand.Answer{Code: detailNoSpace, Detail: err.Error()})
		return false, nil // the offer comes with the next poll, and is given back then
	}
	a.opts.At("after record begin")
	a.opts.Log.Info("work by hand", "work", r.Work, "who", r.Who, "permit", e.Permit)
	e.Step = journal.Confirming
	a.tell(e)
	signal(a.changed)
	return true, nil
}

// planned is what the request comes to on this node, or why it cannot be.
func (a *Agent) planned(r byhand.Request) (journal.Entry, string) {
	e := journal.Entry{Boot: a.opts.BootID, FromVersion: string(a.version()),
		Fence: a.opts.Journal.State().Fence, Hand: journal.Hand{Request: r.ID,
			Work: string(r.Work), Who: r.Who, Despite: r.WithoutPermit}}
	active, err := a.opts.Slots.Active()
	if err != nil || active == "" {
		return e, byhand.NotInstalled
	}
	e.From, e.To = active, active
	switch r.Work {
	case models.HandStop:
		return e, ""
	case models.HandRollback, models.HandSwitch, models.HandUpgrade:
		return a.toInactive(e, r.Work)
	}
	return e, byhand.NotStopped
}

// toInactive completes an entry that goes to the inactive version. Forward goes only to what is
// known to be a signed bundle; back, to what ran here.
func (a *Agent) toInactive(e journal.Entry, work models.HandWork) (journal.Entry, string) {
	other, err := a.opts.Slots.Previous()
	if err != nil || other == "" || other == e.From {
		return e, byhand.NoOther
	}
	m, err := a.opts.Slots.Manifest(other)
	if err != nil {
		return e, byhand.NoOther
	}
	e.To, e.Version = other, string(m.Version)
	higher := models.Version(e.FromVersion).Less(m.Version)
	switch {
	case work == models.HandRollback && higher:
		return e, byhand.NotLower
	case work == models.HandUpgrade && !higher:
		return e, byhand.NotHigher
	case !higher:
		return e, ""
	}
	e.Hand.Work = string(models.HandUpgrade)
	if e.Digest, err = a.opts.Slots.Digest(other); err != nil || e.Digest == "" {
		return e, byhand.NotSigned
	}
	if err := a.accept(e, m); err != nil { // the node's values may have changed since it was staged
		a.opts.Log.Error("inactive version refused", "err", err)
		return e, byhand.Unfit
	}
	return e, ""
}

// permitted gets the permit into the entry, or answers why there is none. Without an answer of the
// hub the entry goes on only where somebody has said so.
func (a *Agent) permitted(ctx context.Context, r byhand.Request, e *journal.Entry) *byhand.Answer {
	if a.opts.Alone {
		e.Hand.Unpermitted = true
		return nil
	}
	if a.isGone() {
		return &byhand.Answer{Code: byhand.NotAllowed}
	}
	resp, err := a.askLocal(ctx, e)
	var refused *RefusedError
	switch {
	case errors.Is(err, ErrDeregistered):
		a.deregistered()
		return &byhand.Answer{Code: byhand.NotAllowed, Detail: err.Error()}
	case errors.As(err, &refused):
		return &byhand.Answer{Code: byhand.Held, Detail: err.Error()}
	case err != nil && r.WithoutPermit:
		a.opts.Log.Warn("work by hand without a permit", "who", r.Who, "err", err)
		e.Hand.Unpermitted = true
		return nil
	case err != nil:
		return &byhand.Answer{Code: byhand.NoHub, Detail: err.Error()}
	case resp.Permit == nil:
		return &byhand.Answer{Code: byhand.Held, Reason: resp.Reason, Subject: resp.Subject}
	}
	p := resp.Permit
	if p.Kind != models.PermitLocal || p.Digest != e.Digest ||
		p.Fence.Less(models.Fence(a.opts.Journal.State().Fence)) {
		a.opts.Log.Error("permit refused: it is not the one that was asked for", "permit", p.ID)
		return &byhand.Answer{Code: byhand.Held, Reason: models.ReasonStalePermit}
	}
	e.Permit, e.Fence, e.Size = string(p.ID), journal.Fence(p.Fence), p.Size
	return nil
}

func (a *Agent) askLocal(ctx context.Context, e *journal.Entry) (wire.LocalResponse, error) {
	a.observe(ctx)
	poll, err := a.request(ctx)
	if err != nil {
		return wire.LocalResponse{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, handPatience)
	defer cancel()
	req := wire.LocalRequest{What: models.HandWork(e.Hand.Work), Poll: poll}
	if e.Digest != "" {
		req.Version, req.Digest = models.Version(e.Version), e.Digest
	}
	return a.opts.Hub.Local(ctx, req)
}

// unasked is what follows where the hub is not asked: there is no permit, or nobody waits any more.
func (a *Agent) unasked(e journal.Entry) (move, bool) {
	switch {
	case e.Boot != a.opts.BootID:
		return end(models.Abandoned, byhand.Restarted), true
	case e.Hand.Unpermitted:
		return next(journal.Draining), true
	}
	return move{}, false
}

// unanswered is what follows where the hub gave a permit and cannot be reached to confirm it.
func unanswered(e journal.Entry) move {
	if e.Hand.Despite {
		return move{to: journal.Draining, unpermitted: true}
	}
	return end(models.Abandoned, byhand.NoHub)
}

func (a *Agent) serves(ctx context.Context) bool {
	st, err := a.services.Status(ctx)
	return err == nil && st.Goal == supervise.Running && len(st.Services) > 0
}

// stopped waits until somebody wants the services again, or the machine was started anew. The
// hub's word is not needed: starting never needs it (R20).
func (a *Agent) stopped(ctx context.Context, e journal.Entry) move {
	for {
		if e.Boot != a.opts.BootID {
			return next(journal.Starting)
		}
		r, ok, err := byhand.Take(a.opts.Dir, a.opts.Now())
		if err != nil {
			a.opts.Log.Error("request by hand not read", "err", err)
		}
		if ok && r.Work == byhand.Start {
			return move{to: journal.Starting, request: r.ID}
		}
		if ok {
			a.refuse(r.ID, byhand.Answer{Code: byhand.Busy})
		}
		if !wait(ctx, a.opts.Watch, a.wake) {
			return next(journal.Stopped)
		}
	}
}

// previousOf is the inactive version after a way back: by hand, the one that did not do.
func previousOf(e journal.Entry) string {
	if e.ByHand() && e.Digest == "" {
		return e.To
	}
	return ""
}

// refuse answers a request that disturbed nothing.
func (a *Agent) refuse(id string, answer byhand.Answer) {
	answer.ID, answer.State, answer.At = id, byhand.Refused, a.opts.Now()
	a.opts.Log.Warn("work by hand refused", "code", answer.Code, "reason", answer.Reason,
		"subject", answer.Subject, "detail", answer.Detail)
	if err := byhand.Tell(a.opts.Dir, answer); err != nil {
		a.opts.Log.Error("request by hand not answered", "err", err)
	}
}

// tell says how far work by hand is.
func (a *Agent) tell(e journal.Entry) {
	if !e.ByHand() {
		return
	}
	answer := byhand.Answer{ID: e.Hand.Request, State: byhand.Running, Step: string(e.Step),
		Version: a.version(), Unpermitted: e.Hand.Unpermitted, At: a.opts.Now()}
	switch {
	case e.Step == journal.Stopped:
		answer.State = byhand.Stopped
	case e.Step == journal.Ended && models.Outcome(e.Outcome) == models.Abandoned:
		answer.State, answer.Code, answer.Detail = byhand.Refused, byhand.Held, e.Detail
		if e.Detail == byhand.NoHub || e.Detail == byhand.Restarted {
			answer.Code = e.Detail
		}
		if why, ok := strings.CutPrefix(e.Detail, detailRefused+": "); ok {
			reason, subject, _ := strings.Cut(why, " ")
			answer.Reason, answer.Subject = models.Reason(reason), strings.TrimSpace(subject)
		}
	case e.Step == journal.Ended:
		answer.State, answer.Outcome = byhand.Ended, models.Outcome(e.Outcome)
		answer.Detail = e.Detail
	}
	if err := byhand.Tell(a.opts.Dir, answer); err != nil {
		a.opts.Log.Error("request by hand not answered", "err", err)
	}
}

// report keeps what was done without a permit for the hub's next answer (R33).
func (a *Agent) report(e journal.Entry) {
	if !e.Hand.Unpermitted || a.opts.Alone {
		return
	}
	err := byhand.Keep(a.opts.Dir, wire.HandReport{ID: e.Hand.Request,
		What: models.HandWork(e.Hand.Work), Outcome: models.Outcome(e.Outcome),
		Detail: cut(e.Detail), From: models.Version(e.FromVersion),
		To: models.Version(e.Version), BegunAt: e.BegunAt.UTC(), EndedAt: a.opts.Now().UTC()})
	if err != nil {
		a.opts.Log.Error("work without a permit not noted", "err", err)
	}
	signal(a.changed)
}

// closeUnpermitted closes an entry that has ended and that no hub knows.
func (a *Agent) closeUnpermitted(e journal.Entry) error {
	a.report(e)
	if err := a.opts.Journal.Forget(""); err != nil {
		return fmt.Errorf("cannot close the journal: %w", err)
	}
	return nil
}
