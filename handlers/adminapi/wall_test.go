package adminapi_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connecthub/handlers/adminapi"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"

	"github.com/getkin/kin-openapi/openapi3"
)

// wallCaller is somebody who tries an operation: nobody, a person, or a program with a token.
type wallCaller struct {
	name   string
	role   models.Role    // empty for nobody
	scopes []models.Scope // of a token; nil for a session
	home   *tenant        // nil for nobody
	away   []*tenant      // whose rows must stay unseen and unchanged
	own    map[string]string
	user   models.User
	person *browser
	token  string
}

// may is what the access table says; that it is kept is part of the matrix.
func (c *wallCaller) may(who adminapi.Who) bool {
	switch {
	case who.Anyone:
		return true
	case c.role == "" || !who.May(c.role):
		return false
	case c.token != "":
		return !who.StepUp && slices.Contains(c.scopes, who.Scope)
	}
	return true
}

// wallOutcome is all that an answer tells, in a form in which two that tell the same are equal.
type wallOutcome struct {
	status int
	text   string // status, headers and body
	body   string
}

// wallSend sends one request of a caller.
type wallSend func(c *wallCaller, method, path, body string) wallOutcome

// wall is one run of the matrix over one database.
type wall struct {
	*hub
	db        *storetest.Tables
	callers   []*wallCaller
	tenants   []*tenant
	random    map[string]string
	address   atomic.Uint64
	cells     int
	findings  []string
	reached   map[string][]int // what an operation answered to those who may, about their own
	dumps     map[*tenant]string
	version   string // of the database when the dumps were made
	confirmed time.Time
	store     *store.Store
	invited   string // the token of an invitation
}

// TestR29TheWallBetweenTenants tries every operation of the document as everybody, about what is the
// caller's own, another tenant's, and nobody's.
func TestR29TheWallBetweenTenants(t *testing.T) {
	t.Parallel()
	var cells, leaks, changes, mutants atomic.Int64
	var operations, callers atomic.Int64
	t.Run("databases", func(t *testing.T) {
		for name, dsn := range map[string]func(t *testing.T) string{
			"sqlite": func(t *testing.T) string {
				t.Helper()
				return "sqlite:" + filepath.Join(t.TempDir(), "hub.db")
			},
			"postgres": func(t *testing.T) string { t.Helper(); return storetest.EmptyPostgresDSN(t) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWall(t, dsn(t))
				operations.Store(int64(len(w.operations())))
				callers.Store(int64(len(w.callers)))
				mutants.Add(int64(w.mutants()))
				w.run(w.operations(), w.send)
				for i, f := range w.findings {
					if i < 20 {
						t.Error(f)
					}
					if strings.Contains(f, "changed") {
						changes.Add(1)
					} else {
						leaks.Add(1)
					}
				}
				if len(w.findings) > 20 {
					t.Errorf("and %d more", len(w.findings)-20)
				}
				w.vacuous()
				cells.Add(int64(w.cells))
			})
		}
	})
	fmt.Printf("proof 3.1 dialects=2 operations=%d callers=%d cells=%d leaks=%d changes=%d mutants_caught=%d/6\n",
		operations.Load(), callers.Load(), cells.Load(), leaks.Load(), changes.Load(), mutants.Load())
}

func newWall(t *testing.T, dsn string) *wall {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{DSN: dsn, Now: time.Now})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	_, _, err = s.Migrate(t.Context())
	must(t, err)
	alpha, beta := newTenant(t, s, "Alphaxwall"), newTenant(t, s, "Betazwall")
	w := &wall{store: s, tenants: []*tenant{alpha, beta}, random: atRandom(beta.values),
		reached: make(map[string][]int), dumps: make(map[*tenant]string)}
	// every request has an address of its own, so that no limit by address hides an answer
	w.hub = startHubIn(t, filepath.Join(t.TempDir(), "data"), "--dsn", dsn,
		"--trusted-proxies", "127.0.0.0/8", "--public-url", "https://hub.example")
	w.db = storetest.ReadTables(t, dsn)
	w.people(alpha, beta)
	return w
}

// wallOperation is one of the document with a request that may be sent.
type wallOperation struct {
	id, method, path string
	who              adminapi.Who
	requests         []wallRequest
	creates          bool
}

type wallRequest struct{ path, body string }

var (
	inPath = regexp.MustCompile(`\{([a-zA-Z]+)\}`)
	inText = regexp.MustCompile(`\{\{([a-zA-Z]+)\}\}`)
)

