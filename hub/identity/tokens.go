package identity

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// maxTokens is how many API tokens one person may have.
const maxTokens = 50

// TokenPrefix begins every personal API token, so that it is recognised wherever it turns up.
const TokenPrefix = "chp_"

// The parts of a token: chp_<id>_<secret and its checksum>.
const (
	tokenIDLength  = 10
	tokenKeyLength = 52 // 256 bits
	tokenSumLength = 7
	tokenLength    = len(TokenPrefix) + tokenIDLength + 1 + tokenKeyLength + tokenSumLength
)

func tokenEncoding() *base32.Encoding {
	return base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)
}

// newAPIToken is a token with the checksum that lets a scanner tell it from other text.
func newAPIToken() (string, error) {
	random := make([]byte, 7+32)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("cannot make a token: %w", err)
	}
	id := tokenEncoding().EncodeToString(random[:7])[:tokenIDLength]
	text := TokenPrefix + id + "_" + tokenEncoding().EncodeToString(random[7:])
	return text + checksum(text), nil
}

func checksum(text string) string {
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text)))
	return tokenEncoding().EncodeToString(sum)
}

// wellFormed spares the database what cannot be a token.
func wellFormed(token string) bool {
	if len(token) != tokenLength || !strings.HasPrefix(token, TokenPrefix) {
		return false
	}
	body := token[:tokenLength-tokenSumLength]
	return checksum(body) == token[len(body):]
}

// NewToken is what a personal API token is to be.
type NewToken struct {
	Name   string
	Scopes []models.Scope
	Days   int
}

// CreateToken makes a personal API token and answers its secret: this once.
func (i *Identity) CreateToken(ctx context.Context, a models.Actor, n NewToken) (models.APIToken,
	string, error) {
	token, err := i.tokenOf(a, n)
	if err != nil {
		return models.APIToken{}, "", err
	}
	secret, err := newAPIToken()
	if err != nil {
		return models.APIToken{}, "", err
	}
	token.Prefix, token.SecretHash = secret[:len(TokenPrefix)+tokenIDLength], hashOf(secret)
	var made models.APIToken
	err = i.o.Store.Update(ctx, func(tx *store.Tx) error {
		made = token
		scope := tx.In(a.Organization)
		// Within the transaction: what ends the sessions must not miss a token that is being made.
		_, err := scope.SessionOf(a.UserID, a.SessionHash)
		if errors.Is(err, store.ErrNotFound) {
			return models.Unauthorized("signed_out")
		}
		if err != nil {
			return err
		}
		all, err := scope.APITokens(a.UserID)
		if err != nil {
			return err
		}
		if len(all) >= maxTokens {
			return models.Conflict("too_many_tokens", "")
		}
		if err := scope.CreateAPIToken(&made); err != nil {
			return err
		}
		return i.audit(tx, a, token.CreatedAt, tokenChange(made, "token_created"))
	})
	return made, secret, err
}

func (i *Identity) tokenOf(a models.Actor, n NewToken) (models.APIToken, error) {
	name, err := models.ParseDisplayName(n.Name)
	if err != nil {
		return models.APIToken{}, models.Invalid("invalid_name", "name")
	}
	if n.Days < 1 || n.Days > models.MaxTokenDays {
		return models.APIToken{}, models.Invalid("invalid_validity", "days")
	}
	var scopes []string
	for _, s := range models.Scopes() { // in one order, each once
		if slices.Contains(n.Scopes, s) {
			scopes = append(scopes, string(s))
		}
	}
	for _, s := range n.Scopes {
		if !slices.Contains(models.Scopes(), s) {
			return models.APIToken{}, models.Invalid("invalid_scope", "scopes")
		}
	}
	if len(scopes) == 0 {
		return models.APIToken{}, models.Invalid("invalid_scope", "scopes")
	}
	now := i.o.Now().UTC()
	return models.APIToken{UserID: a.UserID, Name: name, Scopes: strings.Join(scopes, " "),
		CreatedAt: now, ExpiresAt: now.Add(time.Duration(n.Days) * 24 * time.Hour)}, nil
}

func tokenChange(t models.APIToken, action string) models.Change {
	return models.Change{Organization: t.OrganizationID, Action: action, TargetKind: "token",
		TargetID: string(t.ID), TargetName: t.Name,
		After: map[string]string{"prefix": t.Prefix, "scopes": t.Scopes,
			"expires_at": t.ExpiresAt.Format(time.RFC3339)}}
}

// Tokens lists the actor's own, newest first, without their secrets.
func (i *Identity) Tokens(ctx context.Context, a models.Actor) (all []models.APIToken, err error) {
	err = i.o.Store.View(ctx, func(tx *store.Tx) error {
		all, err = tx.In(a.Organization).APITokens(a.UserID)
		return err
	})
	return all, err
}

// RevokeToken ends one of the actor's own.
func (i *Identity) RevokeToken(ctx context.Context, a models.Actor, id models.APITokenID) error {
	now := i.o.Now().UTC()
	return i.o.Store.Update(ctx, func(tx *store.Tx) error {
		scope := tx.In(a.Organization)
		all, err := scope.APITokens(a.UserID)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(all, func(t models.APIToken) bool { return t.ID == id })
		if at < 0 {
			return models.NotFound()
		}
		if err := scope.RevokeAPIToken(a.UserID, id, now); err != nil {
			return err
		}
		change := tokenChange(all[at], "token_revoked")
		change.Before, change.After = change.After, nil
		return i.audit(tx, a, now, change)
	})
}

// EnterWithToken finds who has the personal API token, with the role that the person has now.
func (i *Identity) EnterWithToken(ctx context.Context, secret string, caller models.Actor) (Entry,
	error) {
	if !wellFormed(secret) {
		return Entry{}, models.Unauthorized("invalid_api_token")
	}
	now := i.o.Now().UTC()
	var token models.APIToken
	var p person
	err := i.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		if token, err = tx.Hub().APITokenByHash(hashOf(secret)); err != nil {
			return err
		}
		user, err := tx.In(token.OrganizationID).UserByID(token.UserID)
		if err != nil {
			return err
		}
		p, err = personIn(tx, user)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Entry{}, models.Unauthorized("invalid_api_token")
	case err != nil:
		return Entry{}, fmt.Errorf("cannot look a token up: %w", err)
	case !p.active() || !now.Before(token.ExpiresAt):
		return Entry{}, models.Unauthorized("invalid_api_token")
	}
	if token.LastUsedAt == nil || now.Sub(*token.LastUsedAt) >= touchAfter {
		err := i.o.Store.Update(ctx, func(tx *store.Tx) error {
			return tx.In(token.OrganizationID).TouchAPIToken(token.ID, now)
		})
		// ErrUnchanged: it was revoked meanwhile; the next request will say so.
		if err != nil && !errors.Is(err, store.ErrUnchanged) {
			return Entry{}, fmt.Errorf("cannot note the use of a token: %w", err)
		}
	}
	actor := personOf(caller, p.user)
	actor.Name = p.user.Email + " (" + token.Prefix + ")" // the record shows that it was a program
	return Entry{Actor: actor, Current: Current{User: p.user, Organization: p.organization,
		ExpiresAt: token.ExpiresAt, ConfirmedUntil: token.CreatedAt,
		SecondFactorMissing: p.factorMissing() && p.user.PasswordHash != "", Token: &token}}, nil
}
