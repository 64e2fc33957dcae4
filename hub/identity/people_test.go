package identity_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"connecthub/hub/identity"
	"connecthub/models"
	"connecthub/models/store"
)

// tenant makes another organization.
func (s *scene) tenant(name string) models.Organization {
	s.t.Helper()
	o, err := s.identity.CreateOrganization(s.t.Context(), hubItself, name, "UTC", "en")
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

// invite answers the token of the link.
func (s *scene) invite(a models.Actor, o models.OrganizationID, email string,
	role models.Role) (models.Invitation, string) {
	s.t.Helper()
	n, link, err := s.identity.Invite(s.t.Context(), a, o, email, role)
	if err != nil {
		s.t.Fatal(err)
	}
	token, ok := strings.CutPrefix(link, origin+"/invitation#")
	if !ok {
		s.t.Fatalf("link %s", link)
	}
	return n, token
}

const newPassword = "violet harbour 81 kettles"

func (s *scene) accept(token, password string) (identity.SignedIn, error) {
	return s.identity.AcceptInvitation(s.t.Context(), browser, token, "New Person", password)
}

func TestAnInvitationLetsOnePersonInOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	_, token := s.invite(admin, admin.Organization, " New@Example.com", models.ReadOnlyAdmin)
	offer, err := s.identity.InspectInvitation(t.Context(), token)
	if err != nil || offer.Organization.Name != "Example" || offer.Invitation.Email != "new@example.com" ||
		offer.Invitation.InvitedBy != email {
		t.Fatalf("%+v %v", offer, err)
	}
	_, err = s.accept(token, "short")
	s.refused(err, "weak_password")
	in, err := s.accept(token, newPassword)
	if err != nil || in.Current.User.Role != models.ReadOnlyAdmin ||
		in.Current.User.Name != "New Person" || in.Current.Organization.Name != "Example" {
		t.Fatalf("%+v %v", in, err)
	}
	s.actor(in)
	_, err = s.accept(token, newPassword)
	s.refused(err, "invitation_ended")
	if _, err := s.signIn("new@example.com", newPassword); err != nil {
		t.Error(err)
	}
	_, _, err = s.identity.Invite(t.Context(), admin, admin.Organization, "NEW@example.com",
		models.FullAdmin)
	s.refused(err, "email_taken")
}

func TestAnInvitationEnds(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	_, replaced := s.invite(admin, admin.Organization, "new@example.com", models.FullAdmin)
	withdrawn, second := s.invite(admin, admin.Organization, "new@example.com", models.FullAdmin)
	if all, err := s.identity.Invitations(t.Context(), admin); err != nil || len(all) != 1 {
		t.Errorf("%v %v", all, err)
	}
	if err := s.identity.WithdrawInvitation(t.Context(), admin, withdrawn.ID); err != nil {
		t.Error(err)
	}
	s.refused(s.identity.WithdrawInvitation(t.Context(), admin, withdrawn.ID), "not_found")
	_, late := s.invite(admin, admin.Organization, "late@example.com", models.FullAdmin)
	s.clock.pass(models.InvitationTTL - time.Millisecond)
	if _, err := s.identity.InspectInvitation(t.Context(), late); err != nil {
		t.Errorf("before its end: %v", err)
	}
	s.clock.pass(time.Millisecond)
	for _, token := range []string{replaced, second, late, "", "nonsense", strings.Repeat("x", 256)} {
		_, err := s.identity.InspectInvitation(t.Context(), token)
		s.refused(err, "invitation_ended")
		_, err = s.accept(token, newPassword)
		s.refused(err, "invitation_ended")
	}
}

func TestR29AnInvitationDoesNotTellWhomTheHubKnows(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	other := s.tenant("Other")
	if err := s.identity.SetDomain(t.Context(), hubItself, "Example", "Example.com."); err != nil {
		t.Fatal(err)
	}
	theirs := models.Actor{Kind: models.ActorUser, Name: "x", Organization: other.ID}
	// the address of the other tenant's admin, and one of its domain that nobody has
	for _, address := range []string{email, "nobody@example.com"} {
		n, token := s.invite(theirs, other.ID, address, models.FullAdmin)
		if n.Email != address {
			t.Errorf("%+v", n)
		}
		_, err := s.accept(token, newPassword)
		s.refused(err, "email_elsewhere")
	}
	_, token := s.invite(theirs, other.ID, "new@other.example", models.FullAdmin)
	if _, err := s.accept(token, newPassword); err != nil {
		t.Error(err)
	}
	own, _ := s.identity.Organization(t.Context(), "Example")
	_, token = s.invite(hubItself, own.ID, "new@example.com", models.FullAdmin)
	if _, err := s.accept(token, newPassword); err != nil {
		t.Errorf("its own domain: %v", err)
	}
}

