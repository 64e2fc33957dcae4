// Package permits keeps a control node's work and its cluster's permits apart: neither begins while the
// other is open. It knows the hub only by what the agent heard in its last poll.
package permits

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/journal"
)

const (
	folder    = "control"
	file      = "permits.json"
	fileLimit = 4 << 10
	look      = 50 * time.Millisecond

	// Alive is how old the agent's last word may be, so that another one is waited for: it polls at
	// least every five minutes.
	Alive = 6 * time.Minute
	// Wait is how long: the agent polls at once when an orchestration begins.
	Wait = 10 * time.Second
)

// Heard is what the hub answered to the agent's last poll.
type Heard struct {
	// Said: the poll said that this node orchestrates; only then the hub tells of a permit.
	Said   bool        `json:"said"`
	Holder models.FQDN `json:"holder,omitempty"` // of the cluster's open permit
	// Asked is when the poll was made: what was begun later, it did not say.
	Asked time.Time `json:"asked"`
}

// OpenError says that a permit of the cluster is open.
type OpenError struct{ Holder models.FQDN }

// Error names who holds it.
func (e *OpenError) Error() string {
	return fmt.Sprintf("%s is being upgraded, or worked on by hand; this begins when that has ended",
		e.Holder)
}

// Note is called by the agent after each poll.
func Note(dir string, h Heard) error {
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of the permits: %w", err)
	}
	return atomicfile.WriteJSON(filepath.Join(dir, folder, file), h)
}

// Last is what the agent noted last; zero where it never polled.
func Last(dir string) (Heard, error) {
	var h Heard
	err := atomicfile.ReadJSON(filepath.Join(dir, folder, file), fileLimit, &h)
	if errors.Is(err, os.ErrNotExist) {
		return Heard{}, nil
	}
	return h, err
}

// Request is what wants to begin.
type Request struct {
	Dir        string
	Kind       gate.Kind
	What, Who  string
	Registered bool // where nobody gives permits, none is open
	Node       models.FQDN
	Now        func() time.Time
	// Unknown is told that the hub could not be asked; nil: nobody wants to know.
	Unknown func()
}

// Begin takes the gate's lock, so that no node of the cluster gets or confirms a permit from the
// next poll on, lets that poll be made, and refuses if its answer names an open permit: *OpenError.
// What the hub gave out before it heard of this stands in that answer, so that neither overlooks the
// other. Where the agent does not run or does not reach the hub, this node's own journal decides.
func Begin(ctx context.Context, r Request) (*gate.Hold, error) {
	before, err := Last(r.Dir)
	if err != nil && r.Registered {
		return nil, err
	}
	begun := r.Now()
	hold, err := gate.Take(r.Dir, r.Kind, r.What, r.Who, r.Now())
	if err != nil || !r.Registered {
		return hold, err
	}
	if err := settled(ctx, r, before, begun); err != nil {
		hold.Release()
		return nil, err
	}
	return hold, nil
}

// settled waits for an answer to a poll that was made after the lock was taken. One that was there
// before is none, whenever the clock says that it was asked for: the clock may have been set back.
func settled(ctx context.Context, r Request, before Heard, begun time.Time) error {
	state, err := journal.Peek(filepath.Join(r.Dir, "journal"))
	if err != nil {
		return err
	}
	if state.Entry != nil && state.Entry.Step != journal.Ended {
		return &OpenError{Holder: r.Node}
	}
	if begun.Sub(before.Asked) > Alive {
		return r.unknown()
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for r.Now().Sub(begun) < Wait {
		h, err := Last(r.Dir)
		switch fresh := h.Said && !h.Asked.Before(begun) && !h.Asked.Equal(before.Asked); {
		case err != nil:
			return err
		case fresh && h.Holder != "":
			return &OpenError{Holder: h.Holder}
		case fresh:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return r.unknown()
}

func (r Request) unknown() error {
	if r.Unknown != nil {
		r.Unknown()
	}
	return nil
}
