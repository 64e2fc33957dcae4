package rollout_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/scheduler/rollout"
)

func isCode(err error, code models.Code) bool {
	return errors.Is(err, &models.Refusal{Code: code})
}

func TestR13AChangedScheduleWithdrawsAnOfferAndLetsAConfirmedOneRun(t *testing.T) {
	t.Parallel()
	for _, state := range []models.PermitState{models.PermitOffered, models.PermitConfirmed} {
		b := begin(t).holding("pub", state)
		b.now = b.now.Add(time.Minute)
		b.s.Plan.Regular.Time.Hour, b.s.Plan.ValidFrom = 20, b.now
		effects := rollout.Sweep(b.s, b.now)
		ended := slices.ContainsFunc(effects, func(e rollout.Effect) bool {
			end, ok := e.(rollout.EndPermit)
			return ok && end.Reason == models.ReasonScheduleChanged
		})
		if ended != (state == models.PermitOffered) {
			t.Errorf("%s: %+v", state, effects)
		}
	}
}

func TestR19ARolloutKeepsItsTargetUnlessAHigherEmergencyReleaseComes(t *testing.T) {
	t.Parallel()
	b := begin(t).holding("pub", models.PermitOffered)
	b.s.Releases = append(b.s.Releases, models.Release{ID: "r3", Version: "3.0",
		Kind: models.Regular, State: models.ReleasePublished})
	b.upgrades(b.decide("pub"))
	b.emergency("2.5")
	effects := rollout.Sweep(b.s, b.now)
	if end := effect[rollout.EndPermit](t, effects); end.Reason != models.ReasonSuperseded {
		t.Errorf("%+v", end)
	}
	if set := effect[rollout.SetRolloutState](t, effects); set.State != models.RolloutSuperseded {
		t.Errorf("%+v", set)
	}
	if next := effect[rollout.OpenRollout](t, effects); next.Version != "2.5" {
		t.Errorf("%+v", next)
	}
	b.holding("pub", models.PermitConfirmed)
	for _, e := range rollout.Sweep(b.s, b.now) {
		if _, pending := e.(rollout.SetPending); !pending {
			t.Errorf("a confirmed one is awaited, not met with %+v", e)
		}
	}
}

func TestR19AFailureHaltsUntilARetryInTheNextWindow(t *testing.T) {
	t.Parallel()
	for _, outcome := range []models.Outcome{models.Failed, models.RolledBack} {
		b := begin(t).holding("pub", models.PermitConfirmed)
		effects, err := b.report("pub", outcome)
		if err != nil {
			t.Fatal(err)
		}
		set := effect[rollout.SetRolloutState](t, effects)
		if set.State != models.RolloutHaltedFailed || set.BlockedBy != "pub" {
			t.Errorf("%s: %+v", outcome, set)
		}
		b.s.Permit, b.s.Rollout.State, b.s.Rollout.BlockedBy = nil, set.State, set.BlockedBy
		b.node("pub").Denied = []models.Version{"2.0"}
		b.holds(b.decide("sub-a"), models.ReasonHaltedFailed, "pub.example.com")
		effects, err = rollout.Retry(b.s, b.now)
		if err != nil {
			t.Fatal(err)
		}
		effect[rollout.ForgetDenied](t, effects)
		set = effect[rollout.SetRolloutState](t, effects)
		next := time.Date(2027, 3, 2, 3, 0, 0, 0, time.UTC)
		if set.State != models.RolloutActive || !set.RetryAfter.Equal(next) {
			t.Errorf("%+v", set)
		}
		b.node("pub").Denied = nil
		b.s.Rollout.State, b.s.Rollout.RetryAfter = set.State, &set.RetryAfter
		b.holds(b.decide("pub"), models.ReasonHaltedFailed, "pub.example.com")
		b.upgrades(b.at(next).decide("pub"))
	}
}

func TestR19ARolloutIsCompletedWhenAllMembersAreAtItsVersion(t *testing.T) {
	t.Parallel()
	b := begin(t).holding("sub-c", models.PermitConfirmed)
	for i := range b.s.Members {
		b.s.Members[i].Version = "2.0"
	}
	effects, err := b.report("sub-c", models.Succeeded)
	if err != nil {
		t.Fatal(err)
	}
	if set := effect[rollout.SetRolloutState](t, effects); set.State != models.RolloutCompleted {
		t.Errorf("%+v", set)
	}
}

