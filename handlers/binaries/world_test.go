package binaries_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"connecthub/handlers"
	"connecthub/handlers/binaries"
	"connecthub/hub/software"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
)

const (
	repo    = "ent-platform-release-external"
	plain   = "vvb/12.6/plain.cop"
	guarded = "vvb/12.6/guarded.cop"
	foreign = "cvp/12.6/other.exe"
	content = "0123456789abcdef"
)

// world is a vendor's repository with three files, two tenants and a clock.
type world struct {
	t     *testing.T
	store *store.Store
	clock *storetest.Clock
	sw    *software.Software
	echo  *echo.Echo
	org   models.Organization
	shut  models.Organization // to be disabled
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: storetest.SQLite(t), clock: storetest.NewClock()}
	log := slog.New(slog.DiscardHandler)
	var err error
	w.sw, err = software.New(software.Options{Store: w.store, Dir: t.TempDir(), Now: w.clock.Now, Log: log})
	w.must(err)
	w.org = models.Organization{Name: "Acme", Zone: "UTC", Language: "en", CreatedAt: w.clock.Now()}
	w.shut = models.Organization{Name: "Shut", Zone: "UTC", Language: "en", CreatedAt: w.clock.Now()}
	vendor := models.Organization{Name: "Vendor", Zone: "UTC", Language: "en", Vendor: true, CreatedAt: w.clock.Now()}
	w.must(w.store.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.Hub().CreateOrganization(&vendor), tx.Hub().CreateOrganization(&w.org),
			tx.Hub().CreateOrganization(&w.shut))
	}))
	w.add(plain, "VVB", false)
	w.add(guarded, "VVB", true)
	w.add(foreign, "CVP", false)
	w.eula("1")
	w.echo = handlers.New(handlers.Options{Now: w.clock.Now, Log: log, LongLived: []string{binaries.Route}})
	binaries.Register(w.echo, binaries.Options{Software: w.sw, Now: w.clock.Now, Log: log})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func vendor() models.Actor { return models.Actor{Kind: models.ActorCommand, Name: "vendor"} }

func (w *world) add(path, product string, restricted bool) {
	w.t.Helper()
	_, err := w.sw.Add(w.t.Context(), vendor(), software.NewFile{Repository: repo, Path: path, Product: product,
		Version: "12.6(1)ES1", Restricted: restricted, Notes: "Fixes"}, strings.NewReader(content))
	w.must(err)
}

func (w *world) eula(version string) {
	w.t.Helper()
	w.clock.Advance(time.Second)
	_, err := w.sw.PublishEULA(w.t.Context(), vendor(), version, strings.NewReader("You agree."))
	w.must(err)
}

// person is somebody who has just signed in.
func (w *world) person(o models.Organization, email string) models.Actor {
	w.t.Helper()
	u := models.User{Email: email, Name: email, Role: models.FullAdmin, CreatedAt: w.clock.Now()}
	w.must(w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.In(o.ID).CreateUser(&u), tx.In(o.ID).CreateSession(&models.Session{
			IDHash: email, UserID: u.ID, CreatedAt: w.clock.Now(), LastUsedAt: w.clock.Now(),
			ExpiresAt: w.clock.Now().AddDate(1, 0, 0)}))
	}))
	a := models.Actor{Kind: models.ActorUser, UserID: u.ID, Organization: o.ID, Email: email, Role: u.Role,
		SessionHash: email}
	w.signIn(a)
	return a
}

func (w *world) signIn(a models.Actor) { w.signedIn(a, w.clock.Now()) }

func (w *world) signedIn(a models.Actor, at time.Time) {
	w.t.Helper()
	w.must(w.store.Update(w.t.Context(), func(tx *store.Tx) error {
		return tx.In(a.Organization).SignedIn(a.UserID, at)
	}))
}

// entitle gives a person a contract that is valid for a year around now.
func (w *world) entitle(a models.Actor, cleared bool, products ...string) models.EntitlementID {
	w.t.Helper()
	today := w.clock.Now().Truncate(24 * time.Hour)
	return w.contract(a, cleared, today.AddDate(0, 0, -1), today.AddDate(1, 0, 0), products...)
}

func (w *world) contract(a models.Actor, cleared bool, from, until time.Time, products ...string) models.EntitlementID {
	w.t.Helper()
	e, err := w.sw.Entitle(w.t.Context(), vendor(), software.NewEntitlement{Organization: a.Organization,
		User: a.UserID, Kind: models.EntitlementSWSS, Reference: "C-1", Products: products, ExportCleared: cleared,
		From: from, Until: until})
	w.must(err)
	return e.ID
}

func (w *world) accept(a models.Actor, version string) {
	w.t.Helper()
	w.must(w.sw.AcceptEULA(w.t.Context(), a, version))
}

func (w *world) generate(a models.Actor, kind models.DownloadKind, days int) software.Generated {
	w.t.Helper()
	g, err := w.sw.Generate(w.t.Context(), a, software.NewCredential{Kind: kind, Name: "Production", Days: days})
	w.must(err)
	return g
}

// holder is a person who may have everything, with a key.
func (w *world) holder(email string) (models.Actor, software.Generated) {
	w.t.Helper()
	a := w.person(w.org, email)
	w.entitle(a, true, models.AllProducts)
	w.accept(a, "1")
	return a, w.generate(a, models.DownloadKey, 0)
}

// ask sends a request; headers come in pairs.
func (w *world) ask(method, address string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, "https://hub.example:8444"+address, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	w.echo.ServeHTTP(answer, r)
	return answer
}

// get asks for a file with a key.
func (w *world) get(g software.Generated, path string, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.ask(http.MethodGet, "/binaries/"+repo+"/"+path, append(headers, "X-JFrog-Art-Api", g.Secret.Reveal())...)
}

func (w *world) want(a *httptest.ResponseRecorder, status int, code string) {
	w.t.Helper()
	if got := a.Header().Get(binaries.HeaderRefusal); a.Code != status || got != code {
		w.t.Errorf("got %d %q, want %d %q: %s", a.Code, got, status, code, a.Body)
	}
}

func bearer(g software.Generated) []string {
	return []string{"Authorization", "Bearer " + g.Secret.Reveal()}
}

func long() bool { return os.Getenv("LONG") == "1" }
