package localweb_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/onboarding"
	"connecthub/nodeclient/control/vosapi"
)

const onboardPath = "/inventory/onboard"

// desk is where clusters apply to this node.
func (n *node) desk(dir string) *onboarding.Desk {
	return onboarding.New(onboarding.Options{Dir: dir, Now: n.clock, Self: func() (onboarding.Self, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.self, n.keyTrouble
	}})
}

func (n *node) is(self onboarding.Self) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.self = self
}

// sends is one request of a VOS machine; change makes it one of somebody else.
func (b *browser) sends(method, body string, change func(*http.Request)) answer {
	b.n.t.Helper()
	return b.do(method, onboardPath, nil, func(r *http.Request) {
		r.Header.Del("Origin")
		r.SetBasicAuth("administrator", "right one")
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		}
		if change != nil {
			change(r)
		}
	})
}

func TestOnboardingIsForTheApplicationUserAndForProgramsOnly(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.is(onboarding.Self{Name: name, Role: models.Publisher, Subscribers: []models.FQDN{"cc-sub.example.com"}})
	b := n.browse("en")
	a := b.sends(http.MethodGet, "", nil)
	var begin vosapi.Begin
	if err := json.Unmarshal([]byte(a.text), &begin); err != nil || a.status != 200 || begin.Check() != nil ||
		begin.HostName != name || begin.Category != "PUBLISHER" || len(begin.Subscribers) != 1 {
		t.Errorf("%d %v %s", a.status, err, a.text)
	}
	removal := `{"protocol":1,"cluster":"` + strings.Repeat("A", 26) + `","publisher":"vvb1.example.com"}`
	if a := b.sends(http.MethodDelete, removal, nil); a.status != 200 || !strings.Contains(a.text, `"known":false`) {
		t.Errorf("%d %s", a.status, a.text)
	}
	for what, c := range map[string]struct {
		method, body string
		change       func(*http.Request)
		status       int
		code         string
	}{
		"nobody":           {"GET", "", func(r *http.Request) { r.Header.Del("Authorization") }, 401, "application_user_required"},
		"a wrong password": {"POST", "{}", func(r *http.Request) { r.SetBasicAuth("administrator", "x") }, 401, "wrong_application_user"},
		"a wrong user":     {"DELETE", removal, func(r *http.Request) { r.SetBasicAuth("x", "right one") }, 401, "wrong_application_user"},
		"a page of a site": {"POST", removal, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example.net") }, 403, "programs_only"},
		"its own page":     {"DELETE", removal, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }, 403, "programs_only"},
		"a form":           {"POST", "a=b", func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, 403, "programs_only"},
		"text":             {"PUT", removal, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 403, "programs_only"},
		"no document":      {"POST", "{", nil, 422, "onboarding_malformed"},
		"another document": {"POST", removal, nil, 422, "onboarding_malformed"},
		"an unknown field": {"DELETE", `{"protocol":1,"x":2}`, nil, 422, "onboarding_malformed"},
		"too much":         {"PUT", `{"name":"` + strings.Repeat("x", vosapi.MaxOnboard+1) + `"}`, nil, 422, "onboarding_malformed"},
	} {
		if a := b.sends(c.method, c.body, c.change); a.status != c.status || code(t, a) != c.code ||
			strings.Contains(a.text, "ssh-rsa") {
			t.Errorf("%s: %d %s", what, a.status, a.text)
		}
	}
}

func TestASubscriberNamesItsPublisherAndOnboardsNobody(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.is(onboarding.Self{Name: name, Role: models.Subscriber, Publisher: "cc-boss.example.com"})
	text, err := json.Marshal(vosapi.Onboarding{Protocol: 1, Cluster: strings.Repeat("A", 26), Name: "a", Product: inventory.VVB})
	if err != nil {
		t.Fatal(err)
	}
	for language, says := range map[string]string{"en": "This node is the subscriber.", "ja": "このノードはサブスクライバです。"} {
		b := n.browse(language)
		if a := b.sends(http.MethodGet, "", nil); a.status != 200 || !strings.Contains(a.text, `"publisher":"cc-boss.example.com"`) ||
			!strings.Contains(a.text, `"category":"SUBSCRIBER"`) {
			t.Errorf("%d %s", a.status, a.text)
		}
		for _, method := range []string{http.MethodPost, http.MethodPut} {
			if a := b.sends(method, string(text), nil); a.status != 409 || code(t, a) != "onboard_on_publisher" ||
				!strings.Contains(a.text, says) || !strings.Contains(a.text, "cc-boss.example.com") {
				t.Errorf("%d %s", a.status, a.text)
			}
		}
	}
	n.mu.Lock()
	n.keyTrouble = errors.New("raw text of an error")
	n.mu.Unlock()
	if a := n.browse("en").sends(http.MethodGet, "", nil); a.status != 500 || strings.Contains(a.text, "raw text") {
		t.Errorf("%d %s", a.status, a.text)
	}
}

func TestWrongPasswordsOfOnboardingCountWithAllOthers(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.is(onboarding.Self{Name: name, Role: models.Publisher})
	b := n.browse("en")
	for range 5 {
		b.sends(http.MethodPost, "{}", func(r *http.Request) { r.SetBasicAuth("administrator", "wrong") })
	}
	if a := b.sends(http.MethodGet, "", nil); a.status != 429 || code(t, a) != "too_many_attempts" ||
		a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.text)
	}
}
