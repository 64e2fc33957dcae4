package store

import (
	"crypto/rand"

	"github.com/google/uuid"
)

// Maker makes identifiers: a Store or a Tx.
type Maker interface{ newID() string }

// NewID answers a fresh identifier of the wanted type: a UUID of version 7 by the store's clock.
// Those of one process sort in the order in which they were made.
func NewID[T ~string](m Maker) T { return T(m.newID()) }

func (t *Tx) newID() string { return t.store.newID() }

func (s *Store) newID() string {
	now := s.now()
	tick := now.UnixMilli()<<12 | int64(now.Nanosecond()%1e6)<<12/1e6
	for {
		last := s.lastID.Load()
		if tick <= last {
			tick = last + 1
		}
		if s.lastID.CompareAndSwap(last, tick) {
			break
		}
	}
	var id uuid.UUID
	// crypto/rand.Read never returns an error: it ends the program instead.
	_, _ = rand.Read(id[:])
	milli := tick >> 12
	for i := range 6 {
		id[i] = byte(milli >> (40 - 8*i))
	}
	id[6] = 0x70 | byte(tick>>8)&0x0f
	id[7] = byte(tick)
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}
