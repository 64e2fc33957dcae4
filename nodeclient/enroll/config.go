// Package enroll is a node's identity: its settings, its key, its registration with the hub, its
// tokens, and the mutual TLS between the nodes of its cluster. It knows no permits and no services.
package enroll

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"connecthub/models"
	"connecthub/nodeclient/atomicfile"
)

const (
	configFile   = "config.json"
	hubCAFile    = "hub-ca.pem"
	maxConfig    = 64 << 10
	pinPrefix    = "sha256:"
	minPassword  = 8
	maxUserBytes = 64
)

// Config is what setup was told, validated whole. Names and addresses are apart: FQDN is who the
// node is, Listen and Dial are where things are reached.
type Config struct {
	Hub             string            `json:"hub"`                   // https://host[:port]
	HubPin          string            `json:"hub_pin,omitempty"`     // sha256:… of a key in the hub's chain
	Environment     string            `json:"environment,omitempty"` // whose links are taken; empty: the hub judges
	FQDN            models.FQDN       `json:"fqdn"`                  // of this node
	PageListen      string            `json:"page_listen"`           // of its own page
	PeerListen      string            `json:"peer_listen"`           // of the mutual TLS between the nodes
	Role            models.NodeRole   `json:"role,omitempty"`        // empty until cluster init or join
	Publisher       models.FQDN       `json:"publisher,omitempty"`
	Dial            map[string]string `json:"dial,omitempty"`    // name → host:port
	Proxy           string            `json:"proxy,omitempty"`   // of an earlier set-up; see proxy.Load
	AppUser         string            `json:"app_user"`          // of its own page
	AppPasswordHash string            `json:"app_password_hash"` // argon2id
}

// Validate names everything that is wrong at once.
func (c Config) Validate() error {
	var wrong []error
	refuse := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, errors.New(what))
		}
	}
	u, err := url.Parse(c.Hub)
	refuse(err == nil && u.Scheme == "https" && u.Host != "" && strings.Trim(u.Path, "/") == "" &&
		u.RawQuery == "" && u.Fragment == "" && u.User == nil,
		"the hub's address is https://HOST[:PORT], nothing more")
	name, err := models.ParseFQDN(string(c.FQDN))
	refuse(err == nil && name == c.FQDN, "the FQDN is a full domain name in lower case, no address")
	refuse(validAddress(c.PageListen), "the page's address is HOST:PORT or :PORT")
	refuse(c.PeerListen == "" || validAddress(c.PeerListen), "the peer address is HOST:PORT or :PORT")
	refuse(c.Role == "" || c.Role.Valid(), "the role is publisher or subscriber")
	refuse(c.HubPin == "" || validPin(c.HubPin), "a pin is sha256: and 64 hex digits")
	refuse(c.AppUser != "" && len(c.AppUser) <= maxUserBytes, "name the application user")
	refuse(c.AppPasswordHash != "", "the application user needs a password")
	for name, address := range c.Dial {
		refuse(name != "" && validAddress(address), "a dial address is NAME=HOST:PORT")
	}
	if c.Proxy != "" {
		p, err := url.Parse(c.Proxy)
		refuse(err == nil && p.Scheme == "http" && p.Host != "", "the proxy is http://HOST:PORT")
	}
	return errors.Join(wrong...)
}

func validAddress(a string) bool {
	_, port, err := net.SplitHostPort(a)
	return err == nil && port != ""
}

func validPin(pin string) bool {
	digits, ok := strings.CutPrefix(pin, pinPrefix)
	return ok && len(digits) == 64 && strings.Trim(digits, "0123456789abcdef") == ""
}

// LoadConfig reads the settings of a node's folder.
func LoadConfig(dir string) (Config, error) {
	var c Config
	err := atomicfile.ReadJSON(filepath.Join(dir, configFile), maxConfig, &c)
	if errors.Is(err, os.ErrNotExist) {
		return c, fmt.Errorf("this folder is not set up; run \"nodeclient setup\" first: %w", err)
	}
	if err != nil {
		return c, err
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("cannot use the node's settings: %w", err)
	}
	return c, nil
}

// Save writes the settings whole, after validating them.
func (c Config) Save(dir string) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("cannot use these settings: %w", err)
	}
	return atomicfile.WriteJSON(filepath.Join(dir, configFile), c)
}

// MakeDir makes the node's folder and refuses one that others may look into.
func MakeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the node's folder: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("cannot look at the node's folder: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s may be read by others; make it 0700", dir)
	}
	return nil
}
