package enroll_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
	"connecthub/nodeclient/enroll"
)

const rotation = 30 * time.Minute

func long() bool { return os.Getenv("LONG") == "1" }

// poll asks the hub as an idle agent does.
func (h *realHub) poll(e *enroll.Enrollment, counter uint64) error {
	_, err := e.Poll(h.t.Context(), wire.PollRequest{Protocol: wire.Protocol, ClientVersion: "1.0.0",
		Version: "1.0.0", Step: models.StepIdle, Health: models.Healthy, BootID: "boot",
		FactsDigest: "facts", Counter: counter, Clock: h.clock.Now()})
	return err
}

func refusedAs(err error) string {
	var r *enroll.Refusal
	if errors.As(err, &r) {
		return r.Problem.Code
	}
	return ""
}

// TestProofOfCopies is the life of honest nodes in a bad network: every kind of loss,
// restarts at any time, clocks that are wrong, two processes of the hub; and then the same with
// copies, none of which may stay unseen.
func TestProofOfCopies(t *testing.T) {
	polls, each := 1000, 6
	if long() {
		polls, each = 10_000, 60
	}
	alarms, unwell, asked, rotated := lossyLife(t, polls)
	found, copies := 0, 0
	for i := range each {
		copies += 2
		if copied(t, uint64(i)) {
			found++
		}
		if restored(t, uint64(i)) {
			found++
		}
	}
	missed := 0
	for i := range 4 { // the mutant: a hub that remembers neither generations nor old keys
		if !forgetful(t, uint64(i)) {
			missed++
		}
	}
	fmt.Printf("proof 3.6 polls=%d false_alarms=%d locked_out=%d rotations=%d asked_again=%d copies=%d "+
		"found=%d mutant_missed=%d/4\n", polls, alarms, unwell, rotated, asked, copies, found, missed)
	if alarms+unwell > 0 || found != copies {
		t.Errorf("%d alarms, %d locked out, %d of %d copies found", alarms, unwell, found, copies)
	}
	if asked == 0 || rotated == 0 || missed != 4 {
		t.Errorf("the guard was not needed: asked again %d times in %d rotations, %d mutants missed",
			asked, rotated, missed)
	}
}

// lossyLife answers how many nodes were put in quarantine, how many cannot poll at the end in a good
// network, how often the hub asked again and how many keys were rotated.
func lossyLife(t *testing.T, polls int) (alarms, unwell, asked, rotated int) {
	const nodes = 4
	h := newRealHub(t, 2)
	random := rand.New(rand.NewPCG(36, 36))
	dirs, running := make([]string, nodes), make([]*enroll.Enrollment, nodes)
	skew := []time.Duration{0, -4 * 24 * time.Hour, 400 * 24 * time.Hour, time.Minute}
	for i := range dirs {
		dirs[i] = h.node(models.FQDN(fmt.Sprintf("cc-%d.example.com", i)))
		running[i] = h.open(dirs[i], skew[i], rotation)
	}
	h.net.spoil(36)
	for i := range polls {
		at := i % nodes
		if random.IntN(25) == 0 { // the agent or its machine is started again
			skew[at] += time.Duration(random.IntN(7200)-3600) * time.Second
			running[at] = h.open(dirs[at], skew[at], rotation)
		}
		_ = h.poll(running[at], uint64(i)) // most of them fail somewhere
		h.clock.Advance(time.Duration(5+random.IntN(20)) * time.Second)
	}
	h.net.mend()
	for i, dir := range dirs {
		if h.stored(dir).Member != models.MemberActive {
			alarms++
		}
		if err := h.poll(h.open(dir, skew[i], rotation), 1<<40); err != nil {
			t.Logf("node %d: %v", i, err)
			unwell++
		}
		rotated += h.audited(dir, "key_rotated")
	}
	return alarms, unwell, h.net.asked, rotated
}

// audited counts the records of an action about a folder's node.
func (h *realHub) audited(dir, action string) int {
	h.t.Helper()
	n, count := h.stored(dir), 0
	h.must(h.store.View(h.t.Context(), func(tx *store.Tx) error {
		records, err := tx.In(n.OrganizationID).Audit(store.AuditQuery{ClusterID: n.ClusterID})
		for _, r := range records {
			if r.Action == action && r.TargetID == string(n.ID) {
				count++
			}
		}
		return err
	}))
	return count
}

// copied runs a folder and a copy of it side by side until the next rotation at the latest, and says
// whether both were locked out with one alarm.
func copied(t *testing.T, seed uint64) bool {
	h := newRealHub(t, 1)
	return h.sideBySide(seed, func(string) {})
}

func (h *realHub) sideBySide(seed uint64, after func(dir string)) bool {
	random := rand.New(rand.NewPCG(seed, 2))
	dir := h.node("cc-pub.example.com")
	first := h.open(dir, 0, rotation)
	for i := range random.IntN(40) {
		h.must(h.poll(first, uint64(i)))
		h.clock.Advance(30 * time.Second)
		after(dir)
	}
	second := h.open(h.copyOf(dir), time.Duration(random.IntN(600))*time.Second, rotation)
	for range 2 * int(rotation/(30*time.Second)) {
		both := []*enroll.Enrollment{first, second}
		if random.IntN(2) == 0 {
			both[0], both[1] = second, first
		}
		a, b := h.poll(both[0], 1), h.poll(both[1], 1)
		after(dir)
		if h.stored(dir).Member == models.MemberQuarantined {
			a, b = h.poll(first, 1), h.poll(second, 1)
			return refusedAs(a) == "node_quarantined" && refusedAs(b) == "node_quarantined" &&
				h.audited(dir, "node_quarantined") == 1
		}
		_, _ = a, b
		h.clock.Advance(30 * time.Second)
	}
	return false
}

// restored runs a folder for a while, takes it back to what it was, as a snapshot does, and says
// whether the hub finds out by the next rotation.
func restored(t *testing.T, seed uint64) bool {
	h := newRealHub(t, 1)
	random := rand.New(rand.NewPCG(seed, 3))
	dir := h.node("cc-pub.example.com")
	live := h.open(dir, 0, rotation)
	step := func() {
		h.must(h.poll(live, 1))
		h.clock.Advance(30 * time.Second)
	}
	for range random.IntN(60) {
		step()
	}
	snapshot := h.copyOf(dir)
	generation := h.stored(dir).Generation
	for ran := 0; ran < random.IntN(120) || h.stored(dir).Generation == generation; ran++ {
		step()
	}
	live = h.open(snapshot, 0, rotation)
	err := h.poll(live, 1)
	return refusedAs(err) == "node_quarantined" && h.audited(dir, "node_quarantined") == 1
}

// forgetful is a hub without the guard: it must not find the copies, or the proof proves nothing.
func forgetful(t *testing.T, seed uint64) bool {
	h := newRealHub(t, 1)
	raw, err := sql.Open("sqlite3", h.dsn+"?_busy_timeout=5000")
	h.must(err)
	defer raw.Close()
	return h.sideBySide(seed, func(string) {
		for _, forget := range []string{"UPDATE nodes SET generation = 0, generation_mark = ''",
			"DELETE FROM rotated_keys"} {
			_, err := raw.ExecContext(t.Context(), forget)
			h.must(err)
		}
	})
}
