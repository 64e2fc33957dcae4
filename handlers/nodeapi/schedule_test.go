package nodeapi_test

import (
	"strings"
	"testing"
	"time"

	"connecthub/hub/fleet"
	"connecthub/models"
)

func (w walk) save(change func(s *fleet.Schedules)) error {
	w.Helper()
	v := w.cluster(w.id)
	s := v.Schedules
	change(&s)
	_, err := w.fleet.SaveSchedules(w.Context(), w.admin, w.id, v.ScheduleVersion, s)
	return err
}

func (w walk) postpone() time.Time {
	w.Helper()
	v, err := w.fleet.Postpone(w.Context(), w.admin, w.id)
	must(w, err)
	return *v.NextUpgrade.Skipped
}

// TestR13AChangeOfOneScheduleEndsNoWindowOfTheOther changes the regular schedule while an emergency
// release waits in its own open window.
func TestR13AChangeOfOneScheduleEndsNoWindowOfTheOther(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.publish("3.0.0", models.Emergency)
	w.at("03:10")
	must(t, w.save(func(s *fleet.Schedules) { s.Regular.Time = "04:30" }))
	w.follow()
	w.pub.poll()
	w.sub.poll()
	if p := w.pub.poll().Permit; p == nil || p.Version != "3.0.0" {
		t.Fatalf("the emergency window has ended: %+v", p)
	}
	must(t, w.save(func(s *fleet.Schedules) { s.Emergency.Time = "05:00" }))
	w.follow()
	if p := w.pub.poll().Permit; p != nil {
		t.Fatalf("a window that was changed is still open: %+v", p)
	}
}

// TestR12APostponementOutlivesAChangeOfTheTime moves the postponed window by an hour, and the skip
// with it.
func TestR12APostponementOutlivesAChangeOfTheTime(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.publish("2.0.0", models.Regular)
	skipped := w.postpone()
	must(t, w.save(func(s *fleet.Schedules) { s.Regular.Time = "04:00" }))
	next := w.cluster(w.id).NextUpgrade
	if next.Skipped == nil || !next.Skipped.Equal(skipped.Add(time.Hour)) ||
		!next.Regular.Start.Equal(skipped.Add(25*time.Hour)) {
		t.Fatalf("skipped %v, next %v", next.Skipped, next.Regular)
	}
	_, err := w.fleet.Postpone(t.Context(), w.admin, w.id)
	wantCode(t, err, "already_postponed")
	w.at("04:00")
	w.at("04:30")
	w.held(w.pub, models.ReasonPostponed)
}

// TestR12AChangePastThePostponedWindowIsNoSecondPostponement moves the upgrade past the window that
// was to be skipped: nothing more is skipped, and the one postponement stays spent.
func TestR12AChangePastThePostponedWindowIsNoSecondPostponement(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.publish("2.0.0", models.Regular)
	skipped := w.postpone()
	must(t, w.save(func(s *fleet.Schedules) { s.Regular.Time = "09:00" }))
	next := w.cluster(w.id).NextUpgrade
	if next.Skipped != nil || !next.Regular.Start.Equal(skipped.Add(6*time.Hour)) {
		t.Fatalf("skipped %v, next %v", next.Skipped, next.Regular)
	}
	_, err := w.fleet.Postpone(t.Context(), w.admin, w.id)
	wantCode(t, err, "postponement_spent")
}

// TestR13TheEightDaysCountAfreshFromAGivenChance changes a schedule twice, weeks after the upgrade
// became pending, and after it had many chances.
func TestR13TheEightDaysCountAfreshFromAGivenChance(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.publish("2.0.0", models.Regular)
	for range 20 {
		w.at("12:00")
	}
	must(t, w.save(func(s *fleet.Schedules) { s.Regular.Time = "05:00" }))
	if err := w.save(func(s *fleet.Schedules) { s.Regular.Time = "07:00" }); err != nil {
		t.Fatalf("a change by two hours: %v", err)
	}
	for range 9 {
		if err := w.save(func(s *fleet.Schedules) {
			day := w.clock.Now().AddDate(0, 0, -1).UTC().Weekday().String()
			s.Regular.Days = []string{strings.ToLower(day)}
		}); err != nil {
			wantCode(t, err, "puts_off_too_far")
			return
		}
		w.at("12:00")
	}
	t.Fatal("an upgrade was put off for ever")
}

func wantCode(t testing.TB, err error, code models.Code) {
	t.Helper()
	if err == nil || !(&models.Refusal{Code: code}).Is(err) {
		t.Fatalf("refused with %v, not %s", err, code)
	}
}
