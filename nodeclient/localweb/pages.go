package localweb

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/models/wire"
)

// maxTicket is more than any ticket of a hub.
const maxTicket = 4 << 10

// hubDeadline ends before the deadline of the page's own answer.
const hubDeadline = 30 * time.Second

// frame is what every page has.
type frame struct {
	T        words
	Language string
	NodeName models.FQDN
	Path     string // of the links that change the language
	Form     string // token of the page's forms
	SignedIn bool
}

func (s *Server) frame(w http.ResponseWriter, r *http.Request) frame {
	_, signedIn := s.sessions.of(r)
	lang := language(r)
	return frame{T: wordsOf(lang), Language: lang, NodeName: s.o.FQDN, Path: pathOf(r),
		Form: s.sessions.formToken(w, r), SignedIn: signedIn}
}

// pathOf is where a change of language leads: a page that can be fetched, always of this node.
func pathOf(r *http.Request) string {
	switch r.URL.Path {
	case "/register/test":
		return "/register/access"
	case "/register", "/register/access", "/sign-in", "/proxy":
		return r.URL.Path
	}
	return "/"
}

// status answers GET /. Whoever is not signed in learns only whether the node is registered and
// serves.
func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	page := struct {
		frame
		Status
		Hub, HealthWord, HealthClass, StepWord, SaidWord, Skew, LastPoll string
		SkewBad                                                          bool
		Events                                                           []eventLine
		Samples                                                          []inventory.DeploymentType
	}{frame: s.frame(w, r), Status: s.o.Status(), Hub: s.o.HubName}
	page.HealthWord, page.HealthClass = page.T.health(page.Health)
	page.SaidWord = page.T.said(page.Said)
	if page.SignedIn {
		page.Events, page.Samples = eventLines(s.o.Trail(), page.T), sampleLayouts()
	}
	if a := page.Agent; a != nil {
		page.StepWord = page.T.step(a.Step)
		if !a.HubTime.IsZero() {
			page.Skew = a.Skew.Round(time.Second).String()
			page.SkewBad = a.Skew.Abs() > 5*time.Minute
		}
		if !a.LastPoll.IsZero() {
			page.LastPoll = a.LastPoll.UTC().Format("2006-01-02 15:04:05 UTC")
		}
	}
	s.render(w, r, http.StatusOK, "status", page)
}

type signInForm struct {
	frame
	Action, Title, Lead, Problem, Ticket, Username string
	Registering                                    bool
}

func (s *Server) signInForm(w http.ResponseWriter, r *http.Request, registering bool) signInForm {
	page := signInForm{frame: s.frame(w, r), Registering: registering}
	page.Action, page.Title, page.Lead = "/sign-in", page.T.SignIn, page.T.SignInLead
	if registering {
		page.Action, page.Title, page.Lead = "/register", page.T.RegisterTitle, page.T.RegisterLead
	}
	return page
}

func (s *Server) signInPage(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, "signin", s.signInForm(w, r, false))
}

// registerPage asks to sign in each time: one sign-in serves one decision.
func (s *Server) registerPage(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, "signin", s.signInForm(w, r, true))
}

