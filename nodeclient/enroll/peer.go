package enroll

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/atomicfile"
)

const (
	pathPeerJoin   = "/peer/v1/join"
	pathPeerTicket = "/peer/v1/ticket"
	bindingLabel   = "EXPORTER-connecthub-cluster-join"
	askPublisher   = 5 * time.Second
	maxPeerBody    = 16 << 10
)

// peerJoin asks for a certificate. Proof is an HMAC of the request and of the very TLS connection
// with the cluster's secret, so that nobody in between can use it.
type peerJoin struct {
	FQDN  models.FQDN `json:"fqdn"`
	CSR   string      `json:"csr"`
	Proof string      `json:"proof"`
}

type peerJoined struct {
	Certificate string `json:"certificate"`
	CA          string `json:"ca"`
}

type peerTicket struct {
	Ticket string `json:"ticket,omitempty"` // empty: the publisher is not registered yet
}

func proof(secret string, state tls.ConnectionState, name models.FQDN, csr string) (string, error) {
	binding, err := state.ExportKeyingMaterial(bindingLabel, nil, 32)
	if err != nil {
		return "", fmt.Errorf("cannot bind the proof to the connection: %w", err)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	for _, part := range [][]byte{binding, []byte(name), []byte(csr)} {
		_, _ = fmt.Fprintf(mac, "%d:", len(part))
		mac.Write(part)
	}
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// JoinCluster makes this node a subscriber of the publisher that the secret file names. The
// publisher is known by the hash of its CA, never trusted on first use.
func JoinCluster(ctx context.Context, dir, peerListen, publisher, dial, secretPath string,
	now time.Time) error {
	c, err := LoadConfig(dir)
	if err != nil {
		return err
	}
	if c.Role != "" {
		return fmt.Errorf("this node is %s of a cluster already", c.Role)
	}
	s, err := ReadSecret(secretPath, now)
	if err != nil {
		return err
	}
	if name, err := models.ParseFQDN(publisher); err != nil || name != s.Publisher {
		return fmt.Errorf("the secret file is of %s, not of %s", s.Publisher, publisher)
	}
	if s.Publisher == c.FQDN {
		return errors.New("a node cannot be its own subscriber")
	}
	if c.Dial == nil {
		c.Dial = map[string]string{}
	}
	if dial != "" {
		c.Dial[string(s.Publisher)] = dial
	}
	if err := fetchCertificate(ctx, dir, c, s); err != nil {
		return err
	}
	c.Role, c.Publisher, c.PeerListen = models.Subscriber, s.Publisher, peerListen
	return c.Save(dir)
}

func fetchCertificate(ctx context.Context, dir string, c Config, s Secret) error {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	folder := filepath.Join(dir, clusterDir)
	if err := MakeDir(folder); err != nil {
		return err
	}
	key, err := newCertKey(folder)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: string(c.FQDN)}, DNSNames: []string{string(c.FQDN)}}, key)
	if err != nil {
		return fmt.Errorf("cannot ask for a certificate: %w", err)
	}
	csr := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	conn, err := dialPinned(ctx, c, s)
	if err != nil {
		return err
	}
	defer conn.Close()
	p, err := proof(s.Secret, conn.ConnectionState(), c.FQDN, csr)
	if err != nil {
		return err
	}
	var joined peerJoined
	once := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}}
	err = peerPost(ctx, once, "https://"+string(s.Publisher)+pathPeerJoin,
		maxPeerBody, peerJoin{FQDN: c.FQDN, CSR: csr, Proof: p}, &joined)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(folder, certFile), []byte(joined.Certificate),
		0o600); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(folder, caCertFile), []byte(joined.CA), 0o600)
}

// dialPinned accepts only a publisher whose chain holds the CA that the secret file names.
func dialPinned(ctx context.Context, c Config, s Secret) (*tls.Conn, error) {
	address, ok := c.Dial[string(s.Publisher)]
	if !ok {
		address = net.JoinHostPort(string(s.Publisher), "8446")
	}
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: connectDeadline}, Config: &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: string(s.Publisher),
		InsecureSkipVerify: true, //nolint:gosec // the chain is judged below, by the CA's hash
		VerifyConnection: func(state tls.ConnectionState) error {
			for _, cert := range state.PeerCertificates {
				if sum := sha256.Sum256(cert.Raw); hex.EncodeToString(sum[:]) == s.CAHash {
					roots := x509.NewCertPool()
					roots.AddCert(cert)
					_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots,
						DNSName: string(s.Publisher)})
					return err
				}
			}
			return errors.New("this is not the publisher of the secret file")
		}}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the publisher %s at %s: %w", s.Publisher, address, err)
	}
	return conn.(*tls.Conn), nil
}

func peerPost(ctx context.Context, c *http.Client, address string, limit int64, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("cannot write the message: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("cannot ask the publisher: %w", err)
	}
	res, err := c.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the publisher: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, limit))
	if err != nil {
		return fmt.Errorf("cannot read the publisher's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the publisher refused (%d): %s", res.StatusCode, bytes.TrimSpace(text))
	}
	return json.Unmarshal(text, out)
}

