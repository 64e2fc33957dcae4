package remote

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/nodeclient/atomicfile"
)

const pinsLock = "ssh-hosts.lock"

// Confirmed is one host key as a publisher gives it to its subscriber.
type Confirmed struct {
	Address string    `json:"address"` // HOST:PORT
	Key     []byte    `json:"key"`     // in SSH's form
	Added   time.Time `json:"added"`
	By      string    `json:"by"`
}

// Own are the keys that were confirmed on this node, by address.
func (p *Pins) Own() ([]Confirmed, error) {
	all, err := p.read()
	if err != nil {
		return nil, err
	}
	own := []Confirmed{}
	for address, pin := range all {
		if !pin.Given {
			own = append(own, Confirmed{address, pin.Key, pin.Added, pin.By})
		}
	}
	slices.SortFunc(own, func(a, b Confirmed) int { return strings.Compare(a.Address, b.Address) })
	return own, nil
}

// Adopt takes the publisher's keys in the place of those that it gave before. What was confirmed
// here for other addresses stays; for the same one the publisher's counts. A key that is none refuses
// them all.
func (p *Pins) Adopt(given []Confirmed) error {
	for _, g := range given {
		if _, err := ssh.ParsePublicKey(g.Key); err != nil || g.Address == "" {
			return fmt.Errorf("cannot read the confirmed key of %.80q: %w", g.Address, err)
		}
	}
	unlock, err := p.lock()
	if err != nil {
		return err
	}
	defer unlock()
	all, err := p.read()
	if err != nil {
		return err
	}
	for address, pin := range all {
		if pin.Given {
			delete(all, address)
		}
	}
	for _, g := range given {
		all[g.Address] = pin{Key: g.Key, Added: g.Added, By: g.By, Given: true}
	}
	if len(all) > maxPins {
		return fmt.Errorf("more than %d host keys are confirmed", maxPins)
	}
	return atomicfile.WriteJSON(p.path, all)
}

// lock lets one process at a time change the keys; it waits for its turn.
func (p *Pins) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(filepath.Dir(p.path), pinsLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the confirmed keys: %w", err)
	}
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("cannot lock the confirmed keys: %w", err)
	}
	return func() {
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		_ = f.Close()
	}, nil
}
