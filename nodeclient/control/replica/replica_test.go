package replica_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/machines"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/replica"
	"connecthub/nodeclient/control/settings"
)

const (
	pubName = models.FQDN("cc-pub.example.com")
	subName = models.FQDN("cc-sub.example.com")
)

// side is one control node: its folder, and its end of the replication.
type side struct {
	t    *testing.T
	name models.FQDN
	dir  string
	key  keys.Public
	node *replica.Node
	last *replica.Operation
}

func newSide(t *testing.T, name models.FQDN, role models.NodeRole) *side {
	t.Helper()
	s := &side{t: t, name: name, dir: t.TempDir()}
	var err error
	s.key, err = keys.OwnPublic(s.dir, role, name)
	must(t, err)
	s.opens(replica.Parts(s.dir, time.Now))
	return s
}

func (s *side) opens(parts []replica.Part) {
	s.node = replica.New(replica.Options{Dir: s.dir, Parts: parts, Now: time.Now,
		Key: func() (keys.Public, error) { return s.key, nil },
		Status: func() (replica.Status, error) {
			return replica.Status{Node: s.name, Version: "1.0", At: time.Now().UTC(), Operation: s.last}, nil
		}})
}

// pair is a publisher and its subscriber, with a way between them that a test can spoil.
type pair struct {
	pub, sub *side
	spoil    func(answer []byte) ([]byte, error)
}

func newPair(t *testing.T) *pair {
	t.Helper()
	return &pair{pub: newSide(t, pubName, models.Publisher), sub: newSide(t, subName, models.Subscriber)}
}

