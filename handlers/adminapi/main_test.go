package adminapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/models/store/storetest"
	"connecthub/server/app"
	"connecthub/server/config"
)

// asHub as the first argument makes this program a hub in a process of its own; what follows is its
// command line. It ends when its standard input does.
const asHub = "as-hub"

// dialling before asHub's command line makes a hub with a hole: it dials for what a tenant writes.
const dialling = "dialling"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asHub {
		beHub(os.Args[2:])
		return
	}
	if len(os.Args) > 1 && os.Args[1] == asThief {
		beThief()
		return
	}
	storetest.Main(m)
}

// hubProcess is what a hub's process says of itself when it is ready.
type hubProcess struct {
	Console, Node, CA, Password string
}

func beHub(args []string) {
	var handler slog.Handler = slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})
	if args[0] == dialling {
		args, handler = args[1:], dialler{handler}
	}
	line, _, err := config.Parse(args, io.Discard)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	err = app.Run(ctx, line.Config, app.Around{Version: "test", Now: time.Now, Log: slog.New(handler),
		Out: io.Discard, Ready: func(b app.Bound) {
			text, err := json.Marshal(hubProcess{b.Console.String(), b.Node.String(), b.CA, b.Password})
			if err == nil {
				fmt.Println(string(text))
			}
		}})
	if err != nil {
		panic(err)
	}
}

// dialler dials where it hears of a registration: what a careless check of a name would do.
type dialler struct{ slog.Handler }

func (d dialler) Handle(ctx context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if strings.HasSuffix(a.Value.String(), "/registrations") {
			conn, err := net.Dial("udp", "127.0.0.1:9")
			if err == nil {
				_ = conn.Close()
			}
		}
		return true
	})
	return d.Handler.Handle(ctx, r)
}

func (d dialler) WithAttrs(a []slog.Attr) slog.Handler { return dialler{d.Handler.WithAttrs(a)} }
func (d dialler) WithGroup(n string) slog.Handler      { return dialler{d.Handler.WithGroup(n)} }

// long says whether the tests run at their full size.
func long() bool { return slices.Contains(os.Environ(), "LONG=1") }
