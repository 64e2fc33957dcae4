package identity_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"connecthub/hub/identity"
	"connecthub/hub/identity/passkeytest"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
)

const callers = 64

// rounds is how often a race is run: LONG=1 for the whole of it.
func rounds(short, long int) int {
	if os.Getenv("LONG") == "1" {
		return long
	}
	return short
}

// together lets all callers begin at once and answers how many succeeded; the others must have
// been refused with one of the codes.
func (s *scene) together(call func(n int) error, codes ...models.Code) (won int) {
	s.t.Helper()
	begin, results := make(chan struct{}), make(chan error, callers)
	for n := range callers {
		go func() {
			<-begin
			results <- call(n)
		}()
	}
	close(begin)
	for range callers {
		err := <-results
		var refusal *models.Refusal
		switch {
		case err == nil:
			won++
		case !errors.As(err, &refusal):
			s.t.Errorf("a caller failed: %v", err)
		default:
			known := false
			for _, c := range codes {
				known = known || c == refusal.Code
			}
			if !known {
				s.t.Errorf("a caller was refused with %s", refusal.Code)
			}
		}
	}
	return won
}

// from is a caller with an address of its own: the limits of attempts are not what is tried here.
func from(n int) models.Actor {
	return models.Actor{Address: "192.0.2." + strconv.Itoa(n), TrackingID: "t"}
}

func TestMain(m *testing.M) { storetest.Main(m) }

// onBoth runs a test on a hub of each database, and answers on how many it ran.
func onBoth(t *testing.T, run func(t *testing.T, s *scene)) (dialects int) {
	t.Helper()
	for name, open := range map[string]func(t *testing.T) *scene{"sqlite": newScene,
		"postgres": func(t *testing.T) *scene {
			t.Helper()
			return newSceneOn(t, storetest.PostgresDSN(t), identity.Hurry)
		}} {
		t.Run(name, func(t *testing.T) {
			run(t, open(t))
			dialects++
		})
	}
	return dialects
}

func TestAFullAdminIsLeftWhenSixtyFourChangesRace(t *testing.T) {
	t.Parallel()
	tried, without, caught := 0, 0, 0
	dialects := onBoth(t, func(t *testing.T, s *scene) {
		t.Helper()
		c := crowd{scene: s}
		c.gather(6)
		for range rounds(4, 100) {
			refused := callers - c.together(c.demote, "last_full_admin")
			tried += callers
			if left := c.admins(); left == 0 {
				without++
			} else if left != 1 || refused == 0 {
				t.Errorf("%d full admins are left, %d changes were refused", left, refused)
			}
			c.restore()
		}
		if c.demoteCarelessly(); c.admins() == 0 {
			caught++
		}
	})
	if without > 0 || caught != dialects {
		t.Errorf("%d times nobody was left; the mutant was caught %d times", without, caught)
	}
	if dialects == 2 {
		fmt.Printf("proof 3.10-last-admin dialects=%d callers=%d tried=%d left_without=%d "+
			"mutants_caught=%d/%d\n", dialects, callers, tried, without, caught, dialects)
	}
}

// crowd is an organization with some full admins, and everybody wants everybody out.
type crowd struct {
	*scene
	organization models.OrganizationID
	people       []models.UserID
}

func (c *crowd) gather(n int) {
	c.t.Helper()
	o := c.tenant("Crowd")
	c.organization = o.ID
	for i := range n {
		u, _, err := c.identity.CreateUser(c.t.Context(), hubItself, identity.NewUser{Organization: o,
			Email: fmt.Sprintf("a%d@crowd.example", i), Role: models.FullAdmin})
		if err != nil {
			c.t.Fatal(err)
		}
		c.people = append(c.people, u.ID)
	}
}

func (c *crowd) actor() models.Actor {
	return models.Actor{Kind: models.ActorUser, Name: "somebody", Organization: c.organization}
}

func (c *crowd) demote(n int) error {
	id := c.people[n%len(c.people)]
	if n%2 == 0 {
		_, err := c.identity.SetRole(c.t.Context(), c.actor(), id, models.ReadOnlyAdmin)
		return err
	}
	_, err := c.identity.DisableUser(c.t.Context(), c.actor(), id)
	return err
}

