package commands

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/onboarding"
	"connecthub/nodeclient/control/remote"
)

type hostKeyCommand struct {
	List    hostKeyList    `cmd:"" help:"List the machines with the host keys that were confirmed."`
	Confirm hostKeyConfirm `cmd:"" help:"Confirm the host keys of machines, so that this node connects to them."`
	Forget  hostKeyForget  `cmd:"" help:"Forget the host keys of machines that were installed anew."`
}

type hostKeyRow struct {
	Name        string `json:"name"`
	Address     string `json:"address"`
	Type        string `json:"type,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Confirmed   bool   `json:"confirmed"`
}

type hostKeyList struct {
	JSON bool `help:"As JSON."`
}

// keyed are the machines of the inventory, and those that have left it while their keys stay confirmed.
func keyed(s *console.Session) ([]inventory.Machine, error) {
	all, empty := inventoried(s)
	left, err := onboarding.Left(s.Dir, s.Now)
	if err != nil {
		return nil, err
	}
	var refusal *console.Refusal
	if empty != nil && (len(left) == 0 || !errors.As(empty, &refusal)) {
		return nil, empty
	}
	for _, name := range left {
		if !slices.ContainsFunc(all, func(m inventory.Machine) bool { return strings.EqualFold(m.Host.Name, name) }) {
			all = append(all, inventory.Machine{Product: "VOS", Group: "removed", Host: inventory.Host{Name: name}})
		}
	}
	return all, nil
}

// Run asks no machine.
func (l hostKeyList) Run(s *console.Session) error {
	all, err := keyed(s)
	if err != nil {
		return err
	}
	targets, err := targetsOf(s, all)
	if err != nil {
		return err
	}
	pins, rows, seen := remote.OpenPins(s.Dir, s.Now), []hostKeyRow{}, map[string]bool{}
	for _, t := range targets {
		if seen[t.Address] {
			continue
		}
		seen[t.Address] = true
		row := hostKeyRow{Name: t.Host.Name, Address: t.Address}
		switch key, err := pins.Of(t.Address); {
		case err == nil:
			row.Type, row.Fingerprint, row.Confirmed = key.Type(), ssh.FingerprintSHA256(key), true
		case !errors.Is(err, remote.ErrKeyUnknown):
			return err
		}
		rows = append(rows, row)
	}
	if l.JSON {
		return s.JSON(rows)
	}
	for _, r := range rows {
		if r.Confirmed {
			s.Say("%s  %s  %s", r.Address, r.Type, r.Fingerprint)
		} else {
			s.Say("%s  not confirmed", r.Address)
		}
	}
	return nil
}

type hostKeyConfirm struct {
	nodeFlags
	hostKeyFlag
}

// Run asks machines for their keys, and tells them nothing.
func (c hostKeyConfirm) Run(s *console.Session) error {
	if err := s.Owner(); err != nil {
		return err
	}
	all, err := inventoried(s)
	if err != nil {
		return err
	}
	for name := range c.AcceptHostKey {
		c.Node = append(c.Node, name)
	}
	picked, err := c.pick(s, "Confirm which of them", all)
	if err != nil {
		return err
	}
	targets, err := targetsOf(s, picked)
	if err != nil {
		return err
	}
	t, err := tester(s)
	if err != nil {
		return err
	}
	if err := c.confirm(s, t, targets); err != nil {
		return err
	}
	left := 0
	for _, one := range targets {
		switch _, err := t.Pins.Of(one.Address); {
		case errors.Is(err, remote.ErrKeyUnknown):
			left++
			s.Say("%s  not confirmed", one.Address)
		case err != nil:
			return err
		default:
			s.Say("%s  confirmed", one.Address)
		}
	}
	if left > 0 {
		return console.Refuse("host_keys_left", "%d of %d host keys are not confirmed",
			"確認されていないホスト鍵があります(%d / %d)", left, len(targets))
	}
	return nil
}

type hostKeyForget struct {
	nodeFlags
	Yes bool `help:"Forget them without asking."`
}

// Run makes the next connection ask for the keys again.
func (f hostKeyForget) Run(s *console.Session) error {
	if err := s.Owner(); err != nil {
		return err
	}
	all, err := keyed(s)
	if err != nil {
		return err
	}
	picked, err := f.pick(s, "Forget which of them", all)
	if err != nil {
		return err
	}
	targets, err := targetsOf(s, picked)
	if err != nil {
		return err
	}
	if err := s.Confirm("This node will not connect to these machines until their keys are confirmed anew.",
		"yes", f.Yes); err != nil {
		return err
	}
	pins := remote.OpenPins(s.Dir, s.Now)
	for _, t := range targets {
		switch err := pins.Forget(t.Address); {
		case errors.Is(err, remote.ErrKeyUnknown):
			s.Say("%s  was not confirmed", t.Address)
		case err != nil:
			return err
		default:
			s.Say("%s  forgotten", t.Address)
		}
	}
	return nil
}
