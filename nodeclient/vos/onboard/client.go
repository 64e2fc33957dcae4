package onboard

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
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"connecthub/models/wire"
	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/vos/trust"
)

const (
	connectDeadline = 10 * time.Second
	callDeadline    = 60 * time.Second
	port            = "8445"
	maxProblem      = 64 << 10
	askedForUser    = "application_user_required"
)

// client speaks to the control nodes. It trusts tomcat-trust alone: neither the machine's own
// certificates, nor a proxy, nor where an answer would lead.
type client struct {
	login Login
	now   func() time.Time
	http  *http.Client
}

func (c *Cluster) client(l Login) (*client, error) {
	pool, err := trust.Open(c.o.Dir).Pool()
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: connectDeadline}
	dial := c.o.Machine.Dial
	transport := &http.Transport{DisableKeepAlives: true, TLSHandshakeTimeout: connectDeadline,
		ResponseHeaderTimeout: callDeadline, MaxResponseHeaderBytes: 16 << 10,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Time: c.o.Now},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if to, ok := dial[host]; ok && err == nil {
				address = to
			}
			return dialer.DialContext(ctx, network, address)
		}}
	return &client{login: l, now: c.o.Now, http: &http.Client{Transport: transport, Timeout: callDeadline,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// greet asks the publisher who the control nodes are, and makes sure that each of the others answers: so
// both are reachable, and both are trusted, before anything is changed. The password goes to the publisher
// alone; the others' keys come from it.
func (c *client) greet(ctx context.Context) (vosapi.Begin, []vosapi.Key, error) {
	var begin vosapi.Begin
	asked := c.login.Publisher
	if err := c.call(ctx, http.MethodGet, nil, &begin); err != nil {
		return begin, nil, err
	}
	if err := begin.Check(); err != nil {
		return begin, nil, refuse(NoControlNode, asked)
	}
	switch {
	case begin.Category == "SUBSCRIBER":
		return begin, nil, refuse(IsSubscriber, asked+"|"+begin.Publisher)
	case begin.HostName != asked:
		return begin, nil, refuse(OtherName, begin.HostName)
	}
	if err := versionNeeded(asked, begin.Version); err != nil {
		return begin, nil, err
	}
	keys := []vosapi.Key{begin.Key}
	for _, name := range begin.Subscribers {
		if err := c.look(ctx, name); err != nil {
			return begin, nil, err
		}
		at := slices.IndexFunc(begin.Peers, func(k vosapi.Key) bool {
			return k.HostName == name && k.Category == "SUBSCRIBER"
		})
		if at < 0 {
			return begin, nil, refuse(KeyUnknown, asked+"|"+name)
		}
		keys = append(keys, begin.Peers[at])
	}
	return begin, keys, nil
}

// look makes sure that a subscriber of the control nodes answers, and tells it nothing: it asks for the
// application user, as every control node does.
func (c *client) look(ctx context.Context, name string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address(name)+vosapi.PathKey, nil)
	if err != nil {
		return fmt.Errorf("cannot ask the control node: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return c.unreached(ctx, roleSubscriber, name, err)
	}
	defer res.Body.Close()
	var p wire.Problem
	text, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	if err != nil || res.StatusCode != http.StatusUnauthorized || json.Unmarshal(text, &p) != nil ||
		p.Code != askedForUser {
		return refuse(NoControlNode, name)
	}
	return nil
}

func address(name string) string { return "https://" + net.JoinHostPort(name, port) }

func (c *client) enter(ctx context.Context, verb Verb, o vosapi.Onboarding) (vosapi.Onboarded, error) {
	method := http.MethodPost
	if verb == Update {
		method = http.MethodPut
	}
	var done vosapi.Onboarded
	err := c.call(ctx, method, o, &done)
	if err == nil && (done.Check() != nil || len(done.Nodes) != len(o.Nodes)) {
		err = refuse(NoControlNode, c.login.Publisher)
	}
	return done, err
}

func (c *client) leave(ctx context.Context, r vosapi.Removal) (vosapi.Removed, error) {
	var done vosapi.Removed
	err := c.call(ctx, http.MethodDelete, r, &done)
	if err == nil && done.Protocol != vosapi.Protocol {
		err = refuse(NoControlNode, c.login.Publisher)
	}
	return done, err
}

// call sends the publisher one request. The password goes out only over a connection whose certificate
// was verified.
func (c *client) call(ctx context.Context, method string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("cannot write the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	name := c.login.Publisher
	req, err := http.NewRequestWithContext(ctx, method, address(name)+vosapi.PathOnboard, body)
	if err != nil {
		return fmt.Errorf("cannot ask the control node: %w", err)
	}
	req.Header.Set("Accept-Language", c.login.Language)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.SetBasicAuth(c.login.User, string(c.login.Password))
	res, err := c.http.Do(req)
	if err != nil {
		return c.unreached(ctx, rolePublisher, name, err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		if err := vosapi.ReadDocument(res.Body, out, false); err != nil {
			return refuse(NoControlNode, name)
		}
		return nil
	}
	return problem(name, res)
}

// problem is what the control node refused with. A wrong name and a wrong password are one answer.
func problem(name string, res *http.Response) error {
	switch res.StatusCode {
	case http.StatusUnauthorized:
		return refuse(WrongUser, name)
	case http.StatusTooManyRequests:
		return refuse(TooManyAttempts, name)
	}
	var p wire.Problem
	text, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	if err != nil || json.Unmarshal(text, &p) != nil || p.Code == "" || p.Detail == "" {
		return refuse(NoControlNode, fmt.Sprintf("%s (HTTP %d)", name, res.StatusCode))
	}
	return &Said{Code: vosapi.Plain(p.Code), Text: lines(p.Detail)}
}

// lines keeps the line ends of what a control node said, and nothing else that steers a terminal.
func lines(text string) string {
	all := strings.Split(text, "\n")
	for i, l := range all {
		all[i] = vosapi.Plain(l)
	}
	return strings.Join(all, "\n")
}

// unreached says what is the matter with the one certificate, or the way to the one node.
func (c *client) unreached(ctx context.Context, role role, name string, err error) error {
	var failed *tls.CertificateVerificationError
	if !errors.As(err, &failed) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return refuse(role.unreachable(), name)
	}
	var wrongName x509.HostnameError
	var invalid x509.CertificateInvalidError
	leaf := failed.UnverifiedCertificates[0]
	sum := sha256.Sum256(leaf.Raw)
	about := name + "|" + hex.EncodeToString(sum[:]) + "|" + vosapi.Plain(leaf.Issuer.String())
	switch {
	case errors.As(err, &wrongName):
		return refuse(role.misnamed(), about)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return refuse(role.expired(), about+"|"+leaf.NotBefore.UTC().Format(time.DateOnly)+"|"+
			leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	return refuse(role.missing(), about)
}
