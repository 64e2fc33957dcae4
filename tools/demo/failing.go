package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"connecthub/handlers/adminapi/client"
)

const failingLimit = time.Minute

// failing releases a version that turns bad in its soak: the first node must go back by itself, the
// second must never begin, and the rollout must be halted with the version denied (R19, R28).
func (c *crasher) failing(ctx context.Context, o options, version string) error {
	ctx, cancel := context.WithTimeout(ctx, failingLimit)
	defer cancel()
	bundle, err := sampleBundle(ctx, o, version, func(manifest []byte) []byte {
		return bytes.Replace(manifest, []byte(`"environment": {`),
			[]byte(`"environment": {"FAIL_AFTER": "1s",`), 1)
	})
	if err != nil {
		return err
	}
	nodes := c.scene.cluster.nodes
	before, err := lookAt(ctx, nodes)
	if err != nil {
		return err
	}
	if err := c.scene.hub.publish(ctx, bundle, "regular"); err != nil {
		return err
	}
	if err := c.upgradeNow(ctx); err != nil {
		return err
	}
	first, begun, err := c.awaitHalt(ctx, version)
	if err != nil {
		return err
	}
	after, err := lookAt(ctx, nodes)
	if err != nil {
		return err
	}
	var wrong []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	denied := 0
	for i, n := range nodes {
		refuse(after[i].Version != before[i].Version, "%s ended on %s, not on %s", n.name,
			after[i].Version, before[i].Version)
		if slices.Contains(after[i].Denied, version) {
			denied++
		}
		if n.name != first {
			refuse(after[i].pid() != before[i].pid(), "%s was restarted, though it was not first", n.name)
		}
	}
	refuse(begun != 1, "%d nodes began", begun)
	refuse(denied != 1, "%d nodes deny the version", denied)
	fmt.Printf("proof 2.7-failing release=%s began=%d/%d denied=%d rollout=halted_failed\n", version,
		begun, len(nodes), denied)
	return errors.Join(wrong...)
}

// awaitHalt waits for the halt and answers who began first and how many did.
func (c *crasher) awaitHalt(ctx context.Context, version string) (string, int, error) {
	var first string
	begun := map[string]bool{}
	err := eventually(ctx, failingLimit, "the rollout of "+version+" is halted", func() (bool, error) {
		res, err := c.scene.hub.api.GetClusterWithResponse(ctx, c.id)
		if err != nil || res.JSON200 == nil {
			return false, err
		}
		idle := true
		for _, n := range res.JSON200.Nodes {
			if n.Step == "idle" {
				continue
			}
			idle = false
			begun[n.Name] = true
			if first == "" {
				first = n.Name
			}
		}
		r := res.JSON200.Rollout
		return idle && r != nil && r.Version == version &&
			r.State == client.RolloutStateHaltedFailed, nil
	})
	return first, len(begun), err
}

// seen is what a node's own command says of it.
type seen struct {
	Version  string   `json:"version"`
	Denied   []string `json:"denied"`
	Services struct {
		Services []struct {
			PID int `json:"pid"`
		} `json:"services"`
	} `json:"services"`
}

func (s seen) pid() int {
	if len(s.Services.Services) == 0 {
		return 0
	}
	return s.Services.Services[0].PID
}

func lookAt(ctx context.Context, nodes []*node) ([]seen, error) {
	var all []seen
	for _, n := range nodes {
		out, err := exec.CommandContext(ctx, n.program, "status", "--dir", n.dir, "--json").Output()
		if err != nil {
			return nil, fmt.Errorf("cannot ask %s for its status: %w", n.name, err)
		}
		var one seen
		if err := json.Unmarshal(out, &one); err != nil {
			return nil, fmt.Errorf("cannot read the status of %s: %w", n.name, err)
		}
		all = append(all, one)
	}
	return all, nil
}
