// Command demo runs the product for real on one machine: a hub, clusters of two nodes each, and
// somebody who watches from outside. It only uses what every user has: the two programs, the admin
// API and the publisher's page.
//
//	demo run          the hub and one cluster that waits to be registered, until Ctrl-C
//	demo unattended   the main job, with its figures
//	demo nats         a real NATS cluster, upgraded under live traffic
//	demo crash        kill -9 of agent and hub during upgrades
//	demo e2e          the console in a real browser
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"connecthub/nodeclient/host/supervise"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		stop()
		os.Exit(1)
	}
}

// options are the flags that every mode shares.
type options struct {
	server, client string
	provider       string
	dir            string
	mutant         bool
	expectOverlap  bool
	rounds         int
	verbose        bool
	only           string
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("say run, unattended, nats, crash or e2e")
	}
	var o options
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.StringVar(&o.server, "server", "bin/server", "the hub's program")
	flags.StringVar(&o.client, "nodeclient", "bin/nodeclient", "the agent's program")
	flags.StringVar(&o.provider, "oidcprovider", "bin/oidcprovider",
		"the program of the OpenID Connect provider (e2e)")
	flags.StringVar(&o.dir, "dir", "", "folder for everything it keeps (default .run/MODE)")
	flags.BoolVar(&o.mutant, "mutant", false,
		"take the guard index out of the hub's database too; for a hub built with the mutant tag")
	flags.BoolVar(&o.expectOverlap, "expect-overlap", false,
		"for a hub without its guard: succeed only when overlap is found")
	flags.IntVar(&o.rounds, "rounds", 0, "how many rounds (crash; 0 = as LONG says)")
	flags.StringVar(&o.only, "only", "", "which browser tests (e2e), by a part of their file's name")
	flags.BoolVar(&o.verbose, "v", false, "show what the programs print")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if o.dir == "" {
		o.dir = ".run/" + args[0]
	}
	unlock, err := lock(o.dir)
	if err != nil {
		return err
	}
	defer unlock()
	switch args[0] {
	case "run":
		return interactive(ctx, o)
	case "unattended":
		return unattended(ctx, o)
	case "nats":
		return natsDemo(ctx, o)
	case "crash":
		return crash(ctx, o)
	case "e2e":
		return e2e(ctx, o)
	}
	return fmt.Errorf("unknown mode %q", args[0])
}

// lock refuses a folder that another demo is using, before anything in it is touched.
func lock(dir string) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the demo's folder: %w", err)
	}
	f, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another demo is using %s", dir)
	}
	return func() { _ = f.Close() }, nil
}

// fresh empties the demo's folder, after stopping what an earlier demo that was killed has left
// running from it: its services would hold the ports.
func fresh(ctx context.Context, o options) error {
	left, err := filepath.Glob(filepath.Join(o.dir, "*", "config.json"))
	if err != nil {
		return fmt.Errorf("cannot look for what is left in %s: %w", o.dir, err)
	}
	for _, file := range left {
		_, err := supervise.Client{Dir: filepath.Dir(file)}.Shutdown(ctx)
		if err != nil && !errors.Is(err, supervise.ErrAway) {
			return fmt.Errorf("cannot stop what an earlier demo has left: %w", err)
		}
	}
	return os.RemoveAll(o.dir)
}
