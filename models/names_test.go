package models_test

import (
	"testing"

	"connecthub/models"
)

func TestR1ANameIsRefusedThatOnlyFoldsIntoOne(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"cc-pub.example.com", "CC-PUB.Example.COM", "xn--80ak6aa92e.example"} {
		if _, err := models.ParseFQDN(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"\u212Aelvin.example.com", "cc\u3002example.com", "\u24D4xample.com",
		"user@example.com", "example.com:22", "http://example.com", "a.example/x", "a.example#x", "a\x00.example",
		"a.example\r\nHost: b", "0x7f000001", "[::1]", "169.254.169.254", "127.1"} {
		if name, err := models.ParseFQDN(text); err == nil {
			t.Errorf("%q became %q", text, name)
		}
	}
}
