package remote_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/remote/sftptest"
)

func rsaKey(t *testing.T) ssh.PublicKey {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestOpenSSHSaysWhichKeysItWouldTakeWithoutASignature(t *testing.T) {
	t.Parallel()
	first, second, third := rsaKey(t), rsaKey(t), rsaKey(t)
	machine := (&sftptest.Machine{Keys: []ssh.PublicKey{first, third}}).Start(t)
	pins := confirmed(t, machine.Address, machine.Key)
	target := remote.Target{Address: machine.Address, User: machine.User}
	for _, c := range []struct {
		offered []ssh.PublicKey
		want    []bool
	}{
		{[]ssh.PublicKey{first, second, third}, []bool{true, false, true}},
		{[]ssh.PublicKey{second}, []bool{false}},
		{[]ssh.PublicKey{second, second, second, second, second, second, second, third}, // more than one connection is given
			[]bool{false, false, false, false, false, false, false, true}},
	} {
		got, err := remote.Accepts(t.Context(), pins, target, c.offered)
		if err != nil || !slices.Equal(got.Accepted, c.want) || !slices.Equal(got.Methods, []string{"publickey"}) {
			t.Errorf("%+v %v\n%s", got, err, machine.Log())
		}
	}
	if strings.Contains(machine.Log(), "Accepted publickey") {
		t.Errorf("somebody signed in: %s", machine.Log())
	}
	target.User = "nobody-of-that-name"
	if got, err := remote.Accepts(t.Context(), pins, target, []ssh.PublicKey{first}); err != nil || got.Accepted[0] {
		t.Errorf("%+v %v", got, err)
	}
}

func TestAMachineThatTakesNoKeysSaysWhatItTakes(t *testing.T) {
	t.Parallel()
	server := sftptest.StartCounting(t, sftptest.NewKey(t), "", false)
	key, err := remote.HostKey(t.Context(), server.Address)
	if err != nil {
		t.Fatal(err)
	}
	pins := remote.OpenPins(t.TempDir(), time.Now)
	if err := pins.Confirm(server.Address, key, "test"); err != nil {
		t.Fatal(err)
	}
	got, err := remote.Accepts(t.Context(), pins, remote.Target{Address: server.Address, User: "u"}, []ssh.PublicKey{rsaKey(t)})
	if err != nil || got.Accepted[0] || !slices.Equal(got.Methods, []string{"password"}) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestAnUnknownOrChangedHostIsAskedAboutNoKey(t *testing.T) {
	t.Parallel()
	machine := (&sftptest.Machine{}).Start(t)
	target := remote.Target{Address: machine.Address, User: machine.User}
	_, err := remote.Accepts(t.Context(), remote.OpenPins(t.TempDir(), time.Now), target, []ssh.PublicKey{rsaKey(t)})
	if !errors.Is(err, remote.ErrKeyUnknown) {
		t.Errorf("%v", err)
	}
	_, err = remote.Accepts(t.Context(), confirmed(t, machine.Address, sftptest.NewKey(t)), target, []ssh.PublicKey{rsaKey(t)})
	if !errors.Is(err, remote.ErrKeyChanged) || strings.Contains(machine.Log(), machine.User) {
		t.Errorf("%v %s", err, machine.Log())
	}
	silent := sftptest.StartSilent(t)
	target.Address, target.Timeout = silent, 200*time.Millisecond
	_, err = remote.Accepts(t.Context(), confirmed(t, silent, machine.Key), target, []ssh.PublicKey{rsaKey(t)})
	if !errors.Is(err, remote.ErrTimeout) {
		t.Errorf("%v", err)
	}
}

func TestASmallFileIsLookedAt(t *testing.T) {
	t.Parallel()
	signer := sftptest.NewKey(t).Signer
	machine := (&sftptest.Machine{Keys: []ssh.PublicKey{signer.PublicKey()}}).Start(t)
	c, err := remote.Dial(t.Context(), confirmed(t, machine.Address, machine.Key),
		remote.Target{Address: machine.Address, User: machine.User, Signers: []ssh.Signer{signer}})
	if err != nil {
		t.Fatalf("%v %s", err, machine.Log())
	}
	defer c.Close()
	at := func(name string) string { return filepath.Join(machine.Home, name) }
	for _, err := range []error{os.Mkdir(at(".ssh"), 0o755), os.WriteFile(at(".ssh/authorized_keys"), []byte("key"), 0o644),
		os.WriteFile(at("closed"), nil, 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if text, err := c.Look(t.Context(), ".ssh/authorized_keys", 3); err != nil || string(text) != "key" {
		t.Errorf("%q %v", text, err)
	}
	if names, err := c.Names(t.Context(), ".ssh"); err != nil || !slices.Equal(names, []string{"authorized_keys"}) {
		t.Errorf("%q %v", names, err)
	}
	for name, want := range map[string]error{".ssh/authorized_keys": remote.ErrTooLarge, "none": remote.ErrNoFile,
		"closed": remote.ErrDenied} {
		if _, err := c.Look(t.Context(), name, 2); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Names(t.Context(), "none"); !errors.Is(err, remote.ErrNoFile) {
		t.Errorf("%v", err)
	}
}
