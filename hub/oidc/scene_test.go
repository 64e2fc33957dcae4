package oidc_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"connecthub/hub/identity"
	"connecthub/hub/oidc"
	"connecthub/hub/seal"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
	"connecthub/tools/oidcprovider/op"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const (
	hubURL     = "https://hub.example"
	password   = "a password at the provider"
	taro       = "taro@acme.example"
	hanako     = "hanako@acme.example"
	newcomer   = "newcomer@acme.example"
	stranger   = "stranger@acme.example"
	subjTaro   = "s-taro"
	subjHanako = "s-hanako"
)

// oneKey is shared by all providers of these tests: making one takes longer than most tests do.
var oneKey = sync.OnceValues(func() (*rsa.PrivateKey, error) {
	return rsa.GenerateKey(rand.Reader, 2048)
})

// scene is a hub's part of signing in, and a real provider on loopback.
type scene struct {
	t        *testing.T
	store    *store.Store
	clock    *storetest.Clock
	identity *identity.Identity
	oidc     *oidc.OIDC
	options  oidc.Options
	provider *op.Provider
	issuer   string
	acme     models.Organization
	users    map[string]models.User
}

var caller = models.Actor{Address: "192.0.2.7", UserAgent: "browser", TrackingID: "t"}

type database struct {
	name string
	dsn  func(t testing.TB) string
}

func databases() []database {
	return []database{
		{"sqlite", func(t testing.TB) string { return "sqlite:" + t.TempDir() + "/hub.db" }},
		{"postgres", storetest.PostgresDSN},
	}
}

func newScene(t *testing.T) *scene { return newSceneOn(t, databases()[0]) }

func newSceneOn(t *testing.T, d database) *scene {
	t.Helper()
	s := &scene{t: t, clock: storetest.NewClock(), users: map[string]models.User{}}
	s.store = storetest.OpenWith(t, store.Options{DSN: d.dsn(t), Now: s.clock.Now})
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("OIDC_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	s.identity = identity.New(identity.Options{Store: s.store, Now: s.clock.Now, Log: log,
		PublicURL: hubURL})
	key, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.New(key)
	if err != nil {
		t.Fatal(err)
	}
	s.options = oidc.Options{Store: s.store, Identity: s.identity, Sealer: sealer,
		Now: s.clock.Now, Log: log, PublicURL: hubURL, Loopback: true}
	s.acme = s.organization("Acme", "acme.example")
	for _, email := range []string{taro, hanako} {
		s.user(s.acme, email)
	}
	s.provider, s.issuer = s.newProvider(op.Client{ID: "hub", Secret: "client secret"})
	s.provider.SetUsers(account(taro, subjTaro), account(hanako, subjHanako),
		account(newcomer, "s-newcomer"), account(stranger, "s-stranger"))
	s.restart()
	s.set(s.acme, s.issuer)
	return s
}

// impatient gives a slow provider up sooner than a hub would.
func (s *scene) impatient() {
	s.options.Deadline = 2 * time.Second
	s.restart()
}

// restart forgets what the hub knows of providers.
func (s *scene) restart() { s.oidc = oidc.New(s.options) }

// newProvider starts a provider that knows the client at Acme's address.
func (s *scene) newProvider(c op.Client) (*op.Provider, string) {
	s.t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
	}))
	s.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	c.RedirectURIs = []string{oidc.New(s.options).RedirectURL(s.acme.ID)}
	key, err := oneKey()
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := op.New(op.Config{Issuer: server.URL, Clients: []op.Client{c}, Now: s.clock.Now,
		Key: key, NamesIssuer: true})
	if err != nil {
		s.t.Fatal(err)
	}
	handler = p
	return p, server.URL
}

func account(email, subject string) op.User {
	return op.User{Email: email, Password: password, Name: "Name of " + email, Subject: subject}
}

func (s *scene) organization(name, domain string) (o models.Organization) {
	s.t.Helper()
	s.update(func(tx *store.Tx) error {
		o = models.Organization{Name: name, NameKey: models.FoldName(name), Zone: "UTC",
			Language: "en", Domain: domain, CreatedAt: s.clock.Now()}
		return tx.Hub().CreateOrganization(&o)
	})
	return o
}

func (s *scene) user(o models.Organization, email string) models.User {
	s.t.Helper()
	u := models.User{Email: email, Name: email, Role: models.FullAdmin, CreatedAt: s.clock.Now()}
	s.update(func(tx *store.Tx) error { u.ID = ""; return tx.In(o.ID).CreateUser(&u) })
	s.users[email] = u
	return u
}

func (s *scene) invite(o models.Organization, email string) {
	s.t.Helper()
	s.update(func(tx *store.Tx) error {
		return tx.In(o.ID).CreateInvitation(&models.Invitation{Email: email,
			TokenHash: "hash of " + email, Role: models.ReadOnlyAdmin, InvitedBy: taro,
			CreatedAt: s.clock.Now(), ExpiresAt: s.clock.Now().Add(models.InvitationTTL)})
	})
}

