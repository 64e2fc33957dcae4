// Package keys holds the hub's own signing key and what is signed and derived with it. It knows no
// clusters and no storage but its folder.
package keys

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/golang-jwt/jwt/v5"

	"connecthub/hub/seal"
	"connecthub/models/wire"
)

// FileName is the sealed key's file in its folder.
const FileName = "hub-ed25519.pem"

// Hub is the hub's key. The zero value is of no use; LoadOrCreate makes one.
type Hub struct {
	private ed25519.PrivateKey
	public  ed25519.PublicKey
	derive  []byte
	jwk     wire.JWK
}

// LoadOrCreate reads the sealed key of a folder, or makes the first one there, readable by its owner
// only. It refuses a key that others may read; one that is still plain it seals.
func LoadOrCreate(dir string, sealer *seal.Sealer) (*Hub, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot create the folder of keys: %w", err)
	}
	path := filepath.Join(dir, FileName)
	raw, err := sealer.ReadFile(Place(), path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path, sealer); err != nil {
			return nil, fmt.Errorf("cannot create the hub's key: %w", err)
		}
		raw, err = sealer.ReadFile(Place(), path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the hub's key: %w", err)
	}
	return parse(raw)
}

// Place is where the key belongs among sealed secrets.
func Place() seal.Place { return seal.Place{Purpose: seal.HubSigningKey, Row: FileName} }

// create never replaces a key: of two that start at once, the second reads what the first wrote.
func create(path string, sealer *seal.Sealer) error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	return sealer.CreateFile(Place(), path,
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func parse(raw []byte) (*Hub, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errors.New("the hub's key file holds no PEM block")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot parse the hub's key: %w", err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("the hub's key is not an Ed25519 key")
	}
	return of(private), nil
}

func of(private ed25519.PrivateKey) *Hub {
	public := private.Public().(ed25519.PublicKey)
	mac := hmac.New(sha256.New, private.Seed())
	mac.Write([]byte("connecthub derive 1"))
	return &Hub{private: private, public: public, derive: mac.Sum(nil), jwk: wire.KeyOf(public)}
}

// Public is how nodes know the hub's signatures.
func (h *Hub) Public() wire.JWK { return h.jwk }

// Verifier is the public half, for checks of what the hub signed.
func (h *Hub) Verifier() ed25519.PublicKey { return h.public }

// Secret derives a 256-bit secret for one purpose and one id; without the key nobody can guess it,
// and it need not be stored.
func (h *Hub) Secret(purpose, id string) []byte {
	mac := hmac.New(sha256.New, h.derive)
	mac.Write([]byte(purpose))
	mac.Write([]byte{0})
	mac.Write([]byte(id))
	return mac.Sum(nil)
}

// Sign makes a JWS with the typ header.
func (h *Hub) Sign(typ string, claims jwt.Claims) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["typ"] = typ
	text, err := token.SignedString(h.private)
	if err != nil {
		return "", fmt.Errorf("cannot sign: %w", err)
	}
	return text, nil
}

// SignValue makes a JWS over the JSON of v.
func (h *Hub) SignValue(typ string, v any) (string, error) {
	return h.Sign(typ, payload{value: v})
}

// payload lets a plain message be signed as it is.
type payload struct {
	jwt.RegisteredClaims
	value any
}

// MarshalJSON writes the message alone.
func (p payload) MarshalJSON() ([]byte, error) { return json.Marshal(p.value) }
