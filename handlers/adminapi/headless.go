package adminapi

import (
	"net/http"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/fleet"

	"github.com/labstack/echo/v4"
)

// InspectHeadless handles POST /registrations/headless/inspect.
func (a *API) InspectHeadless(c echo.Context) error {
	body, err := read[gen.HeadlessCode](c)
	if err != nil {
		return err
	}
	v, err := a.o.Fleet.InspectHeadless(c.Request().Context(), handlers.Actor(c), body.Code)
	return answer(c, http.StatusOK, v, err, func(v fleet.HeadlessView) gen.HeadlessNode {
		return gen.HeadlessNode{Fqdn: string(v.FQDN), Version: string(v.Version),
			ClientVersion: v.ClientVersion, KeyFingerprint: v.Fingerprint, Address: v.Address,
			CreatedAt: v.CreatedAt.UTC(), ExpiresAt: v.ExpiresAt.UTC()}
	})
}

// ApproveHeadless handles POST /registrations/headless/approve.
func (a *API) ApproveHeadless(c echo.Context) error {
	body, err := read[gen.ApproveHeadless](c)
	if err != nil {
		return err
	}
	v, err := a.o.Fleet.ApproveHeadless(c.Request().Context(), handlers.Actor(c), body.Code,
		body.DisplayName)
	return answer(c, http.StatusOK, v, err, registrationOf)
}

// DenyHeadless handles POST /registrations/headless/deny.
func (a *API) DenyHeadless(c echo.Context) error {
	body, err := read[gen.HeadlessCode](c)
	if err != nil {
		return err
	}
	err = a.o.Fleet.DenyHeadless(c.Request().Context(), handlers.Actor(c), body.Code)
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
