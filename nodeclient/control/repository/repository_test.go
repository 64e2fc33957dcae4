package repository_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/handlers/binaries/binariestest"
	"connecthub/models"
	"connecthub/nodeclient/control/repository"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/fetch"
	"connecthub/nodeclient/proxy"
)

// node is a folder that was set up beside a real repository.
type node struct {
	t     *testing.T
	hub   *binariestest.Hub
	dir   string
	store *settings.Store
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, hub: binariestest.Start(t, time.Now), dir: t.TempDir()}
	n.store = settings.Open(n.dir, n.hub.Clock.Now)
	n.must(enroll.Config{Hub: "https://hub.example.com", FQDN: "cc.example.com", PageListen: ":8445", AppUser: "ops",
		AppPasswordHash: "x"}.Save(n.dir))
	n.must(os.WriteFile(filepath.Join(n.dir, "hub-ca.pem"), n.hub.CA(), 0o600))
	return n
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) config(kind repository.Kind, secret string) repository.Config {
	return repository.Config{URL: n.hub.URL(), Repository: binariestest.Repository, Kind: kind,
		Secret: repository.Secret(secret)}
}

func (n *node) way(c repository.Config) http.RoundTripper {
	n.t.Helper()
	way, err := enroll.RepositoryTransport(n.dir, c.Host())
	n.must(err)
	n.t.Cleanup(way.CloseIdleConnections)
	return way
}

func (n *node) client(c repository.Config) *repository.Client {
	n.t.Helper()
	client, err := repository.New(c, n.way(c), "en")
	n.must(err)
	return client
}

func TestWhatARepositoryOffersIsListedAndFetched(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	open := n.hub.Add("vvb/12.6/vvb-es4.cop.sgn", "VVB", "12.6(1)ES4", false, "unrestricted patch")
	closed := n.hub.Add("vvb/12.6/restricted/vvb-es4.cop.sgn", "VVB", "12.6(1)_ES04", true, "restricted patch")
	n.hub.Add("odd/readme.txt", "VVB", "1.0-beta", false, "no version of a component")
	key := n.hub.Key(n.hub.Holder("ops@acme.example"))
	for _, want := range []models.SoftwareFile{open, closed} {
		c := n.config(repository.APIKey, key)
		c.Restricted = want.Restricted
		client := n.client(c)
		e, err := client.Entitlement(t.Context())
		if err != nil || !e.ExportCleared || e.LastFour != key[len(key)-4:] || e.ExpiresAt.IsZero() {
			t.Errorf("%+v %v", e, err)
		}
		offer, err := client.List(t.Context())
		if err != nil || len(offer.Files) != 1 {
			t.Fatalf("%+v %v", offer, err)
		}
		f := offer.Files[0]
		if f.Path != want.Path || f.SHA256 != want.SHA256 || f.Size != want.Size || f.Product != "VVB" ||
			f.Version.String() != "12.6(1)ES4" || f.Restricted != want.Restricted ||
			f.Notes != "Notes of "+want.Path || !f.Modified.Equal(want.PublishedAt.Truncate(time.Millisecond)) {
			t.Errorf("%+v", f)
		}
		if skipped := len(offer.Skipped); !want.Restricted && skipped != 1 || want.Restricted && skipped != 0 {
			t.Errorf("%v", offer.Skipped)
		}
		dst := filepath.Join(t.TempDir(), "file")
		n.must(client.Fetch(t.Context(), f, dst, fetch.Options{}))
		if text, err := os.ReadFile(dst); err != nil || !strings.HasSuffix(string(text), "restricted patch") {
			t.Errorf("%q %v", text, err)
		}
	}
}

