package nodeapi_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
	"connecthub/models/wire"
)

// nodeWall is two tenants whose publishers hold a permit each.
type nodeWall struct {
	*world
	db      *storetest.Tables
	mine    *node
	tenants map[string]models.OrganizationID
	values  map[string]map[string]string // own, other, random → what may be named
	cells   int
}

// nodeRoutes are what a node sends to each route. A new route without a line here fails.
func (w *nodeWall) nodeRoutes() map[string]func(v map[string]string) any {
	n := w.mine
	claim := func(ticket string) string { return n.claim(ticket, models.Publisher) }
	return map[string]func(v map[string]string) any{
		wire.PathInspect: func(map[string]string) any { return wire.InspectRequest{Ticket: "none", Key: n.jwk()} },
		wire.PathClaim:   func(map[string]string) any { return wire.ClaimRequest{Ticket: "none", Claim: claim("none")} },
		wire.PathDeny:    func(map[string]string) any { return wire.DenyRequest{Ticket: "none"} },
		wire.PathJoin:    func(map[string]string) any { return wire.JoinRequest{Ticket: "none", Claim: claim("none")} },
		wire.PathStatus: func(v map[string]string) any {
			id := v["registration"]
			return wire.StatusRequest{RegistrationID: models.RegistrationID(id), Assertion: n.assertion(id)}
		},
		wire.PathHeadless: func(map[string]string) any { return wire.HeadlessRequest{Claim: claim("")} },
		wire.PathHeadlessPoll: func(map[string]string) any {
			return wire.HeadlessPollRequest{Secret: strings.Repeat("A", 43)}
		},
		wire.PathHeadlessAnswer: func(v map[string]string) any {
			id := v["registration"]
			return wire.HeadlessAnswer{Secret: strings.Repeat("A", 43), RegistrationID: models.RegistrationID(id),
				Accept: true, Assertion: n.assertion(id)}
		},
		wire.PathTickets: func(v map[string]string) any {
			return wire.TicketsRequest{Members: []models.FQDN{models.FQDN(v["member"])}}
		},
		wire.PathToken: func(v map[string]string) any {
			return wire.TokenRequest{Assertion: n.assertion(v["node"])}
		},
		wire.PathKeys: func(v map[string]string) any {
			next := w.newNode(n.name, "1.0.0")
			claims := wire.RotationClaims{Node: models.NodeID(v["node"]), Aud: wire.Audience, ID: rand.Text(),
				Nonce: w.fleet.Nonce()[0], Old: n.jwk().Thumbprint(), New: next.jwk().Thumbprint()}
			return wire.RotateRequest{ByOld: n.signValue(wire.TypeRotation, claims),
				ByNew: next.signValue(wire.TypeRotation, claims)}
		},
		wire.PathChain: func(v map[string]string) any {
			next, node := w.newNode(n.name, "1.0.0"), models.NodeID(v["node"])
			claims := wire.LinkClaims{Node: node, Aud: wire.Audience, Old: n.jwk().Thumbprint(),
				New: next.jwk().Thumbprint()}
			link := wire.Link{ByOld: n.signValue(wire.TypeLink, claims)}
			link.ByNew, _ = wire.Detach(next.signValue(wire.TypeLink, claims), link.ByOld)
			links := []wire.Link{link}
			return wire.ChainRequest{Links: links, Proof: next.signValue(wire.TypeChain, wire.ChainClaims{
				Node: node, Aud: wire.Audience, ID: rand.Text(), Nonce: w.fleet.Nonce()[0],
				Links: wire.HashLinks(links), Generation: 99, Mark: rand.Text()})}
		},
		wire.PathPoll: func(v map[string]string) any {
			r := n.request()
			r.Permit = &wire.PermitReport{ID: models.PermitID(v["permit"]), Fence: n.state.HighestFence}
			return r
		},
		wire.PathPermits + ":id/confirm": func(map[string]string) any {
			return wire.ConfirmRequest{Fence: n.state.HighestFence, BootID: n.state.BootID, Poll: n.request()}
		},
		wire.PathLocal: func(v map[string]string) any {
			return wire.LocalRequest{What: models.HandUpgrade, Version: "9.0.0", Digest: v["digest"], Poll: n.request()}
		},
		wire.PathCloudView: func(v map[string]string) any {
			return wire.CloudViewRequest{Document: &models.CloudDocument{DeploymentType: "UCCE-2000-Agents",
				Machines: []models.CloudMachine{{Product: "PG", Group: "PG1", Name: v["member"], Side: "A"}}}}
		},
		wire.PathBundles + ":digest": func(map[string]string) any { return nil },
	}
}

