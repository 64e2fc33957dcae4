// Package binariestest is a real software repository for tests: the hub's own handlers over its own
// store, behind TLS on loopback. It knows no node.
package binariestest

import (
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"connecthub/handlers"
	"connecthub/handlers/binaries"
	"connecthub/hub/software"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
)

// Repository is the name of the one repository.
const Repository = "ent-platform-release-external"

// Hub is one running repository.
type Hub struct {
	t        testing.TB
	Software *software.Software
	Clock    *storetest.Clock
	store    *store.Store
	server   *httptest.Server
	org      models.Organization

	mu       sync.Mutex
	between  func(w http.ResponseWriter, r *http.Request) bool
	requests []string
}

// Start runs a repository with nothing in it and the agreement "1"; it ends with the test. The network's
// deadlines count by wall, time.Now; what is valid counts by Clock.
func Start(t testing.TB, wall func() time.Time) *Hub {
	t.Helper()
	h := &Hub{t: t, Clock: storetest.NewClock(), store: storetest.SQLite(t)}
	log := slog.New(slog.DiscardHandler)
	var err error
	h.Software, err = software.New(software.Options{Store: h.store, Dir: t.TempDir(), Now: h.Clock.Now,
		Log: log})
	h.must(err)
	h.org = models.Organization{Name: "Acme", Zone: "UTC", Language: "en", CreatedAt: h.Clock.Now()}
	vendor := models.Organization{Name: "Vendor", Zone: "UTC", Language: "en", Vendor: true,
		CreatedAt: h.Clock.Now()}
	h.must(h.store.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.Hub().CreateOrganization(&vendor), tx.Hub().CreateOrganization(&h.org))
	}))
	h.EULA("1")
	e := handlers.New(handlers.Options{Now: wall, Log: log,
		LongLived: []string{binaries.Route}})
	binaries.Register(e, binaries.Options{Software: h.Software, Now: h.Clock.Now, Log: log})
	h.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.requests = append(h.requests, r.Method+" "+r.URL.RequestURI())
		between := h.between
		h.mu.Unlock()
		if between == nil || !between(w, r) {
			e.ServeHTTP(w, r)
		}
	}))
	h.server.Config.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	h.server.StartTLS()
	t.Cleanup(h.server.Close)
	return h
}

func (h *Hub) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// URL is what image-repository set is given.
func (h *Hub) URL() string { return h.server.URL + "/binaries" }

// CA is the certificate to trust, as PEM.
func (h *Hub) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.server.Certificate().Raw})
}

// Between is asked before the repository; it answers whether it has answered the request itself.
func (h *Hub) Between(f func(w http.ResponseWriter, r *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.between = f
}

// Requests are those so far, as METHOD URI.
func (h *Hub) Requests() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.requests...)
}

// Close takes the repository off the network.
func (h *Hub) Close() { h.server.Close() }

func vendor() models.Actor { return models.Actor{Kind: models.ActorCommand, Name: "vendor"} }

// Add publishes a file.
func (h *Hub) Add(path, product, version string, restricted bool, content string) models.SoftwareFile {
	h.t.Helper()
	f, err := h.Software.Add(h.t.Context(), vendor(), software.NewFile{Repository: Repository,
		Path: path, Product: product, Version: version, Restricted: restricted,
		Notes: "Notes of " + path}, strings.NewReader(content))
	h.must(err)
	return f
}

// Withdraw takes a file back.
func (h *Hub) Withdraw(path string) {
	h.t.Helper()
	_, err := h.Software.Withdraw(h.t.Context(), vendor(), Repository, path)
	h.must(err)
}

// EULA publishes an agreement that everybody has to accept anew.
func (h *Hub) EULA(version string) {
	h.t.Helper()
	h.Clock.Advance(time.Second)
	_, err := h.Software.PublishEULA(h.t.Context(), vendor(), version,
		strings.NewReader("You agree."))
	h.must(err)
}

// Person is somebody who has just signed in to the console.
func (h *Hub) Person(email string) models.Actor {
	h.t.Helper()
	u := models.User{Email: email, Name: email, Role: models.FullAdmin, CreatedAt: h.Clock.Now()}
	h.must(h.store.Update(h.t.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.In(h.org.ID).CreateUser(&u), tx.In(h.org.ID).CreateSession(&models.Session{
			IDHash: email, UserID: u.ID, CreatedAt: h.Clock.Now(), LastUsedAt: h.Clock.Now(),
			ExpiresAt: h.Clock.Now().AddDate(1, 0, 0)}))
	}))
	a := models.Actor{Kind: models.ActorUser, UserID: u.ID, Organization: h.org.ID, Email: email,
		Role: u.Role, SessionHash: email}
	h.SignIn(a)
	return a
}

// SignIn extends what a person's keys are good for.
func (h *Hub) SignIn(a models.Actor) {
	h.t.Helper()
	h.must(h.store.Update(h.t.Context(), func(tx *store.Tx) error {
		return tx.In(a.Organization).SignedIn(a.UserID, h.Clock.Now())
	}))
}

// Entitle gives a person a contract for a year; without products for all of them.
func (h *Hub) Entitle(a models.Actor, cleared bool, products ...string) models.EntitlementID {
	h.t.Helper()
	if len(products) == 0 {
		products = []string{models.AllProducts}
	}
	today := h.Clock.Now().Truncate(24 * time.Hour)
	e, err := h.Software.Entitle(h.t.Context(), vendor(), software.NewEntitlement{
		Organization: a.Organization, User: a.UserID, Kind: models.EntitlementSWSS, Reference: "C-1",
		Products: products, ExportCleared: cleared, From: today.AddDate(0, 0, -1),
		Until: today.AddDate(1, 0, 0)})
	h.must(err)
	return e.ID
}

// End ends a contract.
func (h *Hub) End(id models.EntitlementID) {
	h.t.Helper()
	_, err := h.Software.EndEntitlement(h.t.Context(), vendor(), id)
	h.must(err)
}

// Accept accepts an agreement.
func (h *Hub) Accept(a models.Actor, version string) {
	h.t.Helper()
	h.must(h.Software.AcceptEULA(h.t.Context(), a, version))
}

// Key makes a download key.
func (h *Hub) Key(a models.Actor) string { return h.generate(a, models.DownloadKey, 0) }

// Token makes an identity token that is good for some days.
func (h *Hub) Token(a models.Actor, days int) string {
	return h.generate(a, models.IdentityToken, days)
}

func (h *Hub) generate(a models.Actor, kind models.DownloadKind, days int) string {
	h.t.Helper()
	g, err := h.Software.Generate(h.t.Context(), a, software.NewCredential{Kind: kind,
		Name: "Production", Days: days})
	h.must(err)
	return g.Secret.Reveal()
}

// Holder is a person who may have everything, restricted software as well.
func (h *Hub) Holder(email string) models.Actor {
	h.t.Helper()
	a := h.Person(email)
	h.Entitle(a, true)
	h.Accept(a, "1")
	return a
}
