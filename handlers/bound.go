package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// bound sets what every answer says about security, how much a request may send and how long it
// may take.
func bound(o Options) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			secure(c.Response().Header(), o.HTTPS)
			req := c.Request()
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
			ctx, cancel := context.WithTimeout(req.Context(), o.Deadline)
			defer cancel()
			c.SetRequest(req.WithContext(ctx))
			return next(c)
		}
	}
}

// secure allocates once for all of them: every answer bears them. The names are in the form that
// http.Header itself gives them.
func secure(h http.Header, https bool) {
	values := &[...]string{"nosniff", "DENY", "no-referrer", "same-origin", "same-origin",
		"default-src 'none'; frame-ancestors 'none'", "max-age=31536000"}
	h["X-Content-Type-Options"] = values[0:1:1]
	h["X-Frame-Options"] = values[1:2:2]
	h["Referrer-Policy"] = values[2:3:3]
	h["Cross-Origin-Opener-Policy"] = values[3:4:4]
	h["Cross-Origin-Resource-Policy"] = values[4:5:5]
	h["Content-Security-Policy"] = values[5:6:6]
	if https {
		h["Strict-Transport-Security"] = values[6:7:7]
	}
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
