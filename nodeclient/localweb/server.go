package localweb

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
	"connecthub/nodeclient/agent"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/onboarding"
	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/enroll"
)

const (
	maxForm      = 16 << 10
	readDeadline = 20 * time.Second
	// writeDeadline is longer than a call to the hub may take.
	writeDeadline = 40 * time.Second
	idleDeadline  = 2 * time.Minute
	maxHeader     = 16 << 10
)

//go:embed assets pages
var files embed.FS

// Options are what the page is given; all are needed.
type Options struct {
	FQDN    models.FQDN
	HubName string // the hub of set-up, as its address
	// Certificate is asked for at each handshake, so that a new one needs no restart.
	Certificate func() (*tls.Certificate, error)
	Listen      string // HOST:PORT
	// CheckPassword is asked about the application user, one attempt at a time.
	CheckPassword func(user, password string) bool
	// Credential names the application user and its present password, without showing either: who
	// signed in with another is signed out.
	Credential func() string
	Inspect    func(ctx context.Context, ticket, language string, by enroll.By) (
		wire.InspectResponse, error)
	// Allow answers where the browser goes back to; about is what was shown.
	Allow func(ctx context.Context, ticket, language string, by enroll.By,
		about wire.InspectResponse) (string, error)
	Deny func(ctx context.Context, ticket, language string, by enroll.By,
		about wire.InspectResponse) error
	Status func() Status
	Trail  func() []enroll.Event // of registrations, oldest first
	Proxy  ProxyOptions
	// ControlKey answers this control node's own public SSH key; it makes one at the first need.
	ControlKey func() (keys.Public, error)
	Onboarding *onboarding.Desk
	Now        func() time.Time
	Log        *slog.Logger
}

// Status is how the node stands, as the page shows it.
type Status struct {
	ClientVersion string
	Role          models.NodeRole // empty: in no cluster yet
	Publisher     models.FQDN     // of a subscriber
	Members       []models.FQDN   // that the publisher knows, without itself
	Identity      *wire.Identity  // nil: not registered
	Claimed       bool            // allowed, and waiting for the return leg
	Said          string          // "deregistered", "removed", "replaced": why it is not registered
	Version       models.Version
	Health        models.Health
	HealthDetail  string
	// Agent is nil while no agent runs, that is: while the node is not registered.
	Agent *agent.Status
	// Trouble is what keeps the node from joining or polling, or empty.
	Trouble string
}

// Server is the node's own page.
type Server struct {
	o        Options
	pages    map[string]*template.Template
	sessions *sessions
	attempts *attempts
	way      *wayOut
}

// New prepares the page; it starts nothing.
func New(o Options) (*Server, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("cannot make the key of the page's forms: %w", err)
	}
	s := &Server{o: o, pages: map[string]*template.Template{},
		sessions: newSessions(key, o.Now, o.Credential), attempts: newAttempts(o.Now), way: newWayOut()}
	for _, name := range []string{"status", "signin", "access", "message", "blocked", "proxy"} {
		t, err := template.ParseFS(files, "pages/frame.html", "pages/selftest.html",
			"pages/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("cannot read the page %s: %w", name, err)
		}
		s.pages[name] = t
	}
	return s, nil
}

// Run serves the page until ctx ends, and then lets requests under way finish.
func (s *Server) Run(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.o.Listen)
	if err != nil {
		return fmt.Errorf("cannot serve the node's page: %w", err)
	}
	return s.Serve(ctx, listener)
}

// Serve is Run on a listener that is open already; it closes it.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: readDeadline,
		ReadTimeout: readDeadline, WriteTimeout: writeDeadline, IdleTimeout: idleDeadline,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return s.o.Certificate()
			}}}
	done := make(chan error, 1)
	go func() { done <- server.ServeTLS(limited(listener), "", "") }()
	select {
	case err := <-done:
		return fmt.Errorf("cannot serve the node's page: %w", err)
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(end); err != nil {
		_ = server.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve the node's page: %w", err)
	}
	return nil
}

