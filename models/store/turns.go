package store

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"

	"connecthub/models"
)

// turns lets the transactions of this process that prolong the same chain of audit records, and
// were told by PostgreSQL to begin again because of each other, go one after the other. Nobody
// needs a turn at first: most are alone.
type turns struct {
	once  sync.Once
	seed  maphash.Seed
	turns [64]chan struct{} // an organization's by its hash
}

// take waits for the turn of each organization and answers how to leave.
func (t *turns) take(ctx context.Context, chains []models.OrganizationID) (leave func(), err error) {
	if len(chains) == 0 {
		return func() {}, nil
	}
	t.once.Do(func() {
		t.seed = maphash.MakeSeed()
		for i := range t.turns {
			t.turns[i] = make(chan struct{}, 1)
		}
	})
	var places []int
	for _, o := range chains {
		places = append(places, int(maphash.String(t.seed, string(o))%uint64(len(t.turns))))
	}
	slices.Sort(places)
	places = slices.Compact(places)
	for i, place := range places {
		select {
		case t.turns[place] <- struct{}{}:
		case <-ctx.Done():
			t.leave(places[:i])
			return nil, ctx.Err()
		}
	}
	return func() { t.leave(places) }, nil
}

func (t *turns) leave(places []int) {
	for _, place := range places {
		<-t.turns[place]
	}
}
