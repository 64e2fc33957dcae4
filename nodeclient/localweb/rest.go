package localweb

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"connecthub/models"
	"connecthub/models/wire"
)

const (
	// realm is what a browser's own question for the application user names.
	realm     = `Basic realm="Cloud Connect", charset="UTF-8"`
	errorPage = "/api/docs#error-"
	waitAgain = 10 * time.Second
)

// application lets the application user through, by HTTP Basic, as a program or a browser sends it.
// Wrong passwords count together with those of the page's own form.
func (s *Server) application(next func(w http.ResponseWriter, r *http.Request, user string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, password, given := r.BasicAuth()
		if !given {
			s.unauthorized(w, r, "application_user_required")
			return
		}
		ok, looked := s.attempts.check(r.Context(), r, func() bool {
			return s.o.CheckPassword(user, password)
		})
		switch {
		case !looked:
			problem(w, r, &models.Refusal{Kind: models.KindTooMany, Code: "too_many_attempts",
				RetryAfter: waitAgain})
		case !ok:
			s.o.Log.Warn("sign-in refused on the node's API", "remote", r.RemoteAddr)
			s.unauthorized(w, r, "wrong_application_user")
		default:
			next(w, r, user)
		}
	}
}

func (s *Server) unauthorized(w http.ResponseWriter, r *http.Request, code models.Code) {
	w.Header().Set("WWW-Authenticate", realm)
	problem(w, r, &models.Refusal{Kind: models.KindUnauthorized, Code: code})
}

// controlKey answers GET /inventory/controlnode/key: this node's own public SSH key.
func (s *Server) controlKey(w http.ResponseWriter, r *http.Request, user string) {
	key, err := s.o.ControlKey()
	if err != nil {
		s.o.Log.ErrorContext(r.Context(), "cannot show the control node's key", "error", err)
		problem(w, r, err)
		return
	}
	s.o.Log.Info("the control node's key was shown", "remote", r.RemoteAddr, "user", user)
	answer(w, http.StatusOK, key)
}

// answer writes one JSON document.
func answer(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		status, text = http.StatusInternalServerError, nil
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// problem answers a refusal as its document (RFC 9457); any other error says nothing of itself.
func problem(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *models.Refusal
	if !errors.As(err, &refusal) {
		refusal = &models.Refusal{Kind: models.KindInternal, Code: "node_failed"}
	}
	problemWith(w, r, refusal, refusal.Sentence(language(r)))
}

// problemWith is problem with a text that says more than the refusal's own sentence.
func problemWith(w http.ResponseWriter, r *http.Request, refusal *models.Refusal, detail string) {
	status, lang := statusOf(refusal.Kind), language(r)
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Language", lang)
	seconds := int(math.Ceil(refusal.RetryAfter.Seconds()))
	if seconds > 0 {
		h.Set("Retry-After", strconv.Itoa(seconds))
	}
	answer(w, status, wire.Problem{Type: errorPage + string(refusal.Code),
		Title: http.StatusText(status), Status: status, Code: string(refusal.Code),
		Detail: detail, Field: refusal.Field, RetryAfter: seconds})
}

func statusOf(kind models.RefusalKind) int {
	switch kind {
	case models.KindInvalid:
		return http.StatusUnprocessableEntity
	case models.KindUnauthorized:
		return http.StatusUnauthorized
	case models.KindForbidden:
		return http.StatusForbidden
	case models.KindNotFound:
		return http.StatusNotFound
	case models.KindConflict:
		return http.StatusConflict
	case models.KindGone:
		return http.StatusGone
	case models.KindTooLarge:
		return http.StatusRequestEntityTooLarge
	case models.KindTooMany:
		return http.StatusTooManyRequests
	case models.KindUnavailable:
		return http.StatusServiceUnavailable
	case models.KindInternal:
	}
	return http.StatusInternalServerError
}
