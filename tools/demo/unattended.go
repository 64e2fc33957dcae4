package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"connecthub/handlers/adminapi/client"
)

// The whole of it ends within this time, or fails.
const unattendedLimit = 3 * time.Minute

const (
	sampleName = "Tokyo contact center"

	sampleOld = "1.0.0"
	sampleNew = "2.0.0"
)

// quickPolls makes nodes poll as often as a demonstration of minutes needs.
var quickPolls = []string{"--poll-near", "200ms", "--poll-far", "200ms"}

// unattended does the main job with nobody at the keyboard, and counts what is seen from outside.
func unattended(ctx context.Context, o options) error {
	ctx, cancel := context.WithTimeout(ctx, unattendedLimit)
	defer cancel()
	if err := fresh(ctx, o); err != nil {
		return err
	}
	s, err := newSampleScene(ctx, o, 8480, 8481, 8455, 9300, quickPolls...)
	if err != nil {
		return err
	}
	defer s.stop()
	id, err := s.cluster.register(ctx, s.hub, sampleName)
	if err != nil {
		return err
	}
	if err := s.hub.publish(ctx, s.bundles[0], "regular"); err != nil {
		return err
	}
	w := watch(s.services())
	published := time.Now()
	if err := s.hub.publish(ctx, s.bundles[1], "regular"); err != nil {
		return err
	}
	opens, err := s.scheduleSoon(ctx, id)
	if err != nil {
		return err
	}
	fmt.Printf("registered; release %s is published; the window opens at %s\n", sampleNew,
		opens.Format(time.TimeOnly))
	upgraded, upErr := s.awaitUpgrade(ctx, id)
	w.stop()
	polls, offered := s.observer.outside(published, opens)
	fmt.Printf("main job: upgraded=%d/%d overlap=%d/%d failed_requests=%d/%d "+
		"offered_outside_window=%d/%d\n", upgraded, len(s.cluster.nodes), w.overlap.Load(),
		w.samples.Load(), w.failed.Load(), w.requests.Load(), offered, polls)
	bad := w.overlap.Load() + w.failed.Load() + int64(offered)
	if o.expectOverlap {
		return caught(w)
	}
	fmt.Printf("proof 2.1-demo upgraded=%d/%d overlap=%d/%d failed_requests=%d/%d "+
		"offered_outside_window=%d/%d\n", upgraded, len(s.cluster.nodes), w.overlap.Load(),
		w.samples.Load(), w.failed.Load(), w.requests.Load(), offered, polls)
	switch {
	case upErr != nil:
		return upErr
	case bad > 0:
		return fmt.Errorf("the main job broke a promise")
	case polls < 100:
		return fmt.Errorf("only %d polls were seen outside the window, 100 are wanted", polls)
	case w.oneDown.Load() == 0:
		return fmt.Errorf("no node was ever seen down: the watcher cannot have seen the upgrade")
	}
	if err := s.cluster.atRest(ctx); err != nil {
		return err
	}
	return s.deregister(ctx, id)
}

// caught says whether the watcher saw what a hub without its guard does.
func caught(w *watcher) error {
	if w.overlap.Load() == 0 {
		fmt.Println("proof 2.1-mutant tried=1 caught=0")
		return errors.New("without its guard the hub still upgraded one node at a time")
	}
	fmt.Println("proof 2.1-mutant tried=1 caught=1")
	return nil
}

// scene is a hub, an observer before it, and a cluster that runs the sample service.
type scene struct {
	hub      *hub
	observer *observer
	cluster  *cluster
	bundles  []string // old, new
}

func newSampleScene(ctx context.Context, o options, console, nodes, page, base int,
	flags ...string) (*scene, error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, err
	}
	s := &scene{}
	var err error
	if s.bundles, err = sampleBundles(ctx, o); err != nil {
		return nil, err
	}
	s.hub, err = startHub(ctx, o, fmt.Sprintf("localhost:%d", console), loopback(nodes),
		append(flags, "--node-page-port", fmt.Sprint(page))...)
	if err != nil {
		s.stop()
		return nil, err
	}
	if o.mutant {
		if err := dropGuard(ctx, filepath.Join(s.hub.dir, "hub")); err != nil {
			s.stop()
			return nil, err
		}
	}
	if s.observer, err = observe(o.dir, s.hub.nodeAddress, s.hub.caFile()); err != nil {
		s.stop()
		return nil, err
	}
	s.cluster = sampleCluster(o, "cc-pub.localhost", "cc-sub.localhost", page, base)
	err = s.cluster.install(ctx, s.observer.url, s.observer.caFile, s.bundles[0])
	if err == nil {
		err = s.servicesAnswer(ctx)
	}
	if err == nil {
		err = s.hub.signIn(ctx)
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, s.logs())
		s.stop()
		return nil, err
	}
	return s, nil
}

func sampleCluster(o options, publisher, subscriber string, page, base int) *cluster {
	dir, _ := filepath.Abs(o.dir)
	c := newCluster(o, dir, publisher, subscriber, page, base)
	for i, n := range c.nodes {
		n.ports["http"] = base + 10*i + 1
	}
	return c
}

