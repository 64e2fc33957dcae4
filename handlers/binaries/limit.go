package binaries

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"connecthub/models"
)

// How many credentials of one address may be refused: guessing 256 bits is hopeless, so that this
// only keeps the database from the work.
const (
	refusedBurst = 60
	refusedEvery = time.Second
	maxKeys      = 10_000
)

// limiter bounds how many refused credentials an address may have, and its own memory.
type limiter struct {
	mu  sync.Mutex
	all map[string]*rate.Limiter
}

func newLimiter() *limiter { return &limiter{all: make(map[string]*rate.Limiter)} }

// wait answers how long an address must wait; 0: it may.
func (l *limiter) wait(address string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one := l.all[address]; one != nil && one.TokensAt(now) < 1 {
		return refusedEvery
	}
	return 0
}

// heed counts the refusal of a credential that is none.
func (l *limiter) heed(address string, now time.Time, err error) {
	var refusal *models.Refusal
	if !errors.As(err, &refusal) || refusal.Code != "invalid_download_credential" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.all[address]
	if one == nil {
		if len(l.all) >= maxKeys {
			l.forget(now)
		}
		one = rate.NewLimiter(rate.Every(refusedEvery), refusedBurst)
		l.all[address] = one
	}
	one.AllowN(now, 1)
}

// forget drops the addresses that have their whole burst back, or else every one.
func (l *limiter) forget(now time.Time) {
	for address, one := range l.all {
		if one.TokensAt(now) >= refusedBurst {
			delete(l.all, address)
		}
	}
	if len(l.all) >= maxKeys {
		clear(l.all)
	}
}
