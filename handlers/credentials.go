package handlers

import (
	"errors"
	"strings"

	"github.com/labstack/echo/v4"

	"connecthub/models"
	"connecthub/models/wire"
)

// The headers of RFC 9449 as net/http spells them.
const (
	headerProof = "Dpop"
	headerNonce = "Dpop-Nonce"
)

// Credentials is what a request of a node says of who sends it. A token of another scheme than DPoP
// is none, and of two proofs neither counts.
func Credentials(c echo.Context) wire.Credentials {
	r := c.Request()
	creds := wire.Credentials{Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath()}
	if scheme, token, ok := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " "); ok &&
		strings.EqualFold(scheme, wire.SchemeDPoP) {
		creds.Token = token
	}
	if proofs := r.Header[headerProof]; len(proofs) == 1 {
		creds.Proof = proofs[0]
	}
	return creds
}

// Nonced says in each answer what the next proof must bear. The value of nonce is shared by answers
// and never changed.
func Nonced(nonce func() []string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Response().Header()[headerNonce] = nonce()
			return next(c)
		}
	}
}

// SetNonce says another one, for this caller alone.
func SetNonce(c echo.Context, nonce string) { c.Response().Header().Set(headerNonce, nonce) }

// Challenged says with the refusal of a credential which scheme counts here (RFC 9449).
func Challenged(c echo.Context, err error) error {
	var r *models.Refusal
	if errors.As(err, &r) && r.Kind == models.KindUnauthorized {
		c.Response().Header().Set(echo.HeaderWWWAuthenticate,
			wire.SchemeDPoP+` algs="EdDSA", error="`+string(r.Code)+`"`)
	}
	return err
}
