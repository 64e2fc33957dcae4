package localweb

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"connecthub/models/wire"
	"connecthub/nodeclient/proxy"
)

const (
	// cookieName's prefix makes a browser keep it to this host, this path and TLS.
	cookieName = "__Host-node"
	sessionTTL = 20 * time.Minute
	maxSession = 64

	wrongBurst = 5
	wrongEvery = 12 * time.Second

	wrongBurstAll = 30
	wrongEveryAll = 2 * time.Second

	// quiet is how long a network has not been wrong that is looked at though others use up the budget.
	quiet = time.Hour

	maxRemotes  = 1024
	idLength    = 64
	formSubject = "form:"
)

// session is one signed-in administrator.
type session struct {
	ends       time.Time
	user       string
	credential string // with which it was begun
	ticket     string
	// until is when what was shown of the ticket expires; zero: nothing was shown, and nothing
	// can be allowed.
	until time.Time
	about wire.InspectResponse // what was shown
	// tested are the results of the self-test; nil: it has not run, and nothing can be allowed.
	tested []proxy.Result
}

// sessions are kept in memory only: a restart of the agent signs everybody out. A browser that is
// not signed in has a cookie too, which binds its form and is kept nowhere.
type sessions struct {
	key        []byte
	now        func() time.Time
	credential func() string

	mu   sync.Mutex
	byID map[string]session
}

func newSessions(key []byte, now func() time.Time, credential func() string) *sessions {
	return &sessions{key: key, now: now, credential: credential, byID: map[string]session{}}
}

func newID() string {
	id := make([]byte, idLength/2)
	// crypto/rand.Read never fails: it ends the program where the system has no randomness.
	_, _ = rand.Read(id)
	return hex.EncodeToString(id)
}

// begin signs in under a new id, so that one that was planted before is worth nothing.
func (s *sessions) begin(w http.ResponseWriter, user, ticket string) {
	id, credential := newID(), s.credential()
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
	s.byID[id] = session{ends: now.Add(sessionTTL), user: user, credential: credential,
		ticket: ticket}
	setCookie(w, id)
}

// of is the signed-in session of a request. It ends with its time, and with the password.
func (s *sessions) of(r *http.Request) (session, bool) {
	s.mu.Lock()
	one, ok := s.byID[cookieOf(r)]
	s.mu.Unlock()
	return one, ok && s.now().Before(one.ends) && one.credential == s.credential()
}

// shown notes what the session has just been shown, and how long it can be allowed.
func (s *sessions) shown(r *http.Request, about wire.InspectResponse, until time.Time) {
	s.change(r, func(one *session) { one.about, one.until = about, until })
}

// tested notes the results of the self-test.
func (s *sessions) tested(r *http.Request, results []proxy.Result) {
	s.change(r, func(one *session) { one.tested = results })
}

func (s *sessions) change(r *http.Request, what func(*session)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one, ok := s.byID[cookieOf(r)]; ok {
		what(&one)
		s.byID[cookieOf(r)] = one
	}
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
		HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

// attempts slows down whoever guesses passwords. Only wrong ones count, so that nobody is locked
// out by being right; and one is checked at a time, because each costs memory on purpose. All networks
// together have a budget of wrong ones. Where some have used it up, a network that has been right
// before, or not wrong for long, is looked at all the same: strangers lock out nobody but themselves. So
// an hour has room for as many guesses as the budget and one each of maxRemotes networks.
type attempts struct {
	now  func() time.Time
	turn chan struct{}

	// of whoever has the turn
	all   *rate.Limiter
	byNet map[netip.Prefix]*guesser
}

// guesser is what is known of one network.
type guesser struct {
	limit *rate.Limiter
	wrong time.Time // the last time
	right bool      // ever
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, turn: make(chan struct{}, 1),
		all:   rate.NewLimiter(rate.Every(wrongEveryAll), wrongBurstAll),
		byNet: map[netip.Prefix]*guesser{}}
}

// check answers whether the password was right, and whether it was looked at.
func (a *attempts) check(ctx context.Context, r *http.Request, right func() bool) (ok, looked bool) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return false, false
	}
	one, now := a.of(network(r)), a.now()
	if one == nil || one.limit.TokensAt(now) < 1 ||
		a.all.TokensAt(now) < 1 && !one.right && !one.quiet(now) {
		return false, false
	}
	if right() {
		one.right = true
		return true, true
	}
	one.wrong = a.now()
	one.limit.AllowN(one.wrong, 1)
	a.all.AllowN(one.wrong, 1)
	return false, true
}

func (g *guesser) quiet(now time.Time) bool {
	return g.wrong.IsZero() || now.Sub(g.wrong) >= quiet
}

// of is what is known of a network, or nil where too many others have guessed wrong lately.
func (a *attempts) of(from netip.Prefix) *guesser {
	if g, ok := a.byNet[from]; ok {
		return g
	}
	for _, also := range []bool{false, true} { // those that were right go last
		if len(a.byNet) < maxRemotes {
			break
		}
		for other, g := range a.byNet {
			if g.quiet(a.now()) && g.right == also {
				delete(a.byNet, other)
			}
		}
	}
	if len(a.byNet) >= maxRemotes {
		return nil
	}
	g := &guesser{limit: rate.NewLimiter(rate.Every(wrongEvery), wrongBurst)}
	a.byNet[from] = g
	return g
}

// network is whom wrong passwords are counted for: an address, or the /64 of an IPv6 one.
func network(r *http.Request) netip.Prefix {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	address, bits := at.Addr().Unmap().WithZone(""), 32
	if address.Is6() {
		bits = 64
	}
	p, _ := address.Prefix(bits) // cannot fail: the length fits the address
	return p
}
