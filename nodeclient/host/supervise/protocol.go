package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

const (
	maxMessage = 64 << 10
	callTime   = 5 * time.Second
)

// Goal is what the supervisor was last told.
type Goal string

// The goals.
const (
	Running  Goal = "running"
	Draining Goal = "draining"
	Stopped  Goal = "stopped"
)

// ServiceState is where one service stands.
type ServiceState string

// The states of a service.
const (
	ServiceStarting  ServiceState = "starting"
	ServiceReady     ServiceState = "ready"
	ServiceUnhealthy ServiceState = "unhealthy" // was ready, fails its checks
	ServiceBackoff   ServiceState = "backoff"   // ended by itself, starts again soon
	ServiceDraining  ServiceState = "draining"
	ServiceDrained   ServiceState = "drained"
	ServiceStopping  ServiceState = "stopping"
	ServiceStopped   ServiceState = "stopped"
)

// Service is one service of the slot.
type Service struct {
	Name     string       `json:"name"`
	State    ServiceState `json:"state"`
	PID      int          `json:"pid,omitempty"`
	Restarts int          `json:"restarts"` // by itself, since the slot was started
	Detail   string       `json:"detail,omitempty"`
	Since    time.Time    `json:"since"`
}

// Status is what a supervisor answers to everything.
type Status struct {
	Slot     string    `json:"slot"`
	Goal     Goal      `json:"goal"`
	Services []Service `json:"services"`
}

func (s Status) all(states ...ServiceState) bool {
	return !slices.ContainsFunc(s.Services, func(v Service) bool {
		return !slices.Contains(states, v.State)
	})
}

// Healthy says whether every service of the slot serves.
func (s Status) Healthy() bool {
	return s.Goal == Running && len(s.Services) > 0 && s.all(ServiceReady)
}

// Drained says whether nothing is left to drain.
func (s Status) Drained() bool { return s.Goal != Running && s.all(ServiceDrained, ServiceStopped) }

// Ended says whether no process of the slot runs any more.
func (s Status) Ended() bool { return s.Goal == Stopped && s.all(ServiceStopped) }

// Restarts counts the restarts of all services.
func (s Status) Restarts() int {
	n := 0
	for _, v := range s.Services {
		n += v.Restarts
	}
	return n
}

// Detail names the first service that does not serve, and why; empty when all do.
func (s Status) Detail() string {
	for _, v := range s.Services {
		switch {
		case v.State == ServiceReady:
		case v.Detail == "":
			return fmt.Sprintf("%s is %s", v.Name, v.State)
		default:
			return fmt.Sprintf("%s is %s: %s", v.Name, v.State, v.Detail)
		}
	}
	return ""
}

// The refusals of a supervisor.
var (
	ErrNotActive = errors.New("the slot is not the active one")
	ErrBusy      = errors.New("services of another start have not ended")
	ErrUnusable  = errors.New("the slot cannot run")
	ErrAway      = errors.New("the supervisor does not answer")
)

type request struct {
	Op   string `json:"op"`
	Slot string `json:"slot,omitempty"`
}

type response struct {
	Code   string `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"`
	Status Status `json:"status"`
}

func codes() map[string]error {
	return map[string]error{"not_active": ErrNotActive, "busy": ErrBusy, "unusable": ErrUnusable}
}

func (s *Supervisor) answer(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	var req request
	if err := json.NewDecoder(io.LimitReader(conn, maxMessage)).Decode(&req); err != nil {
		return
	}
	resp := response{}
	if err := s.do(req); err != nil {
		resp.Code, resp.Detail = "failed", err.Error()
		for code, is := range codes() {
			if errors.Is(err, is) {
				resp.Code = code
			}
		}
	}
	resp.Status = s.Status()
	if err := json.NewEncoder(conn).Encode(resp); err != nil {
		s.opts.Log.Warn("answer not sent", "err", err)
	}
	if req.Op == "shutdown" {
		s.askShutdown()
	}
}

