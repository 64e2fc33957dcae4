package handlers

import (
	"context"
	"sync"
	"time"
)

// limited is a request's context with an end. It begins to watch the clock when somebody asks for
// the first time: most requests are answered before anybody has to wait.
type limited struct {
	context.Context // the request's own, without the end
	now             func() time.Time
	end             time.Time
	over            context.Context // one that has ended

	once    sync.Once
	watched context.Context
	cancel  context.CancelFunc
}

func (l *limited) watch() context.Context {
	l.once.Do(func() {
		l.watched, l.cancel = context.WithTimeout(l.Context, l.end.Sub(l.now()))
	})
	return l.watched
}

// stop ends the context with its request. Who asks only later learns that it has ended.
func (l *limited) stop() {
	l.once.Do(func() { l.watched, l.cancel = l.over, func() {} })
	l.cancel()
}

func (l *limited) Deadline() (time.Time, bool) { return l.watch().Deadline() }
func (l *limited) Done() <-chan struct{}       { return l.watch().Done() }
func (l *limited) Err() error                  { return l.watch().Err() }
func (l *limited) Value(key any) any           { return l.watch().Value(key) }
