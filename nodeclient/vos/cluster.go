package vos

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models/inventory"
	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/vosapi"
	"connecthub/nodeclient/vos/words"
)

const (
	clusterKeyFile = "cluster_key"
	membersFile    = "vos-members.json"
	peerDeadline   = 20 * time.Second
)

// Member is a subscriber that the cluster's publisher reaches over SSH.
type Member struct {
	Name    string `json:"name"`
	Address string `json:"address"` // HOST:PORT
	User    string `json:"user"`
}

// makeClusterKey gives the publisher the key that its subscribers admit, and writes the join file.
func makeClusterKey(dir string, c Config) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make the cluster's key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return fmt.Errorf("cannot make the cluster's key: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(dir, clusterKeyFile), pem.EncodeToMemory(block), 0o600); err != nil {
		return err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return fmt.Errorf("cannot make the cluster's key: %w", err)
	}
	return atomicfile.WriteJSON(filepath.Join(dir, joinFile), Join{Cluster: c.Cluster,
		ClusterID: c.ClusterID, Product: c.Product, Publisher: c.Name,
		PublicKey: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))})
}

// JoinFile is where the publisher's join file is.
func (m *Machine) JoinFile() (string, error) {
	if err := m.publisher(); err != nil {
		return "", err
	}
	return m.path(joinFile), nil
}

// ReadJoin reads a join file.
func ReadJoin(path string) (Join, error) {
	var j Join
	err := atomicfile.ReadJSON(path, maxConfig, &j)
	return j, err
}

func (m *Machine) publisher() error {
	if m.Type != inventory.Publisher {
		return fmt.Errorf("%w, %s: this machine is a subscriber", ErrMember, m.Publisher)
	}
	return nil
}

func (m *Machine) signer() (ssh.Signer, error) {
	text, err := readAtMost(m.path(clusterKeyFile), maxConfig)
	if err != nil {
		return nil, fmt.Errorf("cannot read the cluster's key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("cannot read the cluster's key: %w", err)
	}
	return signer, nil
}

// Members lists the subscribers that the publisher knows.
func (m *Machine) Members() ([]Member, error) {
	if err := m.publisher(); err != nil {
		return nil, err
	}
	var all []Member
	err := atomicfile.ReadJSON(m.path(membersFile), maxConfig, &all)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return all, err
}

// AddMember makes a subscriber known to its publisher. Its SSH server is known by the fingerprint that
// its administrator read there, never by what answers first.
func (m *Machine) AddMember(ctx context.Context, member Member, fingerprint string) error {
	all, err := m.Members()
	if err != nil {
		return err
	}
	member.Name = strings.ToLower(member.Name)
	switch {
	case !inventory.ValidHost(member.Name) || member.Name == m.Name:
		return words.Refuse("bad_setting", "name the subscriber, not this machine",
			"このマシンではなく、サブスクライバの名前を指定してください")
	case !userPattern.MatchString(member.User):
		return words.Refuse("bad_setting", "name the user whom the subscriber's SSH server knows",
			"サブスクライバの SSH サーバのユーザを指定してください")
	case m.Product == inventory.VVB:
		return words.Refuse("bad_setting", "every VVB is a cluster of its own; it has no subscribers",
			"VVB は 1 台ごとに独立したクラスタのため、サブスクライバはありません")
	case len(all) >= vosapi.MaxNodes-1:
		return words.Refuse("too_many", "the cluster has too many subscribers",
			"クラスタのサブスクライバが多すぎます")
	}
	if err := m.confirm(ctx, member.Address, fingerprint); err != nil {
		return err
	}
	if err := m.greet(ctx, member); err != nil {
		return errors.Join(err, m.pins().Forget(member.Address))
	}
	all = slices.DeleteFunc(all, func(o Member) bool { return o.Name == member.Name })
	all = append(all, member)
	slices.SortFunc(all, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return atomicfile.WriteJSON(m.path(membersFile), all)
}

func (m *Machine) confirm(ctx context.Context, address, fingerprint string) error {
	key, err := remote.HostKey(ctx, address)
	if err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	if seen := ssh.FingerprintSHA256(key); seen != fingerprint {
		return fmt.Errorf("the SSH server of %s shows %s, not the key that was given", address, seen)
	}
	pins := m.pins()
	if known, err := pins.Of(address); err == nil && !bytes.Equal(known.Marshal(), key.Marshal()) {
		if err := pins.Forget(address); err != nil { // the new one was just given by hand
			return err
		}
	}
	return pins.Confirm(address, key, m.Name)
}

// greet makes sure that it is a subscriber of this very cluster that answers.
func (m *Machine) greet(ctx context.Context, member Member) error {
	a, err := m.ask(ctx, member, vosapi.Request{Verb: vosapi.Ping})
	if err != nil {
		return fmt.Errorf("%s: %w", member.Name, err)
	}
	p := a.Ping
	if p == nil || p.Name != member.Name || p.Product != m.Product || p.Cluster != m.Cluster ||
		p.Type != inventory.Subscriber {
		return fmt.Errorf("what answers at %s is not the subscriber %s of this cluster", member.Address,
			member.Name)
	}
	return nil
}

// RemoveMember takes the control nodes' keys away from a subscriber, and forgets it. One that cannot be
// reached keeps them; then it is forgotten only where somebody has said so.
func (m *Machine) RemoveMember(ctx context.Context, name string, away bool) error {
	all, err := m.Members()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(o Member) bool { return o.Name == name })
	if at < 0 {
		return words.Refuse("no_such_subscriber", "%s is no subscriber of this cluster",
			"%s はこのクラスタのサブスクライバではありません", name)
	}
	if !away {
		_, err := m.ask(ctx, all[at], vosapi.Request{Verb: vosapi.PutKeys, Keys: &[]vosapi.Key{}})
		if err != nil {
			return fmt.Errorf("cannot take the control nodes' keys away from %s: %w; with --away it is "+
				"forgotten all the same", name, err)
		}
	}
	if err := m.pins().Forget(all[at].Address); err != nil && !errors.Is(err, remote.ErrKeyUnknown) {
		return err
	}
	return atomicfile.WriteJSON(m.path(membersFile), slices.Delete(all, at, at+1))
}

func (m *Machine) pins() *remote.Pins { return remote.OpenPins(m.dir, m.now) }

// ask sends one request to a subscriber.
func (m *Machine) ask(ctx context.Context, member Member, q vosapi.Request) (vosapi.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, peerDeadline)
	defer cancel()
	signer, err := m.signer()
	if err != nil {
		return vosapi.Answer{}, err
	}
	client, err := remote.Dial(ctx, m.pins(), remote.Target{Address: member.Address, User: member.User,
		Signers: []ssh.Signer{signer}, Timeout: peerDeadline})
	if err != nil {
		return vosapi.Answer{}, err
	}
	defer client.Close()
	q.Protocol = vosapi.Protocol
	var text bytes.Buffer
	if err := vosapi.Write(&text, q); err != nil {
		return vosapi.Answer{}, err
	}
	result, err := client.Run(ctx, vosapi.Command, &text)
	if err != nil {
		return vosapi.Answer{}, err
	}
	a, err := vosapi.ReadAnswer(bytes.NewReader(result.Stdout))
	if err != nil {
		return a, err
	}
	return a, a.Err()
}

