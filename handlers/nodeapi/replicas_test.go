package nodeapi_test

import (
	"sync"
	"testing"

	"connecthub/models"
	"connecthub/models/wire"
)

// TestR16TwoReplicasGiveOnePermit lets both nodes ask two hubs over one database at the same moment,
// again and again, with rosters that know nothing of each other.
func TestR16TwoReplicasGiveOnePermit(t *testing.T) {
	rounds := 5
	if long() {
		rounds = 50
	}
	onBoth(t, func(t *testing.T, w *world) {
		w.at("12:00")
		_, nodes := w.register("Tokyo", pubName, subName)
		w.publish("2.0.0", models.Regular)
		given := 0
		for range rounds {
			w.at("03:00")
			other := w.replica()
			nodes[0].poll()
			nodes[1].poll()
			other.follow()
			holders := askAtOnce(t, []*world{w, other, w, other}, nodes)
			if len(holders) > 1 {
				t.Fatalf("%d permits are open: %v", len(holders), holders)
			}
			given += len(holders)
			w.at("06:00") // the offer lapses
		}
		if given == 0 {
			t.Error("no permit was given at all")
		}
	})
}

// askAtOnce answers the permits that were given to anybody.
func askAtOnce(t *testing.T, hubs []*world, nodes []*node) map[models.PermitID]bool {
	t.Helper()
	var wait sync.WaitGroup
	answers := make([]wire.PollResponse, len(hubs)*len(nodes))
	for i, hub := range hubs {
		for j, n := range nodes {
			n.login()
			identity := hub.identify(n)
			request := n.request()
			wait.Go(func() {
				var err error
				answers[i*len(nodes)+j], err = hub.fleet.Poll(t.Context(), identity, request)
				if err != nil {
					t.Errorf("a poll failed: %v", err)
				}
			})
		}
	}
	wait.Wait()
	holders := map[models.PermitID]bool{}
	for _, a := range answers {
		if a.Permit != nil {
			holders[a.Permit.ID] = true
		}
	}
	return holders
}

// TestR6ARevokedNodeIsRefusedByEveryReplica deregisters on one hub and asks the other, which has a
// verified token of the node in its memory.
func TestR6ARevokedNodeIsRefusedByEveryReplica(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	other := w.replica()
	w.pub.w = other
	w.pub.poll()
	must(t, w.fleet.Deregister(t.Context(), w.admin, w.id, "Tokyo"))
	w.pub.state.Health = models.Unhealthy // news: it asks the stored rows
	refused, statement := other.post(wire.PathPoll, w.pub.token, w.pub.request(), nil)
	if refused != "not_registered" || statement == "" {
		t.Errorf("a change was refused with %q, statement %q", refused, statement)
	}
	must(t, other.fleet.Load(t.Context())) // what the other replica's word, or the refresh, does
	refused, statement = other.post(wire.PathPoll, w.pub.token, w.pub.request(), nil)
	if refused != "not_registered" || statement == "" {
		t.Errorf("refused with %q, statement %q", refused, statement)
	}
}