func TestR20AnOfferIsWithdrawnAfterFiveMinutesOfSilence(t *testing.T) {
	t.Parallel()
	b := begin(t).holding("pub", models.PermitOffered)
	b.now = b.now.Add(5*time.Minute - time.Nanosecond)
	for _, e := range rollout.Sweep(b.s, b.now) {
		if _, ok := e.(rollout.EndPermit); ok {
			t.Error("withdrawn too early")
		}
	}
	effects := rollout.Sweep(b.s, b.now.Add(time.Nanosecond))
	if end := effect[rollout.EndPermit](t, effects); end.Reason != models.ReasonPeerSilent {
		t.Errorf("%+v", end)
	}
}

func TestR20AConfirmedPermitNeverEndsByTime(t *testing.T) {
	t.Parallel()
	b := begin(t).holding("pub", models.PermitConfirmed)
	b.now = b.now.Add(14 * time.Minute)
	if _, err := rollout.Override(b.s, "p", b.now); !isCode(err, "holder_not_lost") {
		t.Error(err)
	}
	for _, days := range []int{0, 1, 30, 365} {
		now := b.now.Add(time.Minute).AddDate(0, 0, days)
		effects := rollout.Sweep(b.s, now)
		set := effect[rollout.SetRolloutState](t, effects)
		if set.State != models.RolloutHaltedLost || set.BlockedBy != "pub" {
			t.Errorf("%+v", set)
		}
		for _, e := range effects {
			if _, ok := e.(rollout.EndPermit); ok {
				t.Errorf("ended by time after %d days", days)
			}
		}
	}
	effects, err := rollout.Override(b.s, "p", b.now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if end := effect[rollout.EndPermit](t, effects); end.Outcome != models.Overridden {
		t.Errorf("%+v", end)
	}
	if m := effect[rollout.SetMember](t, effects); m.State != models.MemberExcluded ||
		m.Node != "pub" {
		t.Errorf("%+v", m)
	}
}

func TestR20AnExcludedNodeCountsAgainOnceItPollsHealthy(t *testing.T) {
	t.Parallel()
	b := begin(t)
	n := b.node("sub-a")
	n.Member, n.Health = models.MemberExcluded, models.Unhealthy
	d := b.decide("sub-a")
	b.holds(d, models.ReasonExcluded, "")
	if len(d.Effects) > 0 {
		t.Errorf("%+v", d.Effects)
	}
	n.Health = models.Healthy
	if m := effect[rollout.SetMember](t, b.decide("sub-a").Effects); m.State != models.MemberActive {
		t.Errorf("%+v", m)
	}
}

func TestR20ARepeatedConfirmRepeatsItsAnswerForSixtySeconds(t *testing.T) {
	t.Parallel()
	b := begin(t).holding("pub", models.PermitOffered)
	d := b.confirm("pub")
	b.upgrades(d)
	effect[rollout.ConfirmPermit](t, d.Effects)
	b.holding("pub", models.PermitConfirmed)
	b.node("sub-a").Health = models.Unhealthy
	b.now = b.now.Add(59 * time.Second)
	d = b.confirm("pub")
	b.upgrades(d)
	if len(d.Effects) > 0 {
		t.Errorf("a repeat writes %+v", d.Effects)
	}
	if left := rollout.StopWithin(*b.s.Permit, "b1", b.now); left != time.Second {
		t.Errorf("%s are left", left)
	}
	b.now = b.now.Add(time.Second)
	b.holds(b.confirm("pub"), models.ReasonPeerUnhealthy, "sub-a.example.com")
	if left := rollout.StopWithin(*b.s.Permit, "b2", b.now.Add(-time.Minute)); left != 0 {
		t.Errorf("another boot has %s", left)
	}
}

func TestR20AConfirmedNodeThatStoppedNothingMayGiveItsPermitBack(t *testing.T) {
	t.Parallel()
	b := begin(t).holding("pub", models.PermitConfirmed)
	effects, err := b.report("pub", models.Abandoned)
	if err != nil || len(effects) != 1 {
		t.Fatalf("%+v %v", effects, err)
	}
	if end := effect[rollout.EndPermit](t, effects); end.Outcome != models.Abandoned {
		t.Errorf("%+v", end)
	}
}

func TestR21WhatBearsAnOldFenceOrAForeignPermitChangesNothing(t *testing.T) {
	t.Parallel()
	b := begin(t).holding("pub", models.PermitOffered)
	good := models.Fence{Incarnation: 1, Counter: 7}
	for _, m := range []struct {
		asking models.NodeID
		permit models.PermitID
		fence  models.Fence
	}{
		{"pub", "p", models.Fence{Incarnation: 1, Counter: 6}},
		{"pub", "p", models.Fence{Incarnation: 2, Counter: 1}},
		{"pub", "old", good}, {"sub-a", "p", good},
	} {
		b.s.Asking = m.asking
		d := rollout.Confirm(b.s, m.permit, m.fence, "b1", b.now)
		b.holds(d, models.ReasonStalePermit, "")
		effects, err := rollout.Report(b.s, rollout.Ending{Permit: m.permit, Fence: m.fence,
			Outcome: models.Abandoned}, b.now)
		if len(d.Effects)+len(effects) > 0 || err == nil {
			t.Errorf("%+v changes something: %+v %+v", m, d.Effects, effects)
		}
	}
	b = begin(t)
	b.s.Incarnation = 2
	if f := effect[rollout.OfferPermit](t, b.decide("pub").Effects).Fence; f !=
		(models.Fence{Incarnation: 2, Counter: 1}) {
		t.Errorf("after a restore: %+v", f)
	}
}

func TestR22MaintenanceTakesNoPermitAndHoldsThePeers(t *testing.T) {
	t.Parallel()
	b := begin(t)
	until := b.now.Add(time.Hour)
	b.node("pub").MaintenanceUntil = &until
	b.holds(b.decide("pub"), models.ReasonMaintenanceMode, "")
	b.holds(b.decide("sub-a"), models.ReasonPeerInMaintenance, "pub.example.com")
	b.at(until)
	b.upgrades(b.decide("pub"))

	b = begin(t).holding("pub", models.PermitOffered)
	effects, err := rollout.Maintain(b.s, "pub")
	if err != nil || effect[rollout.EndPermit](t, effects).Reason != models.ReasonMaintenanceMode {
		t.Errorf("%+v %v", effects, err)
	}
	b.holding("pub", models.PermitConfirmed)
	if _, err := rollout.Maintain(b.s, "sub-a"); !isCode(err, "permit_confirmed") {
		t.Error(err)
	}
}

func TestR23NoDowngradeAndNothingBelowAnyMember(t *testing.T) {
	t.Parallel()
	b := begin(t)
	b.node("sub-c").Version = "2.1"
	b.s.Releases = append(b.s.Releases, models.Release{ID: "r3", Version: "2.1",
		Kind: models.Regular, State: models.ReleaseRecalled})
	b.want(b.decide("pub"), models.VerbNone, models.ReasonUpToDate, "")
	b.holding("pub", models.PermitOffered)
	d := b.decide("pub")
	b.want(d, models.VerbNone, models.ReasonUpToDate, "")
	if set := effect[rollout.SetRolloutState](t, d.Effects); set.State != models.RolloutCancelled {
		t.Errorf("%+v", set)
	}
}

func TestR23AnUnmetRequirementOfAnyMemberIsNamedBeforeTheFirstStarts(t *testing.T) {
	t.Parallel()
	b := begin(t)
	b.s.Releases[1].Requirements.Packages = []string{"libfoo"}
	for i := range b.s.Members {
		b.s.Members[i].Facts = []models.Fact{{Name: "package:libfoo", Value: "1.2"}}
	}
	b.upgrades(b.decide("pub"))
	b.node("sub-b").Facts = nil
	d := b.decide("pub")
	b.holds(d, models.ReasonRequirementUnmet, "sub-b.example.com: package libfoo (none)")
	if s := models.ReasonSentence(d.Reason, d.Subject, "en"); !strings.Contains(s, "Install libfoo") {
		t.Error(s)
	}
	b.s.Releases[1].Requirements = models.Requirements{DiskBytes: 100}
	b.node("sub-c").Facts = []models.Fact{{Name: "disk_bytes", Value: "99"}}
	for _, id := range []models.NodeID{"pub", "sub-a", "sub-b"} {
		b.node(id).Facts = []models.Fact{{Name: "disk_bytes", Value: "100"}}
	}
	b.holds(b.decide("pub"), models.ReasonRequirementUnmet, "sub-c.example.com: disk_bytes 100 (99)")
}

func TestR23AnIntermediateReleaseComesFirst(t *testing.T) {
	t.Parallel()
	b := begin(t)
	b.s.Releases[1].Requirements.Via = "1.5"
	b.holds(b.decide("pub"), models.ReasonRequirementUnmet, "sub-c.example.com: via 1.5 (1.0)")
	b.s.Releases = append(b.s.Releases, models.Release{ID: "via", Version: "1.5",
		Kind: models.Regular, State: models.ReleasePublished})
	b.want(b.decide("pub"), models.VerbUpgrade, models.ReasonUpgrade, "1.5")
	for i := range b.s.Members {
		b.s.Members[i].Version = "1.5"
	}
	b.want(b.decide("pub"), models.VerbUpgrade, models.ReasonUpgrade, "2.0")
}

func TestR23AVersionThatNoReleaseDescribesIsHeldUntilItIsAdopted(t *testing.T) {
	t.Parallel()
	b := begin(t)
	b.node("pub").Version = "1.0-7"
	b.holds(b.decide("pub"), models.ReasonUnmanagedVersion, "1.0-7")
	b.holds(b.decide("sub-a"), models.ReasonUnmanagedVersion, "1.0-7 (pub.example.com)")
	b.node("pub").AdoptedOdd = "1.0-7"
	b.upgrades(b.decide("pub"))
}

func TestR24EveryDecisionSaysWhenItCanChange(t *testing.T) {
	t.Parallel()
	b := begin(t).clock(4, 40, 0)
	next := time.Date(2027, 3, 2, 3, 0, 0, 0, time.UTC)
	if d := b.decide("pub"); !d.Earliest.Equal(next) {
		t.Errorf("%+v", d)
	}
	b.clock(6, 0, 0)
	b.s.Plan.Postponed = next
	d := b.decide("pub")
	b.holds(d, models.ReasonPostponed, "2.0")
	if !d.Earliest.Equal(next.AddDate(0, 0, 1)) {
		t.Errorf("%+v", d)
	}
	b.s.Releases = b.s.Releases[:1]
	if d := b.decide("pub"); d.Earliest != time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC) {
		t.Errorf("%+v", d)
	}
}