// Node is one machine of the cluster as its publisher finds it.
type Node struct {
	Name  string
	User  string
	Type  inventory.NodeType
	Facts vosapi.Facts
	Err   error // why it could not be prepared
}

// Spread gives every machine of the cluster the control nodes' keys, and answers how each stands; none
// takes the keys away. This machine's own failure is an error, a subscriber's is in its Node.
func (m *Machine) Spread(ctx context.Context, keys []vosapi.Key) ([]Node, error) {
	members, err := m.Members()
	if err != nil {
		return nil, err
	}
	if err := m.PutKeys(keys); err != nil {
		return nil, err
	}
	own, err := m.Facts(ctx)
	if err != nil {
		return nil, err
	}
	nodes := make([]Node, 1+len(members))
	nodes[0] = Node{Name: m.Name, User: m.User, Type: m.Type, Facts: own}
	done := make(chan int, len(members))
	for i, member := range members {
		go func() {
			nodes[i+1] = m.prepare(ctx, member, keys)
			done <- i
		}()
	}
	for range members {
		<-done
	}
	return nodes, nil
}

func (m *Machine) prepare(ctx context.Context, member Member, keys []vosapi.Key) Node {
	n := Node{Name: member.Name, User: member.User, Type: inventory.Subscriber}
	if keys == nil {
		keys = []vosapi.Key{}
	}
	if _, n.Err = m.ask(ctx, member, vosapi.Request{Verb: vosapi.PutKeys, Keys: &keys}); n.Err != nil {
		return n
	}
	a, err := m.ask(ctx, member, vosapi.Request{Verb: vosapi.GetFacts})
	switch {
	case err != nil:
		n.Err = err
	case a.Facts == nil || a.Facts.Name != member.Name || a.Facts.Product != m.Product:
		n.Err = errors.New("another machine answers there")
	default:
		n.Facts = *a.Facts
	}
	return n
}
