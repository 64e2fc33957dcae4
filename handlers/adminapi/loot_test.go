package adminapi_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/wire"

	"github.com/golang-jwt/jwt/v5"
)

// loot is everything secret that came up while people and nodes used a hub's process, by its kind,
// and everything that the hub answered.
type loot struct {
	*process
	secrets []secret
	answers []string
	client  *http.Client
	nonce   string
	admin   *browser
	node    *simNode
	session *browser // one that has been ended
	proven  []byte   // a whole request with its token and its proof
}

// secret is a text that nobody but its owner may have.
type secret struct {
	kind, text string
	// shown is in how many answers it may stand: none for what its owner brought, one for what the
	// hub gives out once; more only for what stays open to its session.
	shown int
}

func (l *loot) keep(kind, text string, shown int) string {
	if text == "" {
		l.t.Fatalf("there is no %s", kind)
	}
	for i := range l.secrets {
		if l.secrets[i].text == text { // two tokens of one second are the same
			l.secrets[i].shown += shown
			return text
		}
	}
	l.secrets = append(l.secrets, secret{kind, text, shown})
	return text
}

// of are the secrets of a kind.
func (l *loot) of(kind string) []string {
	var all []string
	for _, s := range l.secrets {
		if s.kind == kind {
			all = append(all, s.text)
		}
	}
	if len(all) == 0 {
		l.t.Fatalf("there is no %s", kind)
	}
	return all
}

// gather lets people and nodes use every kind of secret there is.
func gather(t *testing.T) *loot {
	t.Helper()
	dir, _ := filledDir(t, "Alphaxloot")
	l := &loot{process: startProcess(t, dir, console, nil)}
	l.client = l.nodeClient()
	l.heard = func(method, path string, a answer) {
		path, _, _ = strings.Cut(path, "?")
		l.answers = append(l.answers, fmt.Sprint(method, " ", path, " ", a.status, "\n", a.header, "\n", a.body))
	}
	l.people()
	l.keep("password", password, 0)
	l.provider()
	l.registration()
	l.rotation()
	l.headless()
	l.guesses()
	return l
}

// people are sessions, tokens, an invitation, a passkey with its recovery codes, and passwords.
func (l *loot) people() {
	b := l.person("admin@alphaxloot.example", "Alphaxloot", models.FullAdmin)
	l.admin = b
	l.session = l.person("reader@alphaxloot.example", "Alphaxloot", models.ReadOnlyAdmin)
	l.keep("session", cookieOf(l.session), 1)
	l.session.must(204, "DELETE", "/session", "")
	token := b.must(201, "POST", "/account/tokens", `{"name":"T","scopes":["clusters:read"],"days":1}`)
	made, _ := token.value["token"].(map[string]any)
	l.keep("revoked API token", token.value["secret"].(string), 1)
	b.must(204, "DELETE", "/account/tokens/"+made["id"].(string), "")
	token = b.must(201, "POST", "/account/tokens", `{"name":"T","scopes":["clusters:read"],"days":1}`)
	l.keep("API token", token.value["secret"].(string), 1)

	invited := b.must(201, "POST", "/invitations", `{"email":"new@alphaxloot.example","role":"read_only_admin"}`)
	_, invitation, _ := strings.Cut(invited.value["link"].(string), "#")
	l.keep("invitation", invitation, 1)
	accept := map[string]string{"token": invitation, "name": "New", "password": l.keep("password", "violet harbour 81 kettles", 0)}
	l.browser().must(200, "POST", "/invitations/accept", b.text(accept))

	changed := l.keep("password", "amber lantern 47 gardens", 0)
	b.must(204, "PUT", "/account/password", b.text(map[string]string{"current": password, "new": changed}))
	b.must(200, "POST", "/session/step-up", b.text(map[string]string{"password": changed}))
	key, codes := b.addPasskey()
	for _, code := range codes {
		l.keep("recovery code", code.(string), 1)
	}
	in := l.browser()
	asked := in.must(202, "POST", "/session", b.text(map[string]string{"email": "admin@alphaxloot.example", "password": changed}))
	l.keep("challenge", asked.value["challenge_id"].(string), 1)
	in.take(asked)
	in.must(200, "POST", "/session/second-factor", in.text(map[string]any{
		"challenge_id": asked.value["challenge_id"], "recovery_code": codes[0]}))
	asked = in.must(202, "POST", "/session", b.text(map[string]string{"email": "admin@alphaxloot.example", "password": changed}))
	in.take(asked)
	signed := in.sign(key, asked)
	var credential struct {
		Credential struct{ Response struct{ Signature string } }
	}
	must(l.t, json.Unmarshal([]byte(signed), &credential))
	l.keep("passkey's answer", credential.Credential.Response.Signature, 0)
	in.take(in.must(200, "POST", "/session/second-factor", signed))
	l.admin = in
	l.keep("session of an admin", cookieOf(in), 1)
}

func cookieOf(b *browser) string {
	for part := range strings.SplitSeq(b.cookie, "; ") {
		if value, ok := strings.CutPrefix(part, "__Host-connecthub="); ok {
			return value
		}
	}
	return ""
}

// provider is an OpenID Connect provider's client secret, given by the hub's operator.
func (l *loot) provider() {
	file := filepath.Join(l.t.TempDir(), "client-secret")
	must(l.t, os.WriteFile(file, []byte(l.keep("client secret", "Kiwi-"+rand.Text(), 0)+"\n"), 0o600))
	l.command("organization", "create", "Gammaxloot", "--domain", "gammaxloot.example")
	l.command("oidc", "set", "Gammaxloot", "--issuer", "https://idp.gammaxloot.example", "--client-id", "hub",
		"--client-secret-file", file, "--no-check")
}

// simNode speaks as the agent does, over real HTTPS.
type simNode struct {
	l          *loot
	key        ed25519.PrivateKey
	name       models.FQDN
	id         models.NodeID
	generation uint64
}

func (l *loot) newNode(name models.FQDN) *simNode {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(l.t, err)
	return &simNode{l: l, key: key, name: name}
}

func (n *simNode) jwk() wire.JWK { return wire.KeyOf(n.key.Public().(ed25519.PublicKey)) }

func (n *simNode) sign(typ string, v any) string {
	raw, err := json.Marshal(v)
	must(n.l.t, err)
	var claims jwt.MapClaims
	must(n.l.t, json.Unmarshal(raw, &claims))
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["typ"], token.Header["jwk"] = typ, n.jwk()
	text, err := token.SignedString(n.key)
	must(n.l.t, err)
	return text
}

func (n *simNode) claim(ticket string, role models.NodeRole) string {
	sum := sha256.Sum256([]byte(ticket))
	members := []models.FQDN{n.name}
	if role == models.Publisher {
		members = append(members, "cc-sub."+n.name[len("cc-pub."):])
	}
	return n.sign(wire.TypeClaim, wire.Claim{TicketHash: hex.EncodeToString(sum[:]), FQDN: n.name,
		Role: string(role), ClientVersion: "1.0.0", Protocol: wire.Protocol, Version: "1.0.0",
		Members: members})
}

func (n *simNode) assertion(subject string) string {
	n.l.fresh()
	n.generation++
	return n.l.keep("assertion", n.sign(wire.TypeAssertion, wire.AssertionClaims{Issuer: subject, Subject: subject,
		Audience: wire.Audience, ID: rand.Text(), IssuedAt: now().Unix(), ExpiresAt: now().Add(time.Minute).Unix(),
		Nonce: n.l.nonce, Generation: n.generation, Mark: rand.Text()}), 0)
}

// fresh asks the hub for its nonce.
func (l *loot) fresh() {
	if l.nonce == "" {
		l.post(wire.PathToken, wire.TokenRequest{Assertion: "none"}, nil, "")
	}
}

