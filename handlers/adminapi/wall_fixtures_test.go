package adminapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"

	"github.com/google/uuid"
)

// tenant is one organization with everything that a tenant can have.
type tenant struct {
	name   string
	id     models.OrganizationID
	victim models.User       // a colleague whom the matrix may disable
	values map[string]string // by the name of a variable
}

// wallVariables are what a request may name, and the thing each belongs to: the variables of one
// thing are all own, all another tenant's, or all at random.
func wallVariables() map[string]string {
	return map[string]string{
		"clusterId": "cluster", "clusterName": "cluster", "clusterFQDN": "cluster",
		"nodeId": "node", "nodeName": "node", "permitId": "permit",
		"registrationId": "registration", "releaseId": "release",
		"userId": "user", "email": "user",
		"organizationId": "organization", "invitationId": "invitation",
		"sessionId": "session", "tokenId": "token", "passkeyId": "passkey",
		"downloadId": "download",
	}
}

// newTenant makes the rows of a tenant before its hub starts.
func newTenant(t *testing.T, s *store.Store, name string) *tenant {
	t.Helper()
	now := time.Now().UTC()
	o := models.Organization{Name: name, Zone: "Asia/Tokyo", Language: "en", CreatedAt: now}
	// FQDNs of other tenants may be alike; here they differ, so that an answer that shows one is found out
	fqdn := models.FQDN("cc-pub." + strings.ToLower(name) + ".example")
	c := storetest.NewCluster("Cluster of "+name, fqdn, now)
	c.Channel = "stable"
	x := &tenant{name: name, victim: models.User{Email: "victim@" + strings.ToLower(name) + ".example",
		Name: "Victim of " + name, Role: models.ReadOnlyAdmin, CreatedAt: now}}
	r := models.Release{Version: "2.0.0", Kind: models.Regular, State: models.ReleasePublished,
		Channel: "of " + name, Digest: "digest of " + name, CreatedAt: now, PublishedAt: &now}
	n := storetest.NewNode(c.ID, models.Publisher, fqdn, "key of "+name)
	sub := storetest.NewNode(c.ID, models.Subscriber, models.FQDN("cc-sub."+strings.ToLower(name)+".example"),
		"second key of "+name)
	must(t, s.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.Hub().CreateOrganization(&o), tx.In(o.ID).CreateUser(&x.victim),
			tx.In(o.ID).CreateCluster(&c), tx.Hub().CreateRelease(&r))
	}))
	ro := models.Rollout{ClusterID: c.ID, ReleaseID: r.ID, Version: r.Version, Kind: r.Kind,
		State: models.RolloutActive, StartedAt: now}
	n.ClusterID, sub.ClusterID = c.ID, c.ID
	must(t, s.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.In(o.ID).CreateNode(&n),
			tx.In(o.ID).CreateNode(&sub), tx.In(o.ID).CreateRollout(&ro))
	}))
	p := models.Permit{ClusterID: c.ID, NodeID: n.ID, RolloutID: ro.ID, ReleaseID: r.ID,
		Kind: models.PermitUpgrade, State: models.PermitOffered, FenceIncarnation: 1, FenceCounter: 1,
		OfferedAt: now, StartBy: now.Add(12 * time.Hour)}
	reg := models.Registration{Kind: models.RegisterCluster, DisplayName: "New in " + name,
		FQDN: "new." + fqdn, State: models.RegistrationExpired, SecretHash: "secret of " + name,
		UserID: x.victim.ID, RequestedBy: "Victim of " + name, SessionHash: "session of " + name,
		CreatedAt: now, ExpiresAt: now.Add(models.RegistrationTTL), EndedAt: &now}
	view := models.CloudView{ClusterID: c.ID, NodeID: n.ID, EnabledAt: now, ReceivedAt: now,
		Document: models.CloudDocument{DeploymentName: "Deployment of " + name, DeploymentType: "UCCE-2000-Agents",
			Machines: []models.CloudMachine{{Product: "PG", Group: "PG1", Name: "pga." + string(fqdn), Side: "A"}}}}
	must(t, s.Update(t.Context(), func(tx *store.Tx) error {
		return errors.Join(tx.In(o.ID).CreatePermit(&p), tx.In(o.ID).CreateRegistration(&reg),
			tx.In(o.ID).CreateCloudView(&view))
	}))
	x.id = o.ID
	x.values = map[string]string{"clusterId": string(c.ID), "clusterName": c.DisplayName,
		"clusterFQDN": string(fqdn), "nodeId": string(sub.ID), "nodeName": string(sub.Name),
		"permitId": string(p.ID), "registrationId": string(reg.ID), "releaseId": string(r.ID),
		"userId": string(x.victim.ID), "email": x.victim.Email, "organizationId": string(o.ID)}
	x.own(t, s, x.victim.ID, x.values)
	return x
}

