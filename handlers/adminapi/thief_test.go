package adminapi_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store/storetest"
	"connecthub/models/wire"
)

// asThief as the first argument makes this program a thief in a process of its own: it sends what it
// reads, each from an address that is nobody else's, and writes what it was answered.
const asThief = "as-thief"

// theft is one request of the thief.
type theft struct {
	Kind, Method, URL string
	Header            map[string]string
	Body              []byte
}

const thiefAddresses = 64

func beThief() {
	ca, err := os.ReadFile(os.Args[2])
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	clients := make([]*http.Client, thiefAddresses)
	for i := range clients {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 66, 0, byte(i+1))}}
		clients[i] = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
			DialContext: d.DialContext, TLSClientConfig: &tls.Config{RootCAs: pool}}}
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	var group sync.WaitGroup
	var mu sync.Mutex
	turns := make(chan struct{}, 8)
	for i := 0; lines.Scan(); i++ {
		var try theft
		if err := json.Unmarshal(lines.Bytes(), &try); err != nil {
			panic(err)
		}
		turns <- struct{}{}
		group.Go(func() {
			status := try.send(clients[i%thiefAddresses])
			mu.Lock()
			defer mu.Unlock()
			fmt.Println(status)
			<-turns
		})
	}
	group.Wait()
}

// send answers the kind and the status.
func (f theft) send(client *http.Client) string {
	req, err := http.NewRequestWithContext(context.Background(), f.Method, f.URL, bytes.NewReader(f.Body))
	if err != nil {
		return f.Kind + "\t0\t" + err.Error()
	}
	req.Header.Set("Content-Type", "application/json")
	for key, value := range f.Header {
		req.Header.Set(key, value)
	}
	res, err := client.Do(req)
	if err != nil {
		return f.Kind + "\t0\t" + err.Error()
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 512))
	return fmt.Sprintf("%s\t%d\t%s %s %s", f.Kind, res.StatusCode, f.Method, f.URL,
		strings.ReplaceAll(string(text), "\n", " "))
}

// steal lets a thief's process try, and answers how often each kind was tried, and what was accepted.
func (l *loot) steal(tries []theft) (tried map[string]int, accepted map[string][]string) {
	l.t.Helper()
	var in bytes.Buffer
	for _, try := range tries {
		line, err := json.Marshal(try)
		must(l.t, err)
		in.Write(append(line, '\n'))
	}
	cmd := exec.CommandContext(l.t.Context(), os.Args[0], asThief, l.ca) //nolint:gosec // this very program
	cmd.Stdin = &in
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	must(l.t, err)
	tried, accepted = make(map[string]int), make(map[string][]string)
	limited := 0
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		kind, rest, _ := strings.Cut(line, "\t")
		tried[kind]++
		status, _, _ := strings.Cut(rest, "\t")
		switch {
		case status < "300" && status != "0":
			accepted[kind] = append(accepted[kind], rest)
		case status == "429":
			limited++
		case status == "0" || status >= "500":
			l.t.Errorf("the hub failed at a theft: %s", line)
		}
	}
	if limited*10 > len(tries) {
		l.t.Errorf("%d of %d thefts were only limited", limited, len(tries))
	}
	return tried, accepted
}

