package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
)

// Hub is the other side as the agent sees it. An implementation authenticates, checks the hub's
// signature on a permit before it returns one, and gives every call a deadline.
type Hub interface {
	Poll(ctx context.Context, req wire.PollRequest) (wire.PollResponse, error)
	Confirm(ctx context.Context, id models.PermitID, req wire.ConfirmRequest) (wire.ConfirmResponse, error)
	// Local asks for a permit for work by hand (R33).
	Local(ctx context.Context, req wire.LocalRequest) (wire.LocalResponse, error)
	// Bundle asks the depot for the bundle with that digest, with the given extra headers. Its
	// deadline covers the answer's head only: the body is watched by the agent.
	Bundle(ctx context.Context, digest string, header http.Header) (*http.Response, error)
}

// ErrDeregistered is returned by a Hub that got a *signed* statement that this node is no longer
// registered (R6). An unsigned refusal is any other error: the agent backs off, nothing more.
var ErrDeregistered = errors.New("this node is no longer registered")

// RefusedError is the hub's own no, as against no answer: nothing overrides it.
type RefusedError struct {
	Code string
	Err  error
}

// Error is the text of the refusal.
func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap is the refusal.
func (e *RefusedError) Unwrap() error { return e.Err }

// RetryError is an error with the pause that the hub asked for.
type RetryError struct {
	Err   error
	After time.Duration
}

// Error is the text of the cause.
func (e *RetryError) Error() string { return fmt.Sprintf("%v (retry after %s)", e.Err, e.After) }

// Unwrap is the cause.
func (e *RetryError) Unwrap() error { return e.Err }

// clock is the hub's time carried on by this node's monotonic clock (R35).
type clock struct{ hub, local time.Time }

func (c clock) known() bool { return !c.hub.IsZero() }

// now is the hub's time at the local instant; the zero time before the first answer of this boot.
func (c clock) now(local time.Time) time.Time {
	if !c.known() {
		return time.Time{}
	}
	return c.hub.Add(local.Sub(c.local))
}

// skew is how far the node's wall clock is ahead of the hub's.
func (c clock) skew() time.Duration {
	if !c.known() {
		return 0
	}
	return c.local.Round(0).Sub(c.hub)
}

// allowance is the hub's yes to the first stop (R20). It lives in memory only, so that after a
// restart the node has to ask again.
type allowance struct {
	permit string
	at     time.Time
	within time.Duration
}

const (
	maxAllowance = 60 * time.Second
	// wallBack tolerates a wall clock that was set back a little; a bigger step means suspension or
	// worse, and the hub is asked again.
	wallBack = 2 * time.Second
)

// holds asks both clocks: the monotonic one stands still while a machine is suspended.
func (a allowance) holds(permit string, now time.Time) bool {
	if a.permit != permit {
		return false
	}
	mono, wall := now.Sub(a.at), now.Round(0).Sub(a.at.Round(0))
	return mono >= 0 && mono < a.within && wall >= -wallBack && wall < a.within
}
