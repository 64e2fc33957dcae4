package adminapi

import (
	"connecthub/handlers/adminapi/gen"

	"github.com/labstack/echo/v4"
)

// GetAccount handles GET /account.
func (a *API) GetAccount(_ echo.Context) error { return pending() }

// ChangePassword handles PUT /account/password.
func (a *API) ChangePassword(_ echo.Context) error { return pending() }

// BeginPasskey handles POST /account/passkeys.
func (a *API) BeginPasskey(_ echo.Context) error { return pending() }

// FinishPasskey handles PUT /account/passkeys.
func (a *API) FinishPasskey(_ echo.Context) error { return pending() }

// RemovePasskey handles DELETE /account/passkeys/:passkeyId.
func (a *API) RemovePasskey(_ echo.Context, _ gen.PasskeyId) error { return pending() }

// RenewRecoveryCodes handles POST /account/recovery-codes.
func (a *API) RenewRecoveryCodes(_ echo.Context) error { return pending() }

// ListSessions handles GET /account/sessions.
func (a *API) ListSessions(_ echo.Context) error { return pending() }

// EndSession handles DELETE /account/sessions/:sessionId.
func (a *API) EndSession(_ echo.Context, _ gen.SessionId) error { return pending() }

// ListTokens handles GET /account/tokens.
func (a *API) ListTokens(_ echo.Context) error { return pending() }

// CreateToken handles POST /account/tokens.
func (a *API) CreateToken(_ echo.Context) error { return pending() }

// RevokeToken handles DELETE /account/tokens/:tokenId.
func (a *API) RevokeToken(_ echo.Context, _ gen.TokenId) error { return pending() }

// FinishSignIn handles POST /session/second-factor.
func (a *API) FinishSignIn(_ echo.Context) error { return pending() }

// StepUp handles POST /session/step-up.
func (a *API) StepUp(_ echo.Context) error { return pending() }

// FinishStepUp handles POST /session/step-up/second-factor.
func (a *API) FinishStepUp(_ echo.Context) error { return pending() }
