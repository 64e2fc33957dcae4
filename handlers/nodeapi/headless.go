package nodeapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"connecthub/handlers"
	"connecthub/models/wire"
)

func (a api) startHeadless(c echo.Context) error {
	var r wire.HeadlessRequest
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	answer, err := a.fleet.StartHeadless(c.Request().Context(), handlers.Actor(c), r)
	return reply(c, answer, err)
}

func (a api) pollHeadless(c echo.Context) error {
	var r wire.HeadlessPollRequest
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	answer, err := a.fleet.PollHeadless(c.Request().Context(), r)
	return reply(c, answer, err)
}

func (a api) answerHeadless(c echo.Context) error {
	var r wire.HeadlessAnswer
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	if err := a.fleet.AnswerHeadless(c.Request().Context(), handlers.Actor(c), r); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
