package nodeapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/models/wire"
)

func document(machines int) *models.CloudDocument {
	d := &models.CloudDocument{TakenAt: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), DeploymentName: "…漢字",
		DeploymentType: "UCCE-2000-Agents", Version: 1}
	for i := range machines {
		d.Machines = append(d.Machines, models.CloudMachine{Product: "PG", Group: fmt.Sprint("PG", i),
			Name: fmt.Sprintf("pg%d.example.com", i), Side: "A"})
	}
	return d
}

// shows sends what the node shows; nil is nothing any more.
func (n *node) shows(d *models.CloudDocument) (kept bool, refused models.Code) {
	n.w.t.Helper()
	n.login()
	var answer wire.CloudViewResponse
	refused, _ = n.w.post(wire.PathCloudView, n.token, wire.CloudViewRequest{Document: d}, &answer)
	return answer.Kept, refused
}

// shown is what the console shows of the cluster.
func (w walk) shown() *models.CloudView {
	w.Helper()
	v, err := w.fleet.Shown(w.Context(), w.admin, w.id)
	must(w.T, err)
	return v
}

// told is which records of the cloud view there are, the oldest first.
func (w walk) told() string {
	w.Helper()
	var actions []string
	must(w.T, w.store.View(w.Context(), func(tx *store.Tx) error {
		records, err := tx.In(w.admin.Organization).Audit(store.AuditQuery{ClusterID: w.id})
		for _, r := range records {
			if what, ok := strings.CutPrefix(r.Action, "cloud_view_"); ok {
				actions = append([]string{r.ActorKind + " " + r.ActorName + " " + what}, actions...)
			}
		}
		return err
	}))
	return strings.Join(actions, ", ")
}

func TestAPublisherShowsItsContactCenterWhileItsAdministratorLetsIt(t *testing.T) {
	t.Parallel()
	onBothWalks(t, func(w walk) {
		if w.shown() != nil {
			w.Fatal("something is shown that nobody sent")
		}
		if kept, code := w.pub.shows(nil); kept || code != "" || w.told() != "" {
			w.Errorf("a node that shows nothing: %v %s %s", kept, code, w.told())
		}
		if kept, code := w.pub.shows(document(2)); !kept || code != "" {
			w.Fatal(code)
		}
		first := w.shown()
		if first == nil || len(first.Document.Machines) != 2 || first.Document.DeploymentName != "…漢字" || first.NodeID != w.pub.id {
			w.Fatalf("%+v", first)
		}
		w.clock.Advance(time.Minute)
		w.pub.shows(document(3))
		if v := w.shown(); len(v.Document.Machines) != 3 || !v.EnabledAt.Equal(first.EnabledAt) ||
			!v.ReceivedAt.Equal(first.ReceivedAt.Add(time.Minute)) {
			w.Errorf("%+v", v)
		}
		if kept, _ := w.pub.shows(nil); kept || w.shown() != nil {
			w.Error("what was taken away is still shown")
		}
		w.pub.shows(nil)
		if told := w.told(); told != "node cc-pub.example.com enabled, node cc-pub.example.com disabled" {
			w.Error(told)
		}
	})
}

func TestOnlyThePublisherShowsTheContactCenter(t *testing.T) {
	t.Parallel()
	onBothWalks(t, func(w walk) {
		if _, code := w.sub.shows(document(1)); code != "not_publisher" {
			w.Error(code)
		}
		w.pub.shows(document(1))
		if _, code := w.sub.shows(nil); code != "not_publisher" || w.shown() == nil {
			w.Error(code, "a subscriber took it away")
		}
		var answer wire.CloudViewResponse
		code, _ := w.post(wire.PathCloudView, "", wire.CloudViewRequest{Document: document(9)}, &answer)
		if code != "invalid_token" || len(w.shown().Document.Machines) != 1 {
			w.Error(code)
		}
	})
}

func TestADocumentOfAnotherFormIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	w.pub.shows(document(1))
	long := strings.Repeat("x", 254)
	for name, spoil := range map[string]func(d *models.CloudDocument){
		"a long name":         func(d *models.CloudDocument) { d.Machines[0].Name = long },
		"no name":             func(d *models.CloudDocument) { d.Machines[0].Name = "" },
		"a control character": func(d *models.CloudDocument) { d.Machines[0].Name = "a\x1b[31m" },
		"a line end":          func(d *models.CloudDocument) { d.DeploymentName = "a\nb" },
		"no text":             func(d *models.CloudDocument) { d.DeploymentType = "\u202e" },
		"a long word":         func(d *models.CloudDocument) { d.Machines[0].Product = long },
		"too many machines":   func(d *models.CloudDocument) { *d = *document(models.MaxCloudMachines + 1) },
		"too many procedures": func(d *models.CloudDocument) { d.Procedures = make([]models.CloudProcedure, 11) },
		"a nameless outcome":  func(d *models.CloudDocument) { d.Connections = make([]models.CloudOutcome, 1) },
		"a spoilt procedure":  func(d *models.CloudDocument) { d.Procedures = []models.CloudProcedure{{Kind: long}} },
		"a negative number":   func(d *models.CloudDocument) { d.Omitted = -1 },
		"a nameless procedure": func(d *models.CloudDocument) {
			d.Procedures = []models.CloudProcedure{{Machines: make([]models.CloudOutcome, 1)}}
		},
	} {
		d := document(1)
		spoil(d)
		if _, code := w.pub.shows(d); code != "invalid_cloud_view" {
			t.Errorf("%s: %q", name, code)
		}
	}
	big := document(models.MaxCloudMachines)
	for i := range big.Machines {
		big.Machines[i].Name = strings.Repeat("x", 200)
	}
	if _, code := w.pub.shows(big); code != "body_too_large" {
		t.Error(code)
	}
	var answer wire.CloudViewResponse
	odd := json.RawMessage(`{"document":{"user":"admin@domain.local"}}`)
	if code, _ := w.post(wire.PathCloudView, w.pub.token, odd, &answer); code != "unknown_field" {
		t.Error("a user name was taken:", code)
	}
	if v := w.shown(); len(v.Document.Machines) != 1 || v.Document.Machines[0].Name != "pg0.example.com" {
		t.Errorf("%+v", v)
	}
}

func TestWhatAClusterShowsGoesWithItsRegistrationAndWithARestore(t *testing.T) {
	t.Parallel()
	onBothWalks(t, func(w walk) {
		w.pub.shows(document(1))
		kept := func() (found bool) {
			must(w.T, w.store.View(w.Context(), func(tx *store.Tx) error {
				v, err := tx.In(w.admin.Organization).CloudView(w.id)
				found = v != nil
				return err
			}))
			return found
		}
		if !kept() {
			w.Fatal("nothing was kept")
		}
		_, err := fleet.Restore(w.Context(), w.store, w.admin, w.clock.Now())
		must(w.T, err)
		if kept() {
			w.Error("a restored hub shows what its backup held")
		}
		other := newWalk(w.T)
		other.pub.shows(document(1))
		must(w.T, other.fleet.Deregister(w.Context(), other.admin, other.id, fleet.TypedName("Tokyo")))
		must(w.T, other.store.View(w.Context(), func(tx *store.Tx) error {
			v, err := tx.In(other.admin.Organization).CloudView(other.id)
			if v != nil {
				w.Error("a deregistered cluster's view is kept")
			}
			return err
		}))
		if told := other.told(); !strings.HasPrefix(told, "node cc-pub.example.com enabled, user ") ||
			!strings.HasSuffix(told, " disabled") {
			w.Error(told)
		}
	})
}
