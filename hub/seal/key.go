package seal

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
)

const (
	keySize = 32
	// maxKeys is how many keys may be held at once: the one that seals, and those before it.
	maxKeys = 8
	// MaxKeyText bounds the text of a key ring.
	MaxKeyText = 4 << 10
)

// KeyID names a key without telling anything of it.
type KeyID string

// Key wraps the keys of values. It never shows itself: printed, it is its name; printed as a part of
// something, an address: that is why the secret stands behind a function.
type Key struct {
	id     KeyID
	secret func() []byte
}

// NewKey makes a random key.
func NewKey() (Key, error) {
	var secret [keySize]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return Key{}, fmt.Errorf("cannot make a seal key: %w", err)
	}
	return keyOf(secret), nil
}

func keyOf(secret [keySize]byte) Key {
	sum := sha256.Sum256(append([]byte("connecthub seal key 1\x00"), secret[:]...))
	return Key{id: KeyID(hex.EncodeToString(sum[:8])), secret: func() []byte { return secret[:] }}
}

// ID is the key's name, which stands in whatever it sealed.
func (k Key) ID() KeyID { return k.id }

// Text is the key's one line in a key file.
func (k Key) Text() string { return base64.StdEncoding.EncodeToString(k.secret()) }

// String names the key and does not tell it.
func (k Key) String() string { return "[seal key " + string(k.id) + "]" }

// GoString names the key and does not tell it.
func (k Key) GoString() string { return k.String() }

// LogValue names the key and does not tell it.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// ParseKeys reads a key ring: one key a line, 32 bytes in base64, as "server seal key" or
// "openssl rand -base64 32" print it. The first seals; the others only open what they sealed
// before. Lines that begin with # are remarks.
func ParseKeys(text []byte) ([]Key, error) {
	if len(text) > MaxKeyText {
		return nil, fmt.Errorf("the seal keys are longer than %d bytes", MaxKeyText)
	}
	var keys []Key
	seen := make(map[KeyID]bool)
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(string(line))
		if err != nil || len(raw) != keySize {
			return nil, fmt.Errorf("line %d holds no seal key: a key is %d bytes in base64", number,
				keySize)
		}
		key := keyOf([keySize]byte(raw))
		if [keySize]byte(raw) == [keySize]byte{} || seen[key.id] {
			return nil, fmt.Errorf("line %d holds a seal key of zeros, or one for the second time",
				number)
		}
		seen[key.id] = true
		keys = append(keys, key)
	}
	switch {
	case len(keys) == 0:
		return nil, errors.New("there is no seal key in it")
	case len(keys) > maxKeys:
		return nil, fmt.Errorf("more than %d seal keys", maxKeys)
	}
	return keys, nil
}