// sampleBundles makes versions 1 and 2 of the sample service with the agent's own command.
func sampleBundles(ctx context.Context, o options) ([]string, error) {
	var bundles []string
	for _, version := range []string{sampleOld, sampleNew} {
		bundle, err := sampleBundle(ctx, o, version)
		if err != nil {
			return nil, err
		}
		bundles = append(bundles, bundle)
	}
	return bundles, nil
}

func sampleBundle(ctx context.Context, o options, version string,
	changes ...func(manifest []byte) []byte) (string, error) {
	source := filepath.Join(o.dir, "bundles", "sample-"+version)
	if err := os.MkdirAll(filepath.Join(source, "bin"), 0o755); err != nil {
		return "", err
	}
	manifest, err := os.ReadFile("deploy/sample/v1/manifest.json")
	if err != nil {
		return "", fmt.Errorf("cannot read the sample's manifest: %w", err)
	}
	manifest = replaceVersion(manifest, version)
	for _, change := range changes {
		manifest = change(manifest)
	}
	if err := os.WriteFile(filepath.Join(source, "manifest.json"), manifest, 0o600); err != nil {
		return "", err
	}
	if err := copyFile("bin/sample", filepath.Join(source, "bin", "sample")); err != nil {
		return "", err
	}
	return buildBundle(ctx, o, source)
}

func buildBundle(ctx context.Context, o options, source string) (string, error) {
	bundle := source + ".tar.zst"
	err := command(ctx, o.client, "bundle", "build", source, "--out", bundle)
	return bundle, err
}

func (s *scene) services() []string {
	var urls []string
	for _, n := range s.cluster.nodes {
		urls = append(urls, "http://"+loopback(n.ports["http"]))
	}
	return urls
}

func (s *scene) servicesAnswer(ctx context.Context) error {
	w := &watcher{client: quickClient()}
	return eventually(ctx, 30*time.Second, "both nodes serve", func() (bool, error) {
		for _, url := range s.services() {
			if !w.get(url) {
				return false, fmt.Errorf("%s does not answer", url)
			}
		}
		return true, nil
	})
}

// scheduleSoon sets the regular window to a minute that begins at least 30 s from now, and the
// emergency one half a day away. It answers when the window opens, by its own arithmetic.
func (s *scene) scheduleSoon(ctx context.Context, id string) (time.Time, error) {
	opens := time.Now().UTC().Add(30 * time.Second).Truncate(time.Minute).Add(time.Minute)
	return opens, s.schedule(ctx, id, opens)
}

func (s *scene) schedule(ctx context.Context, id string, opens time.Time) error {
	c, err := s.hub.api.GetClusterWithResponse(ctx, id)
	if err != nil {
		return err
	}
	if err := answered(c.StatusCode(), 200, c.Body); err != nil {
		return err
	}
	var schedules client.Schedules
	schedules.Zone = "UTC"
	schedules.Regular.Time = opens.Format("15:04")
	schedules.Regular.Days = []string{"sunday", "monday", "tuesday", "wednesday", "thursday",
		"friday", "saturday"}
	schedules.Regular.LengthMinutes = 60
	schedules.Emergency.Time = opens.Add(12 * time.Hour).Format("15:04")
	schedules.Emergency.LengthMinutes = 60
	res, err := s.hub.api.SaveSchedulesWithResponse(ctx, id, client.SaveSchedules{
		Version: c.JSON200.ScheduleVersion, Schedules: schedules})
	if err != nil {
		return err
	}
	return answered(res.StatusCode(), 200, res.Body)
}

// awaitUpgrade waits until every node is seen by the hub on the new version and idle again.
func (s *scene) awaitUpgrade(ctx context.Context, id string) (int, error) {
	return s.awaitVersion(ctx, id, sampleNew)
}

func (s *scene) awaitVersion(ctx context.Context, id, version string) (int, error) {
	upgraded, last := 0, ""
	err := eventually(ctx, unattendedLimit, "both nodes are upgraded", func() (bool, error) {
		c, err := s.hub.api.GetClusterWithResponse(ctx, id)
		if err != nil || c.JSON200 == nil {
			return false, err
		}
		upgraded = 0
		line := ""
		for _, n := range c.JSON200.Nodes {
			line += fmt.Sprintf("  %s %s %s", n.Name, n.Version, n.Step)
			if n.Version == version && n.Step == "idle" {
				upgraded++
			}
		}
		if line != last {
			fmt.Println(time.Now().Format(time.TimeOnly) + line)
			last = line
		}
		return upgraded == len(s.cluster.nodes), nil
	})
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, s.logs())
	}
	return upgraded, err
}

func (s *scene) logs() string {
	if s.hub == nil {
		return ""
	}
	text := "--- hub\n" + tail(filepath.Join(s.hub.dir, "hub.log"))
	if s.cluster != nil {
		for _, n := range s.cluster.nodes {
			text += "\n--- " + n.name + "\n" + tail(filepath.Join(n.logDir, n.name+".log"))
		}
	}
	return text
}

func (s *scene) stop() {
	if s == nil {
		return
	}
	s.cluster.stop()
	s.observer.close()
	s.hub.stop()
}
