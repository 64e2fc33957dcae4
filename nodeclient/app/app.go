// Package app puts the agent together: the command tree and the composition of its parts. It is the
// only place of the node that tells the time.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/selfupgrade"
)

// env is what every command is given.
type env struct {
	ctx      context.Context
	version  string
	out, err io.Writer
	now      func() time.Time
	log      *slog.Logger
	session  *console.Session
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
	Rollback      rollbackCommand      `cmd:"" help:"Go back to the version before, which is on this node."`
	Register      registerCommand      `cmd:"" help:"Register this node without its page, by a code for the console."`
	Status        statusCommand        `cmd:"" help:"Show registration, version and services."`
	Set           setCommand           `cmd:"" help:"Change a setting of this node: its proxy."`
	Show          showCommand          `cmd:"" help:"Show a setting of this node: its proxy."`
	Utils         utilsCommand         `cmd:"" help:"Orchestration of the machines of a deployment."`
	Vos           vosCommand           `cmd:"" help:"This machine as a VOS machine that is orchestrated."`
	Shell         shellCommand         `cmd:"" help:"The admin: prompt, with the commands of utils, set and show."`
	Reset         resetCommand         `cmd:"" help:"Forget the registration on this node alone; the services go on."`
	Bundle        bundleCommand        `cmd:"" help:"Make and show bundles."`
	Version       versionCommand       `cmd:"" help:"Show the version of this program."`
}

// Main runs one command and answers the exit code: 0 done, 1 failed, 2 wrongly called.
func Main(ctx context.Context, version string, args []string, out, errOut io.Writer) int {
	e := &env{ctx: ctx, version: version, out: out, err: errOut, now: time.Now,
		log: slog.New(slog.NewTextHandler(errOut, nil))}
	e.session = &console.Session{Ctx: ctx, Dir: defaultDir, Who: whoami(), Lang: language(),
		Version: version, In: os.Stdin, Out: out, Err: errOut, Now: e.now, Self: os.Executable,
		Log: e.log, ByHand: e.byHand, DiskSize: selfupgrade.DiskSize}
	return e.execute(&commands{}, "nodeclient", args)
}

// parser is kong with what every command is given. What kong says when it wants to end is kept.
func (e *env) parser(tree any, name, dir string, exited *int) (*kong.Kong, error) {
	return kong.New(tree, kong.Name(name), kong.Writers(e.out, e.err), kong.Bind(e, e.session),
		kong.Description("The agent of Connect Hub on a node."), kong.Vars{"dir": dir},
		kong.Exit(func(code int) { *exited = code }), kong.UsageOnError())
}

// execute runs one command of a tree.
func (e *env) execute(tree any, name string, args []string) int {
	exited := -1
	parser, err := e.parser(tree, name, e.session.Dir, &exited)
	if err != nil {
		return e.failed(name, err, 2)
	}
	k, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		return e.failed(name, err, 2)
	}
	var said exitCode
	switch err := e.audited(k); {
	case errors.As(err, &said):
		return int(said)
	case errors.Is(err, console.ErrQuit):
		e.session.Note("%s", err)
	case err != nil && !errors.Is(err, context.Canceled):
		return e.failed(name, err, 1)
	}
	return 0
}

// failed says why, in the session's language where there are words for it; at the prompt without this
// program's name.
func (e *env) failed(tree string, err error, code int) int {
	why := console.Printable(console.Sentence(err, e.session.Lang))
	if tree != promptTree {
		why = tree + ": " + why
	}
	_, _ = fmt.Fprintln(e.err, why)
	return code
}

// language is that of the environment.
func language() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			if strings.HasPrefix(v, "ja") {
				return "ja"
			}
			return "en"
		}
	}
	return "en"
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(e *env) error {
	_, err := fmt.Fprintln(e.out, e.version)
	return err
}