func (p *pair) ask(_ context.Context, in, out any) error {
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	var r replica.Request
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	a, err := p.pub.node.Answer(subName, r)
	if err != nil {
		return err
	}
	answer, err := json.Marshal(a)
	if err == nil && p.spoil != nil {
		answer, err = p.spoil(answer)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

func (p *pair) follow(t *testing.T) error {
	t.Helper()
	return p.sub.node.Follow(t.Context(), p.ask)
}

func (p *pair) follows(t *testing.T) {
	t.Helper()
	must(t, p.follow(t))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type document struct {
	Text string `json:"text"`
}

func (s *side) sets(name settings.Name, text string) {
	s.t.Helper()
	_, err := settings.Update(settings.Open(s.dir, time.Now), name, "root", func(d *document) error {
		d.Text = text
		return nil
	})
	must(s.t, err)
}

func (s *side) setting(name settings.Name) string {
	s.t.Helper()
	d, _, err := settings.Read[document](settings.Open(s.dir, time.Now), name)
	must(s.t, err)
	return d.Text
}

func (s *side) imports(comment string) {
	s.t.Helper()
	store := machines.Open(s.dir, time.Now)
	now, err := store.Current()
	must(s.t, err)
	text := append([]byte("# "+comment+"\n"), inventory.Format(inventory.Empty())...)
	_, err = store.Import(text, now.Number, "root", "test")
	must(s.t, err)
}

func (s *side) inventory() string {
	s.t.Helper()
	v, err := machines.Open(s.dir, time.Now).Current()
	must(s.t, err)
	return fmt.Sprintf("%d %s", v.Number, v.Text)
}

func hostKey(t *testing.T) ssh.PublicKey {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	key, err := ssh.NewPublicKey(public)
	must(t, err)
	return key
}

func (s *side) pin(address string) string {
	s.t.Helper()
	key, err := remote.OpenPins(s.dir, time.Now).Of(address)
	if errors.Is(err, remote.ErrKeyUnknown) {
		return ""
	}
	must(s.t, err)
	return ssh.FingerprintSHA256(key)
}

func TestTheSubscriberBecomesLikeThePublisherAndStaysSo(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	key := hostKey(t)
	p.pub.sets(settings.Mail, "smtp.example.com")
	p.pub.imports("first")
	must(t, remote.OpenPins(p.pub.dir, time.Now).Confirm("vvb:22", key, "root"))
	p.pub.last = &replica.Operation{What: "Upgrade", Status: "running", Began: time.Now()}
	p.follows(t)
	if p.sub.setting(settings.Mail) != "smtp.example.com" || p.sub.inventory() != p.pub.inventory() ||
		p.sub.pin("vvb:22") != ssh.FingerprintSHA256(key) {
		t.Errorf("%q %q %q", p.sub.setting(settings.Mail), p.sub.inventory(), p.sub.pin("vvb:22"))
	}
	for _, one := range []struct{ of, at *side }{{p.pub, p.sub}, {p.sub, p.pub}} {
		peers, err := keys.Peers(one.at.dir)
		if err != nil || len(peers) != 1 || peers[0] != one.of.key {
			t.Errorf("%s knows %v, %v", one.at.name, peers, err)
		}
		held, err := replica.Of(one.at.dir)
		if err != nil || held.Peer.Node != one.of.name || held.At.IsZero() {
			t.Errorf("%s: %+v, %v", one.at.name, held, err)
		}
	}
	if held, _ := replica.Of(p.sub.dir); held.Peer.Operation == nil || held.Peer.Operation.What != "Upgrade" {
		t.Errorf("%+v", held.Peer)
	}
	// away for a while: it catches up with all of it at once
	for i := range 12 {
		p.pub.imports(fmt.Sprint("later ", i))
		p.pub.sets(settings.Mail, fmt.Sprint("smtp", i))
	}
	must(t, remote.OpenPins(p.pub.dir, time.Now).Forget("vvb:22"))
	must(t, remote.OpenPins(p.sub.dir, time.Now).Confirm("own:22", key, "root"))
	p.follows(t)
	all, err := machines.Open(p.sub.dir, time.Now).Versions()
	if err != nil || len(all) != machines.Kept || p.sub.inventory() != p.pub.inventory() ||
		p.sub.setting(settings.Mail) != "smtp11" {
		t.Errorf("%d versions, %v", len(all), err)
	}
	if p.sub.pin("vvb:22") != "" || p.sub.pin("own:22") == "" {
		t.Errorf("the publisher's key %q, its own %q", p.sub.pin("vvb:22"), p.sub.pin("own:22"))
	}
}

func TestNothingIsSentWhereNothingHasChanged(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.pub.sets(settings.Mail, "a")
	p.follows(t)
	items := -1
	p.spoil = func(answer []byte) ([]byte, error) {
		var r replica.Response
		err := json.Unmarshal(answer, &r)
		items = len(r.Items)
		return answer, err
	}
	p.follows(t)
	if items != 0 {
		t.Errorf("%d items were sent again", items)
	}
}

// TestAnOlderOrAlteredAnswerIsRefusedWhole replays what was sent before, and changes what is sent.
func TestAnOlderOrAlteredAnswerIsRefusedWhole(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	var first []byte
	p.pub.sets(settings.Mail, "first")
	p.spoil = func(answer []byte) ([]byte, error) { first = answer; return answer, nil }
	p.follows(t)
	p.pub.sets(settings.Mail, "second")
	p.spoil = nil
	p.follows(t)
	p.spoil = func([]byte) ([]byte, error) { return first, nil }
	if err := p.follow(t); !errors.Is(err, replica.ErrOlder) || p.sub.setting(settings.Mail) != "second" {
		t.Errorf("%v, %q", err, p.sub.setting(settings.Mail))
	}
	held, err := replica.Of(p.sub.dir)
	if err != nil || !strings.Contains(held.Trouble, "older") {
		t.Errorf("%+v %v", held, err)
	}
	p.pub.sets(settings.Mail, "third")
	p.pub.imports("third")
	p.spoil = func(answer []byte) ([]byte, error) {
		return bytes.Replace(answer, []byte("third"), []byte("THIRD"), 1), nil
	}
	if err := p.follow(t); !errors.Is(err, replica.ErrDiffers) || p.sub.setting(settings.Mail) != "second" {
		t.Errorf("%v, %q", err, p.sub.setting(settings.Mail))
	}
	p.spoil = nil
	p.follows(t)
	if held, _ = replica.Of(p.sub.dir); p.sub.setting(settings.Mail) != "third" || held.Trouble != "" {
		t.Errorf("%q, %+v", p.sub.setting(settings.Mail), held)
	}
}

// TestAPublisherSetBackToABackupGivesOnlyWhatIsNewAgain restores the publisher's whole folder.
func TestAPublisherSetBackToABackupGivesOnlyWhatIsNewAgain(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.pub.sets(settings.Mail, "one")
	p.follows(t)
	backup := files(t, p.pub.dir)
	for i := range 3 {
		p.pub.sets(settings.Mail, fmt.Sprint("more", i))
		p.follows(t)
	}
	must(t, os.RemoveAll(filepath.Join(p.pub.dir, "control")))
	for name, text := range backup {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(p.pub.dir, name)), 0o700))
		must(t, os.WriteFile(filepath.Join(p.pub.dir, name), text, 0o600))
	}
	p.follows(t) // nothing newer is there
	if got := p.sub.setting(settings.Mail); got != "more2" {
		t.Errorf("an old copy counts: %q", got)
	}
	p.pub.sets(settings.Mail, "after the restore")
	p.follows(t)
	if got := p.sub.setting(settings.Mail); got != "after the restore" {
		t.Errorf("%q", got)
	}
}

