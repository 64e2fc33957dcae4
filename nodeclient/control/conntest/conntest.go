// Package conntest tests whether a control node gets into the machines of its inventory, and whether
// the other control node would: password-less SSH, host keys, authorized_keys, the agent of a VOS
// machine. It changes nothing there, and knows no command line.
package conntest

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/remote"
)

const (
	// Parallel is how many machines are tested at once.
	Parallel = 10
	// Deadline is how long one machine may take.
	Deadline = 60 * time.Second

	programData  = "/C:/ProgramData/ssh"
	systemConfig = "/C:/Windows/System32/config" // a folder that only administrators may list
)

// Target is a machine of the inventory, with where and as whom it is reached.
type Target struct {
	inventory.Machine
	Address string // HOST:PORT, as sshport.Address makes it
	User    string // empty: a VOS machine that was never onboarded
}

// Status is the outcome for one machine.
type Status string

// The outcomes.
const (
	OK      Status = "ok"
	Remarks Status = "remarks" // everything works, and something should be put right
	Broken  Status = "failed"
)

// KeyResult says whether the machine takes a control node's key; nil is not known.
type KeyResult struct {
	Category keys.Category `json:"category"`
	HostName models.FQDN   `json:"host_name"`
	Own      bool          `json:"own"`
	Accepted *bool         `json:"accepted"`
}

// Result is what was found out about one machine.
type Result struct {
	Product  inventory.Product `json:"product"`
	Group    string            `json:"group"`
	Name     string            `json:"name"`
	Side     inventory.Side    `json:"side"`
	Address  string            `json:"address"`
	User     string            `json:"user"`
	Status   Status            `json:"status"`
	Tested   time.Time         `json:"tested"`
	Millis   int64             `json:"millis"`
	HostKey  string            `json:"host_key,omitempty"`  // the confirmed one
	OtherKey string            `json:"other_key,omitempty"` // what was shown in its place
	Keys     []KeyResult       `json:"keys"`
	Hints    []Hint            `json:"hints"`
}

func (r *Result) hint(status Status, hints ...Hint) {
	if r.Status == OK || status == Broken {
		r.Status = status
	}
	r.Hints = append(r.Hints, hints...)
}

// Tester is one control node.
type Tester struct {
	Pins *remote.Pins
	Own  keys.Pair
	Me   keys.Public
	// Peers are the other control nodes; Unknown are those of them whose key is not here yet.
	Peers   []keys.Public
	Unknown []models.FQDN
	Now     func() time.Time
	// ProgramData and SystemConfig are where Windows keeps what is looked at; empty is where it does.
	ProgramData, SystemConfig string
}

// Seen is a machine whose host key nobody has confirmed yet. Key is nil where it could not be asked.
type Seen struct {
	Target Target
	Key    ssh.PublicKey
}

// Unconfirmed asks the machines that have no confirmed host key for theirs. It tells them nothing.
func (t *Tester) Unconfirmed(ctx context.Context, targets []Target) []Seen {
	var all []Seen
	known := map[string]bool{}
	for _, one := range targets {
		_, err := t.Pins.Of(one.Address)
		if errors.Is(err, remote.ErrKeyUnknown) && !known[one.Address] {
			known[one.Address] = true
			all = append(all, Seen{Target: one})
		}
	}
	parallel(len(all), func(i int) {
		if key, err := remote.HostKey(ctx, all[i].Target.Address); err == nil {
			all[i].Key = key
		}
	})
	return all
}

// Run tests the machines and answers in their order. Done is told each result as it comes, one at a
// time; it may be nil.
func (t *Tester) Run(ctx context.Context, targets []Target, done func(Result)) []Result {
	results := make([]Result, len(targets))
	var telling sync.Mutex
	parallel(len(targets), func(i int) {
		one, cancel := context.WithTimeout(ctx, Deadline)
		defer cancel()
		results[i] = t.one(one, targets[i])
		if done != nil {
			telling.Lock()
			defer telling.Unlock()
			done(results[i])
		}
	})
	return results
}

func parallel(n int, do func(i int)) {
	var all sync.WaitGroup
	room := make(chan struct{}, Parallel)
	for i := range n {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			do(i)
		})
	}
	all.Wait()
}

