package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

const knownSecret = "shared" // every secret of the victim, known to the attacker

// foreignScope calls every method of another tenant's scope, present and future, with everything
// that can be known about the victim: no answer may hold a row of the victim's, and nothing of the
// victim's may have changed.
func foreignScope(t *testing.T, s *store.Store) {
	attacker, victim := Seed(t, s, "1"), Seed(t, s, "2")
	p, err := victim.offer(s, 1)
	must(t, err)
	victim.Publisher.KeyThumb = knownSecret
	pending := victim.NewRegistration("p.example.com", knownSecret)
	claimed := victim.NewRegistration("c.example.com", knownSecret+"2")
	session := victim.session(knownSecret, victim.Now)
	pending.SessionHash, claimed.SessionHash = knownSecret, knownSecret
	must(t, victim.in(s, func(in *store.Scope) error {
		soon := victim.Now.Add(time.Hour)
		c := victim.Cluster
		c.PostponedStart = &soon
		return errors.Join(in.CreateRegistration(&pending), in.CreateRegistration(&claimed),
			in.CreateSession(session), in.SavePending(c),
			in.SetOIDCProvider(oidcProvider(victim)),
			in.CreateOIDCLogin(oidcLogin(victim, knownSecret)),
			in.BindOIDCSubject(&models.OIDCSubject{Issuer: knownSecret, Subject: knownSecret,
				UserID: victim.User.ID, BoundAt: victim.Now}),
			in.ClaimRegistration(claimed.ID, store.Claimed{SecretHash: knownSecret + "2", KeyThumb: knownSecret,
				At: victim.Now, ReturnBy: soon, ReturnCodeHash: knownSecret}),
			in.AppendAudit(&models.AuditRecord{At: victim.Now, ClusterID: c.ID}))
	}))
	must(t, victim.in(s, victim.storeCredentials))
	must(t, victim.in(s, victim.storeSoftware))
	must(t, victim.in(s, func(in *store.Scope) error { return in.CreateCloudView(victim.cloudView()) }))
	before := victim.dump(t, s)
	methods := reflect.TypeFor[*store.Scope]()
	tried := 0
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		for _, registration := range []models.RegistrationID{pending.ID, claimed.ID} {
			attempt := knowledge{World: victim, permit: p, registration: registration}
			var answer string
			// what the method answers does not matter, only what it shows and changes
			_ = attacker.in(s, func(in *store.Scope) error {
				method := reflect.ValueOf(in).MethodByName(name)
				var failed error
				answer, failed = show(method.Call(attempt.arguments(t, method.Type())))
				return failed
			})
			if strings.Contains(answer, string(victim.Organization.ID)) {
				t.Errorf("%s shows the victim's rows: %s", name, answer)
			}
			tried++
		}
		if after := victim.dump(t, s); after != before {
			t.Fatalf("%s changed the victim's rows:\n%s\n%s", name, before, after)
		}
	}
	if tried < 80 {
		t.Errorf("only %d attempts were made", tried)
	}
}

func show(results []reflect.Value) (string, error) {
	var text strings.Builder
	var failed error
	for _, r := range results {
		value := r.Interface()
		if err, ok := value.(error); ok {
			failed = err
			continue
		}
		if r.Kind() == reflect.Pointer && !r.IsNil() {
			value = r.Elem().Interface()
		}
		fmt.Fprintf(&text, "%+v ", value)
	}
	return text.String(), failed
}

// dump is everything of a tenant's, as text.
func (w World) dump(t *testing.T, s *store.Store) string {
	t.Helper()
	var text strings.Builder
	must(t, w.in(s, func(in *store.Scope) error {
		rows, err := in.LoadCluster(w.Cluster.ID)
		users, err1 := in.Users()
		registrations, err2 := in.Registrations()
		audit, err3 := in.Audit(store.AuditQuery{})
		head, err6 := in.AuditHead()
		permits, err4 := in.Permits(w.Cluster.ID, 0)
		rollouts, err5 := in.Rollouts(w.Cluster.ID, 0)
		for _, value := range []any{rows.Cluster, rows.Nodes, permits, rollouts, users,
			registrations, audit, head} {
			fmt.Fprintf(&text, "%s\n", encode(value))
		}
		return errors.Join(err, err1, err2, err3, err4, err5, err6)
	}))
	must(t, hub(s, func(h *store.Hub) error {
		session, err := h.SessionByHash(knownSecret)
		fmt.Fprintf(&text, "%s\n", encode(session))
		return err
	}))
	must(t, w.dumpOIDC(s, &text))
	must(t, w.dumpSoftware(s, &text))
	must(t, w.dumpCloudView(s, &text))
	must(t, w.dumpCredentials(s, &text))
	return text.String()
}