func (s *Supervisor) askShutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.shutdown:
	default:
		close(s.shutdown)
	}
}

func (s *Supervisor) do(req request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch req.Op {
	case "status", "shutdown":
		return nil
	case "start":
		return s.start(req.Slot)
	case "drain":
		if s.saved.Goal != Running {
			return nil
		}
		return s.aim(Draining, (*keeper).askDrain)
	case "stop":
		return s.aim(Stopped, (*keeper).askStop)
	default:
		return fmt.Errorf("unknown operation %.40q", req.Op)
	}
}

// aim makes the goal durable before anything is disturbed.
func (s *Supervisor) aim(goal Goal, ask func(*keeper)) error {
	before := s.saved.Goal
	s.saved.Goal = goal
	if before != goal {
		if err := s.save(); err != nil {
			s.saved.Goal = before
			return err
		}
	}
	for _, k := range s.keepers {
		ask(k)
	}
	return nil
}

func (s *Supervisor) start(slot string) error {
	active, err := s.slots.Active()
	if err != nil {
		return err
	}
	if slot == "" || slot != active {
		return fmt.Errorf("%w: %q, active is %q", ErrNotActive, slot, active)
	}
	if s.saved.Goal == Running && s.saved.Slot == slot && len(s.keepers) > 0 {
		return nil
	}
	for _, k := range s.keepers {
		select {
		case <-k.done:
		default:
			return fmt.Errorf("%w: %s", ErrBusy, k.svc.Name)
		}
	}
	m, values, err := s.load(slot)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	s.saved = saved{Goal: Running, Slot: slot, Boot: s.boot}
	if err := s.save(); err != nil {
		// Starting never waits for the disk: the agent starts it again if this is forgotten.
		s.opts.Log.Error("supervisor state not written", "err", err)
	}
	s.launch(m, values, nil)
	return nil
}

// Status is the present state of goal and services.
func (s *Supervisor) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Slot: s.saved.Slot, Goal: s.saved.Goal, Services: []Service{}}
	for _, k := range s.keepers {
		st.Services = append(st.Services, k.status())
	}
	return st
}

// Client talks to the supervisor of a data folder. Every call answers at once: what takes time is
// seen in a later Status. Repeating a call changes nothing.
type Client struct{ Dir string }

// Status asks how things are.
func (c Client) Status(ctx context.Context) (Status, error) {
	return c.call(ctx, request{Op: "status"})
}

// Start runs the active slot; it refuses another one with ErrNotActive.
func (c Client) Start(ctx context.Context, slot string) (Status, error) {
	return c.call(ctx, request{Op: "start", Slot: slot})
}

// Drain asks every service to finish what it has.
func (c Client) Drain(ctx context.Context) (Status, error) { return c.call(ctx, request{Op: "drain"}) }

// Stop ends every service gracefully, by force after its deadline.
func (c Client) Stop(ctx context.Context) (Status, error) { return c.call(ctx, request{Op: "stop"}) }

// Shutdown ends every service and then the supervisor. The next one starts them again.
func (c Client) Shutdown(ctx context.Context) (Status, error) {
	return c.call(ctx, request{Op: "shutdown"})
}

func (c Client) call(ctx context.Context, req request) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", Socket(c.Dir))
	if err != nil {
		return Status{}, fmt.Errorf("%w: %w", ErrAway, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	var resp response
	err = json.NewEncoder(conn).Encode(req)
	if err == nil {
		err = json.NewDecoder(io.LimitReader(conn, maxMessage)).Decode(&resp)
	}
	if err != nil {
		return Status{}, fmt.Errorf("%w: %w", ErrAway, err)
	}
	if resp.Code == "" {
		return resp.Status, nil
	}
	if is, ok := codes()[resp.Code]; ok {
		return resp.Status, fmt.Errorf("cannot %s: %w: %s", req.Op, is, resp.Detail)
	}
	return resp.Status, fmt.Errorf("cannot %s: %s", req.Op, resp.Detail)
}
