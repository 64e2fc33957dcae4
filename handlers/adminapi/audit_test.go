package adminapi_test

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"connecthub/handlers/adminapi"
	"connecthub/hub/audit"
	"connecthub/models"
)

func aroundNow(more ...string) string {
	q := url.Values{"from": {time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)},
		"to": {time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return "?" + q.Encode()
}

func items(a answer) (all []map[string]any) {
	list, _ := a.value["items"].([]any)
	for _, one := range list {
		all = append(all, one.(map[string]any))
	}
	return all
}

func TestR30AFullAdminReadsFiltersAndExportsTheLog(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	b := h.admin()
	b.ask("POST", "/registrations", `{"display_name":"=Tokyo","fqdn":"cc-pub.example.com"}`)
	a := b.ask("GET", "/audit"+aroundNow(), "")
	all := items(a)
	if a.status != http.StatusOK || len(all) < 3 || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	begun := items(b.ask("GET", "/audit"+aroundNow("categories", "registration", "actor", "ADMIN@"), ""))
	if len(begun) != 1 || begun[0]["action"] != "registration_begun" ||
		begun[0]["action_text"] != "Registration Was Begun" || begun[0]["target_name"] != "=Tokyo" ||
		begun[0]["actor_email"] != firstAdmin || begun[0]["actor_role"] != string(models.FullAdmin) ||
		begun[0]["actor_ip"] != "127.0.0.1" || begun[0]["actor_org_id"] != begun[0]["target_org_id"] {
		t.Errorf("%v", begun)
	}
	if after, _ := begun[0]["after"].(map[string]any); after["fqdn"] != "cc-pub.example.com" {
		t.Errorf("after: %v", begun[0]["after"])
	}
	first := b.ask("GET", "/audit"+aroundNow("max", "2"), "")
	next, _ := first.value["next"].(string)
	second := items(b.ask("GET", "/audit"+aroundNow("max", "2", "cursor", next), ""))
	if len(items(first)) != 2 || len(second) == 0 || second[0]["id"] != all[2]["id"] {
		t.Errorf("pages: %s, %v", first.body, second)
	}
	for query, code := range map[string]string{aroundNow("max", "201"): "invalid_max",
		aroundNow("max", "0"): "invalid_max", aroundNow("cursor", "x"): "invalid_cursor",
		aroundNow("categories", "x"): "invalid_category", aroundNow("text", strings.Repeat("x", 1100)): "invalid_filter",
		aroundNow("to", "2020-01-01T00:00:00Z"): "invalid_period"} {
		if a := b.ask("GET", "/audit"+query, ""); a.status != http.StatusBadRequest || a.code() != code {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	sheet := b.ask("GET", "/audit/export"+aroundNow(), "", "Accept-Language", "ja")
	text, marked := strings.CutPrefix(sheet.body, "\ufeff")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !marked || len(rows) != 1+len(all) || sheet.status != http.StatusOK ||
		sheet.header.Get("Content-Type") != "text/csv; charset=utf-8" ||
		!strings.HasPrefix(sheet.header.Get("Content-Disposition"), `attachment; filename="audit-`) {
		t.Errorf("%d %v %v", sheet.status, sheet.header, err)
	}
	if !strings.Contains(text, "'=Tokyo") || !strings.Contains(text, "登録が開始されました") {
		t.Errorf("%s", text)
	}
	if a := b.ask("GET", "/audit/export"+aroundNow("from", "2020-01-01T00:00:00Z"), ""); a.code() != "invalid_period" {
		t.Errorf("%d %s", a.status, a.body)
	}
	kinds := items(b.ask("GET", "/audit/categories", "", "Accept-Language", "ja"))
	if len(kinds) != len(audit.Categories()) || kinds[0]["name"] != "サインイン" {
		t.Errorf("%v", kinds)
	}
}

func TestR30ReadOnlyAdminsAndReleaseEngineersDoNotSeeTheLog(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	for _, b := range []*browser{
		h.person("reader@example.com", "Example", models.ReadOnlyAdmin),
		h.person("vera@example.com", "Vendor", models.ReleaseEngineer),
	} {
		for _, path := range []string{"/audit" + aroundNow(), "/audit/export" + aroundNow(), "/audit/categories"} {
			if a := b.ask("GET", path, ""); a.status != http.StatusForbidden || a.code() != "forbidden" {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
	}
}

func TestWhatTheHistorySaysIsInTheTableOfTheLog(t *testing.T) {
	t.Parallel()
	for action := range adminapi.ChangeWords() {
		if audit.Text(action, "en") == strings.ReplaceAll(action, "_", " ") {
			t.Errorf("%s has a sentence in the history and no name in the audit log", action)
		}
	}
}