// operations are those of the document, the harmless ones first, and each with its requests: what
// the fixtures do not know yet fails the test.
func (w *wall) operations() []wallOperation {
	w.t.Helper()
	var all []wallOperation
	bodies, queries, known := bodyOf(), queryOf(time.Now()), wallVariables()
	for path, item := range w.doc.Paths.Map() {
		for method, op := range item.Operations() {
			o := wallOperation{id: op.OperationID, method: method, who: adminapi.Access()[op.OperationID],
				path: inPath.ReplaceAllString(path, "{{$1}}"), creates: op.Responses.Status(201) != nil}
			if op.RequestBody != nil && op.RequestBody.Value.Required && len(bodies[o.id]) == 0 {
				w.t.Errorf("%s has a body that bodyOf does not know", o.id)
			}
			w.queried(o.id, append(slices.Clone(item.Parameters), op.Parameters...), queries[o.id])
			for _, q := range append(queries[o.id], "")[:max(1, len(queries[o.id]))] {
				for _, b := range append(bodies[o.id], "")[:max(1, len(bodies[o.id]))] {
					o.requests = append(o.requests, wallRequest{path: o.path + q, body: b})
					for _, v := range inText.FindAllStringSubmatch(o.path+q+b, -1) {
						if known[v[1]] == "" {
							w.t.Fatalf("%s: the variable %s is not among wallVariables", o.id, v[1])
						}
					}
				}
			}
			all = append(all, o)
		}
	}
	rank := func(o wallOperation) int {
		last := []string{"setReleaseState", "disableUser", "removeNode", "deregister", "signOut"}
		if i := slices.Index(last, o.id); i >= 0 {
			return 10 + i
		}
		return slices.Index([]string{"GET", "POST", "PUT", "DELETE"}, o.method)
	}
	slices.SortFunc(all, func(a, b wallOperation) int {
		if r := rank(a) - rank(b); r != 0 {
			return r
		}
		return strings.Compare(a.id, b.id)
	})
	return all
}

// queried fails for a query parameter that no query of the fixtures has.
func (w *wall) queried(operation string, parameters openapi3.Parameters, queries []string) {
	w.t.Helper()
	for _, p := range parameters {
		if p.Value.In == "query" && !strings.Contains(strings.Join(queries, " "), p.Value.Name+"=") {
			w.t.Errorf("%s has a parameter %s that queryOf does not know", operation, p.Value.Name)
		}
	}
}

// run tries every operation as every caller.
func (w *wall) run(operations []wallOperation, send wallSend) {
	for _, tenant := range w.tenants {
		w.dumps[tenant] = w.db.Of(string(tenant.id))
	}
	for _, o := range operations {
		if o.id == "streamEvents" {
			continue // it does not end; its guard is the same, and its silence has a test below
		}
		if time.Since(w.confirmed) > time.Minute {
			w.freshen()
		}
		for i, c := range w.callers {
			if o.who.Anyone && i > 1 {
				continue // it does not ask who calls
			}
			for _, r := range o.requests {
				w.cell(o, c, r, send)
			}
		}
	}
}

// freshen keeps every session confirmed, so that the wall is tried behind the step-up.
func (w *wall) freshen() {
	w.t.Helper()
	now := time.Now().UTC()
	for _, c := range w.callers {
		if c.person == nil || c.token != "" {
			continue
		}
		must(w.t, w.store.Update(w.t.Context(), func(tx *store.Tx) error {
			in := tx.In(c.user.OrganizationID)
			sessions, err := in.Sessions(c.user.ID)
			for _, session := range sessions {
				err = errors.Join(err, in.ConfirmSession(session.IDHash, now))
			}
			return err
		}))
	}
	w.confirmed = now
	for _, tenant := range w.tenants {
		w.dumps[tenant] = w.db.Of(string(tenant.id))
	}
}

