package nodeapi_test

import (
	"testing"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/wire"
)

// TestR34ARestoredHubWaitsForEveryMemberAndTakesNoOldTicket restores in an open window, while one
// node has an offer and a ticket to join is under way.
func TestR34ARestoredHubWaitsForEveryMemberAndTakesNoOldTicket(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, world *world) {
		id, nodes := world.register("Tokyo", pubName, subName)
		world.publish("2.0.0", models.Regular)
		w := walk{T: t, world: world, id: id, pub: nodes[0], sub: nodes[1]}
		pending := w.begin("Osaka", "cc-pub.osaka.example.com")
		w.opens(w.sub, w.pub)
		offered := w.pub.poll().Permit
		if offered == nil {
			t.Fatal("no permit was offered")
		}
		var tickets wire.TicketsResponse
		refused, _ := w.post(wire.PathTickets, w.pub.token,
			wire.TicketsRequest{Members: []models.FQDN{"cc-new.example.com"}}, &tickets)
		if refused != "" {
			t.Fatal(refused)
		}
		done, err := fleet.Restore(t.Context(), w.store, models.Actor{Kind: models.ActorCommand},
			w.clock.Now())
		must(t, err)
		if done.Offers != 1 || done.Registrations != 1 || done.Clusters != 1 {
			t.Errorf("%+v", done)
		}
		w.follow()
		w.held(w.pub, models.ReasonRestoredHub)
		w.sub.poll()
		again := w.pub.poll().Permit
		if again == nil || !offered.Fence.Less(again.Fence) ||
			again.Fence.Incarnation != done.Incarnation {
			t.Errorf("after the restore: %+v", again)
		}
		late := w.newNode("cc-new.example.com", "1.0.0")
		ticket := tickets.Tickets[0].Ticket
		refused, _ = w.post(wire.PathJoin, "", wire.JoinRequest{Ticket: ticket,
			Claim: late.claim(ticket, models.Subscriber)}, nil)
		if refused != "invalid_ticket" {
			t.Errorf("an old ticket to join: %q", refused)
		}
		osaka := w.newNode("cc-pub.osaka.example.com", "1.0.0")
		if _, refused := osaka.allow(pending); refused != "registration_cancelled" {
			t.Errorf("an old ticket to register: %q", refused)
		}
		next, err := fleet.Restore(t.Context(), w.store, models.Actor{Kind: models.ActorCommand},
			w.clock.Now())
		must(t, err)
		if next.Incarnation <= done.Incarnation {
			t.Errorf("incarnation %d after %d", next.Incarnation, done.Incarnation)
		}
	})
}