func TestAFetchGoesOnWhereItWasCutOff(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	content := strings.Repeat("0123456789abcdef", 64<<10)
	n.hub.Add("cvp/cvp.exe", "CVP", "12.6(2)", false, content)
	client := n.client(n.config(repository.APIKey, n.hub.Key(n.hub.Holder("ops@acme.example"))))
	offer, err := client.List(t.Context())
	n.must(err)
	ranges := []string{}
	n.hub.Between(func(w http.ResponseWriter, r *http.Request) bool {
		ranges = append(ranges, r.Header.Get("Range"))
		if len(ranges) > 1 {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		w.Header().Set("ETag", `"`+etag(t, n, client)+`"`)
		_, _ = w.Write([]byte(content[:len(content)/2]))
		panic(http.ErrAbortHandler)
	})
	dst := filepath.Join(t.TempDir(), "cvp.exe")
	if err := client.Fetch(t.Context(), offer.Files[0], dst, fetch.Options{}); !errors.Is(err, fetch.ErrInterrupted) {
		t.Fatal(err)
	}
	n.must(client.Fetch(t.Context(), offer.Files[0], dst, fetch.Options{}))
	if len(ranges) != 2 || ranges[0] != "" || !strings.HasPrefix(ranges[1], "bytes=") || ranges[1] == "bytes=0-" {
		t.Errorf("%q", ranges)
	}
	if text, err := os.ReadFile(dst); err != nil || string(text) != content {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

// etag is the file's own, so that the repository resumes.
func etag(t *testing.T, n *node, _ *repository.Client) string {
	t.Helper()
	all, err := n.hub.Software.List(t.Context(), models.Actor{Kind: models.ActorCommand}, binariestest.Repository)
	if err != nil || len(all) != 1 {
		t.Fatalf("%v %v", all, err)
	}
	return all[0].SHA1
}

func TestEveryRefusalHasItsSentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	for code, arrange := range map[string]func(n *node) repository.Config{
		"eula_not_accepted": func(n *node) repository.Config {
			c := n.config(repository.APIKey, n.hub.Key(n.hub.Holder("a@acme.example")))
			n.hub.EULA("2")
			return c
		},
		"not_entitled": func(n *node) repository.Config {
			a := n.hub.Person("a@acme.example")
			contract := n.hub.Entitle(a, false)
			key := n.hub.Key(a)
			n.hub.End(contract)
			return n.config(repository.APIKey, key)
		},
		"download_key_lapsed": func(n *node) repository.Config {
			c := n.config(repository.APIKey, n.hub.Key(n.hub.Holder("a@acme.example")))
			n.hub.Clock.Advance(190 * 24 * time.Hour)
			return c
		},
		"download_token_expired": func(n *node) repository.Config {
			c := n.config(repository.IdentityToken, n.hub.Token(n.hub.Holder("a@acme.example"), 1))
			n.hub.Clock.Advance(25 * time.Hour)
			return c
		},
		"export_restricted": func(n *node) repository.Config {
			a := n.hub.Person("a@acme.example")
			n.hub.Entitle(a, false)
			n.hub.Accept(a, "1")
			c := n.config(repository.APIKey, n.hub.Key(a))
			c.Restricted = true
			return c
		},
		"invalid_download_credential": func(n *node) repository.Config {
			return n.config(repository.APIKey, "chk_nothing")
		},
		"not_found": func(n *node) repository.Config {
			c := n.config(repository.APIKey, n.hub.Key(n.hub.Holder("a@acme.example")))
			c.Repository = "another"
			return c
		},
	} {
		n := newNode(t)
		n.hub.Add("a/b.exe", "CVP", "12.6(2)", false, "x")
		_, err := n.client(arrange(n)).Entitlement(t.Context())
		var r *repository.Refusal
		if !errors.As(err, &r) || r.Code != code || !r.Final() {
			t.Errorf("%s: %v", code, err)
			continue
		}
		says := map[string]string{"eula_not_accepted": "not compliant with the End User License Agreement",
			"download_key_lapsed":    "Authentication token expired for CCO ID used to generate API key. Log in to artifactory URL",
			"download_token_expired": "Authentication token expired for CCO ID used to generate API key"}[code]
		if !strings.Contains(r.Sentence("en"), says) || r.Sentence("ja") == r.Sentence("en") || r.Sentence("ja") == "" {
			t.Errorf("%s: %s %s", code, r.Sentence("en"), r.Sentence("ja"))
		}
		lines := strings.Join(r.LogLines(), "\n")
		if !strings.Contains(lines, fmt.Sprintf("Cisco Artifactory configuration failed. Response code: %d.", r.Status)) ||
			strings.Contains(code, "entitled") != strings.Contains(lines, "Entitlement check failed for MDFID") &&
				code != "export_restricted" {
			t.Errorf("%s: %s", code, lines)
		}
	}
}

func TestAStrangersAnswerIsARefusalToo(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	client := n.client(n.config(repository.APIKey, "chk_secret-canary"))
	for _, c := range []struct {
		answer func(w http.ResponseWriter)
		says   string
	}{
		{func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) }, "not valid"},
		{func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, "502"},
		{func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) }, "no software repository"},
		{func(w http.ResponseWriter) {
			http.Redirect(w, &http.Request{}, "https://elsewhere.example", http.StatusFound)
		}, "not followed"},
		{func(w http.ResponseWriter) { _, _ = w.Write([]byte(strings.Repeat(" ", 1<<20))) }, "too large"},
		{func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write([]byte(`{"code":"x","detail":"A sentence.\u001b[2J"}`))
		}, "A sentence.[2J"},
	} {
		n.hub.Between(func(w http.ResponseWriter, _ *http.Request) bool { c.answer(w); return true })
		_, err := client.Entitlement(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", c.says, err)
		}
	}
}

