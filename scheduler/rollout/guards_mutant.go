//go:build mutant

package rollout

// takenOut is the guard of one node at a time, taken out on purpose: with it the demonstration must
// see both nodes down. Nothing that is shipped is built with this tag.
const takenOut = r16 | r17