func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		all[name], err = os.ReadFile(path)
		return err
	}))
	return all
}

func TestWhatASubscriberHadOnItsOwnMakesRoomForItsPublishers(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for i := range 5 {
		p.sub.sets(settings.Mail, fmt.Sprint("own", i))
		p.sub.imports(fmt.Sprint("own", i))
	}
	p.sub.sets(settings.Subscriptions, "own")
	p.sub.sets(settings.Download, "this node's bandwidth")
	p.pub.sets(settings.Mail, "the publisher's")
	p.follows(t)
	if p.sub.setting(settings.Mail) != "the publisher's" || p.sub.setting(settings.Subscriptions) != "" ||
		p.sub.setting(settings.Download) != "this node's bandwidth" || p.sub.inventory() != p.pub.inventory() {
		t.Errorf("%q %q %q", p.sub.setting(settings.Mail), p.sub.setting(settings.Subscriptions), p.sub.inventory())
	}
}

func TestANodeSpeaksForItselfOnly(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for what, change := range map[string]func(*replica.Request){
		"another's key":     func(r *replica.Request) { r.Key.HostName = pubName },
		"another's status":  func(r *replica.Request) { r.Status.Node = pubName },
		"another protocol":  func(r *replica.Request) { r.Protocol = 2 },
		"a key that is not": func(r *replica.Request) { r.Key.PublicKey = "ssh-rsa AAAA root@localhost" },
	} {
		r := replica.Request{Protocol: 1, Key: p.sub.key, Status: replica.Status{Node: subName}}
		change(&r)
		if _, err := p.pub.node.Answer(subName, r); err == nil {
			t.Errorf("%s was taken", what)
		}
	}
	if peers, err := keys.Peers(p.pub.dir); err != nil || len(peers) != 0 {
		t.Errorf("%v %v", peers, err)
	}
}

// TestACutAnywhereIsCaughtUpWith cuts the answer at many places, and the subscriber between and in the
// middle of what it takes.
func TestACutAnywhereIsCaughtUpWith(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	cut := errors.New("cut")
	tried, failed := 0, 0
	survives := func(text string) {
		tried++
		p.spoil = nil
		p.sub.opens(replica.Parts(p.sub.dir, time.Now)) // as after a crash: only the disk is left
		if err := p.follow(t); err != nil || p.sub.setting(settings.Mail) != text || p.sub.inventory() != p.pub.inventory() {
			failed++
			t.Errorf("%s: %v, %q", text, err, p.sub.setting(settings.Mail))
		}
	}
	for i := range 40 {
		text := fmt.Sprint("answer ", i)
		p.pub.sets(settings.Mail, text)
		p.pub.imports(text)
		p.spoil = func(answer []byte) ([]byte, error) { return answer[:len(answer)*i/40], nil }
		if p.follow(t) == nil {
			t.Error("half an answer was taken")
		}
		survives(text)
	}
	for i := range 3 * len(replica.Names()) {
		text := fmt.Sprint("part ", i)
		p.pub.sets(settings.Mail, text)
		p.pub.imports(text)
		must(t, remote.OpenPins(p.pub.dir, time.Now).Confirm(fmt.Sprintf("host%d:22", i), hostKey(t), "root"))
		parts := replica.Parts(p.sub.dir, time.Now)
		at, take := i/3, parts[i/3].Take
		parts[at].Take = func(body json.RawMessage) error {
			if i%3 > 0 { // it was taken, and what follows was not
				if err := take(body); err != nil {
					return err
				}
			}
			return cut
		}
		p.sub.opens(parts)
		if err := p.follow(t); !errors.Is(err, cut) {
			t.Error(err)
		}
		survives(text)
	}
	fmt.Printf("proof 4.9-replica tried=%d failed=%d\n", tried, failed)
}
