package store

import (
	"strings"
	"time"

	"connecthub/models"
)

// seenBatch keeps a statement well under either database's limit of arguments.
const seenBatch = 500

// Seen is one poll that told nothing new.
type Seen struct {
	Node            models.NodeID
	At              time.Time
	Counter         uint64
	IntervalSeconds int
}

// SaveSeen moves "seen at" forward for many nodes, in one statement for each 500. A poll that is
// older than what is stored changes nothing.
func (h *Hub) SaveSeen(seen []Seen) error {
	for len(seen) > 0 {
		n := min(len(seen), seenBatch)
		if err := h.saveSeen(seen[:n]); err != nil {
			return err
		}
		seen = seen[n:]
	}
	return nil
}

func (h *Hub) saveSeen(seen []Seen) error {
	row := "(?,?,?,?)"
	if h.tx.store.dialect == PostgreSQL {
		row = "(?::text,?::timestamptz,?::bigint,?::bigint)"
	}
	args := make([]any, 0, 4*len(seen))
	for _, s := range seen {
		args = append(args, s.Node, s.At, s.Counter, s.IntervalSeconds)
	}
	// written SQL, because neither database's form of it can be said in gorm; every value is an
	// argument
	sql := "WITH seen (id, at, counter, pause) AS (VALUES " +
		strings.Repeat(row+",", len(seen)-1) + row + ") UPDATE nodes " +
		"SET seen_at = seen.at, counter = seen.counter, interval_seconds = seen.pause " +
		"FROM seen WHERE nodes.id = seen.id AND (nodes.seen_at IS NULL OR nodes.seen_at < seen.at)"
	return h.tx.fail(h.tx.raw().db.Exec(sql, args...).Error)
}
