package adminapi

import (
	"encoding/json"
	"net/http"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/identity"
	"connecthub/models"
	"connecthub/scheduler/window"

	"github.com/labstack/echo/v4"
)

// signInCookie binds a question for the second factor to the browser that was asked.
const signInCookie = "__Host-connecthub-sign-in"

// SignIn handles POST /session.
func (a *API) SignIn(c echo.Context) error {
	body, err := read[gen.SignIn](c)
	if err != nil {
		return err
	}
	in, err := a.o.Identity.SignIn(c.Request().Context(), handlers.Caller(c), body.Email,
		body.Password)
	return a.signedIn(c, in, err)
}

// FinishSignIn handles POST /session/second-factor.
func (a *API) FinishSignIn(c echo.Context) error {
	body, err := read[gen.SecondFactor](c)
	if err != nil {
		return err
	}
	factor, err := factorOf(body)
	if err != nil {
		return err
	}
	browser := ""
	if cookie, err := c.Cookie(signInCookie); err == nil {
		browser = cookie.Value
	}
	in, err := a.o.Identity.FinishSignIn(c.Request().Context(), handlers.Caller(c), browser, factor)
	return a.signedIn(c, in, err)
}

// signedIn gives the browser its session, or the question for the second factor.
func (a *API) signedIn(c echo.Context, in identity.SignedIn, err error) error {
	if err != nil {
		return err
	}
	if in.Question != nil {
		c.SetCookie(ownCookie(signInCookie, in.Question.Browser))
		return answer(c, http.StatusAccepted, *in.Question, nil, questionOf)
	}
	c.SetCookie(sessionCookie(in.Token))
	if _, err := c.Cookie(signInCookie); err == nil {
		c.SetCookie(ownCookie(signInCookie, ""))
	}
	return answer(c, http.StatusOK, in.Current, nil, a.session)
}

func factorOf(b gen.SecondFactor) (identity.Answer, error) {
	factor := identity.Answer{Question: b.ChallengeId, Recovery: orEmpty(b.RecoveryCode)}
	if (b.Credential == nil) == (factor.Recovery == "") {
		return factor, &models.Refusal{Kind: models.KindInvalid, Code: "malformed_body"}
	}
	if b.Credential != nil {
		var err error
		if factor.Credential, err = json.Marshal(b.Credential); err != nil {
			return factor, &models.Refusal{Kind: models.KindInvalid, Code: "malformed_body"}
		}
	}
	return factor, nil
}

func questionOf(q identity.Question) gen.SecondFactorChallenge {
	challenge := gen.SecondFactorChallenge{ChallengeId: q.ID, ExpiresAt: q.ExpiresAt.UTC(),
		RecoveryCodes: q.RecoveryCodes}
	challenge.Passkey = jsonObject(q.Passkey)
	return challenge
}

// jsonObject is JSON that the hub wrote itself; empty where there is none.
func jsonObject(text []byte) map[string]any {
	object := map[string]any{}
	if err := json.Unmarshal(text, &object); err != nil {
		return map[string]any{}
	}
	return object
}

// StepUp handles POST /session/step-up.
func (a *API) StepUp(c echo.Context) error {
	body, err := read[gen.StepUp](c)
	if err != nil {
		return err
	}
	confirmed, err := a.o.Identity.StepUp(c.Request().Context(), handlers.Actor(c), body.Password)
	if err == nil && confirmed.Question != nil {
		return answer(c, http.StatusAccepted, *confirmed.Question, nil, questionOf)
	}
	return answer(c, http.StatusOK, confirmed.Current, err, a.session)
}

// FinishStepUp handles POST /session/step-up/second-factor.
func (a *API) FinishStepUp(c echo.Context) error {
	body, err := read[gen.SecondFactor](c)
	if err != nil {
		return err
	}
	factor, err := factorOf(body)
	if err != nil {
		return err
	}
	current, err := a.o.Identity.FinishStepUp(c.Request().Context(), handlers.Actor(c), factor)
	return answer(c, http.StatusOK, current, err, a.session)
}

// GetSession handles GET /session.
func (a *API) GetSession(c echo.Context) error {
	return answer(c, http.StatusOK, entryOf(c).Current, nil, a.session)
}

// SignOut handles DELETE /session.
func (a *API) SignOut(c echo.Context) error {
	if err := a.o.Identity.SignOut(c.Request().Context(), handlers.Actor(c)); err != nil {
		return err
	}
	c.SetCookie(sessionCookie(""))
	return c.NoContent(http.StatusNoContent)
}

// ListZones handles GET /zones.
func (a *API) ListZones(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderCacheControl, "private, max-age=3600")
	return c.JSON(http.StatusOK, gen.ZoneList{Items: window.ZoneNames()})
}

func (a *API) session(s identity.Current) gen.Session {
	session := gen.Session{
		Permissions: permissions(s), ConfirmedUntil: s.ConfirmedUntil.UTC(),
		SecondFactorMissing: s.SecondFactorMissing,
		User:                userOf(s.User),
		Organization: gen.Organization{Id: string(s.Organization.ID), Name: s.Organization.Name,
			Zone:     s.Organization.Zone,
			Language: gen.OrganizationLanguage(s.Organization.Language)},
		ExpiresAt: s.ExpiresAt.UTC(),
		Hub: gen.Hub{Version: a.o.Version, ZoneDataVersion: window.ZoneDataVersion(),
			Now: a.o.Now().UTC()},
	}
	if s.Method != "" {
		method := gen.SessionMethod(s.Method)
		session.Method = &method
	}
	return session
}

func userOf(u models.User) gen.User {
	return gen.User{Id: string(u.ID), Email: u.Email, Name: u.Name, Role: gen.Role(u.Role)}
}
