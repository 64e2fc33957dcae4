package oidc_test

import (
	"net/url"
	"time"

	"connecthub/hub/oidc"
	"connecthub/models"
	"connecthub/tools/oidcprovider/op"
)

func stepUps() []attack {
	return []attack{
		{name: "step-up: a provider that lets in without asking", want: "oidc_not_fresh",
			try: func(s *scene) oidc.Done { return s.unfresh(op.IgnoresPrompt) }},
		{name: "step-up: an old time of signing in", want: "oidc_not_fresh",
			try: func(s *scene) oidc.Done { return s.unfresh(op.StaleAuthTime) }},
		{name: "step-up: no time of signing in", want: "oidc_not_fresh",
			try: func(s *scene) oidc.Done { return s.unfresh(op.NoAuthTime) }},
		{name: "step-up: prompt taken out of the request", want: "oidc_not_fresh",
			try: func(s *scene) oidc.Done {
				b, a := s.tired()
				u, err := url.Parse(b.stepUp(a))
				if err != nil {
					s.t.Fatal(err)
				}
				q := u.Query()
				q.Del("prompt")
				q.Del("max_age")
				u.RawQuery = q.Encode()
				return s.confirming(a, b.finish(b.visit(u.String())))
			}},
		{name: "step-up: somebody else signs in", want: "oidc_other_person",
			try: func(s *scene) oidc.Done {
				b, a := s.tired()
				location := b.stepUp(a)
				b.email = hanako
				return s.confirming(a, b.finish(b.visit(location)))
			}},
		{name: "step-up: another account with the same address", want: "oidc_other_subject",
			try: func(s *scene) oidc.Done {
				b, a := s.tired()
				s.provider.SetUsers(account(taro, "s-another"))
				return s.confirming(a, b.finish(b.visit(b.stepUp(a))))
			}},
		{name: "step-up: a session that has ended", want: "signed_out",
			try: func(s *scene) oidc.Done {
				b, a := s.tired()
				back := b.visit(b.stepUp(a))
				if err := s.identity.SignOut(s.t.Context(), a); err != nil {
					s.t.Fatal(err)
				}
				return b.finish(back)
			}},
		{name: "step-up: the same return twice", want: "oidc_state_invalid",
			try: func(s *scene) oidc.Done {
				b, a := s.tired()
				back := b.visit(b.stepUp(a))
				b.finish(back)
				s.clock.Advance(models.ConfirmationTTL)
				return s.confirming(a, b.finish(back))
			}},
		{name: "step-up: in another browser", want: "oidc_state_invalid",
			try: func(s *scene) oidc.Done {
				b, a := s.tired()
				back := b.visit(b.stepUp(a))
				other := s.browser(taro)
				other.begin()
				return s.confirming(a, other.finish(back))
			}},
	}
}

func (s *scene) tired() (*browser, models.Actor) {
	s.t.Helper()
	b := s.browser(taro)
	a := b.signedIn()
	s.clock.Advance(models.ConfirmationTTL + time.Second)
	return b, a
}

func (s *scene) unfresh(odd op.Misbehaviour) oidc.Done {
	b, a := s.tired()
	s.provider.Misbehave(odd)
	return s.confirming(a, b.finish(b.visit(b.stepUp(a))))
}

func (s *scene) confirming(a models.Actor, done oidc.Done) oidc.Done {
	if s.confirmedUntil(a).After(s.clock.Now()) {
		done.Token = "confirmed"
	}
	return done
}
