package nodeapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

func newWalk(t *testing.T) walk {
	t.Helper()
	w := newWorld(t)
	id, nodes := w.register("Tokyo", pubName, subName)
	return walk{T: t, world: w, id: id, pub: nodes[0], sub: nodes[1]}
}

func TestR8BothSchedulesAreThereFromTheFirstMoment(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	v := w.cluster(w.id)
	s := v.Schedules
	if s.Zone != "UTC" || s.Regular.Time != "03:00" || len(s.Regular.Days) != 7 ||
		s.Emergency.Time != "03:00" || s.Regular.LengthMinutes != 120 {
		t.Errorf("the default is %+v", s)
	}
	if got := v.NextUpgrade.Regular.Start; got.Hour() != 3 {
		t.Errorf("the next upgrade is at %s although nothing is pending", got)
	}
}

func TestR12APostponementMovesOneWindowAndIsThereOnce(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.publish("2.0.0", models.Regular)
	before := w.cluster(w.id).NextUpgrade.Regular.Start
	v, err := w.fleet.Postpone(t.Context(), w.admin, w.id)
	must(t, err)
	if got := v.NextUpgrade.Regular.Start.Sub(before); got != 24*time.Hour {
		t.Errorf("moved by %s", got)
	}
	_, err = w.fleet.Postpone(t.Context(), w.admin, w.id)
	refusedWith(t, err, "already_postponed")
	v, err = w.fleet.UndoPostponement(t.Context(), w.admin, w.id)
	must(t, err)
	if !v.NextUpgrade.Regular.Start.Equal(before) || !v.MayPostpone {
		t.Errorf("taken back: %+v", v.NextUpgrade)
	}
	_, err = w.fleet.Postpone(t.Context(), w.admin, w.id)
	must(t, err)
	w.at("03:00")
	w.held(w.pub, models.ReasonPostponed)
	_, err = w.fleet.UndoPostponement(t.Context(), w.admin, w.id)
	refusedWith(t, err, "too_late_to_undo")
	w.at("06:00")
	_, err = w.fleet.Postpone(t.Context(), w.admin, w.id)
	refusedWith(t, err, "postponement_spent")
	w.opens(w.sub)
	w.rolls(w.pub, w.sub)
	_, err = w.fleet.Postpone(t.Context(), w.admin, w.id)
	must(t, err)
}

func TestR13ChangesPutAPendingUpgradeOffByEightDaysAtMost(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.publish("2.0.0", models.Regular)
	v := w.cluster(w.id)
	s, last := v.Schedules, v.ScheduleVersion
	same, err := w.fleet.SaveSchedules(t.Context(), w.admin, w.id, last, s)
	must(t, err)
	if same.ScheduleVersion != last {
		t.Error("saving the same values made a version")
	}
	refused := false
	for range 12 { // each day somebody moves it to yesterday's weekday
		yesterday := w.clock.Now().AddDate(0, 0, -1).Weekday()
		s.Regular.Days = []string{[]string{"sunday", "monday", "tuesday", "wednesday",
			"thursday", "friday", "saturday"}[yesterday]}
		saved, err := w.fleet.SaveSchedules(t.Context(), w.admin, w.id, last, s)
		if err != nil {
			refusedWith(t, err, "puts_off_too_far")
			refused = true
			break
		}
		last = saved.ScheduleVersion
		w.clock.Advance(24 * time.Hour)
		w.follow()
	}
	if !refused {
		t.Error("the schedule is an off switch")
	}
}

func TestR15UpgradeNowOpensOneWindow(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	_, err := w.fleet.UpgradeNow(t.Context(), w.admin, w.id, "Tokyo")
	refusedWith(t, err, "nothing_pending")
	w.publish("2.0.0", models.Regular)
	_, err = w.fleet.UpgradeNow(t.Context(), w.admin, w.id, "tokyo")
	refusedWith(t, err, "typed_name_differs")
	_, err = w.fleet.UpgradeNow(t.Context(), w.admin, w.id, "Tokyo")
	must(t, err)
	_, err = w.fleet.UpgradeNow(t.Context(), w.admin, w.id, "Tokyo")
	refusedWith(t, err, "window_open_already")
	w.rolls(w.pub, w.sub)
}

