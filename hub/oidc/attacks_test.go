package oidc_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"connecthub/hub/oidc"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/tools/oidcprovider/op"
)

// attack is one way to get in without a right to. It answers what the hub made of it.
type attack struct {
	name string
	want models.Code
	try  func(s *scene) oidc.Done
	// unknown: nobody can say whose journey it was, so that there is no record.
	unknown bool
}

// lies are attacks by a provider that says something wrong during an otherwise right journey.
func lies() []attack {
	failed := models.Code("oidc_failed")
	var all []attack
	for _, lie := range []struct {
		odd  op.Misbehaviour
		want models.Code
	}{
		{op.WrongNonce, failed}, {op.NoNonce, failed}, {op.WrongAudience, failed},
		{op.MoreAudiences, failed}, {op.WrongParty, failed}, {op.WrongIssuer, failed},
		{op.Unsigned, failed}, {op.SharedSecret, failed}, {op.ClientSecret, failed},
		{op.WrongKey, failed}, {op.OtherPayload, failed}, {op.Expired, failed},
		{op.FutureIssued, failed}, {op.OldIssued, failed}, {op.NotYet, failed},
		{op.FutureAuthTime, failed}, {op.NoSubject, failed}, {op.WrongTokenHash, failed},
		{op.NoIDToken, failed}, {op.UserInfoOfAnother, failed}, {op.WrongIssParameter, failed},
		{op.NoIssParameter, failed}, {op.HugeKeys, failed}, {op.SlowKeys, failed},
		{op.UnverifiedEmail, "oidc_email_not_verified"},
		{op.SilentEmail, "oidc_email_not_verified"}, {op.NoEmail, "oidc_email_not_verified"},
		{op.HugeToken, "oidc_unavailable"}, {op.SlowToken, "oidc_unavailable"},
		{op.TokenElsewhere, failed}, {op.Down, "oidc_unavailable"},
	} {
		all = append(all, attack{name: "a provider with " + string(lie.odd), want: lie.want,
			try: func(s *scene) oidc.Done {
				if lie.odd == op.SlowKeys || lie.odd == op.SlowToken {
					s.impatient()
				}
				b := s.browser(taro)
				location := b.begin()
				if lie.odd == op.Down {
					back := b.visit(location)
					s.provider.Misbehave(lie.odd)
					return b.finish(back)
				}
				s.provider.Misbehave(lie.odd)
				return b.finish(b.visit(location))
			}})
	}
	return all
}

