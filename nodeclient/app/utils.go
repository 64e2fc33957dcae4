package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"
	"golang.org/x/term"

	"connecthub/models"
	"connecthub/models/inventory"
	"connecthub/nodeclient/atomicfile"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/enroll"
)

type utilsCommand struct {
	System utilsSystemCommand `cmd:"" help:"The inventory of the machines that this node orchestrates."`
}

type utilsSystemCommand struct {
	Inventory inventoryCommand `cmd:"" help:"Export, import, check and show inventory.conf."`
}

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

// orchestrates refuses a folder whose node is a subscriber: the inventory is the publisher's.
func orchestrates(dir string) error {
	c, err := enroll.LoadConfig(dir)
	if err != nil {
		return err
	}
	if c.Role == models.Subscriber {
		return fmt.Errorf("run this on the publisher, %s: this node is a subscriber", c.Publisher)
	}
	return ownFolder(dir)
}

// asker talks to whoever sits at standard input. Prompts go where errors go, so that a command's
// output stays its own.
type asker struct {
	in  *os.File
	out io.Writer
}

func (a asker) terminal() bool { return term.IsTerminal(int(a.in.Fd())) }

// line reads up to a line's end and not one byte further: a password may come next.
func (a asker) line() (string, error) {
	var b strings.Builder
	one := make([]byte, 1)
	for b.Len() < maxLine {
		n, err := a.in.Read(one)
		if n == 1 && one[0] == '\n' {
			return strings.TrimSpace(b.String()), nil
		}
		if err != nil {
			return "", fmt.Errorf("cannot read the answer: %w", err)
		}
		_, _ = b.Write(one[:n])
	}
	return "", errors.New("the answer is too long")
}

// ask answers what was given by flag, what is typed, or on an empty line the current value.
func (a asker) ask(prompt, flag, given, current string) (string, error) {
	if given != "" {
		return given, nil
	}
	if !a.terminal() {
		return "", fmt.Errorf("give --%s", flag)
	}
	if current != "" {
		prompt += " [" + printable(current) + "]"
	}
	_, _ = fmt.Fprint(a.out, prompt+": ")
	typed, err := a.line()
	if err != nil {
		return "", err
	}
	if typed == "" {
		typed = current
	}
	if typed == "" {
		return "", errors.New("nothing was given")
	}
	return typed, nil
}

// secret shows an asterisk for each character. The terminal's own echo ends before the prompt appears,
// so that nothing which is typed early is seen either.
func (a asker) secret(prompt string) (string, error) {
	before, err := term.MakeRaw(int(a.in.Fd()))
	if err != nil {
		return "", fmt.Errorf("cannot hide the password: %w", err)
	}
	defer func() {
		_ = term.Restore(int(a.in.Fd()), before)
		_, _ = fmt.Fprintln(a.out)
	}()
	_, _ = fmt.Fprint(a.out, prompt+": ")
	var typed []byte
	one := make([]byte, 1)
	for len(typed) < maxLine {
		if _, err := io.ReadFull(a.in, one); err != nil {
			return "", fmt.Errorf("cannot read the password: %w", err)
		}
		switch c := one[0]; {
		case c == '\r' || c == '\n':
			return string(typed), nil
		case c == 0x03 || c == 0x04: // Ctrl-C, Ctrl-D
			return "", errors.New("no password was given")
		case c == 0x7f || c == 0x08:
			if len(typed) > 0 {
				_, size := utf8.DecodeLastRune(typed)
				typed = typed[:len(typed)-size]
				_, _ = fmt.Fprint(a.out, "\b \b")
			}
		case c >= 0x20:
			typed = append(typed, c)
			if utf8.RuneStart(c) {
				_, _ = fmt.Fprint(a.out, "*")
			}
		}
	}
	return "", errors.New("the password is too long")
}

// yes takes nothing but the word for a consent.
func (a asker) yes(question, flag string) error {
	if !a.terminal() {
		return fmt.Errorf("give %s", flag)
	}
	_, _ = fmt.Fprint(a.out, question+" Type yes to go on: ")
	typed, err := a.line()
	if err != nil {
		return err
	}
	if typed != "yes" {
		return errors.New("that was no yes; nothing was changed")
	}
	return nil
}

// printable keeps what others wrote from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return '�'
		}
		return r
	}, s)
}

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
func (s serverFlags) place(e *env, dir string) (place, error) {
	var last lastServer
	err := atomicfile.ReadJSON(filepath.Join(dir, lastServerFile), maxLine, &last)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return place{}, err
	}
	a, p := asker{os.Stdin, e.err}, place{}
	if p.server, err = a.ask("SFTP Server", "server", s.Server, last.Server); err != nil {
		return p, err
	}
	if p.login.Address, err = remote.Address(p.server); err != nil {
		return p, err
	}
	if p.login.User, err = a.ask("SFTP User", "user", s.User, last.User); err != nil {
		return p, err
	}
	if s.Directory != "" { // before a password is asked for
		if _, err = remote.Directory(s.Directory, inventory.FileName); err != nil {
			return p, err
		}
	}
	password, err := secretOf(e, os.Stdin, s.PasswordFile, "Password")
	if err != nil {
		return p, err
	}
	p.login.Password = remote.Password(password)
	typed, err := a.ask("SFTP Directory", "directory", s.Directory, last.Directory)
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
func (s serverFlags) connect(e *env, dir string, p place) (*remote.Session, error) {
	pins := remote.OpenPins(dir, e.now)
	known, err := pins.Of(p.login.Address)
	switch {
	case errors.Is(err, remote.ErrKeyUnknown):
		if err := s.confirm(e, pins, p); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case s.AcceptHostKey != "" && ssh.FingerprintSHA256(known) != s.AcceptHostKey:
		return nil, fmt.Errorf("%w: %s is confirmed for %s", remote.ErrKeyChanged,
			ssh.FingerprintSHA256(known), p.login.Address)
	}
	session, err := remote.Connect(e.ctx, pins, p.login)
	if errors.Is(err, remote.ErrKeyChanged) {
		return nil, fmt.Errorf("%w; if %s was installed anew, run: nodeclient utils system "+
			"inventory forget-host-key %s", err, p.login.Address, p.login.Address)
	}
	return session, err
}

func (s serverFlags) confirm(e *env, pins *remote.Pins, p place) error {
	key, err := remote.HostKey(e.ctx, p.login.Address)
	if err != nil {
		return err
	}
	seen := ssh.FingerprintSHA256(key)
	switch {
	case s.AcceptHostKey == "":
		_, _ = fmt.Fprintf(e.err, "The host key of %s (%s) is\n    %s\n", p.login.Address, key.Type(),
			seen)
		err := asker{os.Stdin, e.err}.yes("Is it the server's own?", "--accept-host-key "+seen+
			", if that is the server's own")
		if err != nil {
			return err
		}
	case s.AcceptHostKey != seen:
		return fmt.Errorf("the host key of %s is %s, not the one that was given; no password was sent",
			p.login.Address, seen)
	}
	return pins.Confirm(p.login.Address, key, whoami())
}

// language is the flag's, or that of the environment.
func language(flag string) string {
	if flag != "" {
		return flag
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			if strings.HasPrefix(v, "ja") {
				return "ja"
			}
			return "en"
		}
	}
	return "en"
}
