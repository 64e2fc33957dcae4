// Package proxy is how a node gets out of its network: the one setting of an HTTP proxy, the
// transport that follows it, and the test that says in sentences what stands in the way. It knows
// neither registrations nor releases.
package proxy

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/http/httpproxy"

	"connecthub/nodeclient/atomicfile"
)

const (
	settingsFile = "proxy.json"
	setupFile    = "config.json"
	maxFile      = 64 << 10

	maxHost    = 253
	maxSecret  = 256
	maxNoProxy = 4 << 10
	maxCA      = 12 << 10 // fits the form of the page
	maxCAs     = 8
	hidden     = "********"
)

// Password is a proxy's password. Printed, logged or made JSON of, it is asterisks.
type Password string

// String is asterisks, and nothing where there is none.
func (p Password) String() string {
	if p == "" {
		return ""
	}
	return hidden
}

// GoString is for %#v.
func (p Password) GoString() string { return strconv.Quote(p.String()) }

// LogValue is for logs.
func (p Password) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalJSON is for whatever shows settings; the file is written from another type.
func (p Password) MarshalJSON() ([]byte, error) { return json.Marshal(p.String()) }

// Settings are one way out. The zero value is the direct one.
type Settings struct {
	Address  string   `json:"address"` // http://HOST:PORT, or empty: no proxy
	User     string   `json:"user"`
	Password Password `json:"password"`
	// NoProxy names what is reached directly: names with all below them, .below-only, addresses,
	// networks, each with a port or without, or *.
	NoProxy string `json:"no_proxy"`
	// TrustedCA is the CA of a proxy that inspects TLS, as PEM. It is trusted beside the CA of
	// set-up, and only where the proxy is used; without an address everywhere, because then what
	// inspects is invisible.
	TrustedCA string `json:"trusted_ca"`
}

// stored is Settings as the file holds them, the password readable.
type stored struct {
	Address   string `json:"address"`
	User      string `json:"user,omitempty"`
	Password  string `json:"password,omitempty"`
	NoProxy   string `json:"no_proxy,omitempty"`
	TrustedCA string `json:"trusted_ca,omitempty"`
}

// Load reads the setting of a node's folder. Where none was ever stored, it is the one that an
// earlier set-up may have left in its own file.
func Load(dir string) (Settings, error) {
	var s stored
	err := atomicfile.ReadJSON(filepath.Join(dir, settingsFile), maxFile, &s)
	if errors.Is(err, os.ErrNotExist) {
		return fromSetup(dir)
	}
	if err != nil {
		return Settings{}, fmt.Errorf("cannot use the proxy's setting: %w", err)
	}
	settings, err := Settings{Address: s.Address, User: s.User, Password: Password(s.Password),
		NoProxy: s.NoProxy, TrustedCA: s.TrustedCA}.Checked()
	if err != nil {
		return Settings{}, fmt.Errorf("cannot use the proxy's setting: %w", err)
	}
	return settings, nil
}

