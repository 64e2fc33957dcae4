package app

import (
	"errors"
	"io"
	"os"

	control "connecthub/nodeclient/control/commands"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/vos"
)

type vosCommand struct {
	console.Common
	control.Vos
	Serve vosServe `cmd:"" hidden:"" help:"Answer a control node: the forced command of its key."`
	Work  vosWork  `cmd:"" hidden:"" help:"Do an operation that a control node has started."`
}

type vosServe struct {
	Peer string `required:"" enum:"control,cluster" help:"Who speaks."`
	Name string `required:"" help:"The name of who speaks."`
}

// Run answers one request, or speaks SFTP. What was asked for is sshd's to say.
func (v vosServe) Run(e *env) error {
	m, err := vos.Open(e.session.Dir, e.version, e.now, e.log)
	if errors.Is(err, vos.ErrNotSetUp) { // its folder is gone, its line in authorized_keys is not
		return vosapi.Write(e.out, vosapi.Answer{Protocol: vosapi.Protocol, Code: vosapi.NotSetUp})
	}
	if err != nil {
		return err
	}
	return m.Serve(e.ctx, vos.Peer(v.Peer), os.Getenv("SSH_ORIGINAL_COMMAND"),
		stream{os.Stdin, e.out})
}

// stream is standard input and output.
type stream struct {
	*os.File
	out io.Writer
}

// Write goes to standard output.
func (s stream) Write(b []byte) (int, error) { return s.out.Write(b) }

type vosWork struct {
	Operation string `arg:"" help:"The operation's id."`
}

// Run does it to its end.
func (v vosWork) Run(e *env) error {
	m, err := vos.Open(e.session.Dir, e.version, e.now, e.log)
	if err != nil {
		return err
	}
	return m.Work(e.ctx, vosapi.OperationID(v.Operation))
}
