package enroll

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/models/wire"
	"connecthub/nodeclient/atomicfile"
)

const (
	keyFile      = "node.key"
	assertionTTL = time.Minute
)

// Key is the node's own; it is made on the node and never leaves it.
type Key struct {
	private ed25519.PrivateKey
	jwk     wire.JWK
}

// loadKey reads the key and refuses one that others may read.
func loadKey(dir string) (Key, error) {
	path := filepath.Join(dir, keyFile)
	info, err := os.Stat(path)
	if err != nil {
		return Key{}, fmt.Errorf("cannot read the node's key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Key{}, fmt.Errorf("%s may be read by others; make it 0600", path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return Key{}, fmt.Errorf("cannot read the node's key: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return Key{}, errors.New("cannot read the node's key: no PEM block")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return Key{}, fmt.Errorf("cannot read the node's key: %w", err)
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return Key{}, errors.New("cannot read the node's key: not Ed25519")
	}
	return keyOf(private), nil
}

func keyOf(private ed25519.PrivateKey) Key {
	return Key{private: private, jwk: wire.KeyOf(private.Public().(ed25519.PublicKey))}
}

// newKey makes a fresh key in place of an older one, for a new registration.
func newKey(dir string) (Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("cannot make the node's key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Key{}, fmt.Errorf("cannot make the node's key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := atomicfile.Write(filepath.Join(dir, keyFile), text, 0o600); err != nil {
		return Key{}, err
	}
	return keyOf(private), nil
}

// ensureKey is the key of the folder, made if there is none.
func ensureKey(dir string) (Key, error) {
	k, err := loadKey(dir)
	if errors.Is(err, os.ErrNotExist) {
		return newKey(dir)
	}
	return k, err
}

// Thumbprint names the key.
func (k Key) Thumbprint() string { return k.jwk.Thumbprint() }

// signClaim signs v with the key in the header: proof that the sender holds it.
func (k Key) signClaim(v any) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, message{value: v})
	token.Header["typ"] = wire.TypeClaim
	token.Header["jwk"] = k.jwk
	return k.finish(token)
}

// assertion is an RFC 7523 client assertion, good once and for a minute on the hub's clock.
func (k Key) assertion(subject string, now time.Time) (string, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return "", fmt.Errorf("cannot sign: %w", err)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.RegisteredClaims{Issuer: subject,
		Subject: subject, Audience: jwt.ClaimStrings{wire.Audience}, ID: fmt.Sprintf("%x", id),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(assertionTTL))})
	token.Header["typ"] = wire.TypeAssertion
	// The key itself too: whoever was replaced proves by it who asks, and is told so (R6).
	token.Header["jwk"] = k.jwk
	return k.finish(token)
}

func (k Key) finish(token *jwt.Token) (string, error) {
	text, err := token.SignedString(k.private)
	if err != nil {
		return "", fmt.Errorf("cannot sign: %w", err)
	}
	return text, nil
}

// message lets a plain struct be signed as it is.
type message struct {
	jwt.RegisteredClaims
	value any
}

// MarshalJSON writes the struct alone.
func (m message) MarshalJSON() ([]byte, error) { return json.Marshal(m.value) }

// UnmarshalJSON reads into the struct.
func (m *message) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, m.value) }

// verifyHub checks what the hub signed: only EdDSA, only this type, only its key. Freshness is the
// caller's to judge by the hub's time.
func verifyHub(text, typ string, key wire.JWK, into any) error {
	public, err := key.Public()
	if err != nil {
		return fmt.Errorf("cannot check the hub's signature: %w", err)
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding())
	_, err = parser.ParseWithClaims(text, &message{value: into}, func(t *jwt.Token) (any, error) {
		if t.Header["typ"] != typ {
			return nil, fmt.Errorf("it is of another type")
		}
		return public, nil
	})
	if err != nil {
		return fmt.Errorf("cannot accept what claims to be signed by the hub: %w", err)
	}
	return nil
}
