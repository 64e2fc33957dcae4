package adminapi

import (
	"net/http"
	"slices"

	"connecthub/handlers"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// Who may call an operation. Anyone needs no session; Everyone needs one, of any role. What asks
// to StepUp passes only in a session that was confirmed within the last minutes. A personal API
// token passes where it has the Scope; without one the operation is for sessions alone.
type Who struct {
	Anyone   bool
	Everyone bool
	Roles    []models.Role
	StepUp   bool
	Scope    models.Scope
}

// Access is the one table of who may do what, by operationId. What is not in it has no guard, so
// that a test compares it with the OpenAPI document.
func Access() map[string]Who {
	anyone, everyone := Who{Anyone: true}, Who{Everyone: true}
	confirmed := Who{Everyone: true, StepUp: true}
	admins := []models.Role{models.FullAdmin, models.ReadOnlyAdmin}
	all := []models.Role{models.FullAdmin, models.ReadOnlyAdmin, models.ReleaseEngineer}
	reads := Who{Roles: admins, Scope: models.ScopeClustersRead}
	full := []models.Role{models.FullAdmin}
	changes := Who{Roles: full, Scope: models.ScopeClustersWrite}
	typed := Who{Roles: full, StepUp: true}
	vendor := []models.Role{models.ReleaseEngineer}
	audit := Who{Roles: full, Scope: models.ScopeAuditRead}
	return map[string]Who{
		"signIn":            anyone,
		"finishSignIn":      anyone,
		"beginOidc":         anyone,
		"finishOidc":        anyone,
		"inspectInvitation": anyone,
		"acceptInvitation":  anyone,
		"getSession":        {Everyone: true, Scope: models.ScopeClustersRead},
		"signOut":           everyone,
		"stepUp":            everyone,
		"finishStepUp":      everyone,
		"stepUpOidc":        everyone,
		"listZones":         {Everyone: true, Scope: models.ScopeClustersRead},
		"streamEvents":      everyone,

		"getAccount":         everyone,
		"changePassword":     everyone,
		"beginPasskey":       confirmed,
		"finishPasskey":      confirmed,
		"removePasskey":      confirmed,
		"renewRecoveryCodes": confirmed,
		"listSessions":       everyone,
		"endSession":         everyone,
		"listTokens":         everyone,
		"createToken":        confirmed,
		"revokeToken":        everyone,

		"getOrganization":    {Roles: all, Scope: models.ScopePeopleRead},
		"saveOrganization":   typed,
		"listUsers":          {Roles: all, Scope: models.ScopePeopleRead},
		"setRole":            typed,
		"disableUser":        typed,
		"enableUser":         typed,
		"resetSecondFactor":  typed,
		"listInvitations":    {Roles: full},
		"invite":             typed,
		"withdrawInvitation": {Roles: full},

		"listRegistrations":    reads,
		"getRegistration":      reads,
		"createRegistration":   typed,
		"dismissRegistration":  changes,
		"completeRegistration": {Roles: full},
		"inspectHeadless":      typed,
		"approveHeadless":      typed,
		"denyHeadless":         {Roles: full},

		"listClusters":     reads,
		"getCluster":       reads,
		"listHistory":      reads,
		"previewSchedules": reads,
		"saveSchedules":    changes,
		"postpone":         changes,
		"undoPostponement": changes,
		"upgradeNow":       changes,
		"retryRollout":     changes,
		"deregister":       typed,
		"overridePermit":   typed,

		"enterMaintenance": changes,
		"leaveMaintenance": changes,
		"removeNode":       typed,
		"replaceNode":      typed,
		"admitNode":        typed,
		"adoptVersion":     changes,
		"upgradeDespite":   typed,

		"listReleases":    {Roles: vendor, Scope: models.ScopeReleasesRead},
		"setReleaseState": {Roles: vendor, Scope: models.ScopeReleasesWrite},

		"listAudit":           audit,
		"exportAudit":         audit,
		"listAuditCategories": audit,
	}
}

// May says whether a signed-in person of the role is among them.
func (w Who) May(role models.Role) bool {
	return w.Anyone || w.Everyone || slices.Contains(w.Roles, role)
}

// permissions are the operations that a role may use, in alphabetical order.
func permissions(role models.Role) []string {
	var all []string
	for operation, who := range Access() {
		if who.May(role) {
			all = append(all, operation)
		}
	}
	slices.Sort(all)
	return all
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
