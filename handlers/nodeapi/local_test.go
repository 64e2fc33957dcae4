package nodeapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

// works asks for a permit for work by hand.
func (n *node) works(what models.HandWork, r *models.Release) wire.LocalResponse {
	n.w.t.Helper()
	answer, refused := n.tryWorks(what, r)
	if refused != "" {
		n.w.t.Fatalf("%s was refused: %s", n.name, refused)
	}
	return answer
}

func (n *node) tryWorks(what models.HandWork, r *models.Release) (wire.LocalResponse, models.Code) {
	n.w.t.Helper()
	n.login()
	q := wire.LocalRequest{What: what, Poll: n.request()}
	if r != nil {
		q.Version, q.Digest = r.Version, r.Digest
	}
	var answer wire.LocalResponse
	refused, _ := n.w.post(wire.PathLocal, n.token, q, &answer)
	return answer, refused
}

func onBothWalks(t *testing.T, do func(w walk)) {
	t.Helper()
	onBoth(t, func(t *testing.T, world *world) {
		id, nodes := world.register("Tokyo", pubName, subName)
		do(walk{T: t, world: world, id: id, pub: nodes[0], sub: nodes[1]})
	})
}

func (w walk) refusedFor(a wire.LocalResponse, reason models.Reason, subject models.FQDN) {
	w.Helper()
	if a.Permit != nil || a.Reason != reason || a.Subject != string(subject) {
		w.Fatalf("%+v, not %s of %s", a, reason, subject)
	}
}

// TestR33WorkByHandTakesAPermitOutsideEveryWindowAndHoldsThePeer stops the publisher by hand: the
// subscriber waits until it has reported, and no message counts twice.
func TestR33WorkByHandTakesAPermitOutsideEveryWindowAndHoldsThePeer(t *testing.T) {
	t.Parallel()
	onBothWalks(t, func(w walk) {
		p := w.pub.works(models.HandStop, nil).Permit
		if p == nil || p.Kind != models.PermitLocal || p.State != models.PermitOffered || p.Digest != "" {
			w.Fatalf("%+v", p)
		}
		if again := w.pub.works(models.HandStop, nil).Permit; again == nil || again.ID != p.ID {
			w.Errorf("asked again: %+v", again)
		}
		w.refusedFor(w.sub.works(models.HandStop, nil), models.ReasonLocalWork, pubName)
		w.pub.take(p)
		if c := w.pub.confirm(); !c.Confirmed || c.StopWithinMS != 60_000 {
			w.Fatalf("%+v", c)
		}
		w.pub.state.Step, w.pub.state.Health = models.StepStopping, models.Unhealthy
		w.pub.poll()
		w.refusedFor(w.sub.works(models.HandRollback, nil), models.ReasonLocalWork, pubName)
		if v := w.cluster(w.id); v.LocalWork == nil || v.LocalWork.NodeName != pubName {
			w.Errorf("the cluster shows %+v", v.LocalWork)
		}
		w.clock.Advance(24 * time.Hour) // no time ends it
		w.follow()
		w.sub.poll()
		w.refusedFor(w.sub.works(models.HandStop, nil), models.ReasonLocalWork, pubName)
		w.pub.state.Journal.Version = w.pub.state.Version
		w.pub.end(models.Succeeded)
		w.sub.poll()
		if w.sub.works(models.HandStop, nil).Permit == nil {
			w.Error("nothing holds the subscriber any more, and yet it has no permit")
		}
		if w.actions(fleet.ActionPermitOffered) != 2 || w.actions(fleet.ActionPermitConfirmed) != 1 ||
			w.actions(fleet.ActionPermitEnded) != 1 || w.actions(fleet.ActionLocalRefused) != 3 {
			w.Error("the records are not those of what happened")
		}
	})
}

func TestR33AnOfferForWorkByHandLapsesAlthoughItsNodePolls(t *testing.T) {
	t.Parallel()
	onBothWalks(t, func(w walk) {
		p := w.pub.works(models.HandStop, nil).Permit
		for range 6 {
			w.clock.Advance(time.Minute)
			w.pub.poll()
			w.sub.poll()
		}
		w.follow()
		w.pub.take(p)
		if c := w.pub.confirm(); c.Confirmed || c.Reason != models.ReasonStalePermit {
			w.Errorf("%+v", c)
		}
	})
}

