package procedure

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"connecthub/models/compat"
	"connecthub/nodeclient/control/target"
)

// Status is how a task or a procedure stands.
type Status string

// The statuses.
const (
	Pending   Status = "pending"
	Running   Status = "running"
	Done      Status = "done"
	Failed    Status = "failed"
	Abandoned Status = "abandoned" // of a procedure
)

// What an event says.
const (
	Begun    = "begun"    // a step, before anything is done
	Finished = "finished" // a step
	Broke    = "failed"   // a step
	Noted    = "note"     // about a step under way
	Resumed  = "resumed"  // the procedure
	Ended    = "ended"    // the procedure: all done, or stopped at a failure
	GivenUp  = "abandoned"
)

// Event is one line of the journal.
type Event struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	Task int       `json:"task"`
	Step int       `json:"step"`
	Boot string    `json:"boot,omitempty"` // of the machine, when the step began
	// Disturbs: Begun of a step that usually disturbs nothing, and does now.
	Disturbs bool           `json:"disturbs,omitempty"`
	From     compat.Version `json:"from,omitzero"`     // what was found
	To       compat.Version `json:"to,omitzero"`       // what is there now
	Wants    bool           `json:"restart,omitempty"` // the machine asks for a restart
	All      bool           `json:"all,omitempty"`     // Finished: nothing is left to do on this machine
	Final    bool           `json:"final,omitempty"`   // Broke: the machine said so; else the end is unknown
	Code     string         `json:"code,omitempty"`
	About    []string       `json:"about,omitempty"`  // what the code's sentence is about
	Detail   string         `json:"detail,omitempty"` // in English, or what a machine wrote
	By       string         `json:"by,omitempty"`
}

// TaskState is how far one machine is.
type TaskState struct {
	Status   Status         `json:"status"`
	Step     int            `json:"step"`  // the one under way, or the next
	Begun    bool           `json:"begun"` // the step is under way
	Attempt  int            `json:"attempt"`
	Disturbs bool           `json:"disturbs"` // it may not serve, because of us
	Boot     string         `json:"boot,omitempty"`
	Wants    bool           `json:"restart,omitempty"`
	Back     bool           `json:"back,omitempty"` // what was done is gone through again: it may be there
	From     compat.Version `json:"from"`
	To       compat.Version `json:"to"`
	Code     string         `json:"code,omitempty"`
	About    []string       `json:"about,omitempty"`
	Detail   string         `json:"detail,omitempty"`
	Began    time.Time      `json:"began,omitzero"`
	Ended    time.Time      `json:"ended,omitzero"`
	final    bool
}

// Said is what there is to say of a machine, in the reader's language.
func (t TaskState) Said(language string) string {
	return target.Reason{Code: t.Code, About: t.About}.Say(language, t.Detail)
}

// Said is what there is to say of an event, in the reader's language.
func (e Event) Said(language string) string {
	return target.Reason{Code: e.Code, About: e.About}.Say(language, e.Detail)
}

// State is a plan and how far it is.
type State struct {
	Plan   Plan        `json:"plan"`
	Tasks  []TaskState `json:"tasks"`
	Status Status      `json:"status"` // Running also where its worker is gone: see Interrupted
	Began  time.Time   `json:"began"`
	Ended  time.Time   `json:"ended,omitzero"`
	Runs   int         `json:"runs"`
	Events int         `json:"-"`
}

// Begin is a plan of which nothing is done yet.
func Begin(p Plan) (State, error) {
	if err := p.Check(); err != nil {
		return State{}, fmt.Errorf("cannot begin: %w", err)
	}
	s := State{Plan: p, Status: Running, Began: p.Created, Runs: 1, Tasks: make([]TaskState, len(p.Tasks))}
	for i, t := range p.Tasks {
		s.Tasks[i] = TaskState{Status: Pending, Attempt: 1, From: t.From}
	}
	return s, nil
}

// ErrPair says that a machine would be disturbed beside another one of its pair or cluster, or of the
// other side.
var ErrPair = errors.New("another machine of its pair, cluster or product is being worked on")

// ErrOrder says that an event does not follow what is there.
var ErrOrder = errors.New("out of order")

// Apply answers the state after an event, and refuses an event that breaks a rule: who keeps the journal
// by it cannot do what may not be.
func (s State) Apply(e Event) (State, error) {
	next := s
	next.Tasks = slices.Clone(s.Tasks)
	next.Events++
	switch e.What {
	case Resumed:
		return next, next.resume()
	case GivenUp:
		if s.Status == Done || s.Status == Abandoned {
			return s, fmt.Errorf("%w: it has ended", ErrOrder)
		}
		next.Status, next.Ended = Abandoned, e.At
		return next, nil
	case Ended:
		next.Status, next.Ended = s.verdict(), e.At
		if next.Status == Running {
			return s, fmt.Errorf("%w: machines are being worked on", ErrOrder)
		}
		return next, nil
	}
	if s.Status != Running || e.Task < 0 || e.Task >= len(s.Tasks) {
		return s, fmt.Errorf("%w: %s", ErrOrder, e.What)
	}
	return next, next.step(e)
}

// resume lets what failed be tried again.
func (s *State) resume() error {
	if s.Status == Done || s.Status == Abandoned {
		return fmt.Errorf("%w: it has ended", ErrOrder)
	}
	s.Status, s.Ended = Running, time.Time{}
	s.Runs++
	for i := range s.Tasks {
		t := &s.Tasks[i]
		if t.Status != Failed {
			continue
		}
		if t.final { // the machine has forgotten nothing: the same id would answer the same failure
			t.Attempt++
		}
		t.Status, t.Code, t.About, t.Detail, t.Ended = Running, "", nil, "", time.Time{}
		if t.final {
			t.back(s.Plan.Tasks[i].Steps)
		}
		t.final = false
	}
	return nil
}

