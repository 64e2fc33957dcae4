package keys_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/hub/keys"
	"connecthub/hub/seal"
)

func sealer(t *testing.T) *seal.Sealer {
	t.Helper()
	key, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.New(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheKeyIsSealedOnDisk(t *testing.T) {
	t.Parallel()
	dir, s := t.TempDir(), sealer(t)
	first, err := keys.LoadOrCreate(dir, s)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, keys.FileName)
	text, err := os.ReadFile(path)
	if err != nil || !seal.IsSealed(text) {
		t.Fatalf("%s %v", text, err)
	}
	if _, err := keys.LoadOrCreate(dir, sealer(t)); !errors.Is(err, seal.ErrNoKey) {
		t.Errorf("with another seal key: %v", err)
	}
	plain, err := s.ReadFile(seal.Place{Purpose: seal.HubSigningKey, Row: keys.FileName}, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := keys.LoadOrCreate(dir, s) // the plain file of an earlier version
	if err != nil || again.Public() != first.Public() {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(path); err != nil || !seal.IsSealed(text) {
		t.Errorf("it stayed plain: %v", err)
	}
}

func TestTheKeyIsMadeOnceAndReadAgain(t *testing.T) {
	t.Parallel()
	dir, s := t.TempDir(), sealer(t)
	first, err := keys.LoadOrCreate(dir, s)
	if err != nil {
		t.Fatal(err)
	}
	second, err := keys.LoadOrCreate(dir, s)
	if err != nil {
		t.Fatal(err)
	}
	if first.Public() != second.Public() {
		t.Error("the key changed")
	}
	if !bytes.Equal(first.Secret("a", "x"), second.Secret("a", "x")) {
		t.Error("the derived secret changed")
	}
	if bytes.Equal(first.Secret("a", "x"), first.Secret("a", "y")) ||
		bytes.Equal(first.Secret("a", "x"), first.Secret("b", "x")) {
		t.Error("two ids share a secret")
	}
}

func TestAKeyThatOthersMayReadIsRefused(t *testing.T) {
	t.Parallel()
	dir, s := t.TempDir(), sealer(t)
	if _, err := keys.LoadOrCreate(dir, s); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.pem"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Chmod(files[0], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.LoadOrCreate(dir, s); err == nil {
		t.Error("a key that others may read was taken")
	}
}

func TestATokenCountsForItsTypeAudienceAndTimeOnly(t *testing.T) {
	t.Parallel()
	hub, err := keys.LoadOrCreate(t.TempDir(), sealer(t))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	text, err := hub.Sign("a+jwt", jwt.RegisteredClaims{Issuer: "hub", Audience: []string{"x"},
		ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute))})
	if err != nil {
		t.Fatal(err)
	}
	good := keys.Want{Type: "a+jwt", Issuer: "hub", Audience: "x", Now: now}
	if err := keys.Verify(text, hub.Verifier(), good, &jwt.RegisteredClaims{}); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*keys.Want){
		"type":     func(w *keys.Want) { w.Type = "b+jwt" },
		"issuer":   func(w *keys.Want) { w.Issuer = "other" },
		"audience": func(w *keys.Want) { w.Audience = "y" },
		"time":     func(w *keys.Want) { w.Now = now.Add(time.Minute) },
	} {
		want := good
		change(&want)
		if err := keys.Verify(text, hub.Verifier(), want, &jwt.RegisteredClaims{}); err == nil {
			t.Errorf("a token of another %s counted", name)
		}
	}
}
