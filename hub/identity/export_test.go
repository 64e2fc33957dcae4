package identity

// Hurry makes passwords cheap to hash, for tests that are about something else.
func Hurry(i *Identity) {
	i.hasher.cost = argon{memory: 64, passes: 1, threads: 1}
	i.hasher.decoy = i.hasher.seal(make([]byte, 32), make([]byte, 16))
}

// Guessable and Common are the check of new passwords.
func Guessable(password string, near ...string) bool { return guessable(password, near...) }

// Common is the list behind it.
func Common() string { return common }

// Busy takes every place in which a password can be hashed.
func Busy(i *Identity) {
	for range cap(i.hasher.slots) {
		i.hasher.slots <- struct{}{}
	}
}
