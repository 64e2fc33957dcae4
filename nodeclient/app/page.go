package app

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"connecthub/models"
	"connecthub/models/compat"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/onboarding"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/localweb"
)

// page is the node's own page. What "nodeclient set" changes about it counts at once.
func (n *node) page() (*localweb.Server, error) {
	c := n.enrollment.Config()
	shown := &certificates{dir: n.dir, name: c.FQDN, now: n.e.now}
	if _, err := shown.get(); err != nil {
		return nil, err
	}
	return localweb.New(localweb.Options{FQDN: c.FQDN, HubName: c.Hub, Certificate: shown.get,
		Listen: c.PageListen, CheckPassword: thrifty(n.checkPassword), Credential: n.credential,
		Inspect: n.enrollment.Inspect, Allow: n.enrollment.Allow, Deny: n.enrollment.Deny,
		Status: n.status, Trail: n.trail, Now: n.e.now, Log: n.e.log, Proxy: n.wayOut(),
		ControlKey: func() (keys.Public, error) {
			c := n.settings()
			return keys.OwnPublic(n.dir, c.Role, c.FQDN)
		}, Onboarding: onboarding.New(onboarding.Options{Dir: n.dir, Self: n.self, Now: n.e.now})})
}

// self is who this control node is, as its settings stand now.
func (n *node) self() (onboarding.Self, error) {
	c := n.settings()
	self := onboarding.Self{Name: c.FQDN, Role: c.Role, Publisher: c.Publisher}
	if v, err := compat.FromRelease(installedVersion(n.slots)); err == nil {
		self.Version = v
	}
	if c.Role != models.Publisher {
		return self, nil
	}
	var err error
	self.Subscribers, err = enroll.Members(n.dir)
	return self, err
}

// settings are as they stand on disk now; where they cannot be read, as they were at the start.
func (n *node) settings() enroll.Config {
	c, err := enroll.LoadConfig(n.dir)
	if err != nil {
		n.e.log.Warn("cannot read the settings again", "error", err)
		return n.enrollment.Config()
	}
	return c
}

func (n *node) checkPassword(user, password string) bool {
	return n.settings().CheckPassword(user, password)
}

// credential names the application user and its password without showing either.
func (n *node) credential() string {
	c := n.settings()
	sum := sha256.Sum256([]byte(c.AppUser + "\x00" + c.AppPasswordHash))
	return hex.EncodeToString(sum[:])
}

func (n *node) trail() []enroll.Event {
	events, err := enroll.Trail(n.dir)
	if err != nil {
		n.e.log.Warn("cannot read the record of registrations", "error", err)
	}
	return events
}

// thrifty gives back what a check takes: a password's hash needs half of what an agent at rest may
// hold.
func thrifty(check func(user, password string) bool) func(user, password string) bool {
	return func(user, password string) bool {
		defer debug.FreeOSMemory()
		return check(user, password)
	}
}

// certificates reads the page's certificate again when its files have changed. One that cannot be
// read leaves the one before in its place.
type certificates struct {
	dir  string
	name models.FQDN
	now  func() time.Time

	mu   sync.Mutex
	seen [3]time.Time
	last *tls.Certificate
}

func (c *certificates) get() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := c.changed()
	if c.last != nil && changed == c.seen {
		return c.last, nil
	}
	fresh, err := enroll.PageCertificate(c.dir, c.name, c.now())
	switch {
	case err == nil:
		c.last, c.seen = &fresh, c.changed()
	case c.last == nil:
		return nil, err
	}
	return c.last, nil
}

func (c *certificates) changed() (at [3]time.Time) {
	for i, name := range []string{"page.pem", "page.crt", "page.key"} {
		if info, err := os.Stat(filepath.Join(c.dir, name)); err == nil {
			at[i] = info.ModTime()
		}
	}
	return at
}
