package remote_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/models/inventory"
	"connecthub/nodeclient/control/conntest"
	"connecthub/nodeclient/control/keys"
	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/remote/sftptest"
)

// pair is the control node's key.
var pair = sync.OnceValues(func() (keys.Pair, error) {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		return keys.Pair{}, err
	}
	defer os.RemoveAll(dir)
	return keys.Own(dir)
})

// ways are all ways in which a control node connects to a machine. Each puts a file there if it gets
// that far; "something in between" has its host key change after the first connection.
func ways(t *testing.T, own keys.Pair) map[string]func(context.Context, *remote.Pins, string) error {
	t.Helper()
	local := filepath.Join(t.TempDir(), "software")
	if err := os.WriteFile(local, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	const sum = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" // of x
	target := func(address string) remote.Target {
		return remote.Target{Address: address, User: sftptest.User, Signers: []ssh.Signer{own.Signer()}}
	}
	send := func(ctx context.Context) func(*remote.Client) error {
		return func(c *remote.Client) error {
			return c.Copy(ctx, remote.Upload{Local: local, Remote: file, SHA256: sum, Size: 1})
		}
	}
	return map[string]func(context.Context, *remote.Pins, string) error{
		"inventory": func(ctx context.Context, pins *remote.Pins, address string) error {
			s, err := remote.Connect(ctx, pins, login(address))
			if err != nil {
				return err
			}
			defer s.Close()
			return s.Write("/", file, []byte("x"))
		},
		"procedure": func(ctx context.Context, pins *remote.Pins, address string) error {
			c, err := remote.Dial(ctx, pins, target(address))
			if err != nil {
				return err
			}
			defer c.Close()
			return send(ctx)(c)
		},
		"procedure that connects anew": func(ctx context.Context, pins *remote.Pins, address string) error {
			link := remote.NewLink(ctx, pins, target(address))
			defer link.Close()
			return link.Use(ctx, send(ctx))
		},
		"question about keys": func(ctx context.Context, pins *remote.Pins, address string) error {
			_, err := remote.Accepts(ctx, pins, target(address), []ssh.PublicKey{own.Signer().PublicKey()})
			return err
		},
		"connection test": func(ctx context.Context, pins *remote.Pins, address string) error {
			return tests(ctx, pins, own, address)
		},
		"something in between": func(ctx context.Context, pins *remote.Pins, address string) error {
			return tests(ctx, pins, own, address)
		},
	}
}

// tests is the connection test of one machine.
func tests(ctx context.Context, pins *remote.Pins, own keys.Pair, address string) error {
	tester := conntest.Tester{Pins: pins, Own: own, Now: time.Now, Me: keys.Public{Category: keys.Publisher,
		HostName: "pub.example.com", PublicKey: own.Line()}}
	r := tester.Run(ctx, []conntest.Target{{Address: address, User: sftptest.User,
		Machine: inventory.Machine{Product: inventory.PeripheralGateway}}}, nil)[0]
	for _, h := range r.Hints {
		if h.Code == conntest.HostKeyChanged {
			return remote.ErrKeyChanged
		}
	}
	return nil
}

// Proof 4.6: an impostor at a confirmed address, for every way to connect.
func TestAChangedHostKeyReceivesNoPasswordNoSignatureAndNoFile(t *testing.T) {
	t.Parallel()
	own, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	const tries = 100
	right, all := sftptest.NewKey(t), ways(t, own)
	var tried, refused, passwords, questions, signatures, signIns, files int64
	for name, way := range all {
		for n := range tries {
			other, dir := otherKey(t, n), t.TempDir()
			between := name == "something in between"
			trap := sftptest.StartTrap(t, dir, n%2 == 1, func(connection int64) sftptest.Key {
				if between && connection == 1 {
					return right
				}
				return other
			})
			pins := confirmed(t, trap.Address, right)
			if tried++; errors.Is(way(t.Context(), pins, trap.Address), remote.ErrKeyChanged) {
				refused++
			}
			if err := pins.Confirm(trap.Address, other.Signer.PublicKey(), "x"); !errors.Is(err, remote.ErrKeyChanged) {
				t.Errorf("a confirmed key was replaced: %v", err)
			}
			left, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			files += int64(len(left))
			passwords += trap.Passwords.Load()
			signatures += trap.Signatures.Load()
			signIns += trap.Sessions.Load()
			if !between { // what was asked there was asked of the right one
				questions += trap.Questions.Load() + trap.Attempts.Load()
			}
		}
	}
	if refused != tried || passwords+questions+signatures+signIns+files != 0 {
		t.Fatalf("tried %d, refused %d, passwords %d, questions %d, signatures %d, sessions %d, files %d", tried, refused,
			passwords, questions, signatures, signIns, files)
	}
	caught := theTrapCatches(t, all, right)
	if !t.Failed() {
		fmt.Println(fmt.Sprintf("proof 4.6 tried=%d failed=%d changed_host_keys=%d ways=%d refused=%d passwords=%d key_questions=%d signatures=%d "+
			"sessions=%d files=%d", tried, tried-refused, tries, len(all), refused, passwords, questions, signatures, signIns, files),
			fmt.Sprintf("caught_with_the_right_key=%d/%d", caught, len(all)))
	}
}

// otherKey is of the confirmed key's kind, or of another one, which a client may not fall back to.
func otherKey(t *testing.T, n int) sftptest.Key {
	t.Helper()
	if n%3 != 2 {
		return sftptest.NewKey(t)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return sftptest.Key{Signer: signer}
}

// theTrapCatches shows that the counts count: who shows the confirmed key gets what each way gives.
func theTrapCatches(t *testing.T, all map[string]func(context.Context, *remote.Pins, string) error,
	right sftptest.Key) (caught int) {
	t.Helper()
	for name, way := range all {
		dir := t.TempDir()
		trap := sftptest.StartTrap(t, dir, false, func(int64) sftptest.Key { return right })
		_ = way(t.Context(), confirmed(t, trap.Address, right), trap.Address)
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		got := trap.Given() > 0
		switch name {
		case "inventory":
			got = trap.Passwords.Load() == 1 && trap.Sessions.Load() == 1
		case "procedure", "procedure that connects anew":
			got = trap.Signatures.Load() == 1 && len(files) == 1
		case "question about keys":
			got = trap.Questions.Load() == 1 && trap.Signatures.Load() == 0
		case "connection test", "something in between":
			got = trap.Questions.Load() >= 2 && trap.Signatures.Load() == 1 && trap.Sessions.Load() > 0
		}
		if !got {
			t.Errorf("%s: %d passwords, %d questions, %d signatures, %d files", name, trap.Passwords.Load(), trap.Questions.Load(),
				trap.Signatures.Load(), len(files))
			continue
		}
		caught++
	}
	return caught
}
