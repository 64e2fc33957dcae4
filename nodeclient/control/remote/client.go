package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

const (
	// OutputLimit is how much of a command's output is taken; more is ErrTooMuch.
	OutputLimit    = 4 << 20
	errorsLimit    = 64 << 10
	keepalive      = 15 * time.Second
	keepaliveLimit = 30 * time.Second
	// politeness is how long a machine has to end a command that was told to end.
	politeness = 2 * time.Second
)

// Command is what runs on a machine: a constant of ours, never made of what somebody gave. What a
// command is told, it is told on its standard input.
type Command string

// Target is which machine, and as whom. Without Signers, Password is used.
type Target struct {
	Address  string // HOST:PORT
	User     string
	Signers  []ssh.Signer
	Password Password
	// Timeout bounds connecting and signing in; 0 is 15 seconds.
	Timeout time.Duration
	// Keepalive is how often a silent machine is asked whether it is there; 0 is 15 seconds. One that
	// does not answer for twice as long is given up.
	Keepalive time.Duration
}

// Client is one connection to one machine. It ends with Close, with the context that Dial was given,
// or when the machine falls silent.
type Client struct {
	ctx    context.Context
	cancel context.CancelFunc
	conn   *ssh.Client
	idle   sync.WaitGroup

	mu    sync.Mutex
	files *sftp.Client
}

// Dial signs in. The machine must show the key that was pinned: otherwise it learns neither the user
// nor the password, and no key signs anything.
func Dial(ctx context.Context, pins *Pins, t Target) (*Client, error) {
	return dialFor(ctx, ctx, pins, t)
}

// dialFor gives the connection one life and waits for it as long as the call that needs it first.
func dialFor(ctx, call context.Context, pins *Pins, t Target) (*Client, error) {
	pinned, err := pins.Of(t.Address)
	if err != nil {
		return nil, err
	}
	if t.Timeout <= 0 {
		t.Timeout = connectTimeout
	}
	if t.Keepalive <= 0 {
		t.Keepalive = keepalive
	}
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(t.Timeout, cancel)
	given := context.AfterFunc(call, cancel)
	conn, err := signIn(ctx, pinned, t.Address, t.User, t.Password, t.Signers)
	if !late.Stop() {
		err = ErrTimeout
	}
	if !given() {
		err = explain(call, call.Err(), ErrTimeout)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	c := &Client{ctx: ctx, cancel: cancel, conn: conn}
	c.idle.Go(func() { c.watch(t.Keepalive) })
	return c, nil
}

// watch notices a machine that is gone without having said so.
func (c *Client) watch(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
		dead := time.AfterFunc(min(2*every, keepaliveLimit), c.cancel)
		_, _, err := c.conn.SendRequest("keepalive@openssh.com", true, nil)
		dead.Stop()
		if err != nil {
			c.cancel()
			return
		}
	}
}

// Close ends the connection; what runs over it ends with ErrGone.
func (c *Client) Close() {
	c.cancel()
	_ = c.conn.Close()
	c.idle.Wait()
}

// Result is what a command answered.
type Result struct {
	Stdout, Stderr []byte
	Exit           int
}

// Run runs one command and waits for its end. Any exit code is a Result; an error says that the
// machine was not reached, or that it is unknown how the command ended. A machine that does not let a
// command end at its deadline loses the connection.
func (c *Client) Run(ctx context.Context, command Command, stdin io.Reader) (Result, error) {
	ended := make(chan struct{})
	defer close(ended)
	late := context.AfterFunc(ctx, func() {
		select {
		case <-ended:
		case <-time.After(politeness):
			c.cancel()
		}
	})
	defer late()
	session, err := c.conn.NewSession()
	if err != nil {
		return Result{}, c.explain(ctx, err)
	}
	defer func() { _ = session.Close() }()
	stop := context.AfterFunc(ctx, func() {
		_ = session.Signal(ssh.SIGKILL) // servers that know no signals end the command with its channel
		_ = session.Close()
	})
	defer stop()
	out, errs := &limited{room: OutputLimit}, &limited{room: errorsLimit}
	session.Stdin, session.Stdout, session.Stderr = stdin, out, errs
	err = session.Run(string(command))
	r := Result{Stdout: out.kept.Bytes(), Stderr: errs.kept.Bytes()}
	var exit *ssh.ExitError
	switch {
	case ctx.Err() != nil:
		return r, c.explain(ctx, err)
	case errors.As(err, &exit) && exit.Signal() == "":
		r.Exit = exit.ExitStatus()
	case err != nil:
		return r, c.explain(ctx, err)
	}
	if out.over {
		return r, ErrTooMuch
	}
	return r, nil
}

// bound ends the connection with the call's context: nothing else ends what the libraries wait for.
func (c *Client) bound(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, c.cancel)
}

// noAnswer is all that the library says where a connection ends while a channel is being opened.
const noAnswer = "unexpected packet in response to channel open: <nil>"

// explain tells a deadline, a lost connection and a failure apart.
func (c *Client) explain(ctx context.Context, err error) error {
	var missing *ssh.ExitMissingError
	var signal *ssh.ExitError
	var network *net.OpError // a reset, before anybody has noticed that the connection is gone
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return ErrTimeout
	case ctx.Err() != nil:
		return ctx.Err()
	case c.ctx.Err() != nil, errors.As(err, &missing), errors.Is(err, io.EOF),
		errors.Is(err, sftp.ErrSSHFxConnectionLost), errors.Is(err, sftp.ErrSSHFxNoConnection),
		errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network), strings.HasSuffix(err.Error(), noAnswer):
		return ErrGone
	case errors.As(err, &signal):
		return fmt.Errorf("%w: the command was killed (%s)", ErrFailed, signal.Signal())
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}

// limited keeps the head of what is written to it.
type limited struct {
	kept bytes.Buffer
	room int
	over bool
}

// Write takes everything, and keeps what there is room for.
func (l *limited) Write(b []byte) (int, error) {
	keep := b[:min(len(b), l.room-l.kept.Len())]
	l.over = l.over || len(keep) < len(b)
	_, _ = l.kept.Write(keep)
	return len(b), nil
}
