package remote_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/nodeclient/control/remote"
)

// soon is far above what an end at the deadline takes, and far below what notices a dead machine.
const soon = 10 * time.Second

// silent is an SSH server that lets anybody in and then leaves every question open.
type silent struct {
	address string
	pins    *remote.Pins
	key     ssh.Signer
}

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// newSilent takes channels and requests and never answers on them, or where deaf not even those.
func newSilent(t *testing.T, deaf bool) *silent {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	host := newSigner(t)
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
		return &ssh.Permissions{}, nil
	}}
	config.AddHostKey(host)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go func() {
				_, channels, requests, err := ssh.NewServerConn(conn, config)
				if err != nil {
					return
				}
				go answers(requests)
				for one := range channels {
					if !deaf {
						_, asked, err := one.Accept()
						if err != nil {
							return
						}
						go answers(asked)
					}
				}
			}()
		}
	}()
	s := &silent{address: l.Addr().String(), pins: remote.OpenPins(t.TempDir(), time.Now), key: newSigner(t)}
	if err := s.pins.Confirm(s.address, host.PublicKey(), "test"); err != nil {
		t.Fatal(err)
	}
	return s
}

func answers(requests <-chan *ssh.Request) {
	for r := range requests {
		if r.WantReply {
			_ = r.Reply(true, nil)
		}
	}
}

func (s *silent) target() remote.Target {
	return remote.Target{Address: s.address, User: "u", Signers: []ssh.Signer{s.key}}
}

// ends fails where a call outlives its deadline.
func ends(t *testing.T, what string, call func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- call(ctx) }()
	select {
	case err := <-done:
		if !errors.Is(err, remote.ErrTimeout) {
			t.Errorf("%s: %v, want %v", what, err, remote.ErrTimeout)
		}
	case <-time.After(soon):
		t.Errorf("%s: still there %s after its deadline", what, soon)
	}
}

func TestEveryCallEndsAtItsDeadlineThoughTheServerStaysSilent(t *testing.T) {
	t.Parallel()
	local := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(local, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	calls := map[string]func(context.Context, *remote.Client) error{
		"run": func(ctx context.Context, c *remote.Client) error {
			_, err := c.Run(ctx, "x", strings.NewReader("input"))
			return err
		},
		"copy": func(ctx context.Context, c *remote.Client) error {
			return c.Copy(ctx, remote.Upload{Local: local, Remote: "x", Size: 1})
		},
		"look": func(ctx context.Context, c *remote.Client) error {
			_, err := c.Look(ctx, "x", 10)
			return err
		},
		"names": func(ctx context.Context, c *remote.Client) error {
			_, err := c.Names(ctx, "x")
			return err
		},
		"remove": func(ctx context.Context, c *remote.Client) error { return c.Remove(ctx, "x") },
		"mkdir":  func(ctx context.Context, c *remote.Client) error { return c.MakeDir(ctx, "x") },
	}
	for way, deaf := range map[string]bool{"takes channels": false, "takes none": true} {
		for name, call := range calls {
			t.Run(way+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newSilent(t, deaf)
				c, err := remote.Dial(t.Context(), s.pins, s.target())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				ends(t, name, func(ctx context.Context) error { return call(ctx, c) })
			})
		}
	}
}

func TestALinkConnectsAnewAfterACallThatHung(t *testing.T) {
	t.Parallel()
	s := newSilent(t, true)
	link := remote.NewLink(t.Context(), s.pins, s.target())
	defer link.Close()
	var first *remote.Client
	for range 2 {
		ends(t, "a call over a link", func(ctx context.Context) error {
			return link.Use(ctx, func(c *remote.Client) error {
				if c == first {
					t.Error("the connection that hung is used again")
				}
				first = c
				_, err := c.Look(ctx, "x", 10)
				return err
			})
		})
	}
}

func TestACallWaitsForAConnectionNoLongerThanItsDeadline(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &silent{address: l.Addr().String(), pins: remote.OpenPins(t.TempDir(), time.Now), key: newSigner(t)}
	if err := s.pins.Confirm(s.address, s.key.PublicKey(), "test"); err != nil {
		t.Fatal(err)
	}
	target := s.target()
	target.Timeout = 2 * soon
	link := remote.NewLink(t.Context(), s.pins, target)
	use := func(ctx context.Context) error {
		return link.Use(ctx, func(*remote.Client) error { return errors.New("connected") })
	}
	first, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- use(first) }()
	ends(t, "a call beside one that connects", use)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	ends(t, "a call that connects", use)
	link.Close()
}
