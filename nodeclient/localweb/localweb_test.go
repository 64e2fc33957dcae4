package localweb_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestTheAdministratorSeesWhoAsksAndAllows(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.browse("en")
	page := b.signIn("right one")
	b.wants(page, 200, "Example &amp; Sons", "hub.example.com", "mika@example.com", "Tokyo &lt;1&gt;",
		name, "ABCD-EFGH", `data-seconds="900"`, `name="allow"`, "15 minutes",
		"Allow access to the Cloud Connect cluster", "Continue", "Deny")
	b.wants(b.answer(page, allowed), 409, "Run the connectivity self-test first.")
	page = b.ready()
	done := b.answer(page, allowed)
	if done.header.Get("Location") != home || n.claimed != 1 {
		t.Fatalf("went back to %q after %d claims", done.header.Get("Location"), n.claimed)
	}
	// the sign-in served this one decision
	if again := b.answer(page, allowed); n.claimed != 1 {
		t.Errorf("claimed twice: %s", again.text)
	}
}

func TestDenyingClaimsNothingAndSaysSo(t *testing.T) {
	t.Parallel()
	n := start(t)
	for language, says := range map[string]string{"en": "Access is denied.", "ja": "アクセスを拒否しました。"} {
		b := n.browse(language)
		b.wants(b.answer(b.signIn("right one"), url.Values{"action": {"deny"}}), 200, says)
	}
	if n.denied != 2 || n.claimed != 0 {
		t.Errorf("%d denied, %d claimed", n.denied, n.claimed)
	}
}

func TestAccessIsNotAllowedWithoutTheTickedBox(t *testing.T) {
	t.Parallel()
	n := start(t)
	for language, says := range map[string]string{"en": "Tick the box", "ja": "チェックボックスを選択"} {
		b := n.browse(language)
		page := b.answer(b.ready(), url.Values{"action": {"allow"}})
		b.wants(page, 422, says, `name="allow"`)
	}
	if n.claimed != 0 {
		t.Errorf("%d claimed", n.claimed)
	}
}

func TestNothingCanBeAllowedAfterItsTimeIsOver(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.browse("ja")
	n.pass(time.Minute)
	page := b.signIn("right one")
	b.wants(page, 200, `data-seconds="840"`)
	n.pass(14 * time.Minute)
	b.wants(b.answer(page, allowed), 410, "この登録の期限が切れました", "disabled")
	n.pass(10 * time.Minute)
	if b.answer(page, allowed); n.claimed != 0 {
		t.Errorf("%d claimed", n.claimed)
	}
}

func TestAWrongPasswordIsRefusedAndGuessingIsSlowedDown(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.browse("en")
	for range 5 {
		page := b.signIn("wrong")
		b.wants(page, 401, "The user name or the password is wrong.", ticket)
	}
	slow := b.signIn("right one")
	b.wants(slow, 429, "Too many wrong attempts.")
	if slow.header.Get("Retry-After") == "" || n.inspected != 0 {
		t.Errorf("Retry-After %q, %d inspected", slow.header.Get("Retry-After"), n.inspected)
	}
	ja := n.browse("ja")
	ja.wants(ja.signIn("right one"), 429, "試行回数が多すぎます。")
	n.pass(12 * time.Second)
	b.wants(b.signIn("right one"), 200, `name="allow"`)
}

func TestAFormWithoutItsTokenIsRefused(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.browse("en")
	to, fields := b.get("/register").form(t)
	fields.Set("ticket", ticket)
	fields.Set("username", "administrator")
	fields.Set("password", "right one")
	fields.Del("form")
	b.wants(b.post(to, fields), 403, "This page was open for too long.")
	page := b.signIn("right one")
	to, _ = page.form(t)
	b.wants(b.post(to, allowed), 403, "This page was open for too long.")
	// and the token of one browser is worth nothing in another
	_, foreign := n.browse("en").signIn("right one").form(t)
	b.wants(b.answer(page, url.Values{"form": foreign["form"], "allow": {"on"},
		"action": {"allow"}}), 403, "This page was open for too long.")
	if n.claimed != 0 {
		t.Errorf("%d claimed", n.claimed)
	}
}

func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	n := start(t)
	sent := map[string]func(*http.Request){
		"another site":   func(r *http.Request) { r.Header.Set("Origin", "https://evil.example.net") },
		"another port":   func(r *http.Request) { r.Header.Set("Origin", "https://"+name) },
		"another scheme": func(r *http.Request) { r.Header.Set("Origin", "http://"+name+":8445") },
		"null":           func(r *http.Request) { r.Header.Set("Origin", "null") },
		"unsaid":         func(r *http.Request) { r.Header.Del("Origin") },
		"same site only": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
	}
	for from, change := range sent {
		for language, says := range map[string]string{"en": "came from another site", "ja": "別のサイトからの要求"} {
			b := n.browse(language)
			to, fields := b.signIn("right one").form(t)
			fields.Set("allow", "on")
			fields.Set("action", "allow")
			t.Log(from)
			b.wants(b.do(http.MethodPost, to, fields, change), 403, says)
		}
	}
	if n.claimed != 0 {
		t.Errorf("%d claimed", n.claimed)
	}
}

func TestThePageAnswersToItsOwnNamesOnly(t *testing.T) {
	t.Parallel()
	b := start(t).browse("en")
	for host, want := range map[string]int{name: 200, name + ":443": 200, "CC-PUB.Example.com:8445": 200,
		"localhost:8445": 200, "127.0.0.1:8445": 200, "evil.example.net": 421, "10.1.2.3": 421,
		name + ".evil.example.net": 421, "x" + name: 421, "[::1]:8445": 421} {
		a := b.do(http.MethodGet, "/", nil, func(r *http.Request) { r.Host = host })
		if a.status != want {
			t.Errorf("%s: %d, want %d", host, a.status, want)
		}
		if want == 421 && !strings.Contains(a.text, name) {
			t.Errorf("%s: the node's name is missing", host)
		}
	}
}

