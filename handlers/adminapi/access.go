package adminapi

import (
	"net/http"
	"slices"
	"strings"

	"connecthub/handlers"
	"connecthub/hub/identity"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// Who may call an operation. Anyone needs no session; Everyone needs one, of any role. What asks
// to StepUp passes only in a session that was confirmed within the last minutes. A personal API
// token passes where it has the Scope; without one, or with StepUp, the operation is for sessions
// alone.
type Who struct {
	Anyone   bool
	Everyone bool
	Roles    []models.Role
	StepUp   bool
	Scope    models.Scope
	// Bare passes without the second factor that the organization demands: what is needed to add
	// one.
	Bare bool
}

// Access is the one table of who may do what, by operationId. What is not in it has no guard, so
// that a test compares it with the OpenAPI document.
func Access() map[string]Who {
	anyone, everyone := Who{Anyone: true}, Who{Everyone: true}
	bare := Who{Everyone: true, Bare: true}
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
		"getSession":        {Everyone: true, Bare: true, Scope: models.ScopeClustersRead},
		"signOut":           bare,
		"stepUp":            bare,
		"finishStepUp":      bare,
		"stepUpOidc":        bare,
		"listZones":         {Everyone: true, Scope: models.ScopeClustersRead},
		"streamEvents":      everyone,

		"getAccount":         bare,
		"changePassword":     bare,
		"beginPasskey":       {Everyone: true, Bare: true, StepUp: true},
		"finishPasskey":      {Everyone: true, Bare: true, StepUp: true},
		"removePasskey":      confirmed,
		"renewRecoveryCodes": confirmed,
		"listSessions":       bare,
		"endSession":         bare,
		"listTokens":         everyone,
		"createToken":        confirmed,
		"revokeToken":        everyone,

		"getDownloads":               everyone,
		"acceptEula":                 everyone,
		"generateDownloadCredential": confirmed,
		"revokeDownloadCredential":   everyone,

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
		"getCloudView":     reads,
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

// permissions are the operations that somebody may use, in alphabetical order: a person by the
// role, a token by its scopes as well.
func permissions(c identity.Current) []string {
	var all []string
	for operation, who := range Access() {
		if who.May(c.User.Role) && (c.Token == nil || who.forToken(*c.Token) == nil) {
			all = append(all, operation)
		}
	}
	slices.Sort(all)
	return all
}

// forToken refuses an operation that the token was not made for.
func (w Who) forToken(t models.APIToken) error {
	switch {
	case w.Anyone:
		return nil
	case w.Scope == "" || w.StepUp:
		return &models.Refusal{Kind: models.KindForbidden, Code: "session_only"}
	case !t.Has(w.Scope):
		return &models.Refusal{Kind: models.KindForbidden, Code: "token_scope",
			Subject: string(w.Scope)}
	}
	return nil
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
			entry, err := a.enter(c)
			if err != nil {
				return err
			}
			handlers.SetActor(c, entry.Actor)
			c.Set(keyEntry, entry)
			if err := who.admit(entry); err != nil {
				return err
			}
			return next(c)
		}
	}
}

// admit refuses who may not, in the order in which a person could do something about it.
func (w Who) admit(e identity.Entry) error {
	forbidden := func(code models.Code) error {
		return &models.Refusal{Kind: models.KindForbidden, Code: code}
	}
	if !w.May(e.Actor.Role) {
		return models.Forbidden()
	}
	if e.Current.Token != nil {
		if err := w.forToken(*e.Current.Token); err != nil {
			return err
		}
	}
	if e.Current.SecondFactorMissing && !w.Bare {
		return forbidden("second_factor_required")
	}
	if w.StepUp && !e.Confirmed {
		return forbidden("step_up_required")
	}
	return nil
}

// enter finds who calls. Who brings a token has no cookie, whatever else is in the request.
func (a *API) enter(c echo.Context) (identity.Entry, error) {
	ctx, caller := c.Request().Context(), handlers.Caller(c)
	if header := c.Request().Header.Get(echo.HeaderAuthorization); header != "" {
		scheme, secret, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "bearer") {
			secret = ""
		}
		return a.o.Identity.EnterWithToken(ctx, secret, caller)
	}
	return a.o.Identity.Enter(ctx, sessionToken(c), caller)
}

// keyEntry is where a request carries who came in.
const keyEntry = "connecthub.entry"

func entryOf(c echo.Context) identity.Entry {
	entry, _ := c.Get(keyEntry).(identity.Entry)
	return entry
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
func sessionCookie(token string) *http.Cookie { return ownCookie(cookieName, token) }

func ownCookie(name, value string) *http.Cookie {
	cookie := &http.Cookie{Name: name, Value: value, Path: "/", Secure: true,
		HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if value == "" {
		cookie.MaxAge = -1
	}
	return cookie
}