func TestR29InvitationsAreForRolesOfTheOrganization(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	vendor, err := s.identity.Vendor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.identity.Invite(t.Context(), admin, admin.Organization, "e@example.com",
		models.ReleaseEngineer)
	s.refused(err, "invalid_role")
	_, _, err = s.identity.Invite(t.Context(), hubItself, vendor.ID, "e@example.com", models.FullAdmin)
	s.refused(err, "invalid_role")
	s.invite(hubItself, vendor.ID, "e@example.com", models.ReleaseEngineer)
}

func TestInvitationsAreBounded(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	invite := func(name string) error {
		_, _, err := s.identity.Invite(t.Context(), admin, admin.Organization, name+"@example.net",
			models.FullAdmin)
		return err
	}
	for n := range 100 {
		if err := invite("a" + strings.Repeat("x", n%50) + string(rune('a'+n/50))); err != nil {
			t.Fatal(err)
		}
	}
	s.refused(invite("one-too-many"), "too_many_invitations")
}

func TestARoleThatIsTakenActsAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	other, user := s.otherAdmin()
	_, secret, err := s.identity.CreateToken(t.Context(), other, identity.NewToken{Name: "T",
		Scopes: []models.Scope{models.ScopeClustersWrite}, Days: 1})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.identity.SetRole(t.Context(), admin, user.ID, models.ReadOnlyAdmin)
	if err != nil || p.User.Role != models.ReadOnlyAdmin {
		t.Fatalf("%+v %v", p, err)
	}
	s.refused(s.identity.Alive(t.Context(), other.SessionHash), "signed_out")
	_, err = s.identity.EnterWithToken(t.Context(), secret, browser)
	s.refused(err, "invalid_api_token")
	before := len(s.actions(admin.Organization))
	if _, err := s.identity.SetRole(t.Context(), admin, user.ID, models.ReadOnlyAdmin); err != nil {
		t.Error(err)
	}
	if len(s.actions(admin.Organization)) != before {
		t.Error("the same role again left a record")
	}
	_, err = s.identity.SetRole(t.Context(), admin, user.ID, models.ReleaseEngineer)
	s.refused(err, "invalid_role")
	_, err = s.identity.SetRole(t.Context(), admin, "nobody", models.FullAdmin)
	s.refused(err, "not_found")
}

