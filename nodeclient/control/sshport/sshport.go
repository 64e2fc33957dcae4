// Package sshport is the one port at which a control node reaches the machines of its inventory by
// SSH. It opens no connection.
package sshport

import (
	"errors"
	"net"
	"strconv"
	"time"

	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/settings"
)

// Default is SSH's own port.
const Default = 22

// ErrRange says what a port is.
var ErrRange = errors.New("a port is a number from 1 to 65535")

type document struct {
	Port int `json:"port"`
}

// Read answers the port that counts, and when and by whom it was set; revision 0 is nobody.
func Read(dir string, now func() time.Time) (int, settings.Meta, error) {
	d, meta, err := settings.Read[document](settings.Open(dir, now), settings.SSH)
	switch {
	case err != nil:
		return 0, meta, err
	case meta.Revision == 0:
		return Default, meta, nil
	case !valid(d.Port):
		return 0, meta, ErrRange
	}
	return d.Port, meta, nil
}

// Set replaces the port.
func Set(dir string, now func() time.Time, by string, port int) error {
	if !valid(port) {
		return ErrRange
	}
	_, err := settings.Update(settings.Open(dir, now), settings.SSH, by, func(d *document) error {
		d.Port = port
		return nil
	})
	return err
}

func valid(port int) bool { return port >= 1 && port <= 65535 }

// Address is where a machine of the inventory is reached, in the form that its host key is kept under.
func Address(host string, port int) (string, error) {
	return remote.Address(net.JoinHostPort(host, strconv.Itoa(port)))
}
