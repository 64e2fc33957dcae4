package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"connecthub/models"

	"golang.org/x/crypto/argon2"
)

// What a new password must be, and the most that is ever hashed.
const (
	minPassword = 12
	maxPassword = 256
)

// argon is the cost of one hash, in OWASP's first choice: 19 MiB, two passes.
type argon struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

var errHash = errors.New("not a password hash of this hub")

// parallelHashes bounds the memory that sign-ins can take together.
const parallelHashes = 2

// hasher hashes passwords, a few at a time.
type hasher struct {
	cost  argon
	slots chan struct{}
	// decoy is what a password of nobody is compared with, so that it takes as long.
	decoy string
}

func newHasher() *hasher {
	h := &hasher{cost: argon{memory: 19 << 10, passes: 2, threads: 1},
		slots: make(chan struct{}, parallelHashes)}
	h.decoy = h.seal(make([]byte, 32), make([]byte, 16))
	return h
}

// acceptable says whether a password is long enough and not too long.
func acceptable(password string) bool {
	n := utf8.RuneCountInString(password)
	return n >= minPassword && n <= maxPassword && len(password) <= 4*maxPassword &&
		utf8.ValidString(password)
}

// hash refuses a password that is too short or too long, and gives its PHC string.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if !acceptable(password) {
		return "", models.Invalid("weak_password", "password")
	}
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("cannot make a salt: %w", err)
	}
	key, err := h.key(ctx, password, salt, h.cost)
	if err != nil {
		return "", err
	}
	return h.seal(key, salt), nil
}

func (h *hasher) seal(key, salt []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.memory,
		h.cost.passes, h.cost.threads, base64.RawStdEncoding.EncodeToString(salt),
		base64.RawStdEncoding.EncodeToString(key))
}

// matches compares a password with a PHC string, in a time that does not tell how wrong it is. An
// empty string is nobody's: it takes as long, and never matches.
func (h *hasher) matches(ctx context.Context, password, phc string) (bool, error) {
	somebody := phc != ""
	if !somebody {
		phc = h.decoy
	}
	cost, salt, want, err := parsePHC(phc)
	if err != nil {
		return false, err
	}
	got, err := h.key(ctx, password, salt, cost)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1 && somebody, nil
}

func (h *hasher) key(ctx context.Context, password string, salt []byte, c argon) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.threads, 32), nil
}

func parsePHC(text string) (cost argon, salt, key []byte, err error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return argon{}, nil, nil, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &cost.memory, &cost.passes,
		&cost.threads); err != nil {
		return argon{}, nil, nil, errHash
	}
	if cost.memory > 1<<20 || cost.passes == 0 || cost.passes > 16 || cost.threads == 0 {
		return argon{}, nil, nil, errHash
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	key, errKey := base64.RawStdEncoding.DecodeString(parts[5])
	if errSalt != nil || errKey != nil || len(key) != 32 {
		return argon{}, nil, nil, errHash
	}
	return cost, salt, key, nil
}

// passwordLetters leaves out what is easily misread.
const passwordLetters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// GeneratePassword gives a random password of 20 letters and digits: more than 115 bits.
func GeneratePassword() (string, error) {
	out := make([]byte, 0, 20)
	buf := make([]byte, 64)
	for {
		if _, err := rand.Read(buf); err != nil {
			return "", fmt.Errorf("cannot make a password: %w", err)
		}
		for _, b := range buf {
			// 4×57 = 228: what lies above would favour the first letters.
			if n := len(passwordLetters); int(b) < 256/n*n {
				out = append(out, passwordLetters[int(b)%n])
				if len(out) == cap(out) {
					return string(out), nil
				}
			}
		}
	}
}
