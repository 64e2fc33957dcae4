package handlers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connecthub/handlers"
	"connecthub/models"
	"connecthub/models/wire"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// edge serves the routes on loopback and keeps what is logged.
func edge(t *testing.T, o handlers.Options, routes func(*echo.Echo)) (url string, log *bytes.Buffer) {
	t.Helper()
	log = &bytes.Buffer{}
	o.Now = time.Now
	o.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	e := handlers.New(o)
	routes(e)
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	return s.URL, log
}

type reply struct {
	status  int
	header  http.Header
	body    string
	problem wire.Problem
}

func ask(t *testing.T, method, url, body string, header ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: res.StatusCode, header: res.Header, body: string(text)}
	if res.Header.Get("Content-Type") == "application/problem+json" {
		if err := json.Unmarshal(text, &r.problem); err != nil {
			t.Fatalf("no problem document: %s", text)
		}
	}
	return r
}

func fails(err error) func(*echo.Echo) {
	return func(e *echo.Echo) { e.GET("/", func(echo.Context) error { return err }) }
}

func TestEveryErrorIsAProblemDocument(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		err    error
		status int
		code   string
	}{
		{"a refusal", models.Invalid("invalid_fqdn", "fqdn"), 400, "invalid_fqdn"},
		{"a wrapped one", fmt.Errorf("cannot: %w", models.Forbidden()), 403, "forbidden"},
		{"nobody signed in", models.Unauthorized("signed_out"), 401, "signed_out"},
		{"not there", models.NotFound(), 404, "not_found"},
		{"a conflict", models.Conflict("already_postponed", "A"), 409, "already_postponed"},
		{"gone", &models.Refusal{Kind: models.KindGone, Code: "registration_expired"}, 410, "registration_expired"},
		{"too many", &models.Refusal{Kind: models.KindTooMany, Code: "too_many_attempts"}, 429, "too_many_attempts"},
		{"too late", fmt.Errorf("cannot read: %w", context.DeadlineExceeded), 503, "request_timeout"},
		{"echo's bad request", echo.NewHTTPError(400, "x"), 400, "malformed_body"},
		{"echo's 401", echo.ErrUnauthorized, 401, "signed_out"},
		{"echo's 403", echo.ErrForbidden, 403, "forbidden"},
		{"echo's 413", echo.ErrStatusRequestEntityTooLarge, 413, "body_too_large"},
		{"echo's 415", echo.ErrUnsupportedMediaType, 415, "unsupported_media"},
		{"echo's 429", echo.ErrTooManyRequests, 429, "too_many_attempts"},
		{"echo's 503", echo.ErrServiceUnavailable, 503, "unavailable"},
		{"echo's teapot", echo.NewHTTPError(418), 500, "internal"},
		{"anything else", errors.New("the disk said no"), 500, "internal"},
	} {
		url, _ := edge(t, handlers.Options{}, fails(c.err))
		r := ask(t, "GET", url, "")
		p := r.problem
		if r.status != c.status || p.Status != c.status || p.Code != c.code {
			t.Errorf("%s: %d %q", c.name, r.status, p.Code)
		}
		if p.TrackingID == "" || p.TrackingID != r.header.Get(handlers.HeaderTrackingID) {
			t.Errorf("%s: tracking id %q, header %q", c.name, p.TrackingID, r.header.Get(handlers.HeaderTrackingID))
		}
		if p.Title == "" || p.Detail == "" || !strings.HasSuffix(p.Type, "#error-"+c.code) {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}

func TestAProblemSaysWhatTheRefusalSays(t *testing.T) {
	t.Parallel()
	url, _ := edge(t, handlers.Options{}, fails(&models.Refusal{Kind: models.KindConflict,
		Code: "display_name_taken", Field: "display_name", Subject: "東京", Statement: "a.b.c",
		RetryAfter: 1500 * time.Millisecond}))
	r := ask(t, "GET", url, "", "Accept-Language", "ja-JP,ja;q=0.9,en;q=0.8")
	p := r.problem
	if p.Field != "display_name" || p.Statement != "a.b.c" || p.RetryAfter != 2 ||
		r.header.Get("Retry-After") != "2" || r.header.Get("Content-Language") != "ja" {
		t.Errorf("%+v %v", p, r.header)
	}
	if !strings.Contains(p.Detail, "「東京」") || !strings.Contains(p.Title, "現在") {
		t.Errorf("not Japanese: %+v", p)
	}
}

func TestTheLanguageIsThePreferredOfTheTwo(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "en", "ja": "ja", "JA-jp": "ja", "en": "en", "fr": "en", "fr,ja;q=0.5": "ja",
		"en;q=0.5,ja;q=0.9": "ja", "en-GB,ja;q=0.9": "en", "ja;q=0": "en", "ja;q=x,en": "en",
		"*": "en", "ja;q=0.1": "ja", ";;,,": "en",
	} {
		url, _ := edge(t, handlers.Options{}, fails(models.NotFound()))
		if got := ask(t, "GET", url, "", "Accept-Language", header).header.Get("Content-Language"); got != want {
			t.Errorf("%q: %s", header, got)
		}
	}
}

