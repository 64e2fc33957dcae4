package enroll

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"connecthub/nodeclient/proxy"
)

// RepositoryTransport reaches a software repository through the node's one proxy. Its certificate may
// come from the machine's own roots, or from whom this node trusts as its hub; a pinned key counts for
// the hub's own name only. host is the repository's name or address.
func RepositoryTransport(dir, host string) (*proxy.Transport, error) {
	c, err := LoadConfig(dir)
	if err != nil {
		return nil, err
	}
	trusting := func(inspecting []*x509.Certificate) (*tls.Config, error) {
		return repositoryTrust(dir, c, host, inspecting)
	}
	if _, err := trusting(nil); err != nil {
		return nil, err
	}
	return proxy.NewTransport(proxy.Options{Dir: dir, TLS: trusting, Dial: c.Dial}), nil
}

func repositoryTrust(dir string, c Config, host string, inspecting []*x509.Certificate) (*tls.Config,
	error) {
	roots, err := x509.SystemCertPool()
	if err != nil { // a machine without any
		roots = x509.NewCertPool()
	}
	for _, ca := range inspecting {
		roots.AddCert(ca)
	}
	pem, err := os.ReadFile(filepath.Join(dir, hubCAFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the hub's CA: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	hub, err := url.Parse(c.Hub)
	if err != nil {
		return nil, fmt.Errorf("cannot use the hub's address: %w", err)
	}
	if c.HubPin == "" {
		roots.AppendCertsFromPEM(pem)
		return config, nil
	}
	if host != hub.Hostname() {
		return config, nil
	}
	// Beside the machine's roots the pin is judged, below; names and dates count in both.
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(s tls.ConnectionState) error {
		if verifyFrom(roots, s.PeerCertificates, host) == nil {
			return nil
		}
		return checkPin(s, c.HubPin, host)
	}
	return config, nil
}

func verifyFrom(roots *x509.CertPool, chain []*x509.Certificate, name string) error {
	if len(chain) == 0 {
		return errors.New("cannot trust a server without a certificate")
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: name})
	return err
}
