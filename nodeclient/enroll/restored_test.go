package enroll_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
	"connecthub/models/wire"
	"connecthub/nodeclient/enroll"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// never is a key that is not rotated by itself.
const never = 10_000 * time.Hour

// restorable is a hub whose database is copied, and put back.
type restorable struct{ *realHub }

// run stops the hub, lets something be done to its database, and runs it on what that answers.
func (r *restorable) run(do func() (dsn string)) {
	r.t.Helper()
	r.must(r.store.Close())
	r.dsn = do()
	r.store = storetest.OpenWith(r.t, store.Options{DSN: r.dsn, Now: r.clock.Now})
	r.fleets, r.net.hubs = nil, nil
	r.serve()
}

func (r *restorable) backup() (dsn string) {
	r.t.Helper()
	r.run(func() string {
		dsn = storetest.Copy(r.t, r.dsn)
		return r.dsn
	})
	return dsn
}

// restore runs the hub on a backup; the command is "server restored", which may be forgotten.
func (r *restorable) restore(backup string, command bool) {
	r.t.Helper()
	r.run(func() string { return storetest.Copy(r.t, backup) })
	if command {
		r.restoredCommand()
	}
}

func (r *restorable) restoredCommand() {
	r.t.Helper()
	_, err := fleet.Restore(r.t.Context(), r.store, models.Actor{Kind: models.ActorCommand}, r.clock.Now())
	r.must(err)
	r.must(r.fleets[0].Load(r.t.Context()))
}

// rotate runs a folder's agent for so many new keys.
func (r *restorable) rotate(dir string, times int) {
	r.t.Helper()
	for range times {
		was := r.stored(dir).KeyThumb
		r.clock.Advance(rotation)
		r.must(r.poll(r.open(dir, 0, rotation), 1))
		if r.stored(dir).KeyThumb == was {
			r.t.Fatal("the key was not rotated")
		}
	}
}

// rest lets every token and nonce run out.
func (r *restorable) rest() { r.clock.Advance(20 * time.Minute) }

// asks is one poll of a freshly started agent that keeps its key.
func (r *restorable) asks(dir string) error { return r.poll(r.open(dir, 0, never), 1) }

// onBothDatabases runs a test on SQLite and on PostgreSQL.
func onBothDatabases(t *testing.T, test func(t *testing.T, r *restorable)) {
	t.Helper()
	for name, dsn := range map[string]func(t *testing.T) string{
		"sqlite": func(t *testing.T) string {
			t.Helper()
			return filepath.Join(t.TempDir(), "hub.db")
		},
		"postgres": func(t *testing.T) string { t.Helper(); return storetest.PostgresDSN(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &restorable{newRealHubOn(t, 1, dsn(t))})
		})
	}
}

// tally is what the proof counts on both databases.
type tally struct {
	mu                                     sync.Mutex
	restored, back, forgotten, quarantined int
	thieves, first, accepted, lockedOut    int
	mutants, mutantBack                    int
}

func (c *tally) add(into *int, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*into += n
}

// TestProofR34NodesComeBackToARestoredHub restores hubs from backups that know older keys of their
// nodes: each node comes back by itself, and nobody with an old key stays.
func TestProofR34NodesComeBackToARestoredHub(t *testing.T) {
	t.Parallel()
	each := 1
	if long() {
		each = 12
	}
	var c tally
	t.Run("databases", func(t *testing.T) {
		onBothDatabases(t, func(t *testing.T, r *restorable) {
			r.everyNodeComesBack(&c, each)
			for how := range thefts() {
				r.thiefStaysOut(&c, how)
			}
		})
	})
	fmt.Printf("proof 3.12 databases=2 restored_nodes=%d back=%d forgotten=%d quarantined_stay_out=%d "+
		"stolen_old_keys=%d used_before_the_node_came=%d locked_out_with_the_node=%d "+
		"stolen_old_keys_accepted=%d mutant_back=%d/%d\n", c.restored, c.back, c.forgotten,
		c.quarantined, c.thieves, c.first, c.lockedOut, c.accepted, c.mutantBack, c.mutants)
	if c.back != c.restored || c.forgotten > 0 || c.accepted > 0 || c.quarantined == 0 {
		t.Error("not all of them came back, or somebody came in")
	}
	if c.mutantBack > 0 || c.mutants == 0 {
		t.Error("nodes came back without their chains: the proof shows nothing")
	}
}

// everyNodeComesBack takes a backup, lets the nodes rotate from never to six times, and restores.
func (r *restorable) everyNodeComesBack(c *tally, each int) {
	r.t.Helper()
	var dirs []string
	for i := range 7 * each {
		dirs = append(dirs, r.node(models.FQDN(fmt.Sprintf("cc-%d.example.com", i))))
		r.rotate(dirs[i], i%3) // some have a history that the backup knows
	}
	locked := r.node("cc-locked.example.com")
	r.rotate(locked, 1)
	r.lock(locked)
	mutant := r.node("cc-mutant.example.com")
	backup := r.backup()
	for i, dir := range dirs {
		r.must(r.asks(dir))
		r.rotate(dir, i%7)
	}
	r.rotate(mutant, 2)
	r.must(os.Remove(filepath.Join(mutant, "keychain.json")))
	for life := range 2 { // the second restore is from the same backup
		r.rest()
		r.restore(backup, true)
		for i, dir := range dirs {
			if life == 0 && i%5 == 0 {
				r.net.fated(wire.PathChain, lostAnswer)
				_ = r.asks(dir)
			}
			err := r.asks(dir)
			c.add(&c.restored, 1)
			if err == nil && r.stored(dir).Member == models.MemberActive {
				c.add(&c.back, 1)
			} else {
				r.t.Errorf("node %d: %v", i, err)
			}
			if errors.Is(err, enroll.ErrStatement) {
				c.add(&c.forgotten, 1)
			}
		}
		if refusedAs(r.asks(locked)) == "node_quarantined" {
			c.add(&c.quarantined, 1)
		}
		c.add(&c.mutants, 1)
		if err := r.asks(mutant); refusedAs(err) != wire.CodeNotRegistered {
			c.add(&c.mutantBack, 1)
		} else if errors.Is(err, enroll.ErrStatement) {
			c.add(&c.forgotten, 1)
		}
		for _, dir := range dirs { // and they go on as ever
			r.rotate(dir, 1)
		}
	}
	if n := r.audited(dirs[1], "key_adopted"); n != 1 {
		r.t.Errorf("%d records of an adopted key", n)
	}
}

