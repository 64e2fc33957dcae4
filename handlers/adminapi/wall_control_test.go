package adminapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/store/storetest"
)

// control is a call that succeeds once its owner's things are as it needs them.
type control struct {
	operation string
	prepare   func(in *store.Scope) error
	body      func(w *wall) string // nil: the fixtures'
	nobody    bool                 // who calls it is not signed in
}

// controls are calls of operations that the matrix only ever sees refused, in an order in which one
// leaves what the next one needs.
func (w *wall) controls() []control {
	text := func(body string) func(*wall) string { return func(*wall) string { return body } }
	token := func(more string) func(*wall) string {
		return func(w *wall) string { return `{"token":"` + w.invited + `"` + more + `}` }
	}
	full := w.callers[1]
	return []control{
		{operation: "postpone", prepare: w.atEase},
		{operation: "undoPostponement"},
		{operation: "upgradeNow"},
		{operation: "retryRollout", prepare: w.halts},
		{operation: "overridePermit", prepare: w.falls},
		{operation: "admitNode", prepare: w.subscriber(func(n *models.Node) { n.Member = models.MemberWaiting })},
		{operation: "adoptVersion", prepare: w.subscriber(func(n *models.Node) { n.Version = "9.9.9" })},
		{operation: "upgradeDespite", prepare: w.subscriber(func(n *models.Node) { n.Health = models.Unhealthy })},
		{operation: "leaveMaintenance", prepare: w.subscriber(func(n *models.Node) {
			until := time.Now().UTC().Add(time.Hour)
			n.MaintenanceUntil = &until
		})},
		{operation: "replaceNode"},
		{operation: "createRegistration", body: text(`{"display_name":"Fresh","fqdn":"cc-fresh.example.com"}`)},
		{operation: "acceptEula", prepare: w.agreement},
		{operation: "generateDownloadCredential"},
		{operation: "invite", body: text(`{"email":"fresh@alphaxwall.example","role":"read_only_admin"}`)},
		{operation: "inspectInvitation", body: token(""), nobody: true},
		{operation: "acceptInvitation", nobody: true,
			body: token(`,"name":"Fresh","password":"seven quiet lanterns drift"`)},
		{operation: "signIn", body: text(`{"email":"` + full.user.Email + `","password":"` + password + `"}`), nobody: true},
		{operation: "changePassword", body: text(`{"current":"` + password + `","new":"eight quiet lanterns drift"}`)},
	}
}

// TestR29TheWallStandsAtTheMomentWhenItsOwnerPasses tries what the owner's request alone would not
// bring about: first as the other tenant's full admin, who is answered as about nothing that exists
// and changes nothing, and then as the owner, who succeeds.
func TestR29TheWallStandsAtTheMomentWhenItsOwnerPasses(t *testing.T) {
	t.Parallel()
	var passed, held, failed, caught atomic.Int64
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
				byID := make(map[string]wallOperation)
				for _, o := range w.operations() {
					byID[o.id] = o
				}
				for _, c := range w.controls() {
					body := w.prepared(byID[c.operation], c)
					findings, asked := w.stands(byID[c.operation], w.callers[4], body)
					findings = append(findings, w.passes(byID[c.operation], c, body)...)
					for _, f := range findings {
						t.Error(f)
					}
					failed.Add(int64(len(findings)))
					passed.Add(1)
					held.Add(int64(asked))
					if c.operation == "leaveMaintenance" { // the mutant: no stranger at all
						body = w.prepared(byID[c.operation], c)
						if mutant, _ := w.stands(byID[c.operation], w.callers[1], body); len(mutant) == 0 {
							t.Error("a hole was not found out")
							continue
						}
						caught.Add(1)
					}
				}
			})
		}
	})
	fmt.Printf("proof 3.1-controls dialects=2 operations=%d refused_at_that_moment=%d failed=%d mutants_caught=%d/2\n",
		passed.Load(), held.Load(), failed.Load(), caught.Load())
}

// prepared makes everything ready, and answers the body to send.
func (w *wall) prepared(o wallOperation, c control) string {
	w.t.Helper()
	if c.prepare != nil {
		must(w.t, w.store.Update(w.t.Context(), func(tx *store.Tx) error {
			return c.prepare(tx.In(w.callers[1].home.id))
		}))
	}
	if c.body != nil {
		return c.body(w)
	}
	return o.requests[0].body
}

