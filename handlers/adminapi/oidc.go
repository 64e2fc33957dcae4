package adminapi

import (
	"context"
	"errors"
	"net/http"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/oidc"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// journeyCookie binds a journey to a provider to the browser that began it. It is Lax, because the
// browser comes back by a link from another site.
const journeyCookie = "__Host-connecthub-oidc"

func journeyOf(c echo.Context) string {
	cookie, err := c.Cookie(journeyCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

func setJourney(c echo.Context, value string) {
	cookie := &http.Cookie{Name: journeyCookie, Value: value, Path: "/", Secure: true,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: int(models.OIDCLoginTTL.Seconds())}
	if value == "" {
		cookie.MaxAge = -1
	}
	c.SetCookie(cookie)
}

// BeginOidc handles POST /session/oidc.
func (a *API) BeginOidc(c echo.Context) error {
	body, err := read[gen.BeginOidc](c)
	if err != nil {
		return err
	}
	begun, err := a.o.OIDC.Begin(c.Request().Context(), handlers.Caller(c),
		oidc.Beginning{Email: body.Email, ReturnTo: orEmpty(body.ReturnTo),
			Browser: journeyOf(c)})
	return a.begun(c, begun, err)
}

// StepUpOidc handles POST /session/step-up/oidc.
func (a *API) StepUpOidc(c echo.Context) error {
	var body gen.StepUpOidc
	if c.Request().ContentLength != 0 {
		var err error
		if body, err = read[gen.StepUpOidc](c); err != nil {
			return err
		}
	}
	begun, err := a.o.OIDC.BeginStepUp(c.Request().Context(), handlers.Actor(c),
		orEmpty(body.ReturnTo), journeyOf(c))
	return a.begun(c, begun, err)
}

func (a *API) begun(c echo.Context, begun oidc.Begun, err error) error {
	if err == nil {
		setJourney(c, begun.Browser)
	}
	return answer(c, http.StatusOK, begun, err, func(b oidc.Begun) gen.Location {
		return gen.Location{Location: b.Location}
	})
}

// FinishOidc handles GET /session/oidc/callback/:organizationId. Whatever happened, the browser is
// at a page of the console afterwards, and what the provider said is out of its address.
func (a *API) FinishOidc(c echo.Context, id gen.OrganizationId, p gen.FinishOidcParams) error {
	done := a.o.OIDC.Finish(c.Request().Context(), handlers.Caller(c), oidc.Return{
		Organization: models.OrganizationID(id), State: orEmpty(p.State), Code: orEmpty(p.Code),
		Error: orEmpty(p.Error), Issuer: orEmpty(p.Iss), Browser: journeyOf(c)})
	if done.Token != "" {
		c.SetCookie(sessionCookie(done.Token))
		setJourney(c, "")
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.Redirect(http.StatusSeeOther, done.Location)
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// providerOf is what an organization may know of its own provider; nil where it has none.
func (a *API) providerOf(ctx context.Context, id models.OrganizationID) (*gen.OidcProvider, error) {
	p, err := a.o.OIDC.Provider(ctx, id)
	if errors.Is(err, oidc.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &gen.OidcProvider{Issuer: p.Issuer, ClientId: p.ClientID, Required: p.Required}, nil
}
