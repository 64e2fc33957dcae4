package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// bound sets what every answer says about security, how much a request may send and how long it
// may take.
func bound(o Options) echo.MiddlewareFunc {
	said := security(o.HTTPS)
	over, end := context.WithCancel(context.Background()) //nolint:forbidigo // ended at once
	end()
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			maps.Copy(c.Response().Header(), said)
			req := c.Request()
			if !readable(req) {
				return models.NotFound()
			}
			if req.ContentLength > MaxBody {
				return &models.Refusal{Kind: models.KindTooLarge, Code: "body_too_large"}
			}
			if req.Body != nil && req.Body != http.NoBody {
				req.Body = http.MaxBytesReader(c.Response(), req.Body, MaxBody)
			}
			if beginsWithAny(c.Path(), o.LongLived) {
				// The server's own read deadline would end the request's context.
				_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Time{})
				c.Response().Writer = &rolling{ResponseWriter: c.Response().Writer, now: o.Now}
				return next(c)
			}
			ctx := &limited{Context: req.Context(), now: o.Now, over: over,
				end: o.Now().Add(o.Deadline)}
			defer ctx.stop()
			c.SetRequest(req.WithContext(ctx)) //nolint:contextcheck // it wraps the request's own
			return next(c)
		}
	}
}

// readable says whether an address is text. What is not names nothing, and no database takes it.
func readable(req *http.Request) bool {
	text := func(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }
	if !text(req.URL.Path) {
		return false
	}
	if req.URL.RawQuery == "" {
		return true
	}
	query, err := url.QueryUnescape(req.URL.RawQuery)
	return err != nil || text(query)
}

// security is what every answer says. All answers share the values: nobody changes one in place.
func security(https bool) http.Header {
	h := http.Header{}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if https {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	return h
}

// rolling gives every write of a long-lived answer a deadline of its own.
type rolling struct {
	http.ResponseWriter
	now func() time.Time
}

func (r *rolling) Write(p []byte) (int, error) {
	r.extend()
	return r.ResponseWriter.Write(p)
}

// WriteHeader counts as a write: the server's own deadline ends here.
func (r *rolling) WriteHeader(status int) {
	r.extend()
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find what it flushes.
func (r *rolling) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *rolling) extend() {
	// A writer without deadlines (a test's recorder) needs none.
	_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(r.now().Add(stall))
}

// binder reads JSON bodies strictly; echo's own would read forms and queries into the same fields.
type binder struct{}

// Bind implements echo.Binder.
func (binder) Bind(into any, c echo.Context) error { return ReadJSON(c, into) }

// ReadJSON reads the body of a request. It refuses what is not application/json, not one JSON
// value of the expected form, or has a field that is not expected.
func ReadJSON(c echo.Context, into any) error {
	if !isJSON(c.Request().Header.Get(echo.HeaderContentType)) {
		return models.Invalid("unsupported_media", "")
	}
	d := json.NewDecoder(c.Request().Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return refuseJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		if err == nil {
			return models.Invalid("malformed_body", "")
		}
		return refuseJSON(err)
	}
	return nil
}

// ReadUsual is ReadJSON for a request that is nearly always the same: usual reads a body that is as
// it usually is, or says false. It gets the whole body, if that fits into scratch, and keeps nothing
// of it.
func ReadUsual(c echo.Context, into any, scratch []byte, usual func(body []byte) bool) error {
	req := c.Request()
	n := 0
	for n < len(scratch) {
		read, err := req.Body.Read(scratch[n:])
		n += read
		if errors.Is(err, io.EOF) && isJSON(req.Header.Get(echo.HeaderContentType)) &&
			usual(scratch[:n]) {
			return nil
		}
		if err != nil {
			break // the same error comes again, after what was read
		}
	}
	req.Body = &again{Reader: io.MultiReader(bytes.NewReader(scratch[:n]), req.Body),
		Closer: req.Body}
	return ReadJSON(c, into)
}

// again is a body of which a part was read already.
type again struct {
	io.Reader
	io.Closer
}

func isJSON(contentType string) bool {
	if contentType == echo.MIMEApplicationJSON {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == echo.MIMEApplicationJSON
}

// maxNamed is how much of a foreign field's name a refusal repeats.
const maxNamed = 64

func refuseJSON(err error) error {
	var tooLarge *http.MaxBytesError
	var refusal *models.Refusal
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &tooLarge), errors.As(err, &refusal),
		errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &wrongType):
		return models.Invalid("malformed_body", wrongType.Field)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		if len(name) > maxNamed {
			name = strings.ToValidUTF8(name[:maxNamed], "") + "…"
		}
		r := models.Invalid("unknown_field", name)
		r.Subject = name
		return r
	}
	return models.Invalid("malformed_body", "")
}
