package handlers

import (
	"strconv"
	"strings"

	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// What a request carries through its handlers.
const (
	keyActor   = "connecthub.actor"
	keyRefusal = "connecthub.refusal"
	keyLost    = "connecthub.lost"
)

// maxUserAgent is how much of a browser's description an audit record keeps.
const maxUserAgent = 256

// TrackingID is the id under which this request is logged.
func TrackingID(c echo.Context) string {
	return c.Response().Header().Get(HeaderTrackingID)
}

// Caller is from where a request comes, before anybody knows who it is.
func Caller(c echo.Context) models.Actor {
	agent := c.Request().UserAgent()
	if len(agent) > maxUserAgent {
		agent = agent[:maxUserAgent]
	}
	return models.Actor{
		Address: c.RealIP(), UserAgent: strings.ToValidUTF8(agent, ""),
		TrackingID: TrackingID(c), Language: Language(c),
	}
}

// SetActor says who is known to act in this request.
func SetActor(c echo.Context, a models.Actor) { c.Set(keyActor, a) }

// Actor is who acts: what SetActor said, or else the Caller.
func Actor(c echo.Context) models.Actor {
	if a, ok := c.Get(keyActor).(models.Actor); ok {
		return a
	}
	return Caller(c)
}

// Language is "ja" or "en", as the request prefers.
func Language(c echo.Context) string {
	best, quality := "en", 0.0
	header := c.Request().Header.Get("Accept-Language")
	for i, part := range strings.Split(header, ",") {
		if i == 16 {
			break // nobody prefers that many
		}
		tag, rest, _ := strings.Cut(strings.TrimSpace(part), ";")
		primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		if primary != "en" && primary != "ja" {
			continue
		}
		q := 1.0
		if text, ok := strings.CutPrefix(strings.TrimSpace(rest), "q="); ok {
			parsed, err := strconv.ParseFloat(text, 64)
			if err != nil {
				continue
			}
			q = parsed
		}
		if q > quality {
			best, quality = primary, q
		}
	}
	return best
}
