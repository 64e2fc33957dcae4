package remote

import (
	"context"
	"errors"
	"sync"
)

// Link is a way to one machine that lasts longer than a connection: it connects when it is needed, and
// anew after the connection was lost.
type Link struct {
	ctx    context.Context
	pins   *Pins
	target Target
	turn   chan struct{} // of connecting: one waits for it no longer than for an answer

	mu     sync.Mutex
	client *Client
}

// NewLink connects to nothing yet. The context bounds every connection.
func NewLink(ctx context.Context, pins *Pins, t Target) *Link {
	return &Link{ctx: ctx, pins: pins, target: t, turn: make(chan struct{}, 1)}
}

// Use calls do with a connection. One that turns out to be lost is not used again; do is not repeated.
func (l *Link) Use(ctx context.Context, do func(*Client) error) error {
	c, err := l.connection(ctx)
	if err != nil {
		return err
	}
	err = do(c)
	if errors.Is(err, ErrGone) || c.ctx.Err() != nil {
		l.drop(c)
	}
	return err
}

func (l *Link) connection(ctx context.Context) (*Client, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return nil, explain(ctx, ctx.Err(), ErrTimeout)
	}
	if c := l.live(); c != nil {
		return c, nil
	}
	c, err := dialFor(l.ctx, ctx, l.pins, l.target) //nolint:contextcheck // a connection outlives the call that needs it first
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client = c
	return c, nil
}

func (l *Link) live() *Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client == nil || l.client.ctx.Err() != nil {
		return nil
	}
	return l.client
}

func (l *Link) drop(c *Client) {
	l.mu.Lock()
	if l.client == c {
		l.client = nil
	}
	l.mu.Unlock()
	c.Close()
}

// Close ends the connection, if there is one.
func (l *Link) Close() {
	l.turn <- struct{}{} // a connection that is being made is closed, too
	defer func() { <-l.turn }()
	l.mu.Lock()
	c := l.client
	l.client = nil
	l.mu.Unlock()
	if c != nil {
		c.Close()
	}
}
