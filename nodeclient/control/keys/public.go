package keys

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"connecthub/models"
	"connecthub/nodeclient/atomicfile"
)

const (
	peersFile = "peer-keys.json"
	maxPeers  = 16
	maxPeersB = 64 << 10
	maxLine   = 4 << 10
)

// Line is one line of authorized_keys without options and without its end: type, key, comment.
type Line string

// LineOf writes a public key with the comment that all control nodes use.
func LineOf(key ssh.PublicKey) Line {
	return Line(key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal()) + " " + Comment)
}

// Key reads the line strictly: three words, single spaces, an RSA key.
func (l Line) Key() (ssh.PublicKey, error) {
	words := strings.Split(string(l), " ")
	if len(l) > maxLine || len(words) != 3 || words[0] != ssh.KeyAlgoRSA || words[2] != Comment {
		return nil, errors.New("a public key of a control node is one line: ssh-rsa, the key, " + Comment)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(words[1])
	if err != nil {
		return nil, fmt.Errorf("cannot read a public key: %w", err)
	}
	key, err := ssh.ParsePublicKey(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot read a public key: %w", err)
	}
	if LineOf(key) != l {
		return nil, errors.New("cannot read a public key: it is not what it says")
	}
	return key, nil
}

// Fingerprint is SHA256:…, or empty where the line is none.
func (l Line) Fingerprint() string {
	key, err := l.Key()
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(key)
}

// Category is which control node a key belongs to.
type Category string

// The categories, as the original spells them.
const (
	Publisher  Category = "PUBLISHER"
	Subscriber Category = "SUBSCRIBER"
)

// CategoryOf answers for a role; a node without a cluster is its own publisher.
func CategoryOf(role models.NodeRole) Category {
	if role == models.Subscriber {
		return Subscriber
	}
	return Publisher
}

// Public is a control node's public key: what GET /inventory/controlnode/key answers.
type Public struct {
	Category  Category    `json:"category"`
	HostName  models.FQDN `json:"hostName"`
	PublicKey Line        `json:"publicKey"`
}

// OwnPublic is this node's own; the pair is made at the first need.
func OwnPublic(dir string, role models.NodeRole, name models.FQDN) (Public, error) {
	pair, err := Own(dir)
	if err != nil {
		return Public{}, err
	}
	return Public{Category: CategoryOf(role), HostName: name, PublicKey: pair.Line()}, nil
}

func (p Public) check() error {
	if p.Category != Publisher && p.Category != Subscriber {
		return errors.New("the category of a control node is PUBLISHER or SUBSCRIBER")
	}
	if name, err := models.ParseFQDN(string(p.HostName)); err != nil || name != p.HostName {
		return errors.New("a control node is named by its FQDN")
	}
	_, err := p.PublicKey.Key()
	return err
}

// Peers are the other control nodes of the cluster, by name; whoever replicates keeps them.
func Peers(dir string) ([]Public, error) {
	var all []Public
	err := atomicfile.ReadJSON(filepath.Join(dir, folder, peersFile), maxPeersB, &all)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("cannot use %s: %w", peersFile, err)
		}
	}
	return all, nil
}

// KeepPeer notes another control node's key, in place of what that name had before.
func KeepPeer(dir string, p Public) error {
	if err := p.check(); err != nil {
		return err
	}
	return changePeers(dir, func(all []Public) []Public {
		at, found := slices.BinarySearchFunc(all, p.HostName, byName)
		if found {
			all[at] = p
			return all
		}
		return slices.Insert(all, at, p)
	})
}

// ForgetPeer drops a control node that has left the cluster; one that is not kept is no error.
func ForgetPeer(dir string, name models.FQDN) error {
	return changePeers(dir, func(all []Public) []Public {
		return slices.DeleteFunc(all, func(p Public) bool { return p.HostName == name })
	})
}

func byName(p Public, name models.FQDN) int { return strings.Compare(string(p.HostName), string(name)) }

// changePeers writes nothing where nothing has changed.
func changePeers(dir string, change func([]Public) []Public) error {
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	before, err := Peers(dir)
	if err != nil {
		return err
	}
	after := change(slices.Clone(before))
	if slices.Equal(before, after) {
		return nil
	}
	if len(after) > maxPeers {
		return fmt.Errorf("a cluster has at most %d control nodes", maxPeers)
	}
	return atomicfile.WriteJSON(filepath.Join(dir, folder, peersFile), after)
}
