package commands

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/procedure"
)

const lookEvery = 150 * time.Millisecond

// startWorker starts a procedure's worker apart from this session.
func startWorker(s *console.Session, hold *gate.Hold, id string, resume bool) error {
	args := []string{"utils", "deployment", "conduct", "--dir", s.Dir, "--by", s.Who, id}
	if resume {
		args = append(args, "--resume")
	}
	return detach(s, hold, args...)
}

// detach starts this program apart from this session: it has the lock, and outlives the terminal.
func detach(s *console.Session, hold *gate.Hold, args ...string) error {
	self, err := s.Self()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	none, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cannot start a worker: %w", err)
	}
	defer none.Close()
	cmd := exec.Command(self, args...) //nolint:noctx // it outlives this session
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = none, none, none
	cmd.ExtraFiles = []*os.File{hold.File()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start a worker: %w", err)
	}
	hold.Leave()
	go func() { _ = cmd.Wait() }() // so that a shell that goes on leaves no dead process
	return nil
}

// endsWithin is how often the lock is looked at after a procedure's end: whoever waited for it can begin the
// next one then.
const endsWithin = int(10 * time.Second / lookEvery)

// followProcedure shows a procedure until it ends, or until this session does: the procedure goes on.
func followProcedure(s *console.Session, id string, shown int, asJSON bool) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	watch := procedure.NewWatch(s.Dir, id)
	before, worker, ended := shown, gate.Note{}, 0
	for {
		note, busy, err := gate.Busy(s.Dir, gate.Orchestration)
		if err != nil {
			return err
		}
		if worker.What == "" {
			worker = note
		}
		// What is read now is all that there is, if its worker has let go of the lock.
		if err := watch.Look(); err != nil {
			return err
		}
		for _, e := range watch.Events[min(shown, len(watch.Events)):] {
			showEvent(s, watch.State, e)
		}
		shown = max(shown, len(watch.Events))
		if len(watch.Events) > before && watch.State.Status != procedure.Running {
			ended++
		}
		if !busy || ended > endsWithin || !sameHolder(note, worker) {
			return outcome(s, watch.State, asJSON)
		}
		select {
		case <-s.Ctx.Done():
			s.Note("The procedure goes on; see: utils deployment show in-progress")
			return s.Ctx.Err()
		case <-tick.C:
		}
	}
}

// sameHolder says whether a lock is still its first holder's. A note that is being written says nothing.
func sameHolder(a, b gate.Note) bool {
	return a.What == "" || a.What == b.What && a.Who == b.Who && a.Since.Equal(b.Since)
}

func showEvent(s *console.Session, state procedure.State, e procedure.Event) {
	at := e.At.In(s.Now().Location()).Format(time.TimeOnly)
	elapsed := console.Span(e.At.Sub(state.Began), s.Lang)
	switch e.What {
	case procedure.Resumed:
		s.Note("%s  resumed by %s", at, e.By)
		return
	case procedure.Ended, procedure.GivenUp:
		return
	}
	t := state.Plan.Tasks[e.Task]
	text := map[string]string{procedure.Begun: "…", procedure.Finished: "done", procedure.Broke: "FAILED"}[e.What]
	s.Note("%s  [%s]  %s: %s %s", at, elapsed, t.Name, t.Steps[e.Step],
		strings.TrimSpace(text+" "+e.Said(s.Lang)))
}

// taskView is one machine of a procedure.
type taskView struct {
	Name    string            `json:"name"`
	Product inventory.Product `json:"product"`
	Group   string            `json:"group"`
	Side    inventory.Side    `json:"side"`
	Stage   int               `json:"stage"`
	Status  procedure.Status  `json:"status"`
	Step    string            `json:"step,omitempty"`
	From    compat.Version    `json:"from"`
	To      compat.Version    `json:"to"`
	Code    string            `json:"code,omitempty"`
	Detail  string            `json:"detail,omitempty"`
	Elapsed string            `json:"elapsed,omitempty"`
	took    time.Duration
}

