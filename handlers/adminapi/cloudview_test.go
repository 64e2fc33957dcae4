package adminapi_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

func TestWhatAClusterShowsIsReadByBothKindsOfAdminAsItWasSent(t *testing.T) {
	t.Parallel()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "hub.db")
	s, err := store.Open(t.Context(), store.Options{DSN: dsn, Now: time.Now})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	_, _, err = s.Migrate(t.Context())
	must(t, err)
	acme := newTenant(t, s, "Acme")
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	id := models.ClusterID(acme.values["clusterId"])
	must(t, s.Update(t.Context(), func(tx *store.Tx) error {
		return tx.In(acme.id).SaveCloudView(id, models.NodeID(acme.values["nodeId"]), models.CloudDocument{TakenAt: at,
			DeploymentName: "UnifiedCCE", DeploymentType: "UCCE-2000-Agents", Version: 3, Omitted: 2,
			Machines: []models.CloudMachine{{Product: "VVB", Group: "VVB-Cluster-1", Name: "vvb1", Side: "A", Type: "Publisher"}},
			Procedures: []models.CloudProcedure{{Kind: "upgrade", Status: "failed", BeganAt: at, EndedAt: at.Add(time.Hour),
				Machines: []models.CloudOutcome{{Name: "vvb1", Status: "failed", Code: "exit_code", From: "12.5(1)", To: "12.6(1)"}}},
				{Kind: "rollback", Status: "running", BeganAt: at}},
			Connections: []models.CloudOutcome{{Name: "vvb1", Status: "ok", At: at}}}, at)
	}))
	h := startHubIn(t, filepath.Join(t.TempDir(), "data"), "--dsn", dsn)
	path := "/clusters/" + string(id) + "/cloud-view"
	for _, role := range []models.Role{models.FullAdmin, models.ReadOnlyAdmin} {
		a := h.person(strings.ReplaceAll(string(role), "_", "-")+"@acme.example", "Acme", role).ask("GET", path, "")
		for _, want := range []string{`"enabled":true`, `"received_at":"2026-11-22T10:00:00Z"`, `"inventory_version":3`, `"omitted":2`,
			`"deployment_name":"UnifiedCCE"`, `"ended_at":"2026-11-22T11:00:00Z"`, `"code":"exit_code"`, `"from":"12.5(1)"`,
			`{"began_at":"2026-11-22T10:00:00Z","kind":"rollback","machines":[],"status":"running"}`,
			`"connections":[{"at":"2026-11-22T10:00:00Z","name":"vvb1","status":"ok"}]`, `"type":"Publisher"`} {
			if a.status != http.StatusOK || !strings.Contains(a.body, want) {
				t.Errorf("%s: %d, no %s in %s", role, a.status, want, a.body)
			}
		}
	}
	must(t, s.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.In(acme.id).DeleteCloudView(id)
		return err
	}))
	a := h.person("other@acme.example", "Acme", models.FullAdmin).ask("GET", path, "")
	if a.status != http.StatusOK || !strings.Contains(a.body, `"enabled":false`) || !strings.Contains(a.body, `"machines":[]`) ||
		strings.Contains(a.body, "UnifiedCCE") {
		t.Errorf("%d %s", a.status, a.body)
	}
}
