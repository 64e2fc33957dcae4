package localweb_test

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/localweb"
)

func TestThePageShowsWhetherTheOrganizationsDomainIsVerified(t *testing.T) {
	t.Parallel()
	n := start(t)
	for language, says := range map[string][2]string{"en": {"not verified", "verified</span>"},
		"ja": {"未確認", "確認済み</span>"}} {
		n.domain = ""
		n.browse(language).wants(n.browse(language).signIn("right one"), 200, says[0])
		n.domain = "example.com"
		b := n.browse(language)
		b.wants(b.signIn("right one"), 200, "example.com <span", says[1])
	}
	n.codeRequired = true
	b := n.browse("en")
	b.wants(b.signIn("right one"), 200, "Connect Hub asks for this code")
}

func TestNothingIsAllowedBeforeTheSelfTestHasRun(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.exits.results = hubAnswers
	b := n.browse("en")
	page := b.signIn("right one")
	b.wants(page, 200, `data-auto="yes"`, "not tested", `value="on" disabled`)
	b.wants(b.answer(page, allowed), 409, "Run the connectivity self-test first.")
	if n.claimed != 0 {
		t.Fatal("claimed without a test")
	}
	_, fields := page.form(t)
	tested := b.do(http.MethodPost, "/register/test", fields, live)
	lines := strings.Split(strings.TrimSpace(tested.text), "\n")
	var result struct {
		Steps          []step
		Tested, Passed bool
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &result); err != nil || !result.Tested ||
		!result.Passed || len(result.Steps) != len(hubAnswers) || result.Steps[2].Word == "" {
		t.Fatalf("%d %s: %v", tested.status, tested.text, err)
	}
	if len(lines) != len(hubAnswers)+1 {
		t.Errorf("%d lines: %s", len(lines), tested.text)
	}
	again := b.get("/register/access")
	b.wants(again, 200, `data-auto="no"`, "This node reaches Connect Hub.")
	if back := b.answer(again, allowed); back.header.Get("Location") != home || n.claimed != 1 {
		t.Errorf("%d, %d claims", back.status, n.claimed)
	}
	if n.by.User != "administrator" || n.by.Address != "127.0.0.1" ||
		n.decided.Organization != "Example & Sons" || n.decided.ComparisonCode != "ABCD-EFGH" {
		t.Errorf("recorded by %+v about %+v", n.by, n.decided)
	}
}

// step is one result of the self-test, as the page's script reads it.
type step struct{ Name, Sentence, Word, Class string }

func live(r *http.Request) { r.Header.Set("Accept", "application/x-ndjson") }

func TestResultsOfTheSelfTestComeOneByOne(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.exits.results, n.exits.pause = hubAnswers, make(chan struct{})
	b := n.browse("ja")
	_, fields := b.signIn("right one").form(t)
	res := b.send(http.MethodPost, "/register/test", fields, live)
	defer res.Body.Close()
	if kind := res.Header.Get("Content-Type"); res.StatusCode != 200 || kind != "application/x-ndjson" {
		t.Fatalf("%d %s", res.StatusCode, kind)
	}
	lines := json.NewDecoder(res.Body)
	for i, known := range hubAnswers { // the next is not tested before this one was read
		var got step
		if err := lines.Decode(&got); err != nil || got.Name != known.Name("ja") ||
			got.Sentence != known.Sentence("ja") {
			t.Fatalf("line %d is %+v: %v", i, got, err)
		}
		n.exits.pause <- struct{}{}
	}
	var all struct{ Passed bool }
	if err := lines.Decode(&all); err != nil || !all.Passed {
		t.Errorf("%+v %v", all, err)
	}
}

func TestASelfTestThatNobodyFollowsIsTheSessionsAllTheSame(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.exits.results, n.exits.pause = hubAnswers, make(chan struct{})
	b := n.browse("en")
	_, fields := b.signIn("right one").form(t)
	res := b.send(http.MethodPost, "/register/test", fields, live)
	_ = res.Body.Close()
	for range hubAnswers {
		n.exits.pause <- struct{}{}
	}
	n.exits.mu.Lock()
	n.exits.pause = nil
	n.exits.mu.Unlock()
	b.wants(b.post("/register/test", fields), 200, "This node reaches Connect Hub.")
}

func TestAFailedStepOfTheSelfTestSaysWhatToDo(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.exits.results = proxyRefuses
	for language, says := range map[string]string{"en": "Put it right before you allow access.",
		"ja": "解決してからアクセスを許可してください。"} {
		b := n.browse(language)
		page := b.ready()
		b.wants(page, 200, says, "&lt;b&gt;proxy&lt;/b&gt;")
	}
}

func TestTheSelfTestIsThereWhereTheHubIsNotReached(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.exits.results = proxyRefuses
	n.inspect = errors.New("raw text: dial tcp")
	b := n.browse("en")
	page := b.signIn("right one")
	b.wants(page, 502, "This node cannot reach Connect Hub.", `id="self-test"`, `href="/proxy"`)
	_, fields := page.form(t)
	b.wants(b.post("/register/test", fields), 502, "&lt;b&gt;proxy&lt;/b&gt;")
	n.inspect = nil
	b.wants(b.answer(b.get("/register/access"), allowed), 303)
}

