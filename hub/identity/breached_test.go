package identity_test

import (
	"strings"
	"testing"

	"connecthub/hub/identity"
)

func TestAPasswordThatEverybodyTriesIsRefused(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"password1234", "Password1234", "P@ssw0rd1234", "qwertyuiop12",
		"correcthorsebatterystaple", "CorrectHorseBatteryStaple1!", "iloveyou1234", "123456789012",
		"aaaaaaaaaaaa", "abcabcabcabcabc", "abcdefghijkl", "987654321098", "!!password!!password!!",
		"administrator", "Administrator!2024", "connecthub123", "tanaka.taro1", "Tanaka.Taro2026!",
		"acme gmbh 123", "summer2024!!", "1qaz2wsx3edc"} {
		if !identity.Guessable(password, "tanaka.taro@example.com", "Acme GmbH") {
			t.Errorf("%s was taken", password)
		}
	}
	for _, password := range []string{"a long password", newPassword, "hX7#pQ2vLm9!", "tanaka.taro walks to violet kettles",
		"sixteen candles for lunch", "パスワードは長いほうがよいです", "kettle-violet-harbour-81"} {
		if identity.Guessable(password, "tanaka.taro@example.com", "Acme GmbH") {
			t.Errorf("%s was refused", password)
		}
	}
}

func TestTheListOfCommonPasswordsIsOne(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(identity.Common()), "\n")
	if len(lines) < 1000 {
		t.Errorf("%d passwords", len(lines))
	}
	for n, line := range lines {
		if len(line) < 12 || line != strings.ToLower(line) || n > 0 && line <= lines[n-1] {
			t.Errorf("line %d: %q", n+1, line)
		}
	}
	for range 1000 {
		generated, err := identity.GeneratePassword()
		if err != nil || identity.Guessable(generated, email, "Example") {
			t.Fatalf("a generated password is refused: %s %v", generated, err)
		}
	}
}
