package nodeapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

// TestR14OutsideItsWindowANodeLearnsNothingOfARelease compares the bytes of every answer with those
// that the same node was given at the same instant without a release.
func TestR14OutsideItsWindowANodeLearnsNothingOfARelease(t *testing.T) {
	answers, differing, served := 0, 0, 0
	for _, kind := range []models.Kind{models.Regular, models.Emergency} {
		w := newWorld(t)
		id, nodes := w.register("Tokyo", pubName, subName)
		nodes[0].tells(t, newMany(5000))
		nodes[1].tells(t, oldMany())
		v := w.cluster(id)
		v.Schedules.Emergency.Time = "15:00"
		_, err := w.fleet.SaveSchedules(t.Context(), w.admin, id, v.ScheduleVersion, v.Schedules)
		must(t, err)
		clocks := []string{"20:00", "00:30", "02:59", "05:00", "12:00", "14:59", "17:00"}
		if kind == models.Regular {
			clocks = append(clocks, "15:30") // a window of the other kind
		} else {
			clocks = append(clocks, "03:30")
		}
		for i, clock := range clocks {
			w.at(clock)
			s := &silence{t: t, w: w, id: id, nodes: nodes,
				version: models.Version(fmt.Sprintf("2.0.%d", i))}
			s.compare(kind)
			answers, differing, served = answers+s.answers, differing+s.differing, served+s.served
		}
	}
	fmt.Printf("proof 2.6 answers=%d differing=%d depot_served=%d\n", answers, differing, served)
	if differing != 0 || served != 0 || answers < 100 {
		t.Errorf("answers %d, differing %d, served by the depot %d", answers, differing, served)
	}
}

// silence is one instant at which everything happens to a release and nothing may be heard of it.
type silence struct {
	t       *testing.T
	w       *world
	id      models.ClusterID
	nodes   []*node
	version models.Version
	before  [][]byte

	answers, differing, served int
}

func (s *silence) compare(kind models.Kind) {
	s.t.Helper()
	for _, n := range s.nodes {
		n.poll()
		s.before = append(s.before, s.answer(n))
	}
	r := s.w.publish(s.version, kind, "package-4999", "package-none")
	s.look("published", r.Digest)
	if _, err := s.w.fleet.Postpone(s.t.Context(), s.w.admin, s.id); err == nil {
		s.look("postponed", r.Digest)
		_, err := s.w.fleet.UndoPostponement(s.t.Context(), s.w.admin, s.id)
		must(s.t, err)
	}
	s.w.release(r.ID, models.ReleasePaused)
	s.look("paused", r.Digest)
	s.w.release(r.ID, models.ReleasePublished)
	s.look("resumed", r.Digest)
	s.halt(r)
	s.look("halted", r.Digest)
	s.w.release(r.ID, models.ReleaseRecalled)
	s.look("recalled", r.Digest)
}

// halt stores a rollout that a failure has halted.
func (s *silence) halt(r models.Release) {
	s.t.Helper()
	must(s.t, s.w.store.Update(s.t.Context(), func(tx *store.Tx) error {
		return tx.In(s.w.admin.Organization).CreateRollout(&models.Rollout{ClusterID: s.id,
			ReleaseID: r.ID, Version: r.Version, Kind: r.Kind, BlockedBy: s.nodes[0].id,
			State: models.RolloutHaltedFailed, StartedAt: s.w.clock.Now()})
	}))
	s.w.follow()
}

func (s *silence) look(what, digest string) {
	s.t.Helper()
	for i, n := range s.nodes {
		s.answers++
		if got := s.answer(n); !bytes.Equal(got, s.before[i]) {
			s.differing++
			s.t.Errorf("%s at %s:\n%s\nand without it:\n%s", what,
				s.w.clock.Now().Format(time.TimeOnly), got, s.before[i])
		}
		none := s.problem(n, "0000000000000000000000000000000000000000000000000000000000000000")
		if got := s.problem(n, digest); got != none {
			s.served++
			s.t.Errorf("%s: the depot tells a bundle from none: %s and %s", what, got, none)
		}
	}
}

func (s *silence) answer(n *node) []byte {
	s.t.Helper()
	n.login()
	answer := s.w.call(http.MethodPost, wire.PathPoll, n.token, n.request())
	if answer.Code != http.StatusOK {
		s.t.Fatalf("the poll was answered %d %s", answer.Code, answer.Body)
	}
	return answer.Body.Bytes()
}

// problem is a refusal of the depot without its tracking id.
func (s *silence) problem(n *node, digest string) string {
	s.t.Helper()
	answer := n.fetch(digest)
	var fields map[string]any
	must(s.t, json.Unmarshal(answer.Body.Bytes(), &fields))
	delete(fields, "tracking_id")
	raw, err := json.Marshal(fields)
	must(s.t, err)
	if answer.Code != http.StatusForbidden {
		s.t.Fatalf("the depot answered %d", answer.Code)
	}
	return string(raw)
}
