package repository

import (
	"context"
	"errors"
	"net/http"
	"time"

	"connecthub/nodeclient/control/settings"
)

// The bounds and the defaults of the rotation, in days before a token's end.
const (
	MaxTrigger     = 30
	DefaultTrigger = 30
	MaxWarn        = 10
	DefaultWarn    = 10

	day = 24 * time.Hour
)

// Rotation says when an identity token is replaced by a new one, and from when on a failure is mailed.
type Rotation struct {
	TriggerDays int `json:"trigger_days"`
	WarnDays    int `json:"warn_days"`
}

// LoadRotation answers what is set, or the defaults.
func LoadRotation(s *settings.Store) (Rotation, error) {
	r, meta, err := settings.Read[Rotation](s, settings.TokenRotation)
	if err == nil && meta.Revision == 0 {
		r = Rotation{DefaultTrigger, DefaultWarn}
	}
	return r, err
}

// Save stores it; a value out of its bounds is refused.
func (r Rotation) Save(s *settings.Store, by string) error {
	if r.TriggerDays < 1 || r.TriggerDays > MaxTrigger || r.WarnDays < 1 || r.WarnDays > MaxWarn {
		return errors.New("the rotation is 1 to 30 days before the expiry, and the failure mails are " +
			"1 to 10 days before it")
	}
	_, err := settings.Update(s, settings.TokenRotation, by, func(v *Rotation) error {
		*v = r
		return nil
	})
	return err
}

// Due says whether a token is to be replaced now. A key is never.
func (r Rotation) Due(c Config, now time.Time) bool {
	return c.Configured() && c.Kind == IdentityToken && !c.ExpiresAt.IsZero() &&
		!now.Before(c.ExpiresAt.Add(-time.Duration(r.TriggerDays)*day))
}

// Warns says whether a failure of the rotation is to be mailed.
func (r Rotation) Warns(c Config, now time.Time) bool {
	return r.Due(c, now) && !now.Before(c.ExpiresAt.Add(-time.Duration(r.WarnDays)*day))
}

// RotateIfDue replaces the token when it is time. The new one is stored at once: the old one lives an
// hour at most, and within that hour a lost answer is asked for again. A token that was set meanwhile
// by hand is left alone.
func RotateIfDue(ctx context.Context, s *settings.Store, way http.RoundTripper, by string,
	now time.Time) (rotated bool, err error) {
	c, _, err := Load(s)
	if err != nil {
		return false, err
	}
	r, err := LoadRotation(s)
	if err != nil || !r.Due(c, now) {
		return false, err
	}
	client, err := New(c, way, "")
	if err != nil {
		return false, err
	}
	fresh, err := client.Rotate(ctx)
	if err != nil {
		return false, err
	}
	_, err = Update(s, by, func(present *Config) error {
		if present.Secret == c.Secret {
			present.Secret, present.ExpiresAt, present.CheckedAt = fresh.Token, fresh.ExpiresAt, now.UTC()
			rotated = true
		}
		return nil
	})
	return rotated && err == nil, err
}
