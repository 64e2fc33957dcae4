package storetest

import (
	"reflect"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

func (w World) node(t testing.TB, s *store.Store, id models.NodeID) models.Node {
	t.Helper()
	var n models.Node
	must(t, w.in(s, func(in *store.Scope) (err error) {
		n, err = in.NodeByID(id)
		return err
	}))
	return n
}

func (w World) join(s *store.Store, name models.FQDN, key string) error {
	n := NewNode(w.Cluster.ID, models.Subscriber, name, key)
	return w.in(s, func(in *store.Scope) error { return in.CreateNode(&n) })
}

func nodeNames(t *testing.T, s *store.Store) {
	w, other := Seed(t, s, ""), Seed(t, s, "2")
	wantDuplicate(t, w.join(s, w.Subscriber.Name, "k"), store.MemberName)
	wantDuplicate(t, w.join(s, "new.example.com", w.Publisher.KeyThumb), store.NodeKey)
	wantDuplicate(t, other.join(s, "new.example.com", w.Publisher.KeyThumb), store.NodeKey)
	// members that are only expected have no key yet
	must(t, w.join(s, "one.example.com", ""))
	must(t, w.join(s, "two.example.com", ""))
	must(t, w.in(s, func(in *store.Scope) error {
		return in.SetMember(w.Subscriber.ID, models.MemberActive, models.MemberRemoved)
	}))
	must(t, w.join(s, w.Subscriber.Name, "k"))
	must(t, w.in(s, func(in *store.Scope) error {
		nodes, err := in.Nodes(w.Cluster.ID)
		want(t, "members", len(nodes), 4)
		if err != nil {
			return err
		}
		found, err := in.NodeByName(w.Cluster.ID, w.Subscriber.Name)
		want(t, "the new member", found != nil && found.KeyThumb == "k", true)
		return err
	}))
	wantErr(t, hub(s, func(h *store.Hub) error {
		_, err := h.NodeByKeyThumb("")
		return err
	}), store.ErrNotFound)
}

func foreignNode(t *testing.T, s *store.Store) {
	w, other := Seed(t, s, ""), Seed(t, s, "2")
	n := NewNode(other.Cluster.ID, models.Subscriber, "spy.example.com", "spy")
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.CreateNode(&n) }), store.ErrNotFound)
	n = NewNode(w.Cluster.ID, models.Subscriber, "spy.example.com", "spy")
	n.OrganizationID = other.Organization.ID
	wantErr(t, w.in(s, func(in *store.Scope) error { return in.CreateNode(&n) }), store.ErrUnscoped)
}

func nodeRoundTrip(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	later := w.Now.Add(time.Hour + time.Microsecond)
	n := models.Node{ClusterID: w.Cluster.ID, Name: "n.example.com", Role: models.Subscriber,
		Member: models.MemberQuarantined, KeyThumb: "k", PublicKey: `{"kty":"OKP"}`,
		JoinedAt: &later, Generation: 1 << 62, GenerationMark: "m",
		ProvedIncarnation: 1 << 62, ProvedAt: &later, Version: "1.2.3-4", ClientVersion: "9", Protocol: 1,
		Step: models.StepSoaking, StepPercent: 42, Health: models.Unhealthy, HealthDetail: "…漢字",
		BootID: "b", Counter: 1 << 62, SkewSeconds: -301, FactsDigest: "f",
		Facts: []models.Fact{{Name: "disk_bytes", Value: "1"}}, Denied: []models.Version{"2.0.0"},
		PackageNames: models.PackageSet("\x00\x01漢"), PackagesMore: true, PackagesDigest: "p", Orchestrating: true,
		AdoptedOdd: "0.9", JournalPermit: "p", HighestFence: models.Fence{Incarnation: 2, Counter: 7},
		SeenAt: &later, IntervalSeconds: 30, PolledSince: true, MaintenanceUntil: &later,
		MaintenanceReason: "disk", Verb: models.VerbHold, Reason: models.ReasonSoaking,
		Subject: "x", Earliest: &later, DecidedAt: &later}
	must(t, w.in(s, func(in *store.Scope) error { return in.CreateNode(&n) }))
	got := w.node(t, s, n.ID)
	if !reflect.DeepEqual(got, n) {
		t.Fatalf("got  %+v\nwant %+v", got, n)
	}
	want(t, "every field is tried", countZero(n), 0)
}

func countZero(row any) (zero int) {
	v := reflect.ValueOf(row)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			zero++
		}
	}
	return zero
}

