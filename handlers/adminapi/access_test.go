package adminapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"connecthub/handlers/adminapi"
	"connecthub/models"
)

func TestTheAccessTableIsTheDocument(t *testing.T) {
	t.Parallel()
	doc, err := adminapi.Document()
	if err != nil {
		t.Fatal(err)
	}
	access, seen := adminapi.Access(), map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			seen[op.OperationID] = true
			who, ok := access[op.OperationID]
			if !ok {
				t.Errorf("%s %s: %s is not in the table", method, path, op.OperationID)
			}
			open := op.Security != nil && len(*op.Security) == 0
			if who.Anyone != open {
				t.Errorf("%s: the table says anyone=%v, the document %v", op.OperationID, who.Anyone, open)
			}
			if !who.Anyone && !who.Everyone && len(who.Roles) == 0 {
				t.Errorf("%s is for nobody", op.OperationID)
			}
			// signing in and the own account are everybody's own
			own := slices.Contains(op.Tags, "session") || slices.Contains(op.Tags, "account")
			harmless := method == http.MethodGet || op.OperationID == "previewSchedules" || own
			if who.Scope != "" && who.StepUp || who.Anyone && who.StepUp {
				t.Errorf("%s asks a token, or nobody, to sign in again", op.OperationID)
			}
			if !harmless && (who.Anyone || who.Everyone || slices.Contains(who.Roles, models.ReadOnlyAdmin)) {
				t.Errorf("%s changes something and is for more than full admins", op.OperationID)
			}
		}
	}
	for operation := range access {
		if !seen[operation] {
			t.Errorf("%s is in the table and not in the document", operation)
		}
	}
}

func TestWithoutASessionOnlySignInAnswers(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	for _, cookie := range []string{"", "__Host-connecthub=", "__Host-connecthub=AAAA",
		"__Host-connecthub=" + strings.Repeat("A", 5000), "connecthub=x"} {
		b := &browser{hub: h, cookie: cookie}
		for _, c := range h.calls() {
			a := b.ask(c.method, c.path, c.body)
			if adminapi.Access()[c.id].Anyone {
				if a.status < 300 || a.header.Get("Set-Cookie") != "" {
					t.Errorf("%s with %.30q lets in: %d %s", c.id, cookie, a.status, a.body)
				}
				continue
			}
			if a.status != 401 || a.code() != "signed_out" {
				t.Errorf("%s with %.30q: %d %s", c.id, cookie, a.status, a.body)
			}
		}
	}
}

func TestEachRoleMayWhatTheTableSaysAndNoMore(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	people := map[models.Role]*browser{
		models.FullAdmin:       h.admin(),
		models.ReadOnlyAdmin:   h.person("reader@example.com", "Example", models.ReadOnlyAdmin),
		models.ReleaseEngineer: h.person("engineer@example.com", "Vendor", models.ReleaseEngineer),
	}
	for role, b := range people {
		for _, c := range h.calls() {
			if c.id == "signOut" || c.id == "signIn" || c.id == "streamEvents" {
				continue
			}
			a := b.ask(c.method, c.path, c.body)
			// A use case may refuse who is not entitled, in its own words; the role never does.
			own := a.code() == "not_entitled"
			refused := a.status == 403 && !own
			if may := adminapi.Access()[c.id].May(role); may == refused || own && !may ||
				a.code() == "signed_out" || a.status >= 500 {
				t.Errorf("%s by %s: %d %s", c.id, role, a.status, a.body)
			}
		}
	}
}

func TestAPageOfAnotherSiteChangesNothing(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	b := h.admin()
	for _, c := range h.calls() {
		if c.method == http.MethodGet {
			continue
		}
		for _, header := range [][]string{
			{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
			{"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
			{"Sec-Fetch-Site", "", "Origin", "null"},
		} {
			if a := b.ask(c.method, c.path, c.body, header...); a.status != 403 || a.code() != "foreign_origin" {
				t.Errorf("%s with %v: %d %s", c.id, header, a.status, a.body)
			}
		}
	}
	if a := b.ask("DELETE", "/session", "", "Sec-Fetch-Site", "", "Origin", h.url); a.status != 204 {
		t.Errorf("our own origin: %d %s", a.status, a.body)
	}
}

func TestTheSessionCookieIsForThisHostAndNoScript(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	b := h.browser()
	a := b.ask("POST", "/session", `{"email":"`+firstAdmin+`","password":"`+h.own+`"}`)
	cookie := a.header.Get("Set-Cookie")
	for _, want := range []string{"__Host-connecthub=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Strict"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("%s is missing in %s", want, cookie)
		}
	}
	if strings.Contains(cookie, "Domain") || strings.Contains(a.body, strings.TrimPrefix(strings.SplitN(cookie, ";", 2)[0], "__Host-connecthub=")) {
		t.Errorf("%s %s", cookie, a.body)
	}
	b.cookie, _, _ = strings.Cut(cookie, ";")
	out := b.ask("DELETE", "/session", "")
	if out.status != 204 || !strings.Contains(out.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("%d %v", out.status, out.header)
	}
	if a := b.ask("GET", "/session", ""); a.status != 401 {
		t.Errorf("after signing out: %d", a.status)
	}
}

func TestSignInRefusesInTheSameWordsAndThenNotAtAll(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	b := h.browser()
	try := func(email string) answer {
		return b.ask("POST", "/session", `{"email":"`+email+`","password":"wrong"}`)
	}
	one, other := try(firstAdmin), try("nobody@example.com")
	if one.status != 401 || one.code() != "wrong_credentials" || one.value["detail"] != other.value["detail"] || other.status != 401 {
		t.Errorf("%s\n%s", one.body, other.body)
	}
	a := try(firstAdmin)
	for tries := 3; a.status == 401 && tries < 40; tries++ { // a slow machine gives attempts back meanwhile
		a = try(firstAdmin)
	}
	if a.status != 429 || a.code() != "too_many_attempts" || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestR29WhatBelongsToAnotherIsNotThere(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	mine := h.admin()
	h.command("organization", "create", "Other")
	theirs := h.person("other@example.com", "Other", models.FullAdmin)
	created := mine.ask("POST", "/registrations", `{"display_name":"Tokyo","fqdn":"cc-pub.example.com"}`)
	if created.status != 201 {
		t.Fatalf("%d %s", created.status, created.body)
	}
	id, _ := created.value["id"].(string)
	for _, method := range []string{"GET", "DELETE"} {
		foreign, nothing := theirs.ask(method, "/registrations/"+id, ""), theirs.ask(method, "/registrations/none", "")
		delete(foreign.value, "tracking_id")
		delete(nothing.value, "tracking_id")
		if foreign.status != 404 || nothing.status != 404 || foreign.value["detail"] != nothing.value["detail"] ||
			len(foreign.value) != len(nothing.value) {
			t.Errorf("%s: %s\n%s", method, foreign.body, nothing.body)
		}
	}
	if a := theirs.ask("GET", "/registrations", ""); strings.Contains(a.body, "Tokyo") {
		t.Errorf("listed: %s", a.body)
	}
	if a := theirs.ask("POST", "/registrations", `{"display_name":"Tokyo","fqdn":"cc-pub.example.com"}`); a.status != 201 {
		t.Errorf("the same name in another organization: %d %s", a.status, a.body)
	}
	if a := mine.ask("GET", "/registrations/"+id, ""); a.status != 200 || a.value["state"] != "pending" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