// journeys are attacks by browsers, with a provider that is right.
func journeys() []attack {
	invalid, unknown := models.Code("oidc_state_invalid"), models.Code("oidc_unknown_person")
	return []attack{
		{name: "the same return twice", want: invalid, try: func(s *scene) oidc.Done {
			b := s.browser(taro)
			back := b.visit(b.begin())
			if b.finish(back).Token == "" {
				s.t.Error("the first return does not count")
			}
			return b.finish(back)
		}},
		{name: "a return that was refused, again", want: invalid, try: func(s *scene) oidc.Done {
			b := s.browser(taro)
			back := b.visit(b.begin())
			s.provider.Misbehave(op.Expired)
			b.finish(back)
			s.provider.Misbehave()
			return b.finish(back)
		}},
		{name: "a state in another browser", want: invalid, try: func(s *scene) oidc.Done {
			mine, other := s.browser(taro), s.browser(hanako)
			back := mine.visit(mine.begin())
			other.begin()
			return other.finish(back)
		}},
		{name: "a return without a cookie", want: invalid, try: func(s *scene) oidc.Done {
			b := s.browser(taro)
			back := b.visit(b.begin())
			b.cookie = ""
			return b.finish(back)
		}},
		{name: "a return with a cookie of nobody", want: invalid, try: func(s *scene) oidc.Done {
			b := s.browser(taro)
			back := b.visit(b.begin())
			b.cookie = strings.Repeat("A", 43)
			return b.finish(back)
		}},
		{name: "no state", want: invalid, unknown: true, try: func(s *scene) oidc.Done {
			return s.browser(taro).changed(func(r *oidc.Return) { r.State = "" })
		}},
		{name: "a state that nobody gave", want: invalid, unknown: true, try: func(s *scene) oidc.Done {
			return s.browser(taro).changed(func(r *oidc.Return) { r.State = strings.Repeat("B", 43) })
		}},
		{name: "an endless state", want: invalid, unknown: true, try: func(s *scene) oidc.Done {
			return s.browser(taro).changed(func(r *oidc.Return) { r.State = strings.Repeat("B", 1<<20) })
		}},
		{name: "a state after ten minutes", want: invalid, try: func(s *scene) oidc.Done {
			b := s.browser(taro)
			location := b.begin()
			s.clock.Advance(models.OIDCLoginTTL)
			return b.finish(b.visit(location))
		}},
		{name: "an endless code", want: "oidc_failed", try: func(s *scene) oidc.Done {
			return s.browser(taro).changed(func(r *oidc.Return) { r.Code = strings.Repeat("c", 1<<20) })
		}},
		{name: "no code", want: "oidc_failed", try: func(s *scene) oidc.Done {
			return s.browser(taro).changed(func(r *oidc.Return) { r.Code = "" })
		}},
		{name: "a code that nobody gave", want: "oidc_failed", try: func(s *scene) oidc.Done {
			return s.browser(taro).changed(func(r *oidc.Return) { r.Code = strings.Repeat("c", 43) })
		}},
		{name: "a victim's code in the journey of another", want: "oidc_failed",
			try: func(s *scene) oidc.Done {
				victim, thief := s.browser(taro), s.browser(hanako)
				stolen := victim.visit(victim.begin()).Query().Get("code")
				return thief.changed(func(r *oidc.Return) { r.Code = stolen })
			}},
		{name: "the code of an earlier journey of one's own", want: "oidc_failed",
			try: func(s *scene) oidc.Done {
				b := s.browser(taro)
				old := b.visit(b.begin()).Query().Get("code")
				return b.changed(func(r *oidc.Return) { r.Code = old })
			}},
		{name: "PKCE taken out of the request", want: "oidc_failed", try: func(s *scene) oidc.Done {
			return s.browser(taro).downgraded("code_challenge", "code_challenge_method")
		}},
		{name: "PKCE made plain", want: "oidc_failed", try: func(s *scene) oidc.Done {
			return s.browser(taro).downgraded("code_challenge_method")
		}},
		{name: "the nonce taken out of the request", want: "oidc_failed",
			try: func(s *scene) oidc.Done { return s.browser(taro).downgraded("nonce") }},
		{name: "an error of the provider", want: "oidc_failed", try: func(s *scene) oidc.Done {
			return s.browser(taro).changed(func(r *oidc.Return) { r.Error = "<script>" })
		}},
		{name: "a person who cancels", want: "oidc_denied", try: func(s *scene) oidc.Done {
			b := s.browser(taro)
			location := b.begin()
			form := fields(s.t, b.get(location))
			form.Set("action", "cancel")
			return b.finish(b.post(location, form))
		}},
		{name: "somebody unknown", want: unknown, try: func(s *scene) oidc.Done {
			return s.browser(stranger).signIn()
		}},
		{name: "somebody disabled", want: unknown, try: func(s *scene) oidc.Done {
			s.update(func(tx *store.Tx) error {
				return tx.In(s.acme.ID).DisableUser(s.users[taro].ID, s.clock.Now())
			})
			return s.browser(taro).signIn()
		}},
		{name: "an organization that was disabled meanwhile", want: unknown,
			try: func(s *scene) oidc.Done {
				b := s.browser(taro)
				location := b.begin()
				s.update(func(tx *store.Tx) error {
					return tx.Hub().DisableOrganization(s.acme.ID, s.clock.Now())
				})
				return b.finish(b.visit(location))
			}},
		{name: "an invitation that was withdrawn", want: unknown, try: func(s *scene) oidc.Done {
			s.invite(s.acme, newcomer)
			s.update(func(tx *store.Tx) error {
				_, err := tx.In(s.acme.ID).EndInvitationsOf(newcomer, s.clock.Now())
				return err
			})
			return s.browser(newcomer).signIn()
		}},
		{name: "an invitation that has expired", want: unknown, try: func(s *scene) oidc.Done {
			s.invite(s.acme, newcomer)
			s.clock.Advance(models.InvitationTTL)
			return s.browser(newcomer).signIn()
		}},
		{name: "an invitation of another organization", want: unknown,
			try: func(s *scene) oidc.Done {
				s.invite(s.organization("Other", "other.example"), newcomer)
				return s.browser(newcomer).signIn()
			}},
		{name: "a person of another organization with an address of this domain", want: unknown,
			try: func(s *scene) oidc.Done {
				s.user(s.organization("Other", "other.example"), stranger)
				return s.browser(stranger).signIn()
			}},
		{name: "the address of a person in another organization", want: unknown,
			try: func(s *scene) oidc.Done {
				s.user(s.organization("Other", "other.example"), "admin@other.example")
				return s.claiming("admin@other.example")
			}},
		{name: "an address in another domain, invited", want: unknown,
			try: func(s *scene) oidc.Done {
				s.invite(s.acme, "x@evil.example")
				return s.claiming("x@evil.example")
			}},
		{name: "an address below the domain", want: unknown, try: func(s *scene) oidc.Done {
			s.invite(s.acme, "x@sub.acme.example")
			return s.claiming("x@sub.acme.example")
		}},
		{name: "an address that ends as the domain does", want: unknown,
			try: func(s *scene) oidc.Done {
				s.invite(s.acme, "x@evilacme.example")
				return s.claiming("x@evilacme.example")
			}},
		{name: "an address with two signs", want: unknown, try: func(s *scene) oidc.Done {
			return s.claiming("x@evil.example@acme.example")
		}},
		{name: "an address with a name in it", want: "invalid_email", try: func(s *scene) oidc.Done {
			return s.claiming("<" + taro)
		}},
		{name: "an address with a zero byte", want: "oidc_email_not_verified", try: func(s *scene) oidc.Done {
			return s.claiming("taro\x00@acme.example")
		}},
		{name: "a domain that the operator took away", want: unknown, try: func(s *scene) oidc.Done {
			b := s.browser(taro)
			location := b.begin()
			s.update(func(tx *store.Tx) error { return tx.Hub().SetDomain(s.acme.ID, "") })
			return b.finish(b.visit(location))
		}},
		{name: "an address that was given to somebody else", want: "oidc_other_subject",
			try: func(s *scene) oidc.Done {
				s.browser(taro).signedIn()
				s.provider.SetUsers(account(taro, "s-another"))
				return s.browser(taro).signIn()
			}},
		{name: "a person who takes the address of another", want: "oidc_other_subject",
			try: func(s *scene) oidc.Done {
				s.browser(hanako).signedIn()
				s.provider.SetUsers(account(taro, subjHanako))
				return s.browser(taro).signIn()
			}},
		{name: "a bound person who takes the address of another bound one", want: "oidc_other_subject",
			try: func(s *scene) oidc.Done {
				s.browser(taro).signedIn()
				s.browser(hanako).signedIn()
				s.provider.SetUsers(account(taro, subjHanako))
				return s.browser(taro).signIn()
			}},
		{name: "a person who takes an invited address", want: "oidc_other_subject",
			try: func(s *scene) oidc.Done {
				s.browser(hanako).signedIn()
				s.invite(s.acme, newcomer)
				s.provider.SetUsers(account(newcomer, subjHanako))
				return s.browser(newcomer).signIn()
			}},
		{name: "a provider that was removed meanwhile", want: invalid, try: func(s *scene) oidc.Done {
			b := s.browser(taro)
			back := b.visit(b.begin())
			if err := s.oidc.Remove(s.t.Context(), caller, s.acme.ID); err != nil {
				s.t.Fatal(err)
			}
			return b.finish(back)
		}},
		{name: "a provider that was exchanged meanwhile", want: invalid, try: func(s *scene) oidc.Done {
			b := s.browser(taro)
			back := b.visit(b.begin())
			_, other := s.newProvider(op.Client{ID: "hub", Secret: "client secret"})
			s.set(s.acme, other)
			return b.finish(back)
		}},
		{name: "mix-up: a code of one provider in a journey to another", want: invalid,
			try: (*scene).mixedUp},
		{name: "mix-up at the address of the hostile one", want: "oidc_failed",
			try: (*scene).mixedUpAtHome},
		{name: "a client secret of another organization's row", want: "oidc_failed",
			try: func(s *scene) oidc.Done {
				b := s.browser(taro)
				back := b.visit(b.begin())
				s.swapSecret()
				return b.finish(back)
			}},
	}
}

