// Package mail is what a control node writes to people: its SMTP server and who is told, the letters in
// English and Japanese, and an outbox on disk that tries again. It knows no procedure and no software.
package mail

import (
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	netmail "net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"connecthub/nodeclient/control/settings"
)

// TLS is how the way to the SMTP server is protected.
type TLS string

// The ways. With none everything can be read on the way, and nobody signs in.
const (
	StartTLS TLS = "starttls" // the default
	Implicit TLS = "implicit"
	None     TLS = "none"
)

// Port is the port where none is given.
func (t TLS) Port() string {
	switch t {
	case Implicit:
		return "465"
	case None:
		return "25"
	case StartTLS:
		return "587"
	}
	return "587"
}

// Password never prints.
type Password string

const hidden = "********"

// Format hides it from every verb.
func (Password) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides it.
func (Password) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides it, in JSON as well.
func (Password) MarshalText() ([]byte, error) { return []byte(hidden), nil }

const (
	maxHost     = 253
	maxAddress  = 254
	maxUser     = 256
	maxPassword = 512
	maxCA       = 64 << 10
	maxPeople   = 100
)

// Settings are the SMTP server and how to sign in there. The zero value is none.
type Settings struct {
	Host     string // HOST:PORT
	TLS      TLS
	CA       string // PEM of whoever signed the server's certificate; empty: the machine's own list
	From     string
	Auth     bool
	User     string
	Password Password
}

// stored is Settings as the document holds them, the password readable.
type stored struct {
	Host     string `json:"host"`
	TLS      TLS    `json:"tls"`
	CA       string `json:"ca,omitempty"`
	From     string `json:"from"`
	Auth     bool   `json:"auth"`
	User     string `json:"user"`
	Password string `json:"password"`
}

func (s stored) settings() Settings {
	v := Settings{s.Host, s.TLS, s.CA, s.From, s.Auth, s.User, Password(s.Password)}
	if v.TLS == "" {
		v.TLS = StartTLS
	}
	return v
}

// Load answers what is set.
func Load(s *settings.Store) (Settings, error) {
	v, _, err := settings.Read[stored](s, settings.Mail)
	return v.settings(), err
}

// Update changes what is set; change gets it as it is at that moment.
func Update(s *settings.Store, by string, change func(*Settings) error) error {
	_, err := settings.Update(s, settings.Mail, by, func(v *stored) error {
		m := v.settings()
		if err := change(&m); err != nil {
			return err
		}
		if err := m.check(); err != nil {
			return err
		}
		*v = stored{m.Host, m.TLS, m.CA, m.From, m.Auth, m.User, string(m.Password)}
		return nil
	})
	return err
}

// SetServer changes the server and the protection of the way there. A password goes to no other server
// than the one it was given for: with another one it is forgotten, and so it says.
func SetServer(s *settings.Store, by, host string, protection TLS, ca string) (forgot bool, err error) {
	err = Update(s, by, func(m *Settings) error {
		forgot = m.Password != "" && name(m.Host) != name(host)
		if forgot {
			m.Password = ""
		}
		m.Host, m.TLS, m.CA = host, protection, ca
		return nil
	})
	return forgot, err
}

func name(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// Remove forgets the server and how to sign in there. Who is told stays.
func Remove(s *settings.Store, by string) error {
	return Update(s, by, func(m *Settings) error {
		*m = Settings{TLS: StartTLS}
		return nil
	})
}

func (s Settings) check() error {
	switch s.TLS {
	case StartTLS, Implicit, None:
	default:
		return refuse("smtp_tls")
	}
	if s.Auth && s.TLS == None {
		return refuse("smtp_auth_needs_tls")
	}
	if len(s.User) > maxUser || !plain(s.User) {
		return refuse("smtp_user")
	}
	if len(s.Password) > maxPassword || !plain(string(s.Password)) {
		return refuse("smtp_password")
	}
	if s.CA != "" && (len(s.CA) > maxCA || !x509.NewCertPool().AppendCertsFromPEM([]byte(s.CA))) {
		return refuse("smtp_ca")
	}
	return nil
}

// Ready says what is missing before anything can be sent.
func (s Settings) Ready() error {
	switch {
	case s.Host == "":
		return refuse("smtp_no_host")
	case s.From == "":
		return refuse("smtp_no_from")
	case s.Auth && (s.User == "" || s.Password == ""):
		return refuse("smtp_no_credentials")
	}
	return nil
}

// Host reads HOST or HOST:PORT; the port follows from the protection where none is given.
func Host(text string, protection TLS) (string, error) {
	host, port := text, protection.Port()
	if h, p, err := net.SplitHostPort(text); err == nil {
		host, port = h, p
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 || len(host) > maxHost {
		return "", refuse("smtp_host")
	}
	if net.ParseIP(host) == nil && !hostName.MatchString(host) {
		return "", refuse("smtp_host")
	}
	return net.JoinHostPort(host, port), nil
}

var hostName = regexp.MustCompile(
	`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$`)

// address is what may stand in an envelope and a header as it is, without quotes or comments.
var address = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@" +
	`[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)

// Address refuses what is no plain mail address.
func Address(text string) (string, error) {
	parsed, err := netmail.ParseAddress(text)
	if err != nil || len(text) > maxAddress || !address.MatchString(text) || parsed.Address != text {
		return "", refuse("mail_address", text)
	}
	return text, nil
}

func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Subscriber is one who is told, in a language.
type Subscriber struct {
	Address  string `json:"address"`
	Language string `json:"language"` // "en" or "ja"
}

type people struct {
	Subscribers []Subscriber `json:"subscribers"`
}

// Subscribers lists who is told, in the order in which they were added.
func Subscribers(s *settings.Store) ([]Subscriber, error) {
	v, _, err := settings.Read[people](s, settings.Subscriptions)
	return v.Subscribers, err
}

// Subscribe adds people, all of them or none. Who is there already gets the language.
func Subscribe(s *settings.Store, by, language string, addresses []string) error {
	_, err := settings.Update(s, settings.Subscriptions, by, func(v *people) error {
		for _, text := range addresses {
			a, err := Address(text)
			if err != nil {
				return err
			}
			if i := v.index(a); i >= 0 {
				v.Subscribers[i].Language = language
				continue
			}
			v.Subscribers = append(v.Subscribers, Subscriber{a, language})
		}
		if len(v.Subscribers) > maxPeople {
			return refuse("too_many_subscribers", strconv.Itoa(maxPeople))
		}
		return nil
	})
	return err
}

// Unsubscribe takes people away, all of them or none.
func Unsubscribe(s *settings.Store, by string, addresses []string) error {
	_, err := settings.Update(s, settings.Subscriptions, by, func(v *people) error {
		for _, a := range addresses {
			i := v.index(a)
			if i < 0 {
				return refuse("not_subscribed", a)
			}
			v.Subscribers = slices.Delete(v.Subscribers, i, i+1)
		}
		return nil
	})
	return err
}

// UnsubscribeAll takes everybody away.
func UnsubscribeAll(s *settings.Store, by string) error {
	_, err := settings.Update(s, settings.Subscriptions, by, func(v *people) error {
		*v = people{}
		return nil
	})
	return err
}

func (p people) index(a string) int {
	return slices.IndexFunc(p.Subscribers, func(s Subscriber) bool {
		return strings.EqualFold(s.Address, a)
	})
}
