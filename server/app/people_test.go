package app_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func TestCommandsInviteLockOutAndVerifyDomains(t *testing.T) {
	t.Parallel()
	r := startHub(t)
	must := func(args ...string) string {
		t.Helper()
		code, out, errOut := run(t, r.dir, args...)
		if code != 0 {
			t.Fatalf("%v: %d %s %s", args, code, out, errOut)
		}
		return out
	}
	out := must("organization", "create", "Osaka", "--domain", "osaka.example", "--admin",
		"boss@osaka.example", "--public-url", "https://hub.example.com")
	link := regexp.MustCompile(`https://hub\.example\.com/invitation#(\S{43})\n`).FindStringSubmatch(out)
	if link == nil {
		t.Fatalf("no link in %s", out)
	}
	body, err := json.Marshal(map[string]string{"token": link[1], "name": "Boss",
		"password": "violet harbour 81 kettles"})
	if err != nil {
		t.Fatal(err)
	}
	if a := r.ask("POST", "/api/admin/v1/invitations/accept", string(body)); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	session := func() int { return r.ask("GET", "/api/admin/v1/session", "").status }
	signIn := func() int { return r.signIn("boss@osaka.example", "violet harbour 81 kettles").status }
	if got := signIn(); got != 200 {
		t.Fatalf("the invited admin: %d", got)
	}
	if out := must("organization", "disable", "OSAKA"); !strings.Contains(out, "Osaka is disabled") {
		t.Error(out)
	}
	if session() != 401 || signIn() != 401 {
		t.Error("a disabled organization is let in")
	}
	if out := must("organization", "list"); !strings.Contains(out, "osaka.example  disabled") {
		t.Error(out)
	}
	must("organization", "enable", "Osaka")
	if signIn() != 200 {
		t.Error("an enabled organization is not let in")
	}
	must("user", "reset-second-factor", "boss@osaka.example")
	if session() != 200 {
		t.Error("there was nothing to reset, but the session ended")
	}
	must("organization", "invite", "osaka", "second@osaka.example", "--role", "read_only_admin")
	must("organization", "require-second-factor", "Vendor")
	must("organization", "require-second-factor", "Osaka")
	if a := r.ask("GET", "/api/admin/v1/clusters", ""); a.status != 403 ||
		!strings.Contains(a.body, "second_factor_required") {
		t.Errorf("%d %s", a.status, a.body)
	}
	must("organization", "require-second-factor", "osaka", "--off")
	if a := r.ask("GET", "/api/admin/v1/clusters", ""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	must("organization", "set-domain", "Osaka")
	must("organization", "set-domain", "Osaka", "example.org")
	for _, args := range [][]string{{"user", "disable", "boss@osaka.example"},
		{"organization", "disable", "Vendor"}, {"organization", "disable", "Nobody"},
		{"organization", "set-domain", "Osaka", "nonsense"}, {"user", "enable", "nobody@osaka.example"},
		{"organization", "invite", "Osaka", "e@osaka.example", "--role", "release_engineer"}} {
		if code, out, errOut := run(t, r.dir, args...); code == 0 || errOut == "" {
			t.Errorf("%v: %d %s %s", args, code, out, errOut)
		}
	}
}
