package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// e2e starts a hub with two clusters and lets a real browser do what a person does.
func e2e(ctx context.Context, o options) error {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Minute)
	defer cancel()
	if err := fresh(ctx, o); err != nil {
		return err
	}
	const console, nodes, page, base = 8680, 8681, 8645, 9500
	second, third := page+2, page+4
	s, err := newSampleScene(ctx, o, console, nodes, page, base, "--poll-near", "500ms",
		"--poll-far", "500ms", "--node-page-ports", "cd-pub.localhost="+strconv.Itoa(second)+
			";ce-pub.localhost="+strconv.Itoa(third),
		"--oidc-loopback")
	if err != nil {
		return err
	}
	defer s.stop()
	other := sampleCluster(o, "cd-pub.localhost", "cd-sub.localhost", second, base+50)
	defer other.stop()
	err = other.install(ctx, "https://"+s.hub.nodeHost(), s.hub.caFile(), s.bundles[0])
	if err != nil {
		return err
	}
	emergency, err := sampleBundle(ctx, o, "3.0.0")
	if err != nil {
		return err
	}
	troubled, lent, err := trouble(ctx, o, s.hub, third, base+100)
	defer troubled.stop()
	if err != nil {
		return err
	}
	defer lent.stop()
	if err := s.hub.publish(ctx, s.bundles[0], "regular"); err != nil {
		return err
	}
	provider, issuer, err := startProvider(ctx, o, s.hub, console+10)
	if err != nil {
		return err
	}
	defer provider.stop()
	repository, err := os.Getwd()
	if err != nil {
		return err
	}
	server, _ := filepath.Abs(o.server)
	args := []string{"run", "--silent", "e2e"}
	if o.only != "" {
		args = append(args, "--", o.only)
	}
	cmd := exec.CommandContext(ctx, "npm", args...)
	cmd.Dir = "frontend"
	cmd.Env = append(os.Environ(), "HUB_URL="+s.hub.consoleURL, "ADMIN_EMAIL="+s.hub.email,
		"ADMIN_PASSWORD="+s.hub.password, "NODE_USER="+pageUser, "NODE_PASSWORD="+pagePassword,
		"HUB_SERVER="+server, "HUB_DATA="+filepath.Join(s.hub.dir, "hub"),
		"NODECLIENT="+abs(o.client), "NODE_DIR="+abs(s.cluster.nodes[0].dir),
		"ORGANIZATION="+demoOrganization,
		"BUNDLE_2="+abs(s.bundles[1]), "BUNDLE_3="+abs(emergency),
		"BUNDLES="+abs(filepath.Join(o.dir, "bundles")), "HANDS="+lent.url,
		"OIDC_PROVIDER="+issuer, "OIDC_EMAIL="+oidcAdmin, "OIDC_STRANGER="+oidcStranger,
		"OIDC_PASSWORD="+oidcPassword,
		"IMAGES="+filepath.Join(repository, "docs", "images"))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		return fmt.Errorf("the browser tests failed: %w\n%s", err, s.logs())
	}
	return nil
}

// trouble is a cluster to which bad things happen: it runs a version that no release describes, and
// there are a bundle that fails in its soak, a good one, and one that soaks for long.
func trouble(ctx context.Context, o options, h *hub, page, base int) (*cluster, *hands, error) {
	for version, change := range map[string][2]string{
		"4.0.0": {`"environment": {`, `"environment": {"FAIL_AFTER": "1s",`},
		"5.0.0": {},
		"6.0.0": {`"soak": "5s"`, `"soak": "20s"`},
	} {
		_, err := sampleBundle(ctx, o, version, func(manifest []byte) []byte {
			return bytes.Replace(manifest, []byte(change[0]), []byte(change[1]), 1)
		})
		if err != nil {
			return nil, nil, err
		}
	}
	odd, err := sampleBundle(ctx, o, "3.5.0")
	if err != nil {
		return nil, nil, err
	}
	c := sampleCluster(o, "ce-pub.localhost", "ce-sub.localhost", page, base)
	if err := c.install(ctx, "https://"+h.nodeHost(), h.caFile(), odd); err != nil {
		return c, nil, err
	}
	lent, err := lend(h, c)
	return c, lent, err
}

func abs(path string) string {
	a, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return a
}

// nodeHost is the name that the hub's node certificate bears, with its port.
func (h *hub) nodeHost() string { return "localhost:" + portOf(h.nodeAddress) }

func portOf(address string) string {
	for i := len(address) - 1; i >= 0; i-- {
		if address[i] == ':' {
			return address[i+1:]
		}
	}
	return ""
}
