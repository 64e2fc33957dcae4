package enroll

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/atomicfile"
)

// The files of the page's certificate: the administrator's own pair in one, so that it is replaced
// whole, and the self-signed one that set-up makes.
const (
	ownPairFile  = "page.pem"
	selfCertFile = "page.crt"
	selfKeyFile  = "page.key"
)

// PageCertificate is the certificate of the node's own page: the administrator's own pair where one
// was set, otherwise a self-signed one.
func PageCertificate(dir string, name models.FQDN, now time.Time) (tls.Certificate, error) {
	own := filepath.Join(dir, ownPairFile)
	if _, err := os.Stat(own); err == nil {
		return tls.LoadX509KeyPair(own, own)
	}
	certPath, keyPath := filepath.Join(dir, selfCertFile), filepath.Join(dir, selfKeyFile)
	if _, err := os.Stat(certPath); errors.Is(err, os.ErrNotExist) {
		if err := selfSign(certPath, keyPath, name, now); err != nil {
			return tls.Certificate{}, err
		}
	}
	return tls.LoadX509KeyPair(certPath, keyPath)
}

func selfSign(certPath, keyPath string, name models.FQDN, now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make the page's certificate: %w", err)
	}
	template := certTemplate(string(name), now)
	template.DNSNames = []string{string(name)}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("cannot make the page's certificate: %w", err)
	}
	if err := writeKey(keyPath, key); err != nil {
		return err
	}
	return atomicfile.Write(certPath, certPEM(der), 0o600)
}

// SetPageCertificate replaces the certificate of the node's own page. It refuses a pair that does not
// belong together, is not for this node's name, or is not good now. A running agent shows it from the
// next connection on.
func SetPageCertificate(dir string, cert, key []byte, name models.FQDN, now time.Time) error {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("cannot use this certificate with this key: %w", err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return fmt.Errorf("cannot read the certificate: %w", err)
	}
	if err := leaf.VerifyHostname(string(name)); err != nil {
		return fmt.Errorf("cannot use a certificate that is not for this node: %w", err)
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return fmt.Errorf("cannot use a certificate that is good from %s to %s only",
			leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly))
	}
	both := append(append(append([]byte{}, cert...), '\n'), key...)
	return atomicfile.Write(filepath.Join(dir, ownPairFile), both, 0o600)
}

// SelfSignPage goes back to a self-signed certificate, a new one.
func SelfSignPage(dir string, name models.FQDN, now time.Time) error {
	err := selfSign(filepath.Join(dir, selfCertFile), filepath.Join(dir, selfKeyFile), name, now)
	if err != nil {
		return err
	}
	return atomicfile.Remove(filepath.Join(dir, ownPairFile))
}