func TestAnInternalErrorIsLoggedOnceAndNeverShown(t *testing.T) {
	t.Parallel()
	for name, route := range map[string]echo.HandlerFunc{
		"an error": func(echo.Context) error { return errors.New("password=hunter2") },
		"a panic":  func(echo.Context) error { panic("password=hunter2") },
	} {
		url, log := edge(t, handlers.Options{}, func(e *echo.Echo) { e.GET("/", route) })
		r := ask(t, "GET", url, "")
		if r.status != 500 || strings.Contains(r.body, "hunter2") {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
		if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "hunter2") ||
			!strings.Contains(log.String(), r.problem.TrackingID) {
			t.Errorf("%s: log %s", name, log)
		}
	}
}

func TestUnknownAddressesAndMethodsAreRefusedInOurWords(t *testing.T) {
	t.Parallel()
	url, _ := edge(t, handlers.Options{}, func(e *echo.Echo) {
		e.POST("/there", func(c echo.Context) error { return c.NoContent(204) })
	})
	if r := ask(t, "GET", url+"/elsewhere", ""); r.status != 404 || r.problem.Code != "not_found" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := ask(t, "DELETE", url+"/there", ""); r.status != 405 || r.problem.Code != "method_not_allowed" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := ask(t, "HEAD", url+"/elsewhere", ""); r.status != 404 || r.body != "" {
		t.Errorf("%d %q", r.status, r.body)
	}
}

func TestABodyIsOneJSONValueOfTheExpectedForm(t *testing.T) {
	t.Parallel()
	type form struct {
		Name string `json:"name"`
		Deep struct {
			Count int `json:"count"`
		} `json:"deep"`
	}
	url, _ := edge(t, handlers.Options{}, func(e *echo.Echo) {
		e.POST("/", func(c echo.Context) error {
			var f form
			if err := c.Bind(&f); err != nil {
				return err
			}
			return c.String(200, f.Name)
		})
	})
	const media = "application/json"
	for _, c := range []struct {
		name, media, body string
		status            int
		code, field       string
	}{
		{"right", media, `{"name":"a"}`, 200, "", ""},
		{"right with a charset", media + "; charset=utf-8", ` {"name":"a"} `, 200, "", ""},
		{"no media type", "", `{}`, 415, "unsupported_media", ""},
		{"a form", "application/x-www-form-urlencoded", `name=a`, 415, "unsupported_media", ""},
		{"text", "text/plain", `{}`, 415, "unsupported_media", ""},
		{"empty", media, ``, 400, "malformed_body", ""},
		{"broken", media, `{"name":`, 400, "malformed_body", ""},
		{"a list", media, `[]`, 400, "malformed_body", ""},
		{"two values", media, `{}{}`, 400, "malformed_body", ""},
		{"rubbish behind", media, `{} x`, 400, "malformed_body", ""},
		{"wrong type", media, `{"name":1}`, 400, "malformed_body", "name"},
		{"wrong type below", media, `{"deep":{"count":"x"}}`, 400, "malformed_body", "deep.count"},
		{"unknown", media, `{"surprise":"a"}`, 400, "unknown_field", "surprise"},
		{"unknown below", media, `{"deep":{"size":1}}`, 400, "unknown_field", "size"},
		{"64 KiB", media, `{"name":"` + strings.Repeat("a", 64<<10-11) + `"}`, 200, "", ""},
		{"64 KiB and one", media, `{"name":"` + strings.Repeat("a", 64<<10-10) + `"}`, 413, "body_too_large", ""},
		{"a bomb of brackets", media, strings.Repeat("[", 60000), 400, "malformed_body", ""},
	} {
		r := ask(t, "POST", url, c.body, "Content-Type", c.media)
		if r.status != c.status || r.problem.Code != c.code || r.problem.Field != c.field {
			t.Errorf("%s: %d %q %q", c.name, r.status, r.problem.Code, r.problem.Field)
		}
	}
}