func TestAtLeastOneFullAdminStays(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	_, err := s.identity.SetRole(t.Context(), admin, admin.UserID, models.ReadOnlyAdmin)
	s.refused(err, "last_full_admin")
	_, err = s.identity.DisableUser(t.Context(), admin, admin.UserID)
	s.refused(err, "last_full_admin")
	other, user := s.otherAdmin()
	if _, err := s.identity.DisableUser(t.Context(), admin, user.ID); err != nil {
		t.Fatal(err)
	}
	s.refused(s.identity.Alive(t.Context(), other.SessionHash), "signed_out")
	_, err = s.identity.SetRole(t.Context(), admin, admin.UserID, models.ReadOnlyAdmin)
	s.refused(err, "last_full_admin") // a disabled one does not count
	if err := s.identity.Alive(t.Context(), admin.SessionHash); err != nil {
		t.Errorf("a refused change ended the session: %v", err)
	}
	if _, err := s.identity.EnableUser(t.Context(), admin, user.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.identity.SetRole(t.Context(), admin, admin.UserID, models.ReadOnlyAdmin); err != nil {
		t.Error(err)
	}
}

func TestADisabledPersonIsNobody(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	_, user := s.otherAdmin()
	password, _, err := s.identity.ResetPassword(t.Context(), hubItself, user.Email, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.identity.DisableUser(t.Context(), admin, user.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.signIn(user.Email, password)
	s.refused(err, "wrong_credentials")
	if _, err := s.identity.EnableUser(t.Context(), admin, user.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.signIn(user.Email, password); err != nil {
		t.Error(err)
	}
}

func TestResettingASecondFactorEndsTheSessions(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	other, user := s.otherAdmin()
	s.addPasskey(other)
	people, err := s.identity.People(t.Context(), admin)
	if err != nil || len(people) != 2 || people[0].SecondFactor || !people[1].SecondFactor {
		t.Fatalf("%+v %v", people, err)
	}
	p, err := s.identity.ResetSecondFactor(t.Context(), admin, user.ID)
	if err != nil || p.SecondFactor {
		t.Fatalf("%+v %v", p, err)
	}
	s.refused(s.identity.Alive(t.Context(), other.SessionHash), "signed_out")
}

func TestR29WhoeverSignsInAPasswordIsHashed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	_, disabled := s.otherAdmin()
	if _, err := s.identity.DisableUser(t.Context(), admin, disabled.ID); err != nil {
		t.Fatal(err)
	}
	s.invite(admin, admin.Organization, "vouched@example.com", models.FullAdmin)
	_, err := s.identity.SignInVerified(t.Context(), browser, identity.VerifiedPerson{
		Organization: admin.Organization, Email: "vouched@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	shut := s.tenant("Shut")
	_, token := s.invite(hubItself, shut.ID, "shut@example.net", models.FullAdmin)
	if _, err := s.accept(token, newPassword); err != nil {
		t.Fatal(err)
	}
	if err := s.identity.DisableOrganization(t.Context(), hubItself, "Shut"); err != nil {
		t.Fatal(err)
	}
	identity.Busy(s.identity)
	for _, address := range []string{email, "nobody@example.com", disabled.Email,
		"vouched@example.com", "shut@example.net", "no address"} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err := s.identity.SignIn(ctx, browser, address, "whatever it is")
		cancel()
		var refusal *models.Refusal
		if errors.As(err, &refusal) {
			t.Errorf("%s was answered without a hash: %v", address, err)
		}
	}
}

func TestADisabledOrganizationIsShut(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	_, token := s.invite(admin, admin.Organization, "new@example.com", models.FullAdmin)
	_, secret, err := s.identity.CreateToken(t.Context(), admin, identity.NewToken{Name: "T",
		Scopes: []models.Scope{models.ScopeClustersRead}, Days: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice is once
		if err := s.identity.DisableOrganization(t.Context(), hubItself, "EXAMPLE"); err != nil {
			t.Fatal(err)
		}
	}
	_, err = s.signIn(email, s.password)
	s.refused(err, "wrong_credentials")
	s.refused(s.identity.Alive(t.Context(), admin.SessionHash), "signed_out")
	_, err = s.identity.EnterWithToken(t.Context(), secret, browser)
	s.refused(err, "invalid_api_token")
	_, err = s.accept(token, newPassword)
	s.refused(err, "invitation_ended")
	_, err = s.identity.SignInVerified(t.Context(), browser, identity.VerifiedPerson{
		Organization: admin.Organization, Email: email})
	s.refused(err, "oidc_unknown_person")
	if err := s.identity.EnableOrganization(t.Context(), hubItself, "Example"); err != nil {
		t.Fatal(err)
	}
	s.mustSignIn()
	if got := s.actions(admin.Organization); strings.Count(strings.Join(got, "\n"), "organization_disabled") != 1 {
		t.Errorf("records %q", got)
	}
	s.refused(s.identity.DisableOrganization(t.Context(), hubItself, "Vendor"), "vendor_stays")
	s.refused(s.identity.DisableOrganization(t.Context(), hubItself, "Nobody"), "not_found")
}

func TestADomainBelongsToOneOrganization(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.tenant("Other")
	set := func(name, domain string) error {
		return s.identity.SetDomain(t.Context(), hubItself, name, domain)
	}
	if err := set("Example", "Example.COM"); err != nil {
		t.Fatal(err)
	}
	s.refused(set("Other", "example.com"), "domain_taken")
	s.refused(set("Other", "no domain"), "invalid_domain")
	s.refused(set("Other", "192.0.2.1"), "invalid_domain")
	if err := errors.Join(set("Example", ""), set("Other", "example.com")); err != nil {
		t.Error(err)
	}
}

func (s *scene) change(a models.Actor, current, next string) error {
	s.t.Helper()
	return s.identity.ChangePassword(s.t.Context(), a,
		identity.PasswordChange{Current: current, New: next})
}

func TestTheOwnPasswordIsChangedByWhoKnowsIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	one, other := s.mustSignIn(), s.mustSignIn()
	admin := s.actor(one)
	s.refused(s.change(admin, "wrong", newPassword), "wrong_password")
	s.refused(s.change(admin, s.password, "short"), "weak_password")
	s.refused(s.change(admin, s.password, "admin@example.com"), "breached_password")
	if err := s.change(admin, s.password, newPassword); err != nil {
		t.Fatal(err)
	}
	s.actor(one)
	_, err := s.identity.Authenticate(t.Context(), other.Token, browser)
	s.refused(err, "signed_out")
	_, err = s.signIn(email, s.password)
	s.refused(err, "wrong_credentials")
	s.password = newPassword
	in := s.mustSignIn()
	if in.Current.User.PasswordChangedAt == nil {
		t.Error("not noted")
	}
}

func TestTheOwnSessionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	one, other := s.mustSignIn(), s.mustSignIn()
	admin := s.actor(one)
	stranger, _ := s.otherAdmin()
	all, err := s.identity.Sessions(t.Context(), admin)
	if err != nil || len(all) != 2 || all[0].Address != browser.Address ||
		all[0].Method != models.MethodPassword {
		t.Fatalf("%+v %v", all, err)
	}
	for _, session := range all {
		s.refused(s.identity.EndSession(t.Context(), stranger, session.ID), "not_found")
		if session.IDHash != admin.SessionHash {
			if err := s.identity.EndSession(t.Context(), admin, session.ID); err != nil {
				t.Error(err)
			}
		}
	}
	_, err = s.identity.Authenticate(t.Context(), other.Token, browser)
	s.refused(err, "signed_out")
	s.actor(one)
	s.clock.pass(identity.SessionIdle)
	if all, err := s.identity.Sessions(t.Context(), admin); err != nil || len(all) != 0 {
		t.Errorf("ended ones are listed: %+v %v", all, err)
	}
}

func TestAPersonWhomAProviderVouchesFor(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	verified := func(address string, fresh bool) (identity.SignedIn, error) {
		return s.identity.SignInVerified(t.Context(), browser, identity.VerifiedPerson{
			Organization: admin.Organization, Email: address, Name: "Vouched", Confirmed: fresh})
	}
	in, err := verified(email, false)
	if err != nil || in.Current.Method != models.MethodOIDC {
		t.Fatalf("%+v %v", in, err)
	}
	if entry, _ := s.identity.Enter(t.Context(), in.Token, browser); entry.Confirmed {
		t.Error("confirmed by an old sign-in at the provider")
	}
	if err := s.identity.ConfirmVerified(t.Context(), browser, admin.Organization,
		s.actor(in).SessionHash, admin.UserID); err != nil {
		t.Error(err)
	}
	if entry, _ := s.identity.Enter(t.Context(), in.Token, browser); !entry.Confirmed {
		t.Error("not confirmed")
	}
	s.refused(s.identity.ConfirmVerified(t.Context(), browser, admin.Organization,
		s.actor(in).SessionHash, "another"), "signed_out")
	_, err = verified("stranger@example.com", true)
	s.refused(err, "oidc_unknown_person")
	s.invite(admin, admin.Organization, "invited@example.com", models.ReadOnlyAdmin)
	undone := errors.New("undone")
	_, err = s.identity.SignInVerified(t.Context(), browser, identity.VerifiedPerson{
		Organization: admin.Organization, Email: "invited@example.com",
		Within: func(*store.Tx, models.User) error { return undone }})
	if !errors.Is(err, undone) {
		t.Errorf("%v", err)
	}
	in, err = verified("Invited@example.com", true)
	if err != nil || in.Current.User.Role != models.ReadOnlyAdmin || in.Current.User.Name != "Vouched" {
		t.Fatalf("%+v %v", in, err)
	}
	_, err = s.identity.StepUp(t.Context(), s.actor(in), "")
	s.refused(err, "no_password")
	_, err = s.signIn("invited@example.com", "")
	s.refused(err, "wrong_credentials")
	other := s.tenant("Other")
	_, err = s.identity.SignInVerified(t.Context(), browser, identity.VerifiedPerson{
		Organization: other.ID, Email: email})
	s.refused(err, "oidc_unknown_person")
}

func TestAProviderThatIsTheOnlyWayIn(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	err := s.store.Update(t.Context(), func(tx *store.Tx) error {
		return tx.In(admin.Organization).SetOIDCProvider(models.OIDCProvider{
			Issuer: "https://id.example.com", ClientID: "hub", Required: true, SetAt: s.clock.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.signIn(email, s.password)
	s.refused(err, "oidc_required")
	_, err = s.signIn(email, "wrong")
	s.refused(err, "wrong_credentials")
	_, err = s.identity.StepUp(t.Context(), admin, s.password)
	s.refused(err, "oidc_required")
	_, token := s.invite(admin, admin.Organization, "new@example.com", models.FullAdmin)
	_, err = s.accept(token, newPassword)
	s.refused(err, "oidc_required")
}
