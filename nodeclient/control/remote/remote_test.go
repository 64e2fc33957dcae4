package remote_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connecthub/nodeclient/control/remote"
	"connecthub/nodeclient/control/remote/sftptest"
)

const file = "inventory.conf"

func login(address string) remote.Login {
	return remote.Login{Address: address, User: sftptest.User, Password: sftptest.Password}
}

// confirmed are pins that hold a server's key.
func confirmed(t *testing.T, address string, key sftptest.Key) *remote.Pins {
	t.Helper()
	pins := remote.OpenPins(t.TempDir(), time.Now)
	if err := pins.Confirm(address, key.Signer.PublicKey(), "test"); err != nil {
		t.Fatal(err)
	}
	return pins
}

func connect(t *testing.T, pins *remote.Pins, l remote.Login) *remote.Session {
	t.Helper()
	s, err := remote.Connect(t.Context(), pins, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestAFileGoesToOpenSSHAndComesBackByteForByte(t *testing.T) {
	t.Parallel()
	server := sftptest.StartOpenSSH(t)
	key, err := remote.HostKey(t.Context(), server.Address)
	if err != nil {
		t.Fatalf("%v\n%s", err, server.Log())
	}
	if !bytes.Equal(key.Marshal(), server.Key.Signer.PublicKey().Marshal()) {
		t.Fatal("another key")
	}
	pins := confirmed(t, server.Address, server.Key)
	s, err := remote.Connect(t.Context(), pins, login(server.Address))
	if err != nil {
		t.Fatalf("%v\n%s", err, server.Log())
	}
	defer s.Close()
	for _, text := range []string{"first\n", "版 2 \x00\r\n", strings.Repeat("x", 128<<10), ""} {
		if err := s.Write(server.Home, file, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := s.Read(server.Home, file, 128<<10)
		if err != nil || string(got) != text {
			t.Errorf("%.20q: %.20q %v", text, got, err)
		}
	}
	left, err := os.ReadDir(server.Home)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v %v", left, err)
	}
	refuses(t, s, server)
	if log := server.Log(); strings.Contains(log, "canary") || !strings.Contains(log, "Accepted password") {
		t.Errorf("%s", log)
	}
}

// refuses tries what a server has not, or does not allow.
func refuses(t *testing.T, s *remote.Session, server *sftptest.OpenSSH) {
	t.Helper()
	path := func(name string) string { return filepath.Join(server.Home, name) }
	for _, err := range []error{
		os.Mkdir(path("closed"), 0o755),
		os.Mkdir(path("folder"), 0o777),
		os.Mkdir(filepath.Join(path("folder"), file), 0o755),
		os.Chmod(path("folder"), 0o777),
		os.WriteFile(path("large"), bytes.Repeat([]byte("x"), 1001), 0o644),
		os.WriteFile(path("secret"), []byte("x"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		err  error
		want error
	}{
		"missing directory, write": {s.Write(path("none"), file, []byte("x")), remote.ErrNoDirectory},
		"missing directory, read":  {second(s.Read(path("none"), file, 10)), remote.ErrNoDirectory},
		"a file as directory":      {s.Write(path("large"), file, []byte("x")), remote.ErrNoDirectory},
		"missing file":             {second(s.Read(path("closed"), file, 10)), remote.ErrNoFile},
		"read-only directory":      {s.Write(path("closed"), file, []byte("x")), remote.ErrDenied},
		"not readable":             {second(s.Read(server.Home, "secret", 10)), remote.ErrDenied},
		"a directory as file":      {second(s.Read(path("folder"), file, 10)), remote.ErrNotAFile},
		"too large":                {second(s.Read(server.Home, "large", 1000)), remote.ErrTooLarge},
		"endless":                  {second(s.Read("/dev", "zero", 1000)), remote.ErrNotAFile},
		"grows while it is read":   {second(s.Read("/proc/self", "status", 10)), remote.ErrTooLarge},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	if err := s.Write(path("folder"), file, []byte("x")); !errors.Is(err, remote.ErrFailed) {
		t.Errorf("over a directory: %v", err)
	}
	if left, err := os.ReadDir(path("folder")); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestAWrongPasswordIsToldFromEverythingElse(t *testing.T) {
	t.Parallel()
	server := sftptest.StartOpenSSH(t)
	pins := confirmed(t, server.Address, server.Key)
	l := login(server.Address)
	l.Password = "another canary"
	if _, err := remote.Connect(t.Context(), pins, l); !errors.Is(err, remote.ErrPassword) {
		t.Errorf("%v\n%s", err, server.Log())
	}
	for _, keyboard := range []bool{false, true} {
		key := sftptest.NewKey(t)
		counting := sftptest.StartCounting(t, key, t.TempDir(), keyboard)
		pins := confirmed(t, counting.Address, key)
		l.Address = counting.Address
		if _, err := remote.Connect(t.Context(), pins, l); !errors.Is(err, remote.ErrPassword) {
			t.Errorf("keyboard %v: %v", keyboard, err)
		}
		connect(t, pins, login(counting.Address))
	}
}

func TestAnUnknownHostIsToldNothing(t *testing.T) {
	t.Parallel()
	key := sftptest.NewKey(t)
	server := sftptest.StartCounting(t, key, t.TempDir(), false)
	pins := remote.OpenPins(t.TempDir(), time.Now)
	if _, err := remote.Connect(t.Context(), pins, login(server.Address)); !errors.Is(err, remote.ErrKeyUnknown) {
		t.Errorf("%v", err)
	}
	if _, err := remote.HostKey(t.Context(), server.Address); err != nil {
		t.Error(err)
	}
	if n := server.Attempts.Load(); n != 0 {
		t.Errorf("%d attempts to sign in", n)
	}
}

func TestOpenSSHWithAnotherKeyIsNotSignedInTo(t *testing.T) {
	t.Parallel()
	server := sftptest.StartOpenSSH(t)
	pins := confirmed(t, server.Address, sftptest.NewKey(t))
	_, err := remote.Connect(t.Context(), pins, login(server.Address))
	if log := server.Log(); !errors.Is(err, remote.ErrKeyChanged) ||
		strings.Contains(log, "assword") || strings.Contains(log, sftptest.User) {
		t.Errorf("%v\n%s", err, log)
	}
}

func TestAServerThatSaysNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	address := sftptest.StartSilent(t)
	l := login(address)
	l.Timeout = 200 * time.Millisecond
	began := time.Now()
	_, err := remote.Connect(t.Context(), confirmed(t, address, sftptest.NewKey(t)), l)
	if !errors.Is(err, remote.ErrTimeout) || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	key := sftptest.NewKey(t)
	l.Address = sftptest.StartCounting(t, key, "", false).Address
	l.Timeout = time.Second
	_, err = remote.Connect(t.Context(), confirmed(t, l.Address, key), l)
	if !errors.Is(err, remote.ErrTimeout) {
		t.Errorf("after the sign-in: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := remote.HostKey(ctx, address); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := remote.HostKey(t.Context(), "127.0.0.1:1"); !errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("%v", err)
	}
}

func TestADirectoryIsInUNIXFormAndNamesNoFile(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"/voice/ipcc/Enterprise/Orchestration":  "/voice/ipcc/Enterprise/Orchestration",
		"/voice/ipcc/Enterprise/Orchestration/": "/voice/ipcc/Enterprise/Orchestration", "/": "/",
		"/a b": "/a b", "": "", "voice": "", `C:\x`: "", `/a\b`: "", "/x/inventory.conf": "",
		"/x/inventory.conf/": "", "/a\nb": "", "/" + strings.Repeat("x", 1024): "",
	} {
		if got, err := remote.Directory(given, file); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", given, got, err)
		}
	}
}

func TestAServerIsAHostAndPerhapsAPort(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"SFTP.example.com": "sftp.example.com:22", "10.0.0.1:2222": "10.0.0.1:2222", "::1": "[::1]:22",
		"[::1]:22": "[::1]:22", "": "", "a b": "", "-oProxyCommand=x": "", "sftp://x": "", "x:0x16": "",
		"x:70000": "", "user@x": "", "x:": "", "x:0": "", "1:2:x": "",
	} {
		if got, err := remote.Address(given); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", given, got, err)
		}
	}
}

func TestAPasswordNeverPrints(t *testing.T) {
	t.Parallel()
	l := login("x")
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(l), fmt.Sprintf("%+v %#v %s %q %x", l, l, l.Password, l.Password, l.Password), string(text)} {
		if strings.Contains(s, "canary") || strings.Contains(s, "63616e") {
			t.Error(s)
		}
	}
}
