package walk_test

import (
	"crypto/tls"
	"net/http"
	"path/filepath"
	"time"
)

const (
	applicationUser     = "appadmin"
	applicationPassword = "walk-application-page-4711" // of this test's own throw-away nodes
)

// control is one control node: its folder, its name, its page.
type control struct {
	w        *world
	name     string
	host     int
	dir      string
	password string // file with the application user's
}

// controlNodes sets up a publisher and a subscriber, as their installer does. Neither is registered
// in the hub: orchestration does not need it.
func (w *world) controlNodes(h *hub) (publisher, subscriber *control) {
	w.t.Helper()
	password := w.file("application-password", applicationPassword+"\n")
	secret := w.path("cluster-secret.json")
	at := func(name string, host int) *control {
		return &control{w: w, name: name, host: host, dir: w.path(name), password: password}
	}
	publisher, subscriber = at("cc-pub.acme.example", 2), at("cc-sub.acme.example", 3)
	for _, c := range []*control{publisher, subscriber} {
		w.does("nodeclient", "", "setup", "--dir", c.dir, "--hub", "https://"+h.nodes, "--hub-ca",
			w.path("hub", "tls", "ca.pem"), "--fqdn", c.name, "--listen", w.address(c.host, 8445),
			"--app-user", applicationUser, "--app-password-file", password)
	}
	w.does("nodeclient", "", "cluster", "init", "--dir", publisher.dir, "--peer-listen",
		w.address(publisher.host, 8446), "--secret-file", secret)
	w.begin("nodeclient", "run", "--dir", publisher.dir)
	w.eventually("the subscriber joins", 30*time.Second, func() bool {
		code, _ := w.runs("nodeclient", "", "cluster", "join", "--dir", subscriber.dir, "--publisher",
			publisher.name, "--dial", publisher.name+"="+w.address(publisher.host, 8446),
			"--peer-listen", w.address(subscriber.host, 8446), "--secret-file", secret)
		return code == 0
	})
	w.begin("nodeclient", "run", "--dir", subscriber.dir)
	for _, c := range []*control{publisher, subscriber} {
		w.eventually(c.name+" serves its page", 20*time.Second, func() bool {
			res, err := c.client().Get(c.page("/"))
			if err != nil {
				return false
			}
			_ = res.Body.Close()
			return res.StatusCode == http.StatusOK
		})
	}
	return publisher, subscriber
}

func (c *control) page(path string) string { return "https://" + c.w.address(c.host, 8445) + path }

// client is a browser that was told to go on: what it sees is checked elsewhere.
func (c *control) client() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // loopback, own node
}

// does is a command at this node that must be done; typed is its standard input.
func (c *control) does(typed string, words ...string) string {
	c.w.t.Helper()
	c.w.done.Add(1)
	return c.w.does("nodeclient", typed, c.here(words)...)
}

// refuses is a command that must not be done, and its sentence.
func (c *control) refuses(typed, sentence string, words ...string) {
	c.w.t.Helper()
	c.w.refused.Add(1)
	code, out := c.w.runs("nodeclient", typed, c.here(words)...)
	if code != 1 || !contains(out, sentence) {
		c.w.t.Fatalf("%v: %d, wanted the refusal %q\n%s", words, code, sentence, out)
	}
}

func (c *control) here(words []string) []string { return append(words, "--dir", c.dir) }

func (c *control) file(name string) string { return filepath.Join(c.dir, name) }

// dial tells a machine where this node is.
func (c *control) dial() []string {
	return []string{"--dial", c.name + "=" + c.w.address(c.host, 8445)}
}
