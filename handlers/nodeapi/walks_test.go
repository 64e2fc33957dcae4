package nodeapi_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/wire"
)

const (
	pubName = models.FQDN("cc-pub.example.com")
	subName = models.FQDN("cc-sub.example.com")
)

// walk is one story of two nodes, told through the real handlers.
type walk struct {
	*testing.T
	*world
	id       models.ClusterID
	pub, sub *node
}

// TestTheWalks tells the stories that a cluster must survive, each on a hub of its own.
func TestTheWalks(t *testing.T) {
	walks := map[string]func(walk){
		"one of two nodes offline":                   walkOffline,
		"the first node fails":                       walkFails,
		"the confirmed holder dies and comes back":   walkDies,
		"the schedule changes in an open window":     walkScheduleChanged,
		"an emergency while a regular one half done": walkEmergency,
		"deregistration in mid-upgrade":              walkDeregistered,
		"a node replaced":                            walkReplaced,
		"a subscriber that joins later":              walkLateJoin,
		"a node in maintenance":                      walkMaintenance,
		"a wrong clock":                              walkClock,
	}
	var failed atomic.Int64
	for name, story := range walks {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					failed.Add(1)
				}
			}()
			w := newWorld(t)
			id, nodes := w.register("Tokyo", pubName, subName)
			w.publish("2.0.0", models.Regular)
			story(walk{T: t, world: w, id: id, pub: nodes[0], sub: nodes[1]})
		})
	}
	fmt.Printf("proof 2.7-walks walked=%d failed=%d\n", len(walks), failed.Load())
}

// held polls and wants the recorded reason, which the admins see.
func (w walk) held(n *node, reason models.Reason) {
	w.Helper()
	if p := n.poll().Permit; p != nil && p.State == models.PermitOffered {
		w.Fatalf("%s has a permit and should hold: %s", n.name, reason)
	}
	for _, v := range w.cluster(w.id).Nodes {
		if v.Name == n.name && (v.Decision == nil || v.Decision.Reason != reason) {
			w.Fatalf("%s: %+v, not %s", n.name, v.Decision, reason)
		}
	}
}

// opens begins the next window with everybody heard.
func (w walk) opens(nodes ...*node) {
	w.Helper()
	w.at("03:00")
	for _, n := range nodes {
		n.poll()
	}
}

// rolls lets both nodes go, the publisher first, and wants nothing left.
func (w walk) rolls(nodes ...*node) {
	w.Helper()
	for _, n := range nodes {
		for _, other := range nodes {
			other.poll()
		}
		n.upgrade(n.poll().Permit)
	}
	w.follow()
	if v := w.cluster(w.id); v.Rollout != nil || v.UpgradePending {
		w.Fatalf("something is left: %+v", v.Rollout)
	}
}

func (w walk) rollout(state models.RolloutState) {
	w.Helper()
	if r := w.cluster(w.id).Rollout; r == nil || r.State != state {
		w.Fatalf("the rollout is %+v, not %s", r, state)
	}
}

func walkOffline(w walk) {
	w.at("03:00")
	w.held(w.pub, models.ReasonPeerSilent)
	w.clock.Advance(time.Minute)
	w.sub.poll()
	w.rolls(w.pub, w.sub)
}

func walkFails(w walk) {
	w.opens(w.sub)
	w.pub.take(w.pub.poll().Permit)
	w.pub.poll()
	w.pub.confirm()
	w.pub.state.Step = models.StepRollingBack
	w.pub.poll()
	w.pub.end(models.RolledBack)
	w.rollout(models.RolloutHaltedFailed)
	w.held(w.sub, models.ReasonHaltedFailed)
	_, err := w.fleet.Retry(w.Context(), w.admin, w.id)
	must(w.T, err)
	if w.pub.poll().Permit != nil {
		w.Fatal("a retry started in the same window")
	}
	w.opens(w.sub)
	w.rolls(w.pub, w.sub)
}

func walkDies(w walk) {
	w.opens(w.sub)
	w.pub.take(w.pub.poll().Permit)
	w.pub.poll()
	w.pub.confirm()
	permit := w.pub.state.Permit.ID
	_, err := w.fleet.OverridePermit(w.Context(), w.admin, w.id, permit, fleet.TypedName(pubName))
	refusedWith(w.T, err, "holder_not_lost")
	w.clock.Advance(16 * time.Minute)
	w.held(w.sub, models.ReasonHaltedLost)
	w.rollout(models.RolloutHaltedLost)
	_, err = w.fleet.OverridePermit(w.Context(), w.admin, w.id, permit, "cc-pub")
	refusedWith(w.T, err, "typed_name_differs")
	_, err = w.fleet.OverridePermit(w.Context(), w.admin, w.id, permit, fleet.TypedName(pubName))
	must(w.T, err)
	w.sub.upgrade(w.sub.poll().Permit) // the dead one is excluded and does not count
	back := w.pub.state.Permit
	if answer := w.pub.poll(); answer.PermitEnded != back.ID || answer.Permit != nil {
		w.Fatalf("the one that came back was told %+v", answer)
	}
	w.pub.state.Step = models.StepIdle
	w.pub.poll()
	w.pub.poll()
	w.clock.Advance(time.Minute)
	w.sub.poll()
	w.pub.upgrade(w.pub.poll().Permit)
}

