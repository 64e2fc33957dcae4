package remote_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/remote/sftptest"
)

// machine is a real sshd that knows one key, and what signs in there.
func machine(t *testing.T) (*sftptest.Machine, *remote.Pins, remote.Target) {
	t.Helper()
	key := sftptest.NewKey(t).Signer
	m := (&sftptest.Machine{User: "admin@domain.local", Keys: []ssh.PublicKey{key.PublicKey()}}).Start(t)
	return m, confirmed(t, m.Address, m.Key),
		remote.Target{Address: m.Address, User: m.User, Signers: []ssh.Signer{key}}
}

func dialed(t *testing.T, m *sftptest.Machine, pins *remote.Pins, target remote.Target) *remote.Client {
	t.Helper()
	c, err := remote.Dial(t.Context(), pins, target)
	if err != nil {
		t.Fatalf("%v\n%s", err, m.Log())
	}
	t.Cleanup(c.Close)
	return c
}

func TestACommandAnswersItsOutputsAndItsExitCode(t *testing.T) {
	t.Parallel()
	m, pins, target := machine(t)
	c := dialed(t, m, pins, target)
	r, err := c.Run(t.Context(), "cat; echo wrong >&2; exit 3", strings.NewReader(`{"a":"$(reboot)"}`))
	if err != nil || string(r.Stdout) != `{"a":"$(reboot)"}` || string(r.Stderr) != "wrong\n" || r.Exit != 3 {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := c.Run(t.Context(), "head -c 5000000 /dev/zero", nil); !errors.Is(err, remote.ErrTooMuch) {
		t.Errorf("a flood: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := c.Run(ctx, "exec sleep 60", nil); !errors.Is(err, remote.ErrTimeout) {
		t.Errorf("an endless one: %v", err)
	}
	if r, err := c.Run(t.Context(), "exit 0", nil); err != nil || r.Exit != 0 {
		t.Errorf("after it: %v", err)
	}
}

func TestALostConnectionIsToldFromAnEnd(t *testing.T) {
	t.Parallel()
	m, pins, target := machine(t)
	c := dialed(t, m, pins, target)
	ended := make(chan error, 1)
	go func() {
		_, err := c.Run(t.Context(), "echo begun >begun; exec sleep 60", nil)
		ended <- err
	}()
	await(t, func() bool { _, err := os.Stat(filepath.Join(m.Home, "begun")); return err == nil })
	if m.Cut() == 0 {
		t.Fatal("nothing was cut")
	}
	if err := <-ended; !errors.Is(err, remote.ErrGone) {
		t.Errorf("%v", err)
	}
	m.Down(true)
	if _, err := remote.Dial(t.Context(), pins, target); err == nil {
		t.Error("a machine that is down answered")
	}
}

func await(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it did not happen")
		}
	}
}

func TestAMachineThatFallsSilentIsGivenUp(t *testing.T) {
	t.Parallel()
	m, pins, target := machine(t)
	target.Keepalive = 50 * time.Millisecond
	c := dialed(t, m, pins, target)
	// the server's process is stopped: its connection stays, and says nothing
	r, err := c.Run(t.Context(), "kill -STOP $PPID; exec sleep 60", nil)
	if !errors.Is(err, remote.ErrGone) {
		t.Errorf("%+v %v", r, err)
	}
	m.Cut()
}

func TestAnotherHostKeyGetsNoSignatureAndAnotherKeyNoEntry(t *testing.T) {
	t.Parallel()
	m, _, target := machine(t)
	wrong := confirmed(t, m.Address, sftptest.NewKey(t))
	signer := &spy{Signer: target.Signers[0]}
	target.Signers = []ssh.Signer{signer}
	if _, err := remote.Dial(t.Context(), wrong, target); !errors.Is(err, remote.ErrKeyChanged) || signer.signed > 0 {
		t.Errorf("%v, %d signatures", err, signer.signed)
	}
	pins := confirmed(t, m.Address, m.Key)
	if _, err := remote.Dial(t.Context(), remote.OpenPins(t.TempDir(), time.Now), target); !errors.Is(err, remote.ErrKeyUnknown) {
		t.Errorf("%v", err)
	}
	if log := m.Log(); strings.Contains(log, "publickey") || strings.Contains(log, m.User) {
		t.Errorf("the wrong host was told something: %s", log)
	}
	dialed(t, m, pins, target)
	if signer.signed == 0 {
		t.Error("the count does not count")
	}
	target.Signers = []ssh.Signer{sftptest.NewKey(t).Signer}
	if _, err := remote.Dial(t.Context(), pins, target); !errors.Is(err, remote.ErrKeyRefused) {
		t.Errorf("%v", err)
	}
	target.Address, target.Timeout = sftptest.StartSilent(t), 200*time.Millisecond
	if _, err := remote.Dial(t.Context(), confirmed(t, target.Address, m.Key), target); !errors.Is(err, remote.ErrTimeout) {
		t.Errorf("%v", err)
	}
}

