package nodeapi_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

// TestR32AnOldKeyFetchesNothingFromALateReplica replaces a node on one hub and asks the other, whose
// roster has not heard of it, with the old key.
func TestR32AnOldKeyFetchesNothingFromALateReplica(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	r := w.publish("2.0.0", models.Regular)
	late := w.replica()
	w.opens(w.pub, w.sub)
	old := *w.pub
	must(t, late.fleet.Load(t.Context()))
	fresh := w.newNode(w.pub.name, "1.0.0")
	v, err := w.fleet.ReplaceNode(t.Context(), w.admin, w.id, w.pub.id)
	must(t, err)
	code, refused := fresh.allow(ticketOf(v.OpenURL), w.sub.name)
	if refused != "" {
		t.Fatal(refused)
	}
	done, err := w.fleet.CompleteRegistration(t.Context(), w.admin, fleet.Return{Code: code})
	must(t, err)
	identity := fresh.identity(done.ID)
	fresh.id, fresh.cluster = identity.NodeID, identity.ClusterID
	w.sub.poll()
	fresh.poll()
	if fresh.poll().Permit == nil {
		t.Fatal("the new machine has no permit")
	}
	answer := late.call(http.MethodGet, wire.PathBundles+r.Digest, old.token, nil)
	if answer.Code < 400 {
		t.Errorf("the old key fetched the bundle: %d", answer.Code)
	}
}

// gone is a caller who hangs up after the first transaction: each asks for the deadline twice.
type gone struct {
	context.Context
	cancel context.CancelFunc
	asked  int
}

func (g *gone) Deadline() (time.Time, bool) {
	if g.asked++; g.asked > 2 {
		g.cancel()
	}
	return time.Time{}, false
}

// TestR6ACommittedDeregistrationCountsAlthoughItsCallerIsGone ends the admin's request right at the
// commit: the nodes must be refused all the same.
func TestR6ACommittedDeregistrationCountsAlthoughItsCallerIsGone(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.pub.poll()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := w.fleet.Deregister(&gone{Context: ctx, cancel: cancel}, w.admin, w.id, "Tokyo")
	if err != nil {
		t.Errorf("what was committed is answered with %v", err)
	}
	refused, statement := w.post(wire.PathPoll, w.pub.token, w.pub.request(), nil)
	if refused != "not_registered" || statement == "" {
		t.Errorf("refused with %q, statement %q", refused, statement)
	}
}

// TestR30AnOfferThatTimeWithdrewIsNotTheNodesDoing confirms after start-by, before the background has
// looked: the record of the end names the hub.
func TestR30AnOfferThatTimeWithdrewIsNotTheNodesDoing(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.publish("2.0.0", models.Regular)
	w.opens(w.pub, w.sub)
	p := w.pub.poll().Permit
	if p == nil {
		t.Fatal("no permit")
	}
	w.pub.take(p)
	w.clock.Advance(2 * time.Hour)
	if w.pub.confirm().Confirmed {
		t.Fatal("confirmed after start-by")
	}
	must(t, w.store.View(t.Context(), func(tx *store.Tx) error {
		records, err := tx.In(w.admin.Organization).Audit(store.AuditQuery{ClusterID: w.id})
		ended := 0
		for _, r := range records {
			if r.Action == string(fleet.ActionPermitEnded) {
				ended++
				if r.ActorKind != models.ActorHub {
					t.Errorf("the end is recorded as the doing of a %s", r.ActorKind)
				}
			}
		}
		if ended != 1 {
			t.Errorf("%d ends are recorded", ended)
		}
		return err
	}))
}
