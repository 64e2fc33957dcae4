package nodeapi_test

import (
	"log/slog"
	"testing"

	"connecthub/hub/identity"
	"connecthub/models"
)

// TestADisabledOrganizationsNodesStayAndWait disables in an open window, while one node has an
// offer, and no replica has heard of it.
func TestADisabledOrganizationsNodesStayAndWait(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, world *world) {
		id, nodes := world.register("Tokyo", pubName, subName)
		world.publish("2.0.0", models.Regular)
		w := walk{T: t, world: world, id: id, pub: nodes[0], sub: nodes[1]}
		people := identity.New(identity.Options{Store: w.store, Now: w.clock.Now,
			Log: slog.New(slog.DiscardHandler)})
		operator := models.Actor{Kind: models.ActorCommand, Name: "operator"}
		w.opens(w.sub, w.pub)
		offered := w.pub.poll().Permit
		if offered == nil {
			t.Fatal("no permit was offered")
		}
		w.pub.take(offered)
		w.pub.poll()
		must(t, people.DisableOrganization(t.Context(), operator, "Acme"))
		if answer := w.pub.confirm(); answer.Confirmed {
			t.Fatal("a node of a disabled organization may stop its services")
		}
		w.pub.end(models.Abandoned)
		w.follow()
		w.held(w.pub, models.ReasonOrganizationDisabled)
		w.held(w.sub, models.ReasonOrganizationDisabled)
		must(t, people.EnableOrganization(t.Context(), operator, "Acme"))
		w.follow()
		w.rolls(w.pub, w.sub)
	})
}
