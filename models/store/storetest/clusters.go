package storetest

import (
	"errors"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

func (w World) cluster(t testing.TB, s *store.Store) models.Cluster {
	t.Helper()
	var c models.Cluster
	must(t, w.in(s, func(in *store.Scope) (err error) {
		c, err = in.ClusterByID(w.Cluster.ID)
		return err
	}))
	return c
}

func (w World) create(s *store.Store, name string, fqdn models.FQDN) error {
	return w.in(s, func(in *store.Scope) error {
		c := NewCluster(name, fqdn, w.Now)
		return in.CreateCluster(&c)
	})
}

func clusterNames(t *testing.T, s *store.Store) {
	w, other := Seed(t, s, ""), Seed(t, s, "2")
	wantDuplicate(t, w.create(s, " TOKYO ", "x.example.com"), store.LivingClusterName)
	must(t, other.create(s, "Tokyo", "x.example.com"))
	must(t, w.in(s, func(in *store.Scope) error { return in.Deregister(w.Cluster.ID, w.Now) }))
	must(t, w.create(s, "Tokyo", "x.example.com"))
	must(t, w.in(s, func(in *store.Scope) error {
		found, err := in.LivingClusterByName("tokyo")
		want(t, "the living one", found != nil && found.FQDN == "x.example.com", true)
		return err
	}))
}

func clusterFQDNs(t *testing.T, s *store.Store) {
	w, other := Seed(t, s, ""), Seed(t, s, "2")
	fqdn := w.Cluster.FQDN
	want(t, "two tenants have the name", other.Cluster.FQDN, fqdn)
	wantDuplicate(t, w.create(s, "Another", fqdn), store.LivingClusterFQDN)
	must(t, w.in(s, func(in *store.Scope) error { return in.Deregister(w.Cluster.ID, w.Now) }))
	must(t, w.in(s, func(in *store.Scope) error {
		none, err := in.LivingClusterByFQDN(fqdn)
		want(t, "nothing living", none == nil, true)
		return err
	}))
	won := race(t, 16, func(i int) error { return w.create(s, "R"+string(rune('a'+i)), fqdn) },
		store.ErrDuplicate)
	want(t, "registrations of one name", won, 1)
}

func search(t *testing.T, s *store.Store) {
	w, other := Seed(t, s, ""), Seed(t, s, "2")
	for name, fqdn := range map[string]models.FQDN{"50% off_site!": "a.example.com",
		"Ōsaka \\ 東京": "b.example.com"} {
		must(t, w.create(s, name, fqdn))
	}
	for text, found := range map[string]int{"": 3, "tok": 1, "TOKYO": 1, "%": 1, "_": 1, "!": 1,
		"50% OFF_": 1, "東": 1, "ōs": 1, "\\": 1, "a.example": 0, "tokyo2": 0, "' OR 1=1 --": 0,
		"0) OR (organization_id <> ''": 0} {
		must(t, w.in(s, func(in *store.Scope) error {
			clusters, err := in.Clusters(text)
			want(t, "found for "+text, len(clusters), found)
			return err
		}))
	}
	must(t, other.in(s, func(in *store.Scope) error {
		clusters, err := in.Clusters("tok")
		want(t, "of the other", len(clusters) == 1 && clusters[0].ID == other.Cluster.ID, true)
		return err
	}))
}

func schedules(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	c := w.Cluster
	c.RegularTime, c.RegularDays, c.ScheduleVersion = "04:30", 1, 2
	c.DisplayName = "must not be written"
	save := func(int) error {
		return w.in(s, func(in *store.Scope) error { return in.SaveSchedules(c, 1) })
	}
	want(t, "saves over version 1", race(t, 8, save, store.ErrUnchanged), 1)
	got := w.cluster(t, s)
	want(t, "time", got.RegularTime, "04:30")
	want(t, "days", got.RegularDays, 1)
	want(t, "name", got.DisplayName, "Tokyo")
}

func postpone(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	start := w.Now.Add(time.Hour)
	post := func(start, now time.Time) error {
		return w.in(s, func(in *store.Scope) error { return in.Postpone(w.Cluster.ID, start, now) })
	}
	// nothing is pending: it is not spent, but only one window is skipped at a time
	must(t, post(start, w.Now))
	wantErr(t, post(start.Add(24*time.Hour), w.Now), store.ErrUnchanged)
	want(t, "not spent", w.cluster(t, s).PostponeSpent, false)
	must(t, post(start.Add(24*time.Hour), start.Add(time.Minute)))
	c := w.cluster(t, s)
	c.PendingSince, c.FirstChance, c.PostponedStart = &w.Now, &start, nil
	must(t, w.in(s, func(in *store.Scope) error { return in.SavePending(c) }))
	won := race(t, 16, func(int) error { return post(start, w.Now) }, store.ErrUnchanged)
	want(t, "postponements of one upgrade", won, 1)
	want(t, "spent", w.cluster(t, s).PostponeSpent, true)
	wantErr(t, post(start.Add(240*time.Hour), start.Add(200*time.Hour)), store.ErrUnchanged)
}

func takeBack(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	start := w.Now.Add(time.Hour)
	back := func(now time.Time) error {
		return w.in(s, func(in *store.Scope) error {
			return in.TakeBackPostponement(w.Cluster.ID, now)
		})
	}
	wantErr(t, back(w.Now), store.ErrUnchanged)
	must(t, w.in(s, func(in *store.Scope) error { return in.Postpone(w.Cluster.ID, start, w.Now) }))
	wantErr(t, back(start), store.ErrUnchanged)
	must(t, back(start.Add(-time.Microsecond)))
	wantErr(t, back(w.Now), store.ErrUnchanged)
	want(t, "nothing is skipped", w.cluster(t, s).PostponedStart == nil, true)
}

func clusterChanges(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	c := w.cluster(t, s)
	end := w.Now.Add(time.Hour)
	c.ExtraStart, c.ExtraEnd, c.ExtraKind = &w.Now, &end, models.Emergency
	must(t, w.in(s, func(in *store.Scope) error { return in.SaveExtraWindow(c) }))
	must(t, w.in(s, func(in *store.Scope) error { return in.SetDespite(c.ID, w.Publisher.ID) }))
	must(t, w.in(s, func(in *store.Scope) error { return in.SetChannel(c.ID, "early") }))
	got := w.cluster(t, s)
	want(t, "extra window", got.ExtraEnd.Equal(end) && got.ExtraKind == models.Emergency, true)
	want(t, "despite", got.DespiteNode, w.Publisher.ID)
	want(t, "channel", got.Channel, "early")
	c.ExtraStart, c.ExtraEnd, c.ExtraKind = nil, nil, ""
	must(t, w.in(s, func(in *store.Scope) error { return in.SaveExtraWindow(c) }))
	want(t, "no extra window", w.cluster(t, s).ExtraStart == nil, true)
}

func deregister(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	end := func(int) error {
		return w.in(s, func(in *store.Scope) error { return in.Deregister(w.Cluster.ID, w.Now) })
	}
	want(t, "deregistrations", race(t, 8, end, store.ErrUnchanged), 1)
	wantErr(t, w.in(s, func(in *store.Scope) error {
		_, err := in.LockCluster(w.Cluster.ID)
		return err
	}), store.ErrNotFound)
	want(t, "living", w.cluster(t, s).Living(), false)
	must(t, hub(s, func(h *store.Hub) error {
		ids, err := h.AllClusters()
		want(t, "living clusters", len(ids), 0)
		if err != nil {
			return err
		}
		// the node must still be told who it was (R6)
		n, err := h.NodeByKeyThumb("kp")
		want(t, "its node", n.ClusterID, w.Cluster.ID)
		return err
	}))
}

func fenceRace(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	fences := make([]models.Fence, 16)
	won := race(t, 16, func(i int) error {
		return w.in(s, func(in *store.Scope) error {
			c, err := in.LockCluster(w.Cluster.ID)
			if err == nil {
				fences[i], err = in.NextFence(c.ID, c.Fence(), 1)
			}
			if err != nil {
				// a caller that hides what failed is still begun again
				return errors.New("no fence")
			}
			return nil
		})
	})
	want(t, "callers that got one", won, 16)
	given := make(map[models.Fence]bool)
	for _, f := range fences {
		given[f] = true
	}
	want(t, "different fences", len(given), 16)
	want(t, "the highest", w.cluster(t, s).FenceCounter, 16)
	must(t, w.in(s, func(in *store.Scope) error {
		f, err := in.NextFence(w.Cluster.ID, models.Fence{Incarnation: 1, Counter: 16}, 2)
		want(t, "a new incarnation", f, models.Fence{Incarnation: 2, Counter: 1})
		return err
	}))
}

func adoptFence(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	adopt := func(was, seen models.Fence) error {
		return w.in(s, func(in *store.Scope) error { return in.AdoptFence(w.Cluster.ID, was, seen) })
	}
	high := models.Fence{Incarnation: 1, Counter: 9}
	must(t, adopt(w.Cluster.Fence(), high))
	wantErr(t, adopt(w.Cluster.Fence(), models.Fence{Incarnation: 1, Counter: 10}), store.ErrUnchanged)
	wantErr(t, adopt(high, models.Fence{Incarnation: 1, Counter: 8}), store.ErrUnchanged)
	wantErr(t, adopt(high, high), store.ErrUnchanged)
	want(t, "the highest", w.cluster(t, s).Fence(), high)
}

func loadCluster(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	p := w.NewPermit(models.Fence{Incarnation: 1, Counter: 1})
	must(t, w.in(s, func(in *store.Scope) error {
		gone := NewNode(w.Cluster.ID, models.Subscriber, "gone.example.com", "kg")
		gone.Member = models.MemberRemoved
		if err := in.CreateNode(&gone); err != nil {
			return err
		}
		return in.CreatePermit(&p)
	}))
	must(t, hub(s, func(h *store.Hub) error {
		draft := w.Release
		draft.ID, draft.Version, draft.State = "", "3.0.0", models.ReleaseDraft
		return h.CreateRelease(&draft)
	}))
	view(t, s, func(tx *store.Tx) error {
		rows, err := tx.In(w.Organization.ID).LoadCluster(w.Cluster.ID)
		want(t, "nodes", len(rows.Nodes), 2)
		want(t, "permit", rows.Permit != nil && rows.Permit.ID == p.ID, true)
		want(t, "rollout", rows.Rollout != nil && rows.Rollout.ID == w.Rollout.ID, true)
		want(t, "releases", len(rows.Releases), 1)
		return err
	})
}

func loadAll(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	must(t, w.in(s, func(in *store.Scope) error {
		p := w.NewPermit(models.Fence{Incarnation: 1, Counter: 1})
		if err := in.CreatePermit(&p); err != nil {
			return err
		}
		for i := range 1003 {
			name := "c" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
			c := NewCluster(name, models.FQDN(name+".example.com"), w.Now)
			if err := in.CreateCluster(&c); err != nil {
				return err
			}
			if i%2 == 0 {
				n := NewNode(c.ID, models.Publisher, c.FQDN, name)
				if err := in.CreateNode(&n); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	clusters, nodes, permits, rollouts := 0, 0, 0, 0
	view(t, s, func(tx *store.Tx) error {
		return tx.Hub().LoadAll(func(rows store.ClusterRows) error {
			clusters++
			nodes += len(rows.Nodes)
			for _, n := range rows.Nodes {
				want(t, "whose node", n.ClusterID, rows.Cluster.ID)
			}
			if rows.Permit != nil {
				permits++
			}
			if rows.Rollout != nil {
				rollouts++
			}
			return nil
		})
	})
	want(t, "clusters", clusters, 1004)
	want(t, "nodes", nodes, 504)
	want(t, "permits and rollouts", permits+rollouts, 2)
}
