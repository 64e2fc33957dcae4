package rollout

// Rule is a rule that a test can take out.
type Rule = rule

// The rules, for the mutants.
const (
	R14 = r14
	R15 = r15
	R16 = r16
	R17 = r17
	R18 = r18
	R19 = r19
	R20 = r20
	R21 = r21
	R22 = r22
	R23 = r23
)

// Without takes a rule out of the decisions about s.
func (s *Snapshot) Without(r Rule) { s.off = r }
