package adminapi_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/handlers/adminapi"
	"connecthub/hub/identity/passkeytest"
	"connecthub/models"
)

// console is where browsers find the hub of these tests: passkeys need a name.
const console = "http://localhost:8080"

func startNamedHub(t *testing.T) *hub {
	t.Helper()
	return startHubIn(t, filepath.Join(t.TempDir(), "data"), "--public-url", console)
}

// text writes a value as JSON.
func (b *browser) text(v any) string {
	b.t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// must asks for what is to succeed.
func (b *browser) must(status int, method, path, body string, header ...string) answer {
	b.t.Helper()
	a := b.ask(method, path, body, header...)
	if a.status != status {
		b.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return a
}

// addPasskey gives the person a passkey and answers the recovery codes that came with it.
func (b *browser) addPasskey() (*passkeytest.Key, []any) {
	b.t.Helper()
	begun := b.must(200, "POST", "/account/passkeys", "")
	key, made, err := passkeytest.Create(console, []byte(b.text(begun.value["options"])))
	if err != nil {
		b.t.Fatal(err)
	}
	added := b.must(200, "PUT", "/account/passkeys", b.text(map[string]any{"name": "Key",
		"challenge_id": begun.value["challenge_id"], "credential": json.RawMessage(made)}))
	codes, _ := added.value["recovery_codes"].([]any)
	return key, codes
}

func (b *browser) sign(k *passkeytest.Key, challenge answer) string {
	b.t.Helper()
	credential, err := k.Sign([]byte(b.text(challenge.value["passkey"])))
	if err != nil {
		b.t.Fatal(err)
	}
	return b.text(map[string]any{"challenge_id": challenge.value["challenge_id"],
		"credential": json.RawMessage(credential)})
}

func TestWhatAsksToSignInAgainPassesForFiveMinutes(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	b := h.admin()
	h.pass(models.ConfirmationTTL)
	asked := 0
	for _, c := range h.calls() {
		who := adminapi.Access()[c.id]
		if who.Anyone || !who.May(models.FullAdmin) || c.id == "signOut" || c.id == "streamEvents" ||
			c.id == "stepUp" {
			continue
		}
		a := b.ask(c.method, c.path, c.body)
		if refused := a.status == 403 && a.code() == "step_up_required"; refused != who.StepUp {
			t.Errorf("%s: %d %s", c.id, a.status, a.body)
		}
		if who.StepUp {
			asked++
		}
	}
	if asked < 15 {
		t.Errorf("only %d operations ask", asked)
	}
	wrong := b.ask("POST", "/session/step-up", `{"password":"wrong"}`)
	if wrong.status != 401 || wrong.code() != "wrong_password" {
		t.Errorf("%d %s", wrong.status, wrong.body)
	}
	body := b.text(map[string]string{"password": h.own})
	session := b.must(200, "POST", "/session/step-up", body)
	until, err := time.Parse(time.RFC3339, session.value["confirmed_until"].(string))
	if err != nil || until.Sub(h.now()) < 4*time.Minute || until.Sub(h.now()) > models.ConfirmationTTL {
		t.Errorf("confirmed until %v, %v", until, err)
	}
	b.must(201, "POST", "/registrations", `{"display_name":"Tokyo","fqdn":"cc-pub.example.com"}`)
}

func TestSigningInWithAPasskeyTakesTheBrowserThatWasAsked(t *testing.T) {
	t.Parallel()
	h := startNamedHub(t)
	key, codes := h.admin().addPasskey()
	if len(codes) != 10 {
		t.Errorf("codes %v", codes)
	}
	b := h.browser()
	password := b.text(map[string]string{"email": firstAdmin, "password": h.own})
	asked := b.must(202, "POST", "/session", password)
	cookie := asked.header.Get("Set-Cookie")
	for _, want := range []string{"__Host-connecthub-sign-in=", "; HttpOnly", "; Secure", "; SameSite=Strict"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("%s is missing in %s", want, cookie)
		}
	}
	answered := b.sign(key, asked)
	if a := h.browser().ask("POST", "/session/second-factor", answered); a.status != 410 || a.code() != "challenge_ended" {
		t.Errorf("in another browser: %d %s", a.status, a.body)
	}
	b.take(asked)
	if a := b.ask("GET", "/session", ""); a.status != 401 {
		t.Errorf("between the factors: %d", a.status)
	}
	in := b.must(200, "POST", "/session/second-factor", answered)
	if len(in.header.Values("Set-Cookie")) != 2 {
		t.Errorf("cookies %v", in.header.Values("Set-Cookie"))
	}
	b.take(in)
	b.must(200, "GET", "/session", "")

	other := h.browser()
	other.take(other.must(202, "POST", "/session", password))
	for _, body := range []string{`{"challenge_id":"x"}`,
		`{"challenge_id":"x","recovery_code":"a","credential":{}}`} {
		if a := other.ask("POST", "/session/second-factor", body); a.status != 400 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

func TestARecoveryCodeConfirmsASession(t *testing.T) {
	t.Parallel()
	h := startNamedHub(t)
	b := h.admin()
	_, codes := b.addPasskey()
	asked := b.must(202, "POST", "/session/step-up", b.text(map[string]string{"password": h.own}))
	body := b.text(map[string]any{"challenge_id": asked.value["challenge_id"], "recovery_code": codes[3]})
	b.must(200, "POST", "/session/step-up/second-factor", body)
	account := b.must(200, "GET", "/account", "")
	if account.value["recovery_codes_left"] != 9.0 || len(account.value["passkeys"].([]any)) != 1 {
		t.Errorf("%s", account.body)
	}
}

func TestWithoutTheDemandedSecondFactorOnlyTheAccountAnswers(t *testing.T) {
	t.Parallel()
	h := startNamedHub(t)
	admin := h.admin()
	admin.addPasskey()
	admin.must(200, "PUT", "/organization", strings.Replace(organizationBody,
		`"require_second_factor":false`, `"require_second_factor":true`, 1))
	b := h.person("new@example.com", "Example", models.FullAdmin)
	if session := b.must(200, "GET", "/session", ""); session.value["second_factor_missing"] != true {
		t.Errorf("%s", session.body)
	}
	for _, c := range h.calls() {
		who := adminapi.Access()[c.id]
		if who.Anyone || !who.May(models.FullAdmin) || slices.Contains([]string{"signOut",
			"streamEvents", "changePassword", "stepUp"}, c.id) {
			continue
		}
		a := b.ask(c.method, c.path, c.body)
		if refused := a.status == 403 && a.code() == "second_factor_required"; refused == who.Bare {
			t.Errorf("%s: %d %s", c.id, a.status, a.body)
		}
	}
	b.addPasskey()
	b.must(200, "GET", "/clusters", "")
}

func TestATokenPassesWhereItsScopeAndItsPersonMay(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	people := map[models.Role]*browser{models.FullAdmin: h.admin(),
		models.ReadOnlyAdmin:   h.person("reader@example.com", "Example", models.ReadOnlyAdmin),
		models.ReleaseEngineer: h.person("engineer@example.com", "Vendor", models.ReleaseEngineer)}
	for role, person := range people {
		for _, scope := range models.Scopes() {
			made := person.must(201, "POST", "/account/tokens",
				`{"name":"T","days":1,"scopes":["`+string(scope)+`"]}`)
			program := h.browser()
			bearer := []string{"Authorization", "Bearer " + made.value["secret"].(string),
				"Sec-Fetch-Site", ""}
			for _, c := range h.calls() {
				who := adminapi.Access()[c.id]
				if who.Anyone {
					continue
				}
				want := ""
				switch {
				case !who.May(role):
					want = "forbidden"
				case who.Scope == "" || who.StepUp:
					want = "session_only"
				case who.Scope != scope:
					want = "token_scope"
				}
				a := program.ask(c.method, c.path, c.body, bearer...)
				if want != "" && (a.status != 403 || a.code() != want) ||
					want == "" && (a.status == 401 || a.status == 403 || a.status >= 500) {
					t.Errorf("%s of %s with %s: wants %q: %d %s", c.id, role, scope, want, a.status, a.body)
				}
				if a.header.Get("Set-Cookie") != "" {
					t.Errorf("%s gives a token a cookie", c.id)
				}
			}
		}
	}
}

func TestWhoBringsATokenHasNoCookie(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	b := h.admin()
	made := b.must(201, "POST", "/account/tokens", `{"name":"T","days":1,"scopes":["clusters:read"]}`)
	secret := made.value["secret"].(string)
	listed := b.must(200, "GET", "/account/tokens", "")
	if strings.Contains(listed.body, secret) || !strings.Contains(listed.body, `"chp_`) {
		t.Errorf("%s", listed.body)
	}
	session := b.must(200, "GET", "/session", "", "Authorization", "bearer "+secret)
	permissions, _ := session.value["permissions"].([]any)
	if slices.Contains(permissions, any("createToken")) || !slices.Contains(permissions, any("listClusters")) ||
		session.value["method"] != nil {
		t.Errorf("a token is told %s", session.body)
	}
	for _, header := range []string{"Bearer", "Bearer x", "Basic " + secret, secret, "Bearer  " + secret} {
		if a := b.ask("GET", "/session", "", "Authorization", header); a.status != 401 || a.code() != "invalid_api_token" {
			t.Errorf("%q beside a good cookie: %d %s", header, a.status, a.body)
		}
	}
	token, _ := made.value["token"].(map[string]any)
	b.must(204, "DELETE", "/account/tokens/"+token["id"].(string), "")
	if a := h.browser().ask("GET", "/session", "", "Authorization", "Bearer "+secret); a.status != 401 {
		t.Errorf("revoked: %d %s", a.status, a.body)
	}
}

func TestPermissionsAreTheTableOfTheRole(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	for role, b := range map[models.Role]*browser{models.FullAdmin: h.admin(),
		models.ReadOnlyAdmin:   h.person("reader@example.com", "Example", models.ReadOnlyAdmin),
		models.ReleaseEngineer: h.person("engineer@example.com", "Vendor", models.ReleaseEngineer)} {
		got, _ := b.must(200, "GET", "/session", "").value["permissions"].([]any)
		for operation, who := range adminapi.Access() {
			if slices.Contains(got, any(operation)) != who.May(role) {
				t.Errorf("%s: %s", role, operation)
			}
		}
	}
}

func TestAnInvitationIsAcceptedOnItsPage(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	admin := h.admin()
	made := admin.must(201, "POST", "/invitations", `{"email":"new@example.com","role":"read_only_admin"}`)
	link, _ := made.value["link"].(string)
	page, token, ok := strings.Cut(link, "#")
	if !ok || !strings.HasSuffix(page, "/invitation") {
		t.Fatalf("link %s", link)
	}
	b := h.browser()
	offer := b.must(200, "POST", "/invitations/inspect", b.text(map[string]string{"token": token}))
	if offer.value["organization"] != "Example" || offer.value["email"] != "new@example.com" {
		t.Errorf("%s", offer.body)
	}
	accept := b.text(map[string]string{"token": token, "name": "New", "password": "violet harbour 81 kettles"})
	b.take(b.must(200, "POST", "/invitations/accept", accept))
	if session := b.must(200, "GET", "/session", ""); session.value["user"].(map[string]any)["role"] != "read_only_admin" {
		t.Errorf("%s", session.body)
	}
	if a := h.browser().ask("POST", "/invitations/accept", accept); a.status != 410 || a.code() != "invitation_ended" {
		t.Errorf("again: %d %s", a.status, a.body)
	}
	users := admin.must(200, "GET", "/users", "")
	if items, _ := users.value["items"].([]any); len(items) != 2 {
		t.Errorf("%s", users.body)
	}
	if list := admin.must(200, "GET", "/invitations", ""); strings.Contains(list.body, "new@example.com") {
		t.Errorf("still waits: %s", list.body)
	}
}

func TestWhoLosesARoleIsOutAtOnce(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	admin, other := h.admin(), h.person("other@example.com", "Example", models.FullAdmin)
	id := other.must(200, "GET", "/session", "").value["user"].(map[string]any)["id"].(string)
	admin.must(200, "PUT", "/users/"+id+"/role", `{"role":"read_only_admin"}`)
	if a := other.ask("GET", "/session", ""); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
	own := admin.must(200, "GET", "/session", "").value["user"].(map[string]any)["id"].(string)
	if a := admin.ask("POST", "/users/"+own+"/disable", ""); a.status != 409 || a.code() != "last_full_admin" {
		t.Errorf("%d %s", a.status, a.body)
	}
	h.command("organization", "disable", "Example")
	if a := admin.ask("GET", "/session", ""); a.status != 401 || a.code() != "signed_out" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
