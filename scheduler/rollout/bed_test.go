package rollout_test

import (
	"testing"
	"time"

	"connecthub/models"
	"connecthub/scheduler/rollout"
	"connecthub/scheduler/window"
)

// bed is a healthy cluster of a publisher and three subscribers inside its regular window, for
// which release 2.0 is published. The regular window is 03:00 to 05:00 UTC, the emergency window
// 12:00 to 13:00.
type bed struct {
	t   testing.TB
	s   rollout.Snapshot
	now time.Time
}

func begin(t testing.TB) *bed {
	zone, err := window.LoadZone("UTC")
	if err != nil {
		t.Fatal(err)
	}
	regular := window.DefaultRule(zone)
	emergency := regular
	emergency.Time, emergency.Length = window.TimeOfDay{Hour: 12}, time.Hour
	b := &bed{t: t, now: time.Date(2027, 3, 1, 3, 10, 0, 0, time.UTC)}
	b.s = rollout.Snapshot{Incarnation: 1,
		Cluster: models.Cluster{ID: "c", FenceIncarnation: 1, FenceCounter: 7},
		Plan:    window.Plan{Regular: regular, Emergency: emergency},
		Releases: []models.Release{
			{ID: "r1", Version: "1.0", Kind: models.Regular, State: models.ReleasePublished},
			{ID: "r2", Version: "2.0", Kind: models.Regular, State: models.ReleasePublished},
		}}
	for _, id := range []models.NodeID{"sub-c", "sub-a", "pub", "sub-b"} {
		role := models.Subscriber
		if id == "pub" {
			role = models.Publisher
		}
		b.s.Members = append(b.s.Members, models.Node{ID: id, Name: models.FQDN(id + ".example.com"),
			Role: role, Member: models.MemberActive, Version: "1.0", Health: models.Healthy,
			Step: models.StepIdle, IntervalSeconds: 30, BootID: "b1", PolledSince: true})
	}
	b.at(b.now)
	return b
}

// at moves to a time at which every member has just polled.
func (b *bed) at(now time.Time) *bed {
	b.now = now
	for i := range b.s.Members {
		seen := now
		b.s.Members[i].SeenAt = &seen
	}
	return b
}

func (b *bed) clock(hour, minute, second int) *bed {
	return b.at(time.Date(2027, 3, 1, hour, minute, second, 0, time.UTC))
}

func (b *bed) node(id models.NodeID) *models.Node {
	for i := range b.s.Members {
		if b.s.Members[i].ID == id {
			return &b.s.Members[i]
		}
	}
	b.t.Fatalf("no node %s", id)
	return nil
}

// emergency publishes an emergency release.
func (b *bed) emergency(v models.Version) *bed {
	b.s.Releases = append(b.s.Releases, models.Release{ID: models.ReleaseID("e" + v), Version: v,
		Kind: models.Emergency, State: models.ReleasePublished})
	return b
}

// holding gives a node a permit of the rollout of 2.0.
func (b *bed) holding(id models.NodeID, state models.PermitState) *bed {
	b.s.Rollout = &models.Rollout{ID: "o", ReleaseID: "r2", Version: "2.0", Kind: models.Regular,
		State: models.RolloutActive, StartedAt: b.now}
	at := b.now
	b.s.Permit = &models.Permit{ID: "p", NodeID: id, RolloutID: "o", ReleaseID: "r2",
		Kind: models.PermitUpgrade, State: state, FenceIncarnation: 1, FenceCounter: 7,
		OfferedAt: at, StartBy: time.Date(2027, 3, 1, 4, 30, 0, 0, time.UTC)}
	if state == models.PermitConfirmed {
		b.s.Permit.ConfirmedAt, b.s.Permit.ConfirmedBoot = &at, "b1"
	}
	return b
}

func (b *bed) decide(id models.NodeID) rollout.Decision {
	b.s.Asking = id
	return rollout.Decide(b.s, b.now)
}

func (b *bed) confirm(id models.NodeID) rollout.Decision {
	b.s.Asking = id
	return rollout.Confirm(b.s, "p", models.Fence{Incarnation: 1, Counter: 7}, "b1", b.now)
}

func (b *bed) report(id models.NodeID, o models.Outcome) ([]rollout.Effect, error) {
	b.s.Asking = id
	return rollout.Report(b.s, rollout.Ending{Permit: "p",
		Fence: models.Fence{Incarnation: 1, Counter: 7}, Outcome: o}, b.now)
}

// want fails unless the node is told this.
func (b *bed) want(d rollout.Decision, verb models.Verb, reason models.Reason, subject string) {
	b.t.Helper()
	if d.Verb != verb || d.Reason != reason || d.Subject != subject {
		b.t.Errorf("decided %s %s %q, want %s %s %q", d.Verb, d.Reason, d.Subject, verb, reason, subject)
	}
}

func (b *bed) holds(d rollout.Decision, reason models.Reason, subject string) {
	b.t.Helper()
	b.want(d, models.VerbHold, reason, subject)
}

func (b *bed) upgrades(d rollout.Decision) {
	b.t.Helper()
	if d.Verb != models.VerbUpgrade {
		b.t.Errorf("decided %s %s %q, want an upgrade", d.Verb, d.Reason, d.Subject)
	}
}

// effect is the first effect of its type.
func effect[E rollout.Effect](t testing.TB, effects []rollout.Effect) E {
	t.Helper()
	for _, e := range effects {
		if found, ok := e.(E); ok {
			return found
		}
	}
	var none E
	t.Errorf("no %T among %+v", none, effects)
	return none
}
