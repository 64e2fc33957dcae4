package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// findings are what a probe saw, from which each step's result follows.
type findings struct {
	marks
	hub      *url.URL
	via      *url.URL
	settings Settings
	answer   *reply
	err      error
	skewAt   time.Time // by this node's clock, when the hub said its own
}

func (f findings) results() []Result {
	list := []Result{f.dns(), f.proxy(), f.tls(), f.clock(), f.hubStep()}
	for i, step := range Steps() {
		list[i].Step = step
	}
	return list
}

func result(state State, code Code, subject, detail string) Result {
	return Result{State: state, Code: code, Subject: clean(subject), Detail: clean(detail)}
}

var notReached = Result{State: Skipped, Code: CodeNotReached}

// first is the host that the node itself connects to.
func (f findings) first() string {
	if f.via != nil {
		return f.via.Hostname()
	}
	return f.hub.Hostname()
}

func (f findings) dns() Result {
	var unknown *net.DNSError
	switch {
	case f.name == "":
		return result(OK, CodeNoName, f.first(), "")
	case !f.resolved:
		return result(Failed, CodeNameTimeout, f.name, "")
	case f.dnsErr == nil:
		return result(OK, CodeName, f.name, f.addresses)
	case errors.As(f.dnsErr, &unknown) && unknown.IsNotFound:
		return result(Failed, CodeNameUnknown, f.name, "")
	case timedOut(f.dnsErr):
		return result(Failed, CodeNameTimeout, f.name, "")
	}
	return result(Failed, CodeNameFailed, f.name, f.dnsErr.Error())
}

func (f findings) nameFailed() bool { return f.name != "" && (!f.resolved || f.dnsErr != nil) }

func (f findings) proxy() Result {
	var refusal *ConnectError
	switch {
	case f.via == nil && f.settings.Address == "":
		return result(Skipped, CodeNoProxy, "", "")
	case f.via == nil:
		return result(Skipped, CodeDirect, f.hub.Hostname(), "")
	case f.nameFailed():
		return notReached
	case !f.connected:
		return f.unconnected(CodeProxyRefused, CodeProxyTimeout, CodeProxyUnreachable, f.via.Host)
	case errors.As(f.err, &refusal):
		return refusal.result()
	case f.proxied:
		return result(OK, CodeProxy, f.via.Host, "")
	case timedOut(f.err):
		return result(Failed, CodeProxySilent, f.via.Host, "")
	}
	return result(Failed, CodeProxyStrange, f.via.Host, cause(f.err))
}

// result is the refusal as a step of a probe.
func (e *ConnectError) result() Result {
	status := fmt.Sprint(e.Status)
	offers := strings.Join(e.Schemes, ", ")
	basic := false
	for _, s := range e.Schemes {
		basic = basic || strings.EqualFold(s, "basic")
	}
	// Tinyproxy refuses a wrong password with 401
	who := e.Status == http.StatusProxyAuthRequired || e.Status == http.StatusUnauthorized
	var r Result
	switch {
	case who && offers != "" && !basic:
		r = result(Failed, CodeProxyScheme, e.Proxy, offers)
	case who && e.User == "":
		r = result(Failed, CodeProxyNeedsUser, e.Proxy, status)
	case who:
		r = result(Failed, CodeProxyWrongUser, e.Proxy, status)
	case e.Status == http.StatusForbidden || e.Status == http.StatusMethodNotAllowed:
		r = result(Failed, CodeProxyForbids, e.Proxy, status)
	case e.Status == http.StatusBadGateway || e.Status == http.StatusServiceUnavailable ||
		e.Status == http.StatusGatewayTimeout:
		r = result(Failed, CodeProxyCannot, e.Proxy, status)
	case e.Status >= 300 && e.Status < 400:
		r = result(Failed, CodeProxyRedirects, e.Proxy, status)
	default:
		r = result(Failed, CodeProxyStatus, e.Proxy, status)
	}
	r.Step = StepProxy
	return r
}

// unconnected is why no connection came about.
func (f findings) unconnected(refused, timeout, unreachable Code, whom string) Result {
	err := f.connectErr
	if err == nil {
		err = f.err
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return result(Failed, refused, whom, "")
	case timedOut(err):
		return result(Failed, timeout, whom, "")
	}
	return result(Failed, unreachable, whom, cause(err))
}

