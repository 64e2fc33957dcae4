package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"connecthub/handlers/adminapi/client"
)

const (
	crashRounds     = 4
	crashRoundsLong = 40
	crashRoundLimit = 3 * time.Minute
)

// crash upgrades the cluster again and again while it kills the hub or an agent with kill -9 at
// random moments and at the steps that last only an instant. Every round must end with both nodes
// on one complete version and the service answering, with never both nodes down. Last comes a
// release that fails in its soak.
func crash(ctx context.Context, o options) error {
	if err := fresh(ctx, o); err != nil {
		return err
	}
	rounds := o.rounds
	if rounds == 0 {
		rounds = crashRounds
		if os.Getenv("LONG") != "" {
			rounds = crashRoundsLong
		}
	}
	s, err := newSampleScene(ctx, o, 8780, 8781, 8755, 9600, quickPolls...)
	if err != nil {
		return err
	}
	defer s.stop()
	const name = "Crash cluster"
	id, err := s.cluster.register(ctx, s.hub, name)
	if err != nil {
		return err
	}
	if err := s.hub.publish(ctx, s.bundles[0], "regular"); err != nil {
		return err
	}
	far := time.Now().UTC().Add(10 * time.Hour).Truncate(time.Minute)
	if err := s.schedule(ctx, id, far); err != nil {
		return err
	}
	seed := uint64(time.Now().UnixNano())
	c := &crasher{scene: s, id: id, name: name, random: rand.New(rand.NewPCG(seed, 1))}
	fmt.Printf("crash: seed %d, %d rounds\n", seed, rounds)
	w := watch(s.services())
	survived, failure := c.rounds(ctx, o, rounds)
	w.stop()
	fmt.Printf("proof 2.5-system crash_points=%d survived=%d agent=%d hub=%d rounds=%d overlap=%d/%d "+
		"failed_requests=%d/%d\n", c.kills, survived, c.agentKills, c.kills-c.agentKills, rounds,
		w.overlap.Load(), w.samples.Load(), w.failed.Load(), w.requests.Load())
	switch {
	case failure != nil:
		return failure
	case w.overlap.Load() > 0:
		return fmt.Errorf("both nodes were down at once")
	case survived == 0:
		return fmt.Errorf("nothing was killed")
	}
	return nil
}

type crasher struct {
	scene      *scene
	id, name   string
	random     *rand.Rand
	kills      int
	agentKills int
}

// rounds runs them all, and the failing release behind them. It answers how many kills were survived.
func (c *crasher) rounds(ctx context.Context, o options, rounds int) (int, error) {
	survived := 0
	for round := range rounds {
		before := c.kills
		if err := c.round(ctx, o, fmt.Sprintf("%d.0.0", round+2)); err != nil {
			return survived, fmt.Errorf("round %d: %w\n%s", round+1, err, c.scene.logs())
		}
		survived += c.kills - before
	}
	if err := c.failing(ctx, o, fmt.Sprintf("%d.0.0", rounds+2)); err != nil {
		return survived, fmt.Errorf("a release that fails: %w\n%s", err, c.scene.logs())
	}
	return survived, nil
}

// round publishes one version, opens an extra window and kills until the upgrade has ended.
func (c *crasher) round(ctx context.Context, o options, version string) error {
	ctx, cancel := context.WithTimeout(ctx, crashRoundLimit)
	defer cancel()
	bundle, err := sampleBundle(ctx, o, version)
	if err != nil {
		return err
	}
	if err := c.scene.hub.publish(ctx, bundle, "regular"); err != nil {
		return err
	}
	if err := c.upgradeNow(ctx); err != nil {
		return err
	}
	finished := make(chan error, 1)
	go func() {
		_, err := c.scene.awaitVersion(ctx, c.id, version)
		finished <- err
	}()
	for {
		pause := time.Duration(300+c.random.IntN(2200)) * time.Millisecond
		select {
		case err := <-finished:
			return err
		case <-time.After(pause):
		}
		if err := c.kill(ctx); err != nil {
			return err
		}
	}
}

func (c *crasher) upgradeNow(ctx context.Context) error {
	return eventually(ctx, 40*time.Second, "the extra window opens", func() (bool, error) {
		res, err := c.scene.hub.api.UpgradeNowWithResponse(ctx, c.id,
			client.TypedName{TypedName: c.name})
		if err != nil {
			return false, err
		}
		if err := answered(res.StatusCode(), 200, res.Body); err != nil {
			return res.StatusCode() == 409 && bytes.Contains(res.Body, []byte("window_open_already")), err
		}
		return true, nil
	})
}

// kill ends one of the three programs without warning and starts it again.
func (c *crasher) kill(ctx context.Context) error {
	c.kills++
	if who := c.random.IntN(3); who < len(c.scene.cluster.nodes) {
		c.agentKills++
		n := c.scene.cluster.nodes[who]
		n.process.kill()
		return n.run()
	}
	c.scene.hub.process.kill()
	return c.scene.hub.up(ctx)
}
