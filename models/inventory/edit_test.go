package inventory_test

import (
	"strings"
	"testing"

	"connecthub/models/inventory"
)

const byHand = `---
# our deployment
inventory:
  VOS:
    CUIC: {}   # none yet

    # the two Finesse servers
    Finesse:
      Finesse-Cluster-1:
        hosts:
        - {name: "f1", side: "A", type: "Publisher"}
        # the other site
        - {type: 'Subscriber', name: f2, side: "B"}
    # voice browsers come later
    VVB: {}
  # Windows is added by hand
  Windows:
    PG: {}
  deploymentType: "UCCE-2000-Agents"
`

func TestOnboardingChangesNoOtherLine(t *testing.T) {
	t.Parallel()
	vvb := []inventory.Group{{Name: "VVB-Cluster-1", Hosts: []inventory.Host{
		{Name: "v1", Side: "A", Type: "Publisher"}}}}
	for _, c := range []struct {
		product inventory.Product
		groups  []inventory.Group
		cut     string
		fresh   string
	}{
		{"VVB", vvb, "    VVB: {}\n", "    VVB:\n      VVB-Cluster-1:\n        hosts:\n        - name: \"v1\"\n          side: \"A\"\n          type: \"Publisher\"\n"},
		{"CUIC", nil, "    CUIC: {}   # none yet\n", "    CUIC: {}\n"},
		{"Finesse", nil, byHand[strings.Index(byHand, "    Finesse:"):strings.Index(byHand, "    # voice")], "    Finesse: {}\n"},
		{"IdS", nil, "  VOS:\n", "  VOS:\n    IdS: {}\n"},
	} {
		got, err := inventory.Replace([]byte(byHand), c.product, c.groups)
		if want := strings.Replace(byHand, c.cut, c.fresh, 1); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s", c.product, err, got)
		}
	}
}

func TestOnboardingNeverLeavesABrokenInventory(t *testing.T) {
	t.Parallel()
	two := []inventory.Group{{Name: "VVB-Cluster-1", Hosts: []inventory.Host{
		{Name: "v1", Side: "A", Type: "Publisher"}, {Name: "v2", Side: "B", Type: "Subscriber"}}}}
	for _, c := range []struct {
		text    string
		product inventory.Product
		groups  []inventory.Group
	}{{byHand, "VVB", two}, {byHand, "PG", nil}, {"a: b\n", "VVB", nil}} {
		if got, err := inventory.Replace([]byte(c.text), c.product, c.groups); err == nil {
			t.Errorf("%s accepted: %s", c.product, got)
		}
	}
}
