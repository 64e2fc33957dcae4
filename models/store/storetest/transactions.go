package storetest

import (
	"context"
	"errors"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

const channel = "roster"

// instants are the pairs that a careless form of time gets wrong.
func instants(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	base := time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
	tokyo := time.FixedZone("JST", 9*3600)
	kept := []time.Time{base.Add(-time.Millisecond), base, base.Add(time.Microsecond).In(tokyo),
		base.Add(100 * time.Millisecond), base.Add(110 * time.Millisecond).In(tokyo),
		base.Add(time.Second - time.Microsecond), base.Add(time.Second), base.Add(9 * time.Hour)}
	for i, at := range kept {
		r := w.NewRegistration(models.FQDN("n"+strconv.Itoa(i)+".example.com"), strconv.Itoa(i))
		r.ExpiresAt = at
		must(t, w.in(s, func(in *store.Scope) error { return in.CreateRegistration(&r) }))
		got := w.registration(t, s, r.ID).ExpiresAt
		want(t, "instant", got, at.UTC())
		want(t, "zone", got.Location(), time.UTC)
	}
	for i, at := range kept {
		must(t, hub(s, func(h *store.Hub) error {
			late, err := h.ExpireRegistrations(at.In(tokyo))
			want(t, "late at "+strconv.Itoa(i), len(late), 1)
			return err
		}))
	}
}

// listen collects what one listener hears until the test ends.
func listen(t *testing.T, s *store.Store) <-chan string {
	t.Helper()
	heard := make(chan string, 64)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Listen(ctx, channel, func(payload string) { heard <- payload }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	want(t, "listening has begun", next(t, heard), "")
	return heard
}

func next(t *testing.T, heard <-chan string) string {
	t.Helper()
	select {
	case payload := <-heard:
		return payload
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was heard")
		return ""
	}
}

func notify(t *testing.T, s *store.Store) {
	heard := listen(t, s)
	refused := errors.New("refused")
	wantErr(t, s.Update(context.Background(), func(tx *store.Tx) error {
		return errors.Join(tx.Notify(channel, "never"), refused)
	}), refused)
	update(t, s, func(tx *store.Tx) error { return tx.Notify("other", "elsewhere") })
	update(t, s, func(tx *store.Tx) error {
		if err := tx.Notify(channel, "c1"); err != nil {
			return err
		}
		if len(heard) != 0 {
			t.Error("heard before the commit")
		}
		return nil
	})
	want(t, "after the commit", next(t, heard), "c1")
	for _, payload := range []string{"", strings.Repeat("x", 8000)} {
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			return tx.Notify(channel, payload)
		})
		want(t, "refused", err != nil, true)
	}
}

func notifyOrder(t *testing.T, s *store.Store) {
	one, two := listen(t, s), listen(t, s)
	for i := range 20 {
		update(t, s, func(tx *store.Tx) error { return tx.Notify(channel, strconv.Itoa(i)) })
	}
	for i := range 20 {
		want(t, "first listener", next(t, one), strconv.Itoa(i))
		want(t, "second listener", next(t, two), strconv.Itoa(i))
	}
}

func doomed(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	err := w.in(s, func(in *store.Scope) error {
		fine := NewCluster("Fine", "fine.example.com", w.Now)
		if err := in.CreateCluster(&fine); err != nil {
			return err
		}
		twin := NewCluster("Fine", "twin.example.com", w.Now)
		if err := in.CreateCluster(&twin); err == nil {
			t.Error("the twin was stored")
		}
		return nil // swallowed
	})
	wantDuplicate(t, err, store.LivingClusterName)
	must(t, w.in(s, func(in *store.Scope) error {
		all, err := in.Clusters("")
		want(t, "clusters", len(all), 1)
		return err
	}))
	must(t, w.in(s, func(in *store.Scope) error {
		// these two are answers, not failures
		if _, err := in.ClusterByID("nobody"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v", err)
		}
		if err := in.SetChannel("nobody", "x"); !errors.Is(err, store.ErrUnchanged) {
			t.Errorf("got %v", err)
		}
		return in.SetChannel(w.Cluster.ID, "kept")
	}))
	want(t, "kept", w.cluster(t, s).Channel, "kept")
}

func undone(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	refused := errors.New("refused")
	wantErr(t, w.in(s, func(in *store.Scope) error {
		return errors.Join(in.SetChannel(w.Cluster.ID, "x"), refused)
	}), refused)
	func() {
		defer func() { want(t, "panic", recover(), any("broken")) }()
		_ = w.in(s, func(in *store.Scope) error {
			_ = in.SetChannel(w.Cluster.ID, "x")
			panic("broken")
		})
	}()
	want(t, "unchanged", w.cluster(t, s).Channel, w.Cluster.Channel)
}

func viewWrites(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	err := s.View(context.Background(), func(tx *store.Tx) error {
		return tx.In(w.Organization.ID).SetChannel(w.Cluster.ID, "x")
	})
	want(t, "refused", err != nil && !errors.Is(err, store.ErrUnchanged), true)
	want(t, "unchanged", w.cluster(t, s).Channel, w.Cluster.Channel)
}

func viewSnapshot(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	view(t, s, func(tx *store.Tx) error {
		in := tx.In(w.Organization.ID)
		if _, err := in.ClusterByID(w.Cluster.ID); err != nil {
			return err
		}
		must(t, w.in(s, func(in *store.Scope) error { return in.SetChannel(w.Cluster.ID, "new") }))
		c, err := in.ClusterByID(w.Cluster.ID)
		want(t, "inside", c.Channel, w.Cluster.Channel)
		return err
	})
	want(t, "outside", w.cluster(t, s).Channel, "new")
}

func badText(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	for _, text := range []string{"a\x00b", "a\xffb"} {
		wantErr(t, w.in(s, func(in *store.Scope) error {
			return in.SetMaintenance(w.Publisher.ID, nil, text)
		}), store.ErrText)
	}
}

func identifiers(t *testing.T, s *store.Store) {
	ids := make([]string, 5000)
	for i := range ids {
		ids[i] = string(store.NewID[models.PermitID](s))
	}
	want(t, "sorted", sort.StringsAreSorted(ids), true)
	seen := make(map[string]bool)
	for _, id := range ids {
		seen[id] = true
	}
	want(t, "unique", len(seen), len(ids))
	want(t, "version and variant", ids[0][14] == '7' && strings.ContainsRune("89ab", rune(ids[0][19])), true)
}

func cancelled(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	ctx, cancel := context.WithCancel(context.Background())
	err := s.Update(ctx, func(tx *store.Tx) error {
		if err := tx.In(w.Organization.ID).SetChannel(w.Cluster.ID, "x"); err != nil {
			return err
		}
		cancel()
		return nil
	})
	want(t, "refused", err != nil, true)
	wantErr(t, s.Update(ctx, func(*store.Tx) error { return nil }), context.Canceled)
	want(t, "unchanged", w.cluster(t, s).Channel, w.Cluster.Channel)
}
