package store

import (
	"errors"
	"time"

	"gorm.io/gorm/clause"

	"connecthub/models"
)

// ChannelRevoked carries the cluster whose credentials, or one of them, were revoked.
const ChannelRevoked = "revoked"

// LeaseFor is how long a replica answers nodes without having told the database that it is there.
const LeaseFor = 5 * time.Second

// replica is one process that answers nodes. Its lease is by the database's clock.
type replica struct {
	ID         string `gorm:"primaryKey"`
	LeaseUntil time.Time
	Known      uint64
}

// TableName names its table.
func (replica) TableName() string { return "replicas" }

// Revocation is one that every replica must know.
type Revocation struct {
	Number    uint64 `gorm:"primaryKey"`
	ClusterID models.ClusterID
	At        time.Time
}

// TableName names its table.
func (Revocation) TableName() string { return "revocations" }

type revocationCount struct {
	ID    uint64 `gorm:"primaryKey"`
	Count uint64
}

// TableName names its table.
func (revocationCount) TableName() string { return "revocation_count" }

func (h *Hub) leaseEnd(seconds string) clause.Expr {
	if h.tx.store.dialect == SQLite {
		return clause.Expr{SQL: "strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now', '" + seconds + " seconds')"}
	}
	return clause.Expr{SQL: "clock_timestamp() + interval '" + seconds + " seconds'"}
}

// RenewReplica begins a replica's lease, or the next one, for LeaseFor from now by the database's
// clock. Known stays as it is.
func (h *Hub) RenewReplica(id string) error {
	v := values{"lease_until": h.leaseEnd("5")}
	err := setOne[replica](h.handle, v, is("id", id))
	if !errors.Is(err, ErrUnchanged) {
		return err
	}
	if err := create(h.handle, &replica{ID: id}); err != nil {
		return err
	}
	return setOne[replica](h.handle, v, is("id", id))
}

// EndReplica ends a replica's lease: nobody waits for it any more.
func (h *Hub) EndReplica(id string) error {
	_, err := remove[replica](h.handle, is("id", id))
	return err
}

// AcknowledgeRevocations says that a replica knows every revocation up to this one.
func (h *Hub) AcknowledgeRevocations(id string, known uint64) error {
	return setOne[replica](h.handle, values{"known": known}, is("id", id))
}

// ReplicasBehind counts the replicas that answer nodes, other than this one, and do not know a
// revocation yet.
func (h *Hub) ReplicasBehind(id string, number uint64) (int, error) {
	behind, err := list[replica](h.handle, nil, 0, isNot("id", id), before("known", number),
		after("lease_until", h.leaseEnd("0")))
	return len(behind), err
}

// PurgeReplicas forgets replicas that have been gone for an hour, and revocations of an hour ago: a
// replica that was away reads everything afresh.
func (h *Hub) PurgeReplicas(now time.Time) error {
	if _, err := remove[replica](h.handle, before("lease_until", h.leaseEnd("-3600"))); err != nil {
		return err
	}
	_, err := remove[Revocation](h.handle, before("at", now.Add(-time.Hour)))
	return err
}

// Revoke gives a revocation its number and tells the replicas when the transaction commits. Numbers
// are committed in their order.
func (h *Hub) Revoke(cluster models.ClusterID, now time.Time) error {
	err := setOne[revocationCount](h.handle, values{"count": clause.Expr{SQL: "count + 1"}}, is("id", 1))
	if err != nil {
		return err
	}
	number, err := h.LastRevocation()
	if err != nil {
		return err
	}
	err = create(h.handle, &Revocation{Number: number, ClusterID: cluster, At: now})
	if err != nil {
		return err
	}
	return h.tx.Notify(ChannelRevoked, string(cluster))
}

// LastRevocation is the number of the last one.
func (h *Hub) LastRevocation() (uint64, error) {
	row, err := take[revocationCount](h.handle, is("id", 1))
	return row.Count, err
}

// RevocationsAfter lists the revocations after a number, in their order.
func (h *Hub) RevocationsAfter(number uint64) ([]Revocation, error) {
	return list[Revocation](h.handle, by("number"), 0, after("number", number))
}
