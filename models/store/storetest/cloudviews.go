package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/store"
)

func (w World) cloudView() *models.CloudView {
	return &models.CloudView{ClusterID: w.Cluster.ID, NodeID: w.Publisher.ID, EnabledAt: w.Now, ReceivedAt: w.Now,
		Document: models.CloudDocument{TakenAt: w.Now, DeploymentType: "UCCE-2000-Agents", Version: 3,
			Machines: []models.CloudMachine{{Product: "PG", Group: "PG1", Name: "pga…漢字", Side: "A"}}}}
}

// cloudViewKnown are arguments for the methods of this part of a scope.
func (k knowledge) cloudViewKnown() []any {
	v := k.cloudView()
	v.OrganizationID = k.Organization.ID
	return []any{v, models.CloudDocument{DeploymentType: "q"}}
}

// dumpCloudView is what a tenant's cluster shows.
func (w World) dumpCloudView(s *store.Store, text *strings.Builder) error {
	return w.in(s, func(in *store.Scope) error {
		v, err := in.CloudView(w.Cluster.ID)
		fmt.Fprintf(text, "%s\n", encode(v))
		return err
	})
}

func cloudViews(t *testing.T, s *store.Store) {
	w := Seed(t, s, "1")
	read := func() (v *models.CloudView) {
		must(t, w.in(s, func(in *store.Scope) (err error) {
			v, err = in.CloudView(w.Cluster.ID)
			return err
		}))
		return v
	}
	save := func() error {
		return w.in(s, func(in *store.Scope) error {
			return in.SaveCloudView(w.Cluster.ID, w.Publisher.ID, models.CloudDocument{Version: 4}, w.Now.Add(time.Hour))
		})
	}
	if read() != nil {
		t.Error("something is kept that nobody sent")
	}
	wantErr(t, save(), store.ErrUnchanged)
	v := w.cloudView()
	must(t, w.in(s, func(in *store.Scope) error { return in.CreateCloudView(v) }))
	want(t, "what is shown", encode(read()), encode(v))
	must(t, save())
	v.Document, v.ReceivedAt = models.CloudDocument{Version: 4}, w.Now.Add(time.Hour)
	want(t, "what is shown then", encode(read()), encode(v))
	for _, had := range []bool{true, false} {
		must(t, w.in(s, func(in *store.Scope) error {
			found, err := in.DeleteCloudView(w.Cluster.ID)
			want(t, "that there was something", found, had)
			return err
		}))
	}
	wantErr(t, save(), store.ErrUnchanged)
	must(t, w.in(s, func(in *store.Scope) error { return in.CreateCloudView(w.cloudView()) }))
	must(t, hub(s, func(h *store.Hub) error { return h.VoidCloudViews() }))
	if read() != nil {
		t.Error("a restored hub shows what somebody may have taken away")
	}
}