// TestWhatWasStolenIsWorthNothing replays everything that was gathered from another process and
// other addresses.
func TestWhatWasStolenIsWorthNothing(t *testing.T) {
	t.Parallel()
	l := gather(t)
	outsider := l.person("admin@gammaxloot.example", "Gammaxloot", models.FullAdmin)
	var tries []theft
	tries = append(tries, l.nodeThefts()...)
	tries = append(tries, l.peopleThefts(outsider)...)
	tries = append(tries, l.anywhere("log_line", l.wordsOf(fileOf(t, l.log)), outsider)...)
	tries = append(tries, l.anywhere("database_backup", l.backup(), outsider)...)
	tried, accepted := l.steal(tries)

	live := []theft{ // what is alive and bears itself is taken: the thief's way works
		l.console("control", "GET", "/session", nil, "Cookie", "__Host-connecthub="+cookieOf(l.admin)),
		l.console("control", "GET", "/clusters", nil, "Authorization", "Bearer "+l.of("API token")[0]),
	}
	_, control := l.steal(live)
	if len(control["control"]) != len(live) {
		t.Errorf("the thief cannot even use what is alive: %v", control)
	}
	line := ""
	for _, kind := range slices.Sorted(maps.Keys(tried)) {
		for _, what := range accepted[kind] {
			t.Errorf("%s was accepted: %s", kind, what)
		}
		line += fmt.Sprintf(" %s=%d/%d", kind, len(accepted[kind]), tried[kind])
	}
	if len(tried) < 8 {
		t.Errorf("only %d kinds", len(tried))
	}
	unharmed := 0
	if l.node.poll(l.node.login()) == http.StatusOK {
		unharmed++
	}
	if l.admin.ask("GET", "/session", "").status == http.StatusOK {
		unharmed++
	}
	if unharmed != 2 {
		t.Error("a replay harmed whom it was stolen from")
	}
	fmt.Printf("proof 3.4 kinds=%d attempts=%d accepted=%d%s controls=%d/%d victims_unharmed=%d/2\n", len(tried), len(tries),
		sum(accepted), line, len(control["control"]), len(live), unharmed)
}

func sum(m map[string][]string) (n int) {
	for _, v := range m {
		n += len(v)
	}
	return n
}

func (l *loot) console(kind, method, path string, body any, header ...string) theft {
	l.t.Helper()
	f := theft{Kind: kind, Method: method, URL: l.url + base + path, Header: map[string]string{"Sec-Fetch-Site": "same-origin"}}
	if body != nil {
		raw, err := json.Marshal(body)
		must(l.t, err)
		f.Body = raw
	}
	for i := 0; i < len(header); i += 2 {
		f.Header[header[i]] = header[i+1]
	}
	return f
}

func (l *loot) machine(kind, path string, body any, header ...string) theft {
	l.t.Helper()
	f := l.console(kind, http.MethodPost, path, body, header...)
	f.URL = l.process.node + path
	return f
}

