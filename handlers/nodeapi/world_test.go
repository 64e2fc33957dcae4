package nodeapi_test

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/labstack/echo/v4"

	"connecthub/handlers"
	"connecthub/handlers/depotapi"
	"connecthub/handlers/nodeapi"
	"connecthub/hub/depot"
	"connecthub/hub/fleet"
	"connecthub/hub/keys"
	"connecthub/hub/seal"
	"connecthub/models"
	"connecthub/models/manifest"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
	"connecthub/models/wire"
)

// world is a hub with its real handlers on a real database, under a clock that its test moves.
type world struct {
	t      testing.TB
	clock  *storetest.Clock
	store  *store.Store
	keys   *keys.Hub
	fleet  *fleet.Fleet
	depot  *depot.Depot
	echo   *echo.Echo
	admin  models.Actor
	vendor models.Actor
	nonce  string // the hub's last
	proofs *provers
	tune   func(*fleet.Options) // how this hub differs; nil: it does not
}

// provers know with which key to prove a request that bears a token.
type provers struct {
	mu    sync.Mutex
	known map[string]wire.Prover
}

// newWorld stands at noon, UTC, nine hours after the default window has opened.
func newWorld(t testing.TB) *world {
	clock := storetest.NewClock()
	clock.Advance(9 * time.Hour)
	return worldOn(t, storetest.SQLite(t), clock)
}

func worldOn(t testing.TB, s *store.Store, clock *storetest.Clock) *world {
	t.Helper()
	w := &world{t: t, clock: clock, store: s, proofs: &provers{known: map[string]wire.Prover{}}}
	sealKey, err := seal.NewKey()
	must(t, err)
	sealer, err := seal.New(sealKey)
	must(t, err)
	w.keys, err = keys.LoadOrCreate(t.TempDir(), sealer)
	must(t, err)
	must(t, s.Update(t.Context(), func(tx *store.Tx) error { return w.people(tx) }))
	w.depot, err = depot.New(depot.Options{Store: s, Dir: t.TempDir(), Now: clock.Now,
		Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	w.serve()
	w.publish("1.0.0", models.Regular) // what every new node runs
	return w
}

// serve starts the hub's half that could be there more than once.
func (w *world) serve() {
	w.t.Helper()
	log := slog.New(slog.DiscardHandler)
	var err error
	o := fleet.Options{Store: w.store, Keys: w.keys, Now: w.clock.Now, Log: log,
		PublicURL: "https://hub.example.com"}
	if w.tune != nil {
		w.tune(&o)
	}
	w.fleet, err = fleet.New(o)
	must(w.t, err)
	must(w.t, w.fleet.Load(w.t.Context()))
	w.echo = handlers.New(handlers.Options{Now: w.clock.Now, Log: log})
	nodeapi.Register(w.echo, w.fleet)
	depotapi.Register(w.echo, w.depot, w.fleet.AllowFetch, w.fleet.Nonce)
}

// replica is another hub over the same database.
func (w *world) replica() *world {
	w.t.Helper()
	other := *w
	other.serve()
	return &other
}

// unlike is another hub over the same database whose settings differ.
func (w *world) unlike(tune func(*fleet.Options)) *world {
	w.t.Helper()
	other := *w
	other.tune = tune
	other.serve()
	return &other
}

// people are one tenant with one admin, and the vendor.
func (w *world) people(tx *store.Tx) error {
	now := w.clock.Now()
	if _, err := tx.Hub().InitHubState(now); err != nil {
		return err
	}
	tenant := models.Organization{Name: "Acme", NameKey: "acme", Zone: "UTC", Language: "en",
		CreatedAt: now}
	vendor := models.Organization{Name: "Vendor", NameKey: "vendor", Zone: "UTC", Language: "en",
		Vendor: true, CreatedAt: now}
	for _, o := range []*models.Organization{&tenant, &vendor} {
		if err := tx.Hub().CreateOrganization(o); err != nil {
			return err
		}
	}
	admin := models.User{OrganizationID: tenant.ID, Email: "admin@acme.example", Name: "Ada",
		Role: models.FullAdmin, CreatedAt: now}
	if err := tx.In(tenant.ID).CreateUser(&admin); err != nil {
		return err
	}
	w.admin = models.Actor{Kind: models.ActorUser, UserID: admin.ID, Name: admin.Name,
		Organization: tenant.ID, Role: models.FullAdmin, SessionHash: "session-1"}
	w.vendor = models.Actor{Kind: models.ActorUser, UserID: "engineer", Name: "Vera",
		Organization: vendor.ID, Role: models.ReleaseEngineer}
	return nil
}

// publish offers a release of a version to the clusters.
func (w *world) publish(version models.Version, kind models.Kind, needs ...string,
) models.Release {
	w.t.Helper()
	r, err := w.depot.Publish(w.t.Context(), w.vendor, depot.NewRelease{Kind: kind},
		bytes.NewReader(bundleOf(w.t, version, needs...)))
	must(w.t, err)
	w.follow()
	return r
}

func (w *world) release(id models.ReleaseID, state models.ReleaseState) {
	w.t.Helper()
	_, err := w.depot.SetState(w.t.Context(), w.vendor, id, state)
	must(w.t, err)
	w.follow()
}

// follow does at once what a running hub does within seconds.
func (w *world) follow() {
	w.t.Helper()
	must(w.t, w.fleet.Load(w.t.Context()))
	must(w.t, w.fleet.SweepPermits(w.t.Context()))
	must(w.t, w.fleet.FlushSeen(w.t.Context()))
}

// at moves the clock to the next time of day.
func (w *world) at(clock string) {
	w.t.Helper()
	tod, err := time.Parse("15:04", clock)
	must(w.t, err)
	now := w.clock.Now().UTC()
	next := time.Date(now.Year(), now.Month(), now.Day(), tod.Hour(), tod.Minute(), 0, 0, time.UTC)
	if !next.After(now) {
		next = next.AddDate(0, 0, 1)
	}
	w.clock.Advance(next.Sub(now))
	w.follow()
}

func (w *world) cluster(id models.ClusterID) fleet.ClusterView {
	w.t.Helper()
	v, err := w.fleet.Cluster(w.t.Context(), w.admin, id)
	must(w.t, err)
	return v
}

// call sends one request through every handler, with the proof of the node whose token it is; once
// more where the hub wants its nonce in it.
func (w *world) call(method, path, token string, body any) *httptest.ResponseRecorder {
	w.t.Helper()
	var raw []byte
	if body != nil {
		var err error
		raw, err = json.Marshal(body)
		must(w.t, err)
	}
	for try := 0; ; try++ {
		answer := w.send(method, path, token, raw)
		var p wire.Problem
		if try > 0 || token == "" || answer.Code != http.StatusUnauthorized ||
			json.Unmarshal(answer.Body.Bytes(), &p) != nil || p.Code != wire.CodeUseNonce {
			return answer
		}
	}
}

func (w *world) send(method, path, token string, body []byte) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, bytes.NewReader(body))
	r.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	if token != "" {
		w.prove(r, token)
	}
	answer := httptest.NewRecorder()
	w.echo.ServeHTTP(answer, r)
	if nonce := answer.Header().Get(wire.HeaderNonce); nonce != "" {
		w.nonce = nonce
	}
	return answer
}

