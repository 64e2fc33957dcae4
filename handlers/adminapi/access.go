package adminapi

import (
	"net/http"
	"slices"

	"connecthub/handlers"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// Who may call an operation. Anyone needs no session; Everyone needs one, of any role.
type Who struct {
	Anyone   bool
	Everyone bool
	Roles    []models.Role
}

// Access is the one table of who may do what, by operationId. What is not in it has no guard, so
// that a test compares it with the OpenAPI document.
func Access() map[string]Who {
	anyone, everyone := Who{Anyone: true}, Who{Everyone: true}
	admins := Who{Roles: []models.Role{models.FullAdmin, models.ReadOnlyAdmin}}
	full := Who{Roles: []models.Role{models.FullAdmin}}
	vendor := Who{Roles: []models.Role{models.ReleaseEngineer}}
	return map[string]Who{
		"signIn":       anyone,
		"getSession":   everyone,
		"signOut":      everyone,
		"listZones":    everyone,
		"streamEvents": everyone,

		"listRegistrations":    admins,
		"getRegistration":      admins,
		"createRegistration":   full,
		"dismissRegistration":  full,
		"completeRegistration": full,

		"listClusters":     admins,
		"getCluster":       admins,
		"listHistory":      admins,
		"previewSchedules": admins,
		"saveSchedules":    full,
		"postpone":         full,
		"undoPostponement": full,
		"upgradeNow":       full,
		"retryRollout":     full,
		"deregister":       full,
		"overridePermit":   full,

		"enterMaintenance": full,
		"leaveMaintenance": full,
		"removeNode":       full,
		"replaceNode":      full,
		"admitNode":        full,
		"adoptVersion":     full,
		"upgradeDespite":   full,

		"listReleases":    vendor,
		"setReleaseState": vendor,
	}
}

// May says whether a signed-in person of the role is among them.
func (w Who) May(role models.Role) bool {
	return w.Anyone || w.Everyone || slices.Contains(w.Roles, role)
}

// guard lets a request through when it comes from our own pages, or from no page at all, and from
// somebody who may.
func (a *API) guard(who Who) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if a.origin.Check(c.Request()) != nil {
				return &models.Refusal{Kind: models.KindForbidden, Code: "foreign_origin"}
			}
			if who.Anyone {
				return next(c)
			}
			actor, err := a.o.Identity.Authenticate(c.Request().Context(), sessionToken(c),
				handlers.Caller(c))
			if err != nil {
				return err
			}
			handlers.SetActor(c, actor)
			if !who.May(actor.Role) {
				return models.Forbidden()
			}
			return next(c)
		}
	}
}

// cookieName begins with __Host-, so that browsers take it from this very host and by a secure
// channel only.
const cookieName = "__Host-connecthub"

func sessionToken(c echo.Context) string {
	cookie, err := c.Cookie(cookieName)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// sessionCookie lasts as long as the browser; the hub itself ends the session.
func sessionCookie(token string) *http.Cookie {
	cookie := &http.Cookie{Name: cookieName, Value: token, Path: "/", Secure: true,
		HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if token == "" {
		cookie.MaxAge = -1
	}
	return cookie
}
