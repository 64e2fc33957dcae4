package fleet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

// Limits of what a shell may begin (RFC 8628 section 5).
const (
	headlessKept    = 24 * time.Hour
	maxHeadless     = 10_000 // that wait, in the whole hub
	maxHeadlessFrom = 30     // begun from one network in the time of a registration
	maxInterval     = 60     // seconds between two questions of a node, however impatient
	pollSlack       = time.Second
	consoleHeadless = "/services/contact-center/cloud-connect"
)

// Fingerprint is a key's name as people compare it.
func Fingerprint(thumb string) string { return "SHA256:" + thumb }

// StartHeadless begins a registration at a node's shell. It belongs to nobody until a full admin types
// its code in the console.
func (f *Fleet) StartHeadless(ctx context.Context, a Actor, r wire.HeadlessRequest,
) (wire.HeadlessResponse, error) {
	if r.Environment != "" && r.Environment != f.o.Environment {
		return wire.HeadlessResponse{}, models.Conflict("other_environment", "")
	}
	claim, err := f.parseClaim(r.Claim)
	if err != nil {
		return wire.HeadlessResponse{}, err
	}
	if raw, err := hex.DecodeString(claim.Claim.TicketHash); err != nil || len(raw) != 32 {
		return wire.HeadlessResponse{}, invalidClaim("ticket_hash")
	}
	if models.NodeRole(claim.Claim.Role) != models.Publisher {
		return wire.HeadlessResponse{}, models.Conflict("not_publisher", "")
	}
	stored, err := json.Marshal(claim)
	if err != nil {
		return wire.HeadlessResponse{}, err
	}
	thumb := claim.Key.Thumbprint()
	if err := f.mayTry(ctx, "headless", maxHeadlessFrom, a); err != nil {
		return wire.HeadlessResponse{}, err
	}
	var code string
	row := models.HeadlessRequest{SecretHash: claim.Claim.TicketHash, KeyThumb: thumb,
		FQDN: claim.Claim.FQDN, Claim: stored, Address: a.Address, State: models.HeadlessPending,
		IntervalSeconds: int(models.HeadlessInterval / time.Second)}
	err = f.o.Store.Update(ctx, func(tx *store.Tx) error {
		if err := keyIsFree(tx, thumb); err != nil {
			return err
		}
		if n, err := tx.Hub().CountHeadless(); err != nil {
			return err
		} else if n >= maxHeadless {
			return &models.Refusal{Kind: models.KindTooMany, Code: "too_many_registrations"}
		}
		now := f.now()
		row.CreatedAt, row.ExpiresAt = now, now.Add(models.RegistrationTTL)
		if code, err = f.newUserCode(tx); err != nil {
			return err
		}
		row.CodeHash = f.codeHash(code)
		stored := row
		err := tx.Hub().CreateHeadless(&stored, now)
		if store.IsDuplicate(err, store.HeadlessSecret) {
			return invalidClaim("ticket_hash")
		}
		return err
	})
	if err != nil {
		return wire.HeadlessResponse{}, err
	}
	return wire.HeadlessResponse{UserCode: code, ConsoleURL: f.o.PublicURL + consoleHeadless,
		KeyFingerprint: Fingerprint(thumb), IntervalSeconds: row.IntervalSeconds,
		ExpiresAt: row.ExpiresAt, Now: row.CreatedAt}, nil
}