// Handler is the page as a handler. It must be served over TLS: its cookies are worth nothing else.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.status)
	mux.HandleFunc("GET /sign-in", s.signInPage)
	mux.HandleFunc("POST /sign-in", s.signIn)
	mux.HandleFunc("POST /sign-out", s.signOut)
	mux.HandleFunc("GET /proxy", s.proxyForm)
	mux.HandleFunc("POST /proxy", s.changeProxy)
	mux.HandleFunc("GET /register", s.registerPage)
	mux.HandleFunc("POST /register", s.signIn)
	mux.HandleFunc("GET /register/access", s.accessPage)
	mux.HandleFunc("POST /register/access", s.decide)
	mux.HandleFunc("POST /register/test", s.selfTest)
	mux.HandleFunc("GET "+vosapi.PathKey, s.application(s.controlKey))
	mux.HandleFunc("GET "+vosapi.PathOnboard, s.application(s.onboardBegin))
	mux.HandleFunc("POST "+vosapi.PathOnboard, s.application(s.onboard))
	mux.HandleFunc("PUT "+vosapi.PathOnboard, s.application(s.onboard))
	mux.HandleFunc("DELETE "+vosapi.PathOnboard, s.application(s.offboard))
	mux.HandleFunc("GET /inventory/samples/{layout}", s.sample)
	for name, kind := range map[string]string{"page.js": "text/javascript; charset=utf-8",
		"page.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"} {
		mux.HandleFunc("GET /assets/"+name, asset(name, kind))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t := wordsOf(language(r))
		s.message(w, r, http.StatusNotFound, t.NotFound, "")
	})
	return s.guard(mux)
}

// guard holds what is true for every answer: one name, no framing, no foreign script, no cache, and
// no form from another site.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy("'self'"))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Not no-referrer: with that a browser sends "Origin: null" with the page's own forms.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Strict-Transport-Security", "max-age=31536000")
		h.Set("Cache-Control", "no-store")
		h.Set("Vary", "Accept-Language, Cookie")
		if !s.admitted(w, r) {
			return
		}
		rememberLanguage(w, r)
		next.ServeHTTP(w, r)
	})
}

// policy allows the page's own files only. Where forms may lead is an argument: a browser applies it
// to redirects too, and the answer to "allow" leads back to the hub's console.
func policy(forms string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
		"connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action " + forms
}

// admitted refuses what did not ask for this node, or what no page of this node has sent.
func (s *Server) admitted(w http.ResponseWriter, r *http.Request) bool {
	t := wordsOf(language(r))
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ownHost(r.Host, s.o.FQDN, local) {
		s.message(w, r, http.StatusMisdirectedRequest, t.WrongHost+" "+string(s.o.FQDN), "")
		return false
	}
	if forPrograms(r) {
		return admittedProgram(w, r)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.Method != http.MethodPost {
		return true
	}
	if !sameOrigin(r) {
		s.message(w, r, http.StatusForbidden, t.ForeignOrigin, "")
		return false
	}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if strings.TrimSpace(kind) != "application/x-www-form-urlencoded" {
		s.message(w, r, http.StatusUnsupportedMediaType, t.BadForm, "")
		return false
	}
	if err := r.ParseForm(); err != nil {
		status := http.StatusBadRequest
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			status = http.StatusRequestEntityTooLarge
		}
		s.message(w, r, status, t.BadForm, "")
		return false
	}
	return true
}

// sameOrigin refuses a form that another site sends. Every browser states the origin of a POST.
func sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	return strings.EqualFold(r.Header.Get("Origin"), "https://"+r.Host)
}

// asset serves one named file; there is no folder to list.
func asset(name, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		text, err := files.ReadFile("assets/" + name)
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(text)
	}
}

// render writes a page whole, or none.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, name string, page any) {
	var text strings.Builder
	if err := s.pages[name].ExecuteTemplate(&text, "frame", page); err != nil {
		s.o.Log.ErrorContext(r.Context(), "cannot render the node's page", "page", name, "error", err)
		http.Error(w, "cannot show this page", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text.String()))
}