type spy struct {
	ssh.Signer
	signed int
}

func (s *spy) Sign(r io.Reader, data []byte) (*ssh.Signature, error) {
	s.signed++
	return s.Signer.Sign(r, data)
}

// upload is a file of random bytes.
func upload(t *testing.T, size int64, to string) remote.Upload {
	t.Helper()
	text := make([]byte, size)
	_, _ = rand.Read(text)
	local := filepath.Join(t.TempDir(), "local")
	if err := os.WriteFile(local, text, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return remote.Upload{Local: local, Remote: to, SHA256: hex.EncodeToString(sum[:]), Size: size}
}

func same(t *testing.T, u remote.Upload) bool {
	t.Helper()
	a, err := os.ReadFile(u.Local)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(u.Remote)
	return bytes.Equal(a, b)
}

func TestACopyIsVerifiedAndGoesOnWhereItWasCut(t *testing.T) {
	t.Parallel()
	m, pins, target := machine(t)
	u := upload(t, 24<<20+17, filepath.Join(m.Home, "patch.bin"))
	c := dialed(t, m, pins, target)
	cut := false
	u.Progress = func(done int64) {
		if done > 16<<20 && !cut {
			cut = true
			m.Cut()
		}
	}
	if err := c.Copy(t.Context(), u); !errors.Is(err, remote.ErrGone) {
		t.Fatalf("%v", err)
	}
	if _, err := os.Stat(u.Remote); err == nil {
		t.Error("half a file bears its name")
	}
	var first int64
	u.Progress = func(done int64) {
		if first == 0 {
			first = done
		}
	}
	c = dialed(t, m, pins, target)
	if err := c.Copy(t.Context(), u); err != nil || !same(t, u) || first < 4<<20 {
		t.Fatalf("%v, began at %d", err, first)
	}
	first = 0
	if err := c.Copy(t.Context(), u); err != nil || first != 0 {
		t.Errorf("what is there was sent again: %v", err)
	}
}

func TestACopyOfSomethingElseIsRefused(t *testing.T) {
	t.Parallel()
	m, pins, target := machine(t)
	c := dialed(t, m, pins, target)
	u := upload(t, 6<<20, filepath.Join(m.Home, "a.bin"))
	if err := os.WriteFile(u.Remote+".part", bytes.Repeat([]byte("x"), 5<<20), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(u.Remote+".part", 0o666); err != nil {
		t.Fatal(err)
	}
	if err := c.Copy(t.Context(), u); err != nil || !same(t, u) {
		t.Errorf("somebody else's part: %v", err)
	}
	bad := upload(t, 1000, filepath.Join(m.Home, "b.bin"))
	bad.SHA256 = u.SHA256
	if err := c.Copy(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "not what it was") {
		t.Errorf("%v", err)
	}
	liar := upload(t, 1000, filepath.Join(m.Home, "c.bin"))
	liar.Verify = func(context.Context, string) (string, error) { return "0", nil }
	if err := c.Copy(t.Context(), liar); !errors.Is(err, remote.ErrDigest) {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"b.bin", "b.bin.part", "c.bin", "c.bin.part"} {
		if _, err := os.Stat(filepath.Join(m.Home, name)); err == nil {
			t.Errorf("%s was left behind", name)
		}
	}
	refusesCopies(t, c, m)
}

func refusesCopies(t *testing.T, c *remote.Client, m *sftptest.Machine) {
	t.Helper()
	for to, want := range map[string]error{filepath.Join(m.Home, "none", "x"): remote.ErrNoDirectory,
		"/etc/x": remote.ErrDenied} {
		if err := c.Copy(t.Context(), upload(t, 10, to)); !errors.Is(err, want) {
			t.Errorf("%s: %v", to, err)
		}
	}
	if err := c.Copy(t.Context(), huge(t, m)); !errors.Is(err, remote.ErrDiskFull) {
		t.Errorf("%v", err)
	}
	deep := filepath.Join(m.Home, "x", "y")
	err := errors.Join(c.MakeDir(t.Context(), deep), c.Copy(t.Context(), upload(t, 10, deep+"/z")),
		c.Remove(t.Context(), deep+"/z"), c.Remove(t.Context(), deep+"/z"))
	if left, _ := os.ReadDir(deep); err != nil || len(left) != 0 {
		t.Errorf("%v %v", left, err)
	}
}

// huge is a file with holes, larger than any disk.
func huge(t *testing.T, m *sftptest.Machine) remote.Upload {
	t.Helper()
	u := upload(t, 1, filepath.Join(m.Home, "huge"))
	u.Size = 1 << 60
	return u
}

func TestACopyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	m, pins, target := machine(t)
	c := dialed(t, m, pins, target)
	u := upload(t, 8<<20, filepath.Join(m.Home, "x.bin"))
	ctx, cancel := context.WithCancel(t.Context())
	u.Progress = func(int64) { cancel() }
	if err := c.Copy(ctx, u); !errors.Is(err, context.Canceled) {
		t.Error(fmt.Sprint(err))
	}
}
