package trust_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/nodeclient/vos/trust"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

type issued struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func issue(t *testing.T, by *issued, change func(*x509.Certificate)) issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "cc-pub.example.com"},
		DNSNames: []string{"cc-pub.example.com"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}
	if change != nil {
		change(c)
	}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return issued{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func ca(c *x509.Certificate) {
	c.Subject.CommonName, c.DNSNames, c.IsCA, c.BasicConstraintsValid = "Example CA", nil, true, true
	c.KeyUsage = x509.KeyUsageCertSign
}

func TestWhatIsImportedIsTrustedAndWhatIsDeletedIsNot(t *testing.T) {
	t.Parallel()
	s := trust.Open(t.TempDir())
	root := issue(t, nil, ca)
	server := issue(t, &root, func(c *x509.Certificate) { c.DNSNames = []string{"cc-sub.example.com"} })
	own := issue(t, nil, nil)
	all, err := trust.Parse(append(append([]byte("remarks\n"), root.pem...), own.pem...), now)
	if err != nil || len(all) != 2 || !all[0].CA || all[1].CA || all[1].Names[0] != "cc-pub.example.com" ||
		!all[1].Until.Equal(now.AddDate(1, 0, 0)) {
		t.Fatalf("%+v %v", all, err)
	}
	for range 2 { // again changes nothing
		if err := s.Import(all); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(c *x509.Certificate) error {
		pool, err := s.Pool()
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: now})
		return err
	}
	if err := errors.Join(verify(server.cert), verify(own.cert)); err != nil {
		t.Error(err)
	}
	if verify(issue(t, nil, nil).cert) == nil {
		t.Error("another one of that name is trusted")
	}
	listed, err := s.List()
	if err != nil || len(listed) != 2 || listed[0].Subject != "CN=Example CA" {
		t.Fatalf("%+v %v", listed, err)
	}
	colons := strings.ToUpper(listed[0].Fingerprint[:2]) + ":" + listed[0].Fingerprint[2:]
	if c, err := s.Delete(colons); err != nil || !c.CA {
		t.Errorf("%+v %v", c, err)
	}
	if verify(server.cert) == nil || verify(own.cert) != nil {
		t.Error("the wrong one was deleted")
	}
	if _, err := s.Delete(colons); !errors.Is(err, trust.ErrUnknown) {
		t.Errorf("%v", err)
	}
	if _, err := s.Delete("ab"); err == nil {
		t.Error("two digits name a certificate")
	}
}

func TestWhatMayNotBeTrustedIsRefusedWhole(t *testing.T) {
	t.Parallel()
	root := issue(t, nil, ca)
	leaf := issue(t, &root, nil)
	expired := issue(t, nil, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) })
	good := issue(t, nil, nil)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, good.cert, good.cert, &weak.PublicKey, good.key)
	if err != nil {
		t.Fatal(err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})
	forged := bytes.Clone(good.cert.Raw)
	forged[len(forged)-1] ^= 1
	for what, text := range map[string][]byte{
		"holds no certificate": []byte("x"), "signed by CN=Example CA": leaf.pem, "has expired": expired.pem,
		"and no key": append(bytes.Clone(good.pem), key...), "at most 10 ": bytes.Repeat(good.pem, 11),
		"at most 65536": bytes.Repeat([]byte("x"), trust.MaxPEM+1), "1024 bits": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"after the last":        append(bytes.Clone(good.pem), "-----BEGIN"...),
		"cannot read a certifi": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}),
		"is signed by":          pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: forged}),
	} {
		if _, err := trust.Parse(text, now); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestADamagedStoreTrustsNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := trust.Open(dir)
	all, err := trust.Parse(issue(t, nil, nil).pem, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Import(all); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.pem"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	for _, text := range [][]byte{nil, issue(t, nil, nil).pem} {
		if err := os.WriteFile(files[0], text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Pool(); err == nil {
			t.Error("a damaged store is used")
		}
	}
}
