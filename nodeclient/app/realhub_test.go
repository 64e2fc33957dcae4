package app_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
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
	"connecthub/nodeclient/host"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/hosttest"
	"connecthub/nodeclient/host/supervise"
)

// realHub is the hub with its real handlers and database, and a switch that takes it off the network.
type realHub struct {
	t       *testing.T
	store   *store.Store
	keys    *keys.Hub
	fleet   *fleet.Fleet
	server  *httptest.Server
	org     models.OrganizationID
	cluster models.ClusterID
	away    atomic.Bool
}

func newRealHub(t *testing.T) *realHub {
	t.Helper()
	h := &realHub{t: t, store: storetest.Open(t, filepath.Join(t.TempDir(), "hub.db"))}
	secret, err := seal.NewKey()
	h.must(err)
	sealer, err := seal.New(secret)
	h.must(err)
	h.keys, err = keys.LoadOrCreate(t.TempDir(), sealer)
	h.must(err)
	now := time.Now().UTC()
	org := models.Organization{Name: "Acme", NameKey: "acme", Zone: "UTC", Language: "en", CreatedAt: now}
	c := models.Cluster{DisplayName: "Tokyo", NameKey: "tokyo", FQDN: "cc-pub.example.com", Channel: "stable",
		RegisteredAt: now, Zone: "UTC", RegularTime: "03:00", RegularDays: 127, RegularMinutes: 120,
		EmergencyTime: "03:00", EmergencyMinutes: 120, ScheduleVersion: 1, ScheduleFrom: now, EmergencyFrom: now}
	h.must(h.store.Update(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Hub().InitHubState(now); err != nil {
			return err
		}
		if err := tx.Hub().CreateOrganization(&org); err != nil {
			return err
		}
		return tx.In(org.ID).CreateCluster(&c)
	}))
	h.org, h.cluster = org.ID, c.ID
	quiet := slog.New(slog.DiscardHandler)
	h.fleet, err = fleet.New(fleet.Options{Store: h.store, Keys: h.keys, Now: time.Now, Log: quiet,
		PublicURL: "https://hub.example.com"})
	h.must(err)
	h.must(h.fleet.Load(t.Context()))
	e := handlers.New(handlers.Options{Now: time.Now, Log: quiet})
	nodeapi.Register(e, h.fleet)
	h.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.away.Load() {
			w.WriteHeader(http.StatusBadGateway) // as a proxy says it
			return
		}
		e.ServeHTTP(w, r)
	}))
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

// machine is one node: a folder, services that answer on a port, perhaps an agent.
type machine struct {
	t     *testing.T
	dir   string
	port  int
	agent *exec.Cmd
	log   *os.File
}

// machine makes a folder with version 1.0 running. With a hub, it is a registered member.
func newMachine(t *testing.T, h *realHub, name models.FQDN, role models.NodeRole) *machine {
	t.Helper()
	m := &machine{t: t}
	m.dir, m.port = hosttest.Dir(t)
	c := enroll.Config{Hub: "https://hub.example.com", FQDN: name, AppUser: "admin", AppPasswordHash: "none",
		PageListen: "127.0.0.1:0", HubPin: "sha256:" + string(bytes.Repeat([]byte("0"), 64))}
	if h != nil {
		c.Hub, c.HubPin = h.server.URL, ""
		h.register(m.dir, name, role)
	}
	if err := c.Save(m.dir); err != nil {
		t.Fatal(err)
	}
	hosttest.Install(t, m.dir, hosttest.Sample(t, "1.0", nil))
	t.Cleanup(m.ends)
	m.does(t, 0, "start-services", "--dir", m.dir)
	m.answers("1.0")
	return m
}

// register writes what a registration leaves: the row at the hub, the identity in the folder.
func (h *realHub) register(dir string, name models.FQDN, role models.NodeRole) {
	h.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	h.must(err)
	jwk, now := wire.KeyOf(public), time.Now().UTC()
	text, err := json.Marshal(jwk)
	h.must(err)
	n := models.Node{ClusterID: h.cluster, Name: name, Role: role, Member: models.MemberActive,
		KeyThumb: jwk.Thumbprint(), PublicKey: string(text), JoinedAt: &now, Version: "1.0", PolledSince: true,
		Protocol: wire.Protocol, Step: models.StepIdle, Health: models.HealthUnknown}
	h.must(h.store.Update(h.t.Context(), func(tx *store.Tx) error { return tx.In(h.org).CreateNode(&n) }))
	h.must(h.fleet.Load(h.t.Context()))
	der, err := x509.MarshalPKCS8PrivateKey(private)
	h.must(err)
	identity, err := json.Marshal(wire.Identity{HubID: "hub", Organization: "Acme", ClusterID: h.cluster,
		DisplayName: "Tokyo", NodeID: n.ID, Role: role, HubKey: h.keys.Public()})
	h.must(err)
	for file, raw := range map[string][]byte{
		"hub-ca.pem":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.server.Certificate().Raw}),
		"node.key":      pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		"identity.json": identity,
	} {
		h.must(os.WriteFile(filepath.Join(dir, file), raw, 0o600))
	}
}

