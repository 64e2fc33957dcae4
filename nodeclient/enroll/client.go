package enroll

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"connecthub/models/wire"
	"connecthub/nodeclient/proxy"
)

const (
	callDeadline    = 20 * time.Second
	connectDeadline = 10 * time.Second // between the nodes of a cluster
)

// Refusal is a problem document of the hub.
type Refusal struct {
	Problem    wire.Problem
	RetryAfter time.Duration
	Nonce      string // what the hub wants to see signed next
}

// Error is for logs.
func (r *Refusal) Error() string {
	return fmt.Sprintf("the hub refused: %s (%d, tracking id %s)", r.Problem.Code,
		r.Problem.Status, r.Problem.TrackingID)
}

// Sentence is what the hub said, in the language that was asked for.
func (r *Refusal) Sentence(string) string { return r.Problem.Detail }

// client speaks HTTPS with the hub it was told to trust, and with no other.
type client struct {
	base string
	http *http.Client

	mu    sync.Mutex
	nonce string // the hub's last
}

func newClient(dir string, c Config) (*client, error) {
	trusting := func(inspecting []*x509.Certificate) (*tls.Config, error) {
		return trust(dir, c, inspecting)
	}
	if _, err := trusting(nil); err != nil {
		return nil, err
	}
	transport := proxy.NewTransport(proxy.Options{Dir: dir, TLS: trusting, Dial: c.Dial})
	return &client{base: strings.TrimSuffix(c.Hub, "/"), http: &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the hub never redirects")
		}}}, nil
}

// ProbeTarget is the hub of a node's folder as proxy.Probe reaches it, whether or not an agent runs
// and the node is registered.
func ProbeTarget(dir string, now func() time.Time) (proxy.Target, error) {
	c, err := LoadConfig(dir)
	if err != nil {
		return proxy.Target{}, err
	}
	return probeTarget(dir, c, now), nil
}

func probeTarget(dir string, c Config, now func() time.Time) proxy.Target {
	return proxy.Target{Hub: c.Hub, Dial: c.Dial, Now: now,
		TLS: func(inspecting []*x509.Certificate) (*tls.Config, error) {
			return trust(dir, c, inspecting)
		}}
}

// Probe tests a way out to this node's hub, and tells each result as soon as it is known.
func (e *Enrollment) Probe(ctx context.Context, s proxy.Settings, tell func(proxy.Result),
) []proxy.Result {
	return proxy.Follow(ctx, probeTarget(e.o.Dir, e.config, e.o.Now), s, tell)
}

// trust is the hub's CA from setup, or a pinned key in its chain; never the first one that comes.
// Beside them a CA counts whose proxy this node was told to trust: it can read what passes, and
// still sign neither a permit nor a statement.
func trust(dir string, c Config, inspecting []*x509.Certificate) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	pem, err := os.ReadFile(filepath.Join(dir, hubCAFile))
	if err == nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("cannot trust the hub: its CA file holds no certificate")
		}
		for _, ca := range inspecting {
			config.RootCAs.AddCert(ca)
		}
	}
	switch {
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("cannot read the hub's CA: %w", err)
	case err != nil && c.HubPin == "":
		return nil, errors.New("cannot trust the hub: set it up with its CA or a pin")
	case err != nil:
		// The chain is judged by the pin alone, below; names and dates still count.
		config.InsecureSkipVerify = true
	}
	if c.HubPin != "" {
		// The name is that of set-up: the connection's own is empty where the hub is an IP address.
		u, err := url.Parse(c.Hub)
		if err != nil {
			return nil, fmt.Errorf("cannot use the hub's address: %w", err)
		}
		config.VerifyConnection = func(s tls.ConnectionState) error {
			if proxy.VerifyUnder(inspecting, s.PeerCertificates, u.Hostname()) == nil {
				return nil
			}
			return checkPin(s, c.HubPin, u.Hostname())
		}
	}
	return config, nil
}

// checkPin wants the pinned key in the chain, and the leaf to be good under that certificate.
func checkPin(s tls.ConnectionState, pin, host string) error {
	for _, cert := range s.PeerCertificates {
		sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
		if pinPrefix+hex.EncodeToString(sum[:]) != pin {
			continue
		}
		leaf := s.PeerCertificates[0]
		if err := leaf.VerifyHostname(host); err != nil {
			return fmt.Errorf("cannot trust the hub: %w", err)
		}
		roots, between := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(cert)
		for _, other := range s.PeerCertificates[1:] {
			between.AddCert(other)
		}
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
		if err != nil {
			return fmt.Errorf("cannot trust the hub: %w", err)
		}
		return nil
	}
	return errors.New("cannot trust the hub: the pinned key is not in its chain; somebody may " +
		"stand between, or the hub has a new key: ask its operator for the new pin")
}

// post sends one message and reads one answer of at most wire.MaxBody.
func (c *client) post(ctx context.Context, path, language string, in, out any) error {
	return c.send(ctx, path, language, nil, in, out)
}

// send is post for a request that is signed.
func (c *client) send(ctx context.Context, path, language string, p prover, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("cannot write the message: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("cannot ask the hub: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if p != nil {
		if err := p(req); err != nil {
			return err
		}
	}
	if language != "" {
		req.Header.Set("Accept-Language", language)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the hub: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, wire.MaxBody+1))
	if err != nil {
		return fmt.Errorf("cannot read the hub's answer: %w", err)
	}
	if len(answer) > wire.MaxBody {
		return errors.New("cannot read the hub's answer: it is larger than 64 KiB")
	}
	if res.StatusCode >= 300 {
		refusal := refusalOf(res, answer)
		c.heed(res, refusal)
		return refusal
	}
	c.heed(res, nil)
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("cannot read the hub's answer: %w", err)
	}
	return nil
}

// refusalOf makes a refusal of any answer that is no success: a proxy's page carries no code.
func refusalOf(res *http.Response, body []byte) error {
	r := &Refusal{}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") {
		_ = json.Unmarshal(body, &r.Problem)
	}
	r.Problem.Status = res.StatusCode
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 && s < 86_400 {
		r.RetryAfter = time.Duration(s) * time.Second
	}
	return r
}
