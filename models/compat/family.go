package compat

import (
	"strings"

	"connecthub/models/inventory"
)

// CountsAs says whether a name that software bears means a product: its own, that of what it counts
// as (LD and IdS count as CUIC), or ICM for what counts as UCCE. Case does not count.
func (f *Facts) CountsAs(p inventory.Product, name string) bool {
	kind := string(f.family(p))
	return strings.EqualFold(name, string(p)) || strings.EqualFold(name, kind) ||
		kind == "UCCE" && (strings.EqualFold(name, "ICM") || strings.EqualFold(name, "PCCE"))
}
