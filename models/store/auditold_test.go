package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
)

func TestR30RecordsFromBeforeTheChainAreChainedByMigrate(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s, err := store.Open(t.Context(), store.Options{DSN: d.empty(t), Now: storetest.Start})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			if err := s.MigrateTo(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
			old := seedOld(t, s)
			if err := s.CheckSchema(t.Context()); !errors.Is(err, store.ErrSchemaOld) {
				t.Errorf("an old form: %v", err)
			}
			if _, _, err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.CheckSchema(t.Context()); err != nil {
				t.Error(err)
			}
			for o, want := range old {
				head, all := chainOf(t, s, o)
				if err := broken(head, all); err != nil || len(all) != want || head.Unchained {
					t.Errorf("%s: %d of %d records, %+v, %v", o, len(all), want, head, err)
				}
				for i, r := range all {
					if r.Action != fmt.Sprintf("n%03d", i) {
						t.Fatalf("record %d is %s", i+1, r.Action)
					}
				}
				if err := s.Update(t.Context(), func(tx *store.Tx) error {
					return tx.In(o).AppendAudit(&models.AuditRecord{At: storetest.Start()})
				}); err != nil {
					t.Error(err)
				}
				if err := broken(chainOf(t, s, o)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// seedOld stores records in the form of the second migration, and answers how many of whom.
func seedOld(t *testing.T, s *store.Store) map[models.OrganizationID]int {
	t.Helper()
	old := map[models.OrganizationID]int{"one": 450, "two": 200, "three": 1, "none": 0}
	exec := func(sql string) {
		t.Helper()
		if _, err := s.Pools()[0].ExecContext(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for o := range old {
		exec(fmt.Sprintf("INSERT INTO organizations VALUES ('%s', '%s', '%s', 'UTC', 'en', false, "+
			"'2026-01-01 00:00:00.000000+00:00')", o, o, o))
	}
	for o, n := range old {
		var rows []string
		for i := range n {
			rows = append(rows, fmt.Sprintf("('%s-%03d', '%s', '2026-01-01 00:00:%02d.123456+00:00', "+
				"'user', 'u', 'Ü', '::1', 'agent', 'n%03d', 'k', 't', 'name', '', '', '{}', 't')",
				o, i, o, i%60, i))
		}
		if n > 0 {
			exec("INSERT INTO audit_records VALUES " + strings.Join(rows, ", "))
		}
	}
	return old
}
