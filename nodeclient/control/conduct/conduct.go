// Package conduct goes through a procedure: it lets the plan say what may be begun, writes each step
// down before and after it, and asks a machine what is before it does anything a second time. It knows
// machines by their drivers only.
package conduct

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/target"
)

// Book is where a procedure is written down: a *procedure.Journal, or one that ends the process in the
// middle.
type Book interface {
	State() procedure.State
	Add(e procedure.Event) (procedure.State, error)
}

// Conductor is what a procedure needs to go on.
type Conductor struct {
	Journal Book
	Open    func(procedure.Host) (target.Machine, error) // the driver of a machine
	Local   func(target.File) string                     // where a file is on this node
	Now     func() time.Time
	Log     *slog.Logger
	// Turn is asked before each step that disturbs a machine: an error leaves the machine as it is. It may
	// be nil.
	Turn func(ctx context.Context) error
	// Stage is told when a stage has ended; it may be nil.
	Stage func(s procedure.State, stage int)

	mu       sync.Mutex
	machines map[string]target.Machine
}

// ErrStopped says that a machine failed, and that nothing more was begun.
var ErrStopped = errors.New("the procedure stopped at the first failure")

// Run goes on until all is done or the first failure: then only machines that are disturbed already are
// brought to their end. When the context ends it leaves everything as it is, to be resumed.
func (c *Conductor) Run(ctx context.Context) error {
	c.machines = map[string]target.Machine{}
	defer c.close()
	ended := make(chan result)
	active := map[int]bool{}
	stage := c.stage()
	var broken error
	for {
		s := c.Journal.State()
		if ctx.Err() == nil && broken == nil {
			for _, i := range s.Next(active) {
				active[i] = true
				go func() { ended <- result{i, c.task(ctx, i)} }()
			}
		}
		if len(active) == 0 {
			break
		}
		r := <-ended
		delete(active, r.task)
		if r.err != nil && !errors.Is(r.err, errFailed) {
			broken = errors.Join(broken, r.err)
		}
		if now := c.stage(); now != stage && c.Stage != nil {
			c.Stage(c.Journal.State(), stage)
			stage = now
		}
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case broken != nil:
		return broken
	}
	return c.end()
}

func (c *Conductor) end() error {
	s, err := c.Journal.Add(procedure.Event{At: c.Now(), What: procedure.Ended})
	if err == nil && s.Status == procedure.Failed {
		err = ErrStopped
	}
	return err
}

type result struct {
	task int
	err  error
}

// stage is the first one that is not finished.
func (c *Conductor) stage() int {
	s := c.Journal.State()
	for i, t := range s.Tasks {
		if t.Status != procedure.Done {
			return s.Plan.Tasks[i].Stage
		}
	}
	return len(s.Plan.Stages)
}

// machine is opened once; its peers' checks use the same connection.
func (c *Conductor) machine(h procedure.Host) (target.Machine, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m, ok := c.machines[h.Name]; ok {
		return m, nil
	}
	m, err := c.Open(h)
	if err == nil {
		c.machines[h.Name] = m
	}
	return m, err
}

// release closes a machine that is done: many machines are not connected to all at once.
func (c *Conductor) release(h procedure.Host) {
	c.mu.Lock()
	m := c.machines[h.Name]
	delete(c.machines, h.Name)
	c.mu.Unlock()
	if m != nil {
		m.Close()
	}
}

func (c *Conductor) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.machines {
		m.Close()
	}
}
