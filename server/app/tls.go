package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"connecthub/hub/seal"
)

// How long the hub's own certificates hold. The CA is what nodes are given at their set-up; the
// leaf is made anew at a start when little of it is left or other names are configured.
const (
	caYears   = 10
	leafDays  = 397
	leafRenew = 30 * 24 * time.Hour
)

// authority is the hub's own CA for the nodes' endpoint, kept in a directory.
type authority struct {
	dir  string
	seal *seal.Sealer
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// The names of the CA's and the leaf's files.
const (
	caName   = "ca"
	leafName = "node-api"
)

func certificatePlace(name string) seal.Place {
	return seal.Place{Purpose: seal.HubCertificate, Row: name}
}

// openAuthority reads the CA, or makes it at the first start.
func openAuthority(dir string, sealer *seal.Sealer, now time.Time) (*authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot create the directory of certificates: %w", err)
	}
	a := &authority{dir: dir, seal: sealer}
	pair, err := a.load(caName)
	if errors.Is(err, fs.ErrNotExist) {
		return a, a.create(now)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the hub's CA: %w", err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("cannot use the hub's CA: its key is not one of the hub's")
	}
	a.cert, a.key = pair.Leaf, key
	return a, nil
}

// load reads a certificate and its sealed key.
func (a *authority) load(name string) (tls.Certificate, error) {
	chain, err := os.ReadFile(a.path(name + ".pem"))
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := a.seal.ReadFile(certificatePlace(name), a.path(name+".key"))
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(chain, key)
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) create(now time.Time) error {
	template, err := certificate("Connect Hub nodes CA", now, now.AddDate(caYears, 0, 0))
	if err != nil {
		return err
	}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make the key of the hub's CA: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return fmt.Errorf("cannot make the hub's CA: %w", err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("cannot make the hub's CA: %w", err)
	}
	return a.write(caName, der, a.key)
}

// leaf reads the endpoint's certificate, or makes one for the names.
func (a *authority) leaf(names []string, now time.Time) (tls.Certificate, error) {
	pair, err := a.load(leafName)
	if err == nil && now.Before(pair.Leaf.NotAfter.Add(-leafRenew)) &&
		slices.Equal(sorted(namesOf(pair.Leaf)), sorted(names)) &&
		pair.Leaf.CheckSignatureFrom(a.cert) == nil {
		return pair, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return tls.Certificate{}, fmt.Errorf("cannot read the node API's certificate: %w", err)
	}
	template, err := certificate(names[0], now, now.AddDate(0, 0, leafDays))
	if err != nil {
		return tls.Certificate{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot make the node API's key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot make the node API's certificate: %w", err)
	}
	if err := a.write(leafName, der, key); err != nil {
		return tls.Certificate{}, err
	}
	return a.load(leafName)
}

func certificate(name string, from, to time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("cannot make a serial number: %w", err)
	}
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: from.Add(-time.Hour), NotAfter: to}, nil
}

// write puts the key down before the certificate: a certificate without its key would be read.
func (a *authority) write(name string, der []byte, key *ecdsa.PrivateKey) error {
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("cannot write %s's key: %w", name, err)
	}
	err = a.seal.WriteFile(certificatePlace(name), a.path(name+".key"),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	if err == nil {
		err = writeWhole(a.path(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
			Bytes: der}), 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot write certificate %s: %w", name, err)
	}
	return nil
}

// writeWhole makes a file appear whole, on disk, or not at all.
func writeWhole(path string, content []byte, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

func namesOf(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }
