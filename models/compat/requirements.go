package compat

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"connecthub/models/inventory"
)

// State is what is known of one machine. The version is the highest that is installed, with its
// latest service update and engineering special.
type State struct {
	Machine  string // how refusals call it
	Product  inventory.Product
	Version  Version
	Packages []string // files that are installed, such as ucos.keymanagement.v02.cop.sgn
	Disk     int64    // bytes; 0 where it is not known, and then nothing is said of it
}

// Feature is something of a control node that needs a version of its own.
type Feature string

// FeatureProxy is a proxy between the control node and the software repository.
const FeatureProxy Feature = "proxy"

func (s State) refuse(c Code, needs string) Refusal {
	return Refusal{Code: c, Machine: s.Machine, Product: string(s.Product), Has: s.Version.String(),
		Needs: needs}
}

// Requirements says what a machine lacks before it may be orchestrated at all. It is asked at
// onboarding and before each procedure.
func (f *Facts) Requirements(s State) Refusals {
	kind := f.family(s.Product)
	switch {
	case kind == "":
		return Refusals{s.refuse(NotOrchestrated, "")}
	case s.Version.IsZero():
		return Refusals{s.refuse(VersionUnknown, "")}
	case kind != "CloudConnect" && s.Version.Less(f.oldest()):
		return Refusals{s.refuse(ReleaseTooOld, f.oldest().String())}
	}
	var missing Refusals
	for _, row := range f.requirements.Rows {
		if !slices.Contains(row.Families, kind) || !row.At.IsZero() && row.At != s.Version.Base() {
			continue
		}
		missing = append(missing, s.versions(row)...)
		missing = append(missing, f.lacks(s, row.Packages)...)
	}
	return missing
}

func (f *Facts) oldest() Version {
	least := f.products.Reach[0].From
	for _, row := range f.products.Reach {
		if row.From.Less(least) {
			least = row.From
		}
	}
	return least
}

func (s State) versions(row needRow) Refusals {
	var first []string
	for _, least := range row.Least {
		if s.Version.Less(least) {
			first = append(first, least.String())
		}
	}
	switch {
	case len(first) == 0:
		return nil
	case row.Or.IsZero() && len(first) == 1:
		return Refusals{s.refuse(NeedsVersion, first[0])}
	case !row.Or.IsZero():
		return Refusals{s.refuse(NeedsPatches, strings.Join(first, " → ")+" / "+row.Or.String())}
	}
	return Refusals{s.refuse(NeedsPatches, strings.Join(first, " → "))}
}

var numbered = regexp.MustCompile(`^\.v(\d{1,3})\.cop\.sgn$`)

// lacks compares by the package's own name: before it and after it nothing may stand but the number
// that newer ones bear.
func (f *Facts) lacks(s State, rows []packageRow) Refusals {
	var missing Refusals
	for _, row := range rows {
		full := f.requirements.Packages[row.Name]
		if slices.ContainsFunc(s.Packages, func(p string) bool { return has(p, row, full) }) {
			continue
		}
		if row.Least > 1 {
			full = fmt.Sprintf("%s.v%02d.cop.sgn", row.Name, row.Least)
		}
		missing = append(missing, s.refuse(NeedsPackage, full))
	}
	return missing
}

func has(file string, row packageRow, full string) bool {
	if file == full {
		return row.Least <= 1
	}
	rest, ok := strings.CutPrefix(file, row.Name)
	m := numbered.FindStringSubmatch(rest)
	if !ok || m == nil || row.Least == 0 {
		return false
	}
	n, _ := strconv.Atoi(m[1])
	return n >= row.Least
}

// Advice says what a machine would better have; nothing is refused for it.
func (f *Facts) Advice(s State) Refusals {
	var all Refusals
	for _, row := range f.requirements.Rows {
		if slices.Contains(row.Families, f.family(s.Product)) && !s.Version.IsZero() &&
			s.Version.Less(row.Advised) {
			all = append(all, s.refuse(AdvisedVersion, row.Advised.String()))
		}
	}
	return all
}

// Supports says whether a machine may use a feature.
func (f *Facts) Supports(what Feature, s State) Refusals {
	for _, row := range f.requirements.Features {
		if row.Feature == what && slices.Contains(row.Families, f.family(s.Product)) &&
			s.Version.Less(row.Least) {
			return Refusals{s.refuse(NeedsVersion, row.Least.String())}
		}
	}
	return nil
}

const gib = 1 << 30

// way says what the way from one release to another needs besides.
func (f *Facts) way(s State, to Version) Refusals {
	var missing Refusals
	for _, row := range f.requirements.Ways {
		if !slices.Contains(row.Families, f.family(s.Product)) || row.From != s.Version.Base() ||
			!slices.Contains(row.To, to.Base()) {
			continue
		}
		missing = append(missing, f.lacks(s, row.Packages)...)
		if s.Disk > 0 && s.Disk < row.DiskGiB*gib {
			r := s.refuse(NeedsDisk, fmt.Sprintf("%d GB", row.DiskGiB))
			r.Has = fmt.Sprintf("%.1f GB", float64(s.Disk)/gib)
			missing = append(missing, r)
		}
	}
	return missing
}

// DiskNeeded is how many bytes of disk the way to a release needs, 0 where nothing is said of it.
func (f *Facts) DiskNeeded(p inventory.Product, from, to Version) int64 {
	for _, row := range f.requirements.Ways {
		if slices.Contains(row.Families, f.family(p)) && row.From == from.Base() &&
			slices.Contains(row.To, to.Base()) {
			return row.DiskGiB * gib
		}
	}
	return 0
}
