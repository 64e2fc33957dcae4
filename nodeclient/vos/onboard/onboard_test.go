package onboard_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"golang.org/x/crypto/ssh"

	"connecthub/models/compat"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/vos"
	"connecthub/nodeclient/vos/onboard"
	"connecthub/nodeclient/vos/trust"
)

const (
	pubName  = "cc-pub.example.com"
	subName  = "cc-sub.example.com"
	password = "canary of a password"
)

// fake is a control node, or somebody who stands in its place.
type fake struct {
	*httptest.Server
	pem    []byte
	asked  atomic.Int64 // requests
	secret atomic.Int64 // of them with the password
	key    string       // its public SSH key
	begin  func() any   // what it answers to GET
	status int          // of its refusal, where it has no answer
	enter  func(http.ResponseWriter, *http.Request)
}

type shape struct {
	name  string
	from  time.Time
	until time.Time
}

func good(name string) shape {
	return shape{name, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)}
}

// begins serves TLS with a self-signed certificate of that shape.
func begins(t testing.TB, s shape) *fake {
	t.Helper()
	f := &fake{key: sshKey(t), status: http.StatusTeapot}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(f.answer))
	f.Config.ErrorLog = log.New(io.Discard, "", 0)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: s.name}, DNSNames: []string{s.name},
		NotBefore: s.from, NotAfter: s.until}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	f.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	f.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	f.StartTLS()
	t.Cleanup(f.Close)
	return f
}

// sshKey is one public key for all: making one of RSA takes long, and what is in it is not looked at here.
var sshKeyOnce = sync.OnceValues(func() (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	public, err := ssh.NewPublicKey(&key.PublicKey)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))) + " root@localhost", nil
})

func sshKey(t testing.TB) string {
	t.Helper()
	line, err := sshKeyOnce()
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	f.asked.Add(1)
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	_, given, _ := r.BasicAuth()
	if given == password || strings.Contains(string(body), password) {
		f.secret.Add(1)
	}
	switch {
	case r.Method != http.MethodGet && f.enter != nil:
		f.enter(w, r)
	case f.begin == nil:
		w.WriteHeader(f.status)
		_, _ = io.WriteString(w, `{"code":"application_user_required"}`)
	default:
		_ = json.NewEncoder(w).Encode(f.begin())
	}
}

func (f *fake) says(v any) { f.begin = func() any { return v } }

func (f *fake) publishes(subs ...string) {
	b := vosapi.Begin{Protocol: 1, Key: vosapi.Key{Category: "PUBLISHER", HostName: pubName, PublicKey: f.key},
		Publisher: pubName, Subscribers: subs}
	for _, s := range subs {
		b.Peers = append(b.Peers, vosapi.Key{Category: "SUBSCRIBER", HostName: s, PublicKey: f.key})
	}
	f.says(b)
}

// subscribes asks for the application user, as a subscriber does; it is never told.
func (f *fake) subscribes() { f.begin, f.status = nil, http.StatusUnauthorized }

// machine is a VVB that dials these, and trusts what it is told to.
type machine struct {
	t    testing.TB
	dir  string
	keys string
	m    *vos.Machine
	c    *onboard.Cluster
}

