package commands

import (
	"errors"
	"time"

	"connecthub/nodeclient/control/catalogue"
	"connecthub/nodeclient/control/conduct"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/deployment"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/logs"
	"connecthub/nodeclient/control/mail"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/target"
)

// lockFile is the descriptor at which a worker has its lock: the first after the standard ones.
const lockFile = 3

// conductCommand is the worker itself; people never call it.
type conductCommand struct {
	ID     string `arg:"" help:"The procedure."`
	By     string `help:"Who begins it."`
	Resume bool   `help:"Go on with what was interrupted or has failed."`
}

// Run goes through a procedure under the lock that it was handed.
func (c conductCommand) Run(s *console.Session) error {
	hold, err := gate.Inherit(s.Dir, lockFile, gate.Orchestration)
	if err != nil {
		return err
	}
	post := newPost(s)
	defer post.end() // after the lock is free: a mail server that hangs holds nobody up
	defer hold.Release()
	log := logs.To(s.Dir, logs.Procedure).With("procedure", c.ID)
	j, err := procedure.Open(s.Dir, c.ID)
	if err != nil {
		log.Error("cannot begin", "error", err)
		return err
	}
	defer func() { _ = j.Close() }() // every line was synced when it was written
	if c.Resume {
		if _, err := j.Add(procedure.Event{At: s.Now(), What: procedure.Resumed, By: c.By}); err != nil {
			return err
		}
	}
	err = c.conduct(s, j, post)
	state := j.State()
	done, failed, left := state.Counts()
	log.Info("ended", "kind", state.Plan.Kind, "status", state.Status, "done", done, "failed", failed,
		"left", left, "error", err)
	if state.Status != procedure.Running {
		post.tell(state, -1)
	}
	return err
}

func (c conductCommand) conduct(s *console.Session, j *procedure.Journal, post *post) error {
	d, err := deployment.Open(s.Dir, s.Now)
	if err != nil {
		return err
	}
	open, err := d.Driver(s.Ctx)
	if err != nil {
		return err
	}
	log := logs.To(s.Dir, logs.Procedure).With("procedure", c.ID)
	turn, err := watch(s)
	if err != nil {
		return err
	}
	run := &conduct.Conductor{Journal: &written{j, log}, Open: open, Now: s.Now, Log: log, Turn: turn,
		Local: func(f target.File) string { return catalogue.Local(s.Dir, f.SHA256, f.Path) },
		Stage: func(state procedure.State, stage int) {
			log.Info("stage ended", "stage", stageName(state.Plan.Stages[stage]))
			post.tell(state, stage)
		}}
	err = run.Run(s.Ctx)
	if errors.Is(err, conduct.ErrStopped) {
		return nil
	}
	return err
}

// post delivers letters beside a procedure, which waits for no mail server.
type post struct {
	*console.Session
	box         *mail.Box // nil where there is none
	wake, ended chan struct{}
}

func newPost(s *console.Session) *post {
	p := &post{Session: s, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	var err error
	if p.box, err = mailBox(s); err != nil {
		p.box = nil
		p.failed("cannot open the outbox", err)
	}
	go p.run()
	return p
}

func (p *post) failed(what string, err error) {
	logs.To(p.Dir, logs.Mail).Warn(what, "error", err)
}

func (p *post) run() {
	defer close(p.ended)
	for range p.wake {
		if err := p.box.Deliver(p.Ctx); err != nil {
			p.failed("mail waits", err)
		}
	}
}

// end waits for the letters that are on their way; what cannot be delivered stays in the outbox.
func (p *post) end() {
	close(p.wake)
	<-p.ended
}

// tell writes a letter about a stage, or (-1) about all of it. A letter that cannot be written stops
// nothing.
func (p *post) tell(state procedure.State, stage int) {
	letter, ok := letterOf(state, stage, p.Now)
	if !ok || p.box == nil {
		return
	}
	if err := p.box.Procedure(letter); err != nil {
		p.failed("cannot tell of a procedure", err)
		return
	}
	select {
	case p.wake <- struct{}{}:
	default: // it is to look again already
	}
}

// letterOf is what subscribers are told of a stage, or (-1) of all of it, if anything.
func letterOf(state procedure.State, stage int, now func() time.Time) (letter mail.Procedure, ok bool) {
	p := state.Plan
	if !p.Kind.Mailed() || stage >= 0 && len(p.Stages) < 2 { // the letter about all of it says the same
		return letter, false
	}
	kind := map[procedure.Kind]mail.Kind{procedure.Upgrade: mail.Upgrade, procedure.Rollback: mail.Rollback,
		procedure.SwitchForward: mail.SwitchForward}[p.Kind]
	letter = mail.Procedure{Kind: kind, DeploymentName: p.DeploymentName, Started: state.Began, Ended: state.Ended,
		By: p.By}
	if stage >= 0 {
		letter.Stage, letter.Stages, letter.Ended = stage+1, len(p.Stages), now()
	}
	for i, t := range state.Tasks {
		task := p.Tasks[i]
		if stage >= 0 && task.Stage != stage {
			continue
		}
		to := t.To
		if to.IsZero() {
			to = task.To
		}
		status := map[procedure.Status]mail.Status{procedure.Done: mail.Succeeded, procedure.Failed: mail.Failed}[t.Status]
		if status == "" {
			status = mail.NotStarted
		}
		letter.Nodes = append(letter.Nodes, mail.Node{Machine: task.Name, Product: string(task.Product),
			From: t.From.String(), To: to.String(), Status: status, Note: t.Said})
	}
	return letter, true
}
