package adminapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"connecthub/handlers/adminapi"
	"connecthub/handlers/adminapi/client"
	"connecthub/models"
)

func TestR31ABodyOfTheWrongFormIsRefusedByEveryOperation(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	admin := h.admin()
	engineer := h.person("engineer@example.com", "Vendor", models.ReleaseEngineer)
	for _, c := range h.calls() {
		if c.body == "" {
			continue
		}
		b := admin
		if c.id == "setReleaseState" {
			b = engineer
		}
		for _, bad := range []struct {
			code   string
			status int
			body   string
			header []string
		}{
			{"unknown_field", 400, strings.Replace(c.body, "{", `{"surprise":1,`, 1), nil},
			{"malformed_body", 400, strings.TrimSuffix(c.body, "}"), nil},
			{"malformed_body", 400, "[" + c.body + "]", nil},
			{"malformed_body", 400, c.body + c.body, nil},
			{"unsupported_media", 415, c.body, []string{"Content-Type", "text/plain"}},
			{"body_too_large", 413, c.body + strings.Repeat(" ", 64<<10), nil},
		} {
			if a := b.ask(c.method, c.path, bad.body, bad.header...); a.status != bad.status || a.code() != bad.code {
				t.Errorf("%s: wants %s: %d %s", c.id, bad.code, a.status, a.body)
			}
		}
	}
}

func TestARefusalSpeaksTheLanguageOfTheBrowser(t *testing.T) {
	t.Parallel()
	b := startHub(t).admin()
	for language, want := range map[string]string{
		"en": "Enter the publisher's name, not its IP address.",
		"ja": "IP アドレスではなく、パブリッシャの名前を入力してください。",
	} {
		a := b.ask("POST", "/registrations", `{"display_name":"Tokyo","fqdn":"192.0.2.1"}`, "Accept-Language", language)
		if a.status != 400 || a.code() != "fqdn_is_address" || a.value["detail"] != want || a.value["field"] != "fqdn" {
			t.Errorf("%s: %s", language, a.body)
		}
	}
}

func TestASearchIsNoLongerThanADisplayName(t *testing.T) {
	t.Parallel()
	b := startHub(t).admin()
	if a := b.ask("GET", "/clusters?search="+strings.Repeat("%E6%9D%B1", 128), ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := b.ask("GET", "/clusters?search="+strings.Repeat("%E6%9D%B1", 129), ""); a.status != 400 || a.code() != "invalid_display_name" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestMaintenanceNeedsAReasonAndAnEnd(t *testing.T) {
	t.Parallel()
	b := startHub(t).admin()
	for body, code := range map[string]string{
		`{"reason":" "}`: "reason_required", `{"reason":"` + strings.Repeat("x", 501) + `"}`: "reason_required",
		`{"reason":"x","minutes":0}`: "invalid_duration", `{"reason":"x","minutes":10081}`: "invalid_duration",
		`{"reason":"x","minutes":-5}`: "invalid_duration", `{"reason":"x","minutes":10080}`: "not_found",
	} {
		if a := b.ask("PUT", "/clusters/none/nodes/none/maintenance", body); a.code() != code {
			t.Errorf("%.40s: %s", body, a.body)
		}
	}
}

func TestZonesAreThoseOfTheHub(t *testing.T) {
	t.Parallel()
	a := startHub(t).admin().ask("GET", "/zones", "")
	if a.status != 200 || !strings.Contains(a.body, `"Australia/Lord_Howe"`) || strings.Contains(a.body, `"Local"`) {
		t.Errorf("%d %.200s", a.status, a.body)
	}
}

func TestAChangeReachesTheEventStreamOfItsOrganization(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	b := h.admin()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	res, err := http.DefaultClient.Do(b.request("GET", "/events", "").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), ":") {
		t.Fatalf("the stream begins with %q", lines.Text())
	}
	created := b.ask("POST", "/registrations", `{"display_name":"Tokyo","fqdn":"cc-pub.example.com"}`)
	id, _ := created.value["id"].(string)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var event map[string]string
		if err := json.Unmarshal([]byte(data), &event); err != nil || event["registration_id"] != id {
			t.Errorf("event %s, %v", data, err)
		}
		return
	}
	t.Errorf("no event came: %v", lines.Err())
}

func TestTheGeneratedClientSpeaksWithTheHub(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	b := h.admin()
	api, err := client.NewClientWithResponses(h.url+base, client.WithRequestEditorFn(
		func(_ context.Context, r *http.Request) error { r.Header.Set("Cookie", b.cookie); return nil }))
	if err != nil {
		t.Fatal(err)
	}
	created, err := api.CreateRegistrationWithResponse(t.Context(),
		client.NewRegistration{DisplayName: "Tokyo", Fqdn: "CC-Pub.example.com"})
	if err != nil || created.JSON201 == nil || created.JSON201.Fqdn != "cc-pub.example.com" ||
		created.JSON201.OpenUrl == nil || !created.JSON201.Mine {
		t.Fatalf("%v %s", err, created.Body)
	}
	list, err := api.ListRegistrationsWithResponse(t.Context())
	if err != nil || list.JSON200 == nil || len(list.JSON200.Items) != 1 {
		t.Errorf("%v %+v", err, list)
	}
}

func TestTheDocumentationShowsEveryOperationSchemaAndCode(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	get := func(path string) (string, http.Header) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", h.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%s: %d %v", path, res.StatusCode, err)
		}
		return string(text), res.Header
	}
	page, header := get("/api/docs")
	if strings.Contains(header.Get("Content-Security-Policy"), "unsafe") || strings.Contains(page, "<script") ||
		strings.Contains(page, "https://") {
		t.Error("the page needs more than itself")
	}
	for _, c := range h.calls() {
		if !strings.Contains(page, `id="operation-`+c.id+`"`) {
			t.Errorf("operation %s is missing", c.id)
		}
	}
	for name := range h.doc.Components.Schemas {
		if !strings.Contains(page, `id="schema-`+name+`"`) {
			t.Errorf("schema %s is missing", name)
		}
	}
	for _, code := range models.Codes() {
		if !strings.Contains(page, `id="error-`+string(code)+`"`) {
			t.Errorf("code %s is missing", code)
		}
	}
	var doc map[string]any
	text, _ := get(base + "/openapi.json")
	if err := json.Unmarshal([]byte(text), &doc); err != nil || doc["openapi"] != "3.1.0" {
		t.Errorf("%v %v", doc["openapi"], err)
	}
	if text, _ := get(base + "/openapi.yaml"); !strings.HasPrefix(text, "openapi: 3.1.0") {
		t.Errorf("%.40s", text)
	}
}

func TestEveryActionOfTheFleetHasASentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../../hub/fleet/actions.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	known, found := adminapi.ChangeWords(), 0
	ast.Inspect(file, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		word, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		found++
		if w, ok := known[word]; !ok || w[0] == "" || w[1] == "" || w[0] == w[1] {
			t.Errorf("action %s has no sentence", word)
		}
		return true
	})
	if found == 0 {
		t.Error("no action was found")
	}
}
