package localweb

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"connecthub/nodeclient/proxy"
)

// ProxyOptions are the node's way out; all are needed.
type ProxyOptions struct {
	Load func() (proxy.Settings, error)
	Save func(proxy.Settings) error
	// Probe tells each result as soon as it is known.
	Probe func(context.Context, proxy.Settings, func(proxy.Result)) []proxy.Result
}

// draft is what was tested last, so that a password need not be typed again to store it. It is one
// browser's, and lives in memory only.
type draft struct {
	mu       sync.Mutex
	browser  string
	settings proxy.Settings
}

func (d *draft) keep(browser string, s proxy.Settings) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.browser, d.settings = browser, s
}

func (d *draft) of(browser string) proxy.Settings {
	d.mu.Lock()
	defer d.mu.Unlock()
	if browser == "" || d.browser != browser {
		return proxy.Settings{}
	}
	return d.settings
}

// wayOut is the page's state for the proxy.
type wayOut struct {
	draft draft
	turn  chan struct{} // one test at a time
}

func newWayOut() *wayOut { return &wayOut{turn: make(chan struct{}, 1)} }

type proxyPage struct {
	frame
	P               proxyWords
	S               proxy.Settings
	Hub             string
	Problem, Notice string
	HasPassword     bool
	Authorities     []proxy.Authority
	Results         []probed
	Passed          bool
}

// probed is one step of a test as it is shown.
type probed struct{ Name, Sentence, Word, Class string }

// probedOf makes a probe's results fit to be shown.
func probedOf(results []proxy.Result, language string) []probed {
	p := proxyWordsOf(language)
	var list []probed
	for _, r := range results {
		one := probed{Name: r.Name(language), Sentence: r.Sentence(language)}
		switch r.State {
		case proxy.OK:
			one.Word, one.Class = p.OK, "good"
		case proxy.Failed:
			one.Word, one.Class = p.Failed, "bad"
		case proxy.Skipped:
			one.Word, one.Class = p.Skipped, "warn"
			if r.Code == proxy.CodeNoProxy || r.Code == proxy.CodeDirect {
				one.Word = p.NotNeeded
			}
		}
		list = append(list, one)
	}
	return list
}

// probe tests a way out; tests wait for one another, and for no longer than the page's own answer.
func (s *Server) probe(ctx context.Context, settings proxy.Settings, tell func(proxy.Result),
) ([]proxy.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, hubDeadline)
	defer cancel()
	select {
	case s.way.turn <- struct{}{}:
		defer func() { <-s.way.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.o.Proxy.Probe(ctx, settings, tell), nil
}

// proxyForm answers GET /proxy.
func (s *Server) proxyForm(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.sessions.of(r); !ok {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return
	}
	page := proxyPage{}
	settings, err := s.o.Proxy.Load()
	if err != nil {
		s.o.Log.Error("cannot read the proxy's setting", "error", err)
		page.Problem = proxyWordsOf(language(r)).Unreadable
	}
	s.showProxy(w, r, http.StatusOK, page, settings)
}

func (s *Server) showProxy(w http.ResponseWriter, r *http.Request, status int, page proxyPage,
	settings proxy.Settings) {
	page.frame, page.Hub = s.frame(w, r), s.o.HubName
	page.P = proxyWordsOf(page.Language)
	page.S, page.HasPassword = settings, settings.Password != ""
	page.S.Password = ""
	page.Authorities = settings.Authorities()
	s.render(w, r, status, "proxy", page)
}

// changeProxy answers POST /proxy: test, save or clear.
func (s *Server) changeProxy(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.sessions.of(r); !ok {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return
	}
	t, p := wordsOf(language(r)), proxyWordsOf(language(r))
	given, known := s.typed(r)
	refuse := func(status int, sentence string) {
		s.showProxy(w, r, status, proxyPage{Problem: sentence}, given)
	}
	if !s.sessions.goodForm(r) {
		refuse(http.StatusForbidden, t.StaleForm)
		return
	}
	action := r.PostFormValue("action")
	switch action {
	case "clear":
		given = proxy.Settings{}
	case "save", "test":
	default:
		refuse(http.StatusUnprocessableEntity, t.BadForm)
		return
	}
	settings, err := given.Checked()
	var wrong *proxy.Wrong
	switch {
	case errors.As(err, &wrong):
		refuse(http.StatusUnprocessableEntity, wrong.Sentence(language(r)))
		return
	case !known && settings.User != "" && action != "clear":
		refuse(http.StatusUnprocessableEntity, p.TypePassword)
		return
	}
	page := proxyPage{}
	if action != "test" {
		if err := s.o.Proxy.Save(settings); err != nil {
			s.o.Log.Error("cannot store the proxy's setting", "error", err)
			refuse(http.StatusInternalServerError, p.NotStored)
			return
		}
		s.o.Log.Info("the proxy was set on the node's page", "remote", r.RemoteAddr,
			"proxy", settings.Address)
		page.Notice = p.Stored
	}
	s.way.draft.keep(cookieOf(r), settings)
	results, err := s.probe(r.Context(), settings, func(proxy.Result) {})
	if err != nil {
		refuse(http.StatusServiceUnavailable, p.Busy)
		return
	}
	page.Results, page.Passed = probedOf(results, language(r)), proxy.Passed(results)
	s.showProxy(w, r, http.StatusOK, page, settings)
}

// typed is what the form says. An empty password stands for the one that is known for the same
// proxy and the same user: it is sent to no other. The second result is false where none is known.
func (s *Server) typed(r *http.Request) (proxy.Settings, bool) {
	given := proxy.Settings{Address: r.PostFormValue("address"), User: r.PostFormValue("user"),
		Password: proxy.Password(r.PostFormValue("password")), NoProxy: r.PostFormValue("no_proxy"),
		TrustedCA: r.PostFormValue("trusted_ca")}
	if given.Password != "" {
		return given, true
	}
	checked, err := given.Checked()
	if err != nil {
		return given, false
	}
	// a setting that cannot be read knows no password
	stored, _ := s.o.Proxy.Load()
	for _, known := range []proxy.Settings{s.way.draft.of(cookieOf(r)), stored} {
		if known.Address == checked.Address && known.User == checked.User && known.User != "" {
			given.Password = known.Password
			return given, true
		}
	}
	return given, false
}
