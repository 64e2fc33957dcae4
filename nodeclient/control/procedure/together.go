package procedure

import (
	"fmt"
	"slices"
	"strings"

	"connecthub/models/compat"
	"connecthub/models/inventory"
)

// central is the family of the products that are one thing together.
const central = "central-controller"

// family is what must not be disturbed on both sides at once: the machines of one product, and those
// of the central controller together.
func family(facts *compat.Facts, p inventory.Product) string {
	for _, c := range facts.CentralController() {
		if slices.Contains(c.Products, p) {
			return central
		}
	}
	return string(p)
}

// Apart says whether the two must never be disturbed at the same time: of one pair or cluster, also
// where a machine is in several, or of the two sides of one family.
func (t Task) Apart(o Task) bool {
	if t.Unit() == o.Unit() || t.stands(o.Name) || o.stands(t.Name) {
		return true
	}
	return t.Side != o.Side && t.family() == o.family()
}

func (t Task) family() string {
	if t.Family != "" {
		return t.Family
	}
	return string(t.Product)
}

// stands says whether a machine is this one or one of its peers.
func (t Task) stands(name string) bool {
	return strings.EqualFold(t.Name, name) ||
		slices.ContainsFunc(t.Peers, func(p Host) bool { return strings.EqualFold(p.Name, name) })
}

// Peers are the other machines of every pair or cluster in which this one is, under whatever product.
func Peers(h Host, all []Host) []Host {
	units := map[string]bool{h.Unit(): true}
	for _, o := range all {
		if strings.EqualFold(o.Name, h.Name) {
			units[o.Unit()] = true
		}
	}
	var others []Host
	seen := map[string]bool{strings.ToLower(h.Name): true}
	for _, o := range all {
		if name := strings.ToLower(o.Name); units[o.Unit()] && !seen[name] {
			seen[name] = true
			others = append(others, o)
		}
	}
	return others
}

// TogetherError says which two machines cannot be in one plan.
type TogetherError struct {
	A, B string
	Same bool // the two names show one host key; else both would be left in maintenance
}

// Error says it.
func (e *TogetherError) Error() string {
	if e.Same {
		return fmt.Sprintf("%s and %s show the same host key", e.A, e.B)
	}
	return fmt.Sprintf("%s and %s would both be left in maintenance", e.A, e.B)
}

// alone refuses a machine that stands in the inventory under two names.
func alone(h Host, all []Host) error {
	for _, o := range all {
		if h.Key != "" && h.Key == o.Key && !strings.EqualFold(h.Name, o.Name) {
			return &TogetherError{A: h.Name, B: o.Name, Same: true}
		}
	}
	return nil
}

// left refuses to leave two machines in maintenance that must not be disturbed together.
func (p Plan) left() error {
	if p.Kind != Maintenance {
		return nil
	}
	for i, a := range p.Tasks {
		for _, b := range p.Tasks[:i] {
			if a.Apart(b) {
				return &TogetherError{A: b.Name, B: a.Name}
			}
		}
	}
	return nil
}
