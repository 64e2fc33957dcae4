package adminapi

import (
	"encoding/json"
	"net/http"
	"strings"

	"connecthub/handlers"
	"connecthub/handlers/adminapi/gen"
	"connecthub/hub/identity"
	"connecthub/models"

	"github.com/labstack/echo/v4"
)

// GetAccount handles GET /account.
func (a *API) GetAccount(c echo.Context) error {
	account, err := a.o.Identity.Account(c.Request().Context(), handlers.Actor(c))
	return answer(c, http.StatusOK, account, err, accountOf)
}

func accountOf(v identity.Account) gen.Account {
	return gen.Account{User: userOf(v.Current.User), Method: gen.AccountMethod(v.Current.Method),
		Passkeys: each(v.Passkeys, func(p models.Passkey) gen.Passkey {
			return gen.Passkey{Id: string(p.ID), Name: p.Name, CreatedAt: p.CreatedAt.UTC(),
				LastUsedAt: p.LastUsedAt}
		}),
		RecoveryCodesLeft:    v.RecoveryCodesLeft,
		SecondFactorRequired: v.Current.Organization.RequireSecondFactor,
		PasswordChangedAt:    v.Current.User.PasswordChangedAt}
}

// ChangePassword handles PUT /account/password.
func (a *API) ChangePassword(c echo.Context) error {
	body, err := read[gen.ChangePassword](c)
	if err != nil {
		return err
	}
	err = a.o.Identity.ChangePassword(c.Request().Context(), handlers.Actor(c),
		identity.PasswordChange{Current: body.Current, New: body.New,
			Revoke: body.Revoke != nil && *body.Revoke})
	return done(c, err)
}

// done answers a change that has nothing to show.
func done(c echo.Context, err error) error {
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// BeginPasskey handles POST /account/passkeys.
func (a *API) BeginPasskey(c echo.Context) error {
	begun, err := a.o.Identity.BeginPasskey(c.Request().Context(), handlers.Actor(c))
	return answer(c, http.StatusOK, begun, err, func(n identity.NewPasskey) gen.PasskeyChallenge {
		return gen.PasskeyChallenge{ChallengeId: n.Question, Options: jsonObject(n.Options)}
	})
}

// FinishPasskey handles PUT /account/passkeys.
func (a *API) FinishPasskey(c echo.Context) error {
	body, err := read[gen.NewPasskey](c)
	if err != nil {
		return err
	}
	credential, err := json.Marshal(body.Credential)
	if err != nil {
		return &models.Refusal{Kind: models.KindInvalid, Code: "malformed_body"}
	}
	ctx, actor := c.Request().Context(), handlers.Actor(c)
	codes, err := a.o.Identity.FinishPasskey(ctx, actor, body.ChallengeId, body.Name, credential)
	if err != nil {
		return err
	}
	account, err := a.o.Identity.Account(ctx, actor)
	return answer(c, http.StatusOK, account, err, func(v identity.Account) gen.PasskeyAdded {
		added := gen.PasskeyAdded{Account: accountOf(v)}
		if len(codes) > 0 {
			added.RecoveryCodes = &codes
		}
		return added
	})
}

// RemovePasskey handles DELETE /account/passkeys/:passkeyId.
func (a *API) RemovePasskey(c echo.Context, id gen.PasskeyId) error {
	return done(c, a.o.Identity.RemovePasskey(c.Request().Context(), handlers.Actor(c),
		models.PasskeyID(id)))
}

// RenewRecoveryCodes handles POST /account/recovery-codes.
func (a *API) RenewRecoveryCodes(c echo.Context) error {
	codes, err := a.o.Identity.RenewRecoveryCodes(c.Request().Context(), handlers.Actor(c))
	return answer(c, http.StatusOK, codes, err, func(codes []string) gen.RecoveryCodes {
		return gen.RecoveryCodes{RecoveryCodes: codes}
	})
}

// ListSessions handles GET /account/sessions.
func (a *API) ListSessions(c echo.Context) error {
	actor := handlers.Actor(c)
	all, err := a.o.Identity.Sessions(c.Request().Context(), actor)
	return answer(c, http.StatusOK, all, err, func(all []models.Session) gen.SessionList {
		return gen.SessionList{Items: each(all, func(s models.Session) gen.SessionItem {
			return gen.SessionItem{Id: string(s.ID), Current: s.IDHash == actor.SessionHash,
				CreatedAt: s.CreatedAt.UTC(), LastUsedAt: s.LastUsedAt.UTC(), Address: s.Address,
				UserAgent: s.UserAgent, Method: gen.SessionItemMethod(s.Method)}
		})}
	})
}

// EndSession handles DELETE /account/sessions/:sessionId.
func (a *API) EndSession(c echo.Context, id gen.SessionId) error {
	return done(c, a.o.Identity.EndSession(c.Request().Context(), handlers.Actor(c),
		models.SessionID(id)))
}

// ListTokens handles GET /account/tokens.
func (a *API) ListTokens(c echo.Context) error {
	all, err := a.o.Identity.Tokens(c.Request().Context(), handlers.Actor(c))
	return answer(c, http.StatusOK, all, err, func(all []models.APIToken) gen.TokenList {
		return gen.TokenList{Items: each(all, tokenOf)}
	})
}

func tokenOf(t models.APIToken) gen.Token {
	return gen.Token{Id: string(t.ID), Name: t.Name, Prefix: t.Prefix,
		Scopes:    each(strings.Fields(t.Scopes), func(s string) gen.TokenScope { return gen.TokenScope(s) }),
		CreatedAt: t.CreatedAt.UTC(), ExpiresAt: t.ExpiresAt.UTC(), LastUsedAt: t.LastUsedAt}
}

// CreateToken handles POST /account/tokens.
func (a *API) CreateToken(c echo.Context) error {
	body, err := read[gen.NewToken](c)
	if err != nil {
		return err
	}
	made, secret, err := a.o.Identity.CreateToken(c.Request().Context(), handlers.Actor(c),
		identity.NewToken{Name: body.Name, Days: body.Days,
			Scopes: each(body.Scopes, func(s gen.TokenScope) models.Scope { return models.Scope(s) })})
	return answer(c, http.StatusCreated, made, err, func(t models.APIToken) gen.CreatedToken {
		return gen.CreatedToken{Token: tokenOf(t), Secret: secret}
	})
}

// RevokeToken handles DELETE /account/tokens/:tokenId.
func (a *API) RevokeToken(c echo.Context, id gen.TokenId) error {
	return done(c, a.o.Identity.RevokeToken(c.Request().Context(), handlers.Actor(c),
		models.APITokenID(id)))
}
