package nodeapi_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"connecthub/handlers"
	"connecthub/handlers/nodeapi"
	"connecthub/hub/fleet"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
	"connecthub/models/wire"
)

// TestAReplicaWithoutItsLeaseAnswersNoNode lets time pass without a word from the database.
func TestAReplicaWithoutItsLeaseAnswersNoNode(t *testing.T) {
	t.Parallel()
	clock := storetest.NewClock()
	clock.Advance(9 * time.Hour)
	w := worldOn(t, storetest.Postgres(t), clock)
	_, nodes := w.register("Tokyo", pubName, subName)
	quiet := slog.New(slog.DiscardHandler)
	f, err := fleet.New(fleet.Options{Store: w.store, Keys: w.keys, Now: clock.Now, Log: quiet,
		PublicURL: "https://hub.example.com", Replicated: true})
	must(t, err)
	e := handlers.New(handlers.Options{Now: clock.Now, Log: quiet})
	nodeapi.Register(e, f)
	w.fleet, w.echo = f, e
	polls := func() string {
		n := nodes[0]
		code, _ := w.post(wire.PathPoll, n.token, n.request(), nil)
		return string(code)
	}
	if got := polls(); got != "unavailable" {
		t.Errorf("before its first lease: %q", got)
	}
	must(t, f.Start(t.Context()))
	nodes[0].login()
	if got := polls(); got != "" {
		t.Errorf("with a lease: %q", got)
	}
	clock.Advance(store.LeaseFor - 600*time.Millisecond)
	if got := polls(); got != "" {
		t.Errorf("at the end of its lease: %q", got)
	}
	clock.Advance(200 * time.Millisecond)
	if got := polls(); got != "unavailable" {
		t.Errorf("before the database lets it lapse: %q", got)
	}
	if answer := w.call(http.MethodPost, wire.PathToken, "", wire.TokenRequest{}); answer.Code != 503 ||
		answer.Header().Get("Retry-After") == "" {
		t.Errorf("a token: %d %v", answer.Code, answer.Header())
	}
	must(t, f.Start(t.Context()))
	if got := polls(); got != "" {
		t.Errorf("with the next lease: %q", got)
	}
	must(t, f.Leave(t.Context()))
	if got := polls(); got != "unavailable" {
		t.Errorf("after its end: %q", got)
	}
}
