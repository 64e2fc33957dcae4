package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

const (
	renewEvery = time.Second
	// serveFor is less than the lease that the database counts, so that a replica stops by its own
	// clock before anybody stops waiting for it.
	serveFor = store.LeaseFor - 500*time.Millisecond
	wallBack = 2 * time.Second
	// ackWithin is more than the longest lease: after it only a failing database can be in the way.
	ackWithin  = store.LeaseFor + 3*time.Second
	ackRest    = 2 * time.Millisecond
	ackRestTo  = 50 * time.Millisecond
	retryLease = time.Second
)

// membership is this process's place among the replicas: while it holds its lease, whoever revokes a
// credential waits for its word; without it, it answers no node (R6).
type membership struct {
	leased atomic.Pointer[time.Time] // when the lease that holds was asked for, with the monotonic clock
	known  uint64                    // the last revocation that the roster has; the loop's alone
	wake   chan struct{}             // something was revoked
}

// Serving refuses where this replica does not hold its lease: a revocation may not have reached it.
// Both clocks are asked: the monotonic one stands still while a machine is suspended.
func (f *Fleet) Serving() error {
	if !f.o.Replicated {
		return nil
	}
	if since := f.member.leased.Load(); since != nil {
		now := f.o.Now()
		mono, wall := now.Sub(*since), now.Round(0).Sub(since.Round(0))
		if mono >= 0 && mono < serveFor && wall >= -wallBack && wall < serveFor {
			return nil
		}
	}
	return &models.Refusal{Kind: models.KindUnavailable, Code: "unavailable", RetryAfter: retryLease}
}

// Start makes this process ready to answer nodes: it takes its place among the replicas, where there
// may be others, and loads the roster.
func (f *Fleet) Start(ctx context.Context) error {
	if !f.o.Replicated {
		return f.Load(ctx)
	}
	return f.renewLease(ctx)
}

// Leave lets nobody wait for this process any more.
func (f *Fleet) Leave(ctx context.Context) error {
	if !f.o.Replicated {
		return nil
	}
	f.member.leased.Store(nil)
	err := f.o.Store.Update(ctx, func(tx *store.Tx) error { return tx.Hub().EndReplica(f.replica) })
	if err != nil {
		return fmt.Errorf("cannot end the replica's lease: %w", err)
	}
	return nil
}

// keepLease renews the lease and takes revocations in until ctx ends. Without the database the lease
// lapses, and the nodes are answered elsewhere.
func (f *Fleet) keepLease(ctx context.Context) {
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			err = f.renewLease(ctx)
		case <-f.member.wake:
			if f.Serving() == nil {
				err = f.catchUp(ctx)
			}
		}
		if err != nil && ctx.Err() == nil {
			f.o.Log.Error("cannot keep the lease of this replica", "error", err)
		}
	}
}

// revokedNews has the revocations read soon.
func (f *Fleet) revokedNews() {
	select {
	case f.member.wake <- struct{}{}:
	default: // it will be read with what is waited for already
	}
}

// renewLease renews first and reads then: who revokes after the renewal waits for this replica, and
// what was revoked before it is read now.
func (f *Fleet) renewLease(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	away := f.Serving() != nil
	since := f.o.Now()
	err := f.o.Store.Update(ctx, func(tx *store.Tx) error { return tx.Hub().RenewReplica(f.replica) })
	if err != nil {
		return fmt.Errorf("cannot renew the replica's lease: %w", err)
	}
	if away {
		err = f.catchUpWhole(ctx)
	} else {
		err = f.catchUp(ctx)
	}
	if err != nil {
		return err
	}
	f.member.leased.Store(&since)
	return nil
}

// catchUpWhole is for a replica that was away: it reads everything afresh.
func (f *Fleet) catchUpWhole(ctx context.Context) error {
	var last uint64
	err := f.o.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		last, err = tx.Hub().LastRevocation()
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot read the revocations: %w", err)
	}
	if err := f.Load(ctx); err != nil {
		return err
	}
	return f.acknowledge(ctx, last)
}

// catchUp takes in what was revoked since the last time, and says so.
func (f *Fleet) catchUp(ctx context.Context) error {
	var news []store.Revocation
	err := f.o.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		news, err = tx.Hub().RevocationsAfter(f.member.known)
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot read the revocations: %w", err)
	}
	if len(news) == 0 {
		return nil
	}
	read := map[models.ClusterID]bool{}
	for _, r := range news {
		if read[r.ClusterID] {
			continue
		}
		read[r.ClusterID] = true
		if err := f.reload(ctx, r.ClusterID); err != nil {
			return err
		}
	}
	return f.acknowledge(ctx, news[len(news)-1].Number)
}

func (f *Fleet) acknowledge(ctx context.Context, number uint64) error {
	err := f.o.Store.Update(ctx, func(tx *store.Tx) error {
		return tx.Hub().AcknowledgeRevocations(f.replica, number)
	})
	if err != nil {
		return fmt.Errorf("cannot acknowledge a revocation: %w", err)
	}
	f.member.known = number
	return nil
}

// revoke counts a revocation in the transaction that makes it.
func (f *Fleet) revoke(tx *store.Tx, cluster models.ClusterID) error {
	if !f.o.Replicated {
		return nil
	}
	return tx.Hub().Revoke(cluster, f.now())
}

// everywhere returns when every replica knows what was revoked, or has lost its lease: no request of
// the node that begins afterwards succeeds anywhere (R6). What is committed is committed: a caller
// who is gone changes nothing about who must know.
func (f *Fleet) everywhere(ctx context.Context) error {
	if !f.o.Replicated {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackWithin)
	defer cancel()
	return f.acknowledged(ctx)
}

// acknowledged waits until no replica that answers nodes is behind.
func (f *Fleet) acknowledged(ctx context.Context) error {
	rest, last := ackRest, uint64(0)
	for {
		behind := 0
		err := f.o.Store.View(ctx, func(tx *store.Tx) error {
			var err error
			if last == 0 {
				if last, err = tx.Hub().LastRevocation(); err != nil {
					return err
				}
			}
			behind, err = tx.Hub().ReplicasBehind(f.replica, last)
			return err
		})
		if err == nil && behind == 0 {
			return nil
		}
		timer := time.NewTimer(rest)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("cannot learn whether every replica knows: %w", errors.Join(err, ctx.Err()))
		case <-timer.C:
		}
		rest = min(2*rest, ackRestTo)
	}
}
