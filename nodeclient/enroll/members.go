package enroll

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"

	"connecthub/models"
)

// PeerHandler answers what members of the cluster, and nobody else, ask this publisher.
type PeerHandler struct {
	Path  string
	Limit int64 // of a request's bytes
	// Answer is told who asks, as the certificate says. What it answers is written as JSON; an error is a
	// refusal whose text the member reads.
	Answer func(ctx context.Context, member models.FQDN, body []byte) (any, error)
}

// memberOf is who asks, or a refusal is written.
func (e *Enrollment) memberOf(w http.ResponseWriter, r *http.Request) (models.FQDN, bool) {
	if len(r.TLS.VerifiedChains) == 0 {
		http.Error(w, "a member's certificate is needed", http.StatusForbidden)
		return "", false
	}
	name := models.FQDN(r.TLS.PeerCertificates[0].Subject.CommonName)
	names, err := Members(e.o.Dir)
	if err != nil || !slices.Contains(names, name) {
		http.Error(w, "no member of this cluster", http.StatusForbidden)
		return "", false
	}
	return name, true
}

func (e *Enrollment) forMembers(h PeerHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name, ok := e.memberOf(w, r)
		if !ok {
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.Limit))
		if err != nil {
			http.Error(w, "malformed", http.StatusBadRequest)
			return
		}
		answer, err := h.Answer(r.Context(), name, body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // who has hung up asks again
	}
}

// peerClient speaks with the publisher as the member that this subscriber is.
func (e *Enrollment) peerClient() (*http.Client, error) { return memberClient(e.o.Dir, e.config) }

func memberClient(dir string, c Config) (*http.Client, error) {
	folder := filepath.Join(dir, clusterDir)
	cert, err := tls.LoadX509KeyPair(filepath.Join(folder, certFile), filepath.Join(folder, certKeyFile))
	if err != nil {
		return nil, fmt.Errorf("cannot reach the cluster: %w", err)
	}
	ca, err := readCert(filepath.Join(folder, caCertFile))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	dialer := &net.Dialer{Timeout: connectDeadline}
	return &http.Client{Timeout: callDeadline, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool,
			Certificates: []tls.Certificate{cert}},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if to, ok := c.Dial[string(c.Publisher)]; ok {
				address = to
			}
			return dialer.DialContext(ctx, network, address)
		}}}, nil
}

// AskPublisher is a way to this subscriber's publisher, under the cluster's mutual TLS: each call sends in,
// and reads at most limit bytes into out.
func (e *Enrollment) AskPublisher(path string, limit int64) (
	func(ctx context.Context, in, out any) error, error) {
	return AskPublisher(e.o.Dir, e.config, path, limit)
}

// AskPublisher is the same for a command, which runs beside the subscriber's agent.
func AskPublisher(dir string, c Config, path string, limit int64) (
	func(ctx context.Context, in, out any) error, error) {
	peer, err := memberClient(dir, c)
	if err != nil {
		return nil, err
	}
	address := "https://" + net.JoinHostPort(string(c.Publisher), "8446") + path
	return func(ctx context.Context, in, out any) error {
		return peerPost(ctx, peer, address, limit, in, out)
	}, nil
}
