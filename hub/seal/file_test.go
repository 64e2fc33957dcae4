package seal_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"connecthub/hub/seal"
)

func write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAKeyFileIsMadeOnceForAllWhoBeginAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seal-key")
	if _, err := seal.ReadKeys(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	ids := make([]seal.KeyID, 16)
	for i := range ids {
		group.Go(func() {
			keys, err := seal.CreateKeys(path)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = keys[0].ID()
		})
	}
	group.Wait()
	for _, id := range ids {
		if id != ids[0] || id == "" {
			t.Fatal(ids)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

func TestAKeyFileThatOthersMayReadIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seal-key")
	write(t, path, newKey(t).Text(), 0o600)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.ReadKeys(path); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Error(err)
	}
}

func TestAPlainFileIsSealedWhenItIsFirstRead(t *testing.T) {
	t.Parallel()
	s := sealer(t, newKey(t))
	path := filepath.Join(t.TempDir(), "key.pem")
	write(t, path, "plain secret\n", 0o600)
	for range 2 {
		plain, err := s.ReadFile(place, path)
		if err != nil || string(plain) != "plain secret\n" {
			t.Fatalf("%q %v", plain, err)
		}
		if text := content(t, path); !seal.IsSealed([]byte(text)) || strings.Contains(text, "plain") {
			t.Error(text)
		}
	}
	moved := place
	moved.Row = "other"
	if _, err := s.ReadFile(moved, path); !errors.Is(err, seal.ErrBroken) {
		t.Error(err)
	}
}

func TestAFileIsSealedAnewWithTheCurrentKey(t *testing.T) {
	t.Parallel()
	old, next := newKey(t), newKey(t)
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := sealer(t, old).CreateFile(place, path, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if err := sealer(t, old).CreateFile(place, path, []byte("another")); err != nil {
		t.Fatal(err)
	}
	if plain, err := sealer(t, next, old).ReadFile(place, path); err != nil || string(plain) != "secret" {
		t.Fatalf("%q %v", plain, err)
	}
	if plain, err := sealer(t, next).ReadFile(place, path); err != nil || string(plain) != "secret" {
		t.Fatalf("%q %v", plain, err)
	}
	if _, err := sealer(t, old).ReadFile(place, path); !errors.Is(err, seal.ErrNoKey) {
		t.Error(err)
	}
	if err := sealer(t, next).WriteFile(place, path, []byte("third")); err != nil {
		t.Fatal(err)
	}
	if plain, err := sealer(t, next).ReadFile(place, path); err != nil || string(plain) != "third" {
		t.Fatalf("%q %v", plain, err)
	}
}

func TestAKeyFileWithTwoKeysIsWrittenAndRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seal-key")
	a, b := newKey(t), newKey(t)
	if err := seal.WriteKeys(path, a, b); err != nil {
		t.Fatal(err)
	}
	keys, err := seal.ReadKeys(path)
	if err != nil || len(keys) != 2 || keys[0].ID() != a.ID() || keys[1].ID() != b.ID() {
		t.Error(keys, err)
	}
}