func TestABodyWithoutALengthIsBoundedToo(t *testing.T) {
	t.Parallel()
	url, _ := edge(t, handlers.Options{}, func(e *echo.Echo) {
		e.POST("/", func(c echo.Context) error { return handlers.ReadJSON(c, &struct{}{}) })
	})
	long := io.MultiReader(strings.NewReader(`{"a":"`), strings.NewReader(strings.Repeat("a", 1<<20)))
	req, err := http.NewRequestWithContext(t.Context(), "POST", url, long)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 413 {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestR31ARequestHasADeadlineAndAStreamHasNone(t *testing.T) {
	t.Parallel()
	wait := func(c echo.Context) error {
		if _, bounded := c.Request().Context().Deadline(); !bounded {
			return c.String(200, "no deadline")
		}
		<-c.Request().Context().Done()
		return c.Request().Context().Err()
	}
	url, _ := edge(t, handlers.Options{Deadline: 20 * time.Millisecond, LongLived: []string{"/stream"}},
		func(e *echo.Echo) { e.GET("/slow", wait); e.GET("/stream/x", wait) })
	if r := ask(t, "GET", url+"/slow", ""); r.status != 503 || r.problem.Code != "request_timeout" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := ask(t, "GET", url+"/stream/x", ""); r.body != "no deadline" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	url, log := edge(t, handlers.Options{}, func(e *echo.Echo) {
		e.POST("/x/:id", func(c echo.Context) error { return c.NoContent(204) })
	})
	ask(t, "POST", url+"/x/hunter2?token=hunter2", "hunter2", "Cookie", "a=hunter2",
		"Authorization", "DPoP hunter2")
	if strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), "/x/:id") {
		t.Errorf("log: %s", log)
	}
}

func TestSuccessesOfQuietRoutesAreLoggedAtDebugLevel(t *testing.T) {
	t.Parallel()
	url, log := edge(t, handlers.Options{Quiet: []string{"/poll"}}, func(e *echo.Echo) {
		e.GET("/poll", func(c echo.Context) error { return c.NoContent(204) })
	})
	ask(t, "GET", url+"/poll", "")
	if !strings.Contains(log.String(), `"level":"DEBUG"`) {
		t.Errorf("log: %s", log)
	}
}

func TestOnlyATrustedProxySaysWhomItAsksFor(t *testing.T) {
	t.Parallel()
	_, loopback, err := net.ParseCIDR("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		trusted []*net.IPNet
		want    string
	}{
		"nobody is trusted": {nil, "127.0.0.1"},
		"loopback is":       {[]*net.IPNet{loopback}, "203.0.113.7"},
	} {
		url, _ := edge(t, handlers.Options{TrustedProxies: c.trusted}, func(e *echo.Echo) {
			e.GET("/", func(c echo.Context) error { return c.String(200, handlers.Caller(c).Address) })
		})
		if r := ask(t, "GET", url, "", "X-Forwarded-For", "203.0.113.7", "X-Real-IP", "203.0.113.8"); r.body != c.want {
			t.Errorf("%s: %s", name, r.body)
		}
	}
}

func TestEveryAnswerSaysWhatBrowsersMayDoWithIt(t *testing.T) {
	t.Parallel()
	url, _ := edge(t, handlers.Options{HTTPS: true}, fails(models.NotFound()))
	h := ask(t, "GET", url, "").header
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		"Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		"Content-Security-Policy":   "default-src 'none'; frame-ancestors 'none'",
		"Strict-Transport-Security": "max-age=31536000",
	} {
		if h.Get(name) != want {
			t.Errorf("%s: %q", name, h.Get(name))
		}
	}
}

func TestRequestsAreCountedByRouteNotByAddress(t *testing.T) {
	t.Parallel()
	metrics, err := handlers.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	url, _ := edge(t, handlers.Options{Metrics: metrics}, func(e *echo.Echo) {
		e.GET("/x/:id", func(c echo.Context) error { return c.NoContent(204) })
		e.GET("/metrics", echo.WrapHandler(metrics.Handler()))
	})
	for _, path := range []string{"/x/1", "/x/2", "/nowhere"} {
		ask(t, "GET", url+path, "")
	}
	ask(t, "INVENTED", url+"/x/1", "")
	body := ask(t, "GET", url+"/metrics", "").body
	for _, want := range []string{
		`connecthub_http_request_seconds_count{method="GET",route="/x/:id",status="204"} 2`,
		`method="other"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing in:\n%s", want, body)
		}
	}
	if strings.Contains(body, "nowhere") || strings.Contains(body, "INVENTED") {
		t.Error("a stranger can make series")
	}
}

func TestR31AnAddressThatIsNoTextNamesNothing(t *testing.T) {
	t.Parallel()
	url, _ := edge(t, handlers.Options{}, func(e *echo.Echo) {
		e.GET("/things/:id", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	})
	for _, path := range []string{"/things/a%00b", "/things/%ff", "/things/a?x=%00", "/things/a?x=%fe"} {
		if r := ask(t, "GET", url+path, ""); r.status != 404 || r.problem.Code != "not_found" {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	for _, path := range []string{"/things/%E6%9D%B1%E4%BA%AC", "/things/a?x=%E6%9D%B1&y=1"} {
		if r := ask(t, "GET", url+path, ""); r.status != 204 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}