// changed is a journey whose return somebody has changed.
func (b *browser) changed(change func(*oidc.Return)) oidc.Done {
	r := b.returning(b.visit(b.begin()))
	change(&r)
	return b.oidc.Finish(b.t.Context(), caller, r)
}

// downgraded is a journey whose request lost some of its parts on the way.
func (b *browser) downgraded(without ...string) oidc.Done {
	b.t.Helper()
	u, err := url.Parse(b.begin())
	if err != nil {
		b.t.Fatal(err)
	}
	q := u.Query()
	for _, name := range without {
		q.Del(name)
	}
	u.RawQuery = q.Encode()
	return b.finish(b.visit(u.String()))
}

// claiming is a journey in which the provider vouches for an address that it should not.
func (s *scene) claiming(email string) oidc.Done {
	s.t.Helper()
	u := account(taro, subjTaro)
	s.provider.SetUsers(u)
	b := s.browser(taro)
	back := b.visit(b.begin())
	u.Email = email
	s.provider.SetUsers(u)
	return b.finish(back)
}

// hostile is another tenant with a provider of its own, which is after Acme's people. Its page sends
// the browser of a victim, who was made to begin there, on to Acme's provider.
func (s *scene) hostile() (*op.Provider, models.Organization) {
	s.t.Helper()
	evil := s.organization("Evil", "evil.example")
	p, issuer := s.newProvider(op.Client{ID: "hub", Secret: "secret of evil"})
	p.AddClient(op.Client{ID: "hub-evil", Secret: "secret of evil",
		RedirectURIs: []string{s.oidc.RedirectURL(evil.ID)}})
	err := s.oidc.Set(s.t.Context(), caller, evil.ID, oidc.Settings{Issuer: issuer,
		ClientID: "hub-evil", Secret: "secret of evil"}, false)
	if err != nil {
		s.t.Fatal(err)
	}
	return p, evil
}