func memberStates(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	move := func(int) error {
		return w.in(s, func(in *store.Scope) error {
			return in.SetMember(w.Subscriber.ID, models.MemberActive, models.MemberExcluded)
		})
	}
	want(t, "moves", race(t, 8, move, store.ErrUnchanged), 1)
	want(t, "member", w.node(t, s, w.Subscriber.ID).Member, models.MemberExcluded)
}

func nodeKeys(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	replace := func(was, key string) error {
		return w.in(s, func(in *store.Scope) error {
			return in.SetNodeKey(w.Subscriber.ID, was, store.Joined{KeyThumb: key, PublicKey: "{}",
				At: w.Now, Member: models.MemberActive})
		})
	}
	wantErr(t, replace("wrong", "new"), store.ErrUnchanged)
	wantDuplicate(t, replace("ks", "kp"), store.NodeKey)
	must(t, replace("ks", "new"))
	wantErr(t, replace("ks", "newer"), store.ErrUnchanged)
	wantErr(t, hub(s, func(h *store.Hub) error {
		_, err := h.NodeByKeyThumb("ks")
		return err
	}), store.ErrNotFound)
	must(t, hub(s, func(h *store.Hub) error {
		n, err := h.NodeByID(w.Subscriber.ID)
		want(t, "key", n.KeyThumb, "new")
		return err
	}))
}

func nodeChanges(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	id, until := w.Publisher.ID, w.Now.Add(4*time.Hour)
	told := w.Publisher
	told.Version, told.Step, told.Counter, told.SeenAt = "2.0.0", models.StepIdle, 0, &until
	told.HighestFence, told.Name = models.Fence{Incarnation: 1, Counter: 2}, "must.not.change"
	decided := w.Publisher
	decided.Verb, decided.Reason, decided.DecidedAt = models.VerbHold, models.ReasonPostponed, &until
	for _, change := range []func(in *store.Scope) error{
		func(in *store.Scope) error { return in.SaveNodeState(told) },
		func(in *store.Scope) error { return in.SaveDecision(decided) },
		func(in *store.Scope) error {
			return in.SaveFacts(id, "digest", []models.Fact{{Name: "a", Value: "1"}})
		},
		func(in *store.Scope) error { return in.SaveDenied(id, []models.Version{"3"}) },
		func(in *store.Scope) error { return in.SetAdopted(id, "0.9") },
		func(in *store.Scope) error { return in.SetMaintenance(id, &until, "disk") },
	} {
		must(t, w.in(s, change))
	}
	n := w.node(t, s, id)
	want(t, "name", n.Name, w.Publisher.Name)
	want(t, "told", n.Version == "2.0.0" && n.HighestFence.Counter == 2, true)
	want(t, "decided", n.Reason, models.ReasonPostponed)
	want(t, "facts", len(n.Facts) == 1 && n.FactsDigest == "digest", true)
	want(t, "denied", n.Denies("3"), true)
	want(t, "adopted", n.AdoptedOdd, "0.9")
	want(t, "maintenance", n.InMaintenance(w.Now), true)
	must(t, w.in(s, func(in *store.Scope) error { return in.SetMaintenance(id, nil, "") }))
	must(t, w.in(s, func(in *store.Scope) error { return in.SaveDenied(id, nil) }))
	n = w.node(t, s, id)
	want(t, "nothing is left", n.MaintenanceUntil == nil && !n.Denies("3"), true)
}

func seen(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	save := func(batch ...store.Seen) {
		must(t, hub(s, func(h *store.Hub) error { return h.SaveSeen(batch) }))
	}
	at := w.Now.Add(time.Minute)
	save()
	batch := []store.Seen{{Node: w.Publisher.ID, At: at, Counter: 7, IntervalSeconds: 300}}
	for range 1200 {
		batch = append(batch, store.Seen{Node: "nobody", At: at})
	}
	save(append(batch, store.Seen{Node: w.Subscriber.ID, At: at, Counter: 1, IntervalSeconds: 30})...)
	save(store.Seen{Node: w.Publisher.ID, At: at.Add(-time.Microsecond), Counter: 6})
	p, sub := w.node(t, s, w.Publisher.ID), w.node(t, s, w.Subscriber.ID)
	want(t, "seen at", *p.SeenAt, at)
	want(t, "counter", p.Counter, 7)
	want(t, "interval", p.IntervalSeconds, 300)
	want(t, "the last of the batch", *sub.SeenAt, at)
	save(store.Seen{Node: w.Publisher.ID, At: at.Add(time.Microsecond), Counter: 8})
	want(t, "later", w.node(t, s, w.Publisher.ID).Counter, 8)
}
