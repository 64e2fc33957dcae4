package adminapi_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store/storetest"
)

func TestADownloadKeyIsShownOnceViewedAndRevoked(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	file := filepath.Join(t.TempDir(), "patch.cop")
	must(t, os.WriteFile(file, []byte("patch"), 0o600))
	h.command("organization", "create", "Acme")
	reader := h.person("reader@acme.example", "Acme", models.ReadOnlyAdmin)
	const path = "/account/downloads/credentials"
	refused := func(body string, status int, code string) {
		t.Helper()
		if a := reader.ask("POST", path, body); a.status != status || a.code() != code {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	refused(`{"kind":"key","name":"Production"}`, http.StatusForbidden, "not_entitled")
	h.command("software", "publish-eula", "1", file)
	h.command("software", "add", file, "--path", "vvb/patch.cop", "--product", "VVB", "--version", "1")
	h.command("software", "add", file, "--path", "vvb/secret.cop", "--product", "VVB", "--version", "1", "--restricted")
	h.command("entitlement", "add", "Acme", "--reference", "C-1", "--product", "VVB", "--from", "2020-01-01",
		"--until", "2099-12-31")
	refused(`{"kind":"key","name":""}`, http.StatusBadRequest, "invalid_name")
	if a := reader.ask("POST", "/account/downloads/eula", `{"version":"1"}`); a.status != http.StatusNoContent {
		t.Fatalf("the agreement: %d %s", a.status, a.body)
	}
	made := reader.ask("POST", path, `{"kind":"key","name":"Production"}`)
	token := reader.ask("POST", path, `{"kind":"identity_token","name":"Lab","days":7}`)
	key, _ := made.value["secret"].(string)
	if made.status != http.StatusCreated || token.status != http.StatusCreated ||
		!regexp.MustCompile(`^chk_[a-z0-9]{59}$`).MatchString(key) {
		t.Fatalf("%d %s, %d %s", made.status, made.body, token.status, token.body)
	}
	view := reader.ask("GET", "/account/downloads", "")
	shown, _ := view.value["credentials"].([]any)
	if len(shown) != 2 || strings.Contains(view.body, key) || !strings.Contains(view.body, `"last_four":"`+key[len(key)-4:]) ||
		!strings.Contains(view.body, "vvb/patch.cop") || strings.Contains(view.body, "secret.cop") {
		t.Errorf("the view: %s", view.body)
	}
	all := storetest.ReadTables(t, "sqlite:"+filepath.Join(h.dir, "hub.db")).All()
	if strings.Contains(all, key) || strings.Contains(all, key[10:]) {
		t.Error("the key is in the database")
	}
	for _, action := range []string{"eula_published", "software_added", "entitlement_added", "eula_accepted",
		"download_key_generated", "identity_token_generated"} {
		if !strings.Contains(all, action) {
			t.Errorf("no record of %s", action)
		}
	}
	credential, _ := made.value["credential"].(map[string]any)
	id, _ := credential["id"].(string)
	other := h.person("other@acme.example", "Acme", models.FullAdmin)
	if a := other.ask("DELETE", path+"/"+id, ""); a.status != http.StatusNotFound {
		t.Errorf("another person revokes the key: %d", a.status)
	}
	for _, status := range []int{http.StatusNoContent, http.StatusNotFound} {
		if a := reader.ask("DELETE", path+"/"+id, ""); a.status != status {
			t.Errorf("to revoke: %d, want %d", a.status, status)
		}
	}
	h.pass(6 * time.Minute)
	refused(`{"kind":"key","name":"Late"}`, http.StatusForbidden, "step_up_required")
}
