package localweb_test

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connecthub/models/wire"
	"connecthub/nodeclient/control/keys"
)

const keyPath = "/inventory/controlnode/key"

// asked is one request to the key's endpoint with Basic credentials; none where user is empty.
func (b *browser) asked(user, password string) answer {
	b.n.t.Helper()
	return b.do(http.MethodGet, keyPath, nil, func(r *http.Request) {
		if user != "" {
			r.SetBasicAuth(user, password)
		}
	})
}

func code(t *testing.T, a answer) string {
	t.Helper()
	var p wire.Problem
	if err := json.Unmarshal([]byte(a.text), &p); err != nil || p.Status != a.status || p.Detail == "" ||
		a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v %s", a.status, err, a.text)
	}
	return p.Code
}

func TestTheControlNodesKeyIsShownToTheApplicationUserInTheOriginalsForm(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.key = keys.Public{Category: keys.Publisher, HostName: name, PublicKey: "ssh-rsa AAAA+/= root@localhost"}
	b := n.browse("en")
	a := b.asked("administrator", "right one")
	if a.status != 200 || a.text != `{"category":"PUBLISHER","hostName":"`+name+
		`","publicKey":"ssh-rsa AAAA+/= root@localhost"}` || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v %s", a.status, a.header, a.text)
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Access-Control-Allow-Origin") != "" ||
		a.header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Errorf("%v", a.header)
	}
	n.key.Category = keys.Subscriber
	if a := b.asked("administrator", "right one"); !strings.Contains(a.text, `"category":"SUBSCRIBER"`) {
		t.Errorf("%s", a.text)
	}
	n.keyTrouble = errors.New("raw text of an error")
	if a := b.asked("administrator", "right one"); a.status != 500 || code(t, a) != "node_failed" ||
		strings.Contains(a.text, "raw text") {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestABrowserIsAskedForTheApplicationUser(t *testing.T) {
	t.Parallel()
	n := start(t)
	for language, says := range map[string]string{"en": "application user", "ja": "アプリケーションユーザ"} {
		b := n.browse(language)
		for user, want := range map[string]string{"": "application_user_required", "other": "wrong_application_user"} {
			a := b.asked(user, "x")
			if a.status != 401 || code(t, a) != want || !strings.Contains(a.text, says) ||
				a.header.Get("WWW-Authenticate") != `Basic realm="Cloud Connect", charset="UTF-8"` {
				t.Errorf("%d %v %s", a.status, a.header, a.text)
			}
		}
	}
	// a session of the page is none here: a form of another site could use it
	b := n.browse("en")
	b.ready()
	if a := b.asked("", ""); a.status != 401 {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestWrongPasswordsOfTheAPIAndOfThePageCountTogether(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.browse("en")
	for range 3 {
		b.asked("administrator", "wrong")
	}
	for range 2 {
		b.wants(b.signIn("wrong"), 401)
	}
	if a := b.asked("administrator", "right one"); a.status != 429 || code(t, a) != "too_many_attempts" ||
		a.header.Get("Retry-After") == "" || strings.Contains(a.text, "ssh-rsa") {
		t.Errorf("%d %s", a.status, a.text)
	}
	b.wants(b.signIn("right one"), 429)
	for range 20 { // nobody is locked out by asking without a password
		b.asked("", "")
	}
	n.pass(15 * time.Second)
	if a := b.asked("administrator", "right one"); a.status != 200 {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestTheKeyIsReachedByAddressAndByNoForeignName(t *testing.T) {
	t.Parallel()
	n := start(t)
	for host, want := range map[string]int{"": 200, "127.0.0.1": 200, name: 200, "evil.example.net": 421, "127.0.0.2": 421} {
		req, err := http.NewRequest(http.MethodGet, "https://"+n.address+keyPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("administrator", "right one")
		if host != "" {
			req.Host = host
		}
		client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
			DisableKeepAlives: true}, Timeout: 20 * time.Second}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != want || (want == 200) != strings.Contains(string(text), "publicKey") {
			t.Errorf("%q: %d %s", host, res.StatusCode, text)
		}
	}
}
