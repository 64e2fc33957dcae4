package identity_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/hub/identity"
	"connecthub/hub/identity/passkeytest"
	"connecthub/models"
	"connecthub/models/store"
)

// actor is who the token of a session belongs to.
func (s *scene) actor(in identity.SignedIn) models.Actor {
	s.t.Helper()
	a, err := s.identity.Authenticate(s.t.Context(), in.Token, browser)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// addPasskey gives the actor a passkey, and answers the recovery codes that came with it.
func (s *scene) addPasskey(a models.Actor) (*passkeytest.Key, []string) {
	s.t.Helper()
	begun, err := s.identity.BeginPasskey(s.t.Context(), a)
	if err != nil {
		s.t.Fatal(err)
	}
	key, made, err := passkeytest.Create(origin, begun.Options)
	if err != nil {
		s.t.Fatal(err)
	}
	codes, err := s.identity.FinishPasskey(s.t.Context(), a, begun.Question, "Key", made)
	if err != nil {
		s.t.Fatal(err)
	}
	return key, codes
}

// ask signs in with the password and answers the question that follows.
func (s *scene) ask() identity.Question {
	s.t.Helper()
	in, err := s.signIn(email, s.password)
	if err != nil || in.Question == nil || in.Token != "" {
		s.t.Fatalf("no question: %+v %v", in, err)
	}
	return *in.Question
}

func (s *scene) signed(k *passkeytest.Key, q identity.Question) identity.Answer {
	s.t.Helper()
	credential, err := k.Sign(q.Passkey)
	if err != nil {
		s.t.Fatal(err)
	}
	return identity.Answer{Question: q.ID, Credential: credential}
}

func (s *scene) finish(q identity.Question, a identity.Answer) (identity.SignedIn, error) {
	return s.identity.FinishSignIn(s.t.Context(), browser, q.Browser, a)
}

func TestAPasskeyIsTheSecondFactorFromThenOn(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	key, codes := s.addPasskey(s.actor(s.mustSignIn()))
	if len(codes) != 10 || len(slices.Compact(slices.Sorted(slices.Values(codes)))) != 10 {
		t.Errorf("codes %q", codes)
	}
	q := s.ask()
	if !q.RecoveryCodes || q.Browser == "" || q.ID == q.Browser {
		t.Errorf("%+v", q)
	}
	in, err := s.finish(q, s.signed(key, q))
	if err != nil || in.Token == "" || in.Current.User.Email != email {
		t.Fatalf("%+v %v", in, err)
	}
	_, err = s.signIn(email, "wrong")
	s.refused(err, "wrong_credentials") // who does not know the password learns of no passkey
	another, none := s.addPasskey(s.actor(in))
	if none != nil {
		t.Errorf("the second passkey came with codes: %q", none)
	}
	q = s.ask()
	if _, err := s.finish(q, s.signed(another, q)); err != nil {
		t.Error(err)
	}
}

func TestAChallengeIsAnsweredOnceInItsBrowserForItsPurpose(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	one := s.actor(s.mustSignIn())
	key, _ := s.addPasskey(one)

	q := s.ask()
	answer := s.signed(key, q)
	_, err := s.identity.FinishSignIn(t.Context(), browser, "another browser", answer)
	s.refused(err, "challenge_ended")
	_, err = s.identity.FinishStepUp(t.Context(), one, answer)
	s.refused(err, "challenge_ended")
	_, err = s.identity.FinishPasskey(t.Context(), one, q.ID, "Key", answer.Credential)
	s.refused(err, "challenge_ended")
	if _, err := s.finish(q, answer); err != nil {
		t.Fatal(err)
	}
	_, err = s.finish(q, answer)
	s.refused(err, "challenge_ended")

	q = s.ask()
	answer = s.signed(key, q)
	s.clock.pass(models.ChallengeTTL - time.Millisecond)
	other := s.ask()
	replayed := answer
	replayed.Question = other.ID // the signature covers another challenge
	_, err = s.finish(other, replayed)
	s.refused(err, "wrong_second_factor")
	_, err = s.finish(other, s.signed(key, other))
	s.refused(err, "challenge_ended") // a wrong signature is no slip of the pen
	s.clock.pass(time.Millisecond)
	_, err = s.finish(q, answer)
	s.refused(err, "challenge_ended")
}

func TestAStepUpChallengeBelongsToItsSession(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	first := s.mustSignIn()
	one := s.actor(first)
	key, _ := s.addPasskey(one)
	q := s.ask()
	in, err := s.finish(q, s.signed(key, q))
	if err != nil {
		t.Fatal(err)
	}
	two := s.actor(in)
	s.clock.pass(models.ConfirmationTTL)
	for _, token := range []string{first.Token, in.Token} {
		if entry, err := s.identity.Enter(t.Context(), token, browser); err != nil || entry.Confirmed {
			t.Errorf("still confirmed: %v", err)
		}
	}
	confirmed, err := s.identity.StepUp(t.Context(), two, s.password)
	if err != nil || confirmed.Question == nil {
		t.Fatalf("%+v %v", confirmed, err)
	}
	answer := s.signed(key, *confirmed.Question)
	_, err = s.identity.FinishStepUp(t.Context(), one, answer)
	s.refused(err, "challenge_ended")
	_, err = s.finish(*confirmed.Question, answer)
	s.refused(err, "challenge_ended")
	current, err := s.identity.FinishStepUp(t.Context(), two, answer)
	if err != nil || !current.ConfirmedUntil.Equal(s.clock.Now().Add(models.ConfirmationTTL)) {
		t.Errorf("%+v %v", current, err)
	}
	if entry, _ := s.identity.Enter(t.Context(), in.Token, browser); !entry.Confirmed {
		t.Error("the session was not confirmed")
	}
	if entry, _ := s.identity.Enter(t.Context(), first.Token, browser); entry.Confirmed {
		t.Error("another session was confirmed")
	}
}

func TestAPasskeyThatCountsBackwardsIsRefusedAndRecorded(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	key, _ := s.addPasskey(s.actor(s.mustSignIn()))
	thief := key.Copy()
	for range 3 {
		q := s.ask()
		if _, err := s.finish(q, s.signed(key, q)); err != nil {
			t.Fatal(err)
		}
	}
	q := s.ask()
	_, err := s.finish(q, s.signed(thief, q))
	s.refused(err, "wrong_second_factor")
	tenant, _ := s.identity.Organization(t.Context(), "Example")
	if got := s.actions(tenant.ID)[0]; got != "user passkey_copied "+email {
		t.Errorf("recorded %q", got)
	}
}

func TestAPasskeyAnswersOnlyForItsPersonAndItsSite(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	key, _ := s.addPasskey(s.actor(s.mustSignIn()))
	other, _ := s.otherAdmin()
	foreign, _ := s.addPasskey(other)
	phished := key.Copy()
	phished.Origin = "http://localhost.evil.example:8080"
	port := key.Copy()
	port.Origin = "http://localhost:9999"
	for name, k := range map[string]*passkeytest.Key{"another person's": foreign,
		"another site's": phished, "another port's": port} {
		q := s.ask()
		if _, err := s.finish(q, s.signed(k, q)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for name, credential := range map[string]string{"nothing": "{}", "no JSON": "x",
		"nulls": `{"id":null,"response":null}`, "a list": "[]"} {
		q := s.ask()
		_, err := s.finish(q, identity.Answer{Question: q.ID, Credential: []byte(credential)})
		if err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// otherAdmin is a second full admin of the same organization.
func (s *scene) otherAdmin() (models.Actor, models.User) {
	s.t.Helper()
	tenant, err := s.identity.Organization(s.t.Context(), "Example")
	if err != nil {
		s.t.Fatal(err)
	}
	u, password, err := s.identity.CreateUser(s.t.Context(), hubItself, identity.NewUser{
		Organization: tenant, Email: "other@example.com", Role: models.FullAdmin})
	if err != nil {
		s.t.Fatal(err)
	}
	in, err := s.signIn(u.Email, password)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.actor(in), u
}

func TestARecoveryCodeWorksOnceAndAsPeopleTypeIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	_, codes := s.addPasskey(admin)
	use := func(code string) error {
		q := s.ask()
		_, err := s.finish(q, identity.Answer{Question: q.ID, Recovery: code})
		return err
	}
	if err := use(" " + strings.ToUpper(strings.ReplaceAll(codes[0], "-", " "))); err != nil {
		t.Error(err)
	}
	s.refused(use(codes[0]), "wrong_second_factor")
	renewed, err := s.identity.RenewRecoveryCodes(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	s.refused(use(codes[1]), "wrong_second_factor")
	if err := use(renewed[9]); err != nil {
		t.Error(err)
	}
	account, err := s.identity.Account(t.Context(), admin)
	if err != nil || account.RecoveryCodesLeft != 9 || len(account.Passkeys) != 1 {
		t.Errorf("%+v %v", account, err)
	}
}

func TestAMistypedRecoveryCodeMayBeTypedAgainButNotForEver(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	_, codes := s.addPasskey(s.actor(s.mustSignIn()))
	q := s.ask()
	for range 4 {
		_, err := s.finish(q, identity.Answer{Question: q.ID, Recovery: "0000-0000-0000-0000"})
		s.refused(err, "wrong_second_factor")
	}
	if _, err := s.finish(q, identity.Answer{Question: q.ID, Recovery: codes[0]}); err != nil {
		t.Error(err)
	}
	q = s.ask()
	for range 5 {
		_, err := s.finish(q, identity.Answer{Question: q.ID, Recovery: "0000-0000-0000-0000"})
		s.refused(err, "wrong_second_factor")
	}
	_, err := s.finish(q, identity.Answer{Question: q.ID, Recovery: codes[1]})
	s.refused(err, "challenge_ended")
	for range 2 {
		q = s.ask()
		_, err = s.finish(q, identity.Answer{Question: q.ID, Recovery: "x"})
	}
	s.refused(err, "too_many_attempts")
}

func TestTheStoreHoldsNoChallengeAndNoRecoveryCode(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	_, codes := s.addPasskey(admin)
	q := s.ask()
	err := s.store.View(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Hub().ChallengeByHash(q.ID); err == nil {
			t.Error("the challenge's id itself is stored")
		}
		records, err := tx.In(admin.Organization).Audit(store.AuditQuery{})
		text, _ := json.Marshal(records)
		for _, secret := range append(codes, q.ID, q.Browser) {
			if strings.Contains(string(text), secret) {
				t.Errorf("a record holds %s", secret)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStepUpWithThePasswordAlone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	in := s.mustSignIn()
	admin := s.actor(in)
	confirmed := func() bool {
		entry, err := s.identity.Enter(t.Context(), in.Token, browser)
		if err != nil {
			t.Fatal(err)
		}
		return entry.Confirmed
	}
	s.clock.pass(models.ConfirmationTTL - time.Millisecond)
	if !confirmed() {
		t.Error("signing in counts for five minutes")
	}
	s.clock.pass(time.Millisecond)
	if confirmed() {
		t.Error("confirmed for more than five minutes")
	}
	_, err := s.identity.StepUp(t.Context(), admin, "wrong")
	s.refused(err, "wrong_password")
	if confirmed() {
		t.Error("confirmed by a wrong password")
	}
	if _, err := s.identity.StepUp(t.Context(), admin, s.password); err != nil || !confirmed() {
		t.Errorf("not confirmed: %v", err)
	}
	for range 9 {
		_, err = s.identity.StepUp(t.Context(), admin, "wrong")
		s.refused(err, "wrong_password")
	}
	_, err = s.identity.StepUp(t.Context(), admin, s.password)
	s.refused(err, "too_many_attempts")
	_, err = s.signIn(email, s.password)
	s.refused(err, "too_many_attempts") // one limit for both
}

func TestAnOrganizationThatDemandsASecondFactor(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	in := s.mustSignIn()
	admin := s.actor(in)
	demand := func(factor bool) error {
		_, err := s.identity.SaveOrganization(t.Context(), admin, identity.Settings{Zone: "UTC",
			Language: "en", RequireSecondFactor: factor})
		return err
	}
	s.refused(demand(true), "no_passkey")
	key, _ := s.addPasskey(admin)
	if err := demand(true); err != nil {
		t.Fatal(err)
	}
	other, _ := s.otherAdmin()
	current, err := s.identity.Current(t.Context(), other)
	if err != nil || !current.SecondFactorMissing {
		t.Errorf("%+v %v", current, err)
	}
	s.addPasskey(other)
	if current, _ = s.identity.Current(t.Context(), other); current.SecondFactorMissing {
		t.Error("still missing")
	}
	account, err := s.identity.Account(t.Context(), admin)
	if err != nil || len(account.Passkeys) != 1 {
		t.Fatal(account, err)
	}
	s.refused(s.identity.RemovePasskey(t.Context(), admin, account.Passkeys[0].ID), "last_passkey")
	s.refused(s.identity.RemovePasskey(t.Context(), other, account.Passkeys[0].ID), "not_found")
	if err := demand(false); err != nil {
		t.Fatal(err)
	}
	if err := s.identity.RemovePasskey(t.Context(), admin, account.Passkeys[0].ID); err != nil {
		t.Fatal(err)
	}
	if account, _ = s.identity.Account(t.Context(), admin); account.RecoveryCodesLeft != 0 {
		t.Error("recovery codes outlive the last passkey")
	}
	if in, err := s.signIn(email, s.password); err != nil || in.Question != nil {
		t.Errorf("%+v %v", in, err)
	}
	_ = key
}

func TestPasskeysNeedAName(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	admin := s.actor(s.mustSignIn())
	_, codes := s.addPasskey(admin)
	s.identity = s.identity.At("http://127.0.0.1:8080")
	_, err := s.identity.BeginPasskey(t.Context(), admin)
	s.refused(err, "passkeys_unavailable")
	q := s.ask() // still: a recovery code gets in
	if q.Passkey != nil {
		t.Errorf("asks for a passkey: %s", q.Passkey)
	}
	if _, err := s.finish(q, identity.Answer{Question: q.ID, Recovery: codes[0]}); err != nil {
		t.Error(err)
	}
}
