package oidc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// What a provider may take of the hub's time and memory.
const (
	callDeadline    = 5 * time.Second
	journeyDeadline = 12 * time.Second // all calls of one request together
	maxAnswer       = 256 << 10
	maxAnswerHeader = 32 << 10
	maxURL          = 512
)

// errAnswer is matched when a provider answers more than the hub is ready to read.
var errAnswer = errors.New("the provider's answer is longer than 256 KiB")

// errHost is matched when a provider names a host that the operator did not.
var errHost = errors.New("the operator has not named this host")

// policy says where the hub may connect to for one provider.
type policy struct {
	hosts    []string // host or host:port, in lower case
	loopback bool
}

// policyOf allows the issuer's host and those that the operator named.
func policyOf(issuer string, hosts []string, loopback bool) (policy, error) {
	u, err := parse(issuer, loopback)
	if err != nil {
		return policy{}, fmt.Errorf("cannot accept the issuer %q: %w", issuer, err)
	}
	if u.RawQuery != "" {
		return policy{}, fmt.Errorf("cannot accept the issuer %q: it has a query", issuer)
	}
	p := policy{hosts: []string{strings.ToLower(u.Host)}, loopback: loopback}
	for _, host := range hosts {
		h, err := url.Parse("https://" + host)
		if err != nil || h.Host != host || h.Hostname() == "" || host != strings.ToLower(host) {
			return policy{}, fmt.Errorf("cannot accept the host %q: give a name, or name:port", host)
		}
		p.hosts = append(p.hosts, host)
	}
	return p, nil
}

// parse reads an address of a provider: https, or http on this machine where that is allowed.
func parse(text string, loopback bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > maxURL:
		return nil, errors.New("it is not an address")
	case u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "":
		return nil, errors.New("it is not an address with a host, or has a user or a fragment")
	case u.Scheme == "https":
		return u, nil
	case u.Scheme == "http" && loopback && isLoopback(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("it is not https")
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// check refuses an address that the provider named and the operator did not.
func (p policy) check(text string) error {
	u, err := parse(text, p.loopback)
	if err != nil {
		return err
	}
	if !slices.Contains(p.hosts, strings.ToLower(u.Host)) {
		return fmt.Errorf("%w: %s", errHost, u.Host)
	}
	return nil
}

// client makes the only HTTP client that speaks to the provider. It follows no redirect, takes no
// proxy from the environment, and gives up on what is late or long.
func (o Options) client(p policy) *http.Client {
	dialer := &net.Dialer{Timeout: o.Deadline, KeepAlive: -1, Control: p.control}
	return &http.Client{
		Timeout: o.Deadline,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Transport: &guarded{policy: p, next: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: o.Deadline,
			ResponseHeaderTimeout: o.Deadline, MaxResponseHeaderBytes: maxAnswerHeader,
			MaxIdleConns: 2, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots},
		}},
	}
}

// control refuses addresses that no provider has: a name that the operator wrote may be made to
// lead to the hub's own machine.
func (p policy) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("cannot connect to %s: %w", address, err)
	}
	ip := to.Addr().Unmap()
	switch {
	case ip.IsLoopback() && p.loopback:
		return nil
	case ip.IsLoopback(), ip.IsLinkLocalUnicast(), ip.IsMulticast(), ip.IsUnspecified():
		return fmt.Errorf("cannot connect to %s: %w", address, errHost)
	}
	return nil
}

// guarded lets only those requests out that the policy allows, and bounds every answer.
type guarded struct {
	policy policy
	next   http.RoundTripper
}

func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.policy.check(r.URL.String()); err != nil {
		return nil, err
	}
	res, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = &bounded{ReadCloser: res.Body, left: maxAnswer}
	return res, nil
}

// bounded fails where io.LimitReader would pretend that there is no more.
type bounded struct {
	io.ReadCloser
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		if n, err := b.ReadCloser.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, errAnswer
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// within bounds all calls of one request.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, journeyDeadline)
}
