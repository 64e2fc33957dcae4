package fleet

import (
	"context"
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

// Return is what the console brings back from the publisher's page.
type Return struct {
	Code           string
	ComparisonCode string // typed by the admin, where the organization demands it
}

// CompleteRegistration is the return leg: once, within 2 minutes of the claim, in the session that
// began it (R2, R3). In any other session the registration is burned: whoever was lured onto a node's
// page cannot complete it, and nobody else can either.
func (f *Fleet) CompleteRegistration(ctx context.Context, a Actor, back Return,
) (RegistrationView, error) {
	if !a.FullAdmin() {
		return RegistrationView{}, models.Forbidden()
	}
	var reg models.Registration
	var refusal error // a refusal that leaves its trace: the transaction commits
	err := f.o.Store.Update(ctx, func(tx *store.Tx) error {
		refusal = nil
		now := f.now()
		var err error
		reg, err = tx.Hub().RegistrationByReturnCode(hashText(back.Code))
		if errors.Is(err, store.ErrNotFound) {
			return models.Invalid("invalid_return_code", "code")
		}
		if err != nil {
			return err
		}
		if reg.SessionHash != a.SessionHash || reg.OrganizationID != a.Organization {
			refusal, err = f.returnedElsewhere(tx, a, reg, now)
			return err
		}
		if err := completable(reg, now); err != nil {
			return err
		}
		if refusal, err = f.compare(tx, a, &reg, back.ComparisonCode, now); refusal != nil || err != nil {
			return err
		}
		return f.complete(tx, a, &reg, now)
	})
	if err == nil {
		err = refusal
	}
	if err != nil {
		return RegistrationView{}, err
	}
	f.follow(ctx, reg.ClusterID)
	if reg.Kind == models.RegisterReplacement {
		err = f.everywhere(ctx) // the machine before must not be let in any more
	}
	return f.registrationView(a, reg), err
}

// complete makes of a claimed registration what it was for, and ends it.
func (f *Fleet) complete(tx *store.Tx, a Actor, reg *models.Registration, now time.Time) error {
	s := tx.In(reg.OrganizationID)
	if err := f.become(tx, s, a, reg, now); err != nil {
		return err
	}
	err := s.CompleteRegistration(reg.ID, store.Completed{SessionHash: reg.SessionHash,
		ReturnCodeHash: reg.ReturnCodeHash, At: now, ClusterID: reg.ClusterID, NodeID: reg.NodeID})
	if errors.Is(err, store.ErrUnchanged) {
		return &models.Refusal{Kind: models.KindGone, Code: "registration_used"}
	}
	if err != nil {
		return err
	}
	reg.State, reg.EndedAt = models.RegistrationCompleted, &now
	return f.tell(tx, reg.OrganizationID, reg.ClusterID, reg.ID)
}

func completable(r models.Registration, now time.Time) error {
	if r.State != models.RegistrationClaimed {
		return ended(r, now)
	}
	if !r.Completable(now) {
		return &models.Refusal{Kind: models.KindGone, Code: "return_too_late"}
	}
	return nil
}

// returnedElsewhere burns a registration whose return leg comes in a session that did not begin it,
// and lets both organizations know. Another organization is told no more than that the code is not
// good here (R29).
func (f *Fleet) returnedElsewhere(tx *store.Tx, a Actor, reg models.Registration, now time.Time,
) (refusal, err error) {
	refusal = models.Conflict("other_session", "")
	if reg.OrganizationID != a.Organization {
		refusal = models.Invalid("invalid_return_code", "code")
	}
	if !reg.Completable(now) {
		return refusal, nil
	}
	if err := f.burn(tx, hubActor(), reg, models.EndedOtherSession, now); err != nil {
		return nil, err
	}
	if reg.OrganizationID == a.Organization {
		return refusal, nil
	}
	record := a.Audit("", now, models.Change{Organization: a.Organization,
		Action: string(ActionRegistrationForeign), TargetKind: "registration",
		TargetName: string(reg.FQDN), After: map[string]any{"fqdn": reg.FQDN,
			"why": models.EndedOtherSession}})
	return refusal, tx.In(a.Organization).AppendAudit(&record)
}

func (f *Fleet) burn(tx *store.Tx, a Actor, reg models.Registration, why models.EndedWhy,
	now time.Time,
) error {
	if err := tx.In(reg.OrganizationID).BurnRegistration(reg.ID, why, now); err != nil {
		return err
	}
	reg.State, reg.EndedWhy = models.RegistrationBurned, why
	return f.recordRegistration(tx, a, reg, ActionRegistrationBurned)
}

// compare asks for the comparison code where the organization demands it (R3). A wrong one counts,
// and the last wrong one burns the registration.
func (f *Fleet) compare(tx *store.Tx, a Actor, reg *models.Registration, typed string,
	now time.Time,
) (refusal, err error) {
	if !reg.CodeRequired {
		return nil, nil
	}
	typed = plainCode(typed)
	if typed == "" {
		r := models.Conflict("comparison_code_required", "")
		r.Field = "comparison_code"
		return r, nil
	}
	if subtle.ConstantTimeCompare([]byte(typed), []byte(plainCode(reg.ComparisonCode))) == 1 {
		return nil, nil
	}
	err = tx.In(reg.OrganizationID).CountComparison(reg.ID, reg.ComparisonAttempts)
	if err != nil {
		return nil, err
	}
	if reg.ComparisonAttempts+1 >= models.MaxComparisonAttempts {
		return &models.Refusal{Kind: models.KindGone, Code: "registration_burned"},
			f.burn(tx, a, *reg, models.EndedWrongCode, now)
	}
	r := models.Conflict("comparison_code_differs", "")
	r.Field = "comparison_code"
	return r, f.recordRegistration(tx, a, *reg, ActionRegistrationCompared)
}

// plainCode is a comparison code as it is compared: people leave the hyphen out, or type small
// letters.
func plainCode(text string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' || r == '\u3000' {
			return -1
		}
		return r
	}, text))
}
