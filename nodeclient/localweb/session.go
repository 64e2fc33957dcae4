package localweb

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// cookieName's prefix makes a browser keep it to this host, this path and TLS.
	cookieName = "__Host-node"
	sessionTTL = 20 * time.Minute
	maxSession = 64

	wrongBurst  = 8
	wrongEvery  = 10 * time.Second
	maxRemotes  = 1024
	idLength    = 64
	formSubject = "form:"
)

// session is one signed-in administrator.
type session struct {
	ends   time.Time
	ticket string
}

// sessions are kept in memory only: a restart of the agent signs everybody out. A browser that is
// not signed in has a cookie too, which binds its form and is kept nowhere.
type sessions struct {
	key []byte
	now func() time.Time

	mu   sync.Mutex
	byID map[string]session
}

func newSessions(key []byte, now func() time.Time) *sessions {
	return &sessions{key: key, now: now, byID: map[string]session{}}
}

func newID() string {
	id := make([]byte, idLength/2)
	// crypto/rand.Read never fails: it ends the program where the system has no randomness.
	_, _ = rand.Read(id)
	return hex.EncodeToString(id)
}

// begin signs in under a new id, so that one that was planted before is worth nothing.
func (s *sessions) begin(w http.ResponseWriter, ticket string) {
	id := newID()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	oldest, first := "", true
	for other, one := range s.byID {
		if !now.Before(one.ends) {
			delete(s.byID, other)
			continue
		}
		if first || one.ends.Before(s.byID[oldest].ends) {
			oldest, first = other, false
		}
	}
	if len(s.byID) >= maxSession {
		delete(s.byID, oldest)
	}
	s.byID[id] = session{ends: now.Add(sessionTTL), ticket: ticket}
	setCookie(w, id)
}

// of is the signed-in session of a request.
func (s *sessions) of(r *http.Request) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.byID[cookieOf(r)]
	return one, ok && s.now().Before(one.ends)
}

func (s *sessions) end(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, cookieOf(r))
}

// formToken binds a form to the browser it is shown to; it gives the browser a cookie if need be.
func (s *sessions) formToken(w http.ResponseWriter, r *http.Request) string {
	id := cookieOf(r)
	if id == "" {
		id = newID()
		setCookie(w, id)
	}
	return s.tokenOf(id)
}

func (s *sessions) tokenOf(id string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(formSubject + id))
	return hex.EncodeToString(mac.Sum(nil))
}

func (s *sessions) goodForm(r *http.Request) bool {
	id := cookieOf(r)
	return id != "" && hmac.Equal([]byte(s.tokenOf(id)), []byte(r.PostFormValue("form")))
}

func cookieOf(r *http.Request) string {
	c, err := r.Cookie(cookieName)
	if err != nil || len(c.Value) != idLength {
		return ""
	}
	return c.Value
}

func setCookie(w http.ResponseWriter, id string) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: id, Path: "/", Secure: true,
		HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// attempts slows down whoever guesses passwords. Only wrong ones count, so that nobody is locked
// out by being right; and one is checked at a time, because each costs 19 MiB.
type attempts struct {
	now  func() time.Time
	turn chan struct{}

	mu       sync.Mutex
	byRemote map[string]*rate.Limiter
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, turn: make(chan struct{}, 1), byRemote: map[string]*rate.Limiter{}}
}

// check answers whether the password was right, and whether it was looked at.
func (a *attempts) check(ctx context.Context, r *http.Request, right func() bool) (ok, looked bool) {
	limiter := a.limiter(r)
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return false, false
	}
	if limiter.TokensAt(a.now()) < 1 {
		return false, false
	}
	if right() {
		return true, true
	}
	limiter.AllowN(a.now(), 1)
	return false, true
}

func (a *attempts) limiter(r *http.Request) *rate.Limiter {
	remote, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		remote = r.RemoteAddr
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if l, ok := a.byRemote[remote]; ok {
		return l
	}
	if len(a.byRemote) >= maxRemotes {
		clear(a.byRemote)
	}
	l := rate.NewLimiter(rate.Every(wrongEvery), wrongBurst)
	a.byRemote[remote] = l
	return l
}
