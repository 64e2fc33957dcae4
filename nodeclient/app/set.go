package app

import (
	"errors"
	"fmt"

	"connecthub/nodeclient/enroll"
)

const maxPEM = 64 << 10

type setCertificateCommand struct {
	Cert       string `type:"existingfile" help:"File with the certificate and its chain, PEM." placeholder:"FILE"`
	Key        string `type:"existingfile" help:"File with its key, PEM." placeholder:"FILE"`
	SelfSigned bool   `help:"Go back to a self-signed certificate."`
}

// Run replaces the certificate whole, or leaves it as it is.
func (s setCertificateCommand) Run(e *env) error {
	c, err := enroll.LoadConfig(e.session.Dir)
	if err != nil {
		return err
	}
	if s.SelfSigned == (s.Cert != "" || s.Key != "") || (s.Cert == "") != (s.Key == "") {
		return errors.New("give --cert FILE and --key FILE, or --self-signed alone")
	}
	if err := ownFolder(e.session.Dir); err != nil {
		return err
	}
	if s.SelfSigned {
		err = enroll.SelfSignPage(e.session.Dir, c.FQDN, e.now())
	} else {
		err = s.replace(e, c)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.out, "stored; a running agent shows it from the next connection on")
	return err
}

func (s setCertificateCommand) replace(e *env, c enroll.Config) error {
	cert, err := readAtMost(s.Cert, maxPEM)
	if err != nil {
		return fmt.Errorf("cannot read the certificate: %w", err)
	}
	key, err := readAtMost(s.Key, maxPEM)
	if err != nil {
		return fmt.Errorf("cannot read the key: %w", err)
	}
	return enroll.SetPageCertificate(e.session.Dir, []byte(cert), []byte(key), c.FQDN, e.now())
}

type setUserCommand struct {
	Name         string `help:"New name; default: the present one."`
	PasswordFile string `help:"File with the new password, one line. Default: a prompt." placeholder:"FILE"`
}

// Run changes the application user. Who is signed in on the page with the former password is signed
// out.
func (s setUserCommand) Run(e *env) error {
	c, err := enroll.LoadConfig(e.session.Dir)
	if err != nil {
		return err
	}
	if err := ownFolder(e.session.Dir); err != nil {
		return err
	}
	password, err := newPassword(e, s.PasswordFile)
	if err != nil {
		return err
	}
	if s.Name != "" {
		c.AppUser = s.Name
	}
	if c.AppPasswordHash, err = enroll.HashPassword(password); err != nil {
		return err
	}
	if err := c.Save(e.session.Dir); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "stored for %s; whoever was signed in on this node's page is signed out\n",
		c.AppUser)
	return err
}

// newPassword is read from a file or asked for twice: never from the command line, which every user
// of the machine can see.
func newPassword(e *env, file string) (string, error) {
	first, err := e.session.Secret("New password", "password-file", file)
	if err != nil || file != "" {
		return first, err
	}
	second, err := e.session.Secret("Once more", "password-file", "")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two are not the same; nothing was stored")
	}
	return first, nil
}
