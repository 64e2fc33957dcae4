package rollout_test

import (
	"reflect"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/scheduler/rollout"
	"connecthub/scheduler/window"
)

func TestR14OutsideEveryWindowTheAnswerIsTheSameWhateverTheReleases(t *testing.T) {
	t.Parallel()
	want := begin(t).clock(6, 0, 0)
	want.s.Releases = want.s.Releases[:1]
	expected := want.decide("pub").Public(want.s, want.now)
	if expected.Verb != models.VerbHold || expected.Reason != models.ReasonWindowClosed ||
		expected.Earliest != time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC) {
		t.Fatalf("outside: %+v", expected)
	}
	scenes := map[string]func(b *bed){
		"published": func(*bed) {},
		"emergency": func(b *bed) { b.emergency("3.0") },
		"paused":    func(b *bed) { b.s.Releases[1].State = models.ReleasePaused },
		"recalled":  func(b *bed) { b.s.Releases[1].State = models.ReleaseRecalled },
		"halted": func(b *bed) {
			b.holding("pub", models.PermitOffered).s.Permit = nil
			b.s.Rollout.State = models.RolloutHaltedFailed
		},
		"postponed": func(b *bed) { b.s.Plan.Postponed = time.Date(2027, 3, 2, 3, 0, 0, 0, time.UTC) },
		"offered":   func(b *bed) { b.holding("pub", models.PermitOffered) },
		"peer":      func(b *bed) { b.holding("sub-a", models.PermitConfirmed) },
		"unmet":     func(b *bed) { b.s.Releases[1].Requirements.DiskBytes = 1 << 40 },
	}
	for name, scene := range scenes {
		b := begin(t).clock(6, 0, 0)
		scene(b)
		got := b.decide("pub").Public(b.s, b.now)
		if !reflect.DeepEqual(got, expected) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestR14AnOpenWindowShowsOnlyReleasesOfItsKind(t *testing.T) {
	t.Parallel()
	b := begin(t).emergency("3.0")
	b.s.Releases[1].State = models.ReleaseRecalled
	d := b.decide("pub")
	b.holds(d, models.ReasonWindowClosed, "3.0")
	b.want(d.Public(b.s, b.now), models.VerbNone, models.ReasonUpToDate, "")
}

func TestR15RegularReleasesUseRegularWindowsAndEmergencyReleasesEmergencyWindows(t *testing.T) {
	t.Parallel()
	b := begin(t)
	b.upgrades(b.decide("pub"))
	b.clock(12, 10, 0)
	b.holds(b.decide("pub"), models.ReasonWindowClosed, "2.0")
	b.emergency("2.1")
	b.upgrades(b.decide("pub"))
	b.clock(3, 10, 0)
	b.holds(b.decide("pub"), models.ReasonWindowClosed, "2.1")
}

func TestR15UpgradeNowOpensOneExtraWindowOfTheKind(t *testing.T) {
	t.Parallel()
	b := begin(t).clock(7, 0, 0)
	effects, err := rollout.UpgradeNow(b.s, b.now)
	if err != nil {
		t.Fatal(err)
	}
	extra := effect[rollout.OpenExtra](t, effects)
	if extra.Kind != models.Regular || extra.Window.Length() != 2*time.Hour {
		t.Errorf("%+v", extra)
	}
	b.s.Plan.Extra, b.s.Plan.ExtraKind = extra.Window, window.Kind(extra.Kind)
	b.upgrades(b.decide("pub"))
	b.s.Releases[1].State = models.ReleaseRecalled
	if _, err := rollout.UpgradeNow(b.s, b.now); !isCode(err, "nothing_pending") {
		t.Error(err)
	}
}

func TestR16AtMostOneOpenPermitPerCluster(t *testing.T) {
	t.Parallel()
	b := begin(t)
	d := b.decide("pub")
	offer := effect[rollout.OfferPermit](t, d.Effects)
	if offer.Node != "pub" || offer.Fence != (models.Fence{Incarnation: 1, Counter: 8}) {
		t.Errorf("%+v", offer)
	}
	for _, state := range []models.PermitState{models.PermitOffered, models.PermitConfirmed} {
		b := begin(t).holding("pub", state)
		d := b.decide("sub-a")
		b.holds(d, models.ReasonOtherNodeUpgrading, "pub.example.com")
		if len(d.Effects) != 0 {
			t.Errorf("a waiting node writes %+v", d.Effects)
		}
		again := b.decide("pub")
		b.upgrades(again)
		if len(again.Effects) != 0 {
			t.Errorf("a repeated poll writes %+v", again.Effects)
		}
	}
}

func TestR17EveryOtherActiveMemberPollsAndServes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil  func(b *bed, n *models.Node)
		reason models.Reason
	}{
		"silent": {func(b *bed, n *models.Node) {
			seen := b.now.Add(-101 * time.Second)
			n.SeenAt = &seen
		}, models.ReasonPeerSilent},
		"never seen": {func(_ *bed, n *models.Node) { n.SeenAt = nil }, models.ReasonPeerSilent},
		"unhealthy": {func(_ *bed, n *models.Node) { n.Health = models.Unhealthy },
			models.ReasonPeerUnhealthy},
		"unknown": {func(_ *bed, n *models.Node) { n.Health = models.HealthUnknown },
			models.ReasonPeerUnhealthy},
		"mid-step": {func(_ *bed, n *models.Node) { n.Step = models.StepStarting },
			models.ReasonOtherNodeUpgrading},
		"soaking": {func(_ *bed, n *models.Node) { n.Step = models.StepSoaking }, models.ReasonSoaking},
		"expected": {func(_ *bed, n *models.Node) { n.Member = models.MemberExpected },
			models.ReasonMemberMissing},
		"quarantined": {func(_ *bed, n *models.Node) { n.Member = models.MemberQuarantined },
			models.ReasonMemberMissing},
	}
	for name, test := range tests {
		b := begin(t)
		test.spoil(b, b.node("sub-c"))
		d := b.decide("pub")
		if d.Reason != test.reason || d.Subject != "sub-c.example.com" || len(d.Effects) > 0 {
			t.Errorf("%s: %+v", name, d)
		}
		b.holding("pub", models.PermitOffered)
		b.holds(b.confirm("pub"), test.reason, "sub-c.example.com")
		b.s.Rollout, b.s.Permit, b.s.Cluster.DespiteNode = nil, nil, "sub-c"
		b.upgrades(b.decide("pub"))
	}
	for _, state := range []models.MemberState{models.MemberWaiting, models.MemberExcluded} {
		b := begin(t)
		b.node("sub-c").Member, b.node("sub-c").SeenAt = state, nil
		b.upgrades(b.decide("pub"))
	}
}

