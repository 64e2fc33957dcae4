package identity

// Hurry makes passwords cheap to hash, for tests that are about something else.
func Hurry(i *Identity) {
	i.hasher.cost = argon{memory: 64, passes: 1, threads: 1}
	i.hasher.decoy = i.hasher.seal(make([]byte, 32), make([]byte, 16))
}
