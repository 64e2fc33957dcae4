package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// maxCodeGuesses is how many wrong codes one organization, or one network, may type in the time of a
// registration.
const maxCodeGuesses = 10

// HeadlessView is a node that waits for its code to be approved.
type HeadlessView struct {
	FQDN          models.FQDN
	Version       models.Version
	ClientVersion string
	Fingerprint   string
	Address       string
	CreatedAt     time.Time
	ExpiresAt     time.Time
}

// InspectHeadless shows which node printed a code.
func (f *Fleet) InspectHeadless(ctx context.Context, a Actor, code string) (HeadlessView, error) {
	h, claim, err := f.headlessOf(ctx, a, code)
	if err != nil {
		return HeadlessView{}, err
	}
	return HeadlessView{FQDN: h.FQDN, Version: claim.Claim.Version,
		ClientVersion: claim.Claim.ClientVersion, Fingerprint: Fingerprint(h.KeyThumb),
		Address: h.Address, CreatedAt: h.CreatedAt, ExpiresAt: h.ExpiresAt}, nil
}

// ApproveHeadless makes a registration of a node's request, claimed by that node already. It completes
// when the node's administrator accepts it at the shell, within the same 15 minutes.
func (f *Fleet) ApproveHeadless(ctx context.Context, a Actor, code, displayName string,
) (RegistrationView, error) {
	name, err := models.ParseDisplayName(displayName)
	if err != nil {
		return RegistrationView{}, err
	}
	h, claim, err := f.headlessOf(ctx, a, code)
	if err != nil {
		return RegistrationView{}, err
	}
	r := models.Registration{Kind: models.RegisterCluster, DisplayName: name, FQDN: h.FQDN,
		Headless: true, ExpiresAt: h.ExpiresAt}
	return f.begin(ctx, a, &r, func(s *store.Scope) error { return free(s, name, h.FQDN) },
		func(tx *store.Tx) error {
			now := f.now()
			err := tx.Hub().ApproveHeadless(h.ID, r.ID, now)
			if errors.Is(err, store.ErrUnchanged) {
				return unknownCode()
			}
			if err != nil {
				return err
			}
			if err := mayClaim(tx, r, claim); err != nil {
				return err
			}
			r.KeyThumb = h.KeyThumb
			node := Actor{Address: h.Address, TrackingID: a.TrackingID}
			err = f.use(tx, node, r, store.Claimed{SecretHash: r.SecretHash, KeyThumb: h.KeyThumb,
				At: now, ReturnBy: h.ExpiresAt, ReturnCodeHash: hashText(newCode()), Claim: h.Claim})
			r.State, r.ReturnBy = models.RegistrationClaimed, &h.ExpiresAt
			return err
		})
}

// DenyHeadless ends a node's request.
func (f *Fleet) DenyHeadless(ctx context.Context, a Actor, code string) error {
	h, _, err := f.headlessOf(ctx, a, code)
	if err != nil {
		return err
	}
	return f.o.Store.Update(ctx, func(tx *store.Tx) error {
		now := f.now()
		if h.State == models.HeadlessApproved {
			reg, err := tx.In(a.Organization).RegistrationByID(h.RegistrationID)
			if err != nil {
				return notFound(err)
			}
			if err := completable(reg, now); err != nil {
				return err
			}
			return f.refuseHeadless(tx, a, h, reg, models.EndedByConsole, now)
		}
		err := tx.Hub().EndHeadless(h.ID, models.HeadlessPending, models.HeadlessDenied, now)
		if errors.Is(err, store.ErrUnchanged) {
			return unknownCode()
		}
		if err != nil {
			return err
		}
		record := a.Audit("", now, models.Change{Organization: a.Organization,
			Action: string(ActionHeadlessDenied), TargetKind: "registration", TargetID: string(h.ID),
			TargetName: string(h.FQDN), After: map[string]any{"fqdn": h.FQDN, "key": h.KeyThumb,
				"address": h.Address}})
		return tx.In(a.Organization).AppendAudit(&record)
	})
}

// headlessOf finds the request that still counts under a code. Wrong codes count against the
// organization and the network that types them.
func (f *Fleet) headlessOf(ctx context.Context, a Actor, typed string,
) (models.HeadlessRequest, storedClaim, error) {
	var h models.HeadlessRequest
	var c storedClaim
	if !a.FullAdmin() {
		return h, c, models.Forbidden()
	}
	code, err := models.ParseUserCode(typed)
	if err != nil {
		return h, c, err
	}
	var refusal error
	err = f.o.Store.Update(ctx, func(tx *store.Tx) error {
		now := f.now()
		keys := []string{"code of " + string(a.Organization), "code from " + networkOf(a.Address)}
		for _, key := range keys {
			if err := exhausted(tx, key, maxCodeGuesses, now); err != nil {
				return err
			}
		}
		var err error
		h, err = tx.Hub().HeadlessByCode(f.codeHash(code))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		found := err == nil && h.Live(now)
		if found && h.State == models.HeadlessApproved {
			_, err := tx.In(a.Organization).RegistrationByID(h.RegistrationID)
			found = err == nil // another organization has approved it
		}
		if refusal = nil; found {
			return nil
		}
		refusal = unknownCode()
		for _, key := range keys {
			if err := tx.Hub().Attempt(key, now, now.Add(models.RegistrationTTL)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = refusal
	}
	if err == nil {
		if err = json.Unmarshal(h.Claim, &c); err != nil {
			err = fmt.Errorf("cannot read the stored claim: %w", err)
		}
	}
	return h, c, err
}

func unknownCode() error {
	return &models.Refusal{Kind: models.KindNotFound, Code: "unknown_user_code", Field: "code"}
}

// mayTry counts one try from the actor's network, and refuses when there were too many.
func (f *Fleet) mayTry(ctx context.Context, what string, limit int, a Actor) error {
	key := what + " from " + networkOf(a.Address)
	return f.o.Store.Update(ctx, func(tx *store.Tx) error {
		now := f.now()
		if err := exhausted(tx, key, limit, now); err != nil {
			return err
		}
		return tx.Hub().Attempt(key, now, now.Add(models.RegistrationTTL))
	})
}

// exhausted refuses where the limit is reached, and says when it is worth trying again.
func exhausted(tx *store.Tx, key string, limit int, now time.Time) error {
	n, until, err := tx.Hub().Attempts(key, now)
	if err != nil || n < limit {
		return err
	}
	return &models.Refusal{Kind: models.KindTooMany, Code: "too_many_attempts",
		RetryAfter: until.Sub(now)}
}

// networkOf is whom attempts are counted for: an address, or the /64 of an IPv6 one.
func networkOf(address string) string {
	at, err := netip.ParseAddr(address)
	if err != nil {
		return "nowhere"
	}
	at = at.Unmap().WithZone("")
	bits := 32
	if at.Is6() {
		bits = 64
	}
	p, err := at.Prefix(bits)
	if err != nil {
		return "nowhere"
	}
	return p.String()
}
