package storetest

import (
	"fmt"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

func generations(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	raise := func(thumb string, g uint64, mark string) error {
		return w.in(s, func(in *store.Scope) error {
			return in.RaiseGeneration(w.Publisher.ID, thumb, store.Holding{Generation: g, Mark: mark},
				store.Proof{Incarnation: 1, At: w.Now})
		})
	}
	won := race(t, 16, func(i int) error { return raise("kp", 5, fmt.Sprint(i)) }, store.ErrUnchanged)
	want(t, "raised", won, 1)
	wantErr(t, raise("kp", 4, "m"), store.ErrUnchanged)
	wantErr(t, raise("ks", 6, "m"), store.ErrUnchanged)
	must(t, raise("kp", 9, "m"))
	n := w.node(t, s, w.Publisher.ID)
	want(t, "generation", n.Generation, uint64(9))
	want(t, "mark", n.GenerationMark, "m")
	must(t, w.in(s, func(in *store.Scope) error {
		return in.SetNodeKey(w.Publisher.ID, "kp", store.Joined{KeyThumb: "kq", PublicKey: "{}",
			At: w.Now, Member: models.MemberActive})
	}))
	want(t, "of another machine", w.node(t, s, w.Publisher.ID).Generation, uint64(0))
}

func rotations(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	rotate := func(was, next string) error {
		return w.in(s, func(in *store.Scope) error {
			return in.RotateNodeKey(w.Publisher.ID, store.Rotation{Old: was, New: next, PublicKey: "{}",
				Proof: store.Proof{Incarnation: 1, At: w.Now}})
		})
	}
	former := func(thumb string) (next string, was bool) {
		must(t, hub(s, func(h *store.Hub) error {
			var err error
			next, was, err = h.FormerKey(w.Publisher.ID, thumb)
			return err
		}))
		return next, was
	}
	won := race(t, 8, func(i int) error { return rotate("kp", fmt.Sprint("k", i)) }, store.ErrUnchanged)
	want(t, "rotated", won, 1)
	present := w.node(t, s, w.Publisher.ID).KeyThumb
	next, was := former("kp")
	want(t, "after the first", next, present)
	want(t, "it was one", was, true)
	_, was = former("unheard")
	want(t, "another was none", was, false)
	wantDuplicate(t, rotate(present, "ks"), store.NodeKey)
	must(t, w.in(s, func(in *store.Scope) error {
		return in.SetMember(w.Publisher.ID, models.MemberActive, models.MemberQuarantined)
	}))
	wantErr(t, rotate(present, "kz"), store.ErrUnchanged)
	must(t, hub(s, func(h *store.Hub) error { return h.PurgeRotatedKeys(w.Now.Add(time.Second)) }))
	_, was = former("kp")
	want(t, "long ago", was, false)
}

func revocations(t *testing.T, s *store.Store) {
	w := Seed(t, s, "")
	in := func(do func(h *store.Hub) error) { t.Helper(); must(t, hub(s, do)) }
	in(func(h *store.Hub) error { return h.RenewReplica("a") })
	in(func(h *store.Hub) error { return h.RenewReplica("b") })
	won := race(t, 8, func(int) error {
		return hub(s, func(h *store.Hub) error { return h.Revoke(w.Cluster.ID, w.Now) })
	}, store.ErrUnchanged)
	want(t, "revoked", won, 8)
	in(func(h *store.Hub) error {
		last, err := h.LastRevocation()
		want(t, "last", last, uint64(8))
		all, err1 := h.RevocationsAfter(5)
		want(t, "after the fifth", len(all), 3)
		want(t, "the next", all[0].Number, uint64(6))
		if err1 != nil {
			return err1
		}
		return err
	})
	behind := func(id string, number uint64, wanted int) {
		t.Helper()
		in(func(h *store.Hub) error {
			n, err := h.ReplicasBehind(id, number)
			want(t, "behind", n, wanted)
			return err
		})
	}
	behind("a", 8, 1)
	in(func(h *store.Hub) error { return h.AcknowledgeRevocations("b", 7) })
	behind("a", 8, 1)
	behind("a", 7, 0)
	in(func(h *store.Hub) error { return h.RenewReplica("b") })
	in(func(h *store.Hub) error { return h.AcknowledgeRevocations("b", 8) })
	behind("a", 8, 0)
	behind("b", 8, 1)
	in(func(h *store.Hub) error { return h.EndReplica("a") })
	behind("b", 8, 0)
	wantErr(t, hub(s, func(h *store.Hub) error { return h.AcknowledgeRevocations("a", 8) }),
		store.ErrUnchanged)
}
