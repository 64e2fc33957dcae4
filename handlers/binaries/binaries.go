// Package binaries is /binaries: the software repository in the forms of Artifactory's REST API, as
// docs/repository-api.md promises them. It decides nothing itself.
package binaries

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"connecthub/handlers"
	"connecthub/hub/software"
	"connecthub/models"
)

// Route is the beginning of every route that answers for long.
const Route = "/binaries/"

// The header of a download key, and the one that names a refusal where an answer has no body.
const (
	HeaderKey     = "X-Jfrog-Art-Api"
	HeaderRefusal = "X-Refusal-Code"
)

const (
	binariesBase = "/binaries/"
	storageBase  = "/api/storage/"
)

// Options are what the repository's API needs.
type Options struct {
	Software *software.Software
	Now      func() time.Time
	Log      *slog.Logger
}

// repository answers /binaries.
type repository struct {
	o      Options
	limits *limiter
}

// Register adds the routes.
func Register(e *echo.Echo, o Options) {
	r := &repository{o: o, limits: newLimiter()}
	reading := []string{http.MethodGet, http.MethodHead}
	for _, base := range []string{storageBase, "/binaries" + storageBase} {
		e.Match(reading, base+"*", r.named(r.storage))
	}
	e.GET("/binaries/api/entitlement", r.named(r.entitlement))
	e.POST("/binaries/api/token/rotate", r.named(r.rotate))
	e.Match(reading, binariesBase+"*", r.named(r.file))
}

// named says the code of a refusal in a header as well, and what scheme counts here.
func (r *repository) named(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderCacheControl, "no-store, no-transform")
		err := next(c)
		if err == nil || c.Response().Committed {
			return err
		}
		refusal := handlers.Refuse(err)
		h := c.Response().Header()
		h.Set(HeaderRefusal, string(refusal.Code))
		if refusal.Kind == models.KindUnauthorized {
			h.Set(echo.HeaderWWWAuthenticate, `Bearer realm="binaries"`)
		}
		return err
	}
}

// presented is the one credential of a request. Two are none.
func presented(h http.Header) (models.DownloadKind, string) {
	keys, bearers := h.Values(HeaderKey), h.Values(echo.HeaderAuthorization)
	if len(keys)+len(bearers) != 1 {
		return models.DownloadKey, ""
	}
	if len(keys) == 1 {
		return models.DownloadKey, keys[0]
	}
	scheme, token, _ := strings.Cut(bearers[0], " ")
	if !strings.EqualFold(scheme, "bearer") {
		return models.IdentityToken, ""
	}
	return models.IdentityToken, token
}

// enter finds who asks. An address may have only so many credentials refused.
func (r *repository) enter(c echo.Context) (software.Holder, error) {
	kind, secret := presented(c.Request().Header)
	h, err := within(r, c, func(ctx context.Context) (software.Holder, error) {
		return r.o.Software.Enter(ctx, kind, secret)
	})
	if err == nil {
		handlers.SetActor(c, software.ActorOf(handlers.Caller(c), h))
	}
	return h, err
}

// within asks about a credential, as long as the address has not had too many refused.
func within[T any](r *repository, c echo.Context, ask func(context.Context) (T, error)) (T, error) {
	address, now := c.RealIP(), r.o.Now()
	if wait := r.limits.wait(address, now); wait > 0 {
		var none T
		return none, &models.Refusal{Kind: models.KindTooMany, Code: "too_many_attempts",
			RetryAfter: wait}
	}
	answer, err := ask(c.Request().Context())
	r.limits.heed(address, now, err)
	return answer, err
}

// place is the repository and the path that a request names. What is escaped in the address in a
// way that a server could read twice is refused, before anything is looked up.
func (r *repository) place(c echo.Context, base string) (repo, inside string, err error) {
	refused := models.Invalid("invalid_repository_path", "path")
	escaped := strings.ToLower(c.Request().URL.EscapedPath())
	for _, trick := range []string{"%2f", "%5c", "%00", "%25", "%2e", "\\", "//"} {
		if strings.Contains(escaped, trick) {
			return "", "", refused
		}
	}
	text, err := url.PathUnescape(strings.TrimPrefix(c.Request().URL.EscapedPath(), base))
	if err != nil {
		return "", "", refused
	}
	repo, inside, _ = strings.Cut(strings.TrimSuffix(text, "/"), "/")
	if r.o.Software.ValidPath(repo) != nil {
		return "", "", refused
	}
	if inside != "" {
		err = r.o.Software.ValidPath(inside)
	}
	return repo, inside, err
}

// file serves the bytes of one file, with one range at most.
func (r *repository) file(c echo.Context) error {
	h, err := r.enter(c)
	if err != nil {
		return err
	}
	repo, inside, err := r.place(c, binariesBase)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	f, err := r.o.Software.File(ctx, h, repo, inside)
	if err != nil {
		r.o.Log.InfoContext(ctx, "download refused", "user", h.User.Email, "credential",
			h.Credential.Prefix, "file", repo+"/"+inside, "code", handlers.Refuse(err).Code)
		return err
	}
	content, err := r.o.Software.Open(f)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	describe(c.Response().Header(), f)
	// Many ranges in one request would cost more than the file: it is answered whole.
	if strings.Contains(c.Request().Header.Get("Range"), ",") {
		c.Request().Header.Del("Range")
	}
	r.o.Log.DebugContext(ctx, "download", "user", h.User.Email, "credential", h.Credential.Prefix,
		"file", repo+"/"+inside)
	http.ServeContent(c.Response(), c.Request(), "", f.PublishedAt, content)
	return nil
}

// describe says what a client of an artifact repository checks a download with.
func describe(h http.Header, f models.SoftwareFile) {
	h.Set(echo.HeaderContentType, echo.MIMEOctetStream)
	h.Set(echo.HeaderContentDisposition, "attachment")
	h.Set("Etag", `"`+f.SHA1+`"`)
	h.Set("X-Checksum-Sha256", f.SHA256)
	h.Set("X-Checksum-Sha1", f.SHA1)
	h.Set("X-Checksum-Md5", f.MD5)
	h.Set("X-Artifactory-Filename", path.Base(f.Path))
}