func (s *scene) set(o models.Organization, issuer string, hosts ...string) {
	s.t.Helper()
	err := s.oidc.Set(s.t.Context(), models.Actor{Kind: models.ActorCommand}, o.ID, oidc.Settings{
		Issuer: issuer, ClientID: "hub", Secret: "client secret", Hosts: hosts}, false)
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) update(fn func(tx *store.Tx) error) {
	s.t.Helper()
	if err := s.store.Update(context.Background(), fn); err != nil {
		s.t.Fatal(err)
	}
}

// records are the audit records with an action, of every organization.
func (s *scene) records(action string) (found []models.AuditRecord) {
	s.t.Helper()
	s.update(func(tx *store.Tx) error {
		found = nil
		organizations, err := tx.Hub().Organizations()
		for _, o := range organizations {
			all, err := tx.In(o.ID).Audit(store.AuditQuery{})
			if err != nil {
				return err
			}
			for _, r := range all {
				if r.Action == action {
					found = append(found, r)
				}
			}
		}
		return err
	})
	return found
}

// browser is a person with a browser of its own, at the provider and at the hub.
type browser struct {
	*scene
	email  string
	client *http.Client
	cookie string // at the hub
}

func (s *scene) browser(email string) *browser {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{scene: s, email: email, client: &http.Client{Jar: jar, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// begin asks the hub where to go.
func (b *browser) begin() string {
	b.t.Helper()
	begun, err := b.oidc.Begin(b.t.Context(), caller, oidc.Beginning{Email: b.email,
		ReturnTo: "/clusters?tab=1", Browser: b.cookie})
	if err != nil {
		b.t.Fatal(err)
	}
	b.cookie = begun.Browser
	return begun.Location
}

// stepUp asks the hub where to go to sign in again.
func (b *browser) stepUp(a models.Actor) string {
	b.t.Helper()
	begun, err := b.oidc.BeginStepUp(b.t.Context(), a, "/confirmed", b.cookie)
	if err != nil {
		b.t.Fatal(err)
	}
	b.cookie = begun.Browser
	return begun.Location
}

// visit goes to the provider, signs in where it asks for that, and answers where it is sent.
func (b *browser) visit(location string) *url.URL {
	b.t.Helper()
	res := b.get(location)
	if back, err := res.Location(); err == nil {
		return back
	}
	form := fields(b.t, res)
	form.Set("username", b.email)
	form.Set("password", password)
	form.Set("action", "sign-in")
	return b.post(location, form)
}

func (b *browser) get(location string) *http.Response {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, location, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func (b *browser) post(location string, form url.Values) *url.URL {
	b.t.Helper()
	to, err := url.Parse(location)
	if err != nil {
		b.t.Fatal(err)
	}
	to.RawQuery = ""
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, to.String(),
		strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	back, err := res.Location()
	if err != nil {
		text, _ := io.ReadAll(res.Body)
		b.t.Fatalf("the provider sends nobody back: %d %s", res.StatusCode, text)
	}
	return back
}

func fields(t *testing.T, res *http.Response) url.Values {
	t.Helper()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("the provider's page: %d %s %v", res.StatusCode, text, err)
	}
	form := url.Values{}
	hidden := regexp.MustCompile(`type="hidden" name="([^"]*)" value="([^"]*)"`)
	for _, m := range hidden.FindAllStringSubmatch(string(text), -1) {
		form.Set(m[1], strings.ReplaceAll(strings.ReplaceAll(m[2], "&amp;", "&"), "&#43;", "+"))
	}
	return form
}

// returning is what the hub learns of a browser that comes back.
func (b *browser) returning(back *url.URL) oidc.Return {
	q := back.Query()
	return oidc.Return{
		Organization: models.OrganizationID(back.Path[strings.LastIndex(back.Path, "/")+1:]),
		State:        q.Get("state"), Code: q.Get("code"), Error: q.Get("error"),
		Issuer: q.Get("iss"), Browser: b.cookie}
}

func (b *browser) finish(back *url.URL) oidc.Done {
	b.t.Helper()
	return b.oidc.Finish(b.t.Context(), caller, b.returning(back))
}

// signIn is a whole journey.
func (b *browser) signIn() oidc.Done {
	b.t.Helper()
	return b.finish(b.visit(b.begin()))
}

// signedIn is a whole journey that must end well; it answers who is signed in then.
func (b *browser) signedIn() models.Actor {
	b.t.Helper()
	done := b.signIn()
	if done.Token == "" {
		b.t.Fatalf("%s is not signed in: %+v", b.email, done)
	}
	actor, err := b.identity.Authenticate(b.t.Context(), done.Token, caller)
	if err != nil {
		b.t.Fatal(err)
	}
	return actor
}

// confirmedUntil is until when the actor's session passes what asks to sign in again.
func (s *scene) confirmedUntil(a models.Actor) time.Time {
	s.t.Helper()
	current, err := s.identity.Current(s.t.Context(), a)
	if err != nil {
		s.t.Fatal(err)
	}
	return current.ConfirmedUntil
}

// problem is the code that a browser is shown.
func problem(t *testing.T, done oidc.Done) string {
	t.Helper()
	u, err := url.Parse(done.Location)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("problem")
}

func (s *scene) refused(err error, code models.Code) {
	s.t.Helper()
	var r *models.Refusal
	if !errors.As(err, &r) || r.Code != code {
		s.t.Errorf("got %v, want %s", err, code)
	}
}
