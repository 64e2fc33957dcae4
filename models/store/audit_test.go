package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
)

// chainOf reads a whole chain.
func chainOf(t testing.TB, s *store.Store, o models.OrganizationID) (models.AuditHead,
	[]models.AuditRecord) {
	t.Helper()
	var head models.AuditHead
	var all []models.AuditRecord
	err := s.View(context.Background(), func(tx *store.Tx) error {
		var err error
		if head, err = tx.In(o).AuditHead(); err != nil {
			return err
		}
		all, err = tx.In(o).AuditChain(0, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return head, all
}

// broken says what is wrong with a chain; nothing is wrong with a good one.
func broken(head models.AuditHead, all []models.AuditRecord) error {
	at := models.AuditHead{OrganizationID: head.OrganizationID}
	for i, r := range all {
		again := r
		again.Chain(at)
		if again != r {
			return fmt.Errorf("record %d is %+v, not %+v", i+1, r, again)
		}
		at.Sequence, at.Hash = r.Sequence, r.Hash
	}
	if at.Sequence != head.Sequence || at.Hash != head.Hash {
		return fmt.Errorf("the head is %+v, not %+v", head, at)
	}
	return nil
}

// racers of one chain: every second of them prolongs the other organization's, some both.
const racers, raceTimes = 64, 4

func TestR30AChainHasNoGapsWhen64CallersRace(t *testing.T) {
	t.Parallel()
	var databasesDone, records atomic.Int64
	var retries atomic.Uint64
	t.Run("databases", func(t *testing.T) {
		for _, d := range databases() {
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				s := d.open(t)
				records.Add(raceChains(t, s))
				retries.Add(s.Retries())
				databasesDone.Add(1)
			})
		}
	})
	if !t.Failed() && databasesDone.Load() == 2 {
		fmt.Printf("proof 3.8-audit-race databases=2 callers=%d transactions=%d records=%d gaps=0 "+
			"retries=%d\n", racers, 2*racers*raceTimes, records.Load(), retries.Load())
	}
}

func raceChains(t *testing.T, s *store.Store) (total int64) {
	t.Helper()
	one, two := storetest.Seed(t, s, "1"), storetest.Seed(t, s, "2")
	var group sync.WaitGroup
	failed := make(chan error, racers)
	for i := range racers {
		group.Go(func() {
			a, b := one.Organization.ID, two.Organization.ID
			if i%2 == 0 {
				a, b = b, a
			}
			for range raceTimes {
				if err := s.Update(t.Context(), func(tx *store.Tx) error {
					return prolongSome(tx, s.Clock(), i, a, b)
				}); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	for _, w := range []storetest.World{one, two} {
		head, all := chainOf(t, s, w.Organization.ID)
		if err := broken(head, all); err != nil {
			t.Error(err)
		}
		total += int64(len(all))
	}
	want := 0
	for i := range racers {
		want += raceTimes * (1 + i%3)
		if i%16 == 0 {
			want += raceTimes
		}
	}
	if total != int64(want) {
		t.Errorf("%d records, want %d", total, want)
	}
	return total
}

func prolongSome(tx *store.Tx, now time.Time, i int, a, b models.OrganizationID) error {
	for n := range 1 + i%3 {
		r := models.AuditRecord{At: now, Action: fmt.Sprint(i, n)}
		if err := tx.In(a).AppendAudit(&r); err != nil {
			return err
		}
	}
	if i%16 != 0 {
		return nil
	}
	return tx.In(b).AppendAudit(&models.AuditRecord{At: now})
}

func TestR30ARecordIsNeverChangedNorRemovedButByItsAge(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.open(t)
			w := storetest.Seed(t, s, "")
			in := func(fn func(in *store.Scope) error) error {
				return s.Update(t.Context(), func(tx *store.Tx) error {
					return fn(tx.In(w.Organization.ID))
				})
			}
			for range 5 {
				if err := in(func(in *store.Scope) error {
					return in.AppendAudit(&models.AuditRecord{At: w.Now, Action: "x"})
				}); err != nil {
					t.Fatal(err)
				}
			}
			_, all := chainOf(t, s, w.Organization.ID)
			if err := in(func(in *store.Scope) error {
				return in.AddAuditCheckpoint(&models.AuditCheckpoint{Number: 1, Sequence: 4,
					Hash: all[3].Hash, At: w.Now, Statement: "s"})
			}); err != nil {
				t.Fatal(err)
			}
			head, _ := chainOf(t, s, w.Organization.ID)
			refused := []string{"UPDATE audit_records SET action = 'y' WHERE sequence = 2",
				"UPDATE audit_records SET hash = '' WHERE sequence = 2",
				"DELETE FROM audit_records WHERE sequence = 5", "DELETE FROM audit_records",
				"INSERT INTO audit_records SELECT 'n', organization_id, at, actor_kind, actor_id, " +
					"actor_name, address, user_agent, action, target_kind, target_id, target_name, " +
					"cluster_id, before, after, tracking_id FROM audit_records WHERE sequence = 1",
				"UPDATE audit_heads SET sequence = 4", "DELETE FROM audit_heads",
				"UPDATE audit_checkpoints SET sequence = 3", "DELETE FROM audit_checkpoints",
				"TRUNCATE audit_records", "TRUNCATE audit_heads", "TRUNCATE audit_checkpoints"}
			for _, sql := range refused {
				_, err := s.Pools()[0].ExecContext(t.Context(), sql)
				if err == nil {
					t.Errorf("not refused: %s", sql)
				}
			}
			if now, _ := chainOf(t, s, w.Organization.ID); now != head {
				t.Errorf("the head has changed: %+v", now)
			}
			if err := in(func(in *store.Scope) error {
				_, err := in.PruneAudit(all[2], "")
				return err
			}); !errors.Is(err, store.ErrUnchanged) {
				t.Errorf("a cut without the hub's signature: %v", err)
			}
			if err := in(func(in *store.Scope) error {
				n, err := in.PruneAudit(all[2], "signed")
				if n != 3 {
					t.Errorf("%d records are gone, want 3", n)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if _, left := chainOf(t, s, w.Organization.ID); len(left) != 2 || left[0].Sequence != 4 {
				t.Errorf("left: %+v", left)
			}
		})
	}
}

func TestR30ARecordIsCommittedWithItsChangeOrNotAtAll(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.open(t)
			w := storetest.Seed(t, s, "")
			refused := errors.New("refused")
			for _, fails := range []bool{false, true, false} {
				err := s.Update(t.Context(), func(tx *store.Tx) error {
					err := tx.In(w.Organization.ID).AppendAudit(&models.AuditRecord{At: w.Now})
					if fails {
						return refused
					}
					return err
				})
				if fails != errors.Is(err, refused) {
					t.Errorf("%v", err)
				}
			}
			for what, r := range map[string]models.AuditRecord{
				"another's": {OrganizationID: "another", At: w.Now},
				"text":      {Action: strings.Repeat("a\xff", 2), At: w.Now},
			} {
				err := s.Update(t.Context(), func(tx *store.Tx) error {
					in := tx.In(w.Organization.ID)
					if err := in.SetChannel(w.Cluster.ID, "changed"); err != nil {
						return err
					}
					_ = in.AppendAudit(&r) // swallowed
					return nil
				})
				if err == nil {
					t.Errorf("committed without its record: %s", what)
				}
			}
			head, all := chainOf(t, s, w.Organization.ID)
			if err := broken(head, all); err != nil || len(all) != 2 {
				t.Errorf("%d records, %v", len(all), err)
			}
		})
	}
}
