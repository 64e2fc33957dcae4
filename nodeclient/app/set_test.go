package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/nodeclient/enroll"
)

// pair writes a certificate and a key into files of their own.
func pair(t *testing.T, name string, until time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), DNSNames: []string{name},
		NotBefore: until.Add(-24 * time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der},
		key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestThePagesCertificateIsReplacedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if code, _, e := call(t, p.setup()...); code != 0 {
		t.Fatal(e)
	}
	serial := func() int64 {
		c, err := enroll.PageCertificate(p.dir, "cc-pub.example.com", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.SerialNumber.Int64()
	}
	cert, key := pair(t, "cc-pub.example.com", time.Now().Add(time.Hour))
	foreign, foreignKey := pair(t, "other.example.com", time.Now().Add(time.Hour))
	old, oldKey := pair(t, "cc-pub.example.com", time.Now().Add(-time.Hour))
	set := func(more ...string) []string {
		return append([]string{"set", "certificate", "--dir", p.dir}, more...)
	}
	for says, args := range map[string][]string{
		"not for this node":   set("--cert", foreign, "--key", foreignKey),
		"is good from":        set("--cert", old, "--key", oldKey),
		"with this key":       set("--cert", cert, "--key", foreignKey),
		"give --cert FILE":    set("--cert", cert),
		"or --self-signed al": set("--cert", cert, "--key", key, "--self-signed"),
	} {
		if code, _, e := call(t, args...); code == 0 || !strings.Contains(e, says) {
			t.Errorf("%s: %d %s", says, code, e)
		}
	}
	if serial() == 7 {
		t.Error("a refused certificate is in place")
	}
	if code, _, e := call(t, set("--cert", cert, "--key", key)...); code != 0 || serial() != 7 {
		t.Errorf("%s, serial %d", e, serial())
	}
	if info, err := os.Stat(filepath.Join(p.dir, "page.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if code, _, e := call(t, set("--self-signed")...); code != 0 || serial() == 7 {
		t.Errorf("%s, serial %d", e, serial())
	}
}

func TestTheApplicationUserIsChangedByAFile(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if code, _, e := call(t, p.setup()...); code != 0 {
		t.Fatal(e)
	}
	file := filepath.Join(t.TempDir(), "new")
	if err := os.WriteFile(file, []byte("another good one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	set := []string{"set", "application-user", "--dir", p.dir}
	if code, _, e := call(t, set...); code == 0 || !strings.Contains(e, "--password-file") {
		t.Errorf("without a terminal: %d %s", code, e)
	}
	code, out, e := call(t, append(set, "--name", "operator", "--password-file", file)...)
	if code != 0 || !strings.Contains(out, "operator") || strings.Contains(out, "another good") {
		t.Errorf("%d %s %s", code, out, e)
	}
	c, err := enroll.LoadConfig(p.dir)
	if err != nil || !c.CheckPassword("operator", "another good one") ||
		c.CheckPassword("administrator", "a good password") {
		t.Errorf("%+v, %v", c.AppUser, err)
	}
}

func TestARegistrationAtTheShellNeedsToKnowWhomToAccept(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if code, _, e := call(t, p.setup()...); code != 0 {
		t.Fatal(e)
	}
	if code, _, e := call(t, "register", "--dir", p.dir); code == 0 ||
		!strings.Contains(e, "--accept-organization") {
		t.Errorf("without a terminal: %d %s", code, e)
	}
	if code, _, e := call(t, "register", "--dir", p.dir, "--accept-organization", "Acme"); code == 0 ||
		!strings.Contains(e, "in no cluster") {
		t.Errorf("in no cluster: %d %s", code, e)
	}
}

func TestStatusTellsWhatBecameOfRegistrations(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if code, _, e := call(t, p.setup("--environment", "production")...); code != 0 {
		t.Fatal(e)
	}
	events, err := json.Marshal([]enroll.Event{{At: time.Now(), What: enroll.EventEnded,
		Organization: "Mallory", Why: "other_session"}})
	if err == nil {
		err = os.WriteFile(filepath.Join(p.dir, "registrations.json"), events, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	code, out, e := call(t, "status", "--dir", p.dir)
	if code != 0 || !strings.Contains(out, "Nothing was registered to Mallory.") ||
		!strings.Contains(out, "another browser session") {
		t.Errorf("%d %s %s", code, out, e)
	}
}