// mixedUp: the hostile provider rewrites the request for Acme's, keeping state, nonce and challenge.
func (s *scene) mixedUp() oidc.Done {
	_, back, b := s.rewritten()
	return b.finish(back)
}

// mixedUpAtHome: it even brings the code to its own address, where the hub would hand it to the
// hostile token endpoint.
func (s *scene) mixedUpAtHome() oidc.Done {
	evil, back, b := s.rewritten()
	r := b.returning(back)
	r.Organization = evil.ID
	return b.oidc.Finish(s.t.Context(), caller, r)
}

func (s *scene) rewritten() (models.Organization, *url.URL, *browser) {
	s.t.Helper()
	_, evil := s.hostile()
	b := s.browser("victim@evil.example")
	u, err := url.Parse(b.begin())
	if err != nil {
		s.t.Fatal(err)
	}
	honest, err := url.Parse(s.issuer + "/authorize")
	if err != nil {
		s.t.Fatal(err)
	}
	q := u.Query()
	q.Set("client_id", "hub")
	q.Set("redirect_uri", s.oidc.RedirectURL(s.acme.ID))
	honest.RawQuery = q.Encode()
	b.email = taro
	return evil, b.visit(honest.String()), b
}

// swapSecret puts the sealed secret of another organization into Acme's row.
func (s *scene) swapSecret() {
	s.t.Helper()
	_, evil := s.hostile()
	s.update(func(tx *store.Tx) error {
		theirs, err := tx.In(evil.ID).OIDCProvider()
		if err != nil {
			return err
		}
		mine, err := tx.In(s.acme.ID).OIDCProvider()
		if err != nil {
			return err
		}
		mine.SealedSecret = theirs.SealedSecret
		return tx.In(s.acme.ID).SetOIDCProvider(*mine)
	})
}

