package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"connecthub/models"
)

// Prefix begins everything sealed in this form.
const Prefix = "seal1."

// maxPlain bounds what is sealed: secrets are small.
const maxPlain = 64 << 10

// ErrNoKey is matched when a value was sealed with a key that is not at hand.
var ErrNoKey = errors.New("it is sealed with another key")

// ErrBroken is matched when a value was changed, cut, or sealed for another place.
var ErrBroken = errors.New("it is not what was sealed here")

// Purpose says what a sealed value is for, so that none passes for one of another kind.
type Purpose string

// The purposes of sealed values.
const (
	OIDCClientSecret Purpose = "oidc client secret" //nolint:gosec // the name of a purpose
	HubSigningKey    Purpose = "hub signing key"
	HubCertificate   Purpose = "hub certificate key"
	// HubMark is a known text by which a database finds out a wrong key at once.
	HubMark Purpose = "hub mark"
)

// Place is where a value belongs. It is part of the seal: moved to another row or tenant, a value
// does not open. Secrets of the hub itself have no organization.
type Place struct {
	Purpose      Purpose
	Organization models.OrganizationID
	Row          string
}

// Sealer seals and opens. It is safe for concurrent use.
type Sealer struct {
	current Key
	wraps   map[KeyID]cipher.AEAD
}

// New makes a sealer of a key ring: the first key seals, all of them open.
func New(keys ...Key) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("cannot seal without a key")
	}
	s := &Sealer{current: keys[0], wraps: make(map[KeyID]cipher.AEAD, len(keys))}
	for _, key := range keys {
		derived, err := hkdf.Key(sha256.New, key.secret(), nil, "connecthub seal 1 wrap", keySize)
		if err != nil {
			return nil, fmt.Errorf("cannot use %s: %w", key, err)
		}
		if s.wraps[key.id], err = gcm(derived); err != nil {
			return nil, fmt.Errorf("cannot use %s: %w", key, err)
		}
	}
	return s, nil
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Current is the key that seals.
func (s *Sealer) Current() KeyID { return s.current.id }

// Has says whether what the key sealed can be opened.
func (s *Sealer) Has(id KeyID) bool { return s.wraps[id] != nil }

// String tells nothing.
func (s *Sealer) String() string { return "[sealer " + string(s.current.id) + "]" }

// GoString tells nothing.
func (s *Sealer) GoString() string { return s.String() }

// Seal makes the text that may be stored.
func (s *Sealer) Seal(at Place, plain []byte) (string, error) {
	if len(plain) > maxPlain {
		return "", fmt.Errorf("cannot seal the %s: longer than %d bytes", at.Purpose, maxPlain)
	}
	var data [keySize]byte
	if _, err := rand.Read(data[:]); err != nil {
		return "", fmt.Errorf("cannot seal the %s: %w", at.Purpose, err)
	}
	own, err := gcm(data[:])
	if err != nil {
		return "", fmt.Errorf("cannot seal the %s: %w", at.Purpose, err)
	}
	text := own.Seal(nil, nil, plain, at.bytes()) //nolint:gosec // it draws its nonce itself
	return sealed{key: s.current.id, wrapped: s.wrap(data[:]), text: text}.String(), nil
}

func (s *Sealer) wrap(data []byte) []byte {
	return s.wraps[s.current.id].Seal(nil, nil, data, []byte(Prefix+s.current.id)) //nolint:gosec // as above
}

// Open gives back what was sealed for this place, or ErrNoKey, or ErrBroken.
func (s *Sealer) Open(at Place, text string) ([]byte, error) {
	plain, err := s.open(at, text)
	if err != nil {
		return nil, fmt.Errorf("cannot open the %s: %w", at.Purpose, err)
	}
	return plain, nil
}

func (s *Sealer) open(at Place, text string) ([]byte, error) {
	v, data, err := s.unwrap(text)
	if err != nil {
		return nil, err
	}
	own, err := gcm(data)
	if err != nil {
		return nil, err
	}
	plain, err := own.Open(nil, nil, v.text, at.bytes())
	if err != nil {
		return nil, ErrBroken
	}
	return plain, nil
}

func (s *Sealer) unwrap(text string) (sealed, []byte, error) {
	v, err := parse(text)
	if err != nil {
		return sealed{}, nil, err
	}
	wrap := s.wraps[v.key]
	if wrap == nil {
		return sealed{}, nil, fmt.Errorf("%w (key %s)", ErrNoKey, v.key)
	}
	data, err := wrap.Open(nil, nil, v.wrapped, []byte(Prefix+v.key))
	if err != nil {
		return sealed{}, nil, ErrBroken
	}
	return v, data, nil
}

// Rewrap puts the key of a value under the current key; the value itself is not opened. What is
// under it already comes back unchanged.
func (s *Sealer) Rewrap(text string) (string, error) {
	v, data, err := s.unwrap(text)
	if err != nil {
		return "", fmt.Errorf("cannot seal anew: %w", err)
	}
	if v.key == s.current.id {
		return text, nil
	}
	v.key, v.wrapped = s.current.id, s.wrap(data)
	return v.String(), nil
}

// KeyOf tells which key a stored value needs.
func KeyOf(text string) (KeyID, error) {
	v, err := parse(text)
	return v.key, err
}

// sealed is the parts of a sealed value: the name of a key, the value's own key under it, and the
// value under its own key.
type sealed struct {
	key           KeyID
	wrapped, text []byte
}

func (v sealed) String() string {
	encode := base64.RawURLEncoding.EncodeToString
	return Prefix + string(v.key) + "." + encode(v.wrapped) + "." + encode(v.text)
}

func parse(text string) (sealed, error) {
	rest, ok := strings.CutPrefix(text, Prefix)
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 3 || len(text) > 2*maxPlain {
		return sealed{}, ErrBroken
	}
	encoding := base64.RawURLEncoding.Strict()
	wrapped, err := encoding.DecodeString(parts[1])
	value, err2 := encoding.DecodeString(parts[2])
	if err != nil || err2 != nil {
		return sealed{}, ErrBroken
	}
	return sealed{key: KeyID(parts[0]), wrapped: wrapped, text: value}, nil
}

// bytes binds a value to its place; no two places share them.
func (p Place) bytes() []byte {
	out := []byte(Prefix)
	for _, part := range []string{string(p.Purpose), string(p.Organization), p.Row} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	return slices.Clip(out)
}