// prove signs a request as the node that logged in for the token.
func (w *world) prove(r *http.Request, token string) {
	w.t.Helper()
	r.Header.Set(echo.HeaderAuthorization, wire.SchemeDPoP+" "+token)
	w.proofs.mu.Lock()
	prover, ok := w.proofs.known[token]
	w.proofs.mu.Unlock()
	if !ok {
		return
	}
	proof, err := prover.Sign(w.claims(r, token))
	must(w.t, err)
	r.Header.Set(wire.HeaderProof, proof)
}

func (w *world) claims(r *http.Request, token string) wire.ProofClaims {
	sum := sha256.Sum256([]byte(token))
	return wire.ProofClaims{TokenHash: base64.RawURLEncoding.EncodeToString(sum[:]),
		Method: r.Method, URI: "https://" + r.Host + r.URL.Path, ID: rand.Text(), Nonce: w.nonce,
		IssuedAt: w.clock.Now().Unix()}
}

// post answers the problem's code, or an empty one and fills into.
func (w *world) post(path, token string, body, into any) (code models.Code, statement string) {
	w.t.Helper()
	answer := w.call(http.MethodPost, path, token, body)
	if answer.Code < 300 {
		if into != nil {
			must(w.t, json.Unmarshal(answer.Body.Bytes(), into))
		}
		return "", ""
	}
	var problem wire.Problem
	must(w.t, json.Unmarshal(answer.Body.Bytes(), &problem))
	return models.Code(problem.Code), problem.Statement
}

// bundleOf is a bundle as the depot takes it.
func bundleOf(t testing.TB, version models.Version, needs ...string) []byte {
	t.Helper()
	second := manifest.Duration(time.Second)
	m := manifest.Manifest{Format: manifest.Format, Name: "sample", Version: version,
		Services: []manifest.Service{{Name: "sample", Command: []string{"bin/sample"},
			Ports: []string{"http"}, Stop: manifest.Stop{Signal: "TERM", Deadline: second},
			Health: manifest.Health{TCP: "http", Interval: second, Timeout: second,
				ReadyWithin: second, Failures: 3}}}}
	for _, name := range needs {
		m.Requires.Packages = append(m.Requires.Packages, manifest.Package{Name: name})
	}
	raw, err := json.Marshal(m)
	must(t, err)
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed)
	must(t, err)
	archive := tar.NewWriter(z)
	program := strings.Repeat("program "+string(version), 1000)
	for _, entry := range []struct {
		name string
		body []byte
	}{{manifest.ManifestName, raw}, {"bin/sample", []byte(program)}} {
		must(t, archive.WriteHeader(&tar.Header{Name: entry.name, Mode: 0o755,
			Size: int64(len(entry.body)), Typeflag: tar.TypeReg}))
		_, err := archive.Write(entry.body)
		must(t, err)
	}
	must(t, archive.Close())
	must(t, z.Close())
	return packed.Bytes()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
