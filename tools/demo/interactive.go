package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// interactive is "make run": a hub, a cluster that waits to be registered, version 2 published.
// Ctrl-C stops everything it started; the next time it continues where it was.
func interactive(ctx context.Context, o options) error {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	fmt.Println("starting the hub and two nodes …")
	s := &scene{}
	defer func() { s.stop() }()
	var err error
	if s.bundles, err = sampleBundles(ctx, o); err != nil {
		return err
	}
	s.hub, err = startHub(ctx, o, "localhost:8080", loopback(8443), "--poll-near", "2s",
		"--poll-far", "5s")
	if err != nil {
		return err
	}
	s.cluster = sampleCluster(o, "cc-pub.localhost", "cc-sub.localhost", 8445, 9100)
	if err := s.cluster.install(ctx, "https://localhost:8443", s.hub.caFile(),
		s.bundles[0]); err != nil {
		return err
	}
	if err := s.servicesAnswer(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, s.logs())
	}
	published := filepath.Join(o.dir, "published-2")
	if _, err := os.Stat(published); err != nil {
		for _, bundle := range s.bundles {
			if err := s.hub.publish(ctx, bundle, "regular"); err != nil {
				return err
			}
		}
		if err := os.WriteFile(published, nil, 0o600); err != nil {
			return err
		}
	}
	fmt.Printf(welcome, s.hub.consoleURL, s.hub.email, s.hub.password, s.services()[0],
		s.services()[1], pageUser, pagePassword, o.client,
		filepath.Join(o.dir, "cc-pub.localhost"), o.dir)
	select {
	case <-ctx.Done():
	case <-s.hub.process.done:
		return fmt.Errorf("the hub ended: %w\n%s", s.hub.process.err, s.logs())
	}
	fmt.Println("\nstopping everything that was started …")
	return nil
}

const welcome = `
Connect Hub     %s
  sign in       %s
  password      %s
Demo cluster    cc-pub.localhost (publisher) and cc-sub.localhost, serving version 1 of a small
                sample at %s and %s
  its page      sign in as %s with %s

What to do
  1. Sign in, open Services > Contact Center > Cloud Connect and select Add.
  2. Display name: as you like. FQDN: cc-pub.localhost. Select Register. The publisher's page opens;
     its certificate is its own, so the browser warns once. Sign in there, allow access, continue.
  3. Back in the console open Settings, set the upgrade schedule to the next minute or two, save,
     and watch both nodes go from version 1 to version 2, one at a time.
  4. The publisher is a control node, too. Its admin: prompt (help, Tab and ? show what there is):
       %s shell --dir %s

Ctrl-C stops everything; the next "make run" continues where this one was. "rm -r %s" begins afresh.
`