// records counts the audit records of an action.
func (h *realHub) records(action fleet.Action) (n int) {
	h.t.Helper()
	h.must(h.store.View(h.t.Context(), func(tx *store.Tx) error {
		all, err := tx.In(h.org).Audit(store.AuditQuery{ClusterID: h.cluster})
		for _, r := range all {
			if r.Action == string(action) {
				n++
			}
		}
		return err
	}))
	return n
}

func (h *realHub) open() (open []models.Permit) {
	h.t.Helper()
	h.must(h.store.View(h.t.Context(), func(tx *store.Tx) (err error) {
		open, err = tx.Hub().OpenPermits()
		return err
	}))
	return open
}

// nodeProgram is the node's program in a process of its own.
func nodeProgram(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), actAsNode+"=1", "LC_ALL=C")
	return cmd
}

// does runs a command in a script and wants its exit code; it answers all that it wrote.
func (m *machine) does(t *testing.T, want int, args ...string) string {
	t.Helper()
	drives.at("script", args)
	out, err := nodeProgram(args...).CombinedOutput()
	var failed *exec.ExitError
	code := 0
	if errors.As(err, &failed) {
		code = failed.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if code != want {
		t.Fatalf("%v: exit code %d, want %d\n%s", args, code, want, out)
	}
	return string(out)
}

func (m *machine) answers(version string) {
	m.t.Helper()
	hosttest.Await(m.t, "port "+strconv.Itoa(m.port)+" answers "+version, func() bool {
		return hosttest.Answer(m.port) == version
	})
}

// runs starts the agent.
func (m *machine) runs() {
	m.t.Helper()
	var err error
	m.log, err = os.OpenFile(filepath.Join(m.dir, "agent.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		m.t.Fatal(err)
	}
	m.agent = nodeProgram("run", "--dir", m.dir)
	m.agent.Stdout, m.agent.Stderr = m.log, m.log
	if err := m.agent.Start(); err != nil {
		m.t.Fatal(err)
	}
}

// dies ends the agent as a crash would.
func (m *machine) dies() {
	if m.agent == nil {
		return
	}
	_ = m.agent.Process.Kill()
	_ = m.agent.Wait()
	_ = m.log.Close()
	m.agent = nil
}

func (m *machine) ends() {
	m.dies()
	_, _ = supervise.Client{Dir: m.dir}.Shutdown(context.Background())
	if m.t.Failed() {
		text, _ := os.ReadFile(filepath.Join(m.dir, "agent.log"))
		m.t.Logf("%s:\n%s", m.dir, text)
	}
}

// offers puts a bundle into the local repository.
func (m *machine) offers(version models.Version, edit func(*bundle.Manifest)) hosttest.Bundle {
	m.t.Helper()
	b := hosttest.Sample(m.t, version, edit)
	folder := filepath.Join(m.dir, "repository")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "cc-"+string(version)+".tar.zst"), b.Raw, 0o600); err != nil {
		m.t.Fatal(err)
	}
	return b
}

// slots are what is installed.
func (m *machine) slots() (active, inactive string) {
	m.t.Helper()
	s, err := host.ViewSlots(m.dir)
	if err == nil {
		active, err = s.Active()
	}
	if err == nil {
		inactive, err = s.Previous()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return active, inactive
}

// polls waits until every node is heard healthy.
func (h *realHub) polls(names ...models.FQDN) {
	h.t.Helper()
	hosttest.Await(h.t, "the hub hears every node", func() bool {
		v, err := h.fleet.Cluster(h.t.Context(), models.Actor{Organization: h.org}, h.cluster)
		h.must(err)
		return !slices.ContainsFunc(v.Nodes, func(n fleet.NodeView) bool {
			return slices.Contains(names, n.Name) && (!n.Online || n.Health != models.Healthy || n.Step != models.StepIdle)
		})
	})
}