// own fills the values of what belongs to one person.
func (x *tenant) own(t *testing.T, s *store.Store, user models.UserID, into map[string]string) {
	t.Helper()
	now := time.Now().UTC()
	unique := uuid.NewString()
	key := models.Passkey{UserID: user, Name: "Passkey of " + x.name, CredentialID: unique,
		PublicKey: []byte{1}, CreatedAt: now}
	invitation := models.Invitation{TokenHash: unique, Role: models.ReadOnlyAdmin, InvitedBy: x.name,
		Email: unique + "@" + strings.ToLower(x.name) + ".example", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	token := models.APIToken{UserID: user, Name: "Token of " + x.name, Prefix: unique[:8], SecretHash: unique,
		Scopes: string(models.ScopeClustersRead), CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	session := models.Session{IDHash: unique, ID: models.SessionID(uuid.NewString()), UserID: user,
		CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(time.Hour), ConfirmedAt: now,
		Method: models.MethodPassword}
	download := models.DownloadCredential{UserID: user, Kind: models.DownloadKey, Name: "Download key of " + x.name,
		Prefix: unique[:8], LastFour: unique[:4], SecretHash: unique, CreatedAt: now}
	contract := models.Entitlement{UserID: user, Kind: models.EntitlementSWSS, Reference: "Contract of " + x.name,
		Products: models.AllProducts, ValidFrom: now, ValidUntil: now.Add(time.Hour), CreatedAt: now}
	must(t, s.Update(t.Context(), func(tx *store.Tx) error {
		in := tx.In(x.id)
		return errors.Join(in.CreatePasskey(&key), in.CreateInvitation(&invitation),
			in.CreateAPIToken(&token), in.CreateSession(&session), in.CreateDownloadCredential(&download),
			in.CreateEntitlement(&contract))
	}))
	into["downloadId"] = string(download.ID)
	into["passkeyId"], into["invitationId"] = string(key.ID), string(invitation.ID)
	into["tokenId"], into["sessionId"] = string(token.ID), string(session.ID)
}

// people are nobody, each role at home in one tenant, the other tenant's full admin, and tokens.
func (w *wall) people(alpha, beta *tenant) {
	w.t.Helper()
	vendor := &tenant{name: "Vendor", values: maps.Clone(w.random)}
	vendor.values["releaseId"] = alpha.values["releaseId"] // releases are nobody's but the vendor's
	person := func(home *tenant, role models.Role, away ...*tenant) *wallCaller {
		name := strings.ReplaceAll(string(role), "_", "-") + "@" + strings.ToLower(home.name) + ".example"
		c := &wallCaller{name: string(role) + " of " + home.name, role: role, home: home, away: away,
			own: maps.Clone(home.values), person: w.person(name, home.name, role)}
		must(w.t, w.store.View(w.t.Context(), func(tx *store.Tx) (err error) {
			c.user, err = tx.Hub().UserByEmail(name)
			return err
		}))
		return c
	}
	full := person(alpha, models.FullAdmin, beta)
	reader := person(alpha, models.ReadOnlyAdmin, beta)
	other := person(beta, models.FullAdmin, alpha)
	engineer := person(vendor, models.ReleaseEngineer, alpha, beta)
	w.confirmed = time.Now()
	w.callers = []*wallCaller{{name: "nobody", away: []*tenant{alpha, beta}, own: w.random}}
	w.callers = append(w.callers, full, reader, engineer, other)
	for _, scope := range models.Scopes() {
		holder := full
		if strings.HasPrefix(string(scope), "releases") {
			holder = engineer
		}
		w.callers = append(w.callers, w.withToken(holder, scope))
	}
	w.callers = append(w.callers, w.withToken(reader, models.ScopeClustersRead,
		models.ScopeClustersWrite, models.ScopePeopleRead, models.ScopeAuditRead))
	// at the end: who has a passkey does not sign in without it
	for _, c := range w.callers[1:] {
		if c.home != vendor {
			c.home.own(w.t, w.store, c.user.ID, c.own)
		}
	}
}

// withToken is a program that a person gave a token.
func (w *wall) withToken(of *wallCaller, scopes ...models.Scope) *wallCaller {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{"name": "Wall", "scopes": scopes, "days": 1})
	must(w.t, err)
	a := of.person.ask("POST", "/account/tokens", string(body))
	secret, _ := a.value["secret"].(string)
	if a.status != http.StatusCreated || secret == "" {
		w.t.Fatalf("a token of %s: %d %s", of.name, a.status, a.body)
	}
	c := *of
	c.name, c.scopes, c.token = fmt.Sprint("token ", scopes, " of ", of.name), scopes, secret
	return &c
}

// atRandom is the values of nothing that exists, each of the form and length of another tenant's, so
// that an answer that repeats it has the same length.
func atRandom(like map[string]string) map[string]string {
	values := make(map[string]string)
	for name, value := range like {
		if id, err := uuid.Parse(value); err == nil && id.String() == value {
			values[name] = uuid.Must(uuid.NewV7()).String()
			continue
		}
		values[name] = strings.Map(func(r rune) rune {
			switch {
			case r >= 'a' && r <= 'z':
				return 'a' + rand.N[rune](26)
			case r >= 'A' && r <= 'Z':
				return 'A' + rand.N[rune](26)
			}
			return r
		}, value)
	}
	return values
}

// bodyOf is a request body of the operation that the hub takes, with variables in {{}}. A new
// operation that has a body needs a line here.
func bodyOf() map[string][]string {
	typed := []string{`{"typed_name":"{{clusterName}}"}`}
	typedNode := []string{`{"typed_name":"{{nodeName}}"}`}
	second := []string{`{"challenge_id":"none","recovery_code":"none"}`}
	return map[string][]string{
		"signIn":               {`{"email":"{{email}}","password":"wrong"}`},
		"finishSignIn":         second,
		"finishStepUp":         second,
		"stepUp":               {`{"password":"` + password + `"}`},
		"stepUpOidc":           {`{"return_to":"/"}`},
		"beginOidc":            {`{"email":"somebody@nowhere.example"}`},
		"changePassword":       {`{"current":"wrong","new":"another long password"}`},
		"finishPasskey":        {`{"challenge_id":"none","name":"Key","credential":{}}`},
		"createToken":          {`{"name":"Token","scopes":["clusters:read"],"days":1}`},
		"saveOrganization":     {`{"zone":"Asia/Tokyo","language":"en","require_comparison_code":false,"require_second_factor":false}`},
		"setRole":              {`{"role":"read_only_admin"}`},
		"invite":               {`{"email":"{{email}}","role":"read_only_admin"}`},
		"inspectInvitation":    {`{"token":"none"}`},
		"acceptInvitation":     {`{"token":"none","name":"Nobody","password":"another long password"}`},
		"createRegistration":   {`{"display_name":"{{clusterName}}","fqdn":"{{clusterFQDN}}"}`},
		"completeRegistration": {`{"code":"none"}`},
		"inspectHeadless":      {`{"code":"BCDF-GHJK"}`},
		"approveHeadless":      {`{"code":"BCDF-GHJK","display_name":"{{clusterName}}"}`},
		"denyHeadless":         {`{"code":"BCDF-GHJK"}`},
		"saveSchedules":        {`{"version":1,"schedules":` + schedules + `}`},
		"previewSchedules":     {schedules},
		"upgradeNow":           typed,
		"deregister":           typed,
		"overridePermit":       typedNode,
		"enterMaintenance":     {`{"reason":"disk"}`},
		"removeNode":           typedNode,
		"upgradeDespite":       typedNode,
		"setReleaseState":      {`{"state":"paused"}`},

		"acceptEula":                 {`{"version":"1"}`},
		"generateDownloadCredential": {`{"kind":"key","name":"Key"}`, `{"kind":"identity_token","name":"Token","days":1}`},
	}
}

// queryOf is the queries of an operation; a new query parameter needs to be in one.
func queryOf(now time.Time) map[string][]string {
	span := fmt.Sprintf("?from=%s&to=%s", now.Add(-time.Hour).UTC().Format(time.RFC3339),
		now.Add(time.Hour).UTC().Format(time.RFC3339))
	audit := span + "&actor={{email}}&categories=&target={{clusterName}}&cluster_id={{clusterId}}" +
		"&actor_id={{userId}}&actions=&text={{clusterName}}"
	return map[string][]string{
		"listClusters": {"", "?search={{clusterName}}"},
		"listAudit": {span, audit, span + "&cluster_id={{clusterId}}", span + "&actor_id={{userId}}",
			span + "&max=1&cursor=none"},
		"exportAudit": {span, audit, span + "&cluster_id={{clusterId}}", span + "&actor_id={{userId}}"},
		"finishOidc":  {"?code=none&state=none", "?error=none&iss=none&state=none"},
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
