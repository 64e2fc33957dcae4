package enroll

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

const (
	argonMemory = 19 << 10 // KiB, as OWASP advises with two passes
	argonTime   = 2
	argonKey    = 32
	maxPassword = 256
)

// HashPassword is argon2id in PHC form. It refuses fewer than 8 and more than 256 bytes.
func HashPassword(password string) (string, error) {
	if len(password) < minPassword || len(password) > maxPassword {
		return "", errors.New("a password has 8 to 256 characters")
	}
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("cannot make a salt: %w", err)
	}
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, 1, argonKey)
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, argonMemory, argonTime,
		enc.EncodeToString(salt), enc.EncodeToString(key)), nil
}

// CheckPassword takes the same time for a wrong user as for a wrong password.
func (c Config) CheckPassword(user, password string) bool {
	sameUser := subtle.ConstantTimeCompare([]byte(user), []byte(c.AppUser)) == 1
	parts := strings.Split(c.AppPasswordHash, "$")
	if len(parts) != 6 || len(password) > maxPassword {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return false
	}
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, 1, argonKey)
	return subtle.ConstantTimeCompare(key, want) == 1 && sameUser
}
