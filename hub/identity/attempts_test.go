package identity

import (
	"fmt"
	"testing"
	"time"
)

func TestAttemptsComeBackOneAtATime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	a := newAttempts(allowance{burst: 2, every: 10 * time.Second})
	for range 2 {
		if wait := a.take("k", now); wait != 0 {
			t.Fatalf("wait %s", wait)
		}
	}
	if wait := a.take("k", now.Add(4*time.Second)); wait.Round(time.Millisecond) != 6*time.Second {
		t.Errorf("wait %s", wait)
	}
	if wait := a.take("other", now); wait != 0 {
		t.Errorf("another key waits %s", wait)
	}
	if wait := a.take("k", now.Add(11*time.Second)); wait != 0 {
		t.Errorf("after its time it waits %s", wait)
	}
	a.giveBack("k")
	if wait := a.take("k", now.Add(11*time.Second)); wait != 0 {
		t.Errorf("what was given back waits %s", wait)
	}
}

func TestAttemptsTakeABoundedAmountOfMemory(t *testing.T) {
	t.Parallel()
	a := newAttempts(allowance{burst: 1, every: time.Hour})
	for i := range 3 * maxKeys {
		a.take(fmt.Sprint(i), time.Unix(1000, 0))
	}
	if len(a.used) > maxKeys {
		t.Errorf("%d keys", len(a.used))
	}
}

func TestAHashOfAnotherKindIsAnErrorAndNoMatch(t *testing.T) {
	t.Parallel()
	h := newHasher()
	for _, phc := range []string{"x", "$argon2i$v=19$m=19456,t=2,p=1$AA$AA",
		"$argon2id$v=19$m=99999999,t=2,p=1$AA$AA", "$argon2id$v=19$m=8,t=0,p=1$AA$AA",
		"$argon2id$v=19$m=8,t=1,p=1$AA$AA"} {
		if ok, err := h.matches(t.Context(), "x", phc); ok || err == nil {
			t.Errorf("%s: %v %v", phc, ok, err)
		}
	}
}
