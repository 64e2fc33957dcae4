package models_test

import (
	"fmt"
	"slices"
	"testing"

	"connecthub/models"
)

func manyPackages(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("lib-package-%d", i)
	}
	return names
}

func TestASetOfFiveThousandPackagesHasEachOfThemAndNoOther(t *testing.T) {
	t.Parallel()
	names := manyPackages(5000)
	set, more := models.NewPackageSet(append(names, names[:100]...)) // named twice: two architectures
	if more || set.Len() != 5000 || len(set) != 25_000 || !set.Valid() {
		t.Fatalf("%d names in %d octets, more: %t", set.Len(), len(set), more)
	}
	for _, name := range names {
		if !set.Has(name) {
			t.Fatalf("%s is missing", name)
		}
	}
	for i := range 20_000 {
		if name := fmt.Sprintf("absent-%d", i); set.Has(name) {
			t.Fatalf("%s is in it", name)
		}
	}
}

func TestAPackageSetHasALimitAndSaysSo(t *testing.T) {
	t.Parallel()
	set, more := models.NewPackageSet(manyPackages(models.MaxPackages + 1))
	if !more || set.Len() != models.MaxPackages || !set.Valid() {
		t.Fatalf("%d names, more: %t", set.Len(), more)
	}
	if set, more = models.NewPackageSet(nil); more || set.Len() != 0 || !set.Valid() || set.Has("a") {
		t.Fatalf("of no packages: %v", set)
	}
}

func TestWhatIsNoPackageSetIsNotValid(t *testing.T) {
	t.Parallel()
	set, _ := models.NewPackageSet(manyPackages(3))
	large, _ := models.NewPackageSet(manyPackages(models.MaxPackages))
	for what, bad := range map[string]models.PackageSet{
		"cut short":    set[:len(set)-1],
		"out of order": slices.Concat(set[5:], set[:5]),
		"named twice":  slices.Concat(set[:5], set),
		"too large":    append(slices.Clone(large), 0xff, 0xff, 0xff, 0xff, 0xff),
	} {
		if bad.Valid() {
			t.Errorf("%s: valid", what)
		}
	}
}

func TestANodeTellsWhetherItsFactsNameAllItsPackages(t *testing.T) {
	t.Parallel()
	fact := func(name, value string) models.Fact { return models.Fact{Name: name, Value: value} }
	full := make([]models.Fact, models.MaxFacts)
	for i := range full {
		full[i] = fact(fmt.Sprintf("package:p-%d", i), "1")
	}
	for _, c := range []struct {
		what  string
		facts []models.Fact
		want  bool
	}{
		{"nothing stated", nil, true},
		{"an old node with room left", []models.Fact{fact("package:a", "1")}, true},
		{"an old node at its limit", full, false},
		{"as many as it counted", []models.Fact{fact("package:a", "1"), fact("packages", "1")}, true},
		{"more than it named", []models.Fact{fact("package:a", "1"), fact("packages", "2")}, false},
		{"no packages", []models.Fact{fact("packages", "0")}, true},
	} {
		if got := (models.Node{Facts: c.facts}).NamesAllPackages(); got != c.want {
			t.Errorf("%s: %t", c.what, got)
		}
	}
}
