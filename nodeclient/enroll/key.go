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
	prover  wire.Prover
}

// loadKey reads a key and refuses one that others may read, or that lies where others may look.
func loadKey(dir, name string) (Key, error) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return Key{}, fmt.Errorf("cannot read the node's key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Key{}, fmt.Errorf("%s may be read by others; make it 0600", path)
	}
	if folder, err := os.Stat(dir); err != nil || folder.Mode().Perm()&0o077 != 0 {
		return Key{}, fmt.Errorf("%s holds the node's key and may be read by others; make it 0700", dir)
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
	return Key{private: private, jwk: wire.KeyOf(private.Public().(ed25519.PublicKey)),
		prover: wire.NewProver(private)}
}

// newKey makes a fresh key, in place of an older one of that name.
func newKey(dir, name string) (Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("cannot make the node's key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Key{}, fmt.Errorf("cannot make the node's key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := atomicfile.Write(filepath.Join(dir, name), text, 0o600); err != nil {
		return Key{}, err
	}
	return keyOf(private), nil
}

// ensureKey is the key of the folder, made if there is none.
func ensureKey(dir string) (Key, error) {
	k, err := loadKey(dir, keyFile)
	if errors.Is(err, os.ErrNotExist) {
		return newKey(dir, keyFile)
	}
	return k, err
}

// Thumbprint names the key.
func (k Key) Thumbprint() string { return k.jwk.Thumbprint() }

// signClaim signs what a node states of itself.
func (k Key) signClaim(v any) (string, error) { return k.sign(wire.TypeClaim, v) }

// sign signs v with the key in the header: proof that the sender holds it.
func (k Key) sign(typ string, v any) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, message{value: v})
	token.Header["typ"] = typ
	token.Header["jwk"] = k.jwk
	text, err := token.SignedString(k.private)
	if err != nil {
		return "", fmt.Errorf("cannot sign: %w", err)
	}
	return text, nil
}

// assertion is an RFC 7523 client assertion, good once and while the hub knows the nonce. The key
// goes with it: whoever was replaced proves by it who asks, and is told so (R6).
func (k Key) assertion(subject, nonce string, c credential, now time.Time) (string, error) {
	id, err := randomID()
	if err != nil {
		return "", err
	}
	return k.sign(wire.TypeAssertion, wire.AssertionClaims{Issuer: subject, Subject: subject,
		Audience: wire.Audience, ID: id, IssuedAt: now.Unix(), ExpiresAt: now.Add(assertionTTL).Unix(),
		Nonce: nonce, Generation: c.Generation, Mark: c.Mark})
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
