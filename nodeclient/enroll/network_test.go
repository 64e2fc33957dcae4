package enroll_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"connecthub/models/wire"
)

// network brings requests to one of the hub's processes, and spoils what it is told to: requests and
// answers are lost, come twice, or arrive when their sender has long given up.
type network struct {
	hubs []http.Handler

	mu      sync.Mutex
	next    map[string]fate // what happens to the next request to a path
	random  *rand.Rand      // nil: a good network
	at      int             // the process that answers at present
	late    []func()
	lost    int
	twice   int
	delayed int
	asked   int // how often the hub has asked again who holds a credential
}

// spoil makes the network a bad one; every run with a seed is the same but for its keys.
func (n *network) spoil(seed uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.random = rand.New(rand.NewPCG(seed, 1))
}

// mend lets everything through again, and brings what is still under way.
func (n *network) mend() {
	n.mu.Lock()
	late := n.late
	n.random, n.late = nil, nil
	n.mu.Unlock()
	for _, deliver := range late {
		deliver()
	}
}

type fate int

const (
	arrives fate = iota
	lostRequest
	lostAnswer
	comesTwice
	comesTwiceLastAnswered
	comesLate
)

// fated makes something happen to the next request to a path.
func (n *network) fated(path string, f fate) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next = map[string]fate{path: f}
}

// draw decides what happens to a request, and what arrives late before it.
func (n *network) draw(path string) (fate, []func(), int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if f, ok := n.next[path]; ok {
		delete(n.next, path)
		return f, nil, n.at
	}
	if n.random == nil {
		return arrives, nil, n.at
	}
	if n.random.IntN(40) == 0 {
		n.at = n.random.IntN(len(n.hubs))
	}
	var due []func()
	for i := 0; i < len(n.late); {
		if n.random.IntN(4) == 0 {
			due = append(due, n.late[i])
			n.late = append(n.late[:i], n.late[i+1:]...)
			continue
		}
		i++
	}
	f := arrives
	switch p := n.random.IntN(100); {
	case p < 8:
		f = lostRequest
		n.lost++
	case p < 20:
		f = lostAnswer
		n.lost++
	case p < 28:
		f = comesTwice
		n.twice++
	case p < 34:
		f = comesTwiceLastAnswered
		n.twice++
	case p < 46:
		f = comesLate
		n.delayed++
	}
	return f, due, n.at
}

func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	f, due, at := n.draw(r.URL.Path)
	for _, deliver := range due {
		deliver()
	}
	bring := func() *httptest.ResponseRecorder {
		again := r.Clone(context.WithoutCancel(r.Context()))
		again.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		n.hubs[at].ServeHTTP(answer, again)
		if strings.Contains(answer.Body.String(), wire.CodeStaleCredential) {
			n.mu.Lock()
			n.asked++
			n.mu.Unlock()
		}
		return answer
	}
	var answer *httptest.ResponseRecorder
	switch f {
	case arrives:
		answer = bring()
	case lostRequest:
	case lostAnswer:
		bring()
	case comesTwice:
		answer = bring()
		bring()
	case comesTwiceLastAnswered:
		bring()
		answer = bring()
	case comesLate:
		n.mu.Lock()
		n.late = append(n.late, func() { bring() })
		n.mu.Unlock()
	}
	if answer == nil {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}
