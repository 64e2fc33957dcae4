package rollout_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"connecthub/models"
	"connecthub/scheduler/rollout"
	"connecthub/scheduler/window"
)

type seeded struct{ *rand.Rand }

func (s seeded) intn(n int) int { return s.IntN(n) }

type drawn struct{ t *rapid.T }

func (d drawn) intn(n int) int { return rapid.IntRange(0, n-1).Draw(d.t, "") }

// step is one thing that happens, and after it everything is checked.
func (w *world) step() {
	switch k := w.src.intn(100); {
	case k < 38:
		for _, n := range w.nodes {
			w.ticks(n)
		}
		w.passes()
	case k < 55:
		w.ticks(w.anyNode())
	case k < 62:
		w.now = w.now.Add(time.Duration(1+w.src.intn(400)) * time.Second)
	case k < 66:
		w.now = w.now.Add(time.Duration(1+w.src.intn(40)) * time.Minute)
	case k < 69:
		w.jumps()
	case k < 73:
		if n := w.anyNode(); n.alive {
			n.crashes(w)
		}
	case k < 79:
		w.anyNode().recovers(w)
	case k < 82:
		w.redelivers()
	case k < 87:
		w.adminActs()
	case k < 90:
		w.vendorActs()
	case k < 98:
		w.cause = cause{what: "sweep"}
		w.apply(rollout.Sweep(w.snapshot(""), w.now))
	default:
		w.hubFails()
	}
	w.checkAlways()
}

// ticks lets a node poll and work on.
func (w *world) ticks(n *sim) {
	if !n.alive {
		return
	}
	if w.chance(3) {
		n.skew = int64(w.src.intn(3)-1) * 400
	} else if w.chance(50) {
		n.skew = 0
	}
	n.orchestrates = n.permit == "" && w.chance(4) || n.orchestrates && w.chance(60)
	n.works(w)
	w.send(n.message(w, false))
}

func (w *world) passes() { w.now = w.now.Add(time.Duration(5+w.src.intn(30)) * time.Second) }

// jumps goes to a moment at which something changes: a start, a start-by, an end.
func (w *world) jumps() {
	kind := window.Regular
	if w.chance(40) {
		kind = window.Emergency
	}
	next, open := w.rows.plan.Open(kind, w.now)
	if !open {
		next = w.rows.plan.NextOpen(kind, w.now)
	}
	for _, at := range []time.Time{next.Start, window.StartBy(next), next.End} {
		if at.After(w.now) && w.chance(70) {
			w.now = at.Add(time.Duration(w.src.intn(3)-1) * time.Second)
			return
		}
	}
}

func (w *world) redelivers() {
	if len(w.mail) == 0 {
		return
	}
	i := w.src.intn(len(w.mail))
	m := w.mail[i]
	if w.chance(50) {
		w.mail = slices.Delete(w.mail, i, i+1)
	}
	w.arrives(m)
}

// vendorActs publishes, pauses, resumes or recalls a release.
func (w *world) vendorActs() {
	if w.chance(40) || len(w.rows.releases) == 1 {
		w.publishes()
		return
	}
	r := &w.rows.releases[1+w.src.intn(len(w.rows.releases)-1)]
	switch k := w.src.intn(5); {
	case r.State == models.ReleasePublished && k < 2:
		r.State = models.ReleasePaused
	case r.State == models.ReleasePaused && k < 4:
		r.State = models.ReleasePublished
	case k == 4:
		r.State = models.ReleaseRecalled
	}
}

func (w *world) publishes() {
	if len(w.rows.releases) > 12 {
		return
	}
	version := models.Version(fmt.Sprintf("%d.%d", 1+w.src.intn(3), w.src.intn(10)))
	for i := range w.rows.releases {
		if w.rows.releases[i].Version == version {
			return
		}
	}
	w.seq++
	r := models.Release{ID: models.ReleaseID(fmt.Sprintf("r%d", w.seq)), Version: version,
		Kind: models.Regular, State: models.ReleasePublished}
	if w.chance(35) {
		r.Kind = models.Emergency
	}
	if w.chance(20) {
		r.Order = models.SubscribersFirst
	}
	if w.chance(15) {
		r.Requirements.Via = w.rows.releases[w.src.intn(len(w.rows.releases))].Version
	}
	w.rows.releases = append(w.rows.releases, r)
}

