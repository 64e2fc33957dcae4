// Package nodeapi is /api/node/v1: it turns the requests of nodes into calls of the fleet. It
// decides nothing.
package nodeapi

import (
	"errors"
	"net/http"
	"sync"

	"github.com/labstack/echo/v4"

	"connecthub/handlers"
	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/wire"
)

// usualSize is more than the usual poll has bytes, and than its answer has.
const usualSize = 1024

type api struct {
	fleet *fleet.Fleet
	// scratch are *[usualSize]byte, each for one poll at a time.
	scratch *sync.Pool
}

// Register adds the routes of the node API.
func Register(e *echo.Echo, f *fleet.Fleet) {
	a := api{fleet: f, scratch: &sync.Pool{New: func() any { return new([usualSize]byte) }}}
	nonced := handlers.Nonced(f.Nonce)
	post := func(path string, h echo.HandlerFunc) { e.POST(path, h, nonced) }
	post(wire.PathInspect, a.inspect)
	post(wire.PathClaim, a.claim)
	post(wire.PathDeny, a.deny)
	post(wire.PathStatus, a.status)
	post(wire.PathHeadless, a.startHeadless)
	post(wire.PathHeadlessPoll, a.pollHeadless)
	post(wire.PathHeadlessAnswer, a.answerHeadless)
	post(wire.PathTickets, a.tickets)
	post(wire.PathJoin, a.join)
	post(wire.PathToken, a.token)
	post(wire.PathKeys, a.keys)
	post(wire.PathChain, a.chain)
	post(wire.PathPoll, a.poll)
	post(wire.PathPermits+":id/confirm", a.confirm)
	post(wire.PathLocal, a.local)
	post(wire.PathCloudView, a.cloudView)
}

func (a api) inspect(c echo.Context) error {
	var r wire.InspectRequest
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	answer, err := a.fleet.Inspect(c.Request().Context(), handlers.Actor(c), r)
	return reply(c, answer, err)
}

func (a api) claim(c echo.Context) error {
	var r wire.ClaimRequest
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	answer, err := a.fleet.Claim(c.Request().Context(), handlers.Actor(c), r)
	return reply(c, answer, err)
}

func (a api) deny(c echo.Context) error {
	var r wire.DenyRequest
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	if err := a.fleet.Deny(c.Request().Context(), handlers.Actor(c), r); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (a api) status(c echo.Context) error {
	var r wire.StatusRequest
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	answer, err := a.fleet.Status(c.Request().Context(), r)
	return reply(c, answer, err)
}

func (a api) tickets(c echo.Context) error {
	node, err := a.node(c)
	if err != nil {
		return err
	}
	var r wire.TicketsRequest
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	answer, err := a.fleet.JoinTickets(c.Request().Context(), handlers.Actor(c), node, r)
	return reply(c, answer, err)
}

func (a api) join(c echo.Context) error {
	var r wire.JoinRequest
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	answer, err := a.fleet.Join(c.Request().Context(), handlers.Actor(c), r)
	return reply(c, answer, err)
}

func (a api) token(c echo.Context) error {
	var r wire.TokenRequest
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	answer, err := a.fleet.Token(c.Request().Context(), r)
	return reply(c, answer, refused(c, err))
}

func (a api) keys(c echo.Context) error {
	var r wire.RotateRequest
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	answer, err := a.fleet.RotateKey(c.Request().Context(), handlers.Actor(c), r)
	return reply(c, answer, refused(c, err))
}

// chain takes over the key of a node that a restored hub knows an older one of (R34).
func (a api) chain(c echo.Context) error {
	var r wire.ChainRequest
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	answer, err := a.fleet.ShowChain(c.Request().Context(), handlers.Actor(c), r)
	return reply(c, answer, refused(c, err))
}

func (a api) poll(c echo.Context) error {
	node, err := a.node(c)
	if err != nil {
		return err
	}
	scratch, _ := a.scratch.Get().(*[usualSize]byte)
	defer a.scratch.Put(scratch)
	var r wire.PollRequest
	err = handlers.ReadUsual(c, &r, scratch[:], func(body []byte) bool {
		return wire.ReadUsualPoll(body, &r)
	})
	if err != nil {
		return err
	}
	answer, err := a.fleet.Poll(c.Request().Context(), node, r)
	if err != nil {
		return err
	}
	body, err := wire.AppendPollResponse(scratch[:0], answer)
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.JSONBlob(http.StatusOK, body)
}

func (a api) confirm(c echo.Context) error {
	node, err := a.node(c)
	if err != nil {
		return err
	}
	var r wire.ConfirmRequest
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	permit := models.PermitID(c.Param("id"))
	answer, err := a.fleet.Confirm(c.Request().Context(), node, permit, r)
	return reply(c, answer, err)
}

// local offers a permit for work by hand (R33).
func (a api) local(c echo.Context) error {
	node, err := a.node(c)
	if err != nil {
		return err
	}
	var r wire.LocalRequest
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	answer, err := a.fleet.Local(c.Request().Context(), node, r)
	return reply(c, answer, err)
}

// cloudView keeps or deletes what a cluster shows in the console.
func (a api) cloudView(c echo.Context) error {
	node, err := a.node(c)
	if err != nil {
		return err
	}
	var r wire.CloudViewRequest
	if err := handlers.ReadJSON(c, &r); err != nil {
		return err
	}
	answer, err := a.fleet.CloudView(c.Request().Context(), node, r)
	return reply(c, answer, err)
}

// node says who sends the request.
func (a api) node(c echo.Context) (fleet.NodeIdentity, error) {
	n, err := a.fleet.Authenticate(c.Request().Context(), handlers.Credentials(c))
	return n, refused(c, err)
}

// refused puts into the headers what a node needs to do better: the scheme, and the nonce where the
// refusal asks this node alone.
func refused(c echo.Context, err error) error {
	var asks *fleet.Challenge
	if errors.As(err, &asks) {
		handlers.SetNonce(c, asks.Nonce)
	}
	return handlers.Challenged(c, err)
}

// reply sends an answer of the fleet; every one of them holds for one node and one moment.
func reply(c echo.Context, answer any, err error) error {
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return c.JSON(http.StatusOK, answer)
}