// cell sends one request about every combination of own, another's and nobody's.
func (w *wall) cell(o wallOperation, c *wallCaller, r wallRequest, send wallSend) {
	allowed := c.may(o.who)
	answers := make(map[string]wallOutcome)
	kinds := combinations(things(r))
	for _, kind := range kinds {
		w.cells++
		values := c.valuesOf(kind, w.random)
		path, body := fill(r.path, values), fill(r.body, values)
		a := send(c, o.method, path, body)
		answers[name(kind)] = a
		w.judge(o, c, r, kind, a, path+body)
	}
	for _, kind := range kinds {
		if twin := swapped(kind, "other", "random"); name(twin) != name(kind) {
			w.alike(o, c, r, answers[name(kind)], answers[name(twin)], kind, twin)
		}
		if twin := swapped(kind, "own", "random"); !allowed {
			w.alike(o, c, r, answers[name(kind)], answers[name(twin)], kind, twin)
		}
	}
	version := w.db.Version()
	if version == w.version {
		return
	}
	w.version = version
	for _, tenant := range w.tenants {
		now := w.db.Of(string(tenant.id))
		if now != w.dumps[tenant] && (!allowed || slices.Contains(c.away, tenant)) {
			w.find("%s by %s changed rows of %s:\n%s", o.id, c.name, tenant.name, storetest.Changed(w.dumps[tenant], now))
		}
		w.dumps[tenant] = now
	}
}

func (w *wall) find(format string, args ...any) {
	w.findings = append(w.findings, fmt.Sprintf(format, args...))
}

// judge looks at one answer alone.
func (w *wall) judge(o wallOperation, c *wallCaller, r wallRequest, kind map[string]string,
	a wallOutcome, sent string) {
	where := fmt.Sprintf("%s by %s about %s", o.id, c.name, name(kind))
	refused := a.status == http.StatusUnauthorized || a.status == http.StatusForbidden
	foreign := false
	for _, v := range inText.FindAllStringSubmatch(o.path, -1) {
		foreign = foreign || kind[wallVariables()[v[1]]] != "own"
	}
	switch {
	case a.status >= 500 || a.status == http.StatusTooManyRequests:
		w.find("%s: %d %s", where, a.status, a.body)
	case !c.may(o.who) && !refused:
		w.find("%s: let through: %d %s", where, a.status, a.body)
	case c.may(o.who) && a.status == http.StatusForbidden && byTheGuard(a.body):
		w.find("%s: refused: %d %s", where, a.status, a.body)
	case foreign && c.may(o.who) && (a.status < 300 || a.status >= 500):
		w.find("%s: answered: %d %s", where, a.status, a.body)
	}
	for _, tenant := range c.away {
		for variable, value := range tenant.values {
			if variable != "releaseId" && strings.Contains(a.text, value) && !strings.Contains(sent, value) {
				w.find("%s shows the %s of %s: %s", where, variable, tenant.name, a.text)
			}
		}
	}
	if !slices.Contains(slices.Collect(maps.Values(kind)), "other") && c.may(o.who) && !foreign {
		w.reached[o.id] = append(w.reached[o.id], a.status)
	}
}

// byTheGuard says whether it was the table of who may do what that refused.
func byTheGuard(body string) bool {
	return slices.ContainsFunc([]string{"forbidden", "session_only", "token_scope", "step_up_required",
		"second_factor_required", "foreign_origin"}, func(code string) bool {
		return strings.Contains(body, `"code":"`+code+`"`)
	})
}

// alike compares two answers byte for byte. What a request itself said may come back in what it
// made; a new thing has an id and a time of its own, so of those the form is compared.
func (w *wall) alike(o wallOperation, c *wallCaller, r wallRequest, a, b wallOutcome,
	kind, twin map[string]string) {
	one, other := a.text, b.text
	if a.status < 300 && b.status < 300 {
		one, other = w.neutral(c, r, kind, one), w.neutral(c, r, twin, other)
		if o.creates {
			one, other = shape(a.body), shape(b.body)
		}
	}
	if one != other {
		w.find("%s by %s tells %s from %s:\n%s\n%s", o.id, c.name, name(kind), name(twin), one, other)
	}
}

func (w *wall) neutral(c *wallCaller, r wallRequest, kind map[string]string, text string) string {
	values := c.valuesOf(kind, w.random)
	for _, v := range inText.FindAllStringSubmatch(r.path+r.body, -1) {
		text = strings.ReplaceAll(text, values[v[1]], v[1])
	}
	return text
}

// vacuous fails where an operation was never reached by anybody who may: then nothing was behind
// the wall.
func (w *wall) vacuous() {
	excused := map[string]bool{ // they need a provider, an authenticator or a node, or do not end
		"finishSignIn": true, "finishStepUp": true, "stepUpOidc": true, "beginOidc": true,
		"finishOidc": true, "finishPasskey": true, "completeRegistration": true, "inspectHeadless": true,
		"approveHeadless": true, "denyHeadless": true, "streamEvents": true}
	for _, o := range w.operations() {
		good := slices.ContainsFunc(w.reached[o.id], func(status int) bool { return status < 400 })
		if !good && !excused[o.id] && !w.controlled(o.id) {
			w.t.Errorf("%s was never answered to those who may: %v", o.id, w.reached[o.id])
		}
	}
}

