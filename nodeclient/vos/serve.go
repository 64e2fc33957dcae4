package vos

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/host/supervise"
)

// filesDeadline is how long one SFTP session may take.
const filesDeadline = 6 * time.Hour

// ErrCommand says that something else was asked for than this program answers.
var ErrCommand = errors.New("only a control node's own commands are answered here")

// fileCommands are what sshd passes on where a client asks for SFTP: our own word, and what the common
// configurations name for the subsystem.
func fileCommands() []string {
	return []string{vosapi.CommandFiles, "internal-sftp", "/usr/lib/openssh/sftp-server",
		"/usr/libexec/openssh/sftp-server", "/usr/libexec/sftp-server", "/usr/lib/ssh/sftp-server",
		"/usr/lib/sftp-server"}
}

// Serve answers what came through a forced command. What was asked for is only ever compared with
// constants.
func (m *Machine) Serve(ctx context.Context, peer Peer, asked string, stream io.ReadWriteCloser) error {
	switch {
	case asked == vosapi.Command:
		return m.serveOne(ctx, peer, stream)
	case peer == Control && slices.Contains(fileCommands(), asked):
		ctx, cancel := context.WithTimeout(ctx, filesDeadline)
		defer cancel()
		return m.serveFiles(ctx, stream)
	}
	return ErrCommand
}

// serveOne reads one request and writes one answer, a refusal too.
func (m *Machine) serveOne(ctx context.Context, peer Peer, stream io.ReadWriteCloser) error {
	late := time.AfterFunc(vosapi.Ping.Deadline(), func() { _ = stream.Close() })
	q, err := vosapi.ReadRequest(stream)
	if !late.Stop() {
		return context.DeadlineExceeded
	}
	a := vosapi.Answer{Protocol: vosapi.Protocol}
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, q.Verb.Deadline())
		defer cancel()
		err = m.answer(ctx, peer, q, &a)
	}
	if err != nil {
		var refusal *vosapi.Refusal
		if !errors.As(err, &refusal) {
			m.log.ErrorContext(ctx, "cannot answer a control node", "verb", q.Verb, "error", err)
			refusal = &vosapi.Refusal{Code: vosapi.Internal, Detail: vosapi.Plain(err.Error())}
		}
		a = vosapi.Answer{Protocol: vosapi.Protocol, Code: refusal.Code,
			Detail: vosapi.Plain(refusal.Detail), Operation: a.Operation}
	}
	return vosapi.Write(stream, a)
}

// may says what a peer may ask for.
func (p Peer) may(v vosapi.Verb) bool {
	switch p {
	case Control:
		return v != vosapi.PutKeys
	case Cluster:
		return v == vosapi.Ping || v == vosapi.GetFacts || v == vosapi.PutKeys
	}
	return false
}

func (m *Machine) answer(ctx context.Context, peer Peer, q vosapi.Request, a *vosapi.Answer) error {
	if !peer.may(q.Verb) {
		return &vosapi.Refusal{Code: vosapi.NotAllowed}
	}
	var err error
	switch q.Verb {
	case vosapi.Ping:
		var p vosapi.Pong
		p, err = m.Pong()
		a.Ping = &p
	case vosapi.GetFacts:
		var f vosapi.Facts
		f, err = m.Facts(ctx)
		a.Facts = &f
	case vosapi.PutFile:
		var p vosapi.Put
		p, err = m.put(*q.File)
		a.Put = &p
	case vosapi.PutDone:
		var p vosapi.Put
		p, err = m.putDone(ctx, *q.File)
		a.Put = &p
	case vosapi.Maintenance:
		err = m.maintain(ctx, *q.Enter)
	case vosapi.PutKeys:
		err = m.PutKeys(*q.Keys)
	case vosapi.Start, vosapi.Status, vosapi.Cancel:
		var o vosapi.Operation
		o, err = m.operate(q)
		if o.ID != "" {
			a.Operation = &o
		}
	}
	return err
}

func (m *Machine) operate(q vosapi.Request) (vosapi.Operation, error) {
	switch q.Verb {
	case vosapi.Start:
		return m.start(q.Operation, *q.Work)
	case vosapi.Cancel:
		return m.cancel(q.Operation)
	default:
		return m.status(q.Operation)
	}
}

// maintain drains the services, or starts them again. It refuses while an operation runs.
func (m *Machine) maintain(ctx context.Context, enter bool) error {
	unlock, err := lock(m.path(workLock), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, errLocked) {
		running, _ := m.running()
		return &vosapi.Refusal{Code: vosapi.Busy, Detail: string(running)}
	}
	if err != nil {
		return err
	}
	defer unlock()
	s, err := m.state()
	if err != nil {
		return err
	}
	if err := m.change(func(s *state) error { s.Maintenance = enter; return nil }); err != nil {
		return err
	}
	if s.Active.top() == "" {
		return nil
	}
	if enter {
		if err := m.ensure(ctx); err != nil {
			return err
		}
		_, err = supervise.Client{Dir: m.dir}.Drain(ctx)
		return err
	}
	status, err := supervise.Client{Dir: m.dir}.Status(ctx)
	if err == nil && status.Goal == supervise.Running && status.Slot == s.Active.top() {
		return nil // a version that was installed meanwhile serves already
	}
	if err := m.halt(ctx, s.Active); err != nil {
		return &vosapi.Refusal{Code: vosapi.StopFailed, Detail: vosapi.Plain(err.Error())}
	}
	if err := m.run(ctx, s.Active); err != nil {
		return &vosapi.Refusal{Code: vosapi.StartFailed, Detail: vosapi.Plain(err.Error())}
	}
	return nil
}