// ServePeers answers the subscribers of this publisher until ctx ends.
func (e *Enrollment) ServePeers(ctx context.Context, handlers ...PeerHandler) error {
	folder := filepath.Join(e.o.Dir, clusterDir)
	cert, err := tls.LoadX509KeyPair(filepath.Join(folder, certFile), filepath.Join(folder, certKeyFile))
	if err != nil {
		return fmt.Errorf("cannot serve the cluster: %w", err)
	}
	ca, err := readCert(filepath.Join(folder, caCertFile))
	if err != nil {
		return err
	}
	cert.Certificate = append(cert.Certificate, ca.Raw)
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	listener, err := tls.Listen("tcp", e.config.PeerListen, &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, ClientCAs: pool,
		ClientAuth: tls.VerifyClientCertIfGiven})
	if err != nil {
		return fmt.Errorf("cannot listen for the cluster: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathPeerJoin, e.peerJoin)
	mux.HandleFunc("POST "+pathPeerTicket, e.peerTicket)
	for _, h := range handlers {
		mux.HandleFunc("POST "+h.Path, e.forMembers(h))
	}
	// What strangers do wrong on this port is no news.
	server := &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0),
		ReadHeaderTimeout: connectDeadline,
		ReadTimeout:       callDeadline, WriteTimeout: 2 * callDeadline, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); err != nil && ctx.Err() == nil {
		return fmt.Errorf("cannot serve the cluster: %w", err)
	}
	return nil
}

// peerJoin gives a certificate to whoever proves the secret over this very connection.
func (e *Enrollment) peerJoin(w http.ResponseWriter, r *http.Request) {
	var in peerJoin
	if json.NewDecoder(io.LimitReader(r.Body, maxPeerBody)).Decode(&in) != nil {
		http.Error(w, "malformed", http.StatusBadRequest)
		return
	}
	folder := filepath.Join(e.o.Dir, clusterDir)
	s, err := ReadSecret(filepath.Join(folder, secretFile), e.o.Now())
	if err != nil {
		// Why is the publisher's own business: a path, or that nobody asked for a secret yet.
		http.Error(w, "nobody may join now; make a new secret file on the publisher with "+
			"\"nodeclient cluster secret\"", http.StatusForbidden)
		return
	}
	want, err := proof(s.Secret, *r.TLS, in.FQDN, in.CSR)
	if err != nil || !hmac.Equal([]byte(want), []byte(in.Proof)) {
		http.Error(w, "the secret is wrong", http.StatusForbidden)
		return
	}
	public, err := readRequest(in)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := e.addMember(in.FQDN); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	text, err := issue(folder, in.FQDN, public, e.o.Now())
	if err != nil {
		http.Error(w, "cannot issue a certificate", http.StatusInternalServerError)
		return
	}
	ca, err := readCert(filepath.Join(folder, caCertFile))
	if err != nil {
		http.Error(w, "cannot read the CA", http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(peerJoined{Certificate: string(text), CA: string(certPEM(ca.Raw))})
}

func readRequest(in peerJoin) (*ecdsa.PublicKey, error) {
	if name, err := models.ParseFQDN(string(in.FQDN)); err != nil || name != in.FQDN {
		return nil, errors.New("this is no FQDN")
	}
	block, _ := pem.Decode([]byte(in.CSR))
	if block == nil {
		return nil, errors.New("malformed certificate request")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || csr.CheckSignature() != nil || csr.Subject.CommonName != string(in.FQDN) {
		return nil, errors.New("malformed certificate request")
	}
	public, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("the key must be an ECDSA key")
	}
	return public, nil
}

func (e *Enrollment) addMember(name models.FQDN) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	names, err := Members(e.o.Dir)
	if err != nil {
		return err
	}
	switch {
	case name == e.config.FQDN:
		return errors.New("this is the publisher's own name")
	case slices.Contains(names, name):
		return nil
	case len(names) >= maxMember:
		return fmt.Errorf("a cluster has at most %d members", maxMember+1)
	}
	names = append(names, name)
	slices.Sort(names)
	return atomicfile.WriteJSON(filepath.Join(e.o.Dir, clusterDir, membersFile), names)
}

// peerTicket hands a known member a join ticket of the hub, once the publisher itself is registered.
func (e *Enrollment) peerTicket(w http.ResponseWriter, r *http.Request) {
	name, ok := e.memberOf(w, r)
	if !ok {
		return
	}
	if e.Identity() == nil {
		_ = json.NewEncoder(w).Encode(peerTicket{})
		return
	}
	tickets, err := e.Tickets(r.Context(), []models.FQDN{name})
	if err != nil || len(tickets) != 1 {
		http.Error(w, "the hub gave no ticket", http.StatusBadGateway)
		return
	}
	_ = json.NewEncoder(w).Encode(peerTicket{Ticket: tickets[0].Ticket})
}

// FollowPublisher joins this subscriber to the hub through its publisher, whenever it has no
// identity and the publisher has one, until ctx ends.
func (e *Enrollment) FollowPublisher(ctx context.Context, failed func(error)) error {
	peer, err := e.peerClient()
	if err != nil {
		return err
	}
	for {
		if e.free() == nil {
			if err := e.joinThrough(ctx, peer); err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(askPublisher):
		}
	}
}

func (e *Enrollment) joinThrough(ctx context.Context, peer *http.Client) error {
	var answer peerTicket
	address := "https://" + net.JoinHostPort(string(e.config.Publisher), "8446") + pathPeerTicket
	if err := peerPost(ctx, peer, address, maxPeerBody, struct{}{}, &answer); err != nil || answer.Ticket == "" {
		return err
	}
	return e.Join(ctx, answer.Ticket)
}
