package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	maxPayload   = 7900 // PostgreSQL takes less than 8,000 bytes
	queueLength  = 1024
	listenRest   = 500 * time.Millisecond
	listenRestTo = 10 * time.Second
)

type message struct{ channel, payload string }

// exchange passes messages to the listeners of this process.
type exchange struct {
	mu    sync.Mutex
	heard map[*listener]struct{}
}

type listener struct {
	channel string
	queue   chan string
	missed  chan struct{} // holds one token while something was dropped
}

// Notify tells everybody who listens to the channel, when and only if the transaction commits. It
// is a hint that something changed; what is stored is the truth.
func (t *Tx) Notify(channel, payload string) error {
	if channel == "" || len(payload) > maxPayload || payload == "" {
		return fmt.Errorf("cannot notify %q: a payload has 1 to %d bytes", channel, maxPayload)
	}
	if t.store.dialect == SQLite {
		t.messages = append(t.messages, message{channel, payload})
		return nil
	}
	return t.tell(channel, payload)
}

func (t *Tx) tell(channel, payload string) error {
	var nothing []string
	return t.fail(t.raw().db.Raw("SELECT pg_notify(?, ?)::text", channel, payload).
		Scan(&nothing).Error)
}

// Listen calls heard with each payload of the channel, one at a time, until ctx ends; then it
// returns nil. An empty payload means that something may have been missed: it is sent once when
// listening has begun, after a lost connection, and when heard was too slow. SQLite's listeners
// hear only this process.
func (s *Store) Listen(ctx context.Context, channel string, heard func(payload string)) error {
	if s.dialect == SQLite {
		return s.exchange.listen(ctx, channel, heard)
	}
	rest := listenRest
	for {
		began, err := s.listenOnce(ctx, channel, heard)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the caller ended it
		}
		if began {
			rest = listenRest
		}
		s.log.WarnContext(ctx, "listening was interrupted", "channel", channel, "error", err)
		if pause(ctx, rest) != nil {
			return nil //nolint:nilerr // the caller ended it
		}
		rest = min(2*rest, listenRestTo)
	}
}

func (s *Store) listenOnce(ctx context.Context, channel string, heard func(string)) (bool, error) {
	config, err := postgresConfig(s.dsn)
	if err != nil {
		return false, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, fmt.Errorf("cannot connect: %w", err)
	}
	defer func() {
		// ctx may have ended already, and a goodbye is a courtesy
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(bye)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return false, fmt.Errorf("cannot listen: %w", err)
	}
	heard("")
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return true, errors.Join(err, ctx.Err())
		}
		heard(n.Payload)
	}
}

func (e *exchange) listen(ctx context.Context, channel string, heard func(string)) error {
	l := &listener{channel: channel, queue: make(chan string, queueLength),
		missed: make(chan struct{}, 1)}
	e.mu.Lock()
	if e.heard == nil {
		e.heard = make(map[*listener]struct{})
	}
	e.heard[l] = struct{}{}
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.heard, l)
		e.mu.Unlock()
	}()
	heard("")
	for {
		select {
		case <-ctx.Done():
			return nil
		case payload := <-l.queue:
			heard(payload)
		case <-l.missed:
			heard("")
		}
	}
}

// deliver never waits: whoever is behind is told that he missed something.
func (e *exchange) deliver(messages []message) {
	if len(messages) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for l := range e.heard {
		for _, m := range messages {
			if m.channel != l.channel {
				continue
			}
			select {
			case l.queue <- m.payload:
			default:
				select {
				case l.missed <- struct{}{}:
				default:
				}
			}
		}
	}
}