// signIn answers POST /sign-in and POST /register.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	registering := r.URL.Path == "/register"
	page := s.signInForm(w, r, registering)
	refuse := func(status int, sentence string) {
		page.Problem = sentence
		s.render(w, r, status, "signin", page)
	}
	if !s.sessions.goodForm(r) {
		refuse(http.StatusForbidden, page.T.StaleForm)
		return
	}
	page.Ticket, page.Username = ticketOf(r.PostForm["ticket"]), r.PostFormValue("username")
	if registering && page.Ticket == "" {
		refuse(http.StatusUnprocessableEntity, page.T.NoTicket)
		return
	}
	ok, looked := s.attempts.check(r.Context(), r, func() bool {
		return s.o.CheckPassword(page.Username, r.PostFormValue("password"))
	})
	switch {
	case !looked:
		w.Header().Set("Retry-After", "10")
		refuse(http.StatusTooManyRequests, page.T.TooManyAttempts)
		return
	case !ok:
		s.o.Log.Warn("sign-in refused on the node's page", "remote", r.RemoteAddr)
		refuse(http.StatusUnauthorized, page.T.WrongCredentials)
		return
	}
	s.o.Log.Info("signed in on the node's page", "remote", r.RemoteAddr)
	s.sessions.end(r)
	s.sessions.begin(w, page.Username, page.Ticket)
	target := "/"
	if registering {
		target = "/register/access"
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// ticketOf is the ticket of a form; a whole link may be pasted where no script runs.
func ticketOf(values []string) string {
	for _, v := range values {
		if _, fragment, ok := strings.Cut(v, "#"); ok {
			v = fragment
		}
		if v = strings.TrimSpace(v); v != "" && len(v) <= maxTicket {
			return v
		}
	}
	return ""
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	if s.sessions.goodForm(r) {
		s.sessions.end(r)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

type access struct {
	frame
	wire.InspectResponse
	test
	Hub, Problem string
	Seconds      int
	Expired      bool
	Replacement  bool
}

// accessPage shows what is asked for, to whoever has signed in with a ticket.
func (s *Server) accessPage(w http.ResponseWriter, r *http.Request) {
	s.showAccess(w, r, http.StatusOK, "")
}

func (s *Server) showAccess(w http.ResponseWriter, r *http.Request, status int, problem string) {
	one, ok := s.sessions.of(r)
	if !ok || one.ticket == "" {
		http.Redirect(w, r, "/register", http.StatusSeeOther)
		return
	}
	page := access{frame: s.frame(w, r), Hub: s.o.HubName, Problem: problem}
	ctx, cancel := whole(r.Context())
	defer cancel()
	about, err := s.o.Inspect(ctx, one.ticket, page.Language, by(r, one))
	page.test = testOf(one, page.Language)
	if err != nil {
		s.inspectFailed(w, r, page, err)
		return
	}
	page.InspectResponse = about
	page.Replacement = about.Kind == models.RegisterReplacement
	// The hub's clock counts (R2); what is left is shown by its own two times.
	left := about.ExpiresAt.Sub(about.Now)
	page.Seconds, page.Expired = max(0, int(left.Seconds())), left <= 0
	s.sessions.shown(r, about, s.o.Now().Add(left))
	// No limit on where this form leads: the answer to "allow" is the way back to the console,
	// whose address the node learns only then.
	w.Header().Set("Content-Security-Policy", policy("'self' https: http:"))
	s.render(w, r, status, "access", page)
}

// decide answers POST /register/access: the administrator allows or denies, once.
func (s *Server) decide(w http.ResponseWriter, r *http.Request) {
	lang := language(r)
	t := wordsOf(lang)
	one, ok := s.sessions.of(r)
	if !ok || one.ticket == "" {
		http.Redirect(w, r, "/register", http.StatusSeeOther)
		return
	}
	if !s.sessions.goodForm(r) {
		s.showAccess(w, r, http.StatusForbidden, t.StaleForm)
		return
	}
	switch r.PostFormValue("action") {
	case "allow":
		if r.PostFormValue("allow") == "" {
			s.showAccess(w, r, http.StatusUnprocessableEntity, t.TickFirst)
			return
		}
		if !s.o.Now().Before(one.until) {
			s.showAccess(w, r, http.StatusGone, "")
			return
		}
		if one.tested == nil {
			s.showAccess(w, r, http.StatusConflict, t.TestFirst)
			return
		}
		ctx, cancel := whole(r.Context())
		defer cancel()
		back, err := s.o.Allow(ctx, one.ticket, lang, by(r, one), one.about)
		if err != nil {
			s.refused(w, r, err)
			return
		}
		s.sessions.end(r)
		s.o.Log.Info("access allowed on the node's page", "remote", r.RemoteAddr)
		if !goodReturn(back) {
			s.message(w, r, http.StatusBadGateway, t.BadReturn, "")
			return
		}
		http.Redirect(w, r, back, http.StatusSeeOther)
	case "deny":
		ctx, cancel := whole(r.Context())
		defer cancel()
		if err := s.o.Deny(ctx, one.ticket, lang, by(r, one), one.about); err != nil {
			s.refused(w, r, err)
			return
		}
		s.sessions.end(r)
		s.o.Log.Info("access denied on the node's page", "remote", r.RemoteAddr)
		s.message(w, r, http.StatusOK, t.Denied, "")
	default:
		s.showAccess(w, r, http.StatusUnprocessableEntity, t.BadForm)
	}
}

// whole outlives the browser's connection: a closed tab must not cut a claim in half.
func whole(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), hubDeadline)
}

// goodReturn refuses what a browser would run instead of open.
func goodReturn(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// refused shows a refusal of the hub or of the node as a sentence, and nothing of its raw text.
func (s *Server) refused(w http.ResponseWriter, r *http.Request, err error) {
	lang := language(r)
	t := wordsOf(lang)
	s.o.Log.Warn("a registration was refused", "error", err)
	var spoken interface{ Sentence(language string) string }
	if errors.As(err, &spoken) {
		if sentence := spoken.Sentence(lang); sentence != "" {
			s.message(w, r, http.StatusConflict, sentence, t.StartAgain)
			return
		}
		s.message(w, r, http.StatusBadGateway, t.StrangeAnswer, t.StillThere)
		return
	}
	s.message(w, r, http.StatusBadGateway, t.Unreachable, t.StillThere)
}

// message is a page of one sentence, and what to do next.
func (s *Server) message(w http.ResponseWriter, r *http.Request, status int, sentence, next string) {
	page := struct {
		frame
		Sentence, Next string
		Good           bool
	}{s.frame(w, r), sentence, next, status == http.StatusOK}
	s.render(w, r, status, "message", page)
}
