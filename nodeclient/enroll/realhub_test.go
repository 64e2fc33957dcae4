package enroll_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"connecthub/handlers"
	"connecthub/handlers/nodeapi"
	"connecthub/hub/fleet"
	"connecthub/hub/keys"
	"connecthub/hub/seal"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
	"connecthub/models/wire"
	"connecthub/nodeclient/enroll"
)

// realHub is the hub with its real handlers and database, more than one process of it if asked,
// behind a network that its test spoils.
type realHub struct {
	t      testing.TB
	clock  *storetest.Clock
	dsn    string
	store  *store.Store
	keys   *keys.Hub
	fleets []*fleet.Fleet
	admin  models.Actor
	net    *network
	server *httptest.Server
	key    wire.JWK
}

func newRealHub(t testing.TB, replicas int) *realHub {
	t.Helper()
	return newRealHubOn(t, replicas, filepath.Join(t.TempDir(), "hub.db"))
}

func newRealHubOn(t testing.TB, replicas int, dsn string) *realHub {
	t.Helper()
	h := &realHub{t: t, clock: storetest.NewClock(), dsn: dsn}
	h.store = storetest.Open(t, h.dsn)
	h.clock.Advance(9 * time.Hour) // noon: no window opens for long
	secret, err := seal.NewKey()
	h.must(err)
	sealer, err := seal.New(secret)
	h.must(err)
	h.keys, err = keys.LoadOrCreate(t.TempDir(), sealer)
	h.must(err)
	h.key = h.keys.Public()
	org := models.Organization{Name: "Acme", NameKey: "acme", Zone: "UTC", Language: "en",
		CreatedAt: h.clock.Now()}
	h.must(h.store.Update(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Hub().InitHubState(h.clock.Now()); err != nil {
			return err
		}
		return tx.Hub().CreateOrganization(&org)
	}))
	h.admin = models.Actor{Kind: models.ActorUser, UserID: "ada", Name: "Ada",
		Organization: org.ID, Role: models.FullAdmin, SessionHash: "session"}
	h.net = &network{}
	for range replicas {
		h.serve()
	}
	h.server = httptest.NewUnstartedServer(h.net)
	h.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	h.server.StartTLS()
	t.Cleanup(h.server.Close)
	return h
}

func (h *realHub) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// serve starts one more process of the hub.
func (h *realHub) serve() {
	h.t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	f, err := fleet.New(fleet.Options{Store: h.store, Keys: h.keys, Now: h.clock.Now, Log: quiet,
		PublicURL: "https://hub.example.com"})
	h.must(err)
	h.must(f.Load(h.t.Context()))
	e := handlers.New(handlers.Options{Now: h.clock.Now, Log: quiet})
	nodeapi.Register(e, f)
	h.fleets, h.net.hubs = append(h.fleets, f), append(h.net.hubs, e)
}

// node is a folder that is registered as the publisher of a cluster of its own.
func (h *realHub) node(name models.FQDN) string {
	h.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	h.must(err)
	jwk, now := wire.KeyOf(public), h.clock.Now()
	text, err := json.Marshal(jwk)
	h.must(err)
	c := models.Cluster{DisplayName: string(name), NameKey: string(name), FQDN: name,
		Channel: "stable", RegisteredAt: now, Zone: "UTC", RegularTime: "03:00", RegularDays: 127,
		RegularMinutes: 120, EmergencyTime: "03:00", EmergencyMinutes: 120, ScheduleVersion: 1,
		ScheduleFrom: now, EmergencyFrom: now}
	n := models.Node{Name: name, Role: models.Publisher, Member: models.MemberActive,
		KeyThumb: jwk.Thumbprint(), PublicKey: string(text), JoinedAt: &now, Version: "1.0.0",
		Protocol: wire.Protocol, Step: models.StepIdle, Health: models.HealthUnknown}
	h.must(h.store.Update(h.t.Context(), func(tx *store.Tx) error {
		in := tx.In(h.admin.Organization)
		if err := in.CreateCluster(&c); err != nil {
			return err
		}
		n.ClusterID = c.ID
		return in.CreateNode(&n)
	}))
	for _, f := range h.fleets {
		h.must(f.Load(h.t.Context()))
	}
	return h.folder(name, private, wire.Identity{HubID: "hub", Organization: "Acme",
		ClusterID: c.ID, DisplayName: string(name), NodeID: n.ID, Role: models.Publisher,
		HubKey: h.key})
}

func (h *realHub) folder(name models.FQDN, private ed25519.PrivateKey, identity wire.Identity) string {
	h.t.Helper()
	dir := filepath.Join(h.t.TempDir(), "node")
	h.must(enroll.MakeDir(dir))
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.server.Certificate().Raw})
	der, err := x509.MarshalPKCS8PrivateKey(private)
	h.must(err)
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	config := enroll.Config{Hub: h.server.URL, FQDN: name, PageListen: "127.0.0.1:8445",
		AppUser: "admin", AppPasswordHash: "none", Role: models.Publisher}
	h.must(config.Save(dir))
	for file, v := range map[string]any{"hub-ca.pem": ca, "node.key": key, "identity.json": identity} {
		raw, ok := v.([]byte)
		if !ok {
			raw, err = json.Marshal(v)
			h.must(err)
		}
		h.must(os.WriteFile(filepath.Join(dir, file), raw, 0o600))
	}
	return dir
}

// open is the agent's start in a folder.
func (h *realHub) open(dir string, skew time.Duration, rotate time.Duration) *enroll.Enrollment {
	h.t.Helper()
	e, err := enroll.Open(enroll.Options{Dir: dir, ClientVersion: "1.0.0", RotateEvery: rotate,
		Version: func() models.Version { return "1.0.0" }, Busy: func() bool { return false },
		Now: func() time.Time { return h.clock.Now().Add(skew) }})
	h.must(err)
	return e
}

func (h *realHub) stored(dir string) models.Node {
	h.t.Helper()
	identity, err := enroll.ReadIdentity(dir)
	h.must(err)
	var n models.Node
	h.must(h.store.View(h.t.Context(), func(tx *store.Tx) error {
		n, err = tx.Hub().NodeByID(identity.NodeID)
		return err
	}))
	return n
}

// copyOf is the folder as it is now, elsewhere.
func (h *realHub) copyOf(dir string) string {
	h.t.Helper()
	to := filepath.Join(h.t.TempDir(), "copy")
	h.must(enroll.MakeDir(to))
	entries, err := os.ReadDir(dir)
	h.must(err)
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		h.must(err)
		h.must(os.WriteFile(filepath.Join(to, e.Name()), raw, 0o600))
	}
	return to
}