// mutants sends through walls with holes of three kinds, and answers how many were found out.
func (w *wall) mutants() int {
	w.t.Helper()
	byID := make(map[string]wallOperation)
	for _, o := range w.operations() {
		byID[o.id] = o
	}
	beta := w.tenants[1]
	insider := w.callers[4]
	hole := func(of string, through func(c *wallCaller, method, path, body string, a wallOutcome) wallOutcome) bool {
		before, cells, reached := w.findings, w.cells, w.reached
		w.findings, w.reached = nil, make(map[string][]int)
		w.run([]wallOperation{byID[of]}, func(c *wallCaller, method, path, body string) wallOutcome {
			a := w.send(c, method, path, body)
			if c.home == w.tenants[0] && strings.Contains(path+body, beta.values["clusterId"]) {
				return through(c, method, path, body, a)
			}
			return a
		})
		found := len(w.findings) > 0
		w.findings, w.cells, w.reached = before, cells, reached
		if !found {
			w.t.Errorf("a hole in %s was not found out", of)
		}
		return found
	}
	caught := 0
	for of, through := range map[string]func(c *wallCaller, method, path, body string, a wallOutcome) wallOutcome{
		"getCluster": func(_ *wallCaller, method, path, body string, _ wallOutcome) wallOutcome {
			return w.send(insider, method, path, body) // it shows the other's
		},
		"listHistory": func(_ *wallCaller, _, _, _ string, a wallOutcome) wallOutcome {
			a.text += "X-Why: not yours\n" // it tells the other's from nobody's
			return a
		},
		"enterMaintenance": func(_ *wallCaller, method, path, body string, a wallOutcome) wallOutcome {
			w.send(insider, method, path, body) // it refuses and does it
			return a
		},
	} {
		if hole(of, through) {
			caught++
		}
	}
	return caught
}

// send is a real request over a real connection.
func (w *wall) send(c *wallCaller, method, path, body string) wallOutcome {
	w.t.Helper()
	n := w.address.Add(1)
	headers := []string{"X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)}
	b := w.browser()
	switch {
	case c.token != "":
		headers = append(headers, "Authorization", "Bearer "+c.token)
	case c.person != nil:
		b = c.person
	}
	res, err := noRedirects.Do(b.request(method, path, body, headers...))
	must(w.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	must(w.t, err)
	a := wallOutcome{status: res.StatusCode, body: string(text)}
	id := res.Header.Get("Tracking-Id")
	var all bytes.Buffer
	fmt.Fprintf(&all, "%s\n", res.Status)
	for _, key := range slices.Sorted(maps.Keys(res.Header)) {
		if key != "Date" && key != "Tracking-Id" {
			fmt.Fprintf(&all, "%s: %q\n", key, res.Header[key])
		}
	}
	all.Write(text)
	a.text = all.String()
	if id != "" {
		a.text = strings.ReplaceAll(a.text, id, "TRACKING")
	}
	return a
}

var noRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
	return http.ErrUseLastResponse
}}

// TestR29AStreamTellsNothingOfAnotherTenant changes both tenants and looks at what one hears.
func TestR29AStreamTellsNothingOfAnotherTenant(t *testing.T) {
	t.Parallel()
	h := startHub(t)
	h.command("organization", "create", "Otherwise")
	theirs := h.person("other@example.com", "Otherwise", models.FullAdmin)
	mine := h.admin()
	res, err := http.DefaultClient.Do(mine.request("GET", "/events", ""))
	must(t, err)
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	if !lines.Scan() || lines.Text() != ": connected" {
		t.Fatal(lines.Text())
	}
	var ids []string
	for _, b := range []*browser{theirs, mine} {
		a := b.ask("POST", "/registrations", `{"display_name":"Tokyo","fqdn":"cc-pub.example.com"}`)
		id, _ := a.value["id"].(string)
		if a.status != http.StatusCreated || id == "" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		ids = append(ids, id)
	}
	for lines.Scan() {
		if strings.Contains(lines.Text(), ids[0]) {
			t.Fatalf("it tells of the other tenant: %s", lines.Text())
		}
		if strings.Contains(lines.Text(), ids[1]) {
			return // what was committed later has come; what was before it would have
		}
	}
	t.Errorf("it ended: %v", lines.Err())
}
