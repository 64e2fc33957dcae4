package adminapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"connecthub/handlers"
	"connecthub/hub/fleet"

	"github.com/labstack/echo/v4"
)

// StreamEvents handles GET /events. The stream ends when its session does.
func (a *API) StreamEvents(c echo.Context) error {
	ctx, actor := c.Request().Context(), handlers.Actor(c)
	events, cancel := a.o.Fleet.Subscribe(actor.Organization)
	defer cancel()
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "text/event-stream")
	h.Set(echo.HeaderCacheControl, "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy must not hold events back
	c.Response().WriteHeader(http.StatusOK)
	if err := send(c, ": connected\n\n"); err != nil {
		return nil
	}
	beat := time.NewTicker(a.o.Heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.o.Closing:
			return nil
		case <-beat.C:
			if !a.stillSignedIn(ctx, actor.SessionHash) || send(c, ": alive\n\n") != nil {
				return nil
			}
		case event, open := <-events:
			if !open || !a.stillSignedIn(ctx, actor.SessionHash) ||
				send(c, eventText(event)) != nil {
				return nil
			}
		}
	}
}

// stillSignedIn does not count as a use of the session: an idle page must not keep it alive.
func (a *API) stillSignedIn(ctx context.Context, session string) bool {
	ctx, cancel := context.WithTimeout(ctx, handlers.DefaultDeadline)
	defer cancel()
	return a.o.Identity.Alive(ctx, session) == nil
}

func eventText(e fleet.Event) string {
	data, err := json.Marshal(e)
	if err != nil {
		return ": \n\n" // two ids always can be written
	}
	return fmt.Sprintf("event: changed\ndata: %s\n\n", data)
}

func send(c echo.Context, text string) error {
	if _, err := c.Response().Write([]byte(text)); err != nil {
		return err
	}
	return http.NewResponseController(c.Response()).Flush()
}
