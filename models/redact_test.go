package models_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"connecthub/models"
)

func TestR30NoSecretReachesAnAuditRecord(t *testing.T) {
	t.Parallel()
	random := make([]byte, 32)
	_, _ = rand.Read(random)
	secrets := map[string]string{
		"a password by its field":      "correct horse",
		"a token":                      "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2lnbmVk",
		"a private key":                "-----BEGIN PRIVATE KEY-----\nMC4CAQ",
		"a password's hash":            "$argon2id$v=19$m=65536,t=3,p=2$c2FsdA$aGFzaA",
		"random bits in base64url":     "x" + base64.RawURLEncoding.EncodeToString(append(random, 7)) + "aB1",
		"random bits in base64":        base64.StdEncoding.EncodeToString(random),
		"random bits in hexadecimal":   hex.EncodeToString(random),
		"a long text with one in it":   "it said chub_" + base64.RawURLEncoding.EncodeToString(random) + "Aa0 to me",
		"an opaque type of the secret": "hidden",
	}
	type login struct {
		Email        string
		PasswordHash string
		Inner        []map[string]any
	}
	for what, secret := range secrets {
		values := []any{secret, []string{"a", secret}, map[string]string{"note": secret},
			login{Email: "a@example.com", PasswordHash: secret},
			login{Inner: []map[string]any{{"deep": map[string]any{"detail": secret}}}}}
		switch what {
		case "a password by its field":
			values = []any{map[string]string{"password": secret}, login{PasswordHash: secret},
				map[string]any{"new": map[string]any{"client_secret": secret, "API-Token": secret}},
				login{Inner: []map[string]any{{"returnCookie": []string{secret}}}}}
		case "an opaque type of the secret":
			values = []any{models.Secret(secret), map[string]models.Secret{"x": models.Secret(secret)}}
		}
		for _, v := range values {
			r := models.Actor{Name: "a"}.Audit("", time.Time{}, models.Change{Before: v, After: v})
			if strings.Contains(r.Before+r.After, secret) {
				t.Errorf("%s is in %s", what, r.After)
			}
			if !strings.Contains(r.After, models.Redacted) && !strings.Contains(r.After, "[secret]") {
				t.Errorf("%s left no trace in %s", what, r.After)
			}
		}
	}
}

func TestR30WhatIsNoSecretStaysInAnAuditRecord(t *testing.T) {
	t.Parallel()
	thumb := "jqH0qYxVqS2PvT8C4s3p0d9XkZb1nU6rL7wE5mGfAAo"
	for _, text := range []string{`"offered"`, `2`, `true`, `"2026-11-22T03:00:00Z"`,
		`{"key_thumb":"` + thumb + `"}`, `{"fqdn":"cc-pub.a-very-long-name-of-a-machine-in-tokyo-or-osaka-1.example.com"}`,
		`{"issuer":"https://login.example.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0"}`,
		`{"subject":"` + thumb + `","required":true}`, `{"digest":"` + strings.Repeat("ab", 32) + `"}`,
		`{"RequireComparisonCode":true,"token":""}`, `{"big":12345678901234567890}`,
		`{"id":"01a20132-3ffb-774b-9d50-8e01e7e9eb6b","names":["a","b"]}`} {
		r := models.Actor{}.Audit("", time.Time{}, models.Change{After: raw(text)})
		if r.After != text {
			t.Errorf("%s became %s", text, r.After)
		}
	}
}

// raw is JSON as it is.
type raw string

func (r raw) MarshalJSON() ([]byte, error) { return []byte(r), nil }