func TestR33APeerThatDoesNotServeHoldsWorkByHand(t *testing.T) {
	t.Parallel()
	onBothWalks(t, func(w walk) {
		w.sub.state.Health = models.Unhealthy
		w.sub.poll()
		w.refusedFor(w.pub.works(models.HandStop, nil), models.ReasonPeerUnhealthy, subName)
		w.sub.state.Health = models.Healthy
		w.sub.poll()
		p := w.pub.works(models.HandStop, nil).Permit
		w.clock.Advance(4 * time.Minute) // the offer stands, the peer has fallen silent since
		w.pub.take(p)
		if c := w.pub.confirm(); c.Confirmed || c.Reason != models.ReasonPeerSilent {
			w.Errorf("%+v", c)
		}
	})
}

// TestR33AnUpgradeByHandGoesToASignedReleaseOnly names bundles that the node has.
func TestR33AnUpgradeByHandGoesToASignedReleaseOnly(t *testing.T) {
	t.Parallel()
	onBothWalks(t, func(w walk) {
		next := w.publish("2.0.0", models.Regular)
		w.pub.poll()
		w.sub.poll()
		unknown := next
		unknown.Digest = strings.Repeat("0f", 32)
		w.refusedFor(w.pub.works(models.HandUpgrade, &unknown), models.ReasonNoRelease, "")
		w.refusedFor(w.sub.works(models.HandUpgrade, &next), models.ReasonNotYourTurn, pubName)
		w.release(next.ID, models.ReleasePaused)
		w.refusedFor(w.pub.works(models.HandUpgrade, &next), models.ReasonReleasePaused, "2.0.0")
		w.release(next.ID, models.ReleasePublished)
		p := w.pub.works(models.HandUpgrade, &next).Permit
		if p == nil || p.Digest != next.Digest || p.Version != "2.0.0" || p.Size != next.Size {
			w.Fatalf("%+v", p)
		}
		w.pub.upgrade(p)
		w.refusedFor(w.pub.works(models.HandUpgrade, &next), models.ReasonUpToDate, "")
		w.sub.poll()
		if w.sub.works(models.HandUpgrade, &next).Permit == nil {
			w.Error("the publisher is there, and the subscriber has no permit")
		}
		_, refused := w.pub.tryWorks(models.HandUpgrade, nil)
		if refused != "invalid_poll" {
			w.Errorf("an upgrade to nothing: %q", refused)
		}
		if _, refused = w.pub.tryWorks("reboot", nil); refused != "invalid_poll" {
			w.Errorf("work that nobody knows: %q", refused)
		}
	})
}

// TestR33NeverTwoNodesStopByHand lets both nodes ask two replicas at once, again and again.
func TestR33NeverTwoNodesStopByHand(t *testing.T) {
	t.Parallel()
	tried, twice := 0, 0
	onBothWalks(t, func(w walk) {
		other := w.replica()
		for range 8 {
			w.pub.poll()
			w.sub.poll()
			must(w.T, other.fleet.Load(w.Context()))
			tried++
			if w.askTogether(other) > 1 {
				twice++
			}
			w.clock.Advance(6 * time.Minute)
			w.follow()
		}
	})
	fmt.Printf("proof 4.9-local tried=%d failed=%d dialects=2\n", tried, twice)
	if twice > 0 {
		t.Errorf("%d times both nodes had a permit", twice)
	}
}

// askTogether lets both nodes ask at once, each another replica, and counts who has a permit.
func (w walk) askTogether(other *world) (granted int) {
	w.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, n := range []*node{w.pub, w.sub} {
		at := w.world
		if i == 1 {
			at = other
		}
		id, q := at.identify(n), wire.LocalRequest{What: models.HandStop, Poll: n.request()}
		wg.Go(func() {
			a, err := at.fleet.Local(w.Context(), id, q)
			mu.Lock()
			defer mu.Unlock()
			if err == nil && a.Permit != nil {
				granted++
			}
		})
	}
	wg.Wait()
	var open []models.Permit
	must(w.T, w.store.View(w.Context(), func(tx *store.Tx) (err error) {
		open, err = tx.Hub().OpenPermits()
		return err
	}))
	return max(granted, len(open))
}

