package storetest

import (
	"fmt"
	"testing"
	"time"

	"connecthub/models/store"
)

// leaseRace lets 16 replicas want the same lease, from its first holder to its third.
func leaseRace(t *testing.T, s *store.Store) {
	const ttl = 15 * time.Second
	take := func(holder string, now time.Time) (fence uint64, err error) {
		err = hub(s, func(h *store.Hub) error {
			fence, err = h.TakeLease("jobs", holder, now, now.Add(ttl))
			return err
		})
		return fence, err
	}
	holder := ""
	for round := range 3 {
		now := Start().Add(time.Duration(round) * ttl)
		won := make(chan string, 16)
		n := race(t, 16, func(i int) error {
			name := fmt.Sprintf("replica-%d-%d", round, i)
			_, err := take(name, now)
			if err == nil {
				won <- name
			}
			return err
		}, store.ErrUnchanged)
		want(t, "holders", n, 1)
		holder = <-won
		fence, err := take(holder, now.Add(ttl-time.Microsecond))
		must(t, err)
		want(t, "the fence of a renewed lease", fence, uint64(round+1))
		_, err = take("late", now.Add(ttl))
		wantErr(t, err, store.ErrUnchanged) // it was renewed
		fence, err = take(holder, now)      // back to what the next round expects
		must(t, err)
		want(t, "the same fence", fence, uint64(round+1))
	}
	now := Start().Add(3*ttl - time.Second)
	must(t, hub(s, func(h *store.Hub) error { return h.EndLease("jobs", "nobody", now) }))
	_, err := take("next", now)
	wantErr(t, err, store.ErrUnchanged)
	must(t, hub(s, func(h *store.Hub) error { return h.EndLease("jobs", holder, now) }))
	fence, err := take("next", now)
	must(t, err)
	want(t, "the fence after an end", fence, uint64(4))
}
