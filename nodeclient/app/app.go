// Package app puts the agent together: the command tree and the composition of its parts. It is the
// only place of the node that tells the time.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/alecthomas/kong"
)

// env is what every command is given.
type env struct {
	ctx      context.Context
	version  string
	out, err io.Writer
	now      func() time.Time
	log      *slog.Logger
}

// commands is the whole command line of a node.
type commands struct {
	Setup         setupCommand         `cmd:"" help:"Tell this node who it is and which hub it trusts."`
	Cluster       clusterCommand       `cmd:"" help:"The cluster of publisher and subscribers."`
	InstallBundle installCommand       `cmd:"" help:"Install the first version of the product from a bundle."`
	Run           runCommand           `cmd:"" help:"Run the agent: poll the hub, serve this node's page, upgrade."`
	Supervise     superviseCommand     `cmd:"" hidden:"" help:"Run the services of the active slot."`
	StopServices  stopServicesCommand  `cmd:"" help:"Stop the services and their supervisor."`
	StartServices startServicesCommand `cmd:"" help:"Start the services of the active version."`
	Register      registerCommand      `cmd:"" help:"Register this node without its page, by a code for the console."`
	Status        statusCommand        `cmd:"" help:"Show registration, version and services."`
	Set           setCommand           `cmd:"" help:"Change a setting of this node: its proxy."`
	Show          showCommand          `cmd:"" help:"Show a setting of this node: its proxy."`
	Utils         utilsCommand         `cmd:"" help:"Orchestration: the inventory of the machines."`
	Reset         resetCommand         `cmd:"" help:"Forget the registration on this node alone; the services go on."`
	Bundle        bundleCommand        `cmd:"" help:"Make and show bundles."`
	Version       versionCommand       `cmd:"" help:"Show the version of this program."`
}

// Main runs one command and answers the exit code: 0 done, 1 failed, 2 wrongly called.
func Main(ctx context.Context, version string, args []string, out, errOut io.Writer) int {
	e := &env{ctx: ctx, version: version, out: out, err: errOut, now: time.Now,
		log: slog.New(slog.NewTextHandler(errOut, nil))}
	var c commands
	exited := -1
	parser, err := kong.New(&c, kong.Name("nodeclient"), kong.Writers(out, errOut), kong.Bind(e),
		kong.Description("The agent of Connect Hub on a node."),
		kong.Exit(func(code int) { exited = code }), kong.UsageOnError())
	if err != nil {
		_, _ = fmt.Fprintln(errOut, "nodeclient:", err)
		return 2
	}
	k, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		_, _ = fmt.Fprintln(errOut, "nodeclient:", err)
		return 2
	}
	if err := k.Run(e); err != nil && !errors.Is(err, context.Canceled) {
		_, _ = fmt.Fprintln(errOut, "nodeclient:", err)
		return 1
	}
	return 0
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(e *env) error {
	_, err := fmt.Fprintln(e.out, e.version)
	return err
}
