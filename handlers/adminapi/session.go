package adminapi

import (
	"net/http"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/identity"
	"connecthub/scheduler/window"

	"github.com/labstack/echo/v4"
)

// SignIn handles POST /session.
func (a *API) SignIn(c echo.Context) error {
	body, err := read[gen.SignIn](c)
	if err != nil {
		return err
	}
	signedIn, err := a.o.Identity.SignIn(c.Request().Context(), handlers.Caller(c), body.Email,
		body.Password)
	if err != nil {
		return err
	}
	c.SetCookie(sessionCookie(signedIn.Token))
	return answer(c, http.StatusOK, signedIn.Current, nil, a.session)
}

// GetSession handles GET /session.
func (a *API) GetSession(c echo.Context) error {
	current, err := a.o.Identity.Current(c.Request().Context(), handlers.Actor(c))
	return answer(c, http.StatusOK, current, err, a.session)
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
	return gen.Session{
		Permissions:    permissions(s.User.Role),
		ConfirmedUntil: s.ExpiresAt.UTC(),
		User: gen.User{Id: string(s.User.ID), Email: s.User.Email, Name: s.User.Name,
			Role: gen.Role(s.User.Role)},
		Organization: gen.Organization{Id: string(s.Organization.ID), Name: s.Organization.Name,
			Zone:     s.Organization.Zone,
			Language: gen.OrganizationLanguage(s.Organization.Language)},
		ExpiresAt: s.ExpiresAt.UTC(),
		Hub: gen.Hub{Version: a.o.Version, ZoneDataVersion: window.ZoneDataVersion(),
			Now: a.o.Now().UTC()},
	}
}
