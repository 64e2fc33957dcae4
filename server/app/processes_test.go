package app_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

// asServer makes this test program the hub's: a process of its own, with a real start and end.
const asServer = "CONNECTHUB_TEST_AS_SERVER"

// hubs are processes of one hub over one PostgreSQL database.
type hubs struct {
	t        *testing.T
	dir, dsn string
	store    *store.Store
	client   *http.Client
	one      []*hubProcess
	org      models.OrganizationID
	password string
	cookie   string
	signed   time.Time
}

type hubProcess struct {
	cmd           *exec.Cmd
	console, node string
}

// startHubs migrates the database and starts so many hubs over it.
func startHubs(t *testing.T, dsn string, count int) *hubs {
	t.Helper()
	h := &hubs{t: t, dir: filepath.Join(t.TempDir(), "data"), dsn: filepath.Join(t.TempDir(), "dsn")}
	h.must(os.WriteFile(h.dsn, []byte(dsn), 0o600))
	var err error
	h.store, err = store.Open(t.Context(), store.Options{DSN: dsn, Now: time.Now})
	h.must(err)
	t.Cleanup(func() { _ = h.store.Close() })
	for range count {
		h.one = append(h.one, h.start())
	}
	text, err := os.ReadFile(filepath.Join(h.dir, "tls", "ca.pem"))
	h.must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	h.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 32}}
	t.Cleanup(h.client.CloseIdleConnections)
	h.must(h.store.View(t.Context(), func(tx *store.Tx) error {
		user, err := tx.Hub().UserByEmail("admin@example.com")
		h.org = user.OrganizationID
		return err
	}))
	return h
}

func (h *hubs) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

var readyLine = regexp.MustCompile(`hub is ready.* console=(\S+) nodes=\S+:(\d+)`)

// start runs one process until the test ends.
func (h *hubs) start() *hubProcess {
	h.t.Helper()
	p := &hubProcess{cmd: exec.Command(os.Args[0], "serve", "--data", h.dir, "--dsn-file", h.dsn,
		"--migrate", "--listen", "127.0.0.1:0", "--node-listen", "127.0.0.1:0")}
	p.cmd.Env = append(os.Environ(), asServer+"=1")
	out, err := p.cmd.StdoutPipe()
	h.must(err)
	p.cmd.Stderr = p.cmd.Stdout
	h.must(p.cmd.Start())
	h.t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	lines, ready := bufio.NewScanner(out), make(chan bool, 1)
	var text strings.Builder
	go func() {
		for lines.Scan() {
			if m := regexp.MustCompile(`^Password: (\S+)$`).FindStringSubmatch(lines.Text()); m != nil {
				h.password = m[1]
			}
			if m := readyLine.FindStringSubmatch(lines.Text()); m != nil {
				p.console, p.node = m[1], "https://localhost:"+m[2]
				break
			}
			fmt.Fprintln(&text, lines.Text())
		}
		ready <- p.node != ""
		_, _ = io.Copy(io.Discard, out)
	}()
	select {
	case ok := <-ready:
		if !ok {
			h.t.Fatalf("the hub did not start:\n%s", text.String())
		}
	case <-time.After(time.Minute):
		h.t.Fatal("the hub is not ready within a minute")
	}
	return p
}

// admin calls the admin API of one process; it signs in now and then.
func (h *hubs) admin(p *hubProcess, method, path string, body any) (int, string) {
	h.t.Helper()
	if time.Since(h.signed) > 2*time.Minute {
		h.cookie = ""
		status, text, header := h.console(p, "POST", "/session",
			map[string]string{"email": "admin@example.com", "password": h.password})
		if status != http.StatusOK {
			h.t.Fatalf("no sign-in: %d %s", status, text)
		}
		h.cookie, _, _ = strings.Cut(header.Get("Set-Cookie"), ";")
		h.signed = time.Now()
	}
	status, text, _ := h.console(p, method, path, body)
	return status, text
}

