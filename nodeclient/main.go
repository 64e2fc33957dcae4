// Package main is the agent of a node: it takes the command line and the signals, and nothing else.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"connecthub/nodeclient/app"
)

// version is set by the linker.
var version = "unversioned"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Main(ctx, version, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
