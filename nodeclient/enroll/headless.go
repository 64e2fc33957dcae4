package enroll

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
)

// Refusals of a registration at the shell.
var (
	ErrCodeDenied = &Own{"A full administrator of Connect Hub has denied this node.",
		"Connect Hub のフル管理者がこのノードを拒否しました。"}
	ErrCodeExpired = &Own{"The code has expired; run the command again.",
		"コードの有効期限が切れました。コマンドをもう一度実行してください。"}
)

// How long a node waits between two questions at least and at most, whatever it is told.
const (
	minWait = time.Second
	maxWait = time.Minute
)

// Headless is a registration that was begun at the node's shell (RFC 8628). Its secret never leaves
// this process but to the hub.
type Headless struct {
	wire.HeadlessResponse
	e        *Enrollment
	key      Key
	secret   string
	interval time.Duration
	offer    wire.HeadlessOffer
}

// BeginHeadless asks the hub for a code that a full admin types in the console.
func (e *Enrollment) BeginHeadless(ctx context.Context) (*Headless, error) {
	if err := e.free(); err != nil {
		return nil, err
	}
	key, err := ensureKey(e.o.Dir)
	if err != nil {
		return nil, err
	}
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails: it ends the program instead
	h := &Headless{e: e, key: key, secret: base64.RawURLEncoding.EncodeToString(random)}
	claim, err := e.claim(h.secret)
	if err != nil {
		return nil, err
	}
	err = e.client.post(ctx, wire.PathHeadless, "",
		wire.HeadlessRequest{Claim: claim, Environment: e.config.Environment}, &h.HeadlessResponse)
	if err != nil {
		return nil, err
	}
	h.pace(h.IntervalSeconds)
	return h, nil
}

func (h *Headless) pace(seconds int) {
	h.interval = min(max(time.Duration(seconds)*time.Second, minWait), maxWait)
}

// Await asks until the code was approved, and answers by whom. It asks as often as the hub lets it,
// and less often while the hub cannot be reached.
func (h *Headless) Await(ctx context.Context) (wire.HeadlessOffer, error) {
	for {
		select {
		case <-ctx.Done():
			return wire.HeadlessOffer{}, ctx.Err()
		case <-time.After(h.interval):
		}
		var answer wire.HeadlessPollResponse
		err := h.e.client.post(ctx, wire.PathHeadlessPoll, "",
			wire.HeadlessPollRequest{Secret: h.secret}, &answer)
		var refusal *Refusal
		switch {
		case errors.As(err, &refusal) && refusal.Problem.Code == "not_found":
			return wire.HeadlessOffer{}, ErrCodeExpired
		case err != nil:
			h.interval = min(2*h.interval, maxWait)
			continue
		}
		h.pace(answer.IntervalSeconds)
		switch answer.State {
		case models.HeadlessApproved:
			if answer.Offer == nil {
				continue // asked too soon
			}
			h.offer = *answer.Offer
			return h.offer, h.e.note(h.event(EventShown, By{}))
		case models.HeadlessDenied:
			return wire.HeadlessOffer{}, ErrCodeDenied
		case models.HeadlessExpired, models.HeadlessRefused, models.HeadlessAccepted:
			return wire.HeadlessOffer{}, ErrCodeExpired
		case models.HeadlessPending:
		}
	}
}

func (h *Headless) event(what string, by By) Event {
	return Event{What: what, By: by, Organization: h.offer.Organization, Domain: h.offer.Domain,
		RequestedBy: h.offer.RequestedBy, Cluster: h.offer.DisplayName}
}

// Answer accepts or refuses what Await has answered. What follows an acceptance is the same as after
// any other claim: Enrollment.Await, of this process or of the agent that runs.
func (h *Headless) Answer(ctx context.Context, accept bool, by By) error {
	what := EventDenied
	if accept {
		what = EventAllowed
	}
	if err := h.e.note(h.event(what, by)); err != nil {
		return err
	}
	if accept {
		if err := h.e.wait(pending{RegistrationID: h.offer.RegistrationID, ClaimedAt: h.e.o.Now(),
			Event: h.event(EventAllowed, by)}); err != nil {
			return err
		}
	}
	return h.e.client.asserted(ctx, wire.PathHeadlessAnswer, h.key,
		string(h.offer.RegistrationID), h.e.o.Now(), func(assertion string) any {
			return wire.HeadlessAnswer{Secret: h.secret, RegistrationID: h.offer.RegistrationID,
				Accept: accept, Assertion: assertion}
		}, nil)
}
