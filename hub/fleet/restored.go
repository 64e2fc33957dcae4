package fleet

import (
	"context"
	"fmt"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// Restored is what a restore from a backup did to a hub.
type Restored struct {
	Incarnation                               uint64
	Sessions, Registrations, Offers, Clusters int
	RecoveryCodes                             int
}

// Restore makes a database that comes from a backup safe to serve, in one transaction (R34): a new
// incarnation, above every one that a lost life can have had; no session, no ticket, no offer, and
// nothing that works once or was revoked since; and no permit for a cluster until all its members
// have polled. Hubs that serve it read everything again.
func Restore(ctx context.Context, s *store.Store, a models.Actor, now time.Time) (Restored, error) {
	now = now.UTC().Truncate(time.Microsecond)
	var done Restored
	err := s.Update(ctx, func(tx *store.Tx) error {
		state, err := tx.Hub().HubState()
		if err != nil {
			return err
		}
		// The clock keeps two restores of one backup apart.
		done = Restored{Incarnation: max(state.Incarnation+1, uint64(max(0, now.Unix())))}
		if err := tx.Hub().RaiseIncarnation(state.Incarnation, done.Incarnation); err != nil {
			return err
		}
		if err := void(tx.Hub(), &done, now); err != nil {
			return err
		}
		if err := recordRestore(tx, a, state.Incarnation, done, now); err != nil {
			return err
		}
		return tx.Notify(channelFleet, "restored")
	})
	if err != nil {
		return Restored{}, fmt.Errorf("cannot make the restored hub safe: %w", err)
	}
	return done, nil
}

func void(h *store.Hub, done *Restored, now time.Time) error {
	sessions, err := h.VoidSessions()
	if err != nil {
		return err
	}
	codes, err := h.VoidRecoveryCodes()
	if err != nil {
		return err
	}
	registrations, err := h.VoidRegistrations(now)
	if err != nil {
		return err
	}
	if err := h.VoidHeadless(now); err != nil {
		return err
	}
	if err := h.VoidCloudViews(); err != nil {
		return err
	}
	offers, err := h.WithdrawOffers(string(models.ReasonRestoredHub), now)
	if err != nil {
		return err
	}
	clusters, err := h.AllClusters()
	if err != nil {
		return err
	}
	done.Sessions, done.Registrations = int(sessions), int(registrations)
	done.RecoveryCodes = int(codes)
	done.Offers, done.Clusters = int(offers), len(clusters)
	return h.HoldAllClusters()
}

// recordRestore tells every organization in its own records: each lost what was since the backup.
func recordRestore(tx *store.Tx, a models.Actor, before uint64, done Restored, now time.Time) error {
	all, err := tx.Hub().Organizations()
	if err != nil {
		return err
	}
	for _, o := range all {
		record := a.Audit("", now, models.Change{Organization: o.ID, Action: "hub_restored",
			TargetKind: "hub", TargetID: "hub", TargetName: "hub", Before: before,
			After: done.Incarnation})
		if err := tx.In(o.ID).AppendAudit(&record); err != nil {
			return err
		}
	}
	return nil
}