func TestR17AnUpgradeDespiteASilentPeerIsTypedAndForOnePermit(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.publish("2.0.0", models.Regular)
	w.at("03:00")
	w.held(w.pub, models.ReasonPeerSilent)
	_, err := w.fleet.UpgradeDespite(t.Context(), w.admin, w.id, w.pub.id, fleet.TypedName(pubName))
	refusedWith(t, err, "not_blocking")
	_, err = w.fleet.UpgradeDespite(t.Context(), w.admin, w.id, w.sub.id, "sub")
	refusedWith(t, err, "typed_name_differs")
	_, err = w.fleet.UpgradeDespite(t.Context(), w.admin, w.id, w.sub.id, fleet.TypedName(subName))
	must(t, err)
	w.pub.upgrade(w.pub.poll().Permit)
}

func TestR20ARepeatedConfirmRepeatsItsAnswer(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.publish("2.0.0", models.Regular)
	w.opens(w.sub)
	w.pub.take(w.pub.poll().Permit)
	first := w.pub.confirm()
	w.clock.Advance(20 * time.Second)
	again := w.pub.confirm()
	if !first.Confirmed || !again.Confirmed || first.StopWithinMS != 60_000 ||
		again.StopWithinMS != 40_000 {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if history := w.actions(fleet.ActionPermitConfirmed); history != 1 {
		t.Errorf("it was recorded %d times", history)
	}
}

// actions counts the audit records of one action about the cluster.
func (w walk) actions(action fleet.Action) int {
	w.Helper()
	n := 0
	must(w.T, w.store.View(w.Context(), func(tx *store.Tx) error {
		records, err := tx.In(w.admin.Organization).Audit(store.AuditQuery{ClusterID: w.id})
		for _, r := range records {
			if r.Action == string(action) {
				n++
			}
		}
		return err
	}))
	return n
}

func TestR21AMessageWithAnOldFenceChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.publish("2.0.0", models.Regular)
	w.opens(w.sub)
	w.pub.take(w.pub.poll().Permit)
	w.pub.poll()
	old := *w.pub.state.Permit
	w.pub.state.Permit = &wire.PermitReport{ID: old.ID, Outcome: models.Succeeded,
		Fence: models.Fence{Incarnation: old.Fence.Incarnation, Counter: old.Fence.Counter - 1}}
	if p := w.pub.poll().Permit; p == nil || p.ID != old.ID {
		t.Fatalf("a report with an old fence ended the permit: %+v", p)
	}
	w.pub.state.Permit = &wire.PermitReport{ID: old.ID, Fence: models.Fence{}}
	if answer := w.pub.confirm(); answer.Confirmed || answer.Reason != models.ReasonStalePermit {
		t.Errorf("a confirm with an old fence: %+v", answer)
	}
}

func TestR29AnotherTenantsClusterIsNotThere(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	stranger := w.admin
	stranger.Organization = w.vendor.Organization
	none := models.ClusterID("no-such-cluster")
	for _, id := range []models.ClusterID{w.id, none} {
		_, err := w.fleet.Cluster(t.Context(), stranger, id)
		refusedWith(t, err, "not_found")
		_, err = w.fleet.Postpone(t.Context(), stranger, id)
		refusedWith(t, err, "not_found")
		refusedWith(t, w.fleet.Deregister(t.Context(), stranger, id, "Tokyo"), "not_found")
		_, err = w.fleet.History(t.Context(), stranger, id)
		refusedWith(t, err, "not_found")
	}
	if found, err := w.fleet.Clusters(t.Context(), stranger, ""); err != nil || len(found) != 0 {
		t.Errorf("found %d, %v", len(found), err)
	}
	w.pub.poll() // it is as it was
}

func TestR30EachChangeIsOneAuditRecord(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	_, err := w.fleet.Postpone(t.Context(), w.admin, w.id)
	must(t, err)
	_, err = w.fleet.EnterMaintenance(t.Context(), w.admin, w.id, w.sub.id, time.Hour, "disks")
	must(t, err)
	_, err = w.fleet.Postpone(t.Context(), w.admin, w.id)
	refusedWith(t, err, "already_postponed")
	for action, want := range map[fleet.Action]int{fleet.ActionClusterRegistered: 1,
		fleet.ActionNodeJoined: 1, fleet.ActionPostponed: 1, fleet.ActionMaintenanceEntered: 1} {
		if got := w.actions(action); got != want {
			t.Errorf("%s: %d records", action, got)
		}
	}
	history, err := w.fleet.History(t.Context(), w.admin, w.id)
	must(t, err)
	if len(history) < 4 || history[0].Action != string(fleet.ActionMaintenanceEntered) ||
		history[0].Actor != "Ada" {
		t.Errorf("the newest is %+v", history[0])
	}
}

