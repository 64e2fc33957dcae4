package app_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connecthub/hub/fleet"
	"connecthub/models"
	"connecthub/models/store"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/selfupgrade"
	"connecthub/nodeclient/host/bundle"
	"connecthub/nodeclient/host/hosttest"
)

// TestServicesOfANode are the commands that stop and start them, with real services, agents and hub.
func TestServicesOfANode(t *testing.T) {
	t.Parallel()
	remove, err := hosttest.BuildSample()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	t.Run("R33 one at a time in a cluster", oneAtATimeByHand)
	t.Run("Cloud Connect itself, unregistered", upgradeUnregistered)
	t.Run("Cloud Connect itself, at a terminal", upgradeAtATerminal)
	t.Run("the publisher goes first", subscriberWaits)
}

func oneAtATimeByHand(t *testing.T) {
	h := newRealHub(t)
	pub := newMachine(t, h, "cc-pub.example.com", models.Publisher)
	sub := newMachine(t, h, "cc-sub.example.com", models.Subscriber)
	pub.runs()
	sub.runs()
	h.polls("cc-pub.example.com", "cc-sub.example.com")
	if out := pub.does(t, 0, "stop-services", "--dir", pub.dir); !strings.Contains(out, "The services are stopped.") ||
		hosttest.Answer(pub.port) != "" {
		t.Fatal(out)
	}
	out := sub.does(t, 1, "stop-services", "--dir", sub.dir, "--without-permit") // its no is never overridden
	if !strings.Contains(out, "cc-pub.example.com is being worked on by hand") || hosttest.Answer(sub.port) != "1.0" {
		t.Fatal(out)
	}
	if out := pub.does(t, 0, "stop-services", "--dir", pub.dir); !strings.Contains(out, "stopped already") {
		t.Error(out)
	}
	// what orchestrates does not begin meanwhile
	out = sub.does(t, 1, "utils", "system", "upgrade", "initiate", "--dir", sub.dir, "--language", "ja")
	if !strings.Contains(out, "cc-pub.example.com でアップグレードまたは手動作業が行われています") {
		t.Error(out)
	}
	pub.does(t, 0, "start-services", "--dir", pub.dir)
	pub.answers("1.0")
	hosttest.Await(t, "the permit ends", func() bool { return len(h.open()) == 0 })
	h.polls("cc-pub.example.com", "cc-sub.example.com")
	orchestrates(t, h, sub, pub)
	pub.dies() // without an agent the command is the agent, for that while
	if out := pub.does(t, 0, "stop-services", "--dir", pub.dir); strings.Contains(out, "level=") {
		t.Error(out)
	}
	if open := h.open(); len(open) != 1 || open[0].State != models.PermitConfirmed {
		t.Fatalf("%+v", open)
	}
	sub.does(t, 1, "stop-services", "--dir", sub.dir)
	pub.does(t, 0, "start-services", "--dir", pub.dir)
	pub.answers("1.0")
	hosttest.Await(t, "the permit ends", func() bool { return len(h.open()) == 0 })
	pub.runs()
	h.polls("cc-pub.example.com", "cc-sub.example.com")
	withoutTheHub(t, h, sub)
}