func TestAListIsBoundedAndJudged(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	client := n.client(n.config(repository.APIKey, "chk_x"))
	sum := strings.Repeat("a", 64)
	entry := func(change string) string {
		return `{"uri":"/a/b.exe","size":1,"lastModified":"2026-01-02T03:04:05.000Z","sha2":"` + sum +
			`","properties":{"product":["CVP"],"version":["12.6(2)"],"export":["unrestricted"]}` + change + `}`
	}
	bad := []string{entry(`,"uri":"/../../etc/passwd"`), entry(`,"uri":"/a/.hidden"`), entry(`,"size":-1`),
		entry(`,"size":999999999999999`), entry(`,"sha2":"../x"`), entry(`,"properties":{"product":null}`),
		entry(`,"properties":{"product":["CVP"],"version":["12.6(2)"],"export":["restricted"]}`)}
	n.hub.Between(func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write([]byte(`{"files":[` + strings.Join(append(bad, entry(""), entry(""), entry(`,"folder":true`)), ",") + `]}`))
		return true
	})
	offer, err := client.List(t.Context())
	if err != nil || len(offer.Files) != 1 || len(offer.Skipped) != len(bad) {
		t.Errorf("%+v %v", offer, err)
	}
}

func TestOnlyARepositoryThatIsTrustedLearnsTheSecret(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.hub.Add("a/b.exe", "CVP", "12.6(2)", false, "x")
	c := n.config(repository.APIKey, n.hub.Key(n.hub.Holder("a@acme.example")))
	n.must(os.Remove(filepath.Join(n.dir, "hub-ca.pem"))) // the machine's own roots are left
	if _, err := n.client(c).Entitlement(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v", err)
	}
	if asked := n.hub.Requests(); len(asked) != 0 {
		t.Errorf("it was asked: %v", asked)
	}
	conf, err := enroll.LoadConfig(n.dir)
	n.must(err)
	conf.Hub, conf.HubPin = strings.TrimSuffix(n.hub.URL(), "/binaries"), "sha256:"+strings.Repeat("0", 64)
	n.must(conf.Save(n.dir))
	if _, err := n.client(c).Entitlement(t.Context()); err == nil || !strings.Contains(err.Error(), "pinned key") {
		t.Errorf("%v", err)
	}
	conf.HubPin = pinOf(t, n.hub.CA())
	n.must(conf.Save(n.dir))
	if _, err := n.client(c).Entitlement(t.Context()); err != nil {
		t.Error(err)
	}
	conf.Hub = "https://another.example.com"
	n.must(conf.Save(n.dir))
	if _, err := n.client(c).Entitlement(t.Context()); err == nil {
		t.Error("a pin counted for another name than the hub's")
	}
}

func TestTheWayOutIsTheNodesOneProxy(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.must(proxy.Settings{Address: "http://127.0.0.1:1"}.Save(n.dir))
	c := n.config(repository.APIKey, "chk_x")
	c.URL = "https://repository.example.com/binaries"
	_, err := n.client(c).Entitlement(t.Context())
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("%v", err)
	}
}

func TestATokenIsRotatedInTimeAndNothingElse(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.hub.Add("a/b.exe", "CVP", "12.6(2)", false, "x")
	a := n.hub.Holder("a@acme.example")
	token := n.hub.Token(a, 90)
	c := n.config(repository.IdentityToken, token)
	rotate := func() (bool, error) {
		return repository.RotateIfDue(context.Background(), n.store, n.way(c), "job", n.hub.Clock.Now())
	}
	if rotated, err := rotate(); rotated || err != nil {
		t.Errorf("nothing was set: %v %v", rotated, err)
	}
	_, err := repository.Update(n.store, "ops", func(v *repository.Config) error {
		*v = c
		v.ExpiresAt = n.hub.Clock.Now().Add(90 * 24 * time.Hour)
		return nil
	})
	n.must(err)
	if rotated, err := rotate(); rotated || err != nil {
		t.Errorf("90 days before: %v %v", rotated, err)
	}
	n.hub.Clock.Advance(61 * 24 * time.Hour)
	if rotated, err := rotate(); !rotated || err != nil {
		t.Fatalf("29 days before: %v %v", rotated, err)
	}
	fresh, meta, err := repository.Load(n.store)
	if err != nil || string(fresh.Secret) == token || meta.By != "job" ||
		fresh.ExpiresAt.Sub(n.hub.Clock.Now()) < 80*24*time.Hour {
		t.Errorf("%v %v %v", fresh, meta, err)
	}
	if _, err := n.client(fresh).Entitlement(t.Context()); err != nil {
		t.Error(err)
	}
	if rotated, err := rotate(); rotated || err != nil {
		t.Errorf("again: %v %v", rotated, err)
	}
}