// TestR29ANodesCredentialReachesNothingOfAnotherTenant sends a node's own credential to every route
// about what is its own, another tenant's, and nobody's.
func TestR29ANodesCredentialReachesNothingOfAnotherTenant(t *testing.T) {
	t.Parallel()
	var cells, leaks, routes atomic.Int64
	t.Run("databases", func(t *testing.T) {
		for name, dsn := range map[string]func(t *testing.T) string{
			"sqlite": func(t *testing.T) string {
				t.Helper()
				return "sqlite:" + filepath.Join(t.TempDir(), "hub.db")
			},
			"postgres": func(t *testing.T) string { t.Helper(); return storetest.PostgresDSN(t) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newNodeWall(t, dsn(t))
				routes.Store(int64(len(w.nodeRoutes())))
				leaks.Add(int64(w.run(t)))
				cells.Add(int64(w.cells))
			})
		}
	})
	fmt.Printf("proof 3.1-nodes dialects=2 routes=%d cells=%d leaks=%d\n", routes.Load(), cells.Load(), leaks.Load())
}

func newNodeWall(t *testing.T, dsn string) *nodeWall {
	t.Helper()
	clock := storetest.NewClock()
	clock.Advance(9 * time.Hour)
	w := &nodeWall{world: worldOn(t, storetest.OpenWith(t, store.Options{DSN: dsn, Now: clock.Now}), clock),
		tenants: make(map[string]models.OrganizationID), values: make(map[string]map[string]string)}
	w.db = storetest.ReadTables(t, dsn)
	first := w.admin
	_, mine := w.register("Tokyo", "cc-pub.mine.example", "cc-sub.mine.example")
	w.another(t)
	_, theirs := w.register("Osaka", "cc-pub.their.example", "cc-sub.their.example")
	other := w.admin
	w.admin = first
	w.tenants["own"], w.tenants["other"] = first.Organization, other.Organization
	w.publish("2.0.0", models.Regular)
	w.at("03:00")
	later := w.publish("9.0.0", models.Emergency) // nobody's turn yet: the node must not learn of it
	for kind, nodes := range map[string][]*node{"own": mine, "other": theirs} {
		nodes[1].poll()
		pub := nodes[0]
		permit := pub.poll().Permit
		if permit == nil {
			t.Fatalf("no permit in %s", kind)
		}
		pub.take(permit)
		w.values[kind] = map[string]string{"node": string(pub.id), "permit": string(permit.ID),
			"digest": permit.Digest, "member": string(nodes[1].name),
			"registration": w.db.IDs("registrations", string(w.tenants[kind]))[0]}
	}
	w.values["other"]["digest"] = later.Digest
	w.values["random"] = map[string]string{"node": uuid.NewString(), "permit": uuid.NewString(),
		"registration": uuid.NewString(), "member": "cc-sub.nobod.example",
		"digest": strings.Repeat("0f", len(later.Digest)/2)}
	w.mine = mine[0]
	w.mine.login()
	return w
}

// another makes a second tenant, who acts as the admin from then on.
func (w *nodeWall) another(t *testing.T) {
	t.Helper()
	now := w.clock.Now()
	o := models.Organization{Name: "Zeta", Zone: "UTC", Language: "en", CreatedAt: now}
	u := models.User{Email: "admin@zeta.example", Name: "Zoe", Role: models.FullAdmin, CreatedAt: now}
	must(t, w.store.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.Hub().CreateOrganization(&o); err != nil {
			return err
		}
		return tx.In(o.ID).CreateUser(&u)
	}))
	w.admin = models.Actor{Kind: models.ActorUser, UserID: u.ID, Name: u.Name, Organization: o.ID,
		Role: models.FullAdmin, SessionHash: "session-2"}
}