// stands lets a stranger ask about the owner's and about nothing, where the address names a thing.
func (w *wall) stands(o wallOperation, stranger *wallCaller, body string) (findings []string, asked int) {
	if !inText.MatchString(o.path) {
		return nil, 0
	}
	owner := w.callers[1]
	before := w.db.Of(string(owner.home.id))
	theirs := w.send(stranger, o.method, fill(o.path, owner.own), fill(body, owner.own))
	nothing := w.send(stranger, o.method, fill(o.path, w.random), fill(body, w.random))
	if theirs.status < 400 || theirs.text != nothing.text {
		findings = append(findings, fmt.Sprintf("%s: the stranger is told %s, and of nothing %s", o.id,
			theirs.text, nothing.text))
	}
	if after := w.db.Of(string(owner.home.id)); after != before {
		findings = append(findings, fmt.Sprintf("%s by a stranger changed\n%s", o.id,
			storetest.Changed(before, after)))
	}
	return findings, 1
}

// passes lets the owner do it.
func (w *wall) passes(o wallOperation, c control, body string) (findings []string) {
	w.t.Helper()
	caller, own := w.callers[1], w.callers[1].own
	if c.nobody {
		caller = w.callers[0]
	}
	a := w.send(caller, o.method, fill(o.path, own), fill(body, own))
	if a.status >= 400 {
		return []string{fmt.Sprintf("%s: its owner is refused: %d %s", o.id, a.status, a.body)}
	}
	if o.id == "invite" {
		var made struct{ Link string }
		must(w.t, json.Unmarshal([]byte(a.body), &made))
		_, w.invited, _ = strings.Cut(made.Link, "#")
	}
	return nil
}

// atEase is a cluster with a release of its own channel, no permit, and no window for hours.
func (w *wall) atEase(in *store.Scope) error {
	own := w.callers[1].own
	rows, err := in.LoadCluster(models.ClusterID(own["clusterId"]))
	if err != nil {
		return err
	}
	c := rows.Cluster
	far := time.Now().UTC().Add(12 * time.Hour).Format("15:04")
	c.Channel, c.Zone, c.RegularTime, c.EmergencyTime = "of Alphaxwall", "UTC", far, far
	p, err := in.OpenPermit(c.ID)
	if err != nil || p == nil { // the hub's own sweep was there first
		return errors.Join(err, in.SaveCluster(c))
	}
	return errors.Join(in.SaveCluster(c), in.EndPermit(p.ID, p.State, models.Withdrawn, "", time.Now().UTC()))
}

// rollout is the cluster's open one; the hub's sweep may have ended that of the fixtures.
func (w *wall) rollout(in *store.Scope) (models.Rollout, error) {
	own := w.callers[1].own
	rows, err := in.LoadCluster(models.ClusterID(own["clusterId"]))
	if err != nil {
		return models.Rollout{}, err
	}
	if rows.Rollout != nil {
		return *rows.Rollout, nil
	}
	r := models.Rollout{ClusterID: rows.Cluster.ID, ReleaseID: models.ReleaseID(own["releaseId"]), Version: "2.0.0",
		Kind: models.Regular, State: models.RolloutActive, StartedAt: time.Now().UTC()}
	return r, in.CreateRollout(&r)
}

// halts is a failed node.
func (w *wall) halts(in *store.Scope) error {
	r, err := w.rollout(in)
	if err != nil {
		return err
	}
	was := r.State
	r.State, r.BlockedBy = models.RolloutHaltedFailed, models.NodeID(w.callers[1].own["nodeId"])
	return in.SetRolloutState(r, was, time.Now().UTC())
}

// falls is a node that fell silent with a confirmed permit.
func (w *wall) falls(in *store.Scope) error {
	own := w.callers[1].own
	r, err := w.rollout(in)
	if err != nil {
		return err
	}
	long := time.Now().UTC().Add(-20 * time.Minute)
	p := models.Permit{ClusterID: r.ClusterID, NodeID: models.NodeID(own["nodeId"]), RolloutID: r.ID,
		ReleaseID: r.ReleaseID, Kind: models.PermitUpgrade, State: models.PermitConfirmed,
		FenceIncarnation: 1, FenceCounter: 7, OfferedAt: long, StartBy: long.Add(time.Hour),
		ConfirmedAt: &long, ConfirmedBoot: "boot"}
	err = in.CreatePermit(&p)
	own["permitId"] = string(p.ID)
	return err
}

func (w *wall) subscriber(change func(n *models.Node)) func(*store.Scope) error {
	return func(in *store.Scope) error {
		n, err := in.NodeByID(models.NodeID(w.callers[1].own["nodeId"]))
		if err != nil {
			return err
		}
		n.Member, n.Health = models.MemberActive, models.Healthy
		change(&n)
		return in.SaveNode(n)
	}
}

// agreement is one that everybody has to accept.
func (w *wall) agreement(in *store.Scope) error {
	return in.Tx().Hub().PublishEULA(&models.EULA{Version: "1", Text: "You agree.",
		PublishedAt: time.Now().UTC()})
}

// controlled says whether an operation has its control above.
func (w *wall) controlled(operation string) bool {
	return slices.ContainsFunc(w.controls(), func(c control) bool { return c.operation == operation })
}
