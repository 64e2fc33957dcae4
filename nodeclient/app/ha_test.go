package app_test

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/replica"
	"connecthub/nodeclient/control/settings"
	"connecthub/nodeclient/host/hosttest"
)

// two are a publisher and a subscriber as people set them up, with agents in processes of their own.
type two struct{ pub, sub *machine }

func newTwo(t *testing.T) two {
	t.Helper()
	peer := net.JoinHostPort("127.0.0.1", fmt.Sprint(hosttest.FreePort(t)))
	p, s := newPlace(t), newPlace(t)
	both := two{&machine{t: t, dir: p.dir}, &machine{t: t, dir: s.dir}}
	both.pub.does(t, 0, p.setup("--listen", "127.0.0.1:0")...)
	both.sub.does(t, 0, s.setup("--listen", "127.0.0.1:0", "--fqdn", "cc-sub.example.com")...)
	both.pub.does(t, 0, "cluster", "init", "--dir", p.dir, "--peer-listen", peer, "--secret-file", p.secret)
	both.pub.runs()
	t.Cleanup(both.pub.ends)
	t.Cleanup(both.sub.ends)
	hosttest.Await(t, "the publisher listens", func() bool {
		c, err := net.DialTimeout("tcp", peer, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	both.sub.does(t, 0, "cluster", "join", "--dir", s.dir, "--publisher", "cc-pub.example.com", "--secret-file",
		p.secret, "--dial", "cc-pub.example.com="+peer, "--peer-listen", "127.0.0.1:0")
	both.sub.runs()
	return both
}

type anything struct {
	Text string `json:"text"`
}

// changes sets a document and imports an inventory on the publisher, as commands do beside the agent.
func (b two) changes(t *testing.T, text string) {
	t.Helper()
	_, err := settings.Update(settings.Open(b.pub.dir, time.Now), settings.SSH, "root", func(d *anything) error {
		d.Text = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	store := machines.Open(b.pub.dir, time.Now)
	now, err := store.Current()
	if err != nil {
		t.Fatal(err)
	}
	body := append([]byte("# "+text+"\n"), inventory.Format(inventory.Empty())...)
	if _, err := store.Import(body, now.Number, "root", "test"); err != nil {
		t.Fatal(err)
	}
}

// same waits until the subscriber has what the publisher has.
func (b two) same(t *testing.T) {
	t.Helper()
	hosttest.Await(t, "the subscriber has what the publisher has", func() bool {
		var inv [2]string
		var doc [2]anything
		for i, m := range []*machine{b.pub, b.sub} {
			v, err := machines.Open(m.dir, time.Now).Current()
			if err != nil {
				t.Fatal(err)
			}
			inv[i] = fmt.Sprintf("%d %s", v.Number, v.Text)
			if doc[i], _, err = settings.Read[anything](settings.Open(m.dir, time.Now), settings.SSH); err != nil {
				t.Fatal(err)
			}
		}
		return inv[0] == inv[1] && doc[0] == doc[1]
	})
}

// TestTwoControlNodesStayAlike kills either of them, again and again, while the publisher changes. The
// nodes are not registered.
func TestTwoControlNodesStayAlike(t *testing.T) {
	t.Parallel()
	b := newTwo(t)
	b.changes(t, "first")
	b.same(t)
	for i := range 4 {
		one := []*machine{b.sub, b.pub}[i%2]
		b.changes(t, fmt.Sprint("before ", i))
		one.dies()
		b.changes(t, fmt.Sprint("while it was away ", i))
		one.runs()
		b.same(t)
	}
	for _, at := range []struct{ of, at *machine }{{b.pub, b.sub}, {b.sub, b.pub}} {
		own, err := keys.Own(at.of.dir)
		if err != nil {
			t.Fatal(err)
		}
		hosttest.Await(t, "each knows the other's key", func() bool {
			peers, err := keys.Peers(at.at.dir)
			return err == nil && len(peers) == 1 && peers[0].PublicKey == own.Line()
		})
	}
	b.progress(t)
	if out := b.sub.does(t, 1, "utils", "system", "inventory", "import", "--dir", b.sub.dir); !strings.Contains(out, "run this on the publisher, cc-pub.example.com") {
		t.Error(out)
	}
	if out := b.sub.does(t, 0, "utils", "system", "inventory", "versions", "--dir", b.sub.dir); !strings.Contains(out, "test") {
		t.Error(out)
	}
}

// progress is progress-HA: on each node what the other does.
func (b two) progress(t *testing.T) {
	t.Helper()
	hold, err := gate.Take(b.pub.dir, gate.Orchestration, "utils patch-manager install", "mika", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Release()
	var view struct {
		Role       models.NodeRole
		Peer       *replica.Status
		Replicated map[string]replica.HeldRow
	}
	hosttest.Await(t, "the subscriber hears what the publisher does", func() bool {
		out := b.sub.does(t, 0, "utils", "deployment", "show", "progress-HA", "--dir", b.sub.dir, "--json")
		if err := json.Unmarshal([]byte(out), &view); err != nil {
			t.Fatal(err, out)
		}
		return view.Peer != nil && view.Peer.Operation != nil
	})
	if o := view.Peer.Operation; view.Role != models.Subscriber || view.Peer.Node != "cc-pub.example.com" ||
		o.What != "utils patch-manager install" || o.Who != "mika" || o.Status != "running" || len(view.Replicated) != 3 {
		t.Errorf("%+v %+v", view, o)
	}
	x := atTerminal(t, "shell", "--dir", b.pub.dir)
	x.admin("utils deployment show progress-HA")
	x.waits("cc-sub.example.com")
	x.waits("Operation    : none")
	x.admin("exit")
	if code, seen := x.ends(); code != 0 {
		t.Errorf("%d %s", code, seen)
	}
	alone := setUp(t)
	if code, _, e := call(t, "utils", "deployment", "show", "progress-HA", "--dir", alone.dir); code != 1 || !strings.Contains(e, "in no cluster") {
		t.Errorf("%d %s", code, e)
	}
}

// subscriberWaits for its publisher's version, where no hub says whose turn it is.
func subscriberWaits(t *testing.T) {
	b := newTwo(t)
	hosttest.Await(t, "it hears its publisher", func() bool {
		held, err := replica.Of(b.sub.dir)
		return err == nil && held.Peer.Node != ""
	})
	hosttest.Install(t, b.sub.dir, hosttest.Sample(t, "1.0", nil))
	b.sub.offers("2.0", nil)
	out := b.sub.does(t, 1, "utils", "system", "upgrade", "initiate", "--dir", b.sub.dir, "--source", "local-repository",
		"--file", "cc-2.0.tar.zst", "--yes")
	if !strings.Contains(out, "the publisher goes first: cc-pub.example.com has version -") {
		t.Error(out)
	}
	if _, inactive := b.sub.slots(); inactive != "" {
		t.Errorf("%s was installed", inactive)
	}
}