func TestR34ARestoredHubWaitsForEveryMember(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.publish("2.0.0", models.Regular)
	must(t, w.store.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.Hub().HoldAllClusters(); err != nil {
			return err
		}
		return tx.Hub().RaiseIncarnation(1, 2)
	}))
	w.at("03:00")
	w.held(w.pub, models.ReasonRestoredHub)
	w.sub.state.HighestFence = models.Fence{Incarnation: 1, Counter: 41} // given out after the backup
	w.sub.poll()
	answer := w.pub.poll()
	if answer.Permit == nil || !(models.Fence{Incarnation: 1, Counter: 41}).Less(answer.Permit.Fence) {
		t.Fatalf("the next fence is %+v", answer)
	}
}

func TestAReplayedAssertionGivesNoSecondToken(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	request := wire.TokenRequest{Assertion: w.pub.assertion(string(w.pub.id))}
	if refused, _ := w.post(wire.PathToken, "", request, nil); refused != "" {
		t.Fatal(refused)
	}
	if refused, _ := w.post(wire.PathToken, "", request, nil); refused != "assertion_replayed" {
		t.Errorf("the second time: %q", refused)
	}
	forged := w.newNode(pubName, "1.0.0")
	request.Assertion = forged.assertion(string(w.pub.id))
	refused, _ := w.post(wire.PathToken, "", request, nil)
	if refused != "not_registered" {
		t.Errorf("another key: %q", refused)
	}
}

func TestAnAccessTokenEndsAfterTenMinutes(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.pub.login()
	w.clock.Advance(fleet.TokenTTL - time.Second)
	if refused, _ := w.post(wire.PathPoll, w.pub.token, w.pub.request(), nil); refused != "" {
		t.Errorf("in time: %q", refused)
	}
	w.clock.Advance(time.Second)
	for _, token := range []string{w.pub.token, "", "x", w.pub.token + "x"} {
		if refused, _ := w.post(wire.PathPoll, token, w.pub.request(), nil); refused != "invalid_token" {
			t.Errorf("too late, or none: %q", refused)
		}
	}
}

func TestTheDepotServesRangesUnderAPermitOnly(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	r := w.publish("2.0.0", models.Regular)
	w.opens(w.sub)
	permit := w.pub.poll().Permit
	if permit == nil || permit.Digest != r.Digest || permit.Size != r.Size {
		t.Fatalf("the permit is %+v", permit)
	}
	whole := w.pub.fetch(r.Digest)
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet,
		wire.PathBundles+r.Digest, nil)
	w.prove(request, w.pub.token)
	request.Header.Set("Range", "bytes=10-")
	request.Header.Set("If-Range", `"`+r.Digest+`"`)
	part := httptest.NewRecorder()
	w.echo.ServeHTTP(part, request)
	if part.Code != http.StatusPartialContent ||
		part.Body.String() != whole.Body.String()[10:] {
		t.Errorf("the rest of it: %d", part.Code)
	}
	if got := w.sub.fetch(r.Digest); got.Code != http.StatusForbidden {
		t.Errorf("the other node was answered %d", got.Code)
	}
}

func TestABadPollIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.pub.login()
	for name, spoil := range map[string]func(*wire.PollRequest){
		"step":     func(r *wire.PollRequest) { r.Step = "dancing" },
		"health":   func(r *wire.PollRequest) { r.Health = "" },
		"version":  func(r *wire.PollRequest) { r.Version = "one" },
		"boot_id":  func(r *wire.PollRequest) { r.BootID = "" },
		"protocol": func(r *wire.PollRequest) { r.Protocol = 99 },
		"facts":    func(r *wire.PollRequest) { r.Facts = make([]models.Fact, 1) },
		"packages": func(r *wire.PollRequest) {
			r.FactsDigest, r.Packages = "f", &models.Packages{Names: models.PackageSet("odd")}
		},
		"permit": func(r *wire.PollRequest) { r.Permit = &wire.PermitReport{Outcome: "withdrawn"} },
	} {
		r := w.pub.request()
		spoil(&r)
		if refused, _ := w.post(wire.PathPoll, w.pub.token, r, nil); refused != "invalid_poll" {
			t.Errorf("%s: %q", name, refused)
		}
	}
	if v := w.cluster(w.id); v.Nodes[0].Version != "1.0.0" {
		t.Errorf("it changed to %s", v.Nodes[0].Version)
	}
}
