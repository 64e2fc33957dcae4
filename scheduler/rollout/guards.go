//go:build !mutant

package rollout

// takenOut is no rule: a hub that is shipped keeps them all.
const takenOut rule = 0