// TestR33WorkWithoutAPermitIsRecordedOnce repeats the poll that tells of it.
func TestR33WorkWithoutAPermitIsRecordedOnce(t *testing.T) {
	t.Parallel()
	onBothWalks(t, func(w walk) {
		now := w.clock.Now().UTC()
		w.pub.state.ByHand = []wire.HandReport{{ID: "one", What: models.HandStop,
			Outcome: models.Succeeded, BegunAt: now, EndedAt: now}}
		for range 3 {
			if heard := w.pub.poll().ByHandHeard; len(heard) != 1 || heard[0] != "one" {
				w.Errorf("heard %v", heard)
			}
		}
		if n := w.actions(fleet.ActionWithoutPermit); n != 1 {
			w.Errorf("recorded %d times", n)
		}
		w.pub.state.ByHand[0].What = "reboot"
		if _, code, _ := w.pub.tryPoll(); code != "invalid_poll" {
			w.Errorf("work that nobody knows: %q", code)
		}
	})
}

// TestNoNodeStopsWhileAMemberOrchestrates: offers, confirms and work by hand, of every node.
func TestNoNodeStopsWhileAMemberOrchestrates(t *testing.T) {
	t.Parallel()
	onBothWalks(t, func(w walk) {
		w.publish("2.0.0", models.Regular)
		w.opens(w.sub)
		w.pub.state.Orchestrating = true
		w.held(w.pub, models.ReasonOrchestrating)
		w.held(w.sub, models.ReasonOrchestrating)
		w.refusedFor(w.pub.works(models.HandStop, nil), models.ReasonOrchestrating, pubName)
		w.refusedFor(w.sub.works(models.HandStop, nil), models.ReasonOrchestrating, pubName)
		w.pub.state.Orchestrating = false
		p := w.pub.poll().Permit
		w.pub.take(p)
		w.sub.state.Orchestrating = true
		if open := w.sub.poll().PermitOpen; open != pubName {
			w.Errorf("who orchestrates is told of %q", open)
		}
		if c := w.pub.confirm(); c.Confirmed || c.Reason != models.ReasonOrchestrating {
			w.Errorf("%+v", c)
		}
		w.sub.state.Orchestrating = false
		if open := w.sub.poll().PermitOpen; open != "" {
			w.Errorf("who does not orchestrate is told of %q", open)
		}
		if c := w.pub.confirm(); !c.Confirmed {
			w.Errorf("%+v", c)
		}
	})
}

func TestR33TheLocalPermitNeedsAToken(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	answer := w.call(http.MethodPost, wire.PathLocal, "", wire.LocalRequest{})
	if answer.Code != http.StatusUnauthorized {
		t.Error(answer.Code)
	}
}

// TestR33ANodeRolledBackByHandGoesForwardAgainWhenAnAdminRetries: nothing is halted, and yet the version
// is not tried again until somebody says so.
func TestR33ANodeRolledBackByHandGoesForwardAgainWhenAnAdminRetries(t *testing.T) {
	t.Parallel()
	onBothWalks(t, func(w walk) {
		w.publish("2.0.0", models.Regular)
		w.opens(w.sub)
		w.rolls(w.pub, w.sub)
		p := w.sub.works(models.HandRollback, nil).Permit
		w.sub.take(p)
		if c := w.sub.confirm(); !c.Confirmed {
			w.Fatalf("%+v", c)
		}
		w.sub.state.Denied = []models.Version{"2.0.0"}
		w.sub.state.Journal.Version = "1.0.0" // where end goes to
		w.sub.end(models.Succeeded)
		w.opens(w.pub)
		w.held(w.sub, models.ReasonDeniedVersion)
		_, err := w.fleet.Retry(w.Context(), w.admin, w.id)
		must(w.T, err)
		w.opens(w.pub)
		again := w.sub.poll()
		if again.Permit == nil || again.Permit.Version != "2.0.0" || len(w.sub.state.Denied) != 0 {
			w.Fatalf("%+v, denied %v", again.Decision, w.sub.state.Denied)
		}
		w.sub.upgrade(again.Permit)
	})
}