func newMachine(t testing.TB, dial map[string]string) *machine {
	t.Helper()
	base := t.TempDir()
	x := &machine{t: t, dir: filepath.Join(base, "vos"), keys: filepath.Join(base, "authorized_keys")}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	hostKey := filepath.Join(base, "host.pub")
	for path, text := range map[string][]byte{hostKey: ssh.MarshalAuthorizedKey(key), x.keys: []byte("# somebody else's\n")} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err = vos.Setup(x.dir, vos.Config{Name: "vvb1.example.com", Product: inventory.VVB, Type: inventory.Publisher,
		Cluster: "voice", AuthorizedKeys: x.keys, HostKeys: []string{hostKey}, Program: "/usr/bin/nodeclient",
		RestartCommand: []string{"/bin/false"}, Dial: dial}, nil, bundle.Values{})
	if err != nil {
		t.Fatal(err)
	}
	if x.m, err = vos.Open(x.dir, "1.0", time.Now, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if x.c, err = onboard.New(onboard.Options{Dir: x.dir, Machine: x.m, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *machine) trusts(all ...*fake) {
	x.t.Helper()
	for _, f := range all {
		certificates, err := trust.Parse(f.pem, time.Now())
		if err != nil {
			x.t.Fatal(err)
		}
		if err := trust.Open(x.dir).Import(certificates); err != nil {
			x.t.Fatal(err)
		}
	}
}

func (x *machine) onboard(verb onboard.Verb) (onboard.Record, error) {
	return x.c.Onboard(x.t.Context(), verb, onboard.Login{Publisher: pubName, User: "appadmin", Password: password,
		Language: "en"}, func(string) {})
}

// untouched says that nothing was changed: no key is in, nothing is remembered.
func (x *machine) untouched() bool {
	text, err := os.ReadFile(x.keys)
	_, known, readErr := onboard.Read(x.dir)
	return err == nil && string(text) == "# somebody else's\n" && !known && readErr == nil
}

func at(f *fake) string { return f.Listener.Addr().String() }

// plain answers every connection with text that is no TLS.
func plain(t testing.TB) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// attack is one case of the proof: who stands where, and what is said of it.
type attack struct {
	want  onboard.Code
	build func(t testing.TB) (dial map[string]string, trusted, evil []*fake)
}

func attacks() map[string]attack {
	pair := func(pub, sub *fake) map[string]string { return map[string]string{pubName: at(pub), subName: at(sub)} }
	honest := func(t testing.TB) (*fake, *fake) {
		pub, sub := begins(t, good(pubName)), begins(t, good(subName))
		pub.publishes(subName)
		sub.subscribes()
		return pub, sub
	}
	replaced := func(want onboard.Code, s shape, publisher bool, trusted bool) attack {
		return attack{want, func(t testing.TB) (map[string]string, []*fake, []*fake) {
			pub, sub := honest(t)
			evil := begins(t, s)
			evil.publishes(subName)
			known := []*fake{pub, sub}
			if trusted {
				known = append(known, evil)
			}
			if publisher {
				return pair(evil, sub), known, []*fake{evil}
			}
			evil.subscribes()
			return pair(pub, evil), known, []*fake{evil}
		}}
	}
	old := shape{pubName, time.Now().Add(-2 * time.Hour), time.Now().Add(-time.Hour)}
	all := map[string]attack{
		"another certificate of the publisher's name":  replaced(onboard.PublisherNotTrusted, good(pubName), true, false),
		"another certificate of the subscriber's name": replaced(onboard.SubscriberNotTrusted, good(subName), false, false),
		"a trusted certificate of another name":        replaced(onboard.PublisherOfOtherName, good("other.example.com"), true, true),
		"the subscriber with another's name":           replaced(onboard.SubscriberOfOtherName, good("other.example.com"), false, true),
		"an expired certificate":                       replaced(onboard.PublisherExpired, old, true, false),
	}
	all["no TLS at all"] = attack{onboard.PublisherUnreachable, func(t testing.TB) (map[string]string, []*fake, []*fake) {
		pub, sub := honest(t)
		return map[string]string{pubName: plain(t), subName: at(sub)}, []*fake{pub, sub}, nil
	}}
	all["a redirect to somebody else"] = attack{onboard.NoControlNode, func(t testing.TB) (map[string]string, []*fake, []*fake) {
		pub, sub := honest(t)
		evil := begins(t, good("evil.example.com"))
		evil.publishes()
		pub.Config.Handler = http.RedirectHandler(evil.URL, http.StatusTemporaryRedirect)
		return pair(pub, sub), []*fake{pub, sub, evil}, []*fake{evil}
	}}
	all["a trusted publisher that names a stranger"] = attack{onboard.SubscriberNotTrusted, func(t testing.TB) (map[string]string, []*fake, []*fake) {
		pub, _ := honest(t)
		evil := begins(t, good("evil.example.com"))
		evil.subscribes()
		pub.publishes("evil.example.com")
		return map[string]string{pubName: at(pub), "evil.example.com": at(evil)}, []*fake{pub}, []*fake{evil}
	}}
	return all
}

// Whoever stands in the place of a control node learns no password, and changes nothing.
func TestProof41NobodyInTheMiddleLearnsThePassword(t *testing.T) {
	t.Parallel()
	rounds, tried, failed := 5, 0, 0
	if os.Getenv("LONG") != "" {
		rounds = 60
	}
	for range rounds {
		for name, a := range attacks() {
			dial, trusted, evil := a.build(t)
			x := newMachine(t, dial)
			x.trusts(trusted...)
			_, err := x.onboard(onboard.Initiate)
			tried++
			learned := int64(0)
			for _, e := range evil {
				learned += e.secret.Load()
			}
			if !errors.Is(err, &onboard.Refusal{Code: a.want}) || learned > 0 || !x.untouched() {
				failed++
				t.Errorf("%s: %v, the password was learned %d times", name, err, learned)
			}
		}
	}
	// the guard removed: a machine that trusts whatever answers is found out
	pub, sub := begins(t, good(pubName)), begins(t, good(subName))
	evil := begins(t, good(pubName))
	evil.publishes(subName)
	x := newMachine(t, map[string]string{pubName: at(evil), subName: at(sub)})
	x.trusts(pub, sub, evil)
	if _, err := x.onboard(onboard.Initiate); err == nil || evil.secret.Load() == 0 {
		t.Errorf("the proof would not see a password that is learned: %v", err)
	}
	fmt.Printf("proof 4.1-onboard tried=%d failed=%d kinds=%d\n", tried, failed, len(attacks()))
}

func done(group string, trouble string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(vosapi.Onboarded{Protocol: 1, Group: group, Inventory: 4, Partial: trouble != "",
			Nodes: []vosapi.Outcome{{Name: "vvb1.example.com", Type: inventory.Publisher, Trouble: trouble}}})
	}
}

func TestARefusalTakesTheKeysAwayAgainAndIsSaidInItsOwnWords(t *testing.T) {
	t.Parallel()
	pub, sub := begins(t, good(pubName)), begins(t, good(subName))
	pub.publishes(subName)
	sub.subscribes()
	x := newMachine(t, map[string]string{pubName: at(pub), subName: at(sub)})
	x.trusts(pub, sub)
	for status, c := range map[int]struct{ body, says string }{
		409: {`{"code":"requirements_unmet","detail":"one\ntwo` + "\\u001b[2J" + `"}`, "one\ntwo [2J"},
		401: {`{}`, "the name or the password of the application user is wrong"},
		429: {`{}`, "too many wrong passwords were given to cc-pub.example.com"},
		500: {`<html>`, "what answers as cc-pub.example.com (HTTP 500) is no control node"},
		200: {`{"protocol":1,"nodes":[]}`, "is no control node of this version"},
	} {
		pub.enter = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, c.body)
		}
		_, err := x.onboard(onboard.Initiate)
		if err == nil || !strings.Contains(err.Error(), c.says) || !x.untouched() {
			t.Errorf("%d: %v", status, err)
		}
	}
	pub.enter = done("VVB-Cluster-1", "")
	r, err := x.onboard(onboard.Initiate)
	if err != nil || r.Group != "VVB-Cluster-1" || len(r.Keys) != 2 || r.Partial {
		t.Fatalf("%+v %v", r, err)
	}
	text, err := os.ReadFile(x.keys)
	if err != nil || !strings.HasPrefix(string(text), "# somebody else's\n") || strings.Count(string(text), "restrict,command=") != 2 ||
		strings.Contains(string(text), password) {
		t.Errorf("%s %v", text, err)
	}
	stored, err := os.ReadFile(filepath.Join(x.dir, "vos-onboarding.json"))
	if err != nil || strings.Contains(string(stored), password) {
		t.Errorf("%s %v", stored, err)
	}
	// a refused update leaves what was
	pub.enter = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "{}", http.StatusServiceUnavailable) }
	if _, err := x.onboard(onboard.Update); err == nil || x.untouched() {
		t.Errorf("%v", err)
	}
	if gone, err := x.c.Remove(t.Context(), nil, func(string) {}); err != nil || gone.Known || len(gone.Left) > 0 || !x.untouched() {
		t.Errorf("%+v %v", gone, err)
	}
}