// hubFails restarts the hub, or restores it from its last backup (R34).
func (w *world) hubFails() {
	switch k := w.src.intn(10); {
	case k < 6:
		w.mail = nil
	case k < 9:
		w.saved = w.rows.copy()
	default:
		w.restores()
	}
}

func (w *world) restores() {
	releases := w.rows.releases
	w.rows, w.mail = w.saved.copy(), nil
	w.rows.releases = releases // the vendor's catalogue is published again
	w.inc++
	w.rows.cluster.AwaitPolls = true
	for i := range w.rows.members {
		w.rows.members[i].PolledSince = false
		w.rows.members[i].Counter, w.rows.members[i].BootID = 0, ""
	}
	if p := w.open(); p != nil && p.State == models.PermitOffered {
		at := w.now
		p.State, p.Outcome, p.EndedAt = models.PermitEnded, models.Withdrawn, &at
	}
	w.seen["restored"] = true
}

// history runs one random history and says which rule it broke first.
func history(src source, off rollout.Rule, steps int) *world {
	w := newWorld(src, off)
	for range steps {
		w.step()
		if w.broken != "" {
			return w
		}
	}
	return w
}

// long says whether the full size was asked for.
func long() bool { return os.Getenv("LONG") == "1" }

const stepsPerHistory = 400

// mustHappen keeps the histories from becoming idle.
var mustHappen = []string{"completed", "halted_failed", "halted_lost", "superseded", "cancelled",
	"restored", "rollout.AdoptPermit", "rollout.RaiseFence", "rollout.EndAwait",
	"rollout.UseDespite", "rollout.OpenExtra", "rollout.ForgetDenied", "rollout.SetMember",
	"end overridden overridden", "end succeeded reported_by_node", "end failed reported_by_node",
	"end abandoned reported_by_node", "end withdrawn schedule_changed",
	"end withdrawn start_by_passed", "end withdrawn peer_silent", "end withdrawn superseded",
	"end withdrawn maintenance_mode", "end withdrawn release_recalled", "confirm peer_silent",
	"confirm peer_unhealthy", "confirm stale_permit", "confirm start_by_passed", "clock_skew",
	"restored_hub", "excluded", "member_missing", "requirement_unmet", "not_your_turn", "soaking",
	"peer_in_maintenance", "postponed", "denied_version", "local_work", "orchestrating",
	"confirm orchestrating", "local release"}

func TestTheRulesHoldInEveryRandomHistory(t *testing.T) {
	histories := 6000
	if long() {
		histories = 100_000
	}
	seen, steps, broken := map[string]bool{}, 0, 0
	for seed := range histories {
		src := seeded{rand.New(rand.NewPCG(uint64(seed), 2))}
		w := history(src, 0, stepsPerHistory)
		steps += stepsPerHistory
		maps.Copy(seen, w.seen)
		if w.broken != "" {
			broken++
			t.Errorf("seed %d: %s", seed, w.broken)
			if broken > 5 {
				break
			}
		}
	}
	for _, event := range mustHappen {
		if !seen[event] {
			t.Errorf("no history has seen %q", event)
		}
	}
	fmt.Printf("proof 2.4-decide histories=%d steps=%d broken=%d\n", histories, steps, broken)
}

func TestTheRulesHoldInHistoriesThatShrink(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		if w := history(drawn{t}, 0, 60); w.broken != "" {
			t.Fatal(w.broken)
		}
	})
}

func TestEveryRuleThatIsTakenOutIsMissed(t *testing.T) {
	mutants := []struct {
		name string
		rule rollout.Rule
	}{
		{"R14", rollout.R14}, {"R15", rollout.R15}, {"R16", rollout.R16}, {"R17", rollout.R17},
		{"R18", rollout.R18}, {"R19", rollout.R19}, {"R20", rollout.R20}, {"R21", rollout.R21},
		{"R22", rollout.R22}, {"R23", rollout.R23},
	}
	caught := 0
	for _, m := range mutants {
		for seed := range 3000 {
			w := history(seeded{rand.New(rand.NewPCG(uint64(seed), 3))}, m.rule, stepsPerHistory)
			if strings.HasPrefix(w.broken, m.name+":") { // by its own rule, not by another's
				caught++
				t.Logf("%s caught by history %d: %s", m.name, seed, w.broken)
				break
			}
		}
	}
	fmt.Printf("proof 2.4-mutants tried=%d caught=%d\n", len(mutants), caught)
	if caught != len(mutants) {
		t.Errorf("caught %d of %d mutants", caught, len(mutants))
	}
}
