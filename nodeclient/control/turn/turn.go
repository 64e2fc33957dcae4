// Package turn keeps the control nodes of a cluster from disturbing machines at the same time. It knows
// neither machines nor what is done to them.
package turn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/replica"
	"connecthub/nodeclient/enroll"
)

const (
	// Wait is how long another control node is waited for: a subscriber polls its publisher every two
	// seconds.
	Wait = 15 * time.Second

	recheckWait = 5 * time.Second
	look        = 20 * time.Millisecond
	maxAnswer   = 64 << 10
	protocol    = 1
	// heardAfter is which poll was made for certain after something that was done here: one may have
	// been on its way.
	heardAfter = 2
)

// OtherError says that another control node disturbs machines, or is about to.
type OtherError struct {
	Node  models.FQDN
	Doing replica.Doing
}

// Error names it.
func (e *OtherError) Error() string {
	return fmt.Sprintf("%s works on machines of the deployment: %s", e.Node, e.Doing.What)
}

// SilentError says that another control node cannot be asked.
type SilentError struct {
	Node models.FQDN
	Err  error
}

// Error names it.
func (e *SilentError) Error() string { return fmt.Sprintf("%s is not heard: %v", e.Node, e.Err) }

// Unwrap is why.
func (e *SilentError) Unwrap() error { return e.Err }

// Request is a procedure that is about to begin.
type Request struct {
	Dir    string
	Hold   *gate.Hold // this node's own lock
	Config enroll.Config
	Now    func() time.Time
	// Down is asked where another node is not heard: nil lets this one go on without it.
	Down func(*SilentError) error
	Wait time.Duration // 0: Wait
}

// Take asks every other control node of the cluster, after it has written down in this node's own lock
// what it asks for: of two that begin at once, at least one sees the other. What it has got ends with
// the lock.
func Take(ctx context.Context, r Request) error {
	if err := r.Hold.Mark(gate.Asked); err != nil {
		return err
	}
	others, err := r.others()
	if err != nil {
		return err
	}
	err = others(ctx, r.wait())
	var silent *SilentError
	if errors.As(err, &silent) {
		if err := r.Down(silent); err != nil {
			return err
		}
		// it may have come back while somebody thought about it
		if err = others(ctx, look); errors.As(err, &silent) {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	return r.Hold.Mark(gate.Begun)
}

func (r Request) wait() time.Duration {
	if r.Wait > 0 {
		return r.Wait
	}
	return Wait
}

type asks func(ctx context.Context, wait time.Duration) error

func (r Request) others() (asks, error) {
	switch r.Config.Role {
	case models.Subscriber:
		return r.publisher()
	case models.Publisher:
		return r.subscribers()
	}
	return func(context.Context, time.Duration) error { return nil }, nil
}

// publisher asks this subscriber's publisher, which knows of the other subscribers, too.
func (r Request) publisher() (asks, error) {
	ask, err := enroll.AskPublisher(r.Dir, r.Config, replica.TurnPath, maxAnswer)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, wait time.Duration) error {
		g, err := claim(ctx, r.Dir, ask, max(wait, recheckWait))
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return &SilentError{Node: r.Config.Publisher, Err: err}
		case g.Doing == nil:
			return nil
		case g.Silent:
			return &SilentError{Node: g.Node, Err: errors.New(g.Doing.What)}
		}
		return &OtherError{Node: g.Node, Doing: *g.Doing}
	}, nil
}

func claim(ctx context.Context, dir string, ask replica.Ask, wait time.Duration) (replica.Grant, error) {
	var g replica.Grant
	own, err := Own(dir)
	if err != nil || own == nil {
		return g, errors.Join(errors.New("this node does not work on machines"), err)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := ask(ctx, replica.Claim{Protocol: protocol, Doing: *own}, &g); err != nil {
		return g, err
	}
	if g.Protocol != protocol {
		return g, replica.ErrProtocol
	}
	return g, nil
}

// subscribers waits until each of this publisher's subscribers has said what it does, after this node
// took its lock.
func (r Request) subscribers() (asks, error) {
	members, err := enroll.Members(r.Dir)
	if err != nil {
		return nil, err
	}
	before, err := replica.Peers(r.Dir)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, wait time.Duration) error {
		begun := r.Now()
		for {
			silent, err := r.heard(members, before)
			if err != nil || silent == nil {
				return err
			}
			if r.Now().Sub(begun) >= wait {
				return silent
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(look):
			}
		}
	}, nil
}