func fromSetup(dir string) (Settings, error) {
	f, err := os.Open(filepath.Join(dir, setupFile))
	if errors.Is(err, os.ErrNotExist) {
		return Settings{}, nil
	}
	if err != nil {
		return Settings{}, fmt.Errorf("cannot read the proxy of set-up: %w", err)
	}
	defer f.Close()
	var s struct {
		Proxy string `json:"proxy"`
	}
	if err := json.NewDecoder(io.LimitReader(f, maxFile)).Decode(&s); err != nil {
		return Settings{}, fmt.Errorf("cannot read the proxy of set-up: %w", err)
	}
	u, err := url.Parse(s.Proxy)
	if err != nil {
		return Settings{}, &Wrong{code: wrongAddress}
	}
	if s.Proxy == "" {
		return Settings{}, nil
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	password, _ := u.User.Password()
	return Settings{Address: "http://" + net.JoinHostPort(u.Hostname(), port),
		User: u.User.Username(), Password: Password(password)}.Checked()
}

// Save stores the setting after checking it; a running agent's next request follows it. No proxy
// is stored too, so that what an earlier set-up said does not come back.
func (s Settings) Save(dir string) error {
	s, err := s.Checked()
	if err != nil {
		return err
	}
	return atomicfile.WriteJSON(filepath.Join(dir, settingsFile), stored{Address: s.Address,
		User: s.User, Password: string(s.Password), NoProxy: s.NoProxy, TrustedCA: s.TrustedCA})
}

// Checked answers the setting in its one form, or a Wrong.
func (s Settings) Checked() (Settings, error) {
	var err error
	if s.Address, err = checkedAddress(s.Address); err != nil {
		return Settings{}, err
	}
	if s.NoProxy, err = checkedNoProxy(s.NoProxy); err != nil {
		return Settings{}, err
	}
	switch {
	case s.Address == "" && (s.User != "" || s.Password != ""):
		return Settings{}, &Wrong{code: wrongNoAddress}
	case s.User == "" && s.Password != "":
		return Settings{}, &Wrong{code: wrongNoUser}
	case len(s.User) > maxSecret || strings.ContainsFunc(s.User, unicode.IsControl) ||
		strings.Contains(s.User, ":"):
		return Settings{}, &Wrong{code: wrongUser}
	case len(s.Password) > maxSecret || strings.ContainsFunc(string(s.Password), unicode.IsControl):
		return Settings{}, &Wrong{code: wrongPassword}
	}
	s.TrustedCA = strings.TrimSpace(s.TrustedCA)
	if s.TrustedCA != "" {
		if _, err := parseCA(s.TrustedCA); err != nil {
			return Settings{}, err
		}
		s.TrustedCA += "\n"
	}
	return s, nil
}

// checkedAddress accepts HOST:PORT with or without http:// before it.
func checkedAddress(a string) (string, error) {
	a = strings.TrimSpace(a)
	if a == "" {
		return "", nil
	}
	if !strings.Contains(a, "://") {
		a = "http://" + a
	}
	u, err := url.Parse(a)
	if err != nil {
		return "", &Wrong{code: wrongAddress}
	}
	if u.User != nil {
		return "", &Wrong{code: wrongUserInAddress}
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if u.Scheme != "http" || err != nil || port == 0 || !goodHost(u.Hostname()) ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", &Wrong{code: wrongAddress}
	}
	return "http://" + net.JoinHostPort(strings.ToLower(u.Hostname()), u.Port()), nil
}

func goodHost(h string) bool {
	if net.ParseIP(h) != nil {
		return true
	}
	name := strings.TrimSuffix(strings.ToLower(h), ".")
	return name != "" && len(name) <= maxHost && !strings.HasPrefix(name, ".") &&
		!strings.Contains(name, "..") &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// checkedNoProxy refuses what would silently match nothing.
func checkedNoProxy(list string) (string, error) {
	if len(list) > maxNoProxy {
		return "", &Wrong{code: wrongNoProxy, subject: clean(list)}
	}
	entries := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	for i, e := range entries {
		e = strings.ToLower(e)
		entries[i] = e
		if _, _, err := net.ParseCIDR(e); err == nil || e == "*" || net.ParseIP(e) != nil {
			continue
		}
		host := e
		if h, port, err := net.SplitHostPort(e); err == nil {
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
				return "", &Wrong{code: wrongNoProxy, subject: clean(e)}
			}
			host = h
		}
		if !goodHost(strings.TrimPrefix(strings.TrimPrefix(host, "*."), ".")) {
			return "", &Wrong{code: wrongNoProxy, subject: clean(e)}
		}
	}
	return strings.Join(entries, ","), nil
}

func parseCA(text string) ([]*x509.Certificate, error) {
	if len(text) > maxCA {
		return nil, &Wrong{code: wrongCA}
	}
	var certs []*x509.Certificate
	rest := []byte(text)
	for len(strings.TrimSpace(string(rest))) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, &Wrong{code: wrongCA}
		}
		if strings.Contains(block.Type, "PRIVATE KEY") {
			return nil, &Wrong{code: wrongKeyInCA}
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || block.Type != "CERTIFICATE" || len(certs) == maxCAs {
			return nil, &Wrong{code: wrongCA}
		}
		if !cert.BasicConstraintsValid || !cert.IsCA {
			return nil, &Wrong{code: wrongNoCA, subject: clean(cert.Subject.String())}
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, &Wrong{code: wrongCA}
	}
	return certs, nil
}

// Authority is one certificate of TrustedCA, for people to compare.
type Authority struct {
	Subject  string    `json:"subject"`
	SHA256   string    `json:"sha256"`
	NotAfter time.Time `json:"not_after"`
}

// Authorities are what TrustedCA holds.
func (s Settings) Authorities() []Authority {
	var list []Authority
	for _, c := range s.certificates() {
		sum := sha256.Sum256(c.Raw)
		list = append(list, Authority{Subject: clean(c.Subject.String()),
			SHA256: hex.EncodeToString(sum[:]), NotAfter: c.NotAfter.UTC()})
	}
	return list
}

func (s Settings) certificates() []*x509.Certificate {
	if s.TrustedCA == "" {
		return nil
	}
	// nothing is kept unchecked, so that this cannot fail on settings that were loaded
	certs, _ := parseCA(s.TrustedCA)
	return certs
}

// For is the proxy to a destination, with its credentials, or nil: the direct way.
func (s Settings) For(destination *url.URL) *url.URL {
	if s.Address == "" {
		return nil
	}
	// cannot fail: only a CGI program is refused
	via, _ := (&httpproxy.Config{HTTPProxy: s.Address, HTTPSProxy: s.Address,
		NoProxy: s.NoProxy}).ProxyFunc()(destination)
	if via == nil {
		return nil
	}
	u := *via
	if s.User != "" {
		u.User = url.UserPassword(s.User, string(s.Password))
	}
	return &u
}

// Through says whether an address is reached through the proxy.
func (s Settings) Through(address string) (bool, error) {
	u, err := url.Parse(address)
	if err != nil {
		return false, fmt.Errorf("cannot use the address: %w", err)
	}
	return s.For(u) != nil, nil
}

// inspected are the CAs that may stand in for those of set-up on the way to a destination.
func (s Settings) inspected(via *url.URL) []*x509.Certificate {
	if via == nil && s.Address != "" {
		return nil
	}
	return s.certificates()
}

// clean makes foreign text fit to be shown: printable, and short.
func clean(text string) string {
	const most = 160
	kept := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
	if runes := []rune(kept); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return kept
}
