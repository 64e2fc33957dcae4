// Command oidcprovider runs a small OpenID Connect provider on this machine, for tests and
// demonstrations. Its keys are made at its start and everything is forgotten at its end.
//
//	oidcprovider -listen 127.0.0.1:9700 -client hub:SECRET -redirect URL \
//	             -user taro@acme.example:PASSWORD:"Taro Yamada"
//
// With -control, POST /control {"misbehave": ["expired"]} makes it misbehave.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"connecthub/tools/oidcprovider/op"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "oidcprovider:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	c := op.Config{Now: time.Now}
	var client op.Client
	flags := flag.NewFlagSet("oidcprovider", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "where it listens")
	flags.StringVar(&c.Issuer, "issuer", "", "its address (default http://LISTEN)")
	flags.BoolVar(&c.Control, "control", false, "let POST /control change its behaviour")
	flags.BoolVar(&c.NamesIssuer, "iss", true, "name itself in its answers (RFC 9207)")
	flags.Func("client", "ID:SECRET of the one client", func(text string) (err error) {
		var ok bool
		if client.ID, client.Secret, ok = strings.Cut(text, ":"); !ok {
			return errors.New("give ID:SECRET")
		}
		return nil
	})
	flags.Func("redirect", "where the client may send browsers back to (again for more)",
		func(text string) error {
			client.RedirectURIs = append(client.RedirectURIs, text)
			return nil
		})
	flags.Func("user", "EMAIL:PASSWORD:NAME (again for more)", func(text string) error {
		parts := strings.SplitN(text, ":", 3)
		if len(parts) != 3 {
			return errors.New("give EMAIL:PASSWORD:NAME")
		}
		c.Users = append(c.Users, op.User{Email: parts[0], Password: parts[1], Name: parts[2],
			Subject: fmt.Sprintf("subject-%d", len(c.Users)+1)})
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	c.Clients = []op.Client{client}
	return serve(ctx, *listen, c)
}

func serve(ctx context.Context, listen string, c op.Config) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	if c.Issuer == "" {
		c.Issuer = "http://" + l.Addr().String()
	}
	p, err := op.New(c)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	server := &http.Server{Handler: p, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	fmt.Println("ready " + c.Issuer)
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}
