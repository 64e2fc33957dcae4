package oidc

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What one address may begin: journeys are stored, and the hub may have to ask the provider.
const (
	beginBurst = 30
	beginEvery = 2 * time.Second
	maxKeys    = 10_000
)

// limiter bounds how often each key may do something, and its own memory.
type limiter struct {
	mu  sync.Mutex
	all map[string]*rate.Limiter
}

func newLimiter() *limiter { return &limiter{all: make(map[string]*rate.Limiter)} }

// take answers how long the key must wait; 0: it may, and did.
func (l *limiter) take(key string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.all[key]
	if one == nil {
		if len(l.all) >= maxKeys {
			l.forget(now)
		}
		one = rate.NewLimiter(rate.Every(beginEvery), beginBurst)
		l.all[key] = one
	}
	if one.AllowN(now, 1) {
		return 0
	}
	return beginEvery
}

// forget drops the keys that have their whole burst back, or else every key.
func (l *limiter) forget(now time.Time) {
	for key, one := range l.all {
		if one.TokensAt(now) >= beginBurst {
			delete(l.all, key)
		}
	}
	if len(l.all) >= maxKeys {
		clear(l.all)
	}
}
