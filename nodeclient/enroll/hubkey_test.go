package enroll_test

import (
	"context"
	"crypto/ed25519"
	"net/http"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/enroll"
)

// TestAStrangersKeyIsNotTakenForTheHubs is a proxy that this node was told to trust, and that puts a
// key of its own into the identity: the ticket, which came through the browser, was signed by another.
func TestAStrangersKeyIsNotTakenForTheHubs(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	dir, _, _ := newPublisher(t, h)
	e := open(t, dir)
	if _, err := e.Allow(t.Context(), oneTicket, "en", enroll.By{}, wire.InspectResponse{}); err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 8)
	h.at(wire.PathStatus, func(w http.ResponseWriter, _ *http.Request) {
		identity := h.identity(models.Publisher)
		identity.HubKey = wire.KeyOf(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).
			Public().(ed25519.PublicKey))
		reply(w, wire.StatusResponse{State: models.RegistrationCompleted, Identity: &identity})
		select {
		case asked <- struct{}{}:
		default:
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- e.Await(ctx) }()
	for range 2 { // at the second, the first answer was looked at and not taken
		select {
		case <-asked:
		case <-ctx.Done():
		}
	}
	if e.Identity() != nil {
		t.Fatal("the node took a stranger's key for the hub's")
	}
	// also after a restart it knows which ticket it allowed
	if again := open(t, dir); again.Identity() != nil || !again.Claimed() {
		t.Error("the claim does not outlive a restart")
	}
	h.at(wire.PathStatus, nil)
	h.complete()
	if err := <-ended; err != nil || e.Identity() == nil {
		t.Errorf("the hub's own word: %v", err)
	}
}