func TestTheSelfTestIsForWhoeverSignedInWithALink(t *testing.T) {
	t.Parallel()
	n := start(t)
	inside := n.inside("en")
	_, fields := inside.get("/").form(t)
	for what, b := range map[string]*browser{"a stranger": n.browse("en"), "without a link": inside} {
		b.wants(b.post("/register/test", fields), 200, `name="username"`)
		if len(n.exits.tested) != 0 {
			t.Errorf("%s: tested", what)
		}
	}
	b := n.browse("en")
	_, fields = b.signIn("right one").form(t)
	fields.Set("form", strings.Repeat("0", 64))
	b.wants(b.post("/register/test", fields), 403, "This page was open for too long.")
	if len(n.exits.tested) != 0 {
		t.Error("tested without the form's token")
	}
}

func TestANewPasswordSignsEverybodyOut(t *testing.T) {
	t.Parallel()
	n := start(t)
	n.registeredTo = "Example & Sons"
	b := n.inside("en")
	b.wants(b.get("/"), 200, "Example &amp; Sons")
	n.mu.Lock()
	n.secret = "another"
	n.mu.Unlock()
	if a := b.get("/"); strings.Contains(a.text, "Example") {
		t.Errorf("still signed in: %s", a.text)
	}
}

func TestAReplacedCertificateIsShownFromTheNextConnectionOn(t *testing.T) {
	t.Parallel()
	n := start(t)
	serial := func() string {
		c, err := tls.Dial("tcp", n.address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return string(c.ConnectionState().PeerCertificates[0].Raw)
	}
	before := serial()
	if serial() != before {
		t.Error("it changes by itself")
	}
	other := certificate(t)
	n.mu.Lock()
	n.shown = &other
	n.mu.Unlock()
	if serial() == before {
		t.Error("the old one is still shown")
	}
}

func TestThePageShowsWhatHappenedToRegistrationsOfThisNode(t *testing.T) {
	t.Parallel()
	n := start(t)
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	n.events = []enroll.Event{
		{At: at, What: enroll.EventAllowed, By: enroll.By{User: "administrator", Address: "192.0.2.7"},
			Organization: "Mallory <Ltd>", RequestedBy: "mal@example.net"},
		{At: at.Add(time.Minute), What: enroll.EventEnded, Organization: "Mallory <Ltd>",
			Why: string(models.EndedOtherSession)}}
	for language, says := range map[string][]string{
		"en": {"Nothing was registered to Mallory &lt;Ltd&gt;.", "another browser session",
			"[administrator 192.0.2.7]", "2026-11-22 03:01:00 UTC"},
		"ja": {"Mallory &lt;Ltd&gt; には何も登録されていません。", "別のブラウザのセッション"}} {
		b := n.inside(language)
		b.wants(b.get("/"), 200, says...)
		if a := n.browse(language).get("/"); strings.Contains(a.text, "Mallory") {
			t.Errorf("a stranger sees %s", a.text)
		}
	}
}

func TestEveryEventAndEveryEndHasItsSentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	whys := []models.EndedWhy{models.EndedNotClaimed, models.EndedReturnMissing,
		models.EndedOtherSession, models.EndedWrongCode, models.EndedMemberGone, models.EndedByNode,
		models.EndedByConsole}
	ends := []string{"expired", "denied", "superseded", "cancelled", "burned", "deregistered", "removed",
		"replaced"}
	for _, why := range whys {
		ends = append(ends, string(why))
	}
	for _, language := range []string{"en", "ja"} {
		var seen []string
		for _, what := range []string{enroll.EventShown, enroll.EventAllowed, enroll.EventDenied,
			enroll.EventRefused, enroll.EventRegistered, enroll.EventEnded, enroll.EventForgotten} {
			line := localweb.EventLines([]enroll.Event{{What: what}}, language)[0]
			if len(line) < 40 || slices.Contains(seen, line) {
				t.Errorf("%s in %s: %q", what, language, line)
			}
			seen = append(seen, line)
		}
		plain := localweb.EventLines([]enroll.Event{{What: enroll.EventEnded}}, language)[0]
		for _, why := range ends {
			line := localweb.EventLines([]enroll.Event{{What: enroll.EventEnded, Why: why}}, language)[0]
			if line == plain {
				t.Errorf("%s has no sentence in %s", why, language)
			}
		}
	}
}

func TestAFormOfTheAccessPageLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	n := start(t)
	b := n.browse("en")
	page := b.ready()
	for _, action := range []string{"", "allow2", "delete"} {
		b.wants(b.answer(page, url.Values{"action": {action}, "allow": {"on"}}), 422)
	}
	if n.claimed+n.denied != 0 {
		t.Errorf("%d claimed, %d denied", n.claimed, n.denied)
	}
}