func (w *nodeWall) run(t *testing.T) (leaks int) {
	t.Helper()
	find := func(format string, args ...any) {
		leaks++
		t.Errorf(format, args...)
	}
	requests := w.nodeRoutes()
	for _, route := range w.echo.Routes() {
		if requests[route.Path] == nil {
			find("the route %s %s is not known to the wall", route.Method, route.Path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(requests)) {
		before := w.db.Of(string(w.tenants["other"]))
		for _, token := range []string{"", w.mine.token} {
			answers := make(map[string]string)
			for _, kind := range []string{"random", "other", "own"} {
				w.cells++
				answers[kind] = w.answer(path, token, w.values[kind], requests[path])
				for name, value := range w.values["other"] {
					if kind != "other" && strings.Contains(answers[kind], value) {
						find("%s shows the %s of another tenant: %s", path, name, answers[kind])
					}
				}
				if strings.Contains(answers[kind], "Zeta") || strings.Contains(answers[kind], "Osaka") {
					find("%s shows names of another tenant: %s", path, answers[kind])
				}
			}
			if answers["other"] != answers["random"] {
				find("%s tells another tenant's from nobody's:\n%s\n%s", path, answers["other"], answers["random"])
			}
			if token == "" && strings.HasPrefix(answers["own"], "200") && needsToken(path) {
				find("%s answers without a token: %s", path, answers["own"])
			}
		}
		if after := w.db.Of(string(w.tenants["other"])); after != before {
			find("%s changed another tenant's rows:\n%s", path, storetest.Changed(before, after))
		}
	}
	return leaks
}

func needsToken(path string) bool {
	return slices.ContainsFunc([]string{wire.PathPoll, wire.PathTickets, wire.PathPermits, wire.PathBundles}, func(p string) bool { return strings.HasPrefix(path, p) })
}

// answer is all that the hub says: status, headers and body.
func (w *nodeWall) answer(path, token string, v map[string]string, body func(map[string]string) any) string {
	w.t.Helper()
	if token != "" { // each cell with a fresh token: the one before may have been about another key
		w.mine.login()
		token = w.mine.token
	}
	method := http.MethodPost
	if strings.HasPrefix(path, wire.PathBundles) {
		method = http.MethodGet
	}
	path = strings.NewReplacer(":id", v["permit"], ":digest", v["digest"]).Replace(path)
	r := w.call(method, path, token, body(v))
	var text strings.Builder
	fmt.Fprintf(&text, "%d\n", r.Code)
	id := r.Header().Get("Tracking-Id")
	for _, key := range slices.Sorted(maps.Keys(r.Header())) {
		if key != "Tracking-Id" {
			fmt.Fprintf(&text, "%s: %q\n", key, r.Header()[key])
		}
	}
	if r.Code < 300 && r.Body.Len() > 1<<16 {
		return text.String() // a bundle
	}
	said := r.Body.String()
	for _, secret := range []string{"ticket", "access_token", "user_code", "jkt", "key_fingerprint", "secret"} {
		said = hideField(said, secret)
	}
	for name, value := range v {
		said = strings.ReplaceAll(said, value, name) // what was asked may be repeated
	}
	text.WriteString(said)
	if id != "" {
		return strings.ReplaceAll(text.String(), id, "TRACKING")
	}
	return text.String()
}

// hideField empties what is drawn anew in every answer.
func hideField(text, field string) string {
	var v map[string]any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	var hide func(v any)
	hide = func(v any) {
		switch x := v.(type) {
		case map[string]any:
			for k := range x {
				if k == field {
					if _, ok := x[k].(string); ok {
						x[k] = ""
						continue
					}
				}
				hide(x[k])
			}
		case []any:
			for i := range x {
				hide(x[i])
			}
		}
	}
	hide(v)
	out, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return string(out)
}
