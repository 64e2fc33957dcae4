// Package remote is a control node's way to other machines: SFTP, and commands that are constants of
// ours, over SSH to a host whose key somebody has confirmed. It knows nothing of what is in the files,
// nor what a command does.
package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

const (
	connectTimeout  = 15 * time.Second
	transferTimeout = 60 * time.Second
	maxName         = 255
)

// What can go wrong, as a person may read it.
var (
	ErrUnreachable = errors.New("the server cannot be reached")
	ErrTimeout     = errors.New("the server did not answer in time")
	ErrNoSSH       = errors.New("what answers there does not speak SSH as this node does")
	ErrKeyUnknown  = errors.New("nobody has confirmed the host key of the server")
	ErrKeyChanged  = errors.New("the host key of the server is another one than was confirmed; " +
		"no password was sent and no key was used")
	ErrPassword    = errors.New("the server refused this user or this password")
	ErrKeyRefused  = errors.New("the server refused this user or this node's key")
	ErrGone        = errors.New("the connection to the server was lost")
	ErrNoSFTP      = errors.New("the server has no SFTP")
	ErrNoDirectory = errors.New("there is no such SFTP directory")
	ErrNoFile      = errors.New("there is no such file in the SFTP directory")
	ErrDenied      = errors.New("the server does not allow this user to do that there")
	ErrTooLarge    = errors.New("the file is too large")
	ErrNotAFile    = errors.New("what has that name on the server is no file")
	ErrFailed      = errors.New("the server failed")
	ErrTooMuch     = errors.New("the server answered more than was asked for")
	ErrDiskFull    = errors.New("the disk of the server is full")
	ErrDigest      = errors.New("the file on the server is not what was sent")
)

// Password never prints.
type Password string

// Format prints asterisks, whatever is asked for.
func (Password) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("********")) }

// MarshalText makes asterisks of it in JSON, too.
func (Password) MarshalText() ([]byte, error) { return []byte("********"), nil }

// Address answers HOST:PORT of HOST or HOST:PORT, in lower case; the port is 22 where none is given.
func Address(server string) (string, error) {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		host, port = strings.Trim(server, "[]"), "22"
	}
	bad := strings.ContainsFunc(host, func(r rune) bool {
		return r != '.' && r != '-' && r != ':' && (r > unicode.MaxASCII ||
			!unicode.IsLetter(r) && !unicode.IsDigit(r))
	})
	if bad || host == "" || len(host) > maxName || strings.HasPrefix(host, "-") {
		return "", errors.New("give the SFTP server as a name or an address, HOST or HOST:PORT")
	}
	if strings.Contains(host, ":") && net.ParseIP(host) == nil {
		return "", errors.New("give the SFTP server as HOST or HOST:PORT")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("the port of the SFTP server is a number from 1 to 65535")
	}
	return net.JoinHostPort(strings.ToLower(host), port), nil
}

// Login is whom to talk to as whom. Timeout bounds everything that Connect's session does.
type Login struct {
	Address  string
	User     string
	Password Password
	Timeout  time.Duration // 0: one minute
}

// HostKey asks a server for its key, and tells it nothing.
func HostKey(ctx context.Context, address string) (ssh.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var key ssh.PublicKey
	errSeen := errors.New("seen")
	_, _, _, err = ssh.NewClientConn(conn, address, &ssh.ClientConfig{User: "none",
		HostKeyAlgorithms: algorithms(),
		HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error {
			key = k
			return errSeen
		}})
	if key == nil {
		return nil, explain(ctx, err, ErrNoSSH)
	}
	return key, nil
}

// algorithms are the kinds of host keys that are taken, the best first.
func algorithms() []string {
	return []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384,
		ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
}

// algorithmsOf are those that a key of this kind signs with.
func algorithmsOf(key ssh.PublicKey) []string {
	if key.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{key.Type()}
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: connectTimeout}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, explain(ctx, err, ErrUnreachable)
	}
	// closing is what ends every read and write of the libraries above
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, nil
}

// Session is one connection for files.
type Session struct {
	ctx    context.Context
	cancel context.CancelFunc
	conn   ssh.Conn
	files  *sftp.Client
}

// Connect signs in. The server must show the key that was pinned: otherwise it learns neither the
// password nor the user.
func Connect(ctx context.Context, pins *Pins, l Login) (*Session, error) {
	pinned, err := pins.Of(l.Address)
	if err != nil {
		return nil, err
	}
	if l.Timeout == 0 {
		l.Timeout = transferTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, l.Timeout)
	s, err := connect(ctx, pinned, l)
	if err != nil {
		cancel()
		return nil, err
	}
	s.ctx, s.cancel = ctx, cancel
	return s, nil
}

func connect(ctx context.Context, pinned ssh.PublicKey, l Login) (*Session, error) {
	client, err := signIn(ctx, pinned, l.Address, l.User, l.Password, nil)
	if err != nil {
		return nil, err
	}
	files, err := sftp.NewClient(client)
	if err != nil {
		_ = client.Close()
		return nil, explain(ctx, err, ErrNoSFTP)
	}
	return &Session{conn: client, files: files}, nil
}

// signIn shows no password and makes no signature before the host has shown the pinned key.
func signIn(ctx context.Context, pinned ssh.PublicKey, address, user string, word Password,
	signers []ssh.Signer,
) (*ssh.Client, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	right, asked := false, false
	password := func() (string, error) {
		asked = true
		if !right {
			return "", ErrKeyChanged
		}
		return string(word), nil
	}
	config := &ssh.ClientConfig{User: user, HostKeyAlgorithms: algorithmsOf(pinned),
		HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error {
			right = bytes.Equal(k.Marshal(), pinned.Marshal())
			if !right {
				return ErrKeyChanged
			}
			return nil
		}}
	refused := ErrPassword
	if len(signers) > 0 {
		refused = ErrKeyRefused
		config.Auth = []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) {
			if !right {
				return nil, ErrKeyChanged
			}
			return signers, nil
		})}
	} else {
		config.Auth = []ssh.AuthMethod{ssh.PasswordCallback(password),
			ssh.KeyboardInteractive(oneQuestion(password))}
	}
	c, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if err == nil {
		return ssh.NewClient(c, channels, requests), nil
	}
	_ = conn.Close()
	var other *ssh.AlgorithmNegotiationError
	switch {
	case errors.Is(err, ErrKeyChanged), errors.As(err, &other) && hostKeyKind(err):
		return nil, ErrKeyChanged
	case ctx.Err() == nil && right && (asked || strings.Contains(err.Error(),
		"unable to authenticate")):
		return nil, refused
	}
	return nil, explain(ctx, err, ErrNoSSH)
}

// hostKeyKind says that the server has no key of the pinned one's kind: its key is another one.
func hostKeyKind(err error) bool { return strings.Contains(err.Error(), "host key") }

// oneQuestion answers the one hidden question that servers ask in place of a password.
func oneQuestion(password func() (string, error)) ssh.KeyboardInteractiveChallenge {
	return func(_, _ string, questions []string, echos []bool) ([]string, error) {
		switch {
		case len(questions) == 0:
			return nil, nil
		case len(questions) > 1 || echos[0]:
			return nil, ErrPassword
		}
		p, err := password()
		return []string{p}, err
	}
}

// Close ends the connection.
func (s *Session) Close() {
	_ = s.files.Close()
	_ = s.conn.Close()
	s.cancel()
}

// explain keeps a server's own words away from the terminal; only what they mean is told.
func explain(ctx context.Context, err, otherwise error) error {
	var timeout net.Error
	switch {
	case err == nil:
		return otherwise
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return ErrTimeout
	}
	return otherwise
}