// nodeThefts are a node's secrets with keys of the thief's own.
func (l *loot) nodeThefts() []theft {
	var all []theft
	thief := l.newNode("cc-pub.loot.example")
	add := func(f theft) { all = append(all, f) }
	for _, ticket := range l.of("ticket") {
		add(l.machine("ticket", wire.PathInspect, wire.InspectRequest{Ticket: ticket, Key: thief.jwk()}))
		add(l.machine("ticket", wire.PathClaim, wire.ClaimRequest{Ticket: ticket, Claim: thief.claim(ticket, models.Publisher)}))
		add(l.machine("ticket", wire.PathClaim, wire.ClaimRequest{Ticket: ticket, Claim: l.node.claim(ticket, models.Publisher)}))
		add(l.machine("ticket", wire.PathDeny, wire.DenyRequest{Ticket: ticket}))
		add(l.machine("ticket", wire.PathJoin, wire.JoinRequest{Ticket: ticket, Claim: thief.claim(ticket, models.Subscriber)}))
	}
	sub := l.newNode("cc-sub.loot.example")
	for _, ticket := range l.of("join ticket") {
		add(l.machine("join_ticket", wire.PathJoin, wire.JoinRequest{Ticket: ticket, Claim: sub.claim(ticket, models.Subscriber)}))
		add(l.machine("join_ticket", wire.PathJoin, wire.JoinRequest{Ticket: ticket, Claim: thief.claim(ticket, models.Publisher)}))
		add(l.machine("join_ticket", wire.PathClaim, wire.ClaimRequest{Ticket: ticket, Claim: sub.claim(ticket, models.Publisher)}))
	}
	for _, assertion := range l.of("assertion") {
		add(l.machine("assertion", wire.PathToken, wire.TokenRequest{Assertion: assertion}))
		add(l.machine("assertion", wire.PathPoll, struct{}{}, "Authorization", "DPoP "+assertion))
	}
	rotation := l.of("rotation")
	add(l.machine("rotation", wire.PathKeys, wire.RotateRequest{ByOld: rotation[1], ByNew: rotation[0]}))
	add(l.machine("rotation", wire.PathKeys, wire.RotateRequest{ByOld: rotation[0], ByNew: l.forged(thief)}))
	for _, secret := range l.of("headless secret") {
		add(l.machine("headless_secret", wire.PathHeadless, wire.HeadlessRequest{Claim: thief.claim(secret, models.Publisher)}))
		add(l.machine("headless_secret", wire.PathHeadlessAnswer, wire.HeadlessAnswer{Secret: secret, Accept: true,
			RegistrationID: "none", Assertion: thief.assertion("none")}))
	}
	proofs := l.of("proof")
	for i, token := range l.of("access token") {
		for _, path := range []string{wire.PathPoll, wire.PathTickets, wire.PathPermits + "none/confirm"} {
			mine := thief.proof(http.MethodPost, path, token)
			add(l.machine("access_token", path, struct{}{}, "Authorization", "DPoP "+token))
			add(l.machine("access_token", path, struct{}{}, "Authorization", "Bearer "+token))
			add(l.machine("access_token", path, struct{}{}, "Authorization", "DPoP "+token, wire.HeaderProof, mine))
		}
		add(l.console("access_token", "GET", "/session", nil, "Authorization", "Bearer "+token))
		for _, proof := range proofs { // the very request, and others with its proof
			add(l.machine("proof", wire.PathPoll, json.RawMessage(l.proven), "Authorization", "DPoP "+token, wire.HeaderProof, proof))
			if i == 0 {
				add(l.machine("proof", wire.PathTickets, wire.TicketsRequest{Members: []models.FQDN{"cc-sub.loot.example"}},
					"Authorization", "DPoP "+token, wire.HeaderProof, proof))
			}
		}
	}
	return all
}

// forged is a thief's half of a rotation.
func (l *loot) forged(thief *simNode) string {
	return thief.sign(wire.TypeRotation, wire.RotationClaims{Node: l.node.id, Aud: wire.Audience, ID: rand.Text(),
		Nonce: l.nonce, Old: l.node.jwk().Thumbprint(), New: thief.jwk().Thumbprint()})
}

// proof is one of the thief's own key for a token that is not his.
func (n *simNode) proof(method, path, token string) string {
	sum := sha256.Sum256([]byte(token))
	proof, err := wire.NewProver(n.key).Sign(wire.ProofClaims{Method: method, ID: rand.Text(), Nonce: n.l.nonce,
		TokenHash: base64.RawURLEncoding.EncodeToString(sum[:]), URI: n.l.process.node + path, IssuedAt: now().Unix()})
	must(n.l.t, err)
	return proof
}

