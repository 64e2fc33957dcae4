package binaries_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"connecthub/handlers/binaries"
	"connecthub/hub/software"
	"connecthub/models"
	"connecthub/models/store"
)

func TestAFileIsServedWithItsChecksumsRangesAndConditions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, key := w.holder("a@acme.example")
	whole := w.get(key, plain)
	w.want(whole, 200, "")
	if whole.Body.String() != content {
		t.Errorf("the file is %q", whole.Body)
	}
	etag := `"fe5567e8d769550852182cdf69d74bb16dff8e29"`
	for name, value := range map[string]string{"Etag": etag, "Accept-Ranges": "bytes", "Content-Length": "16",
		"X-Checksum-Sha256": "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f",
		"X-Checksum-Sha1":   "fe5567e8d769550852182cdf69d74bb16dff8e29",
		"X-Checksum-Md5":    "4032af8d61035123906e58e067140cc5", "X-Artifactory-Filename": "plain.cop",
		"Content-Type": "application/octet-stream", "Cache-Control": "no-store, no-transform"} {
		if got := whole.Header().Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	for _, c := range []struct {
		status     int
		body, name string
		headers    []string
	}{
		{206, "456789abcdef", "a range", []string{"Range", "bytes=4-"}},
		{206, "ef", "its end", []string{"Range", "bytes=-2"}},
		{206, "01", "If-Range", []string{"Range", "bytes=0-1", "If-Range", etag}},
		{200, content, "If-Range of another file", []string{"Range", "bytes=0-1", "If-Range", `"x"`}},
		{200, content, "many ranges", []string{"Range", "bytes=" + strings.Repeat("0-1,", 2000) + "0-1"}},
		{416, "", "a range beyond the file", []string{"Range", "bytes=99999999999999-"}},
		{304, "", "If-None-Match", []string{"If-None-Match", etag}},
		{412, "", "If-Match", []string{"If-Match", `"x"`}},
	} {
		a := w.get(key, plain, c.headers...)
		if a.Code != c.status || c.status < 300 && a.Body.String() != c.body {
			t.Errorf("%s: %d %q", c.name, a.Code, a.Body)
		}
	}
	head := w.ask(http.MethodHead, "/binaries/"+repo+"/"+plain, "X-JFrog-Art-Api", key.Secret.Reveal())
	if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != "16" {
		t.Errorf("HEAD: %d %v", head.Code, head.Header())
	}
	w.want(w.get(key, "vvb/12.6/none.cop"), 404, "not_found")
	w.want(w.get(key, "vvb/12.6"), 404, "not_found")
}

func TestNoPathLeadsOutOfTheRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, key := w.holder("a@acme.example")
	secret := key.Secret.Reveal()
	for _, base := range []string{"/binaries/", "/api/storage/", "/binaries/api/storage/"} {
		for _, path := range []string{repo + "/../" + plain, repo + "/vvb/./12.6/plain.cop", repo + "//" + plain,
			repo + "/vvb%2f12.6%2fplain.cop", repo + "/%2e%2e/%2e%2e/etc/passwd", repo + "/..%5c..%5cx", "../etc/passwd",
			repo + "/%252e%252e/x", repo + "/vvb/12.6/plain.cop%00", repo + "/" + strings.Repeat("a/", 300) + "a",
			repo + "/a%0ab", "%2e%2e", "", "/", repo + "%2f" + plain} {
			a := w.ask(http.MethodGet, base+path, "X-JFrog-Art-Api", secret)
			if a.Code != 400 && a.Code != 404 {
				t.Errorf("%s%s: %d %s", base, path, a.Code, a.Body)
			}
		}
	}
}

func TestAFolderListsWhatTheHolderMayHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, all := w.holder("a@acme.example")
	few := w.person(w.org, "few@acme.example")
	w.entitle(few, false, "vvb") // a product is named in any case
	w.accept(few, "1")
	some := w.generate(few, models.DownloadKey, 0)
	for _, c := range []struct {
		key  software.Generated
		path string
		want string
	}{
		{all, "", `[{"uri":"/cvp","folder":true},{"uri":"/vvb","folder":true}]`},
		{all, "/vvb/12.6/", `[{"uri":"/guarded.cop","folder":false},{"uri":"/plain.cop","folder":false}]`},
		{some, "", `[{"uri":"/vvb","folder":true}]`},
		{some, "/vvb/12.6", `[{"uri":"/plain.cop","folder":false}]`},
	} {
		for _, base := range []string{"/api/storage/", "/binaries/api/storage/"} {
			a := w.ask(http.MethodGet, base+repo+c.path, "X-JFrog-Art-Api", c.key.Secret.Reveal())
			var found struct{ Children json.RawMessage }
			if err := json.Unmarshal(a.Body.Bytes(), &found); err != nil || string(found.Children) != c.want {
				t.Errorf("%s: %d %s", c.path, a.Code, a.Body)
			}
		}
	}
	ask := func(g software.Generated, path string) string {
		a := w.ask(http.MethodGet, "/api/storage/"+repo+path, "X-JFrog-Art-Api", g.Secret.Reveal())
		return a.Header().Get(binaries.HeaderRefusal) + " " + a.Body.String()
	}
	for path, want := range map[string]string{"/cvp": "not_found", "/vvb/12.6/guarded.cop": "export_restricted",
		"/" + foreign: "product_not_entitled", "/none": "not_found"} {
		if got := ask(some, path); !strings.HasPrefix(got, want+" ") {
			t.Errorf("%s: %s", path, got)
		}
	}
	file := ask(all, "/"+guarded)
	for _, part := range []string{`"downloadUri":"https://hub.example:8444/binaries/` + repo + "/" + guarded + `"`,
		`"size":"16"`, `"export":["restricted"]`, `"sha256":"9f9f5111`, `"path":"/` + guarded + `"`} {
		if !strings.Contains(file, part) {
			t.Errorf("no %s in %s", part, file)
		}
	}
	for query, want := range map[string]int{"?list&deep=1": 3, "?list": 0, "?list&deep=1&export=restricted": 1,
		"?list&deep=1&product=CVP": 1, "?list&deep=1&export=unrestricted": 2} {
		var listing struct{ Files []struct{ URI string } }
		a := w.ask(http.MethodGet, "/api/storage/"+repo+query, "X-JFrog-Art-Api", all.Secret.Reveal())
		if err := json.Unmarshal(a.Body.Bytes(), &listing); err != nil || len(listing.Files) != want {
			t.Errorf("%s: %s", query, a.Body)
		}
	}
}

func TestWhatMayBeSetIsSaidBeforehand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.person(w.org, "a@acme.example")
	w.entitle(a, false, "VVB")
	key := w.generate(a, models.DownloadKey, 0) // before the agreement is accepted
	ask := func(query string) (int, string) {
		r := w.ask(http.MethodGet, "/binaries/api/entitlement?"+query, "X-JFrog-Art-Api", key.Secret.Reveal(),
			"Accept-Language", "en")
		return r.Code, r.Body.String()
	}
	status, body := ask("repository=" + repo)
	if status != 403 || !strings.Contains(body, "The ID that was used to generate the API key is not compliant with "+
		"the End User License Agreement. Use a valid ID") {
		t.Errorf("%d %s", status, body)
	}
	w.accept(a, "1")
	status, body = ask("repository=" + repo + "&export=unrestricted")
	if status != 200 || !strings.Contains(body, `"products":["VVB"]`) || !strings.Contains(body, `"lastFour":"`+
		key.Holder.Credential.LastFour) || !strings.Contains(body, `"lapsesAt":"2027-05-22T`) {
		t.Errorf("%d %s", status, body)
	}
	for query, code := range map[string]string{"repository=" + repo + "&export=restricted": "export_restricted",
		"repository=none": "not_found", "repository=" + repo + "&export=x": "invalid_export"} {
		if _, body := ask(query); !strings.Contains(body, `"code":"`+code+`"`) {
			t.Errorf("%s: %s", query, body)
		}
	}
	w.eula("2") // a new version asks again
	w.want(w.get(key, plain), 403, "eula_not_accepted")
	if err := w.sw.AcceptEULA(t.Context(), a, "1"); !errors.Is(err, models.Conflict("eula_changed", "")) {
		t.Errorf("an old version is accepted: %v", err)
	}
	w.accept(a, "2")
	w.accept(a, "2")
	w.want(w.get(key, plain), 200, "")
}

func TestAKeyLapsesSixCalendarMonthsAfterTheLastSignInAndIsRevivedByTheNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, key := w.holder("a@acme.example")
	w.entitleFor(a, 20)
	for _, c := range [][2]string{
		{"2026-11-30T23:59:59.999999Z", "2027-05-30T23:59:59.999999Z"},
		{"2027-08-31T12:00:00Z", "2028-02-29T12:00:00Z"}, // a leap year
		{"2028-08-29T12:00:00Z", "2029-02-28T12:00:00Z"},
		{"2029-03-31T00:00:00Z", "2029-09-30T00:00:00Z"},
		{"2030-02-28T00:00:00Z", "2030-08-28T00:00:00Z"},
		{"2030-12-31T10:00:00Z", "2031-06-30T10:00:00Z"},
	} {
		signedIn, err := time.Parse(time.RFC3339, c[0])
		w.must(err)
		lapses, err := time.Parse(time.RFC3339, c[1])
		w.must(err)
		w.signedIn(a, signedIn)
		for at, want := range map[time.Duration]string{-time.Microsecond: "", 0: "download_key_lapsed"} {
			w.clock.Advance(lapses.Add(at).Sub(w.clock.Now()))
			status := map[string]int{"": 200, "download_key_lapsed": 401}[want]
			w.want(w.get(key, plain), status, want)
		}
		w.signIn(a)
		w.want(w.get(key, plain), 200, "")
	}
}

