// Package wayout is the orchestration's proxy as its commands know it: host and port of the node's one
// proxy setting, said on the publisher and followed by its subscriber. It keeps no setting of its own.
package wayout

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/proxy"
)

// Config is what the commands ask for and show.
type Config struct {
	Configured bool   `json:"configured"`
	Host       string `json:"host,omitempty"`
	Port       int    `json:"port,omitempty"`
}

// Load answers what the node uses.
func Load(dir string) (Config, error) {
	s, err := proxy.Load(dir)
	if err != nil || s.Address == "" {
		return Config{}, err
	}
	host, port, err := net.SplitHostPort(s.Address[len("http://"):])
	if err != nil {
		return Config{}, fmt.Errorf("cannot use the proxy's setting: %w", err)
	}
	n, err := strconv.Atoi(port)
	return Config{Configured: true, Host: host, Port: n}, err
}

// Set changes the node's proxy, and tells its subscriber. What else is set of the proxy stays, but a
// user and a password go to no other proxy than the one they were given for.
func Set(dir string, store *settings.Store, by string, c Config) error {
	if err := apply(dir, c); err != nil {
		return err
	}
	_, err := settings.Update(store, settings.Proxy, by, func(v *Config) error {
		*v = c
		return nil
	})
	return err
}

func apply(dir string, c Config) error {
	now, err := proxy.Load(dir)
	if err != nil {
		return err
	}
	wanted := proxy.Settings{}
	if c.Configured {
		wanted.Address = "http://" + net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
	}
	if wanted, err = wanted.Checked(); err != nil {
		return err
	}
	if now.Address == wanted.Address {
		return nil
	}
	now.Address, now.User, now.Password = wanted.Address, "", ""
	return now.Save(dir)
}

// applied is which of the publisher's settings a subscriber has taken.
type applied struct {
	Revision int64 `json:"revision"`
}

// Follow makes a subscriber use what its publisher said, once: what its own administrator changes
// afterwards stays until the publisher's changes again.
func Follow(dir string, store *settings.Store) (changed bool, err error) {
	c, meta, err := settings.Read[Config](store, settings.Proxy)
	if err != nil || meta.Revision == 0 {
		return false, err
	}
	done, _, err := settings.Read[applied](store, settings.ProxyApplied)
	if err != nil || done.Revision >= meta.Revision {
		return false, err
	}
	if err := apply(dir, c); err != nil {
		return false, err
	}
	_, err = settings.Update(store, settings.ProxyApplied, "publisher", func(v *applied) error {
		v.Revision = meta.Revision
		return nil
	})
	return true, err
}

// Every is how often a subscriber looks.
const Every = 15 * time.Second
