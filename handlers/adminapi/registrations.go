package adminapi

import (
	"net/http"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/fleet"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// ListRegistrations handles GET /registrations.
func (a *API) ListRegistrations(c echo.Context) error {
	items, err := a.o.Fleet.Registrations(c.Request().Context(), handlers.Actor(c))
	return answer(c, http.StatusOK, items, err, func(v []fleet.RegistrationView) gen.RegistrationList {
		return gen.RegistrationList{Items: each(v, registrationOf)}
	})
}

// CreateRegistration handles POST /registrations.
func (a *API) CreateRegistration(c echo.Context) error {
	body, err := read[gen.NewRegistration](c)
	if err != nil {
		return err
	}
	v, err := a.o.Fleet.CreateRegistration(c.Request().Context(), handlers.Actor(c),
		body.DisplayName, body.Fqdn)
	return answer(c, http.StatusCreated, v, err, registrationOf)
}

// GetRegistration handles GET /registrations/:registrationId.
func (a *API) GetRegistration(c echo.Context, id gen.RegistrationId) error {
	v, err := a.o.Fleet.Registration(c.Request().Context(), handlers.Actor(c),
		models.RegistrationID(id))
	return answer(c, http.StatusOK, v, err, registrationOf)
}

// DismissRegistration handles DELETE /registrations/:registrationId.
func (a *API) DismissRegistration(c echo.Context, id gen.RegistrationId) error {
	err := a.o.Fleet.DismissRegistration(c.Request().Context(), handlers.Actor(c),
		models.RegistrationID(id))
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// CompleteRegistration handles POST /registrations/complete.
func (a *API) CompleteRegistration(c echo.Context) error {
	body, err := read[gen.ReturnCode](c)
	if err != nil {
		return err
	}
	v, err := a.o.Fleet.CompleteRegistration(c.Request().Context(), handlers.Actor(c),
		fleet.Return{Code: body.Code, ComparisonCode: given(body.ComparisonCode)})
	return answer(c, http.StatusOK, v, err, registrationOf)
}
