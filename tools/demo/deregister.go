package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"connecthub/handlers/adminapi/client"
)

// afterwards is how long the services are watched once every node has forgotten its registration.
const afterwards = 3 * time.Second

// deregister ends the cluster's registration and looks at the nodes (R6): each forgets its credential
// and says so by its command and on its page, and no service stops for a moment.
func (s *scene) deregister(ctx context.Context, id string) error {
	w := watch(s.services())
	res, err := s.hub.api.DeregisterWithResponse(ctx, id, client.TypedName{TypedName: sampleName})
	if err == nil {
		err = answered(res.StatusCode(), 204, res.Body)
	}
	if err != nil {
		w.stop()
		return fmt.Errorf("cannot deregister: %w", err)
	}
	forgot, said := 0, 0
	for _, n := range s.cluster.nodes {
		if err := eventually(ctx, 20*time.Second, n.name+" forgets its credential", func() (bool, error) {
			registered, err := n.registered(ctx)
			return !registered, err
		}); err == nil {
			forgot++
		}
		text, err := n.statusPage(ctx)
		if err == nil && strings.Contains(text, "Not registered") {
			said++
			continue
		}
		fmt.Printf("%s shows on its page: %s %v\n", n.name, plain(text), err)
	}
	settle := time.NewTimer(afterwards)
	defer settle.Stop()
	select {
	case <-ctx.Done():
	case <-settle.C:
	}
	w.stop()
	down := w.oneDown.Load() + w.overlap.Load()
	nodes := len(s.cluster.nodes)
	fmt.Printf("proof 3.5-node deregistered=%d forgot=%d page_says_so=%d down=%d/%d "+
		"failed_requests=%d/%d\n", nodes, forgot, said, down, w.samples.Load(), w.failed.Load(),
		w.requests.Load())
	if forgot < nodes || said < nodes || down > 0 || w.failed.Load() > 0 || w.samples.Load() == 0 {
		return errors.New("a deregistered node did not do what is promised")
	}
	return nil
}

// registered is what the node's own command says.
func (n *node) registered(ctx context.Context) (bool, error) {
	out, err := exec.CommandContext(ctx, n.program, "status", "--dir", n.dir, "--json").Output()
	if err != nil {
		return false, fmt.Errorf("cannot ask %s for its status: %w", n.name, err)
	}
	var status struct {
		Registered bool `json:"registered"`
	}
	return status.Registered, json.Unmarshal(out, &status)
}
