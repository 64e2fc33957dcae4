package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"

	"connecthub/models"
	"connecthub/models/wire"

	"github.com/labstack/echo/v4"
)

// HeaderTrackingID names the header that carries the id under which the hub logged a request, as
// net/http spells it.
const HeaderTrackingID = "Tracking-Id"

// problemPage describes every code; the code is the fragment.
const problemPage = "/api/docs#error-"

// answerProblem turns any error into its problem document. What is no refusal is answered as
// "internal" and says nothing of itself.
func answerProblem(err error, c echo.Context) {
	r := Refuse(err)
	c.Set(keyRefusal, r)
	if c.Response().Committed {
		return // the status is out already; the log has the error
	}
	status, language := Status(r), Language(c)
	header := c.Response().Header()
	header.Set(echo.HeaderCacheControl, "no-store")
	header.Set("Content-Language", language)
	header.Add(echo.HeaderVary, "Accept-Language")
	seconds := int(math.Ceil(r.RetryAfter.Seconds()))
	if seconds > 0 {
		header.Set(echo.HeaderRetryAfter, strconv.Itoa(seconds))
	}
	if c.Request().Method == http.MethodHead {
		c.Response().WriteHeader(status)
		return
	}
	body, err := json.Marshal(wire.Problem{
		Type: problemPage + string(r.Code), Title: title(r.Kind, language), Status: status,
		Code: string(r.Code), Detail: r.Sentence(language), Field: r.Field,
		RetryAfter: seconds, TrackingID: TrackingID(c), Statement: r.Statement,
	})
	if err == nil {
		err = c.Blob(status, "application/problem+json", body)
	}
	if err != nil {
		c.Set(keyLost, err) // the caller is gone; the log says so
	}
}

// Refuse finds the refusal in any error.
func Refuse(err error) *models.Refusal {
	var refusal *models.Refusal
	var tooLarge *http.MaxBytesError
	var fromEcho *echo.HTTPError
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &tooLarge):
		return &models.Refusal{Kind: models.KindTooLarge, Code: "body_too_large"}
	case errors.Is(err, context.DeadlineExceeded):
		return &models.Refusal{Kind: models.KindUnavailable, Code: "request_timeout"}
	case errors.Is(err, context.Canceled):
		return &models.Refusal{Kind: models.KindUnavailable, Code: "unavailable"}
	case errors.As(err, &fromEcho):
		return refuseStatus(fromEcho.Code)
	}
	return &models.Refusal{Kind: models.KindInternal, Code: models.CodeInternal}
}

// refuseStatus is for the errors that echo itself makes.
func refuseStatus(status int) *models.Refusal {
	switch status {
	case http.StatusBadRequest:
		return &models.Refusal{Kind: models.KindInvalid, Code: "malformed_body"}
	case http.StatusUnauthorized:
		return models.Unauthorized("signed_out")
	case http.StatusForbidden:
		return models.Forbidden()
	case http.StatusNotFound:
		return models.NotFound()
	case http.StatusMethodNotAllowed:
		return &models.Refusal{Kind: models.KindInvalid, Code: "method_not_allowed"}
	case http.StatusRequestEntityTooLarge:
		return &models.Refusal{Kind: models.KindTooLarge, Code: "body_too_large"}
	case http.StatusUnsupportedMediaType:
		return &models.Refusal{Kind: models.KindInvalid, Code: "unsupported_media"}
	case http.StatusTooManyRequests:
		return &models.Refusal{Kind: models.KindTooMany, Code: "too_many_attempts"}
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return &models.Refusal{Kind: models.KindUnavailable, Code: "request_timeout"}
	case http.StatusServiceUnavailable:
		return &models.Refusal{Kind: models.KindUnavailable, Code: "unavailable"}
	}
	return &models.Refusal{Kind: models.KindInternal, Code: models.CodeInternal}
}

// Status is the one place where a refusal becomes an HTTP status.
func Status(r *models.Refusal) int {
	if r.Code == "method_not_allowed" {
		return http.StatusMethodNotAllowed
	}
	if r.Code == "unsupported_media" {
		return http.StatusUnsupportedMediaType
	}
	switch r.Kind {
	case models.KindInvalid:
		return http.StatusBadRequest
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
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}

// title is the short word above a problem's sentence.
func title(kind models.RefusalKind, language string) string {
	en, ja := titleTexts(kind)
	if language == "ja" {
		return ja
	}
	return en
}

func titleTexts(kind models.RefusalKind) (en, ja string) {
	switch kind {
	case models.KindInvalid:
		return "Not accepted", "受け付けられません"
	case models.KindUnauthorized:
		return "Not signed in", "サインインが必要です"
	case models.KindForbidden:
		return "Not allowed", "許可されていません"
	case models.KindNotFound:
		return "Not found", "見つかりません"
	case models.KindConflict:
		return "Not possible now", "現在は実行できません"
	case models.KindGone:
		return "No longer valid", "無効になりました"
	case models.KindTooLarge:
		return "Too large", "サイズが大きすぎます"
	case models.KindTooMany:
		return "Too many requests", "要求が多すぎます"
	case models.KindUnavailable:
		return "Not available", "利用できません"
	case models.KindInternal:
		return "Internal error", "内部エラー"
	}
	return "Internal error", "内部エラー"
}
