package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"connecthub/models"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// observe gives each request its tracking id, turns its error or panic into a problem document,
// and counts and logs it, once. Bodies, queries, cookies and tokens are never logged.
func observe(o Options) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			began := o.Now()
			c.Response().Header().Set(HeaderTrackingID, trackingID())
			err := recovered(next, c)
			if err != nil {
				c.Error(err)
			}
			took := o.Now().Sub(began)
			if o.Metrics != nil {
				o.Metrics.observe(c, took)
			}
			logRequest(o, c, err, took)
			return nil
		}
	}
}

func trackingID() string {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.NewString() // no clock in it, but as unique
	}
	return id.String()
}

// panicked is what a handler died of, with the place where it did.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("handler panicked: %v", p.value) }

func recovered(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		if cause, ok := value.(error); ok && errors.Is(cause, http.ErrAbortHandler) {
			panic(value) // net/http's own way to drop a connection
		}
		err = &panicked{value, debug.Stack()}
	}()
	return next(c)
}

func logRequest(o Options, c echo.Context, err error, took time.Duration) {
	status := c.Response().Status
	level := slog.LevelInfo
	switch {
	case status >= http.StatusInternalServerError && status != http.StatusServiceUnavailable:
		level = slog.LevelError
	case status == http.StatusServiceUnavailable && !errors.Is(err, context.Canceled):
		level = slog.LevelWarn
	case status < http.StatusBadRequest && beginsWithAny(c.Path(), o.Quiet):
		level = slog.LevelDebug
	}
	ctx := c.Request().Context()
	if !o.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("tracking_id", TrackingID(c)), slog.String("method", c.Request().Method),
		slog.String("route", c.Path()), slog.Int("status", status),
		slog.Duration("took", took), slog.String("address", c.RealIP()),
	}
	if a := Actor(c); a.Name != "" {
		attrs = append(attrs, slog.String("actor", a.Name),
			slog.String("organization", string(a.Organization)))
	}
	if r, ok := c.Get(keyRefusal).(*models.Refusal); ok {
		attrs = append(attrs, slog.String("code", string(r.Code)))
		if r.Code == models.CodeInternal || r.Kind == models.KindUnavailable {
			attrs = append(attrs, slog.Any("error", err))
		}
	}
	var p *panicked
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	if lost, ok := c.Get(keyLost).(error); ok {
		attrs = append(attrs, slog.Any("answer_lost", lost))
	}
	o.Log.LogAttrs(ctx, level, "request", attrs...)
}
