package nodeapi_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/wire"
)

// node is a simulated node: it speaks as the agent does, and does nothing else.
type node struct {
	w       *world
	key     ed25519.PrivateKey
	id      models.NodeID
	cluster models.ClusterID
	name    models.FQDN
	token   string
	state   wire.PollRequest
	skew    time.Duration

	generation uint64
}

func (w *world) newNode(name models.FQDN, version models.Version) *node {
	w.t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(w.t, err)
	return &node{w: w, key: key, name: name, state: wire.PollRequest{Protocol: wire.Protocol,
		ClientVersion: "1.0.0", Version: version, Step: models.StepIdle, Health: models.Healthy,
		BootID: "boot-" + string(name)}}
}

func (n *node) jwk() wire.JWK { return wire.KeyOf(n.key.Public().(ed25519.PublicKey)) }

type claimToken struct {
	jwt.RegisteredClaims
	wire.Claim
}

func (n *node) sign(typ string, claims jwt.Claims) string {
	n.w.t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["typ"], token.Header["jwk"] = typ, n.jwk()
	text, err := token.SignedString(n.key)
	must(n.w.t, err)
	return text
}

func (n *node) claim(ticket string, role models.NodeRole, members ...models.FQDN) string {
	sum := sha256.Sum256([]byte(ticket))
	return n.sign(wire.TypeClaim, claimToken{Claim: wire.Claim{
		TicketHash: hex.EncodeToString(sum[:]), FQDN: n.name, Role: string(role),
		ClientVersion: n.state.ClientVersion, Protocol: wire.Protocol, Version: n.state.Version,
		Members: append([]models.FQDN{n.name}, members...)}})
}

// assertion is fresh by the hub's nonce; each is the node's next generation.
func (n *node) assertion(subject string) string {
	now := n.w.clock.Now().Add(n.skew)
	n.generation++
	return n.signValue(wire.TypeAssertion, wire.AssertionClaims{Issuer: subject, Subject: subject,
		Audience: wire.Audience, ID: rand.Text(), IssuedAt: now.Unix(),
		ExpiresAt: now.Add(time.Minute).Unix(), Nonce: n.w.fleet.Nonce()[0],
		Generation: n.generation, Mark: rand.Text()})
}

// signValue signs any claims.
func (n *node) signValue(typ string, v any) string {
	n.w.t.Helper()
	raw, err := json.Marshal(v)
	must(n.w.t, err)
	var claims jwt.MapClaims
	must(n.w.t, json.Unmarshal(raw, &claims))
	return n.sign(typ, claims)
}

// register brings a cluster up as people do: console, publisher's page, return, joins.
func (w *world) register(display string, names ...models.FQDN) (models.ClusterID, []*node) {
	w.t.Helper()
	pub := w.newNode(names[0], "1.0.0")
	ticket := w.begin(display, names[0])
	code, refused := pub.allow(ticket, names[1:]...)
	if refused != "" {
		w.t.Fatalf("the claim was refused: %s", refused)
	}
	reg, err := w.fleet.CompleteRegistration(w.t.Context(), w.admin, fleet.Return{Code: code})
	must(w.t, err)
	identity := pub.identity(reg.ID)
	pub.id, pub.cluster = identity.NodeID, identity.ClusterID
	nodes := []*node{pub}
	for _, name := range names[1:] {
		nodes = append(nodes, pub.join(name))
	}
	for _, n := range nodes {
		n.poll()
	}
	return reg.ClusterID, nodes
}

// begin answers the ticket of a fresh registration.
func (w *world) begin(display string, name models.FQDN) string {
	w.t.Helper()
	v, err := w.fleet.CreateRegistration(w.t.Context(), w.admin, display, string(name))
	must(w.t, err)
	return ticketOf(v.OpenURL)
}

func ticketOf(url string) string {
	_, ticket, _ := strings.Cut(url, "#")
	return ticket
}

// allow is Allow and Continue on the node's page.
func (n *node) allow(ticket string, members ...models.FQDN) (string, models.Code) {
	n.w.t.Helper()
	return n.allowAs(models.Publisher, ticket, members...)
}

func (n *node) allowAs(role models.NodeRole, ticket string, members ...models.FQDN) (
	string, models.Code) {
	n.w.t.Helper()
	var answer wire.ClaimResponse
	refused, _ := n.w.post(wire.PathClaim, "", wire.ClaimRequest{Ticket: ticket,
		Claim: n.claim(ticket, role, members...)}, &answer)
	_, code, _ := strings.Cut(answer.ReturnURL, "#code=")
	return code, refused
}

func (n *node) identity(id models.RegistrationID) wire.Identity {
	n.w.t.Helper()
	var status wire.StatusResponse
	refused, _ := n.w.post(wire.PathStatus, "",
		wire.StatusRequest{RegistrationID: id, Assertion: n.assertion(string(id))}, &status)
	if refused != "" || status.Identity == nil {
		n.w.t.Fatalf("no identity: %s %s", refused, status.State)
	}
	return *status.Identity
}

// join brings a subscriber in, with a ticket that the publisher hands over.
func (n *node) join(name models.FQDN) *node {
	n.w.t.Helper()
	n.login()
	var tickets wire.TicketsResponse
	refused, _ := n.w.post(wire.PathTickets, n.token,
		wire.TicketsRequest{Members: []models.FQDN{name}}, &tickets)
	if refused != "" {
		n.w.t.Fatalf("no join ticket: %s", refused)
	}
	sub := n.w.newNode(name, "1.0.0")
	var joined wire.JoinResponse
	ticket := tickets.Tickets[0].Ticket
	refused, _ = n.w.post(wire.PathJoin, "", wire.JoinRequest{Ticket: ticket,
		Claim: sub.claim(ticket, models.Subscriber)}, &joined)
	if refused != "" {
		n.w.t.Fatalf("the join was refused: %s", refused)
	}
	sub.id, sub.cluster = joined.Identity.NodeID, joined.Identity.ClusterID
	return sub
}

