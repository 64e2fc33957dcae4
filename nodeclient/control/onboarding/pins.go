package onboarding

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/sshport"
)

// A cluster changes and takes away those host keys only that its own onboarding has confirmed. Whoever
// applies says a machine's name and key; only its id, which no other cluster knows, says that it is the
// same one as before.

const pinnedBy = "onboarding of "

// pinned is whose onboarding a key comes from, as it is listed.
func (c Cluster) pinned() string { return pinnedBy + c.Name + c.mark() }

func (c Cluster) mark() string {
	sum := sha256.Sum256([]byte(c.ID))
	return fmt.Sprintf(" [%x]", sum[:12])
}

func (c Cluster) owns(by string) bool {
	return strings.HasPrefix(by, pinnedBy) && strings.HasSuffix(by, c.mark())
}

// pinnable refuses a cluster with a machine for which another key is confirmed. The key of a machine
// that this very cluster had before, and has confirmed itself, may change.
func (d *Desk) pinnable(c, before Cluster) error {
	pins := remote.OpenPins(d.o.Dir, d.o.Now)
	for _, n := range c.Nodes {
		if n.HostKey == "" {
			continue
		}
		address, key, err := d.place(n)
		if err != nil {
			return err
		}
		known, by, err := pins.By(address)
		if errors.Is(err, remote.ErrKeyUnknown) {
			continue
		}
		if err != nil {
			return err
		}
		_, had := Find([]Cluster{before}, n.Name)
		may := had && before.owns(by)
		if !may && !bytes.Equal(known.Marshal(), key.Marshal()) {
			return models.Conflict("host_key_differs", n.Name)
		}
	}
	return nil
}

// pin confirms the machines' SSH keys: they came in a request of the application user, over TLS that the
// machine has verified.
func (d *Desk) pin(c Cluster) error {
	for _, n := range c.Nodes {
		if err := confirm(d.o.Dir, d.o.Now, c, n); err != nil {
			return err
		}
	}
	return nil
}

// confirm keeps whose a key is that was confirmed before.
func confirm(dir string, now func() time.Time, c Cluster, n Node) error {
	if n.HostKey == "" {
		return nil
	}
	address, key, err := place(dir, now, n)
	if err != nil {
		return err
	}
	pins := remote.OpenPins(dir, now)
	known, by, err := pins.By(address)
	switch {
	case errors.Is(err, remote.ErrKeyUnknown):
	case err != nil:
		return err
	case bytes.Equal(known.Marshal(), key.Marshal()):
		return nil
	case !c.owns(by):
		return models.Conflict("host_key_differs", n.Name)
	default:
		if err := pins.Forget(address); err != nil && !errors.Is(err, remote.ErrKeyUnknown) {
			return err
		}
	}
	return pins.Confirm(address, key, c.pinned())
}

func (d *Desk) place(n Node) (string, ssh.PublicKey, error) {
	return place(d.o.Dir, d.o.Now, n)
}

func place(dir string, now func() time.Time, n Node) (string, ssh.PublicKey, error) {
	port, _, err := sshport.Read(dir, now)
	if err != nil {
		return "", nil, err
	}
	address, err := sshport.Address(n.Name, port)
	if err != nil {
		return "", nil, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(n.HostKey))
	if err != nil {
		return "", nil, &models.Refusal{Kind: models.KindInvalid, Code: "onboarding_malformed"}
	}
	return address, key, nil
}

// unpin takes away what this cluster has confirmed. What somebody else has confirmed stays.
func (d *Desk) unpin(c Cluster) error {
	pins := remote.OpenPins(d.o.Dir, d.o.Now)
	for _, n := range c.Nodes {
		if n.HostKey == "" {
			continue
		}
		address, _, err := d.place(n)
		var by string
		if err == nil {
			_, by, err = pins.By(address)
		}
		if err == nil && c.owns(by) {
			err = pins.Forget(address)
		}
		if err != nil && !errors.Is(err, remote.ErrKeyUnknown) {
			return err
		}
	}
	return nil
}

// Left are the machines that no cluster has any more, and whose keys stay confirmed: of clusters that
// were taken out by whoever knew their names only.
func Left(dir string, now func() time.Time) ([]string, error) {
	clusters, err := Clusters(dir, now)
	if err != nil {
		return nil, err
	}
	port, _, err := sshport.Read(dir, now)
	if err != nil {
		return nil, err
	}
	all, err := remote.OpenPins(dir, now).Own()
	if err != nil {
		return nil, err
	}
	var left []string
	for _, one := range all {
		host, at, err := net.SplitHostPort(one.Address)
		if _, there := Find(clusters, host); err == nil && !there && at == strconv.Itoa(port) &&
			strings.HasPrefix(one.By, pinnedBy) {
			left = append(left, host)
		}
	}
	return left, nil
}

// Pin confirms the SSH keys of every onboarded machine at the port that counts now. A machine for which
// somebody has confirmed another key there keeps that one: the connection test tells of it.
func Pin(dir string, now func() time.Time) error {
	clusters, err := Clusters(dir, now)
	if err != nil {
		return err
	}
	for _, c := range clusters {
		for _, n := range c.Nodes {
			err := confirm(dir, now, c, n)
			if err != nil && !errors.Is(err, &models.Refusal{Code: "host_key_differs"}) {
				return err
			}
		}
	}
	return nil
}
