package localweb

import (
	"errors"
	"mime"
	"net/http"
	"strings"

	"connecthub/models"
	"connecthub/models/compat"
	"connecthub/nodeclient/control/vosapi"
)

// forPrograms says which paths no page of a browser asks for.
func forPrograms(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/inventory/") }

// admittedProgram refuses what a page of some site could make a browser send with the application user's
// name and password, which it keeps: a request that changes something is JSON and has no origin.
func admittedProgram(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, vosapi.MaxOnboard+1)
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	site := r.Header.Get("Sec-Fetch-Site")
	if err == nil && kind == "application/json" && r.Header.Get("Origin") == "" && (site == "" || site == "none") {
		return true
	}
	problem(w, r, &models.Refusal{Kind: models.KindForbidden, Code: "programs_only"})
	return false
}

// onboardBegin answers GET /inventory/onboard.
func (s *Server) onboardBegin(w http.ResponseWriter, r *http.Request, _ string) {
	begin, err := s.o.Onboarding.Begin()
	if err != nil {
		s.onboardingFailed(w, r, err)
		return
	}
	answer(w, http.StatusOK, begin)
}

// onboard answers POST and PUT: a cluster comes in, or is brought up to date.
func (s *Server) onboard(w http.ResponseWriter, r *http.Request, user string) {
	var o vosapi.Onboarding
	if !s.document(w, r, &o) {
		return
	}
	done, err := s.o.Onboarding.Add(r.Context(), o, r.Method == http.MethodPut, whoAsks(r, user))
	if err != nil {
		s.onboardingFailed(w, r, err)
		return
	}
	answer(w, http.StatusOK, done)
}

// offboard answers DELETE.
func (s *Server) offboard(w http.ResponseWriter, r *http.Request, user string) {
	var gone vosapi.Removal
	if !s.document(w, r, &gone) {
		return
	}
	done, err := s.o.Onboarding.Remove(r.Context(), gone, whoAsks(r, user))
	if err != nil {
		s.onboardingFailed(w, r, err)
		return
	}
	answer(w, http.StatusOK, done)
}

func whoAsks(r *http.Request, user string) string {
	host, _, _ := strings.Cut(r.RemoteAddr, "%")
	return user + " from " + host
}

func (s *Server) document(w http.ResponseWriter, r *http.Request, v any) bool {
	err := vosapi.ReadDocument(r.Body, v, true)
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return true
	case errors.As(err, &large):
		problem(w, r, &models.Refusal{Kind: models.KindTooLarge, Code: "onboarding_malformed"})
	default:
		problem(w, r, &models.Refusal{Kind: models.KindInvalid, Code: "onboarding_malformed"})
	}
	return false
}

// onboardingFailed says everything that a machine lacks at once; what is this node's own business goes to
// its log.
func (s *Server) onboardingFailed(w http.ResponseWriter, r *http.Request, err error) {
	var unmet compat.Refusals
	var refusal *models.Refusal
	switch {
	case errors.As(err, &unmet):
		problemWith(w, r, &models.Refusal{Kind: models.KindConflict, Code: "requirements_unmet"},
			unmet.Sentence(language(r)))
		return
	case !errors.As(err, &refusal):
		s.o.Log.ErrorContext(r.Context(), "cannot onboard", "error", err)
	}
	problem(w, r, err)
}
