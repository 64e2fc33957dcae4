package supervise

import (
	"context"
	"fmt"
	"sync"
	"time"

	"connecthub/nodeclient/host/bundle"
)

const (
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 30 * time.Second
	// steadyAfter is how long a service must have been up before its restarts count anew.
	steadyAfter = time.Minute
	maxText     = 300
)

// keeper owns one service from its start until it is told to stop: start, readiness, liveness,
// restart with backoff, drain, stop.
type keeper struct {
	sup     *Supervisor
	svc     bundle.Service
	slot    string
	values  bundle.Values
	drain   chan struct{}
	stop    chan struct{}
	done    chan struct{}
	current *process

	mu sync.Mutex
	st Service
}

func newKeeper(s *Supervisor, slot string, svc bundle.Service, values bundle.Values) *keeper {
	return &keeper{sup: s, svc: svc, slot: slot, values: values, drain: make(chan struct{}),
		stop: make(chan struct{}), done: make(chan struct{}),
		st: Service{Name: svc.Name, State: ServiceStarting, Since: s.opts.Now()}}
}

func (k *keeper) askDrain() { k.once(k.drain) }
func (k *keeper) askStop()  { k.once(k.stop) }

func (k *keeper) once(c chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !closed(c) {
		close(c)
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (k *keeper) status() Service {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.st
}

func (k *keeper) set(state ServiceState, detail string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.st.State != state {
		k.st.Since = k.sup.opts.Now()
	}
	k.st.State, k.st.Detail = state, detail[:min(len(detail), maxText)]
	k.st.PID = 0
	if k.current != nil {
		k.st.PID = k.current.PID
	}
}

func (k *keeper) restarted() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.st.Restarts++
}

// ending is why a process is no longer tended.
type ending string

const (
	left       ending = "left" // the supervisor ends; the process stays for the next one
	exited     ending = "exited"
	failing    ending = "failing its checks"
	neverReady ending = "not ready in time"
	askedDrain ending = "asked to drain"
	askedStop  ending = "asked to stop"
)

func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	backoff := firstBackoff
	for {
		begun := k.sup.opts.Now()
		why, detail := k.serve(ctx)
		switch why {
		case left:
			return
		case askedDrain, askedStop:
			k.finish(ctx)
			return
		case exited, failing, neverReady:
		}
		if k.sup.opts.Now().Sub(begun) > steadyAfter {
			backoff = firstBackoff
		}
		k.set(ServiceBackoff, detail)
		k.sup.opts.Log.Warn("service restarts", "service", k.svc.Name, "why", why, "detail", detail)
		if !k.wait(ctx, backoff) {
			if ctx.Err() == nil {
				k.finish(ctx)
			}
			return
		}
		k.restarted()
		backoff = min(2*backoff, maxBackoff)
	}
}

// wait reports false when it was ended by a request or by the supervisor's end.
func (k *keeper) wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-k.drain:
	case <-k.stop:
	}
	return false
}

// serve has one process from its start, or its adoption, to the reason why it is left alone.
func (k *keeper) serve(ctx context.Context) (ending, string) {
	if k.current == nil {
		if closed(k.drain) || closed(k.stop) {
			return askedStop, ""
		}
		p, err := k.start(ctx)
		if err != nil {
			return exited, err.Error()
		}
		k.current = p
		k.sup.started(k.svc.Name, p.handle)
	}
	k.set(ServiceStarting, "")
	why, detail := k.tend(ctx, k.current)
	switch why {
	case exited:
		detail = k.current.outcome()
		k.current.killGroup()
		k.current = nil
	case failing, neverReady:
		detail = fmt.Sprintf("%s: %s", why, detail)
		if !k.end(ctx, k.current) {
			return left, ""
		}
		k.current = nil
	case left, askedDrain, askedStop:
	}
	return why, detail
}

// tend checks a running process until something happens.
func (k *keeper) tend(ctx context.Context, p *process) (ending, string) {
	h := k.svc.Health
	readyBy := time.NewTimer(h.ReadyWithin.D())
	defer readyBy.Stop()
	next := time.NewTimer(0)
	defer next.Stop()
	probeCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan error, 1)
	ready, failures, last := false, 0, "no check has answered yet"
	for {
		select {
		case <-ctx.Done():
			return left, ""
		case <-p.exited:
			return exited, ""
		case <-k.stop:
			return askedStop, ""
		case <-k.drain:
			return askedDrain, ""
		case <-readyBy.C:
			if !ready {
				return neverReady, last
			}
		case <-next.C:
			go func() { results <- k.probe(probeCtx) }()
		case err := <-results:
			next.Reset(h.Interval.D())
			if err == nil {
				ready, failures = true, 0
				k.set(ServiceReady, "")
				continue
			}
			last = err.Error()
			failures++
			switch {
			case !ready:
				k.set(ServiceStarting, last)
			case failures < h.Failures:
			default:
				k.set(ServiceUnhealthy, last)
				return failing, last
			}
		}
	}
}

// holdOn has a process of a slot that cannot be read: neither checked nor started again, only ended.
func (k *keeper) holdOn(ctx context.Context) {
	defer close(k.done)
	k.set(ServiceUnhealthy, "its slot cannot be read any more")
	select {
	case <-ctx.Done():
		return
	case <-k.current.exited:
	case <-k.drain:
	case <-k.stop:
	}
	k.finish(ctx)
}

// finish drains where that was asked for, then ends the process once a stop is asked for.
func (k *keeper) finish(ctx context.Context) {
	if p := k.current; p != nil && !closed(k.stop) {
		k.set(ServiceDraining, "")
		detail := k.drainProcess(ctx, p)
		k.set(ServiceDrained, detail)
	} else if p == nil {
		k.set(ServiceDrained, "")
	}
	select {
	case <-ctx.Done():
		return
	case <-k.stop:
	}
	if k.current != nil && !k.end(ctx, k.current) {
		return
	}
	k.current = nil
	k.set(ServiceStopped, "")
}

// drainProcess returns when the process has drained, has ended, or its deadline has passed.
func (k *keeper) drainProcess(ctx context.Context, p *process) string {
	d := k.svc.Drain
	if d == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, d.Deadline.D())
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() { // a stop that comes in between ends the waiting
		select {
		case <-p.exited:
		case <-k.stop:
		case <-stop:
		}
		cancel()
	}()
	going := true
	var err error
	switch {
	case d.HTTP != nil:
		going, err = k.callDrain(ctx, d.HTTP)
	case d.Signal != "":
		p.signal(signalNumber(d.Signal))
	default:
		going, err = false, k.command(ctx, d.Command)
	}
	if err != nil && !closed(p.exited) {
		k.sup.opts.Log.Warn("drain failed", "service", k.svc.Name, "err", err)
		return err.Error()
	}
	if going {
		<-ctx.Done()
	}
	return ""
}

// end tells the process to end and kills its group after the deadline. It reports false when the
// supervisor ended first; the next one goes on.
func (k *keeper) end(ctx context.Context, p *process) bool {
	k.set(ServiceStopping, "")
	p.signal(signalNumber(k.svc.Stop.Signal))
	t := time.NewTimer(k.svc.Stop.Deadline.D())
	defer t.Stop()
	select {
	case <-p.exited:
	case <-ctx.Done():
		return false
	case <-t.C:
		k.sup.opts.Log.Warn("service killed", "service", k.svc.Name, "pid", p.PID)
		p.killGroup()
		select {
		case <-p.exited:
		case <-ctx.Done():
			return false
		}
	}
	p.killGroup() // what it left behind in its group
	return true
}
