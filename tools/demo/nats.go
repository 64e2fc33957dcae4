package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// natsSeen is what the traffic program prints.
type natsSeen struct {
	Requests   int      `json:"requests"`
	Retried    int      `json:"retried"`
	Unanswered int      `json:"unanswered"`
	Wrong      int      `json:"wrong"`
	Reconnects int      `json:"reconnects"`
	Samples    int      `json:"samples"`
	BothDown   int      `json:"both_down"`
	OneDown    int      `json:"one_down"`
	Before     []string `json:"before"`
	After      []string `json:"after"`
}

const (
	natsOld = "2.14.8"
	natsNew = "2.14.9"
)

// natsDemo upgrades a real two-node NATS cluster through the hub, under real clients.
func natsDemo(ctx context.Context, o options) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute) // two servers are built first
	defer cancel()
	if err := fresh(ctx, o); err != nil {
		return err
	}
	s, err := newNATSScene(ctx, o)
	if err != nil {
		return err
	}
	defer s.stop()
	id, err := s.cluster.register(ctx, s.hub, "NATS cluster")
	if err != nil {
		return err
	}
	traffic, err := startTraffic(ctx, s.cluster)
	if err != nil {
		return err
	}
	defer traffic.abandon()
	if err := s.hub.publish(ctx, s.bundles[0], "regular"); err != nil {
		return err
	}
	if err := s.hub.publish(ctx, s.bundles[1], "regular"); err != nil {
		return err
	}
	opens, err := s.scheduleSoon(ctx, id)
	if err != nil {
		return err
	}
	fmt.Printf("registered; nats-server %s is published; the window opens at %s\n", natsNew,
		opens.Format(time.TimeOnly))
	upgraded, upErr := s.awaitVersion(ctx, id, natsNew)
	seen, err := traffic.finish()
	if err != nil {
		return err
	}
	fmt.Printf("proof 2.1-nats upgraded=%d/%d before=%v after=%v requests=%d unanswered=%d wrong=%d "+
		"retried=%d reconnects=%d both_down=%d/%d one_down=%d\n", upgraded, len(s.cluster.nodes),
		seen.Before, seen.After, seen.Requests, seen.Unanswered, seen.Wrong, seen.Retried,
		seen.Reconnects, seen.BothDown, seen.Samples, seen.OneDown)
	switch {
	case upErr != nil:
		return upErr
	case seen.Unanswered+seen.Wrong+seen.BothDown > 0:
		return fmt.Errorf("the NATS clients noticed the upgrade")
	case !all(seen.Before, natsOld) || !all(seen.After, natsNew):
		return fmt.Errorf("the servers themselves say %v before and %v after", seen.Before, seen.After)
	case seen.OneDown == 0 || seen.Reconnects == 0:
		return fmt.Errorf("no server was seen down: the traffic cannot have met the upgrade")
	}
	return nil
}

func all(versions []string, want string) bool {
	for _, v := range versions {
		if v != want {
			return false
		}
	}
	return len(versions) > 0
}

func newNATSScene(ctx context.Context, o options) (*scene, error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return nil, err
	}
	s := &scene{}
	for _, v := range []struct{ module, version string }{{"old", natsOld}, {"new", natsNew}} {
		bundle, err := natsBundle(ctx, o, v.module, v.version)
		if err != nil {
			return nil, err
		}
		s.bundles = append(s.bundles, bundle)
	}
	const console, nodes, page, base = 8580, 8581, 8555, 9400
	s.hub, err = startHub(ctx, o, fmt.Sprintf("localhost:%d", console), loopback(nodes),
		append(quickPolls, "--node-page-port", fmt.Sprint(page))...)
	if err != nil {
		return nil, err
	}
	s.cluster = newCluster(o, dir, "nats-pub.localhost", "nats-sub.localhost", page, base)
	for i, n := range s.cluster.nodes {
		for j, port := range []string{"client", "monitor", "cluster"} {
			n.ports[port] = base + 10*i + 1 + j
		}
		n.values["peer"] = fmt.Sprintf("nats://127.0.0.1:%d", base+10*(1-i)+3)
	}
	err = s.cluster.install(ctx, "https://localhost:"+fmt.Sprint(nodes), s.hub.caFile(), s.bundles[0])
	if err == nil {
		err = s.hub.signIn(ctx)
	}
	if err == nil {
		err = eventually(ctx, 30*time.Second, "both servers answer", func() (bool, error) {
			w := &watcher{client: quickClient()}
			for _, n := range s.cluster.nodes {
				if !w.get("http://" + loopback(n.ports["monitor"])) {
					return false, fmt.Errorf("%s does not answer", n.name)
				}
			}
			return true, nil
		})
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, s.logs())
		s.stop()
		return nil, err
	}
	return s, nil
}

// natsBundle builds a released server in a module of its own and wraps it.
func natsBundle(ctx context.Context, o options, module, version string) (string, error) {
	source, err := filepath.Abs(filepath.Join(o.dir, "bundles", "nats-"+version))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(source, "bin"), 0o755); err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(source, "bin"),
		"github.com/nats-io/nats-server/v2")
	build.Dir = filepath.Join("deploy/nats", module)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build nats-server %s: %w\n%s", version, err, out)
	}
	manifest, err := os.ReadFile("deploy/nats/manifest.json")
	if err != nil {
		return "", err
	}
	err = os.WriteFile(filepath.Join(source, "manifest.json"), replaceVersion(manifest, version),
		0o600)
	if err != nil {
		return "", err
	}
	if err := copyFile("deploy/nats/nats.conf", filepath.Join(source, "nats.conf")); err != nil {
		return "", err
	}
	return buildBundle(ctx, o, source)
}

type natsTraffic struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out bytes.Buffer
}

func startTraffic(ctx context.Context, c *cluster) (*natsTraffic, error) {
	program, err := filepath.Abs("bin/nats-traffic")
	if err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	build.Dir = "deploy/nats/traffic"
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot build the traffic program: %w\n%s", err, out)
	}
	a, b := c.nodes[0].ports, c.nodes[1].ports
	t := &natsTraffic{}
	t.cmd = exec.CommandContext(ctx, program,
		"--servers", loopback(a["client"])+","+loopback(b["client"]),
		"--monitors", loopback(a["monitor"])+","+loopback(b["monitor"]))
	t.cmd.Stdout, t.cmd.Stderr = &t.out, os.Stderr
	if t.in, err = t.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := t.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the traffic: %w", err)
	}
	return t, nil
}

// finish ends the traffic and reads what it saw.
func (t *natsTraffic) finish() (natsSeen, error) {
	var seen natsSeen
	_ = t.in.Close()
	if err := t.cmd.Wait(); err != nil {
		return seen, fmt.Errorf("the traffic program failed: %w", err)
	}
	return seen, json.Unmarshal(t.out.Bytes(), &seen)
}

func (t *natsTraffic) abandon() {
	_ = t.in.Close()
	if t.cmd.ProcessState == nil {
		_ = t.cmd.Process.Kill()
	}
}
