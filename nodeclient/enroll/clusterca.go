package enroll

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/atomicfile"
)

// The files of the cluster's own mutual TLS, all in DIR/cluster.
const (
	clusterDir  = "cluster"
	caCertFile  = "ca.crt"
	caKeyFile   = "ca.key"
	certFile    = "member.crt"
	certKeyFile = "member.key"
	membersFile = "members.json"
	secretFile  = "secret.json"

	certLife = 10 * 365 * 24 * time.Hour
	// SecretTTL is how long a secret file lets members join.
	SecretTTL = 24 * time.Hour
	maxMember = 16
)

// Secret lets a subscriber join: it knows the publisher's CA by its hash and proves itself by the
// secret. It is handed over by the administrator, as a file.
type Secret struct {
	Publisher models.FQDN `json:"publisher"`
	CAHash    string      `json:"ca_sha256"`
	Secret    string      `json:"secret"`
	Expires   time.Time   `json:"expires"`
}

// InitCluster makes this node the publisher of a cluster of its own: CA, own certificate, secret
// file. It refuses a node that is in a cluster already.
func InitCluster(dir, peerListen, secretPath string, now time.Time) error {
	c, err := LoadConfig(dir)
	if err != nil {
		return err
	}
	if c.Role != "" {
		return fmt.Errorf("this node is %s of a cluster already", c.Role)
	}
	folder := filepath.Join(dir, clusterDir)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("cannot make the cluster's folder: %w", err)
	}
	if err := makeCA(folder, c.FQDN, now); err != nil {
		return err
	}
	key, err := newCertKey(folder)
	if err != nil {
		return err
	}
	text, err := issue(folder, c.FQDN, &key.PublicKey, now)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(folder, certFile), text, 0o600); err != nil {
		return err
	}
	if err := NewSecret(dir, secretPath, now); err != nil {
		return err
	}
	c.Role, c.PeerListen = models.Publisher, peerListen
	return c.Save(dir)
}

// NewSecret makes a new secret file; the one before lets nobody join any more.
func NewSecret(dir, path string, now time.Time) error {
	c, err := LoadConfig(dir)
	if err != nil {
		return err
	}
	ca, err := readCert(filepath.Join(dir, clusterDir, caCertFile))
	if err != nil {
		return fmt.Errorf("only the publisher has a cluster secret: %w", err)
	}
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return fmt.Errorf("cannot make a secret: %w", err)
	}
	hash := sha256.Sum256(ca.Raw)
	s := Secret{Publisher: c.FQDN, CAHash: hex.EncodeToString(hash[:]),
		Secret: hex.EncodeToString(random), Expires: now.Add(SecretTTL).UTC()}
	if err := atomicfile.WriteJSON(filepath.Join(dir, clusterDir, secretFile), s); err != nil {
		return err
	}
	return atomicfile.WriteJSON(path, s)
}

// ReadSecret reads a secret file and refuses one that has lapsed.
func ReadSecret(path string, now time.Time) (Secret, error) {
	var s Secret
	if err := atomicfile.ReadJSON(path, maxConfig, &s); err != nil {
		return s, err
	}
	if _, err := models.ParseFQDN(string(s.Publisher)); err != nil || len(s.Secret) != 64 ||
		len(s.CAHash) != 64 {
		return s, errors.New("this is no secret file of a cluster")
	}
	if !now.Before(s.Expires) {
		return s, errors.New("this secret file has lapsed; make a new one on the publisher with " +
			"\"nodeclient cluster secret\"")
	}
	return s, nil
}

// Members are the other members that the publisher knows; a subscriber knows none.
func Members(dir string) ([]models.FQDN, error) {
	var names []models.FQDN
	err := atomicfile.ReadJSON(filepath.Join(dir, clusterDir, membersFile), maxConfig, &names)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return names, err
}

// RemoveMember forgets a member; its certificate opens nothing any more, and the secret it joined
// with lets nobody join: NewSecret makes another.
func RemoveMember(dir string, name models.FQDN) error {
	names, err := Members(dir)
	if err != nil {
		return err
	}
	kept := names[:0]
	for _, n := range names {
		if n != name {
			kept = append(kept, n)
		}
	}
	if len(kept) == len(names) {
		return fmt.Errorf("%s is no member of this cluster", name)
	}
	if err := atomicfile.Remove(filepath.Join(dir, clusterDir, secretFile)); err != nil {
		return err
	}
	return atomicfile.WriteJSON(filepath.Join(dir, clusterDir, membersFile), kept)
}

func makeCA(folder string, name models.FQDN, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make the cluster's CA: %w", err)
	}
	template := certTemplate("Cluster CA of "+string(name), now)
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("cannot make the cluster's CA: %w", err)
	}
	if err := writeKey(filepath.Join(folder, caKeyFile), key); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(folder, caCertFile), certPEM(der), 0o600)
}

func certTemplate(name string, now time.Time) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		serial = big.NewInt(now.UnixNano())
	}
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certLife)}
}

// issue signs a member's certificate with the cluster's CA, for its name alone.
func issue(folder string, name models.FQDN, public *ecdsa.PublicKey, now time.Time) ([]byte, error) {
	ca, err := readCert(filepath.Join(folder, caCertFile))
	if err != nil {
		return nil, err
	}
	key, err := readKey(filepath.Join(folder, caKeyFile))
	if err != nil {
		return nil, err
	}
	template := certTemplate(string(name), now)
	template.DNSNames = []string{string(name)}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth,
		x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, public, key)
	if err != nil {
		return nil, fmt.Errorf("cannot issue a member's certificate: %w", err)
	}
	return certPEM(der), nil
}

func newCertKey(folder string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make a member's key: %w", err)
	}
	return key, writeKey(filepath.Join(folder, certKeyFile), key)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("cannot write a key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return atomicfile.Write(path, text, 0o600)
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func readCert(path string) (*x509.Certificate, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read a certificate: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return x509.ParseCertificate(block.Bytes)
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read a key: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read a key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds another kind of key", path)
	}
	return key, nil
}
