package console_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"connecthub/nodeclient/control/console"
	"connecthub/nodeclient/control/gate"
	"connecthub/nodeclient/enroll"
)

// holding is a session that holds its node's lock, and what is typed into it.
func holding(t *testing.T, patience time.Duration) (*console.Session, *gate.Hold, *os.File) {
	t.Helper()
	s, _ := scripted(t)
	s.Ctx, s.Dir, s.Who, s.Now, s.Patience = t.Context(), t.TempDir(), "mika", time.Now, patience
	c := enroll.Config{Hub: "https://hub.example.com", HubPin: "sha256:" + strings.Repeat("0", 64), FQDN: "cc.example.com",
		PageListen: "127.0.0.1:0", AppUser: "admin", AppPasswordHash: "none"}
	if err := c.Save(s.Dir); err != nil {
		t.Fatal(err)
	}
	in, typed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(in.Close(), typed.Close()) })
	s.In = in
	hold, err := s.Orchestrate("utils patch-manager install")
	if err != nil {
		t.Fatal(err)
	}
	return s, hold, typed
}

func TestAForgottenPromptGivesUpWhileTheNodesLockIsHeld(t *testing.T) {
	t.Parallel()
	s, hold, typed := holding(t, 50*time.Millisecond)
	defer hold.Release()
	if _, err := io.WriteString(typed, "half an ans"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Secret("Password", "password-file", "-")
	var r *console.Refusal
	if !errors.As(err, &r) || r.Code != "prompt_timeout" {
		t.Errorf("%v", err)
	}
}

func TestAnAnswerInTimeIsTakenWholeWhileTheLockIsHeldAndLaterNothingIsHurried(t *testing.T) {
	t.Parallel()
	s, hold, typed := holding(t, time.Minute)
	go func() { _, _ = io.WriteString(typed, "a secret\nnext\n") }()
	for _, want := range []string{"a secret", "next"} {
		if got, err := s.Secret("Password", "password-file", "-"); err != nil || got != want {
			t.Errorf("%q %v", got, err)
		}
	}
	hold.Release()
	s.Patience = time.Nanosecond
	go func() { _, _ = io.WriteString(typed, "late\n") }()
	if got, err := s.Secret("Password", "password-file", "-"); err != nil || got != "late" {
		t.Errorf("%q %v", got, err)
	}
}