// stepUps are attacks on a session that wants to be confirmed. Accepted is one that is.
// tired is somebody whose confirmation has passed.
// confirming makes a confirmed session look like a new one, so that both count as accepted.
// Each attack is refused with its own sentence, begins and confirms no session, sends the browser
// nowhere but to the console, and is recorded. Without what is wrong the same journeys succeed.
func TestNoAttackOnSigningInThroughAProviderIsAccepted(t *testing.T) {
	t.Parallel()
	all := append(append(lies(), journeys()...), stepUps()...)
	var mu sync.Mutex
	tried, accepted, unexplained := 0, 0, 0
	t.Run("all", func(t *testing.T) {
		for n, d := range databases() {
			for _, a := range all[n*len(lies()):] { // what is stored, on both databases
				t.Run(d.name+"/"+a.name, func(t *testing.T) {
					t.Parallel()
					s := newSceneOn(t, d)
					before := len(s.records("sign_in_refused"))
					done := a.try(s)
					mu.Lock()
					defer mu.Unlock()
					tried++
					if done.Token != "" {
						accepted++
						t.Errorf("accepted: %+v", done)
					}
					if got := problem(t, done); got != string(a.want) {
						unexplained++
						t.Errorf("the person is told %q, want %q (%s)", got, a.want, done.Location)
					}
					if !strings.HasPrefix(done.Location, "/") || strings.HasPrefix(done.Location, "//") {
						t.Errorf("the browser is sent to %s", done.Location)
					}
					if recorded := len(s.records("sign_in_refused")) - before; !a.unknown && recorded == 0 {
						t.Error("nothing is recorded")
					}
				})
			}
		}
	})
	begun, begins := refusedAtBegin(t)
	returns := openRedirects(t)
	fmt.Printf("proof 3.10-oidc attacks=%d dialects=2 tried=%d accepted=%d unexplained=%d "+
		"hostile_discoveries=%d used=%d open_redirects=%d\n", len(all), tried, accepted,
		unexplained, begins, begun, returns)
	if tried != 2*len(all)-len(lies()) || accepted+unexplained+begun+returns > 0 {
		t.Errorf("%d of %d tried", tried, 2*len(all))
	}
}

// refusedAtBegin answers how many discovery documents that no provider should have were used, of how
// many.
func refusedAtBegin(t *testing.T) (used, tried int) {
	t.Helper()
	s := newScene(t)
	for _, odd := range []op.Misbehaviour{op.DiscoveryOfAnother, op.ForeignEndpoints,
		op.PlainEndpoints, op.NoS256, op.WeakAlgorithms, op.HugeDiscovery, op.SlowDiscovery, op.Down} {
		s.provider.Misbehave(odd)
		s.impatient()
		_, err := s.oidc.Begin(t.Context(), caller, oidc.Beginning{Email: taro})
		if err == nil {
			used++
		}
		s.refused(err, "oidc_unavailable")
		tried++
	}
	s.provider.Misbehave()
	s.restart()
	s.browser(taro).signedIn()
	return used, tried
}

// openRedirects answers how many addresses outside the console were returned to.
func openRedirects(t *testing.T) (wrong int) {
	t.Helper()
	s := newScene(t)
	for _, to := range []string{"https://evil.example", "//evil.example", `/\evil.example`,
		`\\evil.example`, "/../../evil", "/a//b", "http:evil.example", "javascript:alert(1)",
		"evil.example", "/\t/evil.example", "/%5cevil.example", "/%2f/evil.example", "/\r\nSet-Cookie: x",
		"/api/admin/v1/session", "/depot/x", "/.//evil.example", "///evil.example", "?x", "#x", "/%",
		"https:///evil.example", "/" + strings.Repeat("a", 600), "//user@evil.example", "/\x00"} {
		_, err := s.oidc.Begin(t.Context(), models.Actor{Address: to},
			oidc.Beginning{Email: taro, ReturnTo: to})
		if err == nil {
			wrong++
			t.Errorf("%q is returned to", to)
		}
		s.refused(err, "invalid_return_to")
		if stored := oidc.ReturnTo(models.OIDCLogin{ReturnTo: to}); stored != "/" {
			wrong++
			t.Errorf("stored, %q is returned to as %q", to, stored)
		}
	}
	return wrong
}
