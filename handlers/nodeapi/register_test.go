package nodeapi_test

import (
	"testing"

	"connecthub/models"
)

func TestAClusterIsRegisteredAndUpgradedOneNodeAfterTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, nodes := w.register("Tokyo", "cc-pub.example.com", "cc-sub.example.com")
	w.publish("2.0.0", models.Regular)
	pub, sub := nodes[0], nodes[1]
	if d := pub.poll().Decision; d.Reason != models.ReasonWindowClosed {
		t.Errorf("outside the window the publisher was told %s", d.Reason)
	}
	if v := w.cluster(id); !v.UpgradePending || v.State != "operational" {
		t.Errorf("the card says %s, pending %v", v.State, v.UpgradePending)
	}
	w.at("03:00")
	sub.poll()
	answer := pub.poll()
	if answer.Permit == nil {
		t.Fatalf("no permit in the window: %+v", answer.Decision)
	}
	if sub.poll().Permit != nil {
		t.Error("both nodes have a permit")
	}
	pub.upgrade(answer.Permit)
	pub.poll()
	sub.upgrade(sub.poll().Permit)
	w.follow()
	v := w.cluster(id)
	if v.UpgradePending || v.Rollout != nil {
		t.Errorf("something is still pending: %+v", v.Rollout)
	}
	for _, n := range v.Nodes {
		if n.Version != "2.0.0" {
			t.Errorf("%s runs %s", n.Name, n.Version)
		}
	}
}