// orchestrates keeps the other node from stopping while one of them works on the deployment.
func orchestrates(t *testing.T, h *realHub, one, other *machine) {
	t.Helper()
	hold, err := gate.Take(one.dir, gate.Orchestration, "utils patch-manager install", "mika", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	hosttest.Await(t, "the hub knows", h.orchestrates)
	if out := other.does(t, 1, "stop-services", "--dir", other.dir); !strings.Contains(out, "cc-sub.example.com is orchestrating") {
		t.Error(out)
	}
	hold.Release()
	hosttest.Await(t, "the hub knows that it has ended", func() bool { return !h.orchestrates() })
	lock := filepath.Join(one.dir, "control", "download.lock")
	_ = os.Remove(lock)
	h.must(os.Symlink(lock, lock)) // what cannot be looked at counts as held
	hosttest.Await(t, "the hub is told so", h.orchestrates)
	h.must(os.Remove(lock))
	hosttest.Await(t, "the hub knows that it can be seen again", func() bool { return !h.orchestrates() })
}

func (h *realHub) orchestrates() (known bool) {
	h.t.Helper()
	h.must(h.store.View(h.t.Context(), func(tx *store.Tx) error {
		nodes, err := tx.In(h.org).Nodes(h.cluster)
		known = slices.ContainsFunc(nodes, func(n models.Node) bool { return n.Orchestrating })
		return err
	}))
	return known
}

// withoutTheHub stops a node that cannot ask.
func withoutTheHub(t *testing.T, h *realHub, m *machine) {
	t.Helper()
	h.away.Store(true)
	if out := m.does(t, 1, "stop-services", "--dir", m.dir); !strings.Contains(out, "--without-permit goes on") ||
		hosttest.Answer(m.port) != "1.0" {
		t.Fatal(out)
	}
	out := m.does(t, 0, "stop-services", "--dir", m.dir, "--without-permit")
	if !strings.Contains(out, "it will be told") || hosttest.Answer(m.port) != "" {
		t.Fatal(out)
	}
	m.does(t, 0, "start-services", "--dir", m.dir)
	m.answers("1.0")
	h.away.Store(false)
	hosttest.Await(t, "the hub hears of it", func() bool { return h.records(fleet.ActionWithoutPermit) == 1 })
	if n := h.records(fleet.ActionLocalRefused); n != 3 {
		t.Errorf("%d refusals were recorded", n)
	}
}

// upgradeUnregistered installs, switches, goes back and forward in scripts, on a node without a hub.
func upgradeUnregistered(t *testing.T) {
	m := newMachine(t, nil, "cc-pub.example.com", models.Publisher)
	initiate := []string{"utils", "system", "upgrade", "initiate", "--dir", m.dir, "--source", "local-repository"}
	if out := m.does(t, 1, append(initiate, "--file", "none", "--yes")...); !strings.Contains(out, "holds no bundle") {
		t.Error(out)
	}
	m.offers("0.9", nil)
	b := m.offers("2.0", nil)
	if out := m.does(t, 1, append(initiate, "--file", "cc-0.9.tar.zst", "--sha256", "00", "--yes")...); !strings.Contains(out, "not the one that was given") {
		t.Error(out)
	}
	if out := m.does(t, 1, append(initiate, "--file", "cc-2.0.tar.zst", "--yes")...); !strings.Contains(out, "give --sha256 "+b.Digest) {
		t.Error(out)
	}
	digest, err := selfupgrade.Digest(t.Context(), m.dir, "cc-0.9.tar.zst")
	if err != nil {
		t.Fatal(err)
	}
	if out := m.does(t, 1, append(initiate, "--file", "cc-0.9.tar.zst", "--sha256", digest, "--yes")...); !strings.Contains(out, "not higher") {
		t.Error(out)
	}
	out := m.does(t, 0, append(initiate, "--file", "cc-2.0.tar.zst", "--sha256", b.Digest, "--yes", "--json")...)
	if !strings.Contains(out, `"stage": "installed"`) || hosttest.Answer(m.port) != "1.0" {
		t.Fatal(out)
	}
	if _, inactive := m.slots(); inactive != b.Slot {
		t.Fatalf("%s is inactive", inactive)
	}
	if out := m.does(t, 1, "utils", "system", "upgrade", "cancel", "--dir", m.dir, "--yes"); !strings.Contains(out, "no installation") {
		t.Error(out)
	}
	m.does(t, 0, "utils", "system", "switch", "version", "--dir", m.dir, "--yes")
	m.answers("2.0")
	var v struct {
		Active, Inactive string
		DiskBytes        int64 `json:"disk_bytes"`
	}
	out = m.does(t, 0, "utils", "system", "upgrade", "status", "--dir", m.dir, "--json")
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Active != "2.0" || v.Inactive != "1.0" || v.DiskBytes <= 0 {
		t.Errorf("%v %s", err, out)
	}
	m.does(t, 0, "rollback", "--dir", m.dir, "--yes")
	m.answers("1.0")
	if out := m.does(t, 1, append(initiate, "--file", "cc-2.0.tar.zst", "--sha256", b.Digest, "--yes")...); !strings.Contains(out, "rolled back from") {
		t.Error(out)
	}
	if out := m.does(t, 1, "rollback", "--dir", m.dir, "--yes"); !strings.Contains(out, "that is no rollback") {
		t.Error(out)
	}
}

// upgradeAtATerminal is the same by prompts, and 12.5 that may not become 12.6 on a small disk.
func upgradeAtATerminal(t *testing.T) {
	m := newMachine(t, nil, "cc-pub.example.com", models.Publisher)
	b := m.offers("2.0", func(b *bundle.Manifest) { b.Soak = 0 })
	x := atTerminal(t, "shell", "--dir", m.dir)
	x.admin("utils system upgrade status")
	x.waits("Installation     : none")
	x.admin("utils system upgrade cancel")
	x.waits("no installation is in progress")
	x.admin("utils system switch version")
	x.waits("no inactive version")
	x.admin("utils system upgrade initiate")
	x.says("Source:", "1")
	x.says("Version:", "1")
	x.waits(b.Digest)
	x.says("published?", "yes")
	x.says("succeeded (yes/no)", "no")
	x.says("go on:", "no")
	x.waits("that was no yes")
	x.admin("utils system upgrade initiate")
	x.says("Source:", "1")
	x.says("Version:", "1")
	x.says("published?", "yes")
	x.says("succeeded (yes/no)", "yes")
	x.says("go on:", "yes")
	x.waits("Version 2.0 serves.")
	x.admin("utils system switch version")
	x.says("go on:", "yes")
	x.waits("Version 1.0 serves.")
	x.admin("exit")
	if code, seen := x.ends(); code != 0 {
		t.Errorf("%d %s", code, seen)
	}
	loseTheTerminal(t, m)
	y := atTerminal(t, "rollback", "--dir", m.dir)
	y.says("go on:", "yes")
	if code, seen := y.ends(); code != 1 || !strings.Contains(seen, "no rollback") {
		t.Errorf("%d %s", code, seen)
	}
}

// loseTheTerminal hangs up in the middle: the work goes on, and its end is found afterwards.
func loseTheTerminal(t *testing.T, m *machine) {
	t.Helper()
	b := m.offers("3.0", nil)
	x := atTerminal(t, "utils", "system", "upgrade", "initiate", "--dir", m.dir, "--file", "cc-3.0.tar.zst", "--source",
		"local-repository", "--sha256", b.Digest, "--switch", "yes")
	x.says("go on:", "yes")
	x.waits("Installing")
	if err := x.master.Close(); err != nil {
		t.Fatal(err)
	}
	m.answers("3.0")
	_ = x.cmd.Wait() // what it had to say, nobody read
	out := m.does(t, 0, "utils", "system", "upgrade", "status", "--dir", m.dir)
	if !strings.Contains(out, "Active version   : 3.0") || !strings.Contains(out, "installed 3.0") {
		t.Error(out)
	}
	m.does(t, 0, "utils", "system", "switch", "version", "--dir", m.dir, "--yes")
	m.answers("1.0")
}

// A small disk is refused in both languages before anything is read of the bundle.
func TestCloudConnect125StaysOnASmallDisk(t *testing.T) {
	t.Parallel()
	size := func(n int64) func() (int64, error) { return func() (int64, error) { return n, nil } }
	gib := int64(1 << 30)
	for _, c := range []struct {
		from, to models.Version
		size     int64
		refused  bool
	}{
		{"12.5.1", "12.6.1", 146 * gib, true}, {"12.5.1.10000-7", "12.6.2", 245_999_999_999, true},
		{"12.5.1", "15.0.1", 146_000_000_000, true}, {"12.5.1", "12.6.1", 246 * gib, false},
		{"12.5.1", "12.6.1", 246_000_000_000, false}, {"12.5.1", "12.5.2", 146 * gib, false},
		{"12.6.1", "12.6.2", 146 * gib, false}, {"14.0", "15.0", gib, false},
	} {
		err := selfupgrade.CheckDisk(c.from, c.to, size(c.size))
		if (err != nil) != c.refused {
			t.Errorf("%+v: %v", c, err)
		}
	}
	err := selfupgrade.CheckDisk("12.5.1", "12.6.1", size(156_766_306_304))
	var disk *selfupgrade.DiskError
	if !errors.As(err, &disk) || disk.GB() != 156 {
		t.Fatal(err)
	}
	if n, err := selfupgrade.DiskSize(filepath.Dir(os.Args[0])); err != nil || n <= 0 {
		t.Errorf("the real disk has %d bytes, %v", n, err)
	}
}
