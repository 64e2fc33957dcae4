package enroll_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/enroll"
)

func join(t *testing.T, dir, peer, secret string) error {
	t.Helper()
	return enroll.JoinCluster(t.Context(), dir, "127.0.0.1:0", string(publisher), peer, secret,
		time.Now())
}

// serving waits until the publisher listens.
func serving(t *testing.T, e *enroll.Enrollment, peer string) {
	t.Helper()
	background(t, func(ctx context.Context) error { return e.ServePeers(ctx) })
	eventually(t, "the publisher listens", func() bool {
		c, err := net.DialTimeout("tcp", peer, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func TestASubscriberJoinsThroughItsPublisher(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	pubDir, secret, peer := newPublisher(t, h)
	pub := open(t, pubDir)
	serving(t, pub, peer)
	subDir := setUp(t, h, subscriber)
	if err := join(t, subDir, peer, secret); err != nil {
		t.Fatal(err)
	}
	if names, err := enroll.Members(pubDir); err != nil || !slices.Equal(names, []models.FQDN{subscriber}) {
		t.Fatalf("members %v, %v", names, err)
	}
	if err := join(t, subDir, peer, secret); err == nil {
		t.Error("a node joined twice")
	}
	register(t, h, pub)
	if got := h.claims[0].Members; !slices.Equal(got, []models.FQDN{publisher, subscriber}) {
		t.Errorf("the publisher claims members %v", got)
	}
	sub := open(t, subDir)
	background(t, func(ctx context.Context) error {
		return sub.FollowPublisher(ctx, func(err error) { t.Log(err) })
	})
	eventually(t, "the subscriber is registered", func() bool { return sub.Identity() != nil })
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.claims[1]; c.FQDN != subscriber || c.Role != "subscriber" {
		t.Errorf("the subscriber claims %+v", c)
	}
	if !slices.Equal(h.tickets, []models.FQDN{subscriber}) {
		t.Errorf("tickets were asked for %v", h.tickets)
	}
	if err := filesAreTheOwners(subDir); err != nil {
		t.Error(err)
	}
}

func TestOnlyTheSecretLetsANodeJoin(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	pubDir, secret, peer := newPublisher(t, h)
	serving(t, open(t, pubDir), peer)
	raw, err := os.ReadFile(secret)
	if err != nil {
		t.Fatal(err)
	}
	var good enroll.Secret
	if err := json.Unmarshal(raw, &good); err != nil {
		t.Fatal(err)
	}
	changes := map[string]func(s *enroll.Secret){
		"a wrong secret":        func(s *enroll.Secret) { s.Secret = strings.Repeat("0", 64) },
		"another CA":            func(s *enroll.Secret) { s.CAHash = strings.Repeat("0", 64) },
		"another publisher":     func(s *enroll.Secret) { s.Publisher = "cc-other.example.com" },
		"a lapsed secret":       func(s *enroll.Secret) { s.Expires = time.Now().Add(-time.Second) },
		"no secret to speak of": func(s *enroll.Secret) { s.Secret = "" },
	}
	for name, change := range changes {
		s := good
		change(&s)
		path := filepath.Join(t.TempDir(), "secret.json")
		text, _ := json.Marshal(s)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		dir := setUp(t, h, subscriber)
		if err := join(t, dir, peer, path); err == nil {
			t.Errorf("%s: joined", name)
		}
		if c, err := enroll.LoadConfig(dir); err != nil || c.Role != "" {
			t.Errorf("%s: role %q, %v", name, c.Role, err)
		}
	}
	if names, err := enroll.Members(pubDir); err != nil || len(names) != 0 {
		t.Errorf("members %v, %v", names, err)
	}
	// A new secret ends the one before.
	if err := enroll.NewSecret(pubDir, filepath.Join(t.TempDir(), "new.json"), time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := join(t, setUp(t, h, subscriber), peer, secret); err == nil {
		t.Error("the secret before the last one lets a node join")
	}
}

// TestNobodyInBetweenCanJoin lets a man in the middle end the TLS on both sides and pass every byte
// on: first with a certificate of his own, then even with the publisher's own name in it.
func TestNobodyInBetweenCanJoin(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	pubDir, secret, peer := newPublisher(t, h)
	serving(t, open(t, pubDir), peer)
	var reached atomic.Int64
	middle, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS13,
		Certificates: []tls.Certificate{selfSigned(t, string(publisher))}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = middle.Close() })
	go func() {
		for {
			in, err := middle.Accept()
			if err != nil {
				return
			}
			go pass(in, peer, &reached)
		}
	}()
	dir := setUp(t, h, subscriber)
	if err := join(t, dir, middle.Addr().String(), secret); err == nil {
		t.Error("a subscriber joined through a man in the middle")
	}
	if reached.Load() != 0 {
		t.Error("the man in the middle was told something")
	}
}

// pass relays what a deceived client says.
func pass(in net.Conn, to string, reached *atomic.Int64) {
	defer in.Close()
	out, err := tls.Dial("tcp", to, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer out.Close()
	go func() { _, _ = io.Copy(in, out) }()
	n, _ := io.Copy(out, in)
	reached.Add(n)
}

func TestAProofIsWorthNothingOnAnotherConnection(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	pubDir, _, peer := newPublisher(t, h)
	serving(t, open(t, pubDir), peer)
	body := `{"fqdn":"cc-sub.example.com","csr":"x","proof":"` + strings.Repeat("0", 64) + `"}`
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	res, err := client.Post("https://"+peer+"/peer/v1/join", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("a forged proof: %d", res.StatusCode)
	}
	if names, _ := enroll.Members(pubDir); len(names) != 0 {
		t.Errorf("members %v", names)
	}
}

func TestOnlyAMemberGetsAJoinTicket(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	pubDir, secret, peer := newPublisher(t, h)
	pub := open(t, pubDir)
	serving(t, pub, peer)
	subDir := setUp(t, h, subscriber)
	if err := join(t, subDir, peer, secret); err != nil {
		t.Fatal(err)
	}
	register(t, h, pub)
	member, err := tls.LoadX509KeyPair(filepath.Join(subDir, "cluster", "member.crt"),
		filepath.Join(subDir, "cluster", "member.key"))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(certs ...tls.Certificate) int {
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, Certificates: certs}}}
		res, err := client.Post("https://"+peer+"/peer/v1/ticket", "application/json",
			strings.NewReader("{}"))
		if err != nil {
			return 0
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	if got := ask(member); got != http.StatusOK {
		t.Errorf("a member: %d", got)
	}
	if got := ask(); got != http.StatusForbidden {
		t.Errorf("nobody: %d", got)
	}
	if got := ask(selfSigned(t, string(subscriber))); got == http.StatusOK {
		t.Errorf("a certificate of another CA: %d", got)
	}
	if err := enroll.RemoveMember(pubDir, subscriber); err != nil {
		t.Fatal(err)
	}
	if got := ask(member); got != http.StatusForbidden {
		t.Errorf("a removed member: %d", got)
	}
	if err := enroll.RemoveMember(pubDir, subscriber); err == nil {
		t.Error("a member was removed twice")
	}
}

func TestARemovedMemberDoesNotComeBackWithItsOldSecret(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	pubDir, secret, peer := newPublisher(t, h)
	serving(t, open(t, pubDir), peer)
	if err := join(t, setUp(t, h, subscriber), peer, secret); err != nil {
		t.Fatal(err)
	}
	if err := enroll.RemoveMember(pubDir, subscriber); err != nil {
		t.Fatal(err)
	}
	if err := join(t, setUp(t, h, subscriber), peer, secret); err == nil {
		t.Error("a removed member joined again by the secret it had")
	}
}

func TestAClusterIsMadeOnce(t *testing.T) {
	t.Parallel()
	h := newTestHub(t)
	dir, secret, peer := newPublisher(t, h)
	before, err := os.ReadFile(filepath.Join(dir, "cluster", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := enroll.InitCluster(dir, peer, secret, time.Now()); err == nil {
		t.Error("a second cluster was made on a publisher")
	}
	after, err := os.ReadFile(filepath.Join(dir, "cluster", "ca.crt"))
	if err != nil || string(before) != string(after) {
		t.Errorf("the CA changed: %v", err)
	}
}

func selfSigned(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// otherCA is a CA that signed nothing.
func otherCA(t *testing.T) []byte {
	t.Helper()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: selfSigned(t, "other.example.com").Certificate[0]})
}
