package software

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// maxCredentials is how many living keys and tokens one person may have: one key a deployment is
// what the documents advise.
const maxCredentials = 50

// The parts of a secret: chk_ or cht_, 256 random bits, and a checksum by which a scanner tells it
// from other text.
const (
	keyPrefix    = "chk_"
	tokenPrefix  = "cht_"
	randomLength = 52
	sumLength    = 7
	secretLength = len(keyPrefix) + randomLength + sumLength
	shownLength  = len(keyPrefix) + 6
)

func encoding() *base32.Encoding {
	return base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)
}

func prefixOf(k models.DownloadKind) string {
	if k == models.DownloadKey {
		return keyPrefix
	}
	return tokenPrefix
}

func newSecret(k models.DownloadKind) string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // it never returns an error: it ends the program instead
	text := prefixOf(k) + encoding().EncodeToString(random)
	return text + checksum(text)
}

func checksum(text string) string {
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text)))
	return encoding().EncodeToString(sum)
}

// wellFormed spares the database what cannot be a secret of that kind.
func wellFormed(secret string, k models.DownloadKind) bool {
	if len(secret) != secretLength || !strings.HasPrefix(secret, prefixOf(k)) {
		return false
	}
	body := secret[:secretLength-sumLength]
	return checksum(body) == secret[len(body):]
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// filled is a credential with its secret's traces.
func filled(c models.DownloadCredential, secret string) models.DownloadCredential {
	c.Prefix, c.LastFour = secret[:shownLength], secret[len(secret)-4:]
	c.SecretHash = hashOf(secret)
	return c
}

// NewCredential is what a key or token is to be; Days is a token's alone.
type NewCredential struct {
	Kind models.DownloadKind
	Name string
	Days int
}

// Generated is a new key or token with its secret, shown this once.
type Generated struct {
	Holder Holder
	Secret models.Secret
}

// lapsesAt is when the keys of a person lapse; who never signed in is counted from the beginning.
func lapsesAt(u models.User) time.Time {
	if u.LastSignedInAt != nil {
		return models.LapsesAt(*u.LastSignedInAt)
	}
	return models.LapsesAt(u.CreatedAt)
}

// Generate makes a key or a token of the actor's own and answers its secret: this once. It asks for
// an entitlement that is valid today, not for the agreement.
func (s *Software) Generate(ctx context.Context, a models.Actor, n NewCredential) (Generated,
	error) {
	c, err := s.credentialOf(a, n)
	if err != nil {
		return Generated{}, err
	}
	secret := newSecret(c.Kind)
	c = filled(c, secret)
	var made models.DownloadCredential
	var lapses time.Time
	err = s.o.Store.Update(ctx, func(tx *store.Tx) error {
		made = c
		scope := tx.In(a.Organization)
		// Within the transaction: what ends the sessions must not miss a key that is being made.
		_, err := scope.SessionOf(a.UserID, a.SessionHash)
		if errors.Is(err, store.ErrNotFound) {
			return models.Unauthorized("signed_out")
		}
		if err != nil {
			return err
		}
		user, err := scope.UserByID(a.UserID)
		if err != nil {
			return err
		}
		lapses = lapsesAt(user)
		entitled, err := valid(scope, a.UserID, s.now())
		if err != nil {
			return err
		}
		if len(entitled) == 0 {
			return &models.Refusal{Kind: models.KindForbidden, Code: "not_entitled"}
		}
		all, err := scope.DownloadCredentials(a.UserID)
		if err != nil {
			return err
		}
		if len(living(all, s.now())) >= maxCredentials {
			return models.Conflict("too_many_download_keys", "")
		}
		if err := scope.CreateDownloadCredential(&made); err != nil {
			return err
		}
		if c.Kind == models.IdentityToken {
			return s.record(tx, a, made.Change("identity_token_generated"))
		}
		return s.record(tx, a, made.Change("download_key_generated"))
	})
	return Generated{Holder: Holder{Credential: made, LapsesAt: lapses},
		Secret: models.Secret(secret)}, err
}

func (s *Software) credentialOf(a models.Actor, n NewCredential) (models.DownloadCredential, error) {
	name, err := models.ParseDisplayName(n.Name)
	if err != nil {
		return models.DownloadCredential{}, models.Invalid("invalid_name", "name")
	}
	now := s.now()
	c := models.DownloadCredential{OrganizationID: a.Organization, UserID: a.UserID, Kind: n.Kind,
		Name: name, CreatedAt: now}
	switch n.Kind {
	case models.DownloadKey:
	case models.IdentityToken:
		if n.Days == 0 {
			n.Days = models.DownloadTokenDays
		}
		if n.Days < 1 || n.Days > models.MaxTokenDays {
			return models.DownloadCredential{}, models.Invalid("invalid_validity", "days")
		}
		ends := now.AddDate(0, 0, n.Days)
		c.Days, c.ExpiresAt = n.Days, &ends
	default:
		return models.DownloadCredential{}, models.Invalid("invalid_kind", "kind")
	}
	return c, nil
}

func living(all []models.DownloadCredential, now time.Time) []models.DownloadCredential {
	var alive []models.DownloadCredential
	for _, c := range all {
		if c.ExpiresAt == nil || now.Before(*c.ExpiresAt) {
			alive = append(alive, c)
		}
	}
	return alive
}

// Revoke ends one of the actor's own at once.
func (s *Software) Revoke(ctx context.Context, a models.Actor, id models.DownloadCredentialID) error {
	return s.o.Store.Update(ctx, func(tx *store.Tx) error {
		scope := tx.In(a.Organization)
		c, err := scope.DownloadCredential(id)
		if errors.Is(err, store.ErrNotFound) {
			return models.NotFound()
		}
		if err != nil {
			return err
		}
		err = scope.RevokeDownloadCredential(a.UserID, id, s.now())
		if errors.Is(err, store.ErrUnchanged) {
			return models.NotFound()
		}
		if err != nil {
			return err
		}
		if c.Kind == models.IdentityToken {
			return s.record(tx, a, c.Change("identity_token_revoked"))
		}
		return s.record(tx, a, c.Change("download_key_revoked"))
	})
}

// AcceptEULA notes that the actor accepts the version that was shown; the newest is the only one
// that can be accepted.
func (s *Software) AcceptEULA(ctx context.Context, a models.Actor, version string) error {
	err := s.o.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := tx.Hub().EULA()
		if err != nil {
			return err
		}
		if e == nil || e.Version != version {
			return models.Conflict("eula_changed", "")
		}
		err = tx.In(a.Organization).AcceptEULA(&models.EULAAcceptance{UserID: a.UserID,
			Version: version, AcceptedAt: s.now()})
		if err != nil {
			return err
		}
		return s.record(tx, a, models.Change{Organization: a.Organization, Action: "eula_accepted",
			TargetKind: "eula", TargetID: version, TargetName: version})
	})
	if store.IsDuplicate(err, store.EULAAccepted) {
		return nil // the person had accepted it
	}
	return err
}