func (r Request) heard(members []models.FQDN, before map[models.FQDN]replica.Peer) (*SilentError, error) {
	now, err := replica.Peers(r.Dir)
	if err != nil {
		return nil, err
	}
	var silent *SilentError
	for _, m := range members {
		p, polls := now[m], now[m].Polls-before[m].Polls
		switch {
		case p.Doing != nil && (polls >= heardAfter || polls > 0 && p.Claimed == 0):
			return nil, &OtherError{Node: m, Doing: *p.Doing}
		case polls < heardAfter:
			silent = &SilentError{Node: m, Err: fmt.Errorf("this node's agent heard it last %s", last(p))}
		}
	}
	return silent, nil
}

func last(p replica.Peer) string {
	if p.At.IsZero() {
		return "never, or does not run"
	}
	text := "at " + p.At.Format(time.RFC3339)
	if p.Doing != nil {
		text += ", working on machines: " + p.Doing.What
	}
	return text
}

// Watch answers what a procedure asks again before it disturbs a machine: *OtherError where another
// control node has begun one all the same, because somebody there said that this node is down. One that
// is not heard has not begun without such a word.
func Watch(dir string, c enroll.Config) (func(ctx context.Context) error, error) {
	switch c.Role {
	case models.Subscriber:
		ask, err := enroll.AskPublisher(dir, c, replica.TurnPath, maxAnswer)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) error {
			g, err := claim(ctx, dir, ask, recheckWait)
			if err != nil || g.Doing == nil || g.Silent || !g.Doing.Begun {
				return nil //nolint:nilerr // who is not heard stops nothing
			}
			return &OtherError{Node: g.Node, Doing: *g.Doing}
		}, nil
	case models.Publisher:
		before, err := replica.Peers(dir)
		if err != nil {
			return nil, err
		}
		return func(context.Context) error {
			now, err := replica.Peers(dir)
			if err != nil {
				return err
			}
			for name, p := range now {
				if p.Polls > before[name].Polls && p.Doing != nil && p.Doing.Begun {
					return &OtherError{Node: name, Doing: *p.Doing}
				}
			}
			return nil
		}, nil
	}
	return func(context.Context) error { return nil }, nil
}

// Own is what keeps the other control nodes from disturbing machines: a procedure of this node that runs,
// is about to, or was left half done. A lock that cannot be looked at counts as one.
func Own(dir string) (*replica.Doing, error) {
	note, busy, err := noted(dir)
	switch {
	case err != nil:
		return &replica.Doing{What: "its lock cannot be read"}, nil //nolint:nilerr // the safe side
	case busy && (note.Procedure != "" || note.What == ""):
		return &replica.Doing{What: note.What, Who: note.Who, Since: note.Since,
			Begun: note.Procedure == gate.Begun}, nil
	}
	s, err := procedure.Last(dir)
	if err != nil || s.Status != procedure.Running {
		// nobody works by a journal that cannot be read, and the machines tell what runs on them
		return nil, nil //nolint:nilerr // see above
	}
	return &replica.Doing{What: s.Plan.Kind.Title("en"), Who: s.Plan.By, Since: s.Began, Interrupted: true}, nil
}

// noted looks again where a holder is just taking or freeing the lock.
func noted(dir string) (note gate.Note, busy bool, err error) {
	for range 5 {
		note, busy, err = gate.Busy(dir, gate.Orchestration)
		if err != nil || !busy || note.What != "" {
			break
		}
		time.Sleep(look / 4)
	}
	return note, busy, err
}
