package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// answer is one poll's answer as it passed between hub and node.
type answer struct {
	at      time.Time
	offered bool
}

// observer stands between the nodes and the hub, with a certificate that the nodes were told to
// trust, and notes every answer to a poll. It changes nothing.
type observer struct {
	url, caFile string
	mu          sync.Mutex
	answers     []answer
	broken      bool // while set, the way to the hub is cut
	server      *http.Server
}

func observe(dir, hubAddress, hubCA string) (*observer, error) {
	ca, err := os.ReadFile(hubCA)
	if err != nil {
		return nil, fmt.Errorf("cannot read the hub's CA: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	host, port, _ := net.SplitHostPort(hubAddress)
	target := &url.URL{Scheme: "https", Host: net.JoinHostPort(host, port)}
	o := &observer{caFile: filepath.Join(dir, "observer-ca.pem")}
	proxy := &httputil.ReverseProxy{
		// The nodes' proofs name the host that they ask for (docs/adr/0008): it stays.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: pool, ServerName: "localhost"},
			MaxIdleConnsPerHost: 8,
		},
		ModifyResponse: o.note,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	cert, err := selfSigned(o.caFile)
	if err != nil {
		return nil, err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		return nil, fmt.Errorf("cannot listen between nodes and hub: %w", err)
	}
	o.url = fmt.Sprintf("https://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	o.server = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if o.cut() {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			proxy.ServeHTTP(w, r)
		})}
	go func() { _ = o.server.Serve(listener) }()
	return o, nil
}

func (o *observer) cut() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.broken
}

// note reads a poll's answer on its way back.
func (o *observer) note(res *http.Response) error {
	if !strings.HasSuffix(res.Request.URL.Path, "/poll") || res.StatusCode != http.StatusOK {
		return nil
	}
	at := time.Now()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	var seen struct {
		Permit   *struct{ ID string }  `json:"permit"`
		Decision struct{ Verb string } `json:"decision"`
	}
	if err := json.Unmarshal(body, &seen); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers = append(o.answers, answer{at, seen.Permit != nil || seen.Decision.Verb == "upgrade"})
	return nil
}

// outside counts the polls answered in [from, until) and how many of them were told of an upgrade.
func (o *observer) outside(from, until time.Time) (polls, offered int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range o.answers {
		if a.at.Before(from) || !a.at.Before(until) {
			continue
		}
		polls++
		if a.offered {
			offered++
		}
	}
	return polls, offered
}

func (o *observer) close() {
	if o != nil {
		_ = o.server.Shutdown(context.Background())
	}
}

func selfSigned(file string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()),
		Subject:   pkix.Name{CommonName: "observer between nodes and hub"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true,
		BasicConstraintsValid: true, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot write the observer's certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