func TestAKeyIsNeverRotatedAndAFailureIsMailedLate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 0, 30, 0, 0, time.UTC)
	c := repository.Config{URL: "https://x.example", Kind: repository.IdentityToken, ExpiresAt: now.Add(10 * 24 * time.Hour)}
	r := repository.Rotation{TriggerDays: 30, WarnDays: 10}
	for _, one := range []struct {
		kind        repository.Kind
		days        float64
		due, warned bool
	}{{repository.IdentityToken, 31, false, false}, {repository.IdentityToken, 30, true, false},
		{repository.IdentityToken, 10.1, true, false}, {repository.IdentityToken, 10, true, true},
		{repository.IdentityToken, -1, true, true}, {repository.APIKey, 1, false, false}} {
		c.Kind, c.ExpiresAt = one.kind, now.Add(time.Duration(one.days*24*float64(time.Hour)))
		if r.Due(c, now) != one.due || r.Warns(c, now) != one.warned {
			t.Errorf("%+v: %v %v", one, r.Due(c, now), r.Warns(c, now))
		}
	}
	s := settings.Open(t.TempDir(), time.Now)
	for _, bad := range []repository.Rotation{{0, 1}, {31, 1}, {1, 0}, {1, 11}} {
		if bad.Save(s, "ops") == nil {
			t.Errorf("%v was stored", bad)
		}
	}
	if got, err := repository.LoadRotation(s); err != nil || got != r {
		t.Errorf("%v %v", got, err)
	}
}

func TestASecretIsNeverShownWhole(t *testing.T) {
	t.Parallel()
	const secret = "chk_canarycanarycanaryx7q2"
	c := repository.Config{URL: "https://x.example", Secret: secret}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{string(text), fmt.Sprintf("%v", c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c),
		c.Secret.LogValue().String()} {
		if strings.Contains(shown, "canary") || !strings.Contains(shown, "********x7q2") {
			t.Error(shown)
		}
	}
	if got := repository.Secret("short").String(); got != "********" {
		t.Error(got)
	}
	s := settings.Open(t.TempDir(), time.Now)
	_, err = repository.Update(s, "ops", func(v *repository.Config) error {
		*v = repository.Config{URL: "https://x.example", Repository: "r", Kind: repository.APIKey, Secret: secret}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if back, _, err := repository.Load(s); err != nil || back.Secret != secret || back.Type != repository.APIKey {
		t.Errorf("%v %v", back, err)
	}
}

func TestAConfigurationIsJudgedBeforeAnybodyIsAsked(t *testing.T) {
	t.Parallel()
	good := repository.Config{URL: " https://Repo.Example/binaries/ ", Repository: "ent-platform-release-external",
		Kind: repository.APIKey, Secret: " chk_x \n"}
	c, err := good.Checked()
	if err != nil || c.URL != "https://repo.example/binaries" || c.Secret != "chk_x" || c.Host() != "repo.example" {
		t.Fatalf("%v %v", c, err)
	}
	for what, change := range map[string]func(*repository.Config){
		"http":       func(c *repository.Config) { c.URL = "http://repo.example/binaries" },
		"no host":    func(c *repository.Config) { c.URL = "https:///binaries" },
		"a user":     func(c *repository.Config) { c.URL = "https://u:p@repo.example" },
		"a query":    func(c *repository.Config) { c.URL = "https://repo.example?x=1" },
		"long":       func(c *repository.Config) { c.URL += strings.Repeat("x", 2000) },
		"a path":     func(c *repository.Config) { c.Repository = "a/b" },
		"api":        func(c *repository.Config) { c.Repository = "api" },
		"upper case": func(c *repository.Config) { c.Repository = "Ent" },
		"no secret":  func(c *repository.Config) { c.Secret = "" },
		"two lines":  func(c *repository.Config) { c.Secret = "a\nb" },
		"long key":   func(c *repository.Config) { c.Secret = repository.Secret(strings.Repeat("x", 600)) },
		"no kind":    func(c *repository.Config) { c.Kind = "" },
	} {
		bad := good
		change(&bad)
		if _, err := bad.Checked(); err == nil {
			t.Errorf("%s was taken", what)
		}
		var w *repository.Wrong
		if errors.As(func() error { _, err := bad.Checked(); return err }(), &w) && w.Sentence("ja") == w.Sentence("en") {
			t.Errorf("%s has one language", what)
		}
	}
	if !slices.Contains([]string{"API Key"}, repository.APIKey.Label()) || repository.IdentityToken.Label() != "Identity Token" {
		t.Error("the labels are not the original's")
	}
}
