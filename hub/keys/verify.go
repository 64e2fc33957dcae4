package keys

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/models/wire"
)

// ErrToken is matched by every refusal of a token.
var ErrToken = errors.New("the token is not valid")

// Want is what a token must be. Issuer and Audience are checked where they are given; an expiry is
// demanded unless NoExpiry.
type Want struct {
	Type     string
	Issuer   string
	Audience string
	Now      time.Time
	Leeway   time.Duration
	NoExpiry bool
	// Untimed leaves the token's times unjudged: something else makes it fresh.
	Untimed bool
}

// Verify checks a token against one key and fills claims. Only EdDSA counts, and only the type asked
// for.
func Verify(text string, key ed25519.PublicKey, want Want, claims jwt.Claims) error {
	_, err := jwt.ParseWithClaims(text, claims, func(t *jwt.Token) (any, error) {
		if t.Header["typ"] != want.Type {
			return nil, fmt.Errorf("it is of type %.40q", fmt.Sprint(t.Header["typ"]))
		}
		return key, nil
	}, want.options()...)
	if err == nil {
		err = want.addressed(claims)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrToken, err)
	}
	return nil
}

// VerifyOwn checks a token that brings its own key in its header, and answers with that key.
func VerifyOwn(text string, want Want, claims jwt.Claims) (wire.JWK, error) {
	var key wire.JWK
	_, err := jwt.ParseWithClaims(text, claims, func(t *jwt.Token) (any, error) {
		if t.Header["typ"] != want.Type {
			return nil, fmt.Errorf("it is of type %.40q", fmt.Sprint(t.Header["typ"]))
		}
		raw, err := json.Marshal(t.Header["jwk"])
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &key); err != nil {
			return nil, err
		}
		return key.Public()
	}, want.options()...)
	if err == nil {
		err = want.addressed(claims)
	}
	if err != nil {
		return wire.JWK{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	return key, nil
}

// addressed checks issuer and audience where nothing else has.
func (w Want) addressed(claims jwt.Claims) error {
	if !w.Untimed {
		return nil
	}
	issuer, err := claims.GetIssuer()
	if err != nil || w.Issuer != "" && issuer != w.Issuer {
		return errors.New("it has another issuer")
	}
	audience, err := claims.GetAudience()
	if err != nil || w.Audience != "" && !slices.Contains(audience, w.Audience) {
		return errors.New("it has another audience")
	}
	return nil
}

func (w Want) options() []jwt.ParserOption {
	opts := []jwt.ParserOption{
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithTimeFunc(func() time.Time { return w.Now }),
		jwt.WithLeeway(w.Leeway), jwt.WithStrictDecoding(),
	}
	if w.Untimed {
		return append(opts, jwt.WithoutClaimsValidation())
	}
	if w.Issuer != "" {
		opts = append(opts, jwt.WithIssuer(w.Issuer))
	}
	if w.Audience != "" {
		opts = append(opts, jwt.WithAudience(w.Audience))
	}
	if !w.NoExpiry {
		opts = append(opts, jwt.WithExpirationRequired())
	}
	return opts
}