// post sends a node's message; with a token and a proof where it has them.
func (l *loot) post(path string, body, into any, token string, by ...*simNode) int {
	l.t.Helper()
	raw, err := json.Marshal(body)
	must(l.t, err)
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, l.process.node+path, bytes.NewReader(raw))
	must(l.t, err)
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", wire.SchemeDPoP+" "+token)
		sum := sha256.Sum256([]byte(token))
		proof, err := wire.NewProver(by[0].key).Sign(wire.ProofClaims{Method: req.Method, ID: rand.Text(),
			TokenHash: base64.RawURLEncoding.EncodeToString(sum[:]), URI: l.process.node + path,
			Nonce: l.nonce, IssuedAt: now().Unix()})
		must(l.t, err)
		req.Header.Set(wire.HeaderProof, l.keep("proof", proof, 0))
		l.proven = raw
	}
	res, err := l.client.Do(req)
	must(l.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(l.t, err)
	if nonce := res.Header.Get(wire.HeaderNonce); nonce != "" {
		l.nonce = nonce
	}
	l.answers = append(l.answers, fmt.Sprint("POST ", path, " ", res.StatusCode, "\n", res.Header, "\n", string(text)))
	if into != nil {
		if res.StatusCode >= 300 {
			l.t.Fatalf("%s: %d %s", path, res.StatusCode, text)
		}
		must(l.t, json.Unmarshal(text, into))
	}
	return res.StatusCode
}

func (n *simNode) login() string {
	var answer wire.TokenResponse
	n.l.post(wire.PathToken, wire.TokenRequest{Assertion: n.assertion(string(n.id))}, &answer, "")
	return n.l.keep("access token", answer.AccessToken, 1)
}

// registration registers a cluster, and lets its subscriber join.
func (l *loot) registration() {
	begun := l.admin.must(201, "POST", "/registrations", `{"display_name":"Loot","fqdn":"cc-pub.loot.example"}`)
	_, ticket, _ := strings.Cut(begun.value["open_url"].(string), "#")
	l.keep("ticket", ticket, 2) // Open again shows it to its session
	l.admin.must(200, "GET", "/registrations/"+begun.value["id"].(string), "")
	n := l.newNode("cc-pub.loot.example")
	l.node = n
	l.post(wire.PathInspect, wire.InspectRequest{Ticket: ticket, Key: n.jwk()}, &wire.InspectResponse{}, "")
	var claimed wire.ClaimResponse
	l.post(wire.PathClaim, wire.ClaimRequest{Ticket: ticket, Claim: n.claim(ticket, models.Publisher)}, &claimed, "")
	_, code, _ := strings.Cut(claimed.ReturnURL, "#code=")
	l.keep("return code", code, 1)
	l.admin.must(200, "POST", "/registrations/complete", l.admin.text(map[string]string{"code": code}))
	var status wire.StatusResponse
	id := claimed.RegistrationID
	l.post(wire.PathStatus, wire.StatusRequest{RegistrationID: id, Assertion: n.assertion(string(id))}, &status, "")
	n.id = status.Identity.NodeID
	token := n.login()
	var tickets wire.TicketsResponse
	l.post(wire.PathTickets, wire.TicketsRequest{Members: []models.FQDN{"cc-sub.loot.example"}}, &tickets, token, n)
	join := l.keep("join ticket", tickets.Tickets[0].Ticket, 1)
	sub := l.newNode("cc-sub.loot.example")
	l.post(wire.PathJoin, wire.JoinRequest{Ticket: join, Claim: sub.claim(join, models.Subscriber)}, &wire.JoinResponse{}, "")
}

// poll is a usual request with a credential.
func (n *simNode) poll(token string) int {
	return n.l.post(wire.PathPoll, wire.PollRequest{Protocol: wire.Protocol, ClientVersion: "1.0.0", Version: "1.0.0",
		Step: models.StepIdle, Health: models.Healthy, BootID: "boot", Clock: now()}, nil, token, n)
}

// rotation gives the publisher its next key.
func (l *loot) rotation() {
	n, next := l.node, l.newNode(l.node.name)
	if status := n.poll(n.login()); status != http.StatusOK {
		l.t.Fatalf("a poll was answered %d", status)
	}
	claims := wire.RotationClaims{Node: n.id, Aud: wire.Audience, ID: rand.Text(), Nonce: l.nonce,
		Old: n.jwk().Thumbprint(), New: next.jwk().Thumbprint()}
	r := wire.RotateRequest{ByOld: n.sign(wire.TypeRotation, claims), ByNew: next.sign(wire.TypeRotation, claims)}
	l.post(wire.PathKeys, r, &wire.RotateResponse{}, "")
	l.keep("rotation", r.ByOld, 0)
	l.keep("rotation", r.ByNew, 0)
	next.id, next.generation = n.id, n.generation
	l.node = next
	if status := next.poll(next.login()); status != http.StatusOK {
		l.t.Fatalf("with the next key a poll was answered %d", status)
	}
}