func (h *hubs) console(p *hubProcess, method, path string, body any) (int, string, http.Header) {
	h.t.Helper()
	raw, err := json.Marshal(body)
	h.must(err)
	req, err := http.NewRequestWithContext(h.t.Context(), method, p.console+"/api/admin/v1"+path,
		strings.NewReader(string(raw)))
	h.must(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if h.cookie != "" {
		req.Header.Set("Cookie", h.cookie)
	}
	res, err := http.DefaultClient.Do(req)
	h.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	h.must(err)
	return res.StatusCode, string(text), res.Header
}

// poller is a node that one of the hubs answers.
type poller struct {
	hubs    *hubs
	hub     *hubProcess
	id      models.NodeID
	key     ed25519.PrivateKey
	token   string
	nonce   string
	counter uint64
	answers []answered
}

// answered is one poll: when it began, and what came of it.
type answered struct {
	began time.Time
	code  string // empty: it succeeded
}

// cluster registers a cluster of so many nodes behind the hubs' back, as another hub might have.
func (h *hubs) cluster(name string, nodes int) (models.ClusterID, []*poller) {
	h.t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	opposite := now.Add(12 * time.Hour).Format("15:04")
	c := models.Cluster{DisplayName: name, NameKey: models.FoldName(name),
		FQDN: models.FQDN(name + ".example.com"), Channel: "stable", RegisteredAt: now, Zone: "UTC",
		RegularTime: opposite, RegularDays: 127, RegularMinutes: 120, EmergencyTime: opposite,
		EmergencyMinutes: 120, ScheduleVersion: 1, ScheduleFrom: now, EmergencyFrom: now}
	pollers := make([]*poller, nodes)
	h.must(h.store.Update(h.t.Context(), func(tx *store.Tx) error {
		in := tx.In(h.org)
		row := c
		if err := in.CreateCluster(&row); err != nil {
			return err
		}
		c.ID = row.ID
		for i := range pollers {
			public, private, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return err
			}
			jwk := wire.KeyOf(public)
			text, err := json.Marshal(jwk)
			if err != nil {
				return err
			}
			n := models.Node{ClusterID: c.ID, Name: models.FQDN(fmt.Sprintf("n%d.%s", i, c.FQDN)),
				Role: models.Subscriber, Member: models.MemberActive, KeyThumb: jwk.Thumbprint(),
				PublicKey: string(text), JoinedAt: &now, Version: "1.0.0", Protocol: wire.Protocol,
				Step: models.StepIdle, Health: models.HealthUnknown}
			if err := in.CreateNode(&n); err != nil {
				return err
			}
			pollers[i] = &poller{hubs: h, hub: h.one[i%len(h.one)], id: n.ID, key: private}
		}
		return nil
	}))
	return c.ID, pollers
}

func (p *poller) post(ctx context.Context, path, proof string, body any, into any) (string, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.hub.node+path,
		strings.NewReader(string(raw)))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	if proof != "" {
		req.Header.Set("Authorization", "DPoP "+p.token)
		req.Header.Set(wire.HeaderProof, proof)
	}
	res, err := p.hubs.client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if nonce := res.Header.Get(wire.HeaderNonce); nonce != "" {
		p.nonce = nonce
	}
	if res.StatusCode < 300 {
		return "", json.Unmarshal(text, into)
	}
	var problem wire.Problem
	if err := json.Unmarshal(text, &problem); err != nil {
		return "", fmt.Errorf("%d %s", res.StatusCode, text)
	}
	return problem.Code, nil
}

func (p *poller) login(ctx context.Context) error {
	for try := 0; ; try++ {
		t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"iss": p.id, "sub": p.id,
			"aud": wire.Audience, "jti": rand.Text(), "nonce": p.nonce, "gen": 1,
			"mark": "a node of a test"})
		t.Header["typ"] = wire.TypeAssertion
		t.Header["jwk"] = wire.KeyOf(p.key.Public().(ed25519.PublicKey))
		text, err := t.SignedString(p.key)
		if err != nil {
			return err
		}
		var answer wire.TokenResponse
		code, err := p.post(ctx, wire.PathToken, "", wire.TokenRequest{Assertion: text}, &answer)
		switch {
		case err != nil:
			return err
		case code == "":
			p.token = answer.AccessToken
			return nil
		case try > 0 || code != wire.CodeUseNonce:
			return fmt.Errorf("no token: %s", code)
		}
	}
}

// poll asks once, and once more over a new nonce; the second time is a request of its own.
func (p *poller) poll(ctx context.Context) (answered, error) {
	for try := 0; ; try++ {
		sum := sha256.Sum256([]byte(p.token))
		proof, err := wire.NewProver(p.key).Sign(wire.ProofClaims{Method: http.MethodPost,
			TokenHash: base64.RawURLEncoding.EncodeToString(sum[:]), URI: p.hub.node + wire.PathPoll,
			ID: rand.Text(), Nonce: p.nonce})
		if err != nil {
			return answered{}, err
		}
		p.counter++
		a := answered{began: time.Now()}
		var answer wire.PollResponse
		a.code, err = p.post(ctx, wire.PathPoll, proof, wire.PollRequest{Protocol: wire.Protocol,
			ClientVersion: "test", Version: "1.0.0", Step: models.StepIdle, Health: models.Healthy,
			BootID: "boot", FactsDigest: "facts", Counter: p.counter, Clock: time.Now()}, &answer)
		if err != nil || a.code != wire.CodeUseNonce || try > 0 {
			return a, err
		}
	}
}
