package app_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/handlers/binaries/binariestest"
	"connecthub/models"
	"connecthub/nodeclient/enroll"
)

// depot is a node beside a real software repository.
type depot struct {
	place
	hub    *binariestest.Hub
	person models.Actor
	key    string
}

func newDepot(t *testing.T, more ...string) depot {
	t.Helper()
	hub := binariestest.Start(t, time.Now)
	address := strings.TrimSuffix(strings.TrimPrefix(hub.URL(), "https://"), "/binaries")
	d := depot{place: setUp(t, append(more, "--dial", "depot.example.net="+address)...), hub: hub}
	d.hub.Add("vvb/12.6/vvb-es4.cop.sgn", "VVB", "12.6(1)ES4", false, "unrestricted patch")
	d.hub.Add("vvb/12.6/r/vvb-es4.cop.sgn", "VVB", "12.6(1)ES4", true, "restricted patch")
	d.person = d.hub.Holder("ops@acme.example")
	d.key = d.hub.Key(d.person)
	return d
}

// repository runs "utils image-repository …".
func (d depot) repository(t *testing.T, words ...string) (code int, out, errOut string) {
	t.Helper()
	return call(t, append([]string{"utils", "image-repository"}, append(words, "--dir", d.dir)...)...)
}

// set gives everything by flags.
func (d depot) set(t *testing.T, export string, more ...string) (code int, out, errOut string) {
	t.Helper()
	return d.repository(t, append([]string{"set", "--url", d.hub.URL(), "--repository", binariestest.Repository,
		"--key-file", secretFile(t, d.key+"\n"), "--export", export}, more...)...)
}

