package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"connecthub/handlers/adminapi/client"
)

// hub is a running hub and somebody who is signed in to it.
type hub struct {
	program, dir string
	consoleURL   string
	nodeAddress  string // host:port of the nodes' TLS endpoint
	flags        []string
	process      *process
	email        string
	password     string
	api          *client.ClientWithResponses
	cookie       string
}

const (
	demoEmail        = "admin@demo.example"
	demoOrganization = "Demo organization"
)

// startHub starts a hub over its own folder; the first time it reads the password that the hub
// prints once, and keeps it beside the demo's other files for the next time.
func startHub(ctx context.Context, o options, console, nodes string, flags ...string) (*hub, error) {
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the demo's folder: %w", err)
	}
	for _, address := range []string{console, nodes} {
		if err := free(address); err != nil {
			return nil, err
		}
	}
	h := &hub{program: o.server, dir: dir, consoleURL: "http://" + console, nodeAddress: nodes,
		email: demoEmail, flags: append([]string{"--data", filepath.Join(dir, "hub"),
			"--listen", console, "--node-listen", nodes, "--public-url", "http://" + console,
			"--organization-name", demoOrganization, "--admin-email", demoEmail}, flags...)}
	if err := h.up(ctx); err != nil {
		return nil, err
	}
	return h, h.readPassword(ctx)
}

// free refuses an address where another demo, or something else, listens already.
func free(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("another program listens at %s already; stop it first: %w", address, err)
	}
	return l.Close()
}

// up starts the hub's process and waits until it says that it is ready.
func (h *hub) up(ctx context.Context) error {
	var err error
	h.process, err = start(h.dir, "hub", h.program, append([]string{"serve"}, h.flags...)...)
	if err != nil {
		return err
	}
	err = eventually(ctx, 30*time.Second, "the hub is ready", func() (bool, error) {
		if !h.process.running() {
			return false, fmt.Errorf("the hub ended: %w", h.process.err)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.consoleURL+"/readyz", nil)
		if err != nil {
			return false, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, err
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK, nil
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, tail(filepath.Join(h.dir, "hub.log")))
	}
	return nil
}

func (h *hub) caFile() string { return filepath.Join(h.dir, "hub", "tls", "ca.pem") }

func (h *hub) readPassword(ctx context.Context) error {
	file := filepath.Join(h.dir, "admin-password")
	if text, err := os.ReadFile(file); err == nil {
		h.password = string(text)
		return nil
	}
	printed := regexp.MustCompile(`(?m)[Pp]assword:?\s+(\S{12,})`)
	return eventually(ctx, 5*time.Second, "the hub has printed its password", func() (bool, error) {
		log, err := os.ReadFile(filepath.Join(h.dir, "hub.log"))
		if err != nil {
			return false, err
		}
		m := printed.FindSubmatch(log)
		if m == nil {
			return false, errors.New("no password in its log yet")
		}
		h.password = string(m[1])
		return true, os.WriteFile(file, m[1], 0o600)
	})
}

// signIn begins a session through the admin API.
func (h *hub) signIn(ctx context.Context) error {
	api, err := client.NewClientWithResponses(h.consoleURL+"/api/admin/v1",
		client.WithHTTPClient(confirming{h}), client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Origin", h.consoleURL)
			if h.cookie != "" {
				r.Header.Set("Cookie", h.cookie)
			}
			return nil
		}))
	if err != nil {
		return err
	}
	h.api, h.cookie = api, ""
	res, err := api.SignInWithResponse(ctx, client.SignIn{Email: h.email, Password: h.password})
	if err != nil {
		return fmt.Errorf("cannot sign in: %w", err)
	}
	if res.JSON200 == nil {
		return fmt.Errorf("cannot sign in: %s", res.Body)
	}
	for _, c := range res.HTTPResponse.Cookies() {
		h.cookie = c.Name + "=" + c.Value
	}
	return nil
}

// answered turns anything but the expected status into an error with the hub's own sentence.
func answered(status, want int, body []byte) error {
	if status == want {
		return nil
	}
	var p client.Problem
	_ = json.Unmarshal(body, &p)
	return fmt.Errorf("the hub answered %d %s: %s", status, p.Code, p.Detail)
}

// publish gives the hub a release, as the vendor's release engineer does.
func (h *hub) publish(ctx context.Context, bundle, kind string) error {
	return command(ctx, h.program, "release", "publish", bundle, "--kind", kind,
		"--data", filepath.Join(h.dir, "hub"))
}

func (h *hub) stop() {
	if h != nil {
		h.process.stop()
	}
}
