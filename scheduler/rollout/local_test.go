package rollout_test

import (
	"testing"
	"time"

	"connecthub/models"
	"connecthub/scheduler/rollout"
)

func (b *bed) local(id models.NodeID, release models.ReleaseID) rollout.Decision {
	b.s.Asking = id
	return rollout.Local(b.s, release, b.now)
}

func TestR33WorkByHandNeedsNoWindowAndEverythingElse(t *testing.T) {
	t.Parallel()
	b := begin(t).clock(20, 0, 0) // no window is open
	d := b.local("sub-a", "")
	b.want(d, models.VerbUpgrade, models.ReasonLocalWork, "sub-a.example.com")
	offer := effect[rollout.OfferPermit](t, d.Effects)
	if offer.Kind != models.PermitLocal || offer.Fence.Counter != 8 || !offer.StartBy.Equal(b.now.Add(5*time.Minute)) {
		t.Errorf("%+v", offer)
	}
	b.node("sub-b").Health = models.Unhealthy
	b.holds(b.local("sub-a", ""), models.ReasonPeerUnhealthy, "sub-b.example.com")
	b.node("sub-b").Health = models.Healthy
	b.node("pub").Step = models.StepStopping
	b.holds(b.local("sub-a", ""), models.ReasonOtherNodeUpgrading, "pub.example.com")
	b.node("pub").Step = models.StepIdle
	until := b.now.Add(time.Hour)
	b.node("sub-a").MaintenanceUntil = &until
	b.holds(b.local("sub-a", ""), models.ReasonMaintenanceMode, "")
	b.node("sub-a").MaintenanceUntil = nil
	b.node("sub-c").Member = models.MemberExpected
	b.holds(b.local("sub-a", ""), models.ReasonMemberMissing, "sub-c.example.com")
	b.node("sub-c").Member = models.MemberActive
	b.s.Cluster.Suspended = true // a disabled organization keeps nobody from work by hand
	b.upgrades(b.local("sub-a", ""))
	b.holds(b.local("pub", "r2"), models.ReasonOrganizationDisabled, "")
}

func TestR33OnTheWayToAReleaseOnlyTheWindowIsNotAsked(t *testing.T) {
	t.Parallel()
	b := begin(t).clock(20, 0, 0)
	b.upgrades(b.local("pub", "r2"))
	b.holds(b.local("sub-a", "r2"), models.ReasonNotYourTurn, "pub.example.com")
	b.holds(b.local("pub", "r1"), models.ReasonUpToDate, "")
	b.holds(b.local("pub", "none"), models.ReasonNoRelease, "")
	b.node("sub-b").Denied = []models.Version{"2.0"}
	b.holds(b.local("pub", "r2"), models.ReasonDeniedVersion, "2.0 (sub-b.example.com)")
	b.node("sub-b").Denied = nil
	b.s.Releases[1].State = models.ReleasePaused
	b.holds(b.local("pub", "r2"), models.ReasonReleasePaused, "2.0")
	b.s.Releases[1].State = models.ReleasePublished
	b.s.Rollout = &models.Rollout{ID: "o", ReleaseID: "r2", Version: "2.0", Kind: models.Regular,
		State: models.RolloutHaltedFailed, BlockedBy: "sub-b"}
	b.holds(b.local("pub", "r2"), models.ReasonHaltedFailed, "sub-b.example.com")
}

func TestR33AnOfferLapsesAndAConfirmedOneDoesNot(t *testing.T) {
	t.Parallel()
	b := begin(t)
	at := b.now
	b.s.Permit = &models.Permit{ID: "p", NodeID: "pub", Kind: models.PermitLocal, State: models.PermitOffered,
		FenceIncarnation: 1, FenceCounter: 7, OfferedAt: at, StartBy: at.Add(5 * time.Minute)}
	b.holds(b.decide("sub-a"), models.ReasonLocalWork, "pub.example.com")
	b.want(b.decide("pub"), models.VerbUpgrade, models.ReasonLocalWork, "pub.example.com")
	b.at(at.Add(5*time.Minute + time.Second))
	end := effect[rollout.EndPermit](t, rollout.Sweep(b.s, b.now))
	if end.Reason != models.ReasonStartByPassed || end.Outcome != models.Withdrawn {
		t.Errorf("%+v", end)
	}
	b.s.Permit.State, b.s.Permit.ConfirmedAt, b.s.Permit.ConfirmedBoot = models.PermitConfirmed, &at, "b1"
	b.now = at.Add(240 * time.Hour)
	for _, e := range rollout.Sweep(b.s, b.now) {
		if _, ended := e.(rollout.EndPermit); ended {
			t.Error("time ended a confirmed permit")
		}
	}
	if _, err := rollout.Override(b.s, "p", b.now); err != nil {
		t.Errorf("a lost holder cannot be overridden: %v", err)
	}
}

func TestR33ARetryLetsANodeThatWasRolledBackByHandGoForwardAgain(t *testing.T) {
	t.Parallel()
	b := begin(t)
	for _, id := range []models.NodeID{"pub", "sub-a", "sub-c"} {
		b.node(id).Version = "2.0"
	}
	if _, err := rollout.Retry(b.s, b.now); err == nil {
		t.Error("nothing is halted, and it is retried")
	}
	b.node("sub-b").Denied = []models.Version{"2.0"}
	b.holds(b.decide("sub-b"), models.ReasonDeniedVersion, "2.0")
	effects, err := rollout.Retry(b.s, b.now)
	if err != nil {
		t.Fatal(err)
	}
	set := effect[rollout.SetRolloutState](t, effects)
	forget := effect[rollout.ForgetDenied](t, effects)
	if opened := effect[rollout.OpenRollout](t, effects); opened.Release != "r2" || set.BlockedBy != "sub-b" ||
		!set.RetryAfter.After(b.now) || forget.Node != "sub-b" || forget.Version != "2.0" {
		t.Errorf("%+v", effects)
	}
}

func TestWhoOrchestratesHoldsTheWholeCluster(t *testing.T) {
	t.Parallel()
	b := begin(t)
	b.node("sub-a").Orchestrating = true
	b.holds(b.decide("pub"), models.ReasonOrchestrating, "sub-a.example.com")
	b.holds(b.decide("sub-a"), models.ReasonOrchestrating, "sub-a.example.com")
	b.holds(b.local("pub", ""), models.ReasonOrchestrating, "sub-a.example.com")
	b.s.Cluster.DespiteNode = "sub-a" // it fell silent in the middle, and an admin goes on
	b.node("sub-a").SeenAt = nil
	b.upgrades(b.decide("pub"))
	b.s.Cluster.DespiteNode = ""
	b.node("sub-a").Member = models.MemberExcluded
	b.upgrades(b.decide("pub"))
}