func (t *Tester) one(ctx context.Context, target Target) Result {
	r := Result{Product: target.Product, Group: target.Group, Name: target.Host.Name,
		Side: target.Host.Side, Address: target.Address, User: target.User, Status: OK,
		Tested: t.Now().UTC(), Keys: []KeyResult{}, Hints: []Hint{}}
	t.test(ctx, target, &r)
	r.Millis = t.Now().Sub(r.Tested).Milliseconds()
	return r
}

// test goes as far as the machine lets it, from its name to what stands in its files.
func (t *Tester) test(ctx context.Context, target Target, r *Result) {
	if target.User == "" {
		r.hint(Broken, Hint{Code: NotOnboarded})
		return
	}
	if !resolves(ctx, target.Address) {
		r.hint(Broken, Hint{Code: NameNotResolved, Subject: target.Host.Name})
		return
	}
	if pinned, err := t.Pins.Of(target.Address); err == nil {
		r.HostKey = ssh.FingerprintSHA256(pinned)
	}
	mine, peers, ok := t.offers(ctx, target, r)
	if !ok {
		return
	}
	for _, name := range t.Unknown {
		r.hint(Remarks, Hint{Code: PeerKeyUnknown, Subject: string(name)})
	}
	if !mine {
		t.refused(target, peers, r)
		return
	}
	link := remote.NewLink(ctx, t.Pins, remote.Target{Address: target.Address, User: target.User,
		Signers: []ssh.Signer{t.Own.Signer()}})
	defer link.Close()
	err := link.Use(ctx, func(c *remote.Client) error {
		t.peersRefused(peers, r)
		if target.Product.VOS() {
			t.vos(ctx, c, target, r)
		} else {
			t.windows(ctx, c, target, peers, r)
		}
		return nil
	})
	switch {
	case errors.Is(err, remote.ErrKeyRefused):
		r.hint(Broken, Hint{Code: SignInFailed, Subject: target.User})
	case err != nil:
		r.hint(Broken, failure(err, target))
	case !target.Product.VOS():
		powershell(ctx, link, target, r)
	}
}

// resolves says whether a name leads anywhere; an address does.
func resolves(ctx context.Context, address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	found, err := net.DefaultResolver.LookupHost(ctx, host)
	return err == nil && len(found) > 0
}

// offers asks about every control node's key. It answers whether this node's is taken, and each
// peer's; ok is false where nothing more can be learnt.
func (t *Tester) offers(ctx context.Context, target Target, r *Result) (mine bool, peers []bool, ok bool) {
	all := []ssh.PublicKey{t.Own.Signer().PublicKey()}
	for _, p := range t.Peers {
		key, err := p.PublicKey.Key()
		if err != nil {
			r.hint(Broken, Hint{Code: Failed, Subject: err.Error()})
			return false, nil, false
		}
		all = append(all, key)
	}
	offer, err := remote.Accepts(ctx, t.Pins, remote.Target{Address: target.Address, User: target.User}, all)
	if err != nil {
		if errors.Is(err, remote.ErrKeyChanged) {
			if seen, err := remote.HostKey(ctx, target.Address); err == nil {
				r.OtherKey = ssh.FingerprintSHA256(seen)
			}
		}
		r.hint(Broken, failure(err, target))
		return false, nil, false
	}
	for i, p := range append([]keys.Public{t.Me}, t.Peers...) {
		r.Keys = append(r.Keys, KeyResult{Category: p.Category, HostName: p.HostName, Own: i == 0,
			Accepted: &offer.Accepted[i]})
	}
	if h, wrong := methods(offer.Methods); wrong {
		r.hint(Broken, h)
		return false, nil, false
	}
	return offer.Accepted[0], offer.Accepted[1:], true
}

// failure is what an error of a connection means.
func failure(err error, target Target) Hint {
	for is, code := range map[error]Code{remote.ErrKeyUnknown: HostKeyUnknown,
		remote.ErrKeyChanged: HostKeyChanged, remote.ErrUnreachable: Refused,
		remote.ErrTimeout: TimedOut, context.DeadlineExceeded: TimedOut, remote.ErrNoSSH: NoSSH,
		remote.ErrGone: HungUp} {
		if errors.Is(err, is) {
			return Hint{Code: code, Subject: target.Address}
		}
	}
	return Hint{Code: Failed, Subject: err.Error()}
}
