package compat_test

import (
	"errors"
	"strings"
	"testing"

	"connecthub/models/compat"
	"connecthub/models/inventory"
)

func TestEveryRefusalHasASentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, c := range compat.Codes() {
		for _, has := range []string{"12.5(1)", ""} {
			r := compat.Refusal{Code: c, Machine: "pg1", Product: "PG", Has: has, Needs: "12.6(1)", Instead: "12.6(2)"}
			en, ja := r.Sentence("en"), r.Sentence("ja")
			if en == ja || r.Error() != en || !strings.HasPrefix(ja, "pg1: ") || !strings.HasPrefix(en, "pg1: ") ||
				strings.ContainsAny(en+ja, "{}") || len(en) < 10 {
				t.Errorf("%s reads %q and %q", c, en, ja)
			}
		}
	}
}

func TestARefusalSaysWhatToDo(t *testing.T) {
	t.Parallel()
	f, err := compat.Load()
	if err != nil {
		t.Fatal(err)
	}
	for want, got := range map[string]compat.Refusals{
		"rogger: ROGGER has 12.5(1) and needs 12.5(1)ES55 → 12.5(1)ES66 / 12.5(2).": f.Requirements(state(inventory.Rogger, "12.5(1)")),
		"rogger: ROGGER cannot go from 12.5(2)ES3 to 12.6(1), neither orchestrated nor by hand. From 12.5(2)ES3 one may go to " +
			"12.6(2) / 15.0(1).": f.Upgrade(state(inventory.Rogger, "12.5(2)ES3"), version("12.6(1)")),
		"vvb: VVB 12.6(1) needs the package ucos.keymanagement.v02.cop.sgn; install it on both nodes, restart, and open a new " +
			"CLI session.": f.Upgrade(state(inventory.VVB, "12.6(1)"), version("12.6(2)")),
	} {
		if got.Error() != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	s := compat.State{Machine: "cc", Product: compat.CloudConnect, Version: version("12.5(1)"), Disk: 146 << 30,
		Packages: []string{key}}
	if got := f.Upgrade(s, version("12.6(1)")).Error(); got != "cc: CloudConnect has a disk of 146.0 GB and needs 246 GB: "+
		"stop the server, grow the disk in vSphere, start the server." {
		t.Error(got)
	}
	if n := f.DiskNeeded(compat.CloudConnect, version("12.5(1)ES9"), version("12.6(1)ES3")); n != 246<<30 {
		t.Error(n)
	}
	if err := f.Upgrade(s, version("12.5(2)")).Err(); err != nil {
		t.Error(err)
	}
	var all compat.Refusals
	if err := f.Requirements(state(inventory.VVB, "12.5(1)")).Err(); !errors.As(err, &all) || len(all) != 2 {
		t.Error(err)
	}
}

func TestWhatIsNeverOrchestratedIsNamed(t *testing.T) {
	t.Parallel()
	f, err := compat.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range f.Never() {
		if r := f.Orchestrated(inventory.UCCE2000, version("15.0(1)"), inventory.Product(name), version("12.6(1)")); len(r) != 1 ||
			r[0].Code != compat.NotOrchestrated {
			t.Errorf("%s: %v", name, r)
		}
	}
	if n, m := len(f.Products(inventory.UCCE2000)), len(f.Products(inventory.PCCE2000)); n != 15 || m != 14 {
		t.Error(n, m)
	}
}