func TestAnswersThatNoControlNodeGivesAreRefused(t *testing.T) {
	t.Parallel()
	pub, sub := begins(t, good(pubName)), begins(t, good(subName))
	pub.enter = done("VVB-Cluster-1", "")
	x := newMachine(t, map[string]string{pubName: at(pub), subName: at(sub)})
	x.trusts(pub, sub)
	begin := func(change func(*vosapi.Begin)) {
		b := vosapi.Begin{Protocol: 1, Key: vosapi.Key{Category: "PUBLISHER", HostName: pubName, PublicKey: pub.key},
			Publisher: pubName, Subscribers: []string{subName},
			Peers: []vosapi.Key{{Category: "SUBSCRIBER", HostName: subName, PublicKey: sub.key}}}
		change(&b)
		pub.says(b)
	}
	old, err := compat.Parse("12.6(1)ES2")
	if err != nil {
		t.Fatal(err)
	}
	sub.subscribes()
	for _, c := range []struct {
		says   string
		change func(*vosapi.Begin)
	}{
		{"cc-pub.example.com is the subscriber of the control nodes; give the publisher's name, cc-boss.example.com", func(b *vosapi.Begin) {
			b.Category, b.Publisher = "SUBSCRIBER", "cc-boss.example.com"
		}},
		{"calls itself cc-other.example.com", func(b *vosapi.Begin) { b.HostName = "cc-other.example.com" }},
		{"is no control node", func(b *vosapi.Begin) { b.Protocol = 2 }},
		{"is no control node", func(b *vosapi.Begin) { b.PublicKey = "ssh-rsa AAAA\ncommand=\"x\" ssh-rsa BBBB" }},
		{"is no control node", func(b *vosapi.Begin) { b.Subscribers = []string{"a b"} }},
		{"cc-pub.example.com has not heard of the key of cc-sub.example.com yet", func(b *vosapi.Begin) { b.Peers = nil }},
		{"has not heard of the key", func(b *vosapi.Begin) { b.Peers[0].Category = "PUBLISHER" }},
		{"is no control node", func(b *vosapi.Begin) { b.Peers[0].PublicKey = "x" }},
		{"CloudConnect has 12.6(1)ES2 and needs 12.6(1)ES3 or later", func(b *vosapi.Begin) { b.Version = old }},
	} {
		begin(c.change)
		if _, err := x.onboard(onboard.Initiate); err == nil || !strings.Contains(err.Error(), c.says) || !x.untouched() {
			t.Errorf("%s: %v", c.says, err)
		}
	}
	begin(func(*vosapi.Begin) {})
	for status, answer := range map[int]any{http.StatusOK: "x", http.StatusTeapot: nil} { // what stands in the subscriber's place
		sub.says(answer)
		if sub.status = status; answer == nil {
			sub.begin = nil
		}
		if _, err := x.onboard(onboard.Initiate); !errors.Is(err, &onboard.Refusal{Code: onboard.NoControlNode}) || !x.untouched() {
			t.Errorf("%d: %v", status, err)
		}
	}
	if sub.secret.Load() > 0 {
		t.Error("the subscriber was told the password")
	}
}

func TestANameIsAnFQDNOrItIsRefused(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{"CC-Pub.Example.com": pubName, pubName: pubName, "cc-pub": "", "10.0.0.1": "",
		"::1": "", "https://cc-pub.example.com": "", "cc-pub.example.com:8445": "", "": "", "a b.example.com": ""} {
		got, err := onboard.ParseName(typed)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", typed, got, err)
		}
	}
}

func TestEveryRefusalHasASentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, c := range onboard.Codes() {
		r := &onboard.Refusal{Code: c, About: "a|b|c|d|e"}
		ja := r.Sentence("ja")
		if r.Error() == "" || strings.Contains(r.Error()+ja, "{") || !strings.ContainsFunc(ja, func(r rune) bool {
			return unicode.In(r, unicode.Hiragana, unicode.Katakana)
		}) {
			t.Errorf("%s: %q %q", c, r.Error(), ja)
		}
	}
}
