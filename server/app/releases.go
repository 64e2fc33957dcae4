package app

import (
	"context"
	"fmt"
	"sync"

	"connecthub/models"
	"connecthub/models/store"
)

// releaseWatch hears of releases that another process has changed in the default database: there,
// the store's own news reaches only the process that made them, and "server release publish" is
// another one.
type releaseWatch struct {
	store *store.Store

	mu   sync.Mutex
	seen map[models.ReleaseID]models.ReleaseState // nil before the first look
}

// look tells the whole process of each release that is not as it was at the last look.
func (w *releaseWatch) look(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := make(map[models.ReleaseID]models.ReleaseState)
	err := w.store.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Hub().Releases("")
		for _, r := range all {
			now[r.ID] = r.State
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot look at the releases: %w", err)
	}
	for id, state := range now {
		if w.seen == nil || w.seen[id] == state {
			continue
		}
		err := w.store.Update(ctx, func(tx *store.Tx) error {
			return tx.Notify(store.ChannelReleases, string(id))
		})
		if err != nil {
			return fmt.Errorf("cannot tell of a release: %w", err)
		}
	}
	w.seen = now
	return nil
}
