package store_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
)

// TestR30TheChainCostsLittleOfAChange compares, in one run, changes whose record gets its place in a
// chain with the same changes whose record is only stored.
func TestR30TheChainCostsLittleOfAChange(t *testing.T) {
	rounds, times := 5, 40
	if os.Getenv("LONG") == "1" {
		rounds, times = 15, 200
	}
	costs := make(map[string]string)
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			s := d.open(t)
			w := storetest.Seed(t, s, "")
			for _, sql := range []string{
				"CREATE TABLE audit_plain AS SELECT * FROM audit_records",
				"CREATE UNIQUE INDEX audit_plain_id ON audit_plain (id)",
				"CREATE INDEX audit_plain_of_organization ON audit_plain (organization_id, id)",
				"CREATE INDEX audit_plain_of_cluster ON audit_plain (cluster_id, id)",
			} {
				if _, err := s.Pools()[0].ExecContext(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			round := func(record func(in *store.Scope, r models.AuditRecord) error) time.Duration {
				began := time.Now()
				for i := range times {
					err := s.Update(t.Context(), func(tx *store.Tx) error {
						in := tx.In(w.Organization.ID)
						if err := in.SetChannel(w.Cluster.ID, fmt.Sprint(i)); err != nil {
							return err
						}
						return record(in, models.AuditRecord{At: w.Now, Action: "schedules_saved",
							ClusterID: w.Cluster.ID, ActorName: "Ada", TargetName: "Tokyo",
							Before: `{"time":"03:00"}`, After: `{"time":"04:00"}`})
					})
					if err != nil {
						t.Fatal(err)
					}
				}
				return time.Since(began)
			}
			plain := func(in *store.Scope, r models.AuditRecord) error { return in.AppendPlain(r) }
			chained := func(in *store.Scope, r models.AuditRecord) error { return in.AppendAudit(&r) }
			round(plain)
			round(chained) // both are warm
			var ratios []float64
			var last time.Duration
			for range rounds {
				before := round(plain)
				last = round(chained)
				ratios = append(ratios, float64(last)/float64(before))
			}
			slices.Sort(ratios)
			ratio := ratios[len(ratios)/2]
			costs[d.name] = fmt.Sprintf("%s_ratio=%.2f %s_us=%d", d.name, ratio, d.name,
				last.Microseconds()/int64(times))
			if ratio > 10 {
				t.Errorf("a change with its place in the chain takes %.1f times as long", ratio)
			}
		})
	}
	if len(costs) == 2 && !t.Failed() {
		fmt.Printf("proof 3.8-audit-cost changes=%d %s %s\n", rounds*times, costs["sqlite"],
			costs["postgres"])
	}
}