func TestR32WhoeverHasNotJoinedOrIsNotAdmittedGetsNoPermit(t *testing.T) {
	t.Parallel()
	b := begin(t)
	b.node("sub-a").Member = models.MemberWaiting
	b.holds(b.decide("sub-a"), models.ReasonNotAdmitted, "")
	b.holding("sub-a", models.PermitConfirmed)
	if _, err := rollout.Leave(b.s, "sub-a", false, b.now); !isCode(err, "permit_confirmed") {
		t.Error(err)
	}
	effects, err := rollout.Leave(b.s, "sub-a", true, b.now)
	if err != nil || effect[rollout.EndPermit](t, effects).Outcome != models.Overridden {
		t.Errorf("%+v %v", effects, err)
	}
}

func TestADisabledOrganizationGetsNoPermitAndKeepsWhatWasConfirmed(t *testing.T) {
	t.Parallel()
	b := begin(t)
	b.s.Cluster.Suspended = true
	b.holds(b.decide("pub"), models.ReasonOrganizationDisabled, "")

	b = begin(t).holding("pub", models.PermitOffered)
	b.s.Cluster.Suspended = true
	d := b.confirm("pub")
	if d.Verb == models.VerbUpgrade {
		t.Errorf("confirmed: %+v", d)
	}
	if end := effect[rollout.EndPermit](t, b.decide("pub").Effects); end.Outcome != models.Withdrawn ||
		end.Reason != models.ReasonOrganizationDisabled {
		t.Errorf("%+v", end)
	}

	b = begin(t).holding("pub", models.PermitConfirmed)
	b.s.Cluster.Suspended = true
	b.upgrades(b.decide("pub"))
}

