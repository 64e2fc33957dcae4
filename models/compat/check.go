package compat

import (
	"slices"

	"connecthub/models/inventory"
)

// Check says which machines keep a product from going to a version, in upgrade, switch-forward or
// rollback: everything that the deployment consists of is onboarded, and every other component is
// at that version or at one that works with it. What goes earlier in the table of stages is there
// first; what goes later may stay behind as far as the facts say. Patches are not checked, nor is
// the order inside one product.
func (f *Facts) Check(t inventory.DeploymentType, onboarded []State, p inventory.Product,
	to Version) Refusals {
	row, refused := f.deployment(t)
	if refused != nil {
		return refused
	}
	if to.IsZero() {
		return Refusals{{Code: VersionUnknown, Product: string(p)}}
	}
	all := f.missing(onboarded, p)
	mine, ok := f.rank(row.Stages, p)
	if !ok {
		return append(all, Refusal{Code: NotOrchestrated, Product: string(p)})
	}
	for _, s := range onboarded {
		rank, known := f.rank(row.Stages, s.Product)
		if !known || s.Product == CloudConnect || f.excluded(t, s.Product) || f.unordered(p, s.Product) {
			continue
		}
		if r, bad := f.beside(s, p, to.Base(), rank-mine); bad {
			all = append(all, r)
		}
	}
	return all
}

// missing names what a deployment consists of and nobody onboarded. Of alternatives it names the
// one of which most is there.
func (f *Facts) missing(onboarded []State, p inventory.Product) Refusals {
	there := func(q inventory.Product) bool {
		return slices.ContainsFunc(onboarded, func(s State) bool { return s.Product == q })
	}
	var all Refusals
	for _, alternatives := range f.deployments.Needs {
		var lacking []inventory.Product
		best := -1
		for _, set := range alternatives {
			var absent []inventory.Product
			for _, q := range set {
				if !there(q) {
					absent = append(absent, q)
				}
			}
			if present := len(set) - len(absent); len(absent) == 0 {
				lacking = nil
				break
			} else if present > best {
				best, lacking = present, absent
			}
		}
		for _, q := range lacking {
			all = append(all, Refusal{Code: NotOnboarded, Product: string(q), Needs: string(p)})
		}
	}
	return all
}

// unordered says whether two products count as one: their order is not checked.
func (f *Facts) unordered(p, q inventory.Product) bool {
	kind := f.family(p)
	return p == q || kind == f.family(q) && slices.Contains(f.products.Unordered, kind)
}

// beside judges one other machine. later is positive where it goes after the product, negative where
// it goes before, 0 where both may go first.
func (f *Facts) beside(s State, p inventory.Product, to Version, later int) (Refusal, bool) {
	at := s.Version.Base()
	switch {
	case s.Version.IsZero():
		return s.refuse(VersionUnknown, to.String()), true
	case at == to:
		return Refusal{}, false
	case at.Less(to) && later >= 0 && slices.Contains(f.works(to, p, s.Product), at):
		return Refusal{}, false
	case at.Less(to) && later <= 0 && slices.Contains(f.before(to), at):
		return Refusal{}, false
	case to.Less(at) && later <= 0 && slices.Contains(f.works(at, s.Product, p), to):
		return Refusal{}, false
	case to.Less(at) && later >= 0 && slices.Contains(f.before(at), to):
		return Refusal{}, false
	case to.Less(at):
		return s.refuse(MustGoBackFirst, to.String()), true
	case later < 0:
		return s.refuse(MustGoFirst, to.String()), true
	}
	return s.refuse(MustCatchUp, list(append(f.works(to, p, s.Product), to))), true
}

// works lists the older releases that a product which goes later may have beside a release of one
// that goes earlier. A row about both counts more than one about everybody.
func (f *Facts) works(release Version, earlier, later inventory.Product) []Version {
	var all []Version
	for _, row := range f.paths.Backward {
		switch {
		case row.Release != release:
		case slices.Contains(row.Of, earlier) && slices.Contains(row.Products, later):
			return slices.Clone(row.Later)
		case len(row.Of) == 0:
			all = slices.Clone(row.Later)
		}
	}
	return all
}

// before lists the older releases that a product which goes earlier may keep beside a release.
func (f *Facts) before(release Version) []Version {
	for _, row := range f.paths.Backward {
		if row.Release == release && len(row.Earlier) > 0 {
			return slices.Clone(row.Earlier)
		}
	}
	return nil
}