func walkScheduleChanged(w walk) {
	w.opens(w.sub)
	w.pub.take(w.pub.poll().Permit)
	v := w.cluster(w.id)
	s := v.Schedules
	s.Regular.Time = "04:00"
	_, err := w.fleet.SaveSchedules(w.Context(), w.admin, w.id, v.ScheduleVersion+1, s)
	refusedWith(w.T, err, "schedule_changed")
	_, err = w.fleet.SaveSchedules(w.Context(), w.admin, w.id, v.ScheduleVersion, s)
	must(w.T, err)
	permit := w.pub.state.Permit.ID
	if answer := w.pub.poll(); answer.PermitEnded != permit || answer.Permit != nil {
		w.Fatalf("the offer outlived its window: %+v", answer)
	}
	w.pub.state.Step = models.StepIdle
	w.held(w.pub, models.ReasonWindowClosed)
	w.at("04:00")
	w.pub.poll()
	w.sub.poll()
	w.rolls(w.pub, w.sub)
}

func walkEmergency(w walk) {
	w.opens(w.sub)
	w.pub.upgrade(w.pub.poll().Permit)
	w.sub.take(w.sub.poll().Permit)
	w.sub.poll()
	offered := w.sub.state.Permit.ID
	w.publish("2.0.1", models.Emergency)
	if answer := w.sub.poll(); answer.PermitEnded != offered {
		w.Fatalf("the regular offer stands: %+v", answer)
	}
	w.sub.state.Step = models.StepIdle
	w.sub.poll()
	w.rolls(w.pub, w.sub)
	for _, n := range w.cluster(w.id).Nodes {
		if n.Version != "2.0.1" {
			w.Errorf("%s runs %s", n.Name, n.Version)
		}
	}
}

func walkDeregistered(w walk) {
	w.opens(w.sub)
	w.pub.take(w.pub.poll().Permit)
	w.pub.poll()
	digest := w.pub.poll().Permit.Digest
	w.pub.confirm()
	err := w.fleet.Deregister(w.Context(), w.admin, w.id, "Osaka")
	refusedWith(w.T, err, "typed_name_differs")
	must(w.T, w.fleet.Deregister(w.Context(), w.admin, w.id, "Tokyo"))
	token := w.pub.token // still fresh by its own word
	refused, statement := w.post(wire.PathPoll, token, w.pub.request(), nil)
	if refused != "not_registered" || statement == "" {
		w.Fatalf("the next poll: %q, statement %q", refused, statement)
	}
	if _, refused, statement = w.sub.tryPoll(); refused != "not_registered" || statement == "" {
		w.Fatalf("the next token: %q, statement %q", refused, statement)
	}
	if got := w.call(http.MethodGet, wire.PathBundles+digest, token, nil); got.Code != 401 {
		w.Errorf("the depot answered %d", got.Code)
	}
	_, err = w.fleet.Cluster(w.Context(), w.admin, w.id)
	refusedWith(w.T, err, "not_found")
	w.register("Tokyo", pubName, subName) // both names are free again
}

func walkReplaced(w walk) {
	old := *w.sub
	v, err := w.fleet.ReplaceNode(w.Context(), w.admin, w.id, w.sub.id)
	must(w.T, err)
	fresh := w.newNode(subName, "1.0.0")
	code, refused := fresh.allowAs(models.Subscriber, ticketOf(v.OpenURL))
	if refused != "" {
		w.Fatalf("the claim was refused: %s", refused)
	}
	_, err = w.fleet.CompleteRegistration(w.Context(), w.admin, fleet.Return{Code: code})
	must(w.T, err)
	identity := fresh.identity(v.ID)
	if identity.NodeID != old.id || identity.ClusterID != w.id {
		w.Fatalf("the new machine is %+v", identity)
	}
	fresh.id, fresh.cluster = identity.NodeID, identity.ClusterID
	if _, refused, statement := old.tryPoll(); refused != "not_registered" || statement == "" {
		w.Fatalf("the old key: %q, statement %q", refused, statement)
	}
	fresh.poll()
	w.opens(fresh)
	w.rolls(w.pub, fresh)
}

func walkLateJoin(w walk) {
	late := w.pub.join("cc-late.example.com")
	w.opens(w.sub)
	w.held(late, models.ReasonNotAdmitted)
	w.pub.upgrade(w.pub.poll().Permit)
	_, err := w.fleet.AdmitNode(w.Context(), w.admin, w.id, late.id)
	must(w.T, err)
	_, err = w.fleet.AdmitNode(w.Context(), w.admin, w.id, late.id)
	refusedWith(w.T, err, "not_waiting")
	w.clock.Advance(time.Minute)
	w.pub.poll()
	w.sub.poll()
	late.poll()
	w.rolls(late, w.sub)
}

func walkMaintenance(w walk) {
	w.opens(w.sub)
	_, err := w.fleet.EnterMaintenance(w.Context(), w.admin, w.id, w.sub.id, 8*24*time.Hour, "x")
	refusedWith(w.T, err, "invalid_duration")
	_, err = w.fleet.EnterMaintenance(w.Context(), w.admin, w.id, w.sub.id, 4*time.Hour, "disks")
	must(w.T, err)
	if !w.sub.poll().Maintenance {
		w.Error("the node was not told of its maintenance")
	}
	w.held(w.sub, models.ReasonMaintenanceMode)
	w.held(w.pub, models.ReasonPeerInMaintenance)
	_, err = w.fleet.LeaveMaintenance(w.Context(), w.admin, w.id, w.sub.id)
	must(w.T, err)
	w.pub.take(w.pub.poll().Permit)
	w.pub.poll()
	w.pub.confirm()
	_, err = w.fleet.EnterMaintenance(w.Context(), w.admin, w.id, w.sub.id, time.Hour, "disks")
	refusedWith(w.T, err, "permit_confirmed")
	w.pub.end(models.Succeeded)
	w.rolls(w.sub)
}

func walkClock(w walk) {
	w.pub.skew = 10 * time.Minute
	w.opens(w.sub)
	w.held(w.pub, models.ReasonClockSkew)
	w.pub.skew = 0
	w.rolls(w.pub, w.sub)
}
