package remote

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/nodeclient/atomicfile"
)

const (
	pinsFile  = "ssh-hosts.json"
	pinsLimit = 1 << 20
	maxPins   = 500
)

// Pins are the host keys that somebody has confirmed, in a node's folder.
type Pins struct {
	path string
	now  func() time.Time
}

// OpenPins names the folder.
func OpenPins(dir string, now func() time.Time) *Pins {
	return &Pins{path: filepath.Join(dir, pinsFile), now: now}
}

type pin struct {
	Key   []byte    `json:"key"` // in SSH's form
	Added time.Time `json:"added"`
	By    string    `json:"by"`
	// Given: it came from the publisher of the cluster, and goes when that forgets it.
	Given bool `json:"given,omitempty"`
}

// Of answers the key of HOST:PORT, or ErrKeyUnknown.
func (p *Pins) Of(address string) (ssh.PublicKey, error) {
	key, _, err := p.By(address)
	return key, err
}

// By is Of with who has confirmed the key.
func (p *Pins) By(address string) (ssh.PublicKey, string, error) {
	all, err := p.read()
	if err != nil {
		return nil, "", err
	}
	found, ok := all[address]
	if !ok {
		return nil, "", ErrKeyUnknown
	}
	key, err := ssh.ParsePublicKey(found.Key)
	if err != nil {
		return nil, "", fmt.Errorf("cannot read the confirmed key of %s: %w", address, err)
	}
	return key, found.By, nil
}

func (p *Pins) read() (map[string]pin, error) {
	all := map[string]pin{}
	err := atomicfile.ReadJSON(p.path, pinsLimit, &all)
	if errors.Is(err, os.ErrNotExist) {
		return map[string]pin{}, nil
	}
	return all, err
}

// Confirm keeps the first key of an address. It refuses another one until the first is forgotten.
func (p *Pins) Confirm(address string, key ssh.PublicKey, by string) error {
	unlock, err := p.lock()
	if err != nil {
		return err
	}
	defer unlock()
	all, err := p.read()
	if err != nil {
		return err
	}
	if former, ok := all[address]; ok && !bytes.Equal(former.Key, key.Marshal()) {
		return ErrKeyChanged
	}
	if len(all) >= maxPins {
		return fmt.Errorf("more than %d host keys are confirmed", maxPins)
	}
	all[address] = pin{Key: key.Marshal(), Added: p.now().UTC(), By: by}
	return atomicfile.WriteJSON(p.path, all)
}

// Forget drops the key of HOST:PORT, for a server that was installed anew.
func (p *Pins) Forget(address string) error {
	unlock, err := p.lock()
	if err != nil {
		return err
	}
	defer unlock()
	all, err := p.read()
	if err != nil {
		return err
	}
	if _, ok := all[address]; !ok {
		return ErrKeyUnknown
	}
	delete(all, address)
	return atomicfile.WriteJSON(p.path, all)
}