// subscriber makes the node one.
func (p place) subscriber(t *testing.T) {
	t.Helper()
	c, err := enroll.LoadConfig(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	c.Role, c.Publisher = models.Subscriber, "cc-first.example.com"
	if err := c.Save(p.dir); err != nil {
		t.Fatal(err)
	}
}

func TestARepositoryIsAskedBeforeItIsKept(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	if code, _, e := d.repository(t, "show"); code != 1 || !strings.Contains(e, "no repository is configured") {
		t.Errorf("%d %s", code, e)
	}
	code, out, e := d.set(t, "unrestricted")
	if code != 0 || !strings.Contains(out, "The config details updated successfully.") ||
		!strings.Contains(e, "Fetching existing configuration...") {
		t.Fatalf("%d %s %s", code, out, e)
	}
	code, out, e = d.repository(t, "show")
	if code != 0 || !strings.Contains(out, d.hub.URL()) || !strings.Contains(out, "API Key             : ********"+d.key[len(d.key)-4:]) ||
		!strings.Contains(out, "export unrestricted") || strings.Contains(out+e, d.key) {
		t.Errorf("%d %s %s", code, out, e)
	}
	d.hub.EULA("2")
	for language, says := range map[string]string{
		"en": "The CCO ID used to generate the API key is not compliant with the End User License Agreement",
		"ja": "エンドユーザライセンス契約に準拠していません"} {
		if code, _, e := d.set(t, "restricted", "--language", language); code != 1 || !strings.Contains(e, says) {
			t.Errorf("%d %s", code, e)
		}
	}
	code, out, _ = d.repository(t, "show", "--json")
	var v struct {
		Key, Export string
		Revision    int
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || v.Export != "unrestricted" || v.Revision != 1 ||
		!strings.HasPrefix(v.Key, "********") {
		t.Errorf("a refused configuration was kept: %d %v %s", code, err, out)
	}
	log, err := os.ReadFile(filepath.Join(d.dir, "control", "logs", "cli.log"))
	if err != nil || !strings.Contains(string(log), "Cisco Artifactory configuration failed. Response code: 403.") ||
		strings.Contains(string(log), d.key) {
		t.Errorf("%s %v", log, err)
	}
	d.hub.Accept(d.person, "2")
	code, out, e = d.set(t, "restricted", "--json")
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || v.Export != "restricted" || v.Revision != 2 {
		t.Errorf("%d %v %s %s", code, err, out, e)
	}
}

func TestARepositoryThatRefusesSaysWhyAndNothingIsKept(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	nobody := d.hub.Person("new@acme.example")
	contract := d.hub.Entitle(nobody, false)
	d.hub.Accept(nobody, "1")
	plain := d.hub.Key(nobody)
	lines := []string{}
	for _, c := range []struct {
		says   string
		before func()
		key    string
		more   []string
	}{
		{"no clearance for export-restricted", nil, plain, []string{"--export", "restricted"}},
		{"no software upgrade entitlement", func() { d.hub.End(contract) }, plain, nil},
		{"is not valid", nil, "chk_wrong", nil},
		{"no such repository name", nil, d.key, []string{"--repository", "another"}},
		{"https://HOST", nil, d.key, []string{"--url", "http://hub.example.com/binaries"}},
		{"lower-case letters", nil, d.key, []string{"--repository", "A/B"}},
		{"one word", nil, "two words", nil},
		{"certificate", nil, d.key, []string{"--url", "https://depot.example.net/binaries"}},
		{"Authentication token expired for CCO ID used to generate API key. Log in to artifactory URL",
			func() { d.hub.Clock.Advance(190 * 24 * time.Hour) }, d.key, nil},
	} {
		if c.before != nil {
			c.before()
		}
		kept := d.key
		d.key = c.key
		code, out, e := d.set(t, "unrestricted", c.more...)
		d.key = kept
		if code != 1 || !strings.Contains(e, c.says) || strings.Contains(out+e, c.key) {
			t.Errorf("%s: %d %s %s", c.says, code, out, e)
		}
		lines = append(lines, e)
	}
	if code, _, _ := d.repository(t, "show"); code != 1 {
		t.Errorf("something was kept: %s", lines)
	}
	log, err := os.ReadFile(filepath.Join(d.dir, "control", "logs", "cli.log"))
	if err != nil || !strings.Contains(string(log), "Entitlement check failed for MDFID") ||
		!strings.Contains(string(log), "ExpiredRefreshToken") {
		t.Errorf("%s %v", log, err)
	}
	if code, _, e := d.repository(t, "set", "--url", d.hub.URL()); code != 1 || !strings.Contains(e, "--repository") {
		t.Errorf("%d %s", code, e)
	}
}

func TestTheRepositoryIsThePublishers(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	d.subscriber(t)
	for _, words := range [][]string{{"set"}, {"show"}, {"authentication-type", "set"}, {"authentication-type", "show"},
		{"authentication-token", "auto-rotate"}, {"authentication-token", "show"}} {
		if code, _, e := d.repository(t, words...); code != 1 || !strings.Contains(e, "run this on the publisher, cc-first.example.com") {
			t.Errorf("%v: %d %s", words, code, e)
		}
	}
}

func TestAnIdentityTokenIsChosenGivenAndRotated(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	if code, _, e := d.set(t, "unrestricted"); code != 0 {
		t.Fatal(e)
	}
	code, out, e := d.repository(t, "authentication-type", "set", "--type", "identity-token")
	if code != 0 || !strings.Contains(out, "updated successfully") || !strings.Contains(e, "image-repository set to give the Identity Token") {
		t.Errorf("%d %s %s", code, out, e)
	}
	if code, out, _ := d.repository(t, "authentication-type", "show"); code != 0 || !strings.Contains(out, ": Identity Token") ||
		!strings.Contains(out, "API Key") {
		t.Errorf("%d %s", code, out)
	}
	if code, _, e := d.set(t, "unrestricted"); code != 1 || !strings.Contains(e, "of the other kind") {
		t.Errorf("a key went as a token: %d %s", code, e)
	}
	d.key = d.hub.Token(d.person, 90)
	if code, _, e := d.set(t, "unrestricted"); code != 0 {
		t.Fatal(e)
	}
	code, out, _ = d.repository(t, "authentication-type", "show", "--json")
	if code != 0 || !strings.Contains(out, `"in_use": "Identity Token"`) {
		t.Errorf("%d %s", code, out)
	}
	if code, _, e := d.repository(t, "authentication-token", "auto-rotate", "--rotate-before", "31", "--mail-before", "5"); code != 1 ||
		!strings.Contains(e, "from 1 to 30") {
		t.Errorf("%d %s", code, e)
	}
	code, out, _ = d.repository(t, "authentication-token", "auto-rotate", "--rotate-before", "20", "--mail-before", "5", "--json")
	if code != 0 || !strings.Contains(out, `"rotate_before_days": 20`) || !strings.Contains(out, `"mail_before_days": 5`) {
		t.Errorf("%d %s", code, out)
	}
	code, out, _ = d.repository(t, "authentication-token", "show")
	if code != 0 || !strings.Contains(out, "20 days before") || !strings.Contains(out, "from 5 days") || strings.Contains(out, "no identity token") {
		t.Errorf("%d %s", code, out)
	}
}

func TestTheRepositoryIsAskedForAtThePrompt(t *testing.T) {
	t.Parallel()
	d := newDepot(t)
	x := atTerminal(t, "shell", "--dir", d.dir)
	x.admin("utils image-repository set")
	x.waits("Fetching existing configuration...")
	x.says("Artifactory URL [https://hub.example.com:8443/binaries]: ", d.hub.URL())
	x.says("Repository name [ent-platform-release-external]: ", "")
	x.says("API Key: ", d.key)
	x.waits(strings.Repeat("*", len(d.key)))
	x.waits("1: Export restricted software")
	x.says("Which software is downloaded: ", "2")
	x.waits("The config details updated successfully.")
	x.admin("utils image-repository set")
	x.says("Artifactory URL ["+d.hub.URL()+"]: ", "")
	x.says("Repository name [ent-platform-release-external]: ", "")
	x.says("API Key [********"+d.key[len(d.key)-4:]+"]: ", "")
	x.says("Which software is downloaded [unrestricted]: ", "1")
	x.waits("removed when the agent starts the next time")
	x.admin("utils image-repository set")
	x.says("Artifactory URL", "https://depot.example.net/binaries")
	x.says("Repository name", "")
	x.says("API Key: ", "") // what was given for one host goes to no other
	x.waits("is one word")
	host, _, _ := strings.Cut(strings.TrimPrefix(d.hub.URL(), "https://"), ":")
	x.admin("utils image-repository set")
	x.says("Artifactory URL", "https://"+host+":1/binaries")
	x.says("Repository name", "")
	x.says("API Key: ", "") // nor to another port: somebody else may listen there
	x.waits("is one word")
	x.admin("utils image-repository show")
	x.waits("export restricted")
	x.admin("utils image-repository authentication-type set")
	x.waits("2: Identity Token")
	x.says("Authentication type [API Key]: ", "2")
	x.waits("to give the Identity Token")
	x.admin("utils image-repository authentication-type show")
	x.waits("Authentication type : Identity Token")
	x.admin("utils image-repository authentication-token auto-rotate")
	x.says("(1-30) [30]: ", "25")
	x.says("(1-10) [10]: ", "")
	x.waits("updated successfully")
	x.admin("utils image-repository authentication-token show")
	x.waits("25 days before its end")
	x.admin("exit")
	if code, seen := x.ends(); code != 0 || strings.Contains(seen, d.key) {
		t.Errorf("%d %s", code, seen)
	}
}