// back goes to where a machine is tried again after its own word that it failed: to the file, which it
// may have dropped, or to the first thing that was done to it.
func (t *TaskState) back(steps []Step) {
	first := slices.IndexFunc(steps, func(s Step) bool { return s.Do != Check })
	if t.Step < first {
		return
	}
	t.Step, t.Begun, t.Back = first, false, true
	if !t.Wants { // else the restart that was asked for in that boot is still to come
		t.Boot = ""
	}
}

// verdict is how the procedure stands when nobody works on it any more.
func (s State) verdict() Status {
	switch {
	case s.failed():
		return Failed
	case len(s.Remaining()) > 0:
		return Running
	}
	return Done
}

func (s *State) step(e Event) error {
	t, task := &s.Tasks[e.Task], s.Plan.Tasks[e.Task]
	wrong := fmt.Errorf("%w: %s of step %d of %s", ErrOrder, e.What, e.Step, task.Name)
	if e.Step != t.Step || e.Step >= len(task.Steps) {
		return wrong
	}
	switch e.What {
	case Begun:
		return s.begin(e, t, task, wrong)
	case Finished:
		if t.Status != Running || !t.Begun {
			return wrong
		}
		t.finish(e, task.Steps)
	case Broke:
		if t.Status != Running {
			return wrong
		}
		t.Status, t.Code, t.About, t.Detail = Failed, e.Code, e.About, e.Detail
		t.Ended, t.final = e.At, e.Final
	case Noted:
		t.Code, t.About, t.Detail = e.Code, e.About, e.Detail
	default:
		return wrong
	}
	return nil
}

// begin refuses to disturb a machine while another one, from which it is kept apart, is not whole.
func (s *State) begin(e Event, t *TaskState, task Task, wrong error) error {
	if t.Status != Pending && t.Status != Running {
		return wrong
	}
	disturbs := e.Disturbs || task.Steps[e.Step].Disturbs(task.Product)
	if s.failed() && !t.Disturbs && disturbs {
		return fmt.Errorf("%w: another machine has failed", ErrOrder)
	}
	if disturbs {
		for i, other := range s.Tasks {
			if i != e.Task && other.Disturbs && s.Plan.Tasks[i].Apart(task) {
				return fmt.Errorf("%w: %s, and %s", ErrPair, task.Name, s.Plan.Tasks[i].Name)
			}
		}
		t.Disturbs = true
	}
	if t.Began.IsZero() {
		t.Began = e.At
	}
	t.Status, t.Begun, t.Code, t.About, t.Detail = Running, true, "", nil, ""
	if e.Boot != "" {
		t.Boot = e.Boot
	}
	return nil
}

func (t *TaskState) finish(e Event, steps []Step) {
	restarted := steps[t.Step].Do == Restart
	t.Begun, t.Step, t.Code, t.About, t.Detail = false, t.Step+1, e.Code, e.About, e.Detail
	t.Wants = !restarted && (t.Wants || e.Wants)
	if !e.From.IsZero() {
		t.From = e.From
	}
	if !e.To.IsZero() {
		t.To = e.To
	}
	if t.Step == len(steps) || e.All {
		t.Status, t.Step, t.Ended, t.Disturbs = Done, len(steps), e.At, false
	}
}

func (s State) failed() bool {
	return slices.ContainsFunc(s.Tasks, func(t TaskState) bool { return t.Status == Failed })
}

// Next answers which machines may be begun or gone on with now, in the order of the plan; active are
// those that are being worked on. After a failure only those go on that are disturbed already.
func (s State) Next(active map[int]bool) []int {
	if s.Status != Running {
		return nil
	}
	stopped, stage := s.failed(), s.stage()
	var next []int
	for _, unfinished := range []bool{true, false} {
		for i, t := range s.Tasks {
			if len(active)+len(next) >= s.Plan.Parallel {
				return next
			}
			halfDone := t.Status == Running
			if active[i] || halfDone != unfinished || t.Status != Running && t.Status != Pending ||
				s.Plan.Tasks[i].Stage != stage || stopped && !t.Disturbs || !s.turn(i, active, next) {
				continue
			}
			next = append(next, i)
		}
	}
	return next
}

// stage is the first one that is not finished.
func (s State) stage() int {
	for i, t := range s.Tasks {
		if t.Status != Done {
			return s.Plan.Tasks[i].Stage
		}
	}
	return len(s.Plan.Stages)
}

// turn says whether nobody from whom it is kept apart is being worked on, left half done, or due before.
func (s State) turn(i int, active map[int]bool, next []int) bool {
	for j, other := range s.Tasks {
		if j == i || !s.Plan.Tasks[j].Apart(s.Plan.Tasks[i]) {
			continue
		}
		if active[j] || slices.Contains(next, j) || other.Status == Failed ||
			other.Status == Running && s.Tasks[i].Status != Running || j < i && other.Status != Done {
			return false
		}
	}
	return true
}

// Remaining are the machines that are not done, in the order of the plan.
func (s State) Remaining() []string {
	var names []string
	for i, t := range s.Tasks {
		if t.Status != Done {
			names = append(names, s.Plan.Tasks[i].Name)
		}
	}
	return names
}

// Open says whether something may still be done: it runs, its worker is gone, or it stopped.
func (s State) Open() bool { return s.Status == Running || s.Status == Failed }

// Counts answers how many machines are done, failed and left.
func (s State) Counts() (done, failed, left int) {
	for _, t := range s.Tasks {
		switch t.Status {
		case Done:
			done++
		case Failed:
			failed++
		case Pending, Running, Abandoned:
			left++
		}
	}
	return done, failed, left
}
