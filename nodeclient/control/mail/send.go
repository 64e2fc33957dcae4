package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

const (
	stepTimeout = 20 * time.Second // each answer of the server
	runTimeout  = 2 * time.Minute  // one connection with all it carries
)

// courier is one connection to the SMTP server. It ends with its context, whatever it waits for.
type courier struct {
	settings Settings
	host     string
	client   *gomail.Client
	conn     net.Conn
}

// connect reaches the server, protects the way and signs in, as the settings say.
func connect(ctx context.Context, s Settings, helo string) (*courier, error) {
	if err := s.Ready(); err != nil {
		return nil, err
	}
	c := &courier{settings: s}
	name, port, err := net.SplitHostPort(s.Host)
	if err != nil {
		return nil, refuse("smtp_host")
	}
	c.host = name
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, refuse("smtp_host")
	}
	var roots *x509.CertPool // the machine's own list
	if s.CA != "" {
		roots = x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(s.CA))
	}
	config := &tls.Config{ServerName: name, RootCAs: roots, MinVersion: tls.VersionTLS12}
	options := []gomail.Option{gomail.WithPort(number), gomail.WithTimeout(stepTimeout),
		gomail.WithTLSConfig(config), gomail.WithDialContextFunc(c.dial(ctx, config)), gomail.WithTLSPolicy(gomail.NoTLS)}
	if helo != "" {
		options = append(options, gomail.WithHELO(helo))
	}
	switch s.TLS {
	case StartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case Implicit:
		options = append(options, gomail.WithSSL())
	case None:
	}
	if s.Auth {
		options = append(options, gomail.WithUsername(s.User), gomail.WithPassword(string(s.Password)),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256PLUS, gomail.SMTPAuthSCRAMSHA256,
				gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	if c.client, err = gomail.NewClient(name, options...); err != nil {
		return nil, because("smtp_host", err, "")
	}
	if err := c.client.DialWithContext(ctx); err != nil {
		c.hangUp()
		return nil, c.explain(ctx, err)
	}
	return c, nil
}

// dial keeps the connection, which the library leaves open when what follows fails, and bounds all
// that is done with it.
func (c *courier) dial(whole context.Context, config *tls.Config) gomail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, &unreachable{err}
		}
		c.conn = conn
		context.AfterFunc(whole, func() { conn.Close() })
		if c.settings.TLS != Implicit {
			return conn, nil
		}
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		return secure, nil
	}
}

type unreachable struct{ error }

func (u *unreachable) Unwrap() error { return u.error }

// send gives one message to one person.
func (c *courier) send(ctx context.Context, m *gomail.Msg) error {
	if err := c.client.Send(m); err != nil {
		return c.explain(ctx, err)
	}
	return nil
}

func (c *courier) close() {
	_ = c.client.Close() // what was taken is taken
	c.hangUp()
}

func (c *courier) hangUp() {
	if c.conn != nil {
		c.conn.Close()
	}
}

// explain makes a sentence of what the library says.
func (c *courier) explain(ctx context.Context, err error) error {
	var far *unreachable
	var certificate *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	var said *textproto.Error
	var sent *gomail.SendError
	host := c.settings.Host
	switch {
	case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded):
		return because("smtp_slow", err, host)
	case errors.As(err, &far):
		return because("smtp_unreachable", err, host)
	case errors.As(err, &certificate):
		return because("smtp_certificate", err, host)
	case errors.As(err, &header):
		return because("smtp_tls_failed", err, host)
	case strings.Contains(err.Error(), "does not support STARTTLS"):
		return because("smtp_no_starttls", err, host)
	case strings.Contains(err.Error(), "does not support SMTP AUTH"),
		errors.Is(err, gomail.ErrNoSupportedAuthDiscovered):
		return because("smtp_no_auth", err, host)
	case errors.As(err, &sent) && !sent.IsTemp():
		return because("smtp_refused", err, host)
	case errors.As(err, &said) && (said.Code == 535 || said.Code == 534 || said.Code == 538):
		return because("smtp_auth_refused", err, host)
	}
	return because("smtp_later", err, host)
}

// final says whether trying again is of no use.
func final(err error) bool {
	var r *Refusal
	return errors.As(err, &r) && r.Code == "smtp_refused"
}
