package app_test

import (
	"strings"
	"testing"

	"connecthub/models/inventory"
)

func TestEveryStepOfAProcedureStandsInItsLog(t *testing.T) {
	t.Parallel()
	p := newPlant(t, duplex(inventory.PeripheralGateway, "PG1")...)
	p.offers(t, [3]string{"icm/ES4.exe", "UCCE", "12.6(1)ES4"})
	p.wants(t, 0, "12.6(1)ES4", "utils", "patch-manager", "install", "--all", "--maintenance", "without", "--yes")
	text := p.log(t)
	for _, m := range p.Machines {
		for _, step := range []string{"check", "copy", "patch", "restart", "verify"} {
			for _, what := range []string{"begun", "finished"} {
				if !hasLine(text, `"step `+what+`"`, " machine="+m.Name+" ", " step="+step) {
					t.Errorf("%s %s of %s is missing", step, what, m.Name)
				}
			}
		}
		if !hasLine(text, `"step finished"`, " machine="+m.Name+" ", "step=verify", "to=12.6(1)ES4") {
			t.Errorf("no version of %s", m.Name)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// hasLine says whether one line has all the words.
func hasLine(text string, words ...string) bool {
	for line := range strings.Lines(text) {
		found := true
		for _, w := range words {
			found = found && strings.Contains(line, w)
		}
		if found {
			return true
		}
	}
	return false
}
