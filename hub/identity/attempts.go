package identity

import (
	"sync"
	"time"
)

// allowance is how many attempts a key has at once, and after what time one comes back.
type allowance struct {
	burst int
	every time.Duration
}

// maxKeys bounds the memory that attempts can take.
const maxKeys = 10_000

// attempts counts failed attempts by key. A success gives its attempt back.
type attempts struct {
	allow allowance

	mu   sync.Mutex
	used map[string]*usage
}

type usage struct {
	tokens float64
	at     time.Time
}

func newAttempts(a allowance) *attempts {
	return &attempts{allow: a, used: make(map[string]*usage)}
}

// take uses one attempt of the key, or says after what time there will be one.
func (a *attempts) take(key string, now time.Time) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.used[key]
	if u == nil {
		if len(a.used) >= maxKeys {
			a.forget(now)
		}
		u = &usage{tokens: float64(a.allow.burst), at: now}
		a.used[key] = u
	}
	a.refill(u, now)
	if u.tokens < 1 {
		return time.Duration((1 - u.tokens) * float64(a.allow.every))
	}
	u.tokens--
	return 0
}

// giveBack undoes one take.
func (a *attempts) giveBack(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if u := a.used[key]; u != nil {
		u.tokens = min(float64(a.allow.burst), u.tokens+1)
	}
}

func (a *attempts) refill(u *usage, now time.Time) {
	if passed := now.Sub(u.at); passed > 0 {
		u.tokens = min(float64(a.allow.burst), u.tokens+float64(passed)/float64(a.allow.every))
		u.at = now
	}
}

// forget drops the keys that have all their attempts back, or else every key: whoever fills the
// table with keys gains attempts, but never memory.
func (a *attempts) forget(now time.Time) {
	for key, u := range a.used {
		if a.refill(u, now); u.tokens >= float64(a.allow.burst) {
			delete(a.used, key)
		}
	}
	if len(a.used) >= maxKeys {
		clear(a.used)
	}
}
