package rollout

import (
	"strconv"

	"connecthub/models"
)

// unmet is the first requirement of a release that a member does not meet (R23). A fact that a
// node has not stated is not met.
func unmet(n *models.Node, need *models.Requirements) (models.Unmet, bool) {
	missing := models.Unmet{Node: n.Name, Has: string(n.Version)}
	switch {
	case need.MinVersion != "" && n.Version.Less(need.MinVersion):
		missing.What, missing.Needs = models.NeedsVersion, string(need.MinVersion)
		return missing, true
	case need.Via != "" && n.Version.Less(need.Via):
		missing.What, missing.Needs = models.NeedsVia, string(need.Via)
		return missing, true
	}
	if u, ok := unmetNumber(n, models.NeedsDisk, need.DiskBytes); ok {
		return u, true
	}
	if u, ok := unmetNumber(n, models.NeedsMemory, need.MemoryBytes); ok {
		return u, true
	}
	for _, p := range need.Packages {
		if what, lacks := lacksPackage(n, p); lacks {
			return models.Unmet{Node: n.Name, What: what, Needs: p}, true
		}
	}
	return models.Unmet{}, false
}

// lacksPackage: a package counts as missing only where the node has named all that it has.
func lacksPackage(n *models.Node, name string) (models.Need, bool) {
	switch {
	case fact(n, models.PackageFact, name) != "":
		return "", false
	case n.NamesAllPackages():
		return models.NeedsPackage, true
	case n.PackagesDigest != "" && n.PackageNames.Has(name):
		return "", false
	case n.PackagesDigest == "" || n.PackagesMore:
		return models.NeedsToldPackage, true
	}
	return models.NeedsPackage, true
}

func unmetNumber(n *models.Node, what models.Need, need int64) (models.Unmet, bool) {
	if need <= 0 {
		return models.Unmet{}, false
	}
	has := fact(n, "", string(what))
	if value, err := strconv.ParseInt(has, 10, 64); err == nil && value >= need {
		return models.Unmet{}, false
	}
	return models.Unmet{Node: n.Name, What: what, Needs: strconv.FormatInt(need, 10), Has: has}, true
}

// fact is the value of the fact named prefix+name, or empty.
func fact(n *models.Node, prefix, name string) string {
	for i := range n.Facts {
		f := &n.Facts[i]
		if len(f.Name) == len(prefix)+len(name) && f.Name[:len(prefix)] == prefix &&
			f.Name[len(prefix):] == name {
			return f.Value
		}
	}
	return ""
}