// lock puts a folder's node in quarantine: a copy of it shows itself.
func (r *restorable) lock(dir string) {
	r.t.Helper()
	other := r.copyOf(dir)
	r.must(r.asks(dir))
	r.rest()
	if err := r.asks(other); refusedAs(err) != "node_quarantined" {
		r.t.Fatal(err)
	}
}

// theft is what somebody does with a copy of a folder of the time of the backup, or of later.
type theft struct {
	later  int  // how often the key was rotated after the backup before it was stolen
	first  bool // the thief comes before the node
	rotate bool // and gets a key of its own before the node comes
}

func thefts() map[string]theft {
	return map[string]theft{
		"after the node":             {},
		"before the node":            {first: true},
		"before, with a new key":     {first: true, rotate: true},
		"later key, after the node":  {later: 1},
		"later key, before the node": {later: 2, first: true},
		"later key, with a new key":  {later: 1, first: true, rotate: true},
	}
}

// thiefStaysOut lets a thief with an old key and the node meet after a restore.
func (r *restorable) thiefStaysOut(c *tally, how string) {
	r.t.Helper()
	theft := thefts()[how]
	dir := r.node(models.FQDN(fmt.Sprintf("cc-%d.example.net", r.clock.Now().Unix())))
	r.rotate(dir, 1)
	backup := r.backup()
	r.rotate(dir, theft.later)
	stolen := r.copyOf(dir)
	r.rotate(dir, 3-theft.later)
	r.rest()
	r.restore(backup, true)
	c.add(&c.thieves, 1)
	if theft.first {
		r.must(r.asks(stolen)) // nothing tells it from the node yet
		c.add(&c.first, 1)
		if theft.rotate {
			r.rotate(stolen, 1)
		}
		r.rest()
	}
	err := r.asks(dir)
	if theft.first != (refusedAs(err) == "node_quarantined") {
		r.t.Errorf("%s: the node: %v", how, err)
	}
	r.rest()
	if err := r.asks(stolen); refusedAs(err) != "node_quarantined" {
		r.t.Errorf("%s: the thief: %v", how, err)
		c.add(&c.accepted, 1)
	}
	if r.stored(dir).Member != models.MemberQuarantined || r.audited(dir, "node_quarantined") != 1 {
		r.t.Errorf("%s: no alarm", how)
	} else {
		c.add(&c.lockedOut, 1)
	}
}

// TestR34AForgottenRestoredCommandLocksNobodyOut serves a backup as if nothing had happened: nodes
// with later keys wait, and come back once the command was given.
func TestR34AForgottenRestoredCommandLocksNobodyOut(t *testing.T) {
	t.Parallel()
	onBothDatabases(t, func(t *testing.T, r *restorable) {
		dir := r.node("cc-pub.example.com")
		r.rotate(dir, 1)
		backup := r.backup()
		r.rotate(dir, 2)
		r.rest()
		r.restore(backup, false)
		for range 5 {
			err := r.asks(dir)
			if refusedAs(err) != wire.CodeNotRegistered || errors.Is(err, enroll.ErrStatement) {
				t.Fatal(err)
			}
			r.rest()
		}
		if r.stored(dir).Member != models.MemberActive {
			t.Fatal("locked out")
		}
		r.restoredCommand()
		r.must(r.asks(dir))
	})
}

// TestR34AReplacedMachineIsToldSoOnlyByAHubThatKnows replaces a machine before and after a backup.
func TestR34AReplacedMachineIsToldSoOnlyByAHubThatKnows(t *testing.T) {
	t.Parallel()
	onBothDatabases(t, func(t *testing.T, r *restorable) {
		replace := func(dir string) {
			n := r.stored(dir)
			r.must(r.store.Update(t.Context(), func(tx *store.Tx) error {
				return tx.In(n.OrganizationID).SetNodeKey(n.ID, n.KeyThumb, store.Joined{
					KeyThumb: "new-" + string(n.Name), PublicKey: n.PublicKey, At: r.clock.Now(),
					Member: models.MemberActive})
			}))
			r.must(r.fleets[0].Load(t.Context()))
		}
		before, after := r.node("cc-a.example.com"), r.node("cc-b.example.com")
		for _, dir := range []string{before, after} {
			r.rotate(dir, 1)
		}
		replace(before)
		backup := r.backup()
		replace(after)
		r.rest()
		if err := r.asks(after); !errors.Is(err, enroll.ErrStatement) {
			t.Errorf("replaced, and the hub knows: %v", err)
		}
		r.restore(backup, true)
		if err := r.asks(before); !errors.Is(err, enroll.ErrStatement) {
			t.Errorf("replaced before the backup: %v", err)
		}
		if err := r.asks(after); err != nil {
			t.Errorf("replaced after the backup, which the hub cannot know: %v", err)
		}
	})
}