func TestR34ARestoredHubWaitsForEveryMemberAndAdoptsWhatItForgot(t *testing.T) {
	t.Parallel()
	b := begin(t)
	b.s.Incarnation, b.s.Cluster.AwaitPolls = 2, true
	b.node("sub-c").PolledSince = false
	b.holds(b.decide("pub"), models.ReasonRestoredHub, "")
	b.s.Asking = "sub-a"
	fence := models.Fence{Incarnation: 1, Counter: 9}
	effects := rollout.Adopt(b.s, rollout.Journal{Highest: fence, Permit: "lost", Fence: fence,
		Version: "2.0", Confirmed: true, Boot: "b1"}, b.now)
	if a := effect[rollout.AdoptPermit](t, effects); a.Node != "sub-a" || a.Release != "r2" {
		t.Errorf("%+v", a)
	}
	effect[rollout.OpenRollout](t, effects)
	effect[rollout.RaiseFence](t, effects)
	b.node("sub-c").PolledSince = true
	d := b.decide("pub")
	effect[rollout.EndAwait](t, d.Effects)
	b.upgrades(d)
}

func TestR35ASkewOverFiveMinutesHolds(t *testing.T) {
	t.Parallel()
	b := begin(t)
	b.node("pub").SkewSeconds = -300
	b.upgrades(b.decide("pub"))
	b.node("pub").SkewSeconds = 301
	b.holds(b.decide("pub"), models.ReasonClockSkew, "")
}
