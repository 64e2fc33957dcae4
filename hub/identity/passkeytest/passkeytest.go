// Package passkeytest is a small authenticator in software, for tests: it makes passkeys and
// answers challenges as a security key does. It knows nothing of the hub.
package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Key is one passkey (ES256) in an authenticator that counts its signatures.
type Key struct {
	Origin string // of the page that the browser shows
	Count  uint32 // of the last signature
	id     []byte
	user   []byte
	party  string
	secret *ecdsa.PrivateKey
}

// The flags of authenticator data that the authenticator sets.
const (
	userPresent  = 1 << 0
	userVerified = 1 << 2
	hasKey       = 1 << 6
)

// Create makes a passkey for the options of a hub, in a browser that shows a page of the origin,
// and answers it with the JSON that the page sends back.
func Create(origin string, options []byte) (*Key, []byte, error) {
	var asked struct {
		Challenge string `json:"challenge"`
		Party     struct {
			ID string `json:"id"`
		} `json:"rp"`
		User struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	if err := json.Unmarshal(options, &asked); err != nil || asked.Challenge == "" {
		return nil, nil, fmt.Errorf("cannot read the options: %w", errors.Join(err, errEmpty))
	}
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	k := &Key{Origin: origin, Count: 1, id: make([]byte, 32), party: asked.Party.ID, secret: secret}
	if _, err := rand.Read(k.id); err != nil {
		return nil, nil, err
	}
	if k.user, err = base64.RawURLEncoding.DecodeString(asked.User.ID); err != nil {
		return nil, nil, err
	}
	public, err := k.public()
	if err != nil {
		return nil, nil, err
	}
	data := k.data(userPresent | userVerified | hasKey)
	data = append(data, make([]byte, 16)...)                      // of no particular make
	data = binary.BigEndian.AppendUint16(data, uint16(len(k.id))) //nolint:gosec // 32
	data = append(append(data, k.id...), public...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{},
		"authData": data})
	if err != nil {
		return nil, nil, err
	}
	client, err := clientData("webauthn.create", asked.Challenge, origin)
	if err != nil {
		return nil, nil, err
	}
	answer, err := k.answer(map[string]any{"attestationObject": encode(object),
		"clientDataJSON": encode(client), "transports": []string{"usb"}})
	return k, answer, err
}

var errEmpty = errors.New("no challenge")

// Sign answers a challenge of a hub.
func (k *Key) Sign(options []byte) ([]byte, error) {
	var asked struct {
		Challenge string `json:"challenge"`
	}
	if err := json.Unmarshal(options, &asked); err != nil || asked.Challenge == "" {
		return nil, fmt.Errorf("cannot read the options: %w", errors.Join(err, errEmpty))
	}
	k.Count++
	client, err := clientData("webauthn.get", asked.Challenge, k.Origin)
	if err != nil {
		return nil, err
	}
	data := k.data(userPresent | userVerified)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.secret, digest[:])
	if err != nil {
		return nil, err
	}
	return k.answer(map[string]any{"authenticatorData": encode(data),
		"clientDataJSON": encode(client), "signature": encode(signature),
		"userHandle": encode(k.user)})
}

// Copy is the same passkey in another authenticator.
func (k *Key) Copy() *Key { other := *k; return &other }

func (k *Key) data(flags byte) []byte {
	party := sha256.Sum256([]byte(k.party))
	return binary.BigEndian.AppendUint32(append(party[:], flags), k.Count)
}

// public is the key in COSE: EC2, ES256, P-256.
func (k *Key) public() ([]byte, error) {
	point, err := k.secret.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	return cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
}

func (k *Key) answer(response map[string]any) ([]byte, error) {
	return json.Marshal(map[string]any{"id": encode(k.id), "rawId": encode(k.id),
		"type": "public-key", "authenticatorAttachment": "cross-platform", "response": response,
		"clientExtensionResults": map[string]any{}})
}

func clientData(kind, challenge, origin string) ([]byte, error) {
	return json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": origin,
		"crossOrigin": false})
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
