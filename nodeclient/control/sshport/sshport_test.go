package sshport_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"connecthub/nodeclient/control/sshport"
)

func TestThePortIs22UntilItIsSet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if port, meta, err := sshport.Read(dir, time.Now); err != nil || port != 22 || meta.Revision != 0 {
		t.Fatalf("%d %v %v", port, meta, err)
	}
	for _, wrong := range []int{0, -1, 65536} {
		if err := sshport.Set(dir, time.Now, "ops", wrong); !errors.Is(err, sshport.ErrRange) {
			t.Errorf("%d: %v", wrong, err)
		}
	}
	if err := sshport.Set(dir, time.Now, "ops", 2222); err != nil {
		t.Fatal(err)
	}
	if port, meta, err := sshport.Read(dir, time.Now); err != nil || port != 2222 || meta.By != "ops" {
		t.Errorf("%d %v %v", port, meta, err)
	}
}

func TestADamagedPortIsNeverTakenFor22(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{", `{"name":"ssh","revision":1,"body":{"port":0}}`,
		`{"name":"ssh","revision":1,"body":{"port":70000}}`} {
		dir := t.TempDir()
		file := filepath.Join(dir, "control", "ssh.json")
		if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		if port, _, err := sshport.Read(dir, time.Now); err == nil {
			t.Errorf("%s: %d", text, port)
		}
	}
}

func TestAMachineIsReachedByTheNameOfTheInventory(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{"PGA.example.com": "pga.example.com:2222", "127.0.3.1": "127.0.3.1:2222",
		"::1": "[::1]:2222", "a b": ""} {
		if got, err := sshport.Address(host, 2222); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q %v", host, got, err)
		}
	}
}
