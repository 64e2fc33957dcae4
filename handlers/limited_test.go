package handlers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connecthub/handlers"

	"github.com/labstack/echo/v4"
)

// within runs the handler in a request that may take a second of the bubble's time.
func within(t *testing.T, handle echo.HandlerFunc) {
	t.Helper()
	e := handlers.New(handlers.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Deadline: time.Second})
	e.POST("/", handle)
	e.ServeHTTP(httptest.NewRecorder(),
		httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil))
}

func TestR31TheDeadlineCountsFromTheRequestAlsoWhereNobodyAskedForItBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		within(t, func(c echo.Context) error {
			time.Sleep(900 * time.Millisecond)
			began, ctx := time.Now(), c.Request().Context()
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			<-child.Done()
			if took := time.Since(began); took != 100*time.Millisecond {
				t.Errorf("ended after %v", took)
			}
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Error(ctx.Err())
			}
			return nil
		})
	})
}

func TestAContextEndsWithItsRequestWhetherAnybodyHasWaitedOrNot(t *testing.T) {
	for _, waited := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var kept context.Context
			within(t, func(c echo.Context) error {
				kept = c.Request().Context()
				if waited && kept.Err() != nil {
					t.Error("ended before its request")
				}
				return nil
			})
			if !errors.Is(kept.Err(), context.Canceled) {
				t.Errorf("waited %v: after the request it says %v", waited, kept.Err())
			}
			<-kept.Done()
		})
	}
}

func TestABodyIsReadTheSameWithAndWithoutAShortCut(t *testing.T) {
	t.Parallel()
	type form struct {
		A string `json:"a"`
	}
	const usual = `{"a":"usual"}`
	short, tried := 0, 0
	url, _ := edge(t, handlers.Options{}, func(e *echo.Echo) {
		e.POST("/short", func(c echo.Context) error {
			var f form
			err := handlers.ReadUsual(c, &f, make([]byte, 64), func(body []byte) bool {
				if string(body) != usual {
					return false
				}
				f.A, short = "usual", short+1
				return true
			})
			if err != nil {
				return err
			}
			return c.JSON(200, f)
		})
		e.POST("/long", func(c echo.Context) error {
			var f form
			if err := handlers.ReadJSON(c, &f); err != nil {
				return err
			}
			return c.JSON(200, f)
		})
	})
	for _, kind := range []string{"application/json", "application/json; charset=utf-8", "text/plain", ""} {
		for _, body := range []string{usual, " " + usual, usual + "x", "", "{", `{"a":"b"}`, `{"b":1}`,
			`{"a":1}`, `{"a":"` + strings.Repeat("a", 57) + `"}`, `{"a":"` + strings.Repeat("a", 56) + `"}`,
			`{"a":"` + strings.Repeat("a", handlers.MaxBody-8) + `"}`,
			`{"a":"` + strings.Repeat("a", handlers.MaxBody) + `"}`} {
			for _, sized := range []bool{true, false} {
				tried++
				got, want := post(t, url+"/short", kind, body, sized), post(t, url+"/long", kind, body, sized)
				if got != want {
					t.Errorf("%q as %q: %s, want %s", body[:min(len(body), 80)], kind, got, want)
				}
			}
		}
	}
	if short != 4 || tried != 4*12*2 {
		t.Errorf("%d of %d took the short cut", short, tried)
	}
}

// post tells status and body of the answer, the tracking id left out.
func post(t *testing.T, url, kind, body string, sized bool) string {
	t.Helper()
	var from io.Reader = strings.NewReader(body)
	if !sized {
		from = io.MultiReader(from)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, from)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	delete(answer, "tracking_id")
	text, err = json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return res.Status + " " + string(text)
}
