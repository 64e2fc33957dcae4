package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"connecthub/hub/fleet"
	"connecthub/hub/keys"
	"connecthub/hub/seal"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
)

const (
	revokedPollers = 8
	lateEach       = 5 // requests of each poller that begin after the deregistration has returned
)

// round lets eight pollers poll without a pause, deregisters their cluster, and answers how many of
// the requests that began after that has returned were made and how many succeeded.
func (h *hubs) round(name string, deregister func(models.ClusterID)) (late, succeeded int) {
	h.t.Helper()
	id, pollers := h.cluster(name, revokedPollers)
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	var wait, begun sync.WaitGroup
	over := make(chan struct{})
	begun.Add(revokedPollers)
	for _, p := range pollers {
		wait.Go(func() { p.run(ctx, &begun, over) })
	}
	begun.Wait()
	deregister(id)
	returned := time.Now()
	close(over)
	wait.Wait()
	for _, p := range pollers {
		for _, a := range p.answers {
			if !a.began.After(returned) {
				continue
			}
			late++
			switch a.code {
			case "":
				succeeded++
			case "not_registered", "unavailable":
			default:
				h.t.Errorf("a late request was refused with %q", a.code)
			}
		}
	}
	return late, succeeded
}

// run polls until it is over, and a few times more.
func (p *poller) run(ctx context.Context, begun *sync.WaitGroup, over <-chan struct{}) {
	first := sync.OnceFunc(begun.Done)
	defer first()
	if err := p.login(ctx); err != nil {
		p.hubs.t.Error(err)
		return
	}
	for left := lateEach; left > 0; {
		select {
		case <-over:
			left--
		default:
		}
		a, err := p.poll(ctx)
		if err != nil {
			p.hubs.t.Error(err)
			return
		}
		p.answers = append(p.answers, a)
		first()
	}
}

// TestR6NoRequestSucceedsOnceADeregistrationHasReturned is eight pollers on three processes of the
// hub over PostgreSQL; then the same while one process hangs, and with a hub that does not wait for
// the others.
func TestR6NoRequestSucceedsOnceADeregistrationHasReturned(t *testing.T) {
	rounds, frozen := 24, 1
	if os.Getenv("LONG") == "1" {
		rounds, frozen = 1000, 10
	}
	h := startHubs(t, storetest.PostgresDSN(t), 3)
	through := func(p *hubProcess) func(models.ClusterID) {
		return func(id models.ClusterID) { h.deregister(p, id) }
	}
	late, succeeded := 0, 0
	for i := range rounds {
		l, s := h.round(fmt.Sprintf("cluster-%d", i), through(h.one[i%3]))
		late, succeeded = late+l, succeeded+s
	}
	longest := time.Duration(0)
	for i := range frozen {
		l, s, took := h.frozen(fmt.Sprintf("frozen-%d", i))
		late, succeeded, longest = late+l, succeeded+s, max(longest, took)
	}
	impatient, missed := h.impatient(), 0
	for i := range 60 {
		_, s := h.round(fmt.Sprintf("impatient-%d", i), impatient)
		if missed += s; missed > 0 {
			break
		}
	}
	fmt.Printf("proof 3.5 processes=3 pollers=%d deregistrations=%d late_requests=%d "+
		"late_successes=%d frozen=%d waited_for_frozen_ms=%d mutant_late_successes=%d\n", revokedPollers,
		rounds, late, succeeded, frozen, longest.Milliseconds(), missed)
	if succeeded > 0 {
		t.Errorf("%d requests succeeded after the deregistration had returned", succeeded)
	}
	if missed == 0 {
		t.Error("a hub that does not wait was not found out")
	}
}

func (h *hubs) deregister(p *hubProcess, id models.ClusterID) {
	h.t.Helper()
	status, text := h.admin(p, http.MethodPost, "/clusters/"+string(id)+"/deregister",
		map[string]string{"typed_name": h.name(id)})
	if status != http.StatusNoContent {
		h.t.Fatalf("not deregistered: %d %s", status, text)
	}
}

func (h *hubs) name(id models.ClusterID) (name string) {
	h.t.Helper()
	h.must(h.store.View(h.t.Context(), func(tx *store.Tx) error {
		c, err := tx.Hub().ClusterByID(id)
		name = c.DisplayName
		return err
	}))
	return name
}

// frozen stops one process in the middle of its work, as a machine that hangs, and lets it go on when
// the deregistration has returned: it must find out by itself that its word does not count.
func (h *hubs) frozen(name string) (late, succeeded int, took time.Duration) {
	h.t.Helper()
	hangs := h.one[2]
	late, succeeded = h.round(name, func(id models.ClusterID) {
		h.must(hangs.cmd.Process.Signal(syscall.SIGSTOP))
		began := time.Now()
		h.deregister(h.one[0], id)
		took = time.Since(began)
		h.must(hangs.cmd.Process.Signal(syscall.SIGCONT))
	})
	return late, succeeded, took
}

// impatient is the mutant: it deregisters as the only process would.
func (h *hubs) impatient() func(models.ClusterID) {
	h.t.Helper()
	secret, err := seal.NewKey()
	h.must(err)
	sealer, err := seal.New(secret)
	h.must(err)
	k, err := keys.LoadOrCreate(h.t.TempDir(), sealer)
	h.must(err)
	f, err := fleet.New(fleet.Options{Store: h.store, Keys: k, Now: time.Now,
		Log: slog.New(slog.DiscardHandler), PublicURL: "https://hub.example.com"})
	h.must(err)
	h.must(f.Load(h.t.Context()))
	admin := models.Actor{Kind: models.ActorUser, UserID: "ada", Name: "Ada", Organization: h.org,
		Role: models.FullAdmin}
	return func(id models.ClusterID) {
		h.must(f.Deregister(h.t.Context(), admin, id, fleet.TypedName(h.name(id))))
	}
}