func (n *node) login() (models.Code, string) {
	n.w.t.Helper()
	var answer wire.TokenResponse
	refused, statement := n.w.post(wire.PathToken, "",
		wire.TokenRequest{Assertion: n.assertion(string(n.id))}, &answer)
	n.token = answer.AccessToken
	n.w.proofs.mu.Lock()
	n.w.proofs.known[n.token] = wire.NewProver(n.key)
	n.w.proofs.mu.Unlock()
	return refused, statement
}

// request is what the node says of itself now.
func (n *node) request() wire.PollRequest {
	n.state.Counter++
	n.state.Clock = n.w.clock.Now().Add(n.skew)
	return n.state
}

// poll logs in and polls; it fails the test where the hub refuses.
func (n *node) poll() wire.PollResponse {
	n.w.t.Helper()
	answer, refused, _ := n.tryPoll()
	if refused != "" {
		n.w.t.Fatalf("%s was refused: %s", n.name, refused)
	}
	return answer
}

func (n *node) tryPoll() (wire.PollResponse, models.Code, string) {
	n.w.t.Helper()
	if refused, statement := n.login(); refused != "" {
		return wire.PollResponse{}, refused, statement
	}
	var answer wire.PollResponse
	refused, statement := n.w.post(wire.PathPoll, n.token, n.request(), &answer)
	if refused == "" && answer.PermitEnded != "" && n.state.Permit != nil &&
		answer.PermitEnded == n.state.Permit.ID {
		n.state.Permit, n.state.Journal = nil, nil
	}
	for _, v := range answer.ForgetDenied {
		n.state.Denied = without(n.state.Denied, v)
	}
	return answer, refused, statement
}

func without(list []models.Version, v models.Version) []models.Version {
	var kept []models.Version
	for _, x := range list {
		if x != v {
			kept = append(kept, x)
		}
	}
	return kept
}

// take notes a permit in the journal, as the agent does before anything else.
func (n *node) take(p *wire.Permit) {
	n.state.Permit = &wire.PermitReport{ID: p.ID, Fence: p.Fence}
	n.state.Journal = &wire.JournalEntry{Permit: p.ID, Fence: p.Fence, Version: p.Version}
	n.state.HighestFence, n.state.Step = p.Fence, models.StepFetching
}

// fetch asks the depot for a bundle.
func (n *node) fetch(digest string) *httptest.ResponseRecorder {
	n.w.t.Helper()
	n.login()
	return n.w.call(http.MethodGet, wire.PathBundles+digest, n.token, nil)
}

// confirm asks for the right to stop, and notes it.
func (n *node) confirm() wire.ConfirmResponse {
	n.w.t.Helper()
	n.login()
	n.state.Step = models.StepConfirming
	var answer wire.ConfirmResponse
	refused, _ := n.w.post(wire.PathPermits+string(n.state.Permit.ID)+"/confirm", n.token,
		wire.ConfirmRequest{Fence: n.state.Permit.Fence, BootID: n.state.BootID,
			Poll: n.request()}, &answer)
	if refused != "" {
		n.w.t.Fatalf("the confirm was refused: %s", refused)
	}
	if answer.Confirmed {
		n.state.Journal.Confirmed, n.state.Step = true, models.StepDraining
	}
	return answer
}

// end reports how it went.
func (n *node) end(outcome models.Outcome) wire.PollResponse {
	n.w.t.Helper()
	n.state.Permit.Outcome, n.state.Step = outcome, models.StepIdle
	version := n.state.Journal.Version
	n.state.Journal, n.state.Health = nil, models.Healthy
	switch outcome {
	case models.Succeeded:
		n.state.Version = version
	case models.RolledBack:
		n.state.Denied = append(n.state.Denied, version)
	case models.Failed, models.Withdrawn, models.Abandoned, models.Overridden:
	}
	return n.poll()
}

// upgrade takes the permit of an answer through to its end.
func (n *node) upgrade(p *wire.Permit) {
	n.w.t.Helper()
	if p == nil {
		n.w.t.Fatalf("%s has no permit", n.name)
	}
	n.take(p)
	n.poll()
	if got := n.fetch(p.Digest); got.Code != http.StatusOK || int64(got.Body.Len()) != p.Size {
		n.w.t.Fatalf("the depot answered %d with %d bytes", got.Code, got.Body.Len())
	}
	if answer := n.confirm(); !answer.Confirmed {
		n.w.t.Fatalf("%s was not confirmed: %s %s", n.name, answer.Reason, answer.Subject)
	}
	for _, s := range []models.Step{models.StepStopping, models.StepSwitching,
		models.StepStarting, models.StepSoaking} {
		n.state.Step = s
		n.poll()
	}
	n.end(models.Succeeded)
}

// identify is who the node is to the hub that its request reaches.
func (w *world) identify(n *node) fleet.NodeIdentity {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, wire.PathPoll, nil)
	w.nonce = w.fleet.Nonce()[0]
	w.prove(r, n.token)
	identity, err := w.fleet.Authenticate(w.t.Context(), wire.Credentials{Token: n.token,
		Proof: r.Header.Get(wire.HeaderProof), Method: r.Method, Host: r.Host, Path: r.URL.Path})
	must(w.t, err)
	return identity
}
