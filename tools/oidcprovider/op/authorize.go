package op

import (
	"crypto/subtle"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const sessionCookie = "op-session"

// request is an authorization request whose client and redirect address are right.
type request struct {
	client, redirect, state, nonce, challenge string
	prompt, hint                              string
	maxAge                                    int // -1: any
}

// read refuses what must not even be answered by a redirect.
func (p *Provider) read(w http.ResponseWriter, v url.Values) (request, bool) {
	c, known := p.client(v.Get("client_id"))
	if !known || !slices.Contains(c.RedirectURIs, v.Get("redirect_uri")) {
		http.Error(w, "unknown client, or another redirect address than was agreed",
			http.StatusBadRequest)
		return request{}, false
	}
	q := request{client: c.ID, redirect: v.Get("redirect_uri"), state: v.Get("state"),
		nonce: v.Get("nonce"), challenge: v.Get("code_challenge"), prompt: v.Get("prompt"),
		hint: v.Get("login_hint"), maxAge: -1}
	if seconds, err := strconv.Atoi(v.Get("max_age")); err == nil {
		q.maxAge = seconds
	}
	problem := ""
	switch {
	case v.Get("response_type") != "code":
		problem = "unsupported_response_type"
	case !slices.Contains(strings.Fields(v.Get("scope")), "openid"):
		problem = "invalid_scope"
	case q.challenge != "" && v.Get("code_challenge_method") != "S256":
		problem = "invalid_request"
	}
	if problem != "" {
		p.back(w, q, url.Values{"error": {problem}})
		return request{}, false
	}
	return q, true
}

// back sends the browser to the client.
func (p *Provider) back(w http.ResponseWriter, q request, v url.Values) {
	u, err := url.Parse(q.redirect)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	v.Set("state", q.state)
	if p.c.NamesIssuer && !p.is(NoIssParameter) {
		v.Set("iss", p.c.Issuer)
	}
	if p.is(WrongIssParameter) {
		v.Set("iss", "https://other.example")
	}
	u.RawQuery = v.Encode()
	w.Header().Set("Location", u.String())
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// authorize lets in whoever is signed in already, if the client is content with that, and shows the
// page to sign in otherwise.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q, ok := p.read(w, r.URL.Query())
	if !ok {
		return
	}
	if s, known := p.session(r); known {
		age := p.c.Now().Sub(s.at)
		fresh := q.prompt != "login" && (q.maxAge < 0 || age <= time.Duration(q.maxAge)*time.Second)
		if fresh || p.is(IgnoresPrompt) {
			p.grant(w, q, s)
			return
		}
	}
	if q.prompt == "none" {
		p.back(w, q, url.Values{"error": {"login_required"}})
		return
	}
	p.page(w, http.StatusOK, q, r.URL.Query(), "")
}

func (p *Provider) session(r *http.Request) (session, bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return session{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.sessions[cookie.Value]
	return s, ok
}

// signIn is what the page posts.
func (p *Provider) signIn(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q, ok := p.read(w, r.PostForm)
	if !ok {
		return
	}
	if r.PostForm.Get("action") == "cancel" {
		p.back(w, q, url.Values{"error": {"access_denied"}})
		return
	}
	name, password := strings.ToLower(r.PostForm.Get("username")), r.PostForm.Get("password")
	u, ok := p.user(func(u User) bool {
		return u.Email == name && password != "" &&
			subtle.ConstantTimeCompare([]byte(u.Password), []byte(password)) == 1
	})
	if !ok {
		p.page(w, http.StatusForbidden, q, r.PostForm, "Wrong user name or password.")
		return
	}
	s := session{subject: u.Subject, at: p.c.Now()}
	id := random()
	p.mu.Lock()
	p.sessions[id] = s
	p.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: id, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteLaxMode})
	p.grant(w, q, s)
}

// codeLives is how long a code can be redeemed.
const codeLives = time.Minute

func (p *Provider) grant(w http.ResponseWriter, q request, s session) {
	code := random()
	p.mu.Lock()
	p.codes[code] = &grant{client: q.client, redirect: q.redirect, nonce: q.nonce,
		challenge: q.challenge, subject: s.subject, authTime: s.at,
		expires: p.c.Now().Add(codeLives)}
	p.mu.Unlock()
	p.back(w, q, url.Values{"code": {code}})
}

func (p *Provider) page(w http.ResponseWriter, status int, q request, v url.Values, problem string) {
	type pair struct{ Name, Value string }
	var hidden []pair
	for _, name := range []string{"client_id", "redirect_uri", "response_type", "scope", "state",
		"nonce", "code_challenge", "code_challenge_method", "prompt", "max_age"} {
		if v.Has(name) {
			hidden = append(hidden, pair{name, v.Get(name)})
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_ = pageTemplate().Execute(w, map[string]any{"Hidden": hidden, "Hint": q.hint,
		"Problem": problem, "Issuer": p.c.Issuer})
}

func pageTemplate() *template.Template {
	return template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in – test provider</title>
<meta name="viewport" content="width=device-width"></head>
<body><main><h1>Sign in</h1><p>The test provider at {{.Issuer}}</p>
{{with .Problem}}<p role="alert">{{.}}</p>{{end}}
<form method="post" action="/authorize">
{{range .Hidden}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<p><label>User name <input name="username" value="{{.Hint}}" autocomplete="username"></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password"></label></p>
<p><button name="action" value="sign-in">Sign in</button>
<button name="action" value="cancel">Cancel</button></p>
</form></main></body></html>
`))
}