// dumpOIDC is everything about a tenant's provider.
func (w World) dumpOIDC(s *store.Store, text *strings.Builder) error {
	return errors.Join(w.in(s, func(in *store.Scope) error {
		provider, err := in.OIDCProvider()
		subject, err1 := in.OIDCSubject(knownSecret, knownSecret)
		fmt.Fprintf(text, "%s\n%s\n", encode(provider), encode(subject))
		return errors.Join(err, err1)
	}), hub(s, func(h *store.Hub) error {
		login, err := h.OIDCLoginByState(knownSecret)
		fmt.Fprintf(text, "%s\n", encode(login))
		return err
	}))
}

// knowledge is what the attacker has read over the victim's shoulder.
type knowledge struct {
	World
	permit       models.Permit
	registration models.RegistrationID
}

func (k knowledge) arguments(t *testing.T, method reflect.Type) []reflect.Value {
	t.Helper()
	arguments := make([]reflect.Value, method.NumIn())
	for i := range arguments {
		value, ok := k.argument(method.In(i), i)
		if !ok {
			t.Fatalf("teach the attacker to make a %s", method.In(i))
		}
		arguments[i] = value
	}
	return arguments
}

func (k knowledge) argument(want reflect.Type, place int) (reflect.Value, bool) {
	now := k.Now.Add(time.Minute)
	registration := k.NewRegistration("q.example.com", "q")
	session := k.session("q", now)
	provider, login := oidcProvider(k.World), oidcLogin(k.World, "q")
	provider.OrganizationID, login.OrganizationID = k.Organization.ID, k.Organization.ID
	subject := models.OIDCSubject{OrganizationID: k.Organization.ID, Issuer: "q", Subject: "q",
		UserID: k.User.ID}
	user := models.User{OrganizationID: k.Organization.ID, Email: "q@example.com"}
	registration.OrganizationID, session.OrganizationID = k.Organization.ID, k.Organization.ID
	record := models.AuditRecord{OrganizationID: k.Organization.ID, ClusterID: k.Cluster.ID}
	checkpoint := models.AuditCheckpoint{OrganizationID: k.Organization.ID, Number: 1, Sequence: 1}
	cut := models.AuditRecord{OrganizationID: k.Organization.ID, Sequence: 1, Hash: knownSecret}
	proof := store.Proof{Incarnation: 9, At: now}
	known := []any{k.Cluster.ID, k.Publisher.ID, k.User.ID, k.permit.ID, k.registration,
		k.Cluster.FQDN, k.Cluster, k.Publisher, k.Rollout, k.permit, now, &now, knownSecret, int(1), uint64(9),
		models.MemberActive, models.EndedOtherSession, models.PermitOffered, models.RolloutActive, models.Withdrawn,
		models.Version("9"), []models.Version{"9"}, []models.Fact{{Name: "a"}},
		store.Claimed{SecretHash: knownSecret, KeyThumb: knownSecret, At: now, ReturnBy: now,
			ReturnCodeHash: "z"},
		store.Completed{SessionHash: knownSecret, ReturnCodeHash: knownSecret, At: now},
		store.Joined{KeyThumb: "q", At: now, Member: models.MemberRemoved},
		store.Rotation{Old: k.Publisher.KeyThumb, New: "q", PublicKey: "{}", Proof: proof},
		store.Adoption{Keys: []string{k.Publisher.KeyThumb, "q"}, PublicKey: "{}", Proof: proof}, proof,
		store.Holding{Generation: 9, Mark: "q"},
		store.AuditQuery{ClusterID: k.Cluster.ID}, int64(0), &checkpoint, cut,
		store.AuditFilter{To: now.AddDate(1, 0, 0), ClusterID: k.Cluster.ID},
		&user, session, &registration, &record, provider, login, &subject}
	known = append(known, k.credentials(now)...)
	known = append(known, k.softwareKnown()...)
	known = append(known, k.cloudViewKnown()...)
	if want == reflect.TypeFor[models.Fence]() {
		if place > 1 {
			return reflect.ValueOf(models.Fence{Incarnation: 9}), true
		}
		return reflect.ValueOf(k.Cluster.Fence()), true
	}
	for _, value := range known {
		if reflect.TypeOf(value) == want {
			return reflect.ValueOf(value), true
		}
	}
	cluster, node, rollout, permit := k.Cluster, k.Publisher, k.Rollout, k.permit
	cluster.ID, node.ID, rollout.ID, permit.ID = "", "", "", ""
	for _, value := range []any{&cluster, &node, &rollout, &permit} {
		if reflect.TypeOf(value) == want {
			return reflect.ValueOf(value), true
		}
	}
	return reflect.Value{}, false
}

func encode(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