// entitleFor gives a contract for years.
func (w *world) entitleFor(a models.Actor, years int) {
	w.t.Helper()
	w.contract(a, true, w.clock.Now(), w.clock.Now().AddDate(years, 0, 0), models.AllProducts)
}

func TestATokenIsRotatedWithAnOverlap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, key := w.holder("a@acme.example")
	old := w.generate(a, models.IdentityToken, 30)
	rotate := func(g software.Generated) (software.Generated, int) {
		r := w.ask(http.MethodPost, "/binaries/api/token/rotate", bearer(g)...)
		var body struct{ Token, LastFour string }
		if err := json.Unmarshal(r.Body.Bytes(), &body); err != nil || r.Code == 201 && !strings.HasSuffix(body.Token, body.LastFour) {
			t.Errorf("%d %s", r.Code, r.Body)
		}
		return software.Generated{Secret: models.Secret(body.Token)}, r.Code
	}
	use := func(g software.Generated, status int, code string) {
		t.Helper()
		w.want(w.ask(http.MethodGet, "/binaries/"+repo+"/"+plain, bearer(g)...), status, code)
	}
	w.want(w.ask(http.MethodPost, "/binaries/api/token/rotate", "X-JFrog-Art-Api", key.Secret.Reveal()), 401,
		"invalid_download_credential")
	lost, status := rotate(old)
	if status != 201 {
		t.Fatalf("the rotation is refused: %d", status)
	}
	next, _ := rotate(old) // the answer was lost
	use(lost, 401, "invalid_download_credential")
	use(next, 200, "")
	use(old, 200, "")
	if _, status := rotate(old); status != 409 {
		t.Errorf("an old token rotates although its successor is in use: %d", status)
	}
	w.clock.Advance(models.TokenOverlap - time.Microsecond)
	use(old, 200, "")
	w.clock.Advance(time.Microsecond)
	use(old, 401, "download_token_expired")
	w.clock.Advance(29 * 24 * time.Hour)
	use(next, 200, "")
	w.clock.Advance(24 * time.Hour)
	use(next, 401, "download_token_expired")
	w.want(w.get(key, plain), 200, "")
}

func TestR14AReleaseOfTheHubIsNeverADownload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, key := w.holder("a@acme.example")
	release := func(digest, version string) {
		w.must(w.store.Update(t.Context(), func(tx *store.Tx) error {
			now := w.clock.Now()
			return tx.Hub().CreateRelease(&models.Release{Version: models.Version(version), Kind: models.Regular,
				State: models.ReleasePublished, Channel: "stable", Digest: digest, CreatedAt: now, PublishedAt: &now})
		}))
	}
	own := strings.Repeat("ab", 32)
	release(own, "2.0.0")
	for _, path := range []string{own, "stable/2.0.0", "connecthub/2.0.0", "depot/" + own} {
		w.want(w.get(key, path), 404, "not_found")
	}
	w.want(w.get(key, plain), 200, "")
	release("9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f", "3.0.0") // the bytes of all three files
	w.want(w.get(key, plain), 404, "not_found")
	w.want(w.ask(http.MethodGet, "/api/storage/"+repo, "X-JFrog-Art-Api", key.Secret.Reveal()), 404, "not_found")
	_, err := w.sw.Add(t.Context(), vendor(), software.NewFile{Repository: repo, Path: "again", Product: "VVB",
		Version: "1"}, strings.NewReader(content))
	if !errors.Is(err, models.Conflict("software_is_release", "")) {
		t.Errorf("a release is offered for download: %v", err)
	}
}

func TestAGuesserIsSlowedDownAndNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, key := w.holder("a@acme.example")
	w.want(w.get(key, plain, bearer(key)...), 401, "invalid_download_credential") // two credentials are none
	refused := 0
	for range 80 {
		if w.ask(http.MethodGet, "/binaries/"+repo+"/"+plain, "X-JFrog-Art-Api", "chk_no").Code == 429 {
			refused++
		}
	}
	if refused < 15 {
		t.Errorf("only %d of 80 guesses were slowed down", refused)
	}
	w.clock.Advance(time.Minute)
	for range 200 {
		if a := w.get(key, plain); a.Code != 200 {
			t.Fatalf("a good key is slowed down: %d", a.Code)
		}
	}
	if a := w.ask(http.MethodGet, "/binaries/"+repo+"/"+plain); a.Code != 401 || a.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("nobody: %d %v", a.Code, a.Header())
	}
}

func TestNoKeyIsGeneratedInASessionThatHasEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, _ := w.holder("late@acme.example")
	w.must(w.store.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.In(a.Organization).DeleteSessionsOfUser(a.UserID, "")
		return err
	}))
	_, err := w.sw.Generate(t.Context(), a, software.NewCredential{Kind: models.DownloadKey, Name: "Late"})
	var refusal *models.Refusal
	if !errors.As(err, &refusal) || refusal.Code != "signed_out" {
		t.Error(err)
	}
}