func (f findings) tls() Result {
	host := f.hub.Hostname()
	switch {
	case !f.tlsBegun:
		return notReached
	case f.tlsEnded && f.tlsErr == nil:
		issuer := issuerOf(f.tlsState.PeerCertificates)
		if standsFor(f.settings.inspected(f.via), f.tlsState.PeerCertificates, host) {
			return result(OK, CodeInspected, issuer, host)
		}
		return result(OK, CodeTLS, issuer, tls.VersionName(f.tlsState.Version))
	case !f.tlsEnded || timedOut(f.tlsErr):
		return result(Failed, CodeTLSTimeout, host, "")
	}
	var refused *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(f.tlsErr, &refused):
		return f.refusedCertificate(refused)
	case errors.As(f.tlsErr, &record):
		return result(Failed, CodeNotTLS, host, "")
	case errors.Is(f.tlsErr, io.EOF), errors.Is(f.tlsErr, syscall.ECONNRESET),
		errors.Is(f.tlsErr, io.ErrUnexpectedEOF):
		return result(Failed, CodeTLSClosed, host, "")
	}
	return result(Failed, CodeTLSFailed, host, cause(f.tlsErr))
}

func (f findings) refusedCertificate(e *tls.CertificateVerificationError) Result {
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	issuer := issuerOf(e.UnverifiedCertificates)
	switch {
	case errors.As(e.Err, &name):
		return result(Failed, CodeWrongName, f.hub.Hostname(), issuer)
	case errors.As(e.Err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return result(Failed, CodeExpired, issuer, invalid.Cert.NotBefore.UTC().Format(time.RFC3339)+
			" – "+invalid.Cert.NotAfter.UTC().Format(time.RFC3339))
	case f.via != nil:
		return result(Failed, CodeUntrustedProxy, issuer, f.hub.Hostname())
	}
	return result(Failed, CodeUntrusted, issuer, f.hub.Hostname())
}

// issuerOf is who has signed a server's certificate, as it says itself.
func issuerOf(chain []*x509.Certificate) string {
	if len(chain) == 0 {
		return ""
	}
	issuer := chain[0].Issuer
	if issuer.CommonName != "" {
		return clean(issuer.CommonName)
	}
	return clean(issuer.String())
}

// standsFor says whether one of the CAs has signed a chain for the name.
func standsFor(cas, chain []*x509.Certificate, name string) bool {
	if len(cas) == 0 || len(chain) == 0 {
		return false
	}
	return VerifyUnder(cas, chain, name) == nil
}

// VerifyUnder wants a chain to be good for the name under the given CAs.
func VerifyUnder(cas, chain []*x509.Certificate, name string) error {
	if len(chain) == 0 {
		return errors.New("cannot trust a server without a certificate")
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range cas {
		roots.AddCert(c)
	}
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: name})
	return err
}

func (f findings) clock() Result {
	if f.answer == nil {
		return notReached
	}
	said, err := http.ParseTime(f.answer.date)
	if err != nil {
		return result(Skipped, CodeNoClock, "", "")
	}
	// the hub says whole seconds
	skew := f.skewAt.Sub(said.Add(time.Second / 2)).Round(time.Second)
	if skew.Abs() > maxSkew {
		return result(Failed, CodeSkew, "", skew.String())
	}
	return result(OK, CodeClock, "", skew.String())
}

func (f findings) hubStep() Result {
	hub := f.hub.Host
	if f.answer == nil {
		switch {
		case f.nameFailed():
			return notReached
		case f.via == nil && !f.connected:
			return f.unconnected(CodeHubRefused, CodeHubTimeout, CodeHubUnreachable, hub)
		case !f.tlsEnded || f.tlsErr != nil:
			return notReached
		case timedOut(f.err):
			return result(Failed, CodeHubSilent, hub, "")
		}
		return result(Failed, CodeHubStrange, hub, cause(f.err))
	}
	switch {
	case f.answer.healthy:
		return result(OK, CodeHub, hub, f.answer.version)
	case f.answer.status >= 500:
		return result(Failed, CodeHubAway, hub, fmt.Sprint(f.answer.status))
	}
	return result(Failed, CodeHubStrange, hub, fmt.Sprint(f.answer.status))
}

func timedOut(err error) bool {
	var late net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &late) && late.Timeout()
}

// cause is the innermost text of an error: the rest repeats what a person has typed.
func cause(err error) string {
	if err == nil {
		return ""
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