// headless registers a second cluster from its own shell.
func (l *loot) headless() {
	n := l.newNode("cc-pub.headless.example")
	ours := l.keep("headless secret", rand.Text()+rand.Text(), 0)
	var begun wire.HeadlessResponse
	l.post(wire.PathHeadless, wire.HeadlessRequest{Claim: n.claim(ours, models.Publisher)}, &begun, "")
	l.keep("headless code", begun.UserCode, 1)
	l.admin.must(200, "POST", "/registrations/headless/inspect", l.admin.text(map[string]string{"code": begun.UserCode}))
	l.admin.must(200, "POST", "/registrations/headless/approve", l.admin.text(map[string]string{
		"code": begun.UserCode, "display_name": "Headless"}))
	var polled wire.HeadlessPollResponse
	l.post(wire.PathHeadlessPoll, wire.HeadlessPollRequest{Secret: ours}, &polled, "")
	if polled.Offer == nil {
		l.t.Fatalf("no offer: %s", polled.State)
	}
	id := polled.Offer.RegistrationID
	status := l.post(wire.PathHeadlessAnswer, wire.HeadlessAnswer{Secret: ours, RegistrationID: id, Accept: true,
		Assertion: n.assertion(string(id))}, nil, "")
	if status >= 300 {
		l.t.Fatalf("the answer was refused: %d", status)
	}
}

// guesses are secrets that are wrong: what somebody mistypes is often another secret of his.
func (l *loot) guesses() {
	guess := func(kind string) string { return l.keep("wrong "+kind, "Guess-"+rand.Text(), 0) }
	b := l.browser()
	try := func(method, path string, body map[string]any, header ...string) {
		if a := b.ask(method, path, b.text(body), header...); a.status < 400 || a.status >= 500 {
			l.t.Errorf("%s %s took a guess: %d %s", method, path, a.status, a.body)
		}
	}
	try("POST", "/session", map[string]any{"email": "admin@alphaxloot.example", "password": guess("password")})
	try("POST", "/session", map[string]any{"email": guess("password") + "@alphaxloot.example", "password": guess("password")})
	try("POST", "/session/second-factor", map[string]any{"challenge_id": guess("challenge"), "recovery_code": guess("recovery code")})
	try("POST", "/invitations/inspect", map[string]any{"token": guess("invitation")})
	try("POST", "/invitations/accept", map[string]any{"token": guess("invitation"), "name": "X", "password": guess("password")})
	b.ask("GET", "/session/oidc/callback/none?code="+guess("code")+"&state="+guess("state"), "")
	b.ask("GET", "/session", "", "Authorization", "Bearer "+guess("API token"))
	b.ask("GET", "/session", "", "Cookie", "__Host-connecthub="+guess("session"))
	b = l.admin
	try("PUT", "/account/password", map[string]any{"current": guess("password"), "new": guess("password")})
	try("POST", "/session/step-up", map[string]any{"password": guess("password")})
	try("POST", "/registrations/complete", map[string]any{"code": guess("return code")})
	try("POST", "/registrations/headless/inspect", map[string]any{"code": guess("headless code")})
	n := l.node
	wrong := guess("ticket")
	l.post(wire.PathInspect, wire.InspectRequest{Ticket: wrong, Key: n.jwk()}, nil, "")
	l.post(wire.PathClaim, wire.ClaimRequest{Ticket: wrong, Claim: n.claim(wrong, models.Publisher)}, nil, "")
	l.post(wire.PathJoin, wire.JoinRequest{Ticket: wrong, Claim: n.claim(wrong, models.Subscriber)}, nil, "")
	l.post(wire.PathToken, wire.TokenRequest{Assertion: guess("assertion")}, nil, "")
	l.post(wire.PathHeadlessPoll, wire.HeadlessPollRequest{Secret: guess("headless secret")}, nil, "")
	l.post(wire.PathPoll, struct{}{}, nil, guess("access token"), n)
}
