package commands

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"connecthub/models/inventory"
	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/remote"
)

const maxRemembered = 4 << 10

// serverFlags say which SFTP server; what is not given is asked for at a terminal.
type serverFlags struct {
	Server        string `help:"SFTP server, HOST or HOST:PORT." placeholder:"HOST"`
	User          string `help:"User there."`
	PasswordFile  string `help:"File with that user's password, one line; - for standard input. Default: a prompt." placeholder:"FILE"`
	Directory     string `help:"Directory there in UNIX form; the file is always inventory.conf." placeholder:"/DIR"`
	AcceptHostKey string `help:"Confirm the server's host key without asking, if this is its fingerprint." placeholder:"SHA256:…"`
}

// lastServer is what a prompt shows in brackets the next time. A password is never kept.
type lastServer struct {
	Server    string `json:"server"`
	User      string `json:"user"`
	Directory string `json:"directory"`
}

const lastServerFile = "inventory-sftp.json"

// place is a directory on a server, with who signs in there.
type place struct {
	login     remote.Login
	server    string
	directory string
}

// String is where the inventory is, without who signs in how.
func (p place) String() string {
	return "sftp://" + p.login.Address + strings.TrimSuffix(p.directory, "/") + "/" + inventory.FileName
}

// place asks for what the flags leave open. Everything that can be refused before a connection is.
func (f serverFlags) place(s *console.Session) (place, error) {
	var last lastServer
	err := atomicfile.ReadJSON(filepath.Join(s.Dir, lastServerFile), maxRemembered, &last)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return place{}, err
	}
	p := place{}
	if p.server, err = s.Ask("SFTP Server", "server", f.Server, last.Server); err != nil {
		return p, err
	}
	if p.login.Address, err = remote.Address(p.server); err != nil {
		return p, err
	}
	if p.login.User, err = s.Ask("SFTP User", "user", f.User, last.User); err != nil {
		return p, err
	}
	if f.Directory != "" { // before a password is asked for
		if _, err = remote.Directory(f.Directory, inventory.FileName); err != nil {
			return p, err
		}
	}
	password, err := s.Secret("Password", "password-file", f.PasswordFile)
	if err != nil {
		return p, err
	}
	p.login.Password = remote.Password(password)
	typed, err := s.Ask("SFTP Directory", "directory", f.Directory, last.Directory)
	if err != nil {
		return p, err
	}
	p.directory, err = remote.Directory(typed, inventory.FileName)
	return p, err
}

func (p place) remember(dir string) error {
	return atomicfile.WriteJSON(filepath.Join(dir, lastServerFile),
		lastServer{p.server, p.login.User, p.directory})
}

// connect signs in; a server that nobody knows yet is confirmed first, before it learns anything.
func (f serverFlags) connect(s *console.Session, p place) (*remote.Session, error) {
	pins := remote.OpenPins(s.Dir, s.Now)
	known, err := pins.Of(p.login.Address)
	switch {
	case errors.Is(err, remote.ErrKeyUnknown):
		if err := f.confirm(s, pins, p); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case f.AcceptHostKey != "" && ssh.FingerprintSHA256(known) != f.AcceptHostKey:
		return nil, fmt.Errorf("%w: %s is confirmed for %s", remote.ErrKeyChanged,
			ssh.FingerprintSHA256(known), p.login.Address)
	}
	session, err := remote.Connect(s.Ctx, pins, p.login)
	if errors.Is(err, remote.ErrKeyChanged) {
		return nil, fmt.Errorf("%w; if %s was installed anew, run: nodeclient utils system "+
			"inventory forget-host-key %s", err, p.login.Address, p.login.Address)
	}
	return session, err
}

func (f serverFlags) confirm(s *console.Session, pins *remote.Pins, p place) error {
	key, err := remote.HostKey(s.Ctx, p.login.Address)
	if err != nil {
		return err
	}
	seen := ssh.FingerprintSHA256(key)
	switch {
	case f.AcceptHostKey == "":
		s.Note("The host key of %s (%s) is\n    %s", p.login.Address, key.Type(), seen)
		err := s.Confirm("Is it the server's own?", "accept-host-key "+seen, false)
		if err != nil {
			return err
		}
	case f.AcceptHostKey != seen:
		return fmt.Errorf("the host key of %s is %s, not the one that was given; no password was sent",
			p.login.Address, seen)
	}
	return pins.Confirm(p.login.Address, key, s.Who)
}
