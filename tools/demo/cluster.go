package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"connecthub/handlers/adminapi/client"
	"connecthub/nodeclient/host/supervise"
)

// node is one machine of a demo cluster: all on loopback, told apart by their ports.
type node struct {
	name      string // its FQDN
	role      string
	dir       string
	page      int            // port of its own page
	peer      int            // port of the mutual TLS between the nodes
	ports     map[string]int // of its services
	values    map[string]string
	program   string
	process   *process
	logDir    string
	extraRun  []string
	publisher *node
}

const (
	pageUser     = "administrator"
	pagePassword = "demo-cluster-page-4711" // of the demo's own throw-away node page
)

// cluster is a publisher and a subscriber, set up with the agent's own commands.
type cluster struct {
	nodes []*node
}

// newCluster plans two nodes whose ports begin at base.
func newCluster(o options, dir, publisher, subscriber string, page, base int) *cluster {
	c := &cluster{}
	for i, name := range []string{publisher, subscriber} {
		n := &node{name: name, role: "publisher", dir: filepath.Join(dir, name), page: page + i,
			peer: base + 10*i, program: o.client, logDir: dir,
			ports: map[string]int{}, values: map[string]string{}}
		if i > 0 {
			n.role, n.publisher = "subscriber", c.nodes[0]
		}
		c.nodes = append(c.nodes, n)
	}
	return c
}

// install sets both nodes up with a first version, as a vendor's installer does. A node that is
// set up already is left as it is.
func (c *cluster) install(ctx context.Context, hubURL, hubCA, bundle string) error {
	secret := filepath.Join(c.nodes[0].logDir, c.nodes[0].name+".secret")
	for _, n := range c.nodes {
		if _, err := os.Stat(n.dir); err == nil {
			continue
		}
		if err := n.setUp(ctx, hubURL, hubCA); err != nil {
			return err
		}
		if n.role == "publisher" {
			err := command(ctx, n.program, "cluster", "init", "--dir", n.dir,
				"--peer-listen", loopback(n.peer), "--secret-file", secret)
			if err != nil {
				return err
			}
		}
		if err := command(ctx, n.program, "install-bundle", "--dir", n.dir, bundle); err != nil {
			return err
		}
	}
	if err := c.nodes[0].run(); err != nil {
		return err
	}
	for _, n := range c.nodes[1:] {
		joined := filepath.Join(n.dir, ".joined-by-demo")
		if _, err := os.Stat(joined); err != nil {
			err := eventually(ctx, 20*time.Second, n.name+" joins its publisher",
				func() (bool, error) {
					err := command(ctx, n.program, "cluster", "join", "--dir", n.dir,
						"--publisher", n.publisher.name, "--dial",
						n.publisher.name+"="+loopback(n.publisher.peer),
						"--peer-listen", loopback(n.peer), "--secret-file", secret)
					return err == nil, err
				})
			if err != nil {
				return err
			}
			if err := os.WriteFile(joined, nil, 0o600); err != nil {
				return err
			}
		}
		if err := n.run(); err != nil {
			return err
		}
	}
	return nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func (n *node) setUp(ctx context.Context, hubURL, hubCA string) error {
	password := filepath.Join(n.logDir, n.name+".password")
	if err := os.WriteFile(password, []byte(pagePassword), 0o600); err != nil {
		return err
	}
	args := []string{"setup", "--dir", n.dir, "--hub", hubURL, "--hub-ca", hubCA, "--fqdn", n.name,
		"--listen", loopback(n.page), "--app-user", pageUser, "--app-password-file", password}
	var names []string
	for name := range n.ports {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		args = append(args, "--port", fmt.Sprintf("%s=%d", name, n.ports[name]))
	}
	for name, value := range n.values {
		args = append(args, "--config", name+"="+value)
	}
	return command(ctx, n.program, args...)
}

// run starts the agent; it starts its supervisor itself when none runs.
func (n *node) run() error {
	var err error
	n.process, err = start(n.logDir, n.name, n.program,
		append([]string{"run", "--dir", n.dir}, n.extraRun...)...)
	return err
}

// stop ends the agent and then the services.
func (c *cluster) stop() {
	if c == nil {
		return
	}
	for _, n := range c.nodes {
		n.process.stop()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		_, _ = supervise.Client{Dir: n.dir}.Shutdown(ctx) // the whole demo ends: nobody is left to ask
		cancel()
	}
}

// register does what an administrator does: begin in the hub, allow on the publisher's page, come
// back. It answers the cluster's id.
func (c *cluster) register(ctx context.Context, h *hub, name string) (string, error) {
	res, err := h.api.CreateRegistrationWithResponse(ctx, client.NewRegistration{
		DisplayName: name, Fqdn: c.nodes[0].name})
	if err != nil {
		return "", err
	}
	if err := answered(res.StatusCode(), 201, res.Body); err != nil {
		return "", err
	}
	code, err := allow(ctx, *res.JSON201.OpenUrl, c.nodes[0].page)
	if err != nil {
		return "", err
	}
	done, err := h.api.CompleteRegistrationWithResponse(ctx, client.ReturnCode{Code: code})
	if err != nil {
		return "", err
	}
	if err := answered(done.StatusCode(), 200, done.Body); err != nil {
		return "", err
	}
	return *done.JSON200.ClusterId, nil
}