// procedureView is a procedure as scripts read it.
type procedureView struct {
	ID          string              `json:"id"`
	Kind        procedure.Kind      `json:"kind"`
	Status      procedure.Status    `json:"status"`
	Interrupted bool                `json:"interrupted"` // nobody works on it, and it is not done
	By          string              `json:"by"`
	Began       time.Time           `json:"began"`
	Ended       time.Time           `json:"ended,omitzero"`
	Runs        int                 `json:"runs"`
	Nodes       []taskView          `json:"nodes"`
	Remaining   []string            `json:"remaining"`
	Dropped     []procedure.Dropped `json:"dropped"`
}

func procedureViewOf(s *console.Session, state procedure.State, busy bool) procedureView {
	v := procedureView{ID: state.Plan.ID, Kind: state.Plan.Kind, Status: state.Status, By: state.Plan.By,
		Interrupted: state.Status == procedure.Running && !busy, Began: state.Began, Ended: state.Ended,
		Runs: state.Runs, Nodes: []taskView{}, Remaining: append([]string{}, state.Remaining()...),
		Dropped: append([]procedure.Dropped{}, state.Plan.Dropped...)}
	for i, d := range v.Dropped {
		v.Dropped[i].Why = d.Said(s.Lang)
	}
	for i, t := range state.Tasks {
		task := state.Plan.Tasks[i]
		n := taskView{Name: task.Name, Product: task.Product, Group: task.Group, Side: task.Side,
			Stage: state.Plan.Stages[task.Stage].Number, Status: t.Status, From: t.From, To: t.To, Code: t.Code,
			Detail: t.Said(s.Lang)}
		if n.To.IsZero() {
			n.To = task.To
		}
		if t.Step < len(task.Steps) && t.Status != procedure.Pending {
			n.Step = task.Steps[t.Step].String()
		}
		end := t.Ended
		if end.IsZero() {
			end = s.Now()
		}
		if !t.Began.IsZero() && !end.Before(t.Began) {
			n.took = end.Sub(t.Began)
			n.Elapsed = n.took.Round(time.Second).String()
		}
		v.Nodes = append(v.Nodes, n)
	}
	return v
}

// outcome tells how it ended.
func outcome(s *console.Session, state procedure.State, asJSON bool) error {
	if asJSON {
		if err := s.JSON(procedureViewOf(s, state, false)); err != nil {
			return err
		}
	} else {
		tell(s, state, false)
	}
	return verdict(state)
}

func verdict(state procedure.State) error {
	left := strings.Join(state.Remaining(), ", ")
	switch state.Status {
	case procedure.Failed:
		return console.Refuse("procedure_failed", "the procedure stopped at the first failure; what remains: %s. "+
			"When it is put right: utils deployment resume", "最初の失敗で停止しました。残り: %s。"+
			"解消後に utils deployment resume を実行してください", left)
	case procedure.Running:
		return console.Refuse("procedure_interrupted", "the procedure was interrupted; what remains: %s. Go on "+
			"with: utils deployment resume", "手順が中断されました。残り: %s。utils deployment resume で再開できます", left)
	case procedure.Pending, procedure.Done, procedure.Abandoned:
	}
	return nil
}

// tell is a procedure as a person reads it.
func tell(s *console.Session, state procedure.State, busy bool) {
	v := procedureViewOf(s, state, busy)
	status := string(v.Status)
	if v.Interrupted {
		status = "interrupted"
	}
	s.Say("%s (%s), by %s, begun %s: %s", state.Plan.Kind.Title(s.Lang), v.ID, v.By,
		s.Moment(v.Began), status)
	for _, n := range v.Nodes {
		versions := n.From.String()
		if !n.To.IsZero() && n.To != n.From {
			versions += " → " + n.To.String()
		}
		line := fmt.Sprintf("  %s (%s, side %s)  %s  %s", n.Name, n.Product, n.Side, versions, n.Status)
		if n.Step != "" {
			line += "  " + n.Step
		}
		if n.Elapsed != "" {
			line += "  " + console.Span(n.took, s.Lang)
		}
		if n.Detail != "" {
			line += "  " + n.Detail
		}
		s.Say("%s", line)
	}
	if !v.Ended.IsZero() {
		s.Say("Ended %s, after %s.", s.Moment(v.Ended), console.Span(v.Ended.Sub(v.Began), s.Lang))
	}
}
