package localweb

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/proxy"
)

// test is the self-test as a page shows it: before it has run, its steps without results.
type test struct {
	Steps  []probed
	Tested bool
	Passed bool
}

func testOf(one session, language string) test {
	if one.tested != nil {
		return test{Steps: probedOf(one.tested, language), Tested: true,
			Passed: proxy.Passed(one.tested)}
	}
	var t test
	for _, step := range proxy.Steps() {
		t.Steps = append(t.Steps, probed{Name: proxy.Result{Step: step}.Name(language)})
	}
	return t
}

// by is who decides, for the node's record.
func by(r *http.Request, one session) enroll.By {
	return enroll.By{User: one.user, Address: strings.Trim(hostOnly(r.RemoteAddr), "[]")}
}

func hostOnly(address string) string {
	if i := strings.LastIndexByte(address, ':'); i > 0 {
		return address[:i]
	}
	return address
}

// selfTest answers POST /register/test: it asks the hub by the way out that is set, as the claim
// will. The page's script wants a line of JSON for each step as soon as it is known, and one for all
// of them at last; without a script the results come with the page.
func (s *Server) selfTest(w http.ResponseWriter, r *http.Request) {
	t := wordsOf(language(r))
	one, ok := s.sessions.of(r)
	if !ok || one.ticket == "" {
		http.Redirect(w, r, "/register", http.StatusSeeOther)
		return
	}
	if !s.sessions.goodForm(r) {
		s.showAccess(w, r, http.StatusForbidden, t.StaleForm)
		return
	}
	settings, err := s.o.Proxy.Load()
	if err != nil {
		s.o.Log.Error("cannot read the proxy's setting", "error", err)
		s.message(w, r, http.StatusInternalServerError, proxyWordsOf(language(r)).Unreadable, "")
		return
	}
	live := strings.Contains(r.Header.Get("Accept"), streamed)
	tell := func(proxy.Result) {}
	if live {
		tell = func(result proxy.Result) {
			s.line(w, probedOf([]proxy.Result{result}, language(r))[0])
		}
	}
	results, err := s.probe(context.WithoutCancel(r.Context()), settings, tell)
	if err != nil {
		s.showAccess(w, r, http.StatusServiceUnavailable, proxyWordsOf(language(r)).Busy)
		return
	}
	if results == nil {
		results = []proxy.Result{}
	}
	s.sessions.tested(r, results)
	if !live {
		http.Redirect(w, r, "/register/access", http.StatusSeeOther)
		return
	}
	one.tested = results
	s.line(w, testOf(one, language(r)))
}

// streamed is a line of JSON for each thing that is said.
const streamed = "application/x-ndjson"

// line says one thing at once. That nobody listens any more does not end the test: its results are
// the session's.
func (s *Server) line(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", streamed)
	err := json.NewEncoder(w).Encode(v)
	if err == nil {
		err = http.NewResponseController(w).Flush()
	}
	if err != nil {
		s.o.Log.Debug("cannot tell of the self-test", "error", err)
	}
}

// inspectFailed shows a refusal as its sentence. Where the hub was not reached, the self-test is there
// to find out why.
func (s *Server) inspectFailed(w http.ResponseWriter, r *http.Request, page access, err error) {
	var spoken interface{ Sentence(language string) string }
	problem := page.T.Unreachable
	if errors.As(err, &spoken) {
		if spoken.Sentence(page.Language) != "" {
			s.refused(w, r, err)
			return
		}
		problem = page.T.StrangeAnswer
	}
	s.o.Log.Warn("cannot ask the hub about a registration", "error", err)
	page.Problem = problem
	s.render(w, r, http.StatusBadGateway, "blocked", page)
}
