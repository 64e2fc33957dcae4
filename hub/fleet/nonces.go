package fleet

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"sync/atomic"
	"time"

	"connecthub/models"
)

// NonceFor is how long a nonce is given out; it counts for as long again. It is more than the longest
// pause between two polls, so that an idle node needs no second request.
const NonceFor = 6 * time.Minute

const (
	// maxSpent bounds the memory of used proofs. Whoever fills it only makes the nonce change early.
	maxSpent = 500_000
	// maxChallenges bounds what is asked of copied credentials; nobody without one gets any.
	maxChallenges = 4096
	spentShards   = 16
	minProofID    = 8
)

// spentID is a used proof or assertion: who signed it and its jti, hashed.
type spentID [16]byte

// nonces are what proofs and assertions must bear, and which of them were used. They live in this
// process alone and are drawn, never derived: no other replica and no later start of this one knows
// them, so what was used here counts nowhere else, and a list in memory is a whole one.
type nonces struct {
	mu   sync.Mutex // held to change now
	now  atomic.Pointer[noncePair]
	full atomic.Int64 // for tests: spent ids at which a nonce is full; 0 is maxSpent
}

type noncePair struct{ current, previous *noncePeriod }

// noncePeriod is one nonce with everything that used it.
type noncePeriod struct {
	nonce  string
	header []string // as an answer carries it, never changed
	since  time.Time
	spent  atomic.Int64
	shards [spentShards]struct {
		mu   sync.Mutex
		seen map[spentID]struct{}
	}
	mu         sync.Mutex
	challenges map[string]challenge
}

// challenge is a nonce for one holder of one credential: a signature over it was made after what the
// hub knew when it asked.
type challenge struct {
	node  models.NodeID
	thumb string
}

func newPeriod(now time.Time) *noncePeriod {
	nonce := randomNonce()
	return &noncePeriod{nonce: nonce, header: []string{nonce}, since: now}
}

func randomNonce() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(raw)
}

// at are the nonces that count at a time.
func (n *nonces) at(now time.Time) *noncePair {
	if p := n.now.Load(); p != nil && !n.over(p.current, now) {
		return p
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.now.Load()
	switch {
	case p == nil || now.Sub(p.current.since) >= 2*NonceFor:
		p = &noncePair{current: newPeriod(now)}
	case n.over(p.current, now):
		p = &noncePair{current: newPeriod(now), previous: p.current}
	default:
		return p
	}
	n.now.Store(p)
	return p
}

func (n *nonces) over(g *noncePeriod, now time.Time) bool {
	limit := n.full.Load()
	if limit == 0 {
		limit = maxSpent
	}
	age := now.Sub(g.since)
	return age >= NonceFor || age < 0 || g.spent.Load() >= limit
}

// find is the noncePeriod whose nonce it is, or nil: then it is stale, or of another replica.
func (p *noncePair) find(nonce string) *noncePeriod {
	switch {
	case nonce == p.current.nonce:
		return p.current
	case p.previous != nil && nonce == p.previous.nonce:
		return p.previous
	}
	return nil
}

// spend uses an id up; false: it was used before.
func (g *noncePeriod) spend(id spentID) bool {
	s := &g.shards[id[0]%spentShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, used := s.seen[id]; used {
		return false
	}
	if s.seen == nil {
		s.seen = map[spentID]struct{}{}
	}
	s.seen[id] = struct{}{}
	g.spent.Add(1)
	return true
}

// spentIDOf hashes who signed and the jti.
func spentIDOf(kind, signer, jti string) spentID {
	var text [256]byte
	b := append(text[:0], kind...)
	b = append(append(b, 0), signer...)
	b = append(append(b, 0), jti...)
	sum := sha256.Sum256(b)
	return spentID(sum[:16])
}

// ask makes a challenge, or answers an empty one where too many are open.
func (p *noncePair) ask(c challenge) string {
	g := p.current
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.challenges) >= maxChallenges {
		return ""
	}
	if g.challenges == nil {
		g.challenges = map[string]challenge{}
	}
	nonce := randomNonce()
	g.challenges[nonce] = c
	return nonce
}

// asked uses a challenge up: it says whether the nonce was one for this holder.
func (p *noncePair) asked(nonce string, c challenge) bool {
	for _, g := range []*noncePeriod{p.current, p.previous} {
		if g == nil {
			continue
		}
		g.mu.Lock()
		was, ok := g.challenges[nonce]
		if ok {
			delete(g.challenges, nonce)
		}
		g.mu.Unlock()
		if ok {
			return was == c
		}
	}
	return false
}

// Nonce is what an answer's DPoP-Nonce header carries now; the value is shared and never changed.
func (f *Fleet) Nonce() []string { return f.nonces.at(f.o.Now()).current.header }
