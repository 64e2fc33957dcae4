package turn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/procedure"
	"connecthub/nodeclient/control/replica"
	"connecthub/nodeclient/control/target"
	"connecthub/nodeclient/control/turn"
	"connecthub/nodeclient/enroll"
)

// node is a control node: its folder, its certificate, and what its agent does.
type node struct {
	t      *testing.T
	name   models.FQDN
	dir    string
	blind  atomic.Bool // the mutant: it tells nobody of its procedures
	agent  *replica.Node
	enroll *enroll.Enrollment
	ends   func()

	serving sync.RWMutex
	ended   bool
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newNode(t *testing.T, name models.FQDN) *node {
	t.Helper()
	n := &node{t: t, name: name, dir: t.TempDir(), ends: func() {}}
	must(t, enroll.Config{Hub: "https://hub.example.com", HubPin: "sha256:" + strings.Repeat("0", 64), FQDN: name,
		PageListen: "127.0.0.1:0", AppUser: "admin", AppPasswordHash: "none"}.Save(n.dir))
	n.agent = replica.New(replica.Options{Dir: n.dir, Now: time.Now,
		Key: func() (keys.Public, error) { return keys.OwnPublic(n.dir, n.config().Role, name) },
		Status: func() (replica.Status, error) {
			s := replica.Status{Node: name, At: time.Now()}
			var err error
			if !n.blind.Load() {
				s.Doing, err = turn.Own(n.dir)
			}
			return s, err
		},
		Members: func() ([]models.FQDN, error) { return enroll.Members(n.dir) }})
	return n
}

func (n *node) config() enroll.Config {
	n.t.Helper()
	c, err := enroll.LoadConfig(n.dir)
	must(n.t, err)
	return c
}

// newCluster is a publisher with its subscribers, joined over the cluster's own mutual TLS.
func newCluster(t *testing.T, subscribers int) (*node, []*node) {
	t.Helper()
	pub := newNode(t, "cc-pub.example.com")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	peer := l.Addr().String()
	must(t, l.Close())
	secret := filepath.Join(t.TempDir(), "secret.json")
	must(t, enroll.InitCluster(pub.dir, peer, secret, time.Now()))
	pub.runs()
	t.Cleanup(func() { pub.ends() })
	var subs []*node
	for i := range subscribers {
		s := newNode(t, models.FQDN(fmt.Sprintf("cc-sub%d.example.com", i)))
		deadline := time.Now().Add(20 * time.Second)
		for {
			err := enroll.JoinCluster(t.Context(), s.dir, "127.0.0.1:0", string(pub.name), peer, secret, time.Now())
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
		s.runs()
		t.Cleanup(func() { s.ends() })
		subs = append(subs, s)
	}
	return pub, subs
}

// runs is the part of the agent that matters here: a publisher answers, a subscriber asks again and again.
func (n *node) runs() {
	n.t.Helper()
	var err error
	n.enroll, err = enroll.Open(enroll.Options{Dir: n.dir, ClientVersion: "1.0", Now: time.Now,
		Version: func() models.Version { return "1.0" }, Busy: func() bool { return false }})
	must(n.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	n.ended = false
	n.ends = func() {
		cancel()
		<-done
		n.serving.Lock() // an answer that is being given ends, and there is no other
		n.ended = true
		n.serving.Unlock()
	}
	go func() {
		defer close(done)
		if n.config().Role == models.Publisher {
			if err := n.enroll.ServePeers(ctx, answering(n, replica.Path, n.agent.Answer),
				answering(n, replica.TurnPath, n.agent.Turn)); err != nil {
				n.t.Error(err)
			}
			return
		}
		ask, err := n.enroll.AskPublisher(replica.Path, replica.MaxResponse)
		if err != nil {
			n.t.Error(err)
			return
		}
		for ctx.Err() == nil {
			_ = n.agent.Follow(ctx, ask) // a publisher that is down is asked again
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
}

func answering[In, Out any](n *node, path string, answer func(models.FQDN, In) (Out, error)) enroll.PeerHandler {
	return enroll.PeerHandler{Path: path, Limit: replica.MaxRequest,
		Answer: func(_ context.Context, member models.FQDN, body []byte) (any, error) {
			n.serving.RLock()
			defer n.serving.RUnlock()
			var in In
			if err := json.Unmarshal(body, &in); err != nil || n.ended {
				return nil, errors.Join(err, context.Canceled)
			}
			return answer(member, in)
		}}
}

var errAsked = errors.New("somebody was asked whether it is down")

const (
	patient = time.Minute // for a node that is there, on a machine that is busy with other tests
	brief   = time.Second // for one that is not
)

// begins is a procedure's begin: the node's own lock, then the turn.
func (n *node) begins(down error) (*gate.Hold, error) { return n.waits(patient, down) }

func (n *node) waits(wait time.Duration, down error) (*gate.Hold, error) {
	n.t.Helper()
	hold, err := gate.Take(n.dir, gate.Orchestration, "patch install", "mika", time.Now())
	must(n.t, err)
	err = turn.Take(n.t.Context(), turn.Request{Dir: n.dir, Hold: hold, Config: n.config(), Now: time.Now,
		Down: func(*turn.SilentError) error { return down }, Wait: wait})
	if err != nil {
		hold.Release()
		return nil, err
	}
	return hold, nil
}

// races lets all begin at the very same time, and answers how many went on together.
func races(nodes []*node) int {
	var inside, most atomic.Int64
	var wg, all sync.WaitGroup
	all.Add(len(nodes))
	for _, n := range nodes {
		wg.Go(func() {
			hold, err := n.begins(errAsked)
			if err == nil {
				most.Store(max(most.Load(), inside.Add(1)))
			}
			all.Done()
			all.Wait() // what began goes on until the others have been refused
			if hold != nil {
				hold.Release()
			}
			var other *turn.OtherError
			if err != nil && !errors.As(err, &other) {
				n.t.Errorf("%s: %v", n.name, err)
			}
		})
	}
	wg.Wait()
	return int(most.Load())
}

// TestOfTwoControlNodesThatBeginAtOnceAtMostOneGoesOn lets a publisher and a subscriber begin at the same
// time, again and again, and then without telling each other.
func TestOfTwoControlNodesThatBeginAtOnceAtMostOneGoesOn(t *testing.T) {
	t.Parallel()
	pub, subs := newCluster(t, 1)
	rounds := 200
	if os.Getenv("LONG") == "1" {
		rounds = 2000
	}
	both, failed, alone := 0, 0, 0
	for range rounds {
		switch races([]*node{pub, subs[0]}) {
		case 1:
			alone++
		case 2:
			both++
			failed++
		}
	}
	for i, n := range []*node{pub, subs[0], pub, subs[0]} { // and when the other one is idle, each goes on
		if got := races([]*node{n}); got != 1 {
			failed++
			t.Errorf("alone, %d: %d", i, got)
		}
	}
	pub.blind.Store(true)
	subs[0].blind.Store(true)
	mutant := 0
	for range 20 {
		if races([]*node{pub, subs[0]}) == 2 {
			mutant++
		}
	}
	if both > 0 || mutant == 0 {
		t.Errorf("both went on %d times, without the guard %d of 20 times", both, mutant)
	}
	fmt.Printf("proof 4.5-two-nodes tried=%d one=%d both=%d without-guard-both=%d failed=%d\n", rounds, alone, both,
		mutant, failed)
}

func TestOfManyControlNodesAtMostOneGoesOn(t *testing.T) {
	t.Parallel()
	pub, subs := newCluster(t, 3)
	for range 20 {
		if got := races(append([]*node{pub}, subs...)); got > 1 {
			t.Errorf("%d went on", got)
		}
		if got := races(subs); got > 1 {
			t.Errorf("%d subscribers went on", got)
		}
	}
}

// TestWhoIsNotHeardIsAskedAboutAndAfterwardsHeard takes either node away, and lets it come back
// while the other one works.
func TestWhoIsNotHeardIsAskedAboutAndAfterwardsHeard(t *testing.T) {
	t.Parallel()
	pub, subs := newCluster(t, 1)
	for _, c := range []struct{ here, away *node }{{subs[0], pub}, {pub, subs[0]}} {
		c.away.ends()
		if _, err := c.here.waits(brief, errAsked); !errors.Is(err, errAsked) {
			t.Fatalf("%s: %v", c.here.name, err)
		}
		hold, err := c.here.waits(brief, nil)
		must(t, err)
		watch, err := turn.Watch(c.here.dir, c.here.config())
		must(t, err)
		must(t, watch(t.Context())) // who is not heard stops nothing
		c.away.runs()
		var other *turn.OtherError
		if _, err := c.away.begins(errAsked); !errors.As(err, &other) || other.Node != c.here.name ||
			other.Doing.What != "patch install" || other.Doing.Who != "mika" || !other.Doing.Begun {
			t.Fatalf("%s: %v", c.away.name, err)
		}
		must(t, watch(t.Context())) // what was refused there stops nothing here
		hold.Release()
		if hold, err = c.away.begins(errAsked); err != nil {
			t.Fatal(err)
		}
		hold.Release()
	}
}

// TestWhatBeganAllTheSameIsNoticedBeforeTheNextMachine has somebody on both nodes say that the other one
// is down.
func TestWhatBeganAllTheSameIsNoticedBeforeTheNextMachine(t *testing.T) {
	t.Parallel()
	pub, subs := newCluster(t, 1)
	pub.ends()
	one, err := subs[0].waits(brief, nil)
	must(t, err)
	defer one.Release()
	two, err := pub.waits(brief, nil)
	must(t, err)
	defer two.Release()
	var watches []func(context.Context) error
	for _, n := range []*node{pub, subs[0]} {
		w, err := turn.Watch(n.dir, n.config())
		must(t, err)
		watches = append(watches, w)
	}
	pub.runs()
	deadline := time.Now().Add(20 * time.Second)
	for _, w := range watches {
		var other *turn.OtherError
		for !errors.As(w(t.Context()), &other) {
			if time.Now().After(deadline) {
				t.Fatal("it was not noticed")
			}
		}
	}
}

func TestAHalfDoneProcedureKeepsTheOtherNodeFromItsOwn(t *testing.T) {
	t.Parallel()
	pub, subs := newCluster(t, 1)
	host := procedure.Host{Name: "pga", Product: inventory.PeripheralGateway, Group: "PG1"}
	j, err := procedure.Create(subs[0].dir, procedure.Plan{ID: procedure.NewID(time.Now()), Kind: procedure.PatchInstall,
		By: "mika", Created: time.Now(), Parallel: 1, Stages: make([]procedure.Stage, 1),
		Tasks: []procedure.Task{{Host: host, Steps: []procedure.Step{{Do: procedure.Work, Work: target.Patch}}}}})
	must(t, err)
	var other *turn.OtherError
	if _, err := pub.begins(errAsked); !errors.As(err, &other) || !other.Doing.Interrupted || other.Doing.Begun {
		t.Fatal(err)
	}
	_, err = j.Add(procedure.Event{At: time.Now(), What: procedure.GivenUp})
	must(t, errors.Join(err, j.Close()))
	hold, err := pub.begins(errAsked)
	must(t, err)
	hold.Release()
}

func TestANodeWithoutAClusterAsksNobody(t *testing.T) {
	t.Parallel()
	n := newNode(t, "cc.example.com")
	hold, err := n.begins(errAsked)
	must(t, err)
	defer hold.Release()
	if d, err := turn.Own(n.dir); err != nil || d == nil || !d.Begun {
		t.Errorf("%v %v", d, err)
	}
	watch, err := turn.Watch(n.dir, n.config())
	must(t, err)
	must(t, watch(t.Context()))
}
