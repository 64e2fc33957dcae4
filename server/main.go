// Command server is the hub: it keeps clusters registered and lets their nodes upgrade one at a
// time. It knows nothing but its own version.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"connecthub/server/app"
)

// version is set by the linker.
var version = "unversioned"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Main(ctx, os.Args[1:], version, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
