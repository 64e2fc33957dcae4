package app_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/models/store"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/enroll"
	"connecthub/nodeclient/host/hosttest"
)

// shown is what the hub holds of the cluster.
func (h *realHub) shown() (v *models.CloudView) {
	h.t.Helper()
	h.must(h.store.View(h.t.Context(), func(tx *store.Tx) (err error) {
		v, err = tx.In(h.org).CloudView(h.cluster)
		return err
	}))
	return v
}

func imports(t *testing.T, dir string) {
	t.Helper()
	i, err := inventory.Sample(inventory.UCCE4000)
	if err == nil {
		_, err = machines.Open(dir, time.Now).Import(inventory.Format(i), 0, "admin", "a file")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The agent, the hub's handlers and its database are real: what is allowed arrives, and what is taken
// back goes.
func TestTheConsoleGetsWhatTheNodesAdministratorAllows(t *testing.T) {
	t.Parallel()
	h := newRealHub(t)
	m := &machine{t: t}
	m.dir, _ = hosttest.Dir(t)
	h.register(m.dir, "cc-pub.example.com", models.Publisher)
	c := enroll.Config{Hub: h.server.URL, FQDN: "cc-pub.example.com", AppUser: "admin", AppPasswordHash: "none",
		PageListen: "127.0.0.1:0"}
	if err := c.Save(m.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.ends)
	imports(t, m.dir)
	m.runs()
	if out := m.does(t, 0, "utils", "cloud-view", "show", "--dir", m.dir); !strings.Contains(out, "disabled\nThe hub holds nothing.") {
		t.Error(out)
	}
	out := m.does(t, 1, "utils", "cloud-view", "enable", "--dir", m.dir)
	if !strings.Contains(out, "give --yes") || !strings.Contains(out, "The console of Acme will show, read-only") {
		t.Error(out)
	}
	if h.shown() != nil {
		t.Fatal("something was sent before anybody said yes")
	}
	m.does(t, 0, "utils", "cloud-view", "enable", "--yes", "--json", "--dir", m.dir)
	hosttest.Await(t, "the hub holds the inventory", func() bool { return h.shown() != nil })
	d := h.shown().Document
	text, err := json.Marshal(d)
	if err != nil || d.DeploymentType != "UCCE-4000-Agents" || len(d.Machines) < 20 || strings.Contains(string(text), "domain.local") {
		t.Errorf("%v %s", err, text)
	}
	hosttest.Await(t, "the node knows that", func() bool {
		return strings.Contains(m.does(t, 0, "utils", "cloud-view", "show", "--dir", m.dir), "The hub holds what was sent at")
	})
	var said struct{ Document models.CloudDocument }
	out = m.does(t, 0, "utils", "cloud-view", "show", "--document", "--dir", m.dir)
	if err := json.Unmarshal([]byte(out), &said); err != nil || len(said.Document.Machines) != len(d.Machines) {
		t.Errorf("%v %s", err, out)
	}
	if out := m.does(t, 0, "utils", "cloud-view", "disable", "--dir", m.dir); !strings.Contains(out, "has the hub delete what it holds") {
		t.Error(out)
	}
	hosttest.Await(t, "the hub deleted it", func() bool { return h.shown() == nil })
	hosttest.Await(t, "the node knows that", func() bool {
		return strings.Contains(m.does(t, 0, "utils", "cloud-view", "show", "--dir", m.dir), "The hub holds nothing.")
	})
	if a, b := h.records(fleet.ActionCloudViewBegun), h.records(fleet.ActionCloudViewEnded); a != 1 || b != 1 {
		t.Errorf("%d and %d records", a, b)
	}
	if out := m.does(t, 0, "utils", "cloud-view", "disable", "--json", "--dir", m.dir); !strings.Contains(out, `"held": false`) {
		t.Error(out)
	}
}

func TestTheCloudViewIsChosenAtTheTerminal(t *testing.T) {
	t.Parallel()
	h, p := newRealHub(t), setUp(t)
	x := atTerminal(t, "shell", "--dir", p.dir)
	x.admin("utils cloud-view enable")
	x.waits("this node is not registered")
	h.register(p.dir, "cc-pub.example.com", models.Publisher)
	x.admin("utils cloud-view enable")
	x.waits("User names, keys, passwords and messages of machines stay here.")
	x.says("This data leaves the node. Type yes to go on: ", "y")
	x.waits("that was no yes; nothing was changed")
	x.admin("utils cloud-view show")
	x.waits("Cloud view : disabled")
	x.admin("utils cloud-view enable")
	x.says("Type yes to go on: ", "yes")
	x.waits("Enabled: a running agent tells the hub within seconds.")
	x.admin("utils cloud-view show")
	x.waits("Cloud view : enabled")
	x.waits("The hub holds nothing.")
	x.admin("utils cloud-view disable")
	x.waits("Disabled: the hub holds nothing.")
	x.admin("exit")
	if code, seen := x.ends(); code != 0 {
		t.Errorf("%d %s", code, seen)
	}
	p.subscriber(t)
	for _, line := range []string{"enable --yes", "disable", "show"} {
		p.refused(t, "run this on the publisher", "utils cloud-view "+line)
	}
	p.refused(t, "パブリッシャ", "utils cloud-view show --language ja")
}
