package keys_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/hub/keys"
)

func TestTheKeyIsMadeOnceAndReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := keys.LoadOrCreate(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := keys.LoadOrCreate(dir)
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
	dir := t.TempDir()
	if _, err := keys.LoadOrCreate(dir); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.pem"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Chmod(files[0], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.LoadOrCreate(dir); err == nil {
		t.Error("a key that others may read was taken")
	}
}

func TestATokenCountsForItsTypeAudienceAndTimeOnly(t *testing.T) {
	t.Parallel()
	hub, err := keys.LoadOrCreate(t.TempDir())
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