func TestRefusalsOfTheHubAreSentencesInThePagesLanguage(t *testing.T) {
	t.Parallel()
	n := start(t)
	said := spoken{"This registration was already used.", "この登録はすでに使用されています。"}
	for _, c := range []struct {
		language string
		err      error
		status   int
		says     string
	}{
		{"en", said, 409, said.en}, {"ja", said, 409, said.ja},
		{"en", spoken{}, 502, "The answer did not come from Connect Hub."},
		{"en", errors.New("raw text: dial tcp"), 502, "This node cannot reach Connect Hub."},
		{"ja", errors.New("raw text: dial tcp"), 502, "Connect Hub に接続できません"},
	} {
		b := n.browse(c.language)
		n.inspect, n.allow = c.err, nil
		b.wants(b.signIn("right one"), c.status, c.says)
		n.inspect, n.allow = nil, c.err
		n.allow = nil
		page := b.ready()
		n.allow = c.err
		b.wants(b.answer(page, allowed), c.status, c.says)
	}
}

func TestTheBrowserIsSentToAWebAddressOnly(t *testing.T) {
	t.Parallel()
	n := start(t)
	for _, back := range []string{"javascript:alert(1)", "/register", "", "//evil.example.net/",
		"https://user@evil.example.net/", "data:text/html,x"} {
		n.back = back
		b := n.browse("en")
		a := b.answer(b.ready(), allowed)
		b.wants(a, 502, "named no address to return to")
		if a.header.Get("Location") != "" {
			t.Errorf("sent to %q", a.header.Get("Location"))
		}
	}
}

func TestAFormThatIsTooLargeOrNoFormIsRefused(t *testing.T) {
	t.Parallel()
	b := start(t).browse("en")
	to, fields := b.get("/register").form(t)
	fields.Set("password", strings.Repeat("x", 70<<10))
	b.wants(b.post(to, fields), 413, "This form could not be read.")
	a := b.do(http.MethodPost, to, nil, func(r *http.Request) {
		r.Header.Set("Content-Type", "application/json")
	})
	b.wants(a, 415, "This form could not be read.")
}

func TestEveryAnswerCarriesTheGuardsHeaders(t *testing.T) {
	t.Parallel()
	b := start(t).browse("en")
	for path, want := range map[string]int{"/": 200, "/register": 200, "/sign-in": 200, "/nothing": 404,
		"/assets/page.js": 200, "/assets/page.css": 200, "/assets/icon.svg": 200, "/assets/": 404,
		"/pages/frame.html": 404, "/assets/../server.go": 404} {
		a := b.get(path)
		if a.status != want {
			t.Errorf("%s: %d, want %d", path, a.status, want)
		}
		csp := a.header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'",
			"frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "connect-src 'self'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: %s is missing in %q", path, part, csp)
			}
		}
		for header, value := range map[string]string{"X-Content-Type-Options": "nosniff",
			"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY"} {
			if a.header.Get(header) != value {
				t.Errorf("%s: %s is %q", path, header, a.header.Get(header))
			}
		}
		if strings.Contains(a.text, "<script>") || strings.Contains(a.text, "style=\"") {
			t.Errorf("%s has an inline script or style", path)
		}
		for _, c := range a.header.Values("Set-Cookie") {
			for _, part := range []string{"__Host-", "Path=/", "Secure", "HttpOnly", "SameSite=Strict"} {
				if !strings.Contains(c, part) {
					t.Errorf("%s: %s is missing in the cookie", path, part)
				}
			}
		}
	}
}

func TestASessionEndsAfterTwentyMinutes(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.registeredTo = "Example & Sons"
	b := n.browse("en")
	if a := b.get("/"); strings.Contains(a.text, "Example") || strings.Contains(a.text, "14.0.1-42") ||
		!strings.Contains(a.text, "Registered") || !strings.Contains(a.text, "Healthy") {
		t.Errorf("what a stranger sees: %s", a.text)
	}
	to, fields := b.get("/sign-in").form(t)
	fields.Set("username", "administrator")
	fields.Set("password", "right one")
	b.wants(b.post(to, fields), 200, "Example &amp; Sons", "14.0.1-42", "Tokyo &lt;1&gt;")
	n.pass(20*time.Minute - time.Second)
	b.wants(b.get("/"), 200, "Example &amp; Sons")
	n.pass(time.Second)
	if a := b.get("/"); strings.Contains(a.text, "Example") {
		t.Errorf("still signed in: %s", a.text)
	}
}

func TestTheLanguageIsTheBrowsersUntilOneIsChosen(t *testing.T) {
	t.Parallel()
	n := start(t)
	for header, lang := range map[string]string{"": "en", "fr": "en", "ja-JP,ja;q=0.9,en;q=0.8": "ja",
		"en-US,ja;q=0.5": "en", "fr, ja;q=0.2": "ja"} {
		if a := n.browse(header).get("/"); !strings.Contains(a.text, `<html lang="`+lang+`"`) {
			t.Errorf("%q did not get %s", header, lang)
		}
	}
	b := n.browse("ja")
	b.wants(b.get("/register?lang=en"), 200, "User name")
	b.wants(b.get("/register"), 200, "User name")
	b.wants(b.signIn("right one"), 200, "Comparison code")
	if last := n.languages[len(n.languages)-1]; last != "en" {
		t.Errorf("the hub was asked in %s", last)
	}
}
