package vos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/supervise"
)

const (
	lookEvery = 50 * time.Millisecond
	slack     = 20 * time.Second
	hopeless  = 2 // starts that came to nothing
)

func (m *Machine) ensure(ctx context.Context) error {
	return supervise.Ensure(ctx, m.dir, []string{m.Program, "supervise", "--dir", m.dir})
}

// waits are how long the services of a slot may take, as their manifest says.
type waits struct{ drain, stop, ready, soak time.Duration }

func waitsOf(manifest bundle.Manifest) waits {
	w := waits{soak: manifest.Soak.D()}
	for _, s := range manifest.Services {
		if s.Drain != nil {
			w.drain = max(w.drain, s.Drain.Deadline.D())
		}
		w.stop = max(w.stop, s.Stop.Deadline.D())
		w.ready = max(w.ready, s.Health.ReadyWithin.D())
	}
	return w
}

// await looks until what holds or the time is over; the last status explains why not.
func (m *Machine) await(ctx context.Context, limit time.Duration, what func(supervise.Status) bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var last supervise.Status
	for {
		status, err := supervise.Client{Dir: m.dir}.Status(ctx)
		if err == nil {
			if what(status) {
				return nil
			}
			last = status
		}
		select {
		case <-ctx.Done():
			if detail := last.Detail(); detail != "" {
				return errors.New(vosapi.Plain(detail))
			}
			return fmt.Errorf("nothing happened within %s", limit)
		case <-tick.C:
		}
	}
}

// halt ends the services of what is active gracefully: told, drained, stopped, and by force only after
// their own deadlines.
func (m *Machine) halt(ctx context.Context, s side) error {
	if s.top() == "" {
		return nil
	}
	if err := m.ensure(ctx); err != nil {
		return err
	}
	client := supervise.Client{Dir: m.dir}
	status, err := client.Drain(ctx)
	if err != nil {
		return err
	}
	w := waits{stop: slack}
	if manifest, err := m.slots.Manifest(status.Slot); err == nil {
		w = waitsOf(manifest)
	}
	// what has not drained in its own time is stopped all the same
	_ = m.await(ctx, w.drain+slack, supervise.Status.Drained)
	if _, err := client.Stop(ctx); err != nil {
		return err
	}
	return m.await(ctx, w.stop+slack, supervise.Status.Ended)
}

// run starts the services of what is active and waits until they have served for their soak.
func (m *Machine) run(ctx context.Context, s side) error {
	if s.top() == "" {
		return nil
	}
	manifest, err := m.slots.Manifest(s.top())
	if err != nil {
		return err
	}
	if err := m.ensure(ctx); err != nil {
		return err
	}
	if _, err := (supervise.Client{Dir: m.dir}).Start(ctx, s.top()); err != nil {
		return err
	}
	w := waitsOf(manifest)
	gaveUp := false
	err = m.await(ctx, w.ready+slack, func(status supervise.Status) bool {
		gaveUp = status.Restarts() >= hopeless
		return gaveUp || status.Healthy()
	})
	switch {
	case err != nil:
		return err
	case gaveUp:
		return fmt.Errorf("it ended or did not serve %d times", hopeless)
	}
	return m.soak(ctx, w.soak)
}

// soak refuses a version that serves, and then does not.
func (m *Machine) soak(ctx context.Context, limit time.Duration) error {
	over := time.NewTimer(limit)
	defer over.Stop()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-over.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			status, err := supervise.Client{Dir: m.dir}.Status(ctx)
			if err == nil && !status.Healthy() {
				return fmt.Errorf("it stopped serving after its start: %s",
					vosapi.Plain(status.Detail()))
			}
		}
	}
}

// shutdown ends the services and their supervisor, as before a restart of the machine.
func (m *Machine) shutdown(ctx context.Context, s side) error {
	if err := m.halt(ctx, s); err != nil {
		return err
	}
	if _, err := (supervise.Client{Dir: m.dir}).Shutdown(ctx); err != nil &&
		!errors.Is(err, supervise.ErrAway) {
		return err
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if _, err := (supervise.Client{Dir: m.dir}).Status(ctx); errors.Is(err, supervise.ErrAway) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
