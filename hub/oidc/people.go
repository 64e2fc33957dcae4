package oidc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"connecthub/hub/identity"
	"connecthub/models"
	"connecthub/models/store"
)

// signIn begins a session for a person of the organization, or for somebody whom it has invited.
func (o *OIDC) signIn(ctx context.Context, caller models.Actor, l models.OIDCLogin, w person) (
	Done, error) {
	if err := o.ownDomain(ctx, l, w); err != nil {
		return Done{}, err
	}
	in, err := o.o.Identity.SignInVerified(ctx, caller, identity.VerifiedPerson{
		Organization: l.OrganizationID, Email: w.email, Name: w.name, Confirmed: w.fresh,
		Within: func(tx *store.Tx, u models.User) error { return o.bind(tx, caller, u, w) }})
	if err != nil {
		return Done{}, about(w, err)
	}
	return Done{Location: returnTo(l), Token: in.Token}, nil
}

// confirm confirms the session that began the journey: its own person must have signed in, now.
func (o *OIDC) confirm(ctx context.Context, caller models.Actor, l models.OIDCLogin, w person) (
	Done, error) {
	if err := o.ownDomain(ctx, l, w); err != nil {
		return Done{}, err
	}
	if !w.fresh {
		return Done{}, about(w, failf("oidc_not_fresh",
			"the provider did not let the person sign in again"))
	}
	err := o.o.Store.Update(ctx, func(tx *store.Tx) error {
		user, err := tx.In(l.OrganizationID).UserByID(l.UserID)
		if err != nil {
			return err
		}
		if user.Email != w.email {
			return failf("oidc_other_person", "somebody else signed in")
		}
		return o.bind(tx, caller, user, w)
	})
	if err == nil {
		err = o.o.Identity.ConfirmVerified(ctx, caller, l.OrganizationID, l.SessionHash, l.UserID)
	}
	if err != nil {
		return Done{}, about(w, err)
	}
	return Done{Location: returnTo(l)}, nil
}

// ownDomain refuses an address outside the domain that the operator verified: a provider vouches
// for its own organization's people and nobody else.
func (o *OIDC) ownDomain(ctx context.Context, l models.OIDCLogin, w person) error {
	var own models.Organization
	err := o.o.Store.View(ctx, func(tx *store.Tx) (err error) {
		own, err = tx.In(l.OrganizationID).Own()
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot read an organization: %w", err)
	}
	local, domain, ok := strings.Cut(w.email, "@")
	if !ok || local == "" || own.Domain == "" || domain != own.Domain {
		return about(w, failf("oidc_unknown_person",
			"the address is outside the domain of the organization"))
	}
	return nil
}

// bind binds the subject to the person at the first sign-in, and from then on demands it: an address
// that the provider has given to somebody else does not reach the account.
func (o *OIDC) bind(tx *store.Tx, caller models.Actor, u models.User, w person) error {
	in := tx.In(u.OrganizationID)
	bound, err := in.OIDCSubject(w.issuer, w.subject)
	if err != nil {
		return err
	}
	own, err := in.OIDCSubjectOfUser(u.ID, w.issuer)
	switch {
	case err != nil:
		return err
	case bound != nil && bound.UserID == u.ID:
		return nil
	case bound != nil || own != nil:
		return failf("oidc_other_subject", "the account is bound to another subject")
	}
	err = in.BindOIDCSubject(&models.OIDCSubject{Issuer: w.issuer, Subject: w.subject,
		UserID: u.ID, BoundAt: o.o.Now().UTC()})
	if err != nil {
		return err
	}
	caller.Kind, caller.UserID, caller.Name = models.ActorUser, u.ID, u.Name
	caller.Email, caller.Organization, caller.Role = u.Email, u.OrganizationID, u.Role
	return o.audit(tx, caller, models.Change{Organization: u.OrganizationID,
		Action: "oidc_subject_bound", TargetKind: "user", TargetID: string(u.ID),
		TargetName: u.Email, After: map[string]string{"issuer": w.issuer, "subject": w.subject}})
}

// about names in the record whose sign-in was refused.
func about(w person, err error) error {
	var f *failure
	if errors.As(err, &f) {
		named := *f
		named.email = w.email
		return &named
	}
	var refusal *models.Refusal
	if errors.As(err, &refusal) {
		return &failure{refusal: refusal, email: w.email}
	}
	return err
}