// peopleThefts are people's secrets, also in the hands of another tenant's admin.
func (l *loot) peopleThefts(outsider *browser) []theft {
	var all []theft
	add := func(f theft) { all = append(all, f) }
	cookie := []string{"Cookie", outsider.cookie}
	text := func(key, value string) map[string]string { return map[string]string{key: value} }
	for _, code := range l.of("return code") {
		add(l.console("return_code", "POST", "/registrations/complete", text("code", code)))
		add(l.console("return_code", "POST", "/registrations/complete", text("code", code), cookie...))
	}
	for _, code := range l.of("headless code") {
		for _, step := range []string{"inspect", "approve", "deny"} {
			body := map[string]string{"code": code}
			if step == "approve" {
				body["display_name"] = "Mine"
			}
			add(l.console("headless_code", "POST", "/registrations/headless/"+step, body, cookie...))
			add(l.console("headless_code", "POST", "/registrations/headless/"+step, body))
		}
	}
	for _, token := range l.of("invitation") {
		add(l.console("invitation", "POST", "/invitations/inspect", text("token", token)))
		add(l.console("invitation", "POST", "/invitations/accept", map[string]string{"token": token, "name": "Thief",
			"password": "a thief's own long password"}))
	}
	for _, session := range l.of("session") {
		add(l.console("ended_session", "GET", "/session", nil, "Cookie", "__Host-connecthub="+session))
		add(l.console("ended_session", "GET", "/clusters", nil, "Cookie", "__Host-connecthub="+session))
	}
	for _, token := range l.of("revoked API token") {
		add(l.console("revoked_api_token", "GET", "/session", nil, "Authorization", "Bearer "+token))
	}
	for _, token := range append(l.of("API token"), l.of("revoked API token")...) {
		cut := strings.LastIndexByte(token, '_')
		add(l.console("api_token_prefix", "GET", "/session", nil, "Authorization", "Bearer "+token[:cut]))
		add(l.console("api_token_prefix", "GET", "/session", nil, "Authorization", "Bearer "+token[:cut+1]+strings.Repeat("a", len(token)-cut-1)))
	}
	challenge := l.of("challenge")[0]
	for _, code := range l.of("recovery code") {
		add(l.console("recovery_code", "POST", "/session/second-factor", map[string]string{"challenge_id": challenge, "recovery_code": code}))
	}
	add(l.console("passkey_answer", "POST", "/session/second-factor", map[string]any{"challenge_id": challenge,
		"credential": map[string]any{"response": map[string]string{"signature": l.of("passkey's answer")[0]}}}))
	return all
}

// anywhere tries texts as every kind of secret that there is.
func (l *loot) anywhere(kind string, texts []string, outsider *browser) []theft {
	var all []theft
	for _, text := range texts {
		short := text[:min(len(text), 250)]
		all = append(all,
			l.machine(kind, wire.PathInspect, wire.InspectRequest{Ticket: text, Key: l.node.jwk()}),
			l.machine(kind, wire.PathToken, wire.TokenRequest{Assertion: text}),
			l.machine(kind, wire.PathHeadlessPoll, wire.HeadlessPollRequest{Secret: text}),
			l.console(kind, "POST", "/invitations/inspect", map[string]string{"token": short}),
			l.console(kind, "POST", "/registrations/complete", map[string]string{"code": short}, "Cookie", outsider.cookie))
		if len(text) < 3000 && plainText.MatchString(text) {
			all = append(all,
				l.console(kind, "GET", "/session", nil, "Cookie", "__Host-connecthub="+text),
				l.console(kind, "GET", "/session", nil, "Authorization", "Bearer "+text),
				l.machine(kind, wire.PathPoll, struct{}{}, "Authorization", "DPoP "+text))
		}
	}
	return all
}

var plainText = regexp.MustCompile(`^[A-Za-z0-9_.+/=-]+$`)

// wordsOf are what in a text may be a secret: long words, each once; of many that are alike, such as
// tracking ids, a few.
func (l *loot) wordsOf(text string) []string {
	seen := make(map[string]bool)
	alike := make(map[string]int)
	var all []string
	for _, word := range regexp.MustCompile(`[A-Za-z0-9_.+/=-]{12,}`).FindAllString(text, -1) {
		form := regexp.MustCompile(`[0-9a-f]`).ReplaceAllString(word, "0")
		if seen[word] || alike[form] == 20 && !long() {
			continue
		}
		seen[word] = true
		alike[form]++
		all = append(all, word)
	}
	return all
}

// backup copies the database as a thief of a backup would, and answers what in its rows may be one.
func (l *loot) backup() []string {
	l.t.Helper()
	copied := filepath.Join(l.t.TempDir(), "backup.db")
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(filepath.Join(l.dir, "hub.db"+suffix))
		must(l.t, err)
		must(l.t, os.WriteFile(copied+suffix, text, 0o600))
	}
	var all []string
	for _, word := range l.wordsOf(storetest.ReadTables(l.t, "sqlite:"+copied).All()) {
		all = append(all, word)
		if raw, err := base64.RawURLEncoding.DecodeString(word); err == nil && len(raw) == 32 {
			all = append(all, fmt.Sprintf("%x", raw))
		}
	}
	return all
}
