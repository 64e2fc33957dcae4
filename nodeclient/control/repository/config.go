// Package repository is a control node's way to its software repository: where it is, the key or token
// that opens it, and its Artifactory-style API. It keeps no software and knows no machine.
package repository

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"connecthub/nodeclient/control/settings"
)

// DefaultRepository is the name that is offered where none was set.
const DefaultRepository = "ent-platform-release-external"

const (
	maxURL      = 1024
	maxSecret   = 512
	maxRepoName = 64
	shownDigits = 4
)

// Kind says what opens the repository.
type Kind string

// The kinds.
const (
	APIKey        Kind = "api_key"
	IdentityToken Kind = "identity_token"
)

// Label is how the commands call a kind.
func (k Kind) Label() string {
	if k == IdentityToken {
		return "Identity Token"
	}
	return "API Key"
}

// Secret is a key or a token. Printed, logged or made JSON of, it is asterisks and its last four
// characters.
type Secret string

// String is asterisks and the last four characters; nothing where there is none.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	const hidden = "********"
	if len(s) < 3*shownDigits { // too short to show any of it
		return hidden
	}
	return hidden + string(s[len(s)-shownDigits:])
}

// GoString is for %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// LogValue is for logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON is for whatever shows it; the file is written from another type.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// Config is where software comes from, and what opens it.
type Config struct {
	Type       Kind   // what the next set asks for
	URL        string // https://HOST[:PORT][/PATH], empty: nothing was set yet
	Repository string
	Kind       Kind // of Secret
	Secret     Secret
	Restricted bool // export-restricted software, else unrestricted
	// What the repository said of the secret when it was asked last.
	ExpiresAt time.Time
	CheckedAt time.Time
}

// stored is Config as its document holds it, the secret readable.
type stored struct {
	Type       Kind      `json:"type"`
	URL        string    `json:"url"`
	Repository string    `json:"repository"`
	Kind       Kind      `json:"kind"`
	Secret     string    `json:"secret"`
	Restricted bool      `json:"restricted"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	CheckedAt  time.Time `json:"checked_at,omitzero"`
}

func (s stored) config() Config {
	c := Config{Type: s.Type, URL: s.URL, Repository: s.Repository, Kind: s.Kind,
		Secret: Secret(s.Secret), Restricted: s.Restricted, ExpiresAt: s.ExpiresAt,
		CheckedAt: s.CheckedAt}
	if c.Type == "" {
		c.Type = APIKey
	}
	return c
}

func (c Config) stored() stored {
	return stored{Type: c.Type, URL: c.URL, Repository: c.Repository, Kind: c.Kind,
		Secret: string(c.Secret), Restricted: c.Restricted, ExpiresAt: c.ExpiresAt,
		CheckedAt: c.CheckedAt}
}

// Configured says whether a repository was ever set.
func (c Config) Configured() bool { return c.URL != "" }

// Load answers what is set.
func Load(s *settings.Store) (Config, settings.Meta, error) {
	v, meta, err := settings.Read[stored](s, settings.Repository)
	return v.config(), meta, err
}

// Update changes what is set; change gets it as it is at that moment.
func Update(s *settings.Store, by string, change func(*Config) error) (settings.Meta, error) {
	return settings.Update(s, settings.Repository, by, func(v *stored) error {
		c := v.config()
		if err := change(&c); err != nil {
			return err
		}
		if c.Configured() {
			if _, err := c.Checked(); err != nil {
				return err
			}
		}
		*v = c.stored()
		return nil
	})
}

// Checked answers the configuration in its one form, or what is wrong with it.
func (c Config) Checked() (Config, error) {
	u, err := url.Parse(strings.TrimSpace(c.URL))
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || len(c.URL) > maxURL ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil ||
		strings.Contains(u.Path, "//") {
		return Config{}, &Wrong{wrongURL}
	}
	c.URL = "https://" + strings.ToLower(u.Host) + strings.TrimRight(u.EscapedPath(), "/")
	c.Repository = strings.TrimSpace(c.Repository)
	if !goodRepository(c.Repository) {
		return Config{}, &Wrong{wrongRepository}
	}
	c.Secret = Secret(strings.TrimSpace(string(c.Secret)))
	if c.Secret == "" || len(c.Secret) > maxSecret ||
		strings.ContainsFunc(string(c.Secret), func(r rune) bool {
			return r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == ' '
		}) {
		return Config{}, &Wrong{wrongSecret}
	}
	if c.Kind != APIKey && c.Kind != IdentityToken {
		return Config{}, errors.New("the secret is neither an API key nor an identity token")
	}
	return c, nil
}

// Host is the repository's name or address, without its port.
func (c Config) Host() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Server is the repository's name or address with its port: whom a secret was given to.
func (c Config) Server() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func goodRepository(name string) bool {
	return name != "" && name != "api" && len(name) <= maxRepoName && name[0] != '.' &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}