// newUserCode is a code that no other request has.
func (f *Fleet) newUserCode(tx *store.Tx) (string, error) {
	for range 8 {
		random := make([]byte, 32)
		_, _ = rand.Read(random) // never fails: it ends the program instead
		code, ok := models.NewUserCode(random)
		if !ok {
			continue
		}
		_, err := tx.Hub().HeadlessByCode(f.codeHash(code))
		if errors.Is(err, store.ErrNotFound) {
			return code, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", errors.New("cannot find a code that is free")
}

// codeHash is what is kept of a code. It takes the hub's key: a code alone is short enough to be
// tried out on a stolen database.
func (f *Fleet) codeHash(code string) string {
	return hashOf(f.o.Keys.Secret("headless code", code))
}

// PollHeadless tells a node whether its code was approved, as often as it may ask.
func (f *Fleet) PollHeadless(ctx context.Context, r wire.HeadlessPollRequest,
) (wire.HeadlessPollResponse, error) {
	var answer wire.HeadlessPollResponse
	err := f.o.Store.Update(ctx, func(tx *store.Tx) error {
		now := f.now()
		h, err := tx.Hub().HeadlessBySecret(hashText(r.Secret))
		if err != nil {
			return notFound(err)
		}
		answer = wire.HeadlessPollResponse{State: h.State, IntervalSeconds: h.IntervalSeconds, Now: now}
		if (h.State == models.HeadlessPending || h.State == models.HeadlessApproved) && !h.Live(now) {
			answer.State = models.HeadlessExpired
		}
		if answer.State != models.HeadlessPending && answer.State != models.HeadlessApproved {
			return nil
		}
		if tooSoon(h, now) {
			answer.SlowDown = true
			answer.IntervalSeconds = min(maxInterval,
				h.IntervalSeconds+int(models.HeadlessSlowDown/time.Second))
		} else if err := f.offer(tx, h, &answer, now); err != nil {
			return err
		}
		return tx.Hub().SawHeadless(h.ID, answer.IntervalSeconds, now)
	})
	return answer, err
}

func tooSoon(h models.HeadlessRequest, now time.Time) bool {
	wait := time.Duration(h.IntervalSeconds)*time.Second - pollSlack
	return h.PolledAt != nil && now.Sub(*h.PolledAt) < wait
}

// offer says who approved what, while the registration that came of it waits for the node.
func (f *Fleet) offer(tx *store.Tx, h models.HeadlessRequest, answer *wire.HeadlessPollResponse,
	now time.Time,
) error {
	if h.State != models.HeadlessApproved {
		return nil
	}
	reg, err := tx.Hub().RegistrationByID(h.RegistrationID)
	if err != nil {
		return err
	}
	if !reg.Completable(now) {
		answer.State = models.HeadlessDenied // cancelled, or replaced by a newer one
		return nil
	}
	org, err := tx.Hub().OrganizationByID(reg.OrganizationID)
	if err != nil {
		return err
	}
	answer.Offer = &wire.HeadlessOffer{RegistrationID: reg.ID, Organization: org.Name,
		Domain: org.Domain, RequestedBy: reg.RequestedBy, DisplayName: reg.DisplayName,
		ExpiresAt: h.ExpiresAt}
	return nil
}

// AnswerHeadless is the word of the node's administrator at the shell: only then is anything
// registered, so that a code that was typed in a wrong organization binds nobody.
func (f *Fleet) AnswerHeadless(ctx context.Context, a Actor, r wire.HeadlessAnswer) error {
	var reg models.Registration
	by, err := f.readAssertion(r.Assertion)
	if err != nil {
		return err
	}
	err = f.o.Store.Update(ctx, func(tx *store.Tx) error {
		now := f.now()
		h, err := tx.Hub().HeadlessBySecret(hashText(r.Secret))
		if err != nil {
			return notFound(err)
		}
		if h.RegistrationID == "" || h.RegistrationID != r.RegistrationID {
			return models.NotFound()
		}
		if reg, err = tx.Hub().RegistrationByID(h.RegistrationID); err != nil {
			return notFound(err)
		}
		if err := completable(reg, now); err != nil {
			return err
		}
		if err := provesKey(h, by); err != nil {
			return err
		}
		a.Kind, a.Name = models.ActorNode, string(h.FQDN)
		if !r.Accept {
			return f.refuseHeadless(tx, a, h, reg, models.EndedByNode, now)
		}
		if err := f.complete(tx, a, &reg, now); err != nil {
			return err
		}
		return tx.Hub().EndHeadless(h.ID, models.HeadlessApproved, models.HeadlessAccepted, now)
	})
	if err == nil && r.Accept {
		f.follow(ctx, reg.ClusterID)
		if reg.Kind == models.RegisterReplacement {
			return f.everywhere(ctx)
		}
	}
	return err
}

// provesKey wants the answer signed by the key that began.
func provesKey(h models.HeadlessRequest, by assertion) error {
	var c storedClaim
	if err := json.Unmarshal(h.Claim, &c); err != nil {
		return fmt.Errorf("cannot read the stored claim: %w", err)
	}
	if !by.about(h.RegistrationID, c.Key) {
		return models.Unauthorized("invalid_assertion")
	}
	return nil
}

// refuseHeadless ends an approved request and the registration that was made of it.
func (f *Fleet) refuseHeadless(tx *store.Tx, a Actor, h models.HeadlessRequest,
	reg models.Registration, why models.EndedWhy, now time.Time,
) error {
	err := tx.In(reg.OrganizationID).RefuseRegistration(reg.ID, why, now)
	if err != nil {
		return err
	}
	state := models.HeadlessRefused
	if why == models.EndedByConsole {
		state = models.HeadlessDenied
	}
	if err := tx.Hub().EndHeadless(h.ID, models.HeadlessApproved, state, now); err != nil {
		return err
	}
	reg.State, reg.EndedWhy = models.RegistrationDenied, why
	return f.recordRegistration(tx, a, reg, ActionRegistrationDenied)
}