func (c *crowd) admins() (n int) {
	c.t.Helper()
	err := c.store.View(c.t.Context(), func(tx *store.Tx) error {
		all, err := tx.In(c.organization).FullAdmins()
		n = len(all)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c *crowd) restore() {
	c.t.Helper()
	for _, id := range c.people {
		_, err := c.identity.SetRole(c.t.Context(), c.actor(), id, models.FullAdmin)
		if _, err1 := c.identity.EnableUser(c.t.Context(), c.actor(), id); err != nil || err1 != nil {
			c.t.Fatal(err, err1)
		}
	}
}

// demoteCarelessly is the mutant: it looks whether another is left, and changes the role after.
func (c *crowd) demoteCarelessly() {
	c.t.Helper()
	var looked, changed sync.WaitGroup
	looked.Add(len(c.people))
	for _, id := range c.people {
		changed.Go(func() {
			others := c.admins() - 1
			looked.Done()
			looked.Wait()
			if others == 0 {
				return
			}
			err := c.store.Update(c.t.Context(), func(tx *store.Tx) error {
				return tx.In(c.organization).SetRole(id, models.FullAdmin, models.ReadOnlyAdmin)
			})
			if err != nil {
				c.t.Error(err)
			}
		})
	}
	changed.Wait()
}

func TestWhatWorksOnceWorksOnceWhenSixtyFourRace(t *testing.T) {
	t.Parallel()
	kinds := map[string]func(*scene) int{"invitation": raceInvitation, "challenge": raceChallenge,
		"recovery code": raceRecoveryCode, "new passkey": racePasskey, "step-up": raceStepUp}
	tried, twice := 0, 0
	dialects := onBoth(t, func(t *testing.T, s *scene) {
		t.Helper()
		for range rounds(2, 25) {
			for kind, race := range kinds {
				won := race(s)
				tried += callers
				if won > 1 {
					twice++
				}
				if won != 1 {
					t.Errorf("%s worked %d times", kind, won)
				}
				s.clock.pass(10 * time.Minute) // attempts come back
			}
		}
	})
	if dialects == 2 {
		fmt.Printf("proof 3.10-single-use dialects=%d kinds=%d callers=%d tried=%d used_twice=%d\n",
			dialects, len(kinds), callers, tried, twice)
	}
}

// newcomer is a fresh person of the first tenant in a session, with a passkey.
func (s *scene) newcomer() (address, password string, a models.Actor, k *passkeytest.Key,
	codes []string) {
	s.t.Helper()
	own, err := s.identity.Organization(s.t.Context(), "Example")
	if err != nil {
		s.t.Fatal(err)
	}
	address = strconv.FormatInt(s.clock.Now().UnixNano(), 36) + "@example.com"
	_, password, err = s.identity.CreateUser(s.t.Context(), hubItself, identity.NewUser{
		Organization: own, Email: address, Role: models.FullAdmin})
	if err != nil {
		s.t.Fatal(err)
	}
	in, err := s.signIn(address, password)
	if err != nil {
		s.t.Fatal(err)
	}
	a = s.actor(in)
	k, codes = s.addPasskey(a)
	return address, password, a, k, codes
}

func (s *scene) question(address, password string, caller models.Actor) identity.Question {
	s.t.Helper()
	in, err := s.identity.SignIn(s.t.Context(), caller, address, password)
	if err != nil || in.Question == nil {
		s.t.Fatalf("%+v %v", in, err)
	}
	return *in.Question
}

func raceInvitation(s *scene) int {
	own, err := s.identity.Organization(s.t.Context(), "Example")
	if err != nil {
		s.t.Fatal(err)
	}
	_, token := s.invite(hubItself, own.ID,
		strconv.FormatInt(s.clock.Now().UnixNano(), 36)+"@invited.example", models.FullAdmin)
	return s.together(func(n int) error {
		_, err := s.identity.AcceptInvitation(s.t.Context(), from(n), token, "New", newPassword)
		return err
	}, "invitation_ended", "email_elsewhere")
}

func raceChallenge(s *scene) int {
	address, password, _, key, _ := s.newcomer()
	q := s.question(address, password, browser)
	answer := s.signed(key, q)
	return s.together(func(n int) error {
		_, err := s.identity.FinishSignIn(s.t.Context(), from(n), q.Browser, answer)
		return err
	}, "challenge_ended")
}

func raceRecoveryCode(s *scene) int {
	address, password, _, _, codes := s.newcomer()
	var questions []identity.Question
	for n := range callers {
		questions = append(questions, s.question(address, password, from(n)))
	}
	return s.together(func(n int) error {
		_, err := s.identity.FinishSignIn(s.t.Context(), from(n), questions[n].Browser,
			identity.Answer{Question: questions[n].ID, Recovery: codes[0]})
		return err
	}, "wrong_second_factor")
}

func racePasskey(s *scene) int {
	_, _, a, _, _ := s.newcomer()
	begun, err := s.identity.BeginPasskey(s.t.Context(), a)
	if err != nil {
		s.t.Fatal(err)
	}
	_, made, err := passkeytest.Create(origin, begun.Options)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.together(func(int) error {
		_, err := s.identity.FinishPasskey(s.t.Context(), a, begun.Question, "Key", made)
		return err
	}, "challenge_ended", "passkey_known")
}

func raceStepUp(s *scene) int {
	_, password, a, key, _ := s.newcomer()
	confirmed, err := s.identity.StepUp(s.t.Context(), a, password)
	if err != nil || confirmed.Question == nil {
		s.t.Fatalf("%+v %v", confirmed, err)
	}
	answer := s.signed(key, *confirmed.Question)
	return s.together(func(n int) error {
		actor := a
		actor.Address = from(n).Address
		_, err := s.identity.FinishStepUp(s.t.Context(), actor, answer)
		return err
	}, "challenge_ended")
}