func TestR17SeenWithinThreeIntervalsAndTenSecondsIsPolling(t *testing.T) {
	t.Parallel()
	b := begin(t)
	seen := b.now.Add(-100 * time.Second)
	b.node("sub-c").SeenAt = &seen
	b.upgrades(b.decide("pub"))
}

func TestR17TheOrderIsUnhealthyThenPublisherThenSubscribersByName(t *testing.T) {
	t.Parallel()
	b := begin(t)
	b.holds(b.decide("sub-a"), models.ReasonNotYourTurn, "pub.example.com")
	for _, done := range []models.NodeID{"pub", "sub-a", "sub-b"} {
		b.upgrades(b.decide(done))
		b.node(done).Version = "2.0"
		b.want(b.decide(done), models.VerbNone, models.ReasonUpToDate, "")
	}
	b.upgrades(b.decide("sub-c"))

	b = begin(t)
	b.node("sub-b").Health = models.Unhealthy
	b.upgrades(b.decide("sub-b"))

	b = begin(t)
	b.s.Releases[1].Order = models.SubscribersFirst
	b.holds(b.decide("pub"), models.ReasonNotYourTurn, "sub-a.example.com")
	b.upgrades(b.decide("sub-a"))
}

func TestR17AWaiverServesForOnePermit(t *testing.T) {
	t.Parallel()
	b := begin(t)
	b.node("sub-c").SeenAt = nil
	b.s.Cluster.DespiteNode = "sub-c"
	b.upgrades(b.decide("pub"))
	b.holding("pub", models.PermitConfirmed)
	b.node("pub").Version = "2.0"
	effects, err := b.report("pub", models.Succeeded)
	if err != nil {
		t.Fatal(err)
	}
	effect[rollout.UseDespite](t, effects)
}

func TestR18NoneIsOfferedOrConfirmedAfterStartBy(t *testing.T) {
	t.Parallel()
	b := begin(t).clock(4, 30, 0)
	d := b.decide("pub")
	b.upgrades(d)
	if got := effect[rollout.OfferPermit](t, d.Effects).StartBy; !got.Equal(b.now) {
		t.Errorf("start by %s", got)
	}
	b.clock(4, 30, 1)
	b.holds(b.decide("pub"), models.ReasonStartByPassed, "2.0")
	b.holding("pub", models.PermitOffered)
	d = b.confirm("pub")
	b.holds(d, models.ReasonStartByPassed, "")
	if end := effect[rollout.EndPermit](t, d.Effects); end.Outcome != models.Withdrawn {
		t.Errorf("%+v", end)
	}
	b = begin(t).clock(4, 29, 0).holding("pub", models.PermitConfirmed).clock(9, 0, 0)
	b.upgrades(b.decide("pub")) // what has been confirmed runs to its end
}
