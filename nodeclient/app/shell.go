package app

import (
	"context"
	"fmt"

	"github.com/alecthomas/kong"

	control "connecthub/nodeclient/control/commands"
	"connecthub/nodeclient/control/console"
)

const defaultDir = "/var/lib/nodeclient"

type utilsCommand struct {
	console.Common
	control.Utils
}

// promptTree is the name of the prompt's commands.
const promptTree = "admin"

// shellTree is what the admin: prompt takes.
type shellTree struct {
	Utils utilsCommand `cmd:"" help:"Orchestration of the machines of a deployment."`
	Set   setCommand   `cmd:"" help:"Change a setting of this node."`
	Show  showCommand  `cmd:"" help:"Show a setting of this node."`
	Run   runSQL       `cmd:"" help:"One statement: run sql select * from applicationuser."`
	File  fileCommand  `cmd:"" help:"The logs of orchestration."`
}

type runSQL struct {
	console.Common
	control.Run
}

type fileCommand struct {
	console.Common
	control.File
}

type shellCommand struct {
	console.Common
	Command string `short:"c" help:"Run one line and end, with its exit code." placeholder:"LINE"`
}

// Run is the prompt, or one line of it.
func (s shellCommand) Run(e *env) error {
	shell := console.Shell{Session: e.session,
		Tree: func() (*kong.Kong, error) {
			exited := 0
			return e.parser(&shellTree{}, promptTree, e.session.Dir, &exited)
		},
		Execute: func(ctx context.Context, words []string) int {
			one, session := *e, *e.session
			session.Ctx, one.ctx, one.session = ctx, ctx, &session
			return one.execute(&shellTree{}, promptTree, words)
		}}
	code, err := 0, error(nil)
	if s.Command == "" {
		code, err = shell.Run()
	} else {
		code, err = shell.Line(s.Command)
	}
	if err == nil && code != 0 {
		return exitCode(code)
	}
	return err
}

// exitCode is a command that has said already why it failed.
type exitCode int

// Error is for whom does not know the type.
func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }
